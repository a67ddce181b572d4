"""Feedback: what people say of answers, one opinion a person and answer, and where it helps.

Each reason goes where somebody can do something about it: a wrong fact, a wrong source and what is
outdated to those who keep the documents; what was found wrongly or not at all to evaluation; tone,
and whatever comes with a better answer, to the transcripts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, text

from store.conversations import HISTORY_TURNS, Turn

Rating = Literal[-1, 1]
FeedbackReason = Literal["wrong_fact", "wrong_source", "outdated", "tone", "incomplete", "other"]
Destination = Literal["documents", "evaluation", "transcripts"]

REASONS: dict[Destination, tuple[FeedbackReason, ...]] = {
    "documents": ("wrong_fact", "wrong_source", "outdated"),
    "evaluation": ("wrong_fact", "wrong_source", "incomplete"),
    "transcripts": ("tone",),
}
"""The reasons that go to each destination; a better answer goes to the transcripts with any."""


@dataclass(frozen=True)
class Opinion:
    """What one person said of one answer. `better` is what it should have said."""

    rating: Rating
    reason: FeedbackReason | None = None
    comment: str | None = None
    better: str | None = None


@dataclass(frozen=True)
class Quoted:
    """Words that an answer quoted, and where they stand."""

    document: str  # its key
    title: str
    version: int
    section: tuple[str, ...]
    quote: str


@dataclass(frozen=True)
class Feedback:
    """An opinion with what it is about. `asker_id` asked; `user_id` rated."""

    answer_id: str
    user_id: str
    asker_id: str | None
    opinion: Opinion
    question: str
    answer: str
    quoted: tuple[Quoted, ...]
    updated_at: datetime


def may_rate(
    engine: Engine, workspace_id: int, answer_id: str, user_id: str, channel: str
) -> bool:
    """Whether a person who is in a channel has seen an answer: theirs, or posted there for all."""
    with engine.connect() as connection:
        return bool(
            connection.execute(
                text(
                    "SELECT EXISTS (SELECT FROM answers a WHERE a.workspace_id = :workspace_id"
                    " AND a.id = :answer_id AND (a.user_id = :user_id OR EXISTS ("
                    "  SELECT FROM posts p WHERE p.workspace_id = a.workspace_id"
                    "  AND p.answer_id = a.id AND p.state <> 'withdrawn'"
                    "  AND (p.user_id = :user_id OR (p.user_id IS NULL AND p.reply_url IS NULL"
                    "       AND p.channel = :channel)))))"
                ),
                {
                    "workspace_id": workspace_id,
                    "answer_id": answer_id,
                    "user_id": user_id,
                    "channel": channel,
                },
            ).scalar_one()
        )


def rate(connection: Connection, answer_id: str, user_id: str, rating: Rating) -> bool:
    """Keep a thumb; False where it is the same as before. Reasons go with a changed mind."""
    kept = connection.execute(
        text(
            "INSERT INTO feedback (answer_id, user_id, rating) VALUES (:answer_id, :user_id,"
            " :rating) ON CONFLICT (answer_id, user_id) DO UPDATE SET rating = excluded.rating,"
            " reason = NULL, comment = NULL, better = NULL, updated_at = clock_timestamp()"
            " WHERE feedback.rating <> excluded.rating"
        ),
        {"answer_id": answer_id, "user_id": user_id, "rating": rating},
    )
    return kept.rowcount == 1


def explain(
    connection: Connection,
    answer_id: str,
    user_id: str,
    reason: FeedbackReason,
    comment: str | None,
    better: str | None,
) -> bool:
    """Add to a thumb down why; False where this person has none on this answer any more."""
    kept = connection.execute(
        text(
            "UPDATE feedback SET reason = :reason, comment = :comment, better = :better,"
            " updated_at = clock_timestamp()"
            " WHERE answer_id = :answer_id AND user_id = :user_id AND rating = -1"
        ),
        {
            "answer_id": answer_id,
            "user_id": user_id,
            "reason": reason,
            "comment": comment,
            "better": better,
        },
    )
    return kept.rowcount == 1


def find_opinion(engine: Engine, answer_id: str, user_id: str) -> Opinion | None:
    """Return what a person said of an answer, or None."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT rating, reason, comment, better FROM feedback"
                " WHERE answer_id = :answer_id AND user_id = :user_id"
            ),
            {"answer_id": answer_id, "user_id": user_id},
        ).one_or_none()
    return Opinion(**row._mapping) if row else None


