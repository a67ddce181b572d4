"""Transcripts: recorded exchanges that may become examples, once somebody has looked at them.

Three wordings of one are kept apart. `messages` are the words as they came; they are there only
while somebody may still look at them, and give way to the redacted ones when it is approved or
rejected. `redacted` is what the first pass made of them. `edited` is what a curator made of
those. Only `words` of approved transcripts are shown to a model or trained on.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import NotFoundError
from store.jobs import submit

CURATE_TRANSCRIPTS = "curate_transcripts"
"""The kind of the job that reads what nobody has read yet: the first pass."""

Origin = Literal["escalation", "feedback", "shortcut", "import"]
TranscriptState = Literal["candidate", "quarantined", "approved", "rejected"]


@dataclass(frozen=True)
class Said:
    """One message of a transcript: by the asker, or by a person of the team.

    `canned` says that the words were a suggestion which was sent as it stood.
    """

    role: Literal["asker", "team"]
    text: str
    canned: bool = False


@dataclass(frozen=True)
class Finding:
    """What the first pass noticed, and the sentence that a curator reads about it."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Transcript:
    """A kept exchange. `audience` are the principals that may see it; none means curators only.

    `user_id` is whose words it holds beside the team's, `people` are those of the team who spoke.
    `disliked` is the bot's reply in place of which these words should have stood. `quality` is
    between 0 and 1; `redactions` counts placeholders by kind; `revision` counts changes.
    """

    id: int
    origin: Origin
    origin_key: str
    messages: tuple[Said, ...]
    audience: tuple[str, ...]
    user_id: str | None
    added_by: str
    state: TranscriptState
    created_at: datetime
    redacted: tuple[Said, ...] | None = None
    edited: tuple[Said, ...] | None = None
    disliked: str | None = None
    answer_id: str | None = None
    people: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    redactions: dict[str, int] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    language: str | None = None
    quality: float | None = None
    duplicate_of: int | None = None
    revision: int = 0
    happened_at: datetime | None = None
    curated_at: datetime | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None

    @property
    def words(self) -> tuple[Said, ...]:
        """What would be learned: as a curator left it, else as the first pass redacted it."""
        return self.edited or self.redacted or ()


@dataclass(frozen=True)
class Imported:
    """An exchange of a file, before it is kept. `key` tells it from the file's others.

    `user_id` is the asker's id as the file has it, `people` are those of others who wrote in it.
    """

    key: str
    messages: tuple[Said, ...]
    labels: dict[str, Any] = field(default_factory=dict)
    happened_at: datetime | None = None
    user_id: str | None = None
    people: tuple[str, ...] = ()


COLUMNS = (
    "id, origin, origin_key, messages, audience, user_id, added_by, state, created_at, redacted,"
    " edited, disliked, answer_id, people, findings, redactions, labels, language, quality,"
    " duplicate_of, revision, happened_at, curated_at, reviewed_by, reviewed_at"
)
OPEN = "state IN ('candidate', 'quarantined')"  # nobody has decided yet


# --- in ------------------------------------------------------------------------------------


