"""Transcripts: recorded exchanges that may become examples, once somebody has looked at them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import NotFoundError
from store.audit import record

Origin = Literal["escalation", "feedback", "shortcut", "import"]
TranscriptState = Literal["candidate", "approved", "rejected"]


@dataclass(frozen=True)
class Said:
    """One message of a transcript: by the asker, or by a person of the team."""

    role: Literal["asker", "team"]
    text: str


@dataclass(frozen=True)
class Transcript:
    """A kept exchange. `audience` are the principals that may see it; none means curators only.

    `user_id` is whose words it holds beside the team's.
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


COLUMNS = "id, origin, origin_key, messages, audience, user_id, added_by, state, created_at"


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
) -> bool:
    """Keep an exchange until somebody looks at it; the same again replaces what was kept.

    False where it was looked at already: then it stays as it is.
    """
    written = [{"role": said.role, "text": said.text} for said in messages]
    kept = connection.execute(
        text(
            "INSERT INTO transcripts (workspace_id, origin, origin_key, messages, audience,"
            " user_id, added_by) VALUES (:workspace_id, :origin, :origin_key,"
            " CAST(:messages AS jsonb), :audience, :user_id, :added_by)"
            " ON CONFLICT (workspace_id, origin, origin_key) DO UPDATE"
            " SET messages = excluded.messages, audience = excluded.audience,"
            " user_id = excluded.user_id, added_by = excluded.added_by"
            " WHERE transcripts.state = 'candidate'"
        ),
        {
            "workspace_id": workspace_id,
            "origin": origin,
            "origin_key": origin_key,
            "messages": json.dumps(written),
            "audience": sorted(set(audience)),
            "user_id": user_id,
            "added_by": added_by,
        },
    )
    return kept.rowcount == 1


def drop_candidate(
    connection: Connection, workspace_id: int, origin: Origin, origin_key: str, added_by: str
) -> None:
    """Forget a candidate that a person takes back; one that was looked at stays."""
    connection.execute(
        text(
            "DELETE FROM transcripts WHERE workspace_id = :workspace_id AND origin = :origin"
            " AND origin_key = :origin_key AND added_by = :added_by AND state = 'candidate'"
        ),
        {
            "workspace_id": workspace_id,
            "origin": origin,
            "origin_key": origin_key,
            "added_by": added_by,
        },
    )


def list_transcripts(
    engine: Engine, workspace_id: int, state: TranscriptState = "candidate", limit: int = 100
) -> list[Transcript]:
    """Return the transcripts in a state, the oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM transcripts WHERE workspace_id = :workspace_id"
                " AND state = :state ORDER BY id LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "state": state, "limit": limit},
        )
        return [_transcript(row) for row in rows]


def count_candidates(engine: Engine, workspace_id: int) -> int:
    """Return how many transcripts wait for somebody to look at them."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT count(*) FROM transcripts WHERE workspace_id = :id"
                    " AND state = 'candidate'"
                ),
                {"id": workspace_id},
            ).scalar_one()
        )


def review_candidate(
    connection: Connection,
    workspace_id: int,
    transcript_id: int,
    state: Literal["approved", "rejected"],
    actor: str,
) -> None:
    """Approve or reject a candidate; it is kept in the audit log who did.

    Raises NotFoundError where there is none, or somebody was quicker.
    """
    changed = connection.execute(
        text(
            "UPDATE transcripts SET state = :state WHERE workspace_id = :workspace_id"
            " AND id = :id AND state = 'candidate'"
        ),
        {"workspace_id": workspace_id, "id": transcript_id, "state": state},
    )
    if not changed.rowcount:
        raise NotFoundError(f"There is no transcript {transcript_id} that waits to be looked at.")
    record(connection, workspace_id, actor, f"transcript {state}", str(transcript_id))


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


def _transcript(row: Any) -> Transcript:
    said = tuple(Said(one["role"], one["text"]) for one in row.messages)
    kept = {**row._mapping, "messages": said, "audience": tuple(row.audience)}
    return Transcript(**kept)
