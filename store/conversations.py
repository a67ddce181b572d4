"""Conversations and their turns: the agent's only memory. One answer at a time in each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, text

from store.answers import Outcome

CONVERSATION_LOCK = 0xF008  # advisory, with the conversation's id
HISTORY_TURNS = 20  # turns read back


@dataclass(frozen=True)
class Turn:
    """One message of a conversation: by the asker or by Footnote."""

    role: Literal["asker", "footnote"]
    text: str


def ensure_conversation(engine: Engine, workspace_id: int, key: str) -> int:
    """Return the id of the conversation with `key` (a Slack thread, a page's session)."""
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "INSERT INTO conversations (workspace_id, key) VALUES (:workspace_id, :key)"
                    " ON CONFLICT (workspace_id, key) DO UPDATE SET key = excluded.key"
                    " RETURNING id"
                ),
                {"workspace_id": workspace_id, "key": key},
            ).scalar_one()
        )


@contextmanager
def serialised(engine: Engine, conversation_id: int) -> Iterator[None]:
    """Hold the conversation for this block: a second message waits until the first is answered.

    `engine` should be one kept for locks, so that waiting takes no connection from working.
    """
    with engine.begin() as connection:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:lock, (:id % 2147483647)::int)"),
            {"lock": CONVERSATION_LOCK, "id": conversation_id},
        )
        yield


def read_turns(
    engine: Engine, conversation_id: int, before: int | None = None
) -> tuple[Turn, ...]:
    """Return the last turns, oldest first; with `before`, those that came before that turn."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT role, text FROM turns WHERE conversation_id = :id"
                " AND (CAST(:before AS bigint) IS NULL OR id < :before)"
                " ORDER BY id DESC LIMIT :limit"
            ),
            {"id": conversation_id, "limit": HISTORY_TURNS, "before": before},
        ).all()
    return tuple(Turn(row.role, row.text) for row in reversed(rows))


def answer_to_event(engine: Engine, conversation_id: int, event_key: str) -> str | None:
    """Return the id of the answer an incoming event got already, or None.

    Where a correction took its place, that one's.
    """
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT a.id FROM turns t JOIN answers a ON a.turn_id = t.id"
                " WHERE t.conversation_id = :id AND t.event_key = :event_key"
                " AND a.superseded_by IS NULL"
            ),
            {"id": conversation_id, "event_key": event_key},
        ).scalar_one_or_none()


def last_outcome(engine: Engine, conversation_id: int) -> Outcome | None:
    """Return how the conversation's last question ended; None before its first."""
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT a.outcome FROM turns t JOIN answers a ON a.turn_id = t.id"
                " WHERE t.conversation_id = :id ORDER BY t.id DESC LIMIT 1"
            ),
            {"id": conversation_id},
        ).scalar_one_or_none()


def add_exchange(
    connection: Connection,
    conversation_id: int,
    asked: str,
    replied: str,
    *,
    user_id: str | None = None,
    event_key: str | None = None,
    message_key: str | None = None,
) -> int | None:
    """Append a message and the reply to it; return the message's turn.

    None where the event has its turn already: somebody else has replied to it meanwhile.
    """
    turn_id = connection.execute(
        text(
            "INSERT INTO turns (conversation_id, role, text, user_id, event_key, message_key)"
            " VALUES (:id, 'asker', :text, :user_id, :event_key, :message_key)"
            " ON CONFLICT (conversation_id, event_key) DO NOTHING RETURNING id"
        ),
        {
            "id": conversation_id,
            "text": asked,
            "user_id": user_id,
            "event_key": event_key,
            "message_key": message_key,
        },
    ).scalar_one_or_none()
    if turn_id is not None:
        add_turn(connection, conversation_id, Turn("footnote", replied), message_key=message_key)
    return turn_id


def add_turn(
    connection: Connection,
    conversation_id: int,
    turn: Turn,
    *,
    user_id: str | None = None,
    event_key: str | None = None,
    message_key: str | None = None,
) -> int:
    """Append a turn and return its id."""
    return int(
        connection.execute(
            text(
                "INSERT INTO turns (conversation_id, role, text, user_id, event_key, message_key)"
                " VALUES (:id, :role, :text, :user_id, :event_key, :message_key) RETURNING id"
            ),
            {
                "id": conversation_id,
                "role": turn.role,
                "text": turn.text,
                "user_id": user_id,
                "event_key": event_key,
                "message_key": message_key,
            },
        ).scalar_one()
    )