def add_candidate(
    connection: Connection,
    workspace_id: int,
    origin: Origin,
    origin_key: str,
    messages: Sequence[Said],
    *,
    audience: Sequence[str] = (),
    user_id: str | None = None,
    added_by: str,
    answer_id: str | None = None,
    disliked: str | None = None,
    people: Sequence[str] = (),
) -> bool:
    """Keep an exchange until somebody looks at it; the same again replaces what was kept.

    False where it was looked at already: then it stays as it is. The first pass over it is
    submitted in the same transaction.
    """
    kept = connection.execute(
        text(
            "INSERT INTO transcripts (workspace_id, origin, origin_key, messages, audience,"
            " user_id, added_by, answer_id, disliked, people) VALUES (:workspace_id, :origin,"
            " :origin_key, CAST(:messages AS jsonb), :audience, :user_id, :added_by,"
            " (SELECT id FROM answers WHERE id = :answer_id), :disliked, :people)"
            " ON CONFLICT (workspace_id, origin, origin_key) DO UPDATE"
            " SET messages = excluded.messages, audience = excluded.audience,"
            " user_id = excluded.user_id, added_by = excluded.added_by,"
            " answer_id = excluded.answer_id, disliked = excluded.disliked,"
            " people = excluded.people, redacted = NULL, edited = NULL, findings = '[]',"
            " redactions = '{}', signature = NULL, duplicate_of = NULL, curated_at = NULL,"
            " state = 'candidate', revision = transcripts.revision + 1"
            f" WHERE transcripts.{OPEN}"
        ),
        {
            "workspace_id": workspace_id,
            "origin": origin,
            "origin_key": origin_key,
            "messages": written(messages),
            "audience": sorted(set(audience)),
            "user_id": user_id,
            "added_by": added_by,
            "answer_id": answer_id,
            "disliked": disliked,
            "people": sorted(set(people)),
        },
    )
    if kept.rowcount != 1:
        return False
    submit_curation(connection, workspace_id)
    return True


def add_imported(
    connection: Connection,
    workspace_id: int,
    exchanges: Sequence[Imported],
    *,
    audience: Sequence[str],
    added_by: str,
) -> int:
    """Keep exchanges of a file; those that were kept before stay as they are. Return how many
    are new.
    """
    if not exchanges:
        return 0
    new = connection.execute(
        text(
            "INSERT INTO transcripts (workspace_id, origin, origin_key, messages, audience,"
            " added_by, labels, happened_at, user_id, people) SELECT :workspace_id, 'import',"
            " row ->> 'key', row -> 'messages', :audience, :added_by, row -> 'labels',"
            " coalesce(CAST(row ->> 'at' AS timestamptz), now()), row ->> 'user_id',"
            " ARRAY(SELECT jsonb_array_elements_text(row -> 'people'))"
            " FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS row"
            " ON CONFLICT (workspace_id, origin, origin_key) DO NOTHING"
        ),
        {
            "workspace_id": workspace_id,
            "audience": sorted(set(audience)),
            "added_by": added_by,
            "rows": json.dumps(
                [
                    {
                        "key": one.key,
                        "messages": [said_json(said) for said in one.messages],
                        "labels": one.labels,
                        "at": one.happened_at.isoformat() if one.happened_at else None,
                        "user_id": one.user_id,
                        "people": list(one.people),
                    }
                    for one in exchanges
                ]
            ),
        },
    )
    return new.rowcount


def submit_curation(connection: Connection, workspace_id: int) -> int:
    """Submit a first pass over what nobody has read yet; return the job's id.

    Each has a key of its own: one that is under way may have looked before this transaction.
    """
    return submit(connection, workspace_id, CURATE_TRANSCRIPTS, secrets.token_hex(8), {})


def drop_candidate(
    connection: Connection, workspace_id: int, origin: Origin, origin_key: str, added_by: str
) -> None:
    """Forget a candidate that a person takes back; one that was looked at stays."""
    connection.execute(
        text(
            "DELETE FROM transcripts WHERE workspace_id = :workspace_id AND origin = :origin"
            f" AND origin_key = :origin_key AND added_by = :added_by AND {OPEN}"
        ),
        {
            "workspace_id": workspace_id,
            "origin": origin,
            "origin_key": origin_key,
            "added_by": added_by,
        },
    )


# --- looked at -----------------------------------------------------------------------------


def find_transcript(engine: Engine, workspace_id: int, transcript_id: int) -> Transcript:
    """Return a transcript; raises NotFoundError where the workspace has none of that number."""
    with engine.connect() as connection:
        return read_transcript(connection, workspace_id, transcript_id)


