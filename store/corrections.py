"""Corrections: what changed in an answer's words, and where in Slack it is still to be told.

A superseded answer is told of once, in the place where people saw it: by the correction's post,
or by a post that was withdrawn at birth where nobody is to be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.access import Access

TOLD_WITHIN = "7 days"  # after which a correction that could not be told is news no more
PENDING_BATCH = 50
CORRECTIONS_LOCK = 0xF009  # advisory, with the workspace's id: one process tells at a time


@dataclass(frozen=True)
class Change:
    """Words that an answer quoted, and what the document says now in their place.

    `new` is None where it says nothing in their place; `version_now` where nothing of the
    document is in force any more. `since` is from when that is so, None where nobody knows.
    """

    document: str
    title: str
    old: str
    new: str | None
    version_then: int
    version_now: int | None
    since: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return the change as JSON types."""
        return {
            "document": self.document,
            "title": self.title,
            "old": self.old,
            "new": self.new,
            "version_then": self.version_then,
            "version_now": self.version_now,
            "since": self.since.isoformat() if self.since else None,
        }

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Change":
        """Return what `to_json` gave."""
        since = kept["since"]
        return cls(**{**kept, "since": datetime.fromisoformat(since) if since else None})


@dataclass(frozen=True)
class Superseded:
    """An answer that another took the place of, which is still to be told.

    `asker_id` is who asked it. What follows is of the post that shows it: `private` where only
    the asker saw it, else `ts` is where it stands.
    """

    answer_id: str
    question: str
    asker_id: str | None
    channel: str
    thread_ts: str | None
    ts: str | None
    private: bool


PENDING = f"""
SELECT a.id AS answer_id, a.question, a.user_id AS asker_id, p.channel, p.thread_ts, p.ts,
       p.user_id IS NOT NULL OR p.ts IS NULL AS private
FROM answers a
JOIN LATERAL (
    -- Where all can see it rather than where one could; the first of its messages.
    SELECT * FROM posts WHERE answer_id = a.id AND state = 'posted'
    AND kind IN ('reply', 'correction', 'shared')
    ORDER BY user_id IS NOT NULL OR ts IS NULL, id LIMIT 1
) p ON true
WHERE a.workspace_id = :workspace_id AND a.superseded_by IS NOT NULL
  AND a.superseded_at > now() - interval '{TOLD_WITHIN}'
  AND NOT EXISTS (SELECT FROM posts t
                  WHERE t.workspace_id = :workspace_id AND t.key = 'correction:' || a.id)
ORDER BY a.superseded_at LIMIT {PENDING_BATCH}
"""


def correction_key(answer_id: str) -> str:
    """Return the key of the one post that corrects an answer."""
    return f"correction:{answer_id}"


def pending_corrections(engine: Engine, workspace_id: int) -> list[Superseded]:
    """Return the superseded answers that are to be told of, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(text(PENDING), {"workspace_id": workspace_id})
        return [Superseded(**row._mapping) for row in rows]


def lock_corrections(connection: Connection, workspace_id: int) -> None:
    """Let this transaction be the only one that tells of a correction in the workspace."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, (:workspace_id % 2147483647)::int)"),
        {"lock": CORRECTIONS_LOCK, "workspace_id": workspace_id},
    )


LATER = """
WITH RECURSIVE later (id, superseded_by, trace, step) AS (
    SELECT id, superseded_by, trace, 0 FROM answers WHERE id = :id
    UNION ALL
    SELECT a.id, a.superseded_by, a.trace, l.step + 1 FROM answers a
    JOIN later l ON a.id = l.superseded_by WHERE l.step < 100
)
SELECT id, trace -> 'correction' AS changes FROM later ORDER BY step
"""


def newest_of(connection: Connection, answer_id: str) -> str:
    """Return the latest answer to an answer's question, which is itself where none came after."""
    return str(connection.execute(text(LATER), {"id": answer_id}).all()[-1].id)


def changes_since(connection: Connection, answer_id: str) -> tuple[Change, ...]:
    """Return what changed between an answer's words and those of the latest in its stead.

    Of words that changed more than once the first and the last are told; words that are back as
    they were did not change.
    """
    _, *steps = connection.execute(text(LATER), {"id": answer_id}).all()
    changes: list[Change] = []
    for step in steps:
        for later in map(Change.of, step.changes or ()):
            changes = _followed(changes, later)
    return tuple(change for change in changes if change.old != change.new)


def _followed(changes: list[Change], later: Change) -> list[Change]:
    """Add a change to those before it, or carry on the one whose new words it changed."""
    for place, before in enumerate(changes):
        if before.new == later.old and before.document == later.document:
            both = Change(
                later.document,
                later.title,
                before.old,
                later.new,
                before.version_then,
                later.version_now,
                later.since,
            )
            return [*changes[:place], both, *changes[place + 1 :]]
    return [*changes, later]


def corrections_within(
    connection: Connection, workspace_id: int, channel: str, seconds: float
) -> int:
    """Return how many corrections a channel got in the last so many seconds."""
    return int(
        connection.execute(
            text(
                "SELECT count(*) FROM posts WHERE workspace_id = :workspace_id"
                " AND channel = :channel AND kind = 'correction' AND state <> 'withdrawn'"
                " AND key NOT LIKE '%:%:%'"
                " AND created_at > clock_timestamp() - make_interval(secs => :seconds)"
            ),
            {"workspace_id": workspace_id, "channel": channel, "seconds": seconds},
        ).scalar_one()
    )


def all_readable(connection: Connection, answer_ids: Sequence[str], access: Access) -> bool:
    """Whether `access` permits every document that these answers quote."""
    return not connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM citations c"
            " JOIN document_versions v ON v.id = c.version_id"
            " JOIN documents d ON d.id = v.document_id WHERE c.answer_id = ANY(:ids)"
            " AND NOT (d.audience && CAST(:asker AS text[])"
            "          AND d.audience && CAST(:place AS text[])))"
        ),
        {
            "ids": list(answer_ids),
            "asker": sorted(access.asker),
            "place": sorted(access.place),
        },
    ).scalar_one()