FEEDBACK = """
SELECT f.answer_id, f.user_id, a.user_id AS asker_id, f.rating, f.reason, f.comment, f.better,
       a.question, a.text AS answer, f.updated_at
FROM feedback f JOIN answers a ON a.id = f.answer_id
WHERE a.workspace_id = :workspace_id AND f.rating = -1
  AND (CAST(:reasons AS text[]) IS NULL OR f.reason = ANY(:reasons)
       OR (:with_better AND f.better IS NOT NULL))
ORDER BY f.updated_at DESC, f.id DESC LIMIT :limit
"""

QUOTED = """
SELECT c.answer_id, d.key, v.title, v.number, c.section, c.quote
FROM citations c
JOIN document_versions v ON v.id = c.version_id
JOIN documents d ON d.id = v.document_id
WHERE c.answer_id = ANY(:answers) ORDER BY c.id
"""


def feedback_for(
    engine: Engine, workspace_id: int, destination: Destination | None = None, limit: int = 100
) -> list[Feedback]:
    """Return the thumbs down that help a destination, the latest first; all without one."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(FEEDBACK),
            {
                "workspace_id": workspace_id,
                "reasons": list(REASONS[destination]) if destination else None,
                "with_better": destination == "transcripts",
                "limit": limit,
            },
        ).all()
        quoted = _quoted(connection, sorted({row.answer_id for row in rows}))
    return [
        Feedback(
            row.answer_id,
            row.user_id,
            row.asker_id,
            Opinion(row.rating, row.reason, row.comment, row.better),
            row.question,
            row.answer,
            quoted.get(row.answer_id, ()),
            row.updated_at,
        )
        for row in rows
    ]


def _quoted(connection: Connection, answers: Sequence[str]) -> dict[str, tuple[Quoted, ...]]:
    found: dict[str, tuple[Quoted, ...]] = {}
    for row in connection.execute(text(QUOTED), {"answers": list(answers)}):
        quoted = Quoted(row.key, row.title, row.number, tuple(row.section), row.quote)
        before = found.setdefault(row.answer_id, ())
        if quoted not in before:
            found[row.answer_id] = (*before, quoted)
    return found


def history_of(connection: Connection, answer_id: str) -> tuple[Turn, ...]:
    """Return the turns before an answer's question, oldest first; none where none are kept."""
    rows = connection.execute(
        text(
            "SELECT t.role, t.text FROM turns t JOIN turns q"
            " ON q.conversation_id = t.conversation_id AND t.id < q.id"
            " JOIN answers a ON a.turn_id = q.id WHERE a.id = :answer_id"
            " ORDER BY t.id DESC LIMIT :limit"
        ),
        {"answer_id": answer_id, "limit": HISTORY_TURNS},
    ).all()
    return tuple(Turn(row.role, row.text) for row in reversed(rows))


def count_thumbs(engine: Engine, workspace_id: int) -> tuple[int, int]:
    """Return how many thumbs up and how many down there are."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE f.rating = 1) AS up,"
                " count(*) FILTER (WHERE f.rating = -1) AS down"
                " FROM feedback f JOIN answers a ON a.id = f.answer_id"
                " WHERE a.workspace_id = :workspace_id"
            ),
            {"workspace_id": workspace_id},
        ).one()
    return int(row.up), int(row.down)