def list_transcripts(
    engine: Engine,
    workspace_id: int,
    state: TranscriptState | None = "candidate",
    limit: int | None = 100,
    *,
    after: int = 0,
    origin: Origin | None = None,
    finding: str | None = None,
    clean: bool = False,
) -> list[Transcript]:
    """Return the transcripts in a state (None: in any), the oldest first.

    `after` is the id to go on behind; `finding` a kind that was found in them; `clean` leaves
    out those that were not read yet and those in which anything was found. A `limit` of None
    returns all.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM transcripts WHERE workspace_id = :workspace_id"
                " AND id > :after AND (CAST(:state AS text) IS NULL OR state = :state)"
                " AND (CAST(:origin AS text) IS NULL OR origin = :origin)"
                " AND (CAST(:finding AS text) IS NULL"
                " OR findings @>"
                " jsonb_build_array(jsonb_build_object('kind', CAST(:finding AS text))))"
                " AND (NOT :clean OR (curated_at IS NOT NULL AND findings = '[]'))"
                " ORDER BY id LIMIT :limit"
            ),
            {
                "workspace_id": workspace_id,
                "state": state,
                "limit": limit,
                "after": after,
                "origin": origin,
                "finding": finding,
                "clean": clean,
            },
        )
        return [transcript_of(row) for row in rows]


def count_candidates(engine: Engine, workspace_id: int) -> int:
    """Return how many transcripts wait for somebody to look at them."""
    return count_by_state(engine, workspace_id).get("candidate", 0)


def count_by_state(engine: Engine, workspace_id: int) -> dict[TranscriptState, int]:
    """Return how many transcripts there are in each state that any is in."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT state, count(*) AS number FROM transcripts"
                " WHERE workspace_id = :workspace_id GROUP BY state"
            ),
            {"workspace_id": workspace_id},
        )
        return {row.state: int(row.number) for row in rows}


def last_asked(
    connection: Connection, workspace_id: int, conversation: str
) -> tuple[str, str | None] | None:
    """Return what was asked last in a conversation, by its key, and by whom; None for nothing."""
    row = connection.execute(
        text(
            "SELECT t.text, t.user_id FROM turns t JOIN conversations c"
            " ON c.id = t.conversation_id WHERE c.workspace_id = :workspace_id AND c.key = :key"
            " AND t.role = 'asker' ORDER BY t.id DESC LIMIT 1"
        ),
        {"workspace_id": workspace_id, "key": conversation},
    ).one_or_none()
    return (row.text, row.user_id) if row else None


def read_transcript(
    connection: Connection, workspace_id: int, transcript_id: int, *, lock: bool = False
) -> Transcript:
    """Return a transcript within a transaction, locked if it will be changed there.

    Raises NotFoundError where the workspace has none of that number.
    """
    row = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM transcripts WHERE workspace_id = :workspace_id AND id = :id"
            + (" FOR UPDATE" if lock else "")
        ),
        {"workspace_id": workspace_id, "id": transcript_id},
    ).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no transcript {transcript_id}; `footnote transcripts list` shows them."
        )
    return transcript_of(row)


def written(messages: Sequence[Said]) -> str:
    """Return messages as the JSON that is kept."""
    return json.dumps([said_json(said) for said in messages], ensure_ascii=False)


def said_json(said: Said) -> dict[str, Any]:
    """Return one message as JSON types."""
    return {"role": said.role, "text": said.text} | ({"canned": True} if said.canned else {})


def _said(kept: Any) -> tuple[Said, ...]:
    return tuple(Said(one["role"], one["text"], bool(one.get("canned"))) for one in kept)


def transcript_of(row: Any) -> Transcript:
    """Return the transcript of a row with `COLUMNS`."""
    kept = dict(row._mapping)
    for name in ("messages", "redacted", "edited"):
        kept[name] = None if kept[name] is None else _said(kept[name])
    for name in ("audience", "people"):
        kept[name] = tuple(kept[name])
    kept["findings"] = tuple(Finding(one["kind"], one["reason"]) for one in kept["findings"])
    return Transcript(**kept)
