"""Escalations: questions handed over to people, until somebody has answered them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, text

Reason = Literal["asked", "nothing_found", "upset"]
EscalationState = Literal["waiting", "claimed", "resolved"]


@dataclass(frozen=True)
class NewEscalation:
    """A question before it is handed over. `key` is what it is the only escalation of.

    `channel` and `thread_ts` are where it was asked; `private` says that only the asker saw the
    answer there. `handed_to` is the channel of the people who take over.
    """

    key: str
    asker_id: str
    question: str
    reason: Reason
    channel: str
    handed_to: str
    thread_ts: str | None = None
    private: bool = False
    answer_id: str | None = None
    conversation_id: int | None = None


@dataclass(frozen=True)
class Escalation:
    """A question that was handed over, and how far it is."""

    id: int
    workspace_id: int
    key: str
    conversation_id: int | None
    answer_id: str | None
    asker_id: str
    question: str
    reason: Reason
    channel: str
    thread_ts: str | None
    private: bool
    handed_to: str
    state: EscalationState
    claimed_by: str | None
    claimed_at: datetime | None
    resolved_by: str | None
    resolved_at: datetime | None
    resolution: str | None
    created_at: datetime


COLUMNS = (
    "id, workspace_id, key, conversation_id, answer_id, asker_id, question, reason, channel,"
    " thread_ts, private, handed_to, state, claimed_by, claimed_at, resolved_by, resolved_at,"
    " resolution, created_at"
)


def open_escalation(
    connection: Connection, workspace_id: int, new: NewEscalation
) -> tuple[Escalation, bool] | None:
    """Hand a question over in the transaction of its post; None where that was done before.

    True says that it is new. An edited question, which has another answer, takes the place of
    what it was and keeps who claimed it, until it is resolved.
    """
    row = connection.execute(
        text(
            "INSERT INTO escalations (workspace_id, key, conversation_id, answer_id, asker_id,"
            " question, reason, channel, thread_ts, private, handed_to) VALUES (:workspace_id,"
            " :key, :conversation_id, :answer_id, :asker_id, :question, :reason, :channel,"
            " :thread_ts, :private, :handed_to) ON CONFLICT (workspace_id, key) DO UPDATE"
            " SET question = excluded.question, answer_id = excluded.answer_id,"
            " reason = excluded.reason WHERE escalations.state <> 'resolved'"
            " AND escalations.answer_id IS DISTINCT FROM excluded.answer_id"
            f" RETURNING {COLUMNS}, xmax = 0 AS is_new"
        ),
        {"workspace_id": workspace_id, **vars(new)},
    ).one_or_none()
    if row is None:
        return None
    kept = dict(row._mapping)
    is_new = bool(kept.pop("is_new"))
    return Escalation(**kept), is_new


def claim_escalation(
    connection: Connection, workspace_id: int, escalation_id: int, user_id: str
) -> Escalation | None:
    """Let a person take a waiting question; None where somebody has it or it is resolved."""
    return _changed(
        connection,
        "state = 'claimed', claimed_by = :user_id, claimed_at = clock_timestamp()",
        "state = 'waiting'",
        {"workspace_id": workspace_id, "id": escalation_id, "user_id": user_id},
    )


def resolve_escalation(
    connection: Connection,
    workspace_id: int,
    escalation_id: int,
    user_id: str,
    resolution: str | None,
) -> Escalation | None:
    """Note that a question is settled and with which words; None where it was already."""
    return _changed(
        connection,
        "state = 'resolved', resolved_by = :user_id, resolved_at = clock_timestamp(),"
        " resolution = :resolution",
        "state <> 'resolved'",
        {
            "workspace_id": workspace_id,
            "id": escalation_id,
            "user_id": user_id,
            "resolution": resolution,
        },
    )


def _changed(
    connection: Connection, change: str, condition: str, values: dict[str, object]
) -> Escalation | None:
    row = connection.execute(
        text(
            f"UPDATE escalations SET {change} WHERE workspace_id = :workspace_id AND id = :id"
            f" AND {condition} RETURNING {COLUMNS}"
        ),
        values,
    ).one_or_none()
    return Escalation(**row._mapping) if row else None


def find_escalation(
    connection: Connection, workspace_id: int, escalation_id: int
) -> Escalation | None:
    """Return an escalation, or None."""
    row = connection.execute(
        text(f"SELECT {COLUMNS} FROM escalations WHERE workspace_id = :workspace_id AND id = :id"),
        {"workspace_id": workspace_id, "id": escalation_id},
    ).one_or_none()
    return Escalation(**row._mapping) if row else None


def escalation_of(connection: Connection, workspace_id: int, key: str) -> Escalation | None:
    """Return the escalation with a key: that of a message, or of an answer."""
    row = connection.execute(
        text(f"SELECT {COLUMNS} FROM escalations WHERE workspace_id = :w AND key = :key"),
        {"w": workspace_id, "key": key},
    ).one_or_none()
    return Escalation(**row._mapping) if row else None


def list_escalations(
    engine: Engine, workspace_id: int, *, resolved: bool = False, limit: int = 100
) -> list[Escalation]:
    """Return what waits or is claimed, the longest waiting first; or what is resolved, latest."""
    condition, order = (
        ("state = 'resolved'", "resolved_at DESC") if resolved else ("state <> 'resolved'", "id")
    )
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM escalations WHERE workspace_id = :workspace_id"
                f" AND {condition} ORDER BY {order} LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "limit": limit},
        )
        return [Escalation(**row._mapping) for row in rows]


@dataclass(frozen=True)
class AskedAs:
    """How the question of an answer was asked; `message_key` is its message's, if it was one."""

    asker_id: str | None
    message_key: str | None
    conversation_id: int | None


def asked_as(connection: Connection, workspace_id: int, answer_id: str) -> AskedAs | None:
    """Return how the question of an answer was asked; None where there is no such answer."""
    row = connection.execute(
        text(
            "SELECT a.user_id AS asker_id,"
            " coalesce(t.message_key, (SELECT e.message_key FROM events e"
            "  WHERE e.workspace_id = a.workspace_id AND e.answer_id = a.id"
            "  ORDER BY e.id LIMIT 1)) AS message_key, t.conversation_id"
            " FROM answers a LEFT JOIN turns t ON t.id = a.turn_id"
            " WHERE a.workspace_id = :workspace_id AND a.id = :answer_id"
        ),
        {"workspace_id": workspace_id, "answer_id": answer_id},
    ).one_or_none()
    return AskedAs(**row._mapping) if row else None


def all_may_be_read(
    connection: Connection, workspace_id: int, answer_id: str, principals: frozenset[str]
) -> bool:
    """Whether readers with these principals may read all that a conversation quoted.

    It counts what an answer quoted, and every other answer in its conversation. A document that
    was deleted since counts by the audience that it had.
    """
    return bool(
        connection.execute(
            text(
                "SELECT NOT EXISTS ("
                " SELECT FROM answers a JOIN citations c ON c.answer_id = a.id"
                " JOIN document_versions v ON v.id = c.version_id"
                " JOIN documents d ON d.id = v.document_id"
                " LEFT JOIN turns t ON t.id = a.turn_id"
                " WHERE a.workspace_id = :workspace_id AND NOT d.audience && :principals"
                " AND (a.id = :answer_id OR t.conversation_id = ("
                "  SELECT q.conversation_id FROM answers o JOIN turns q ON q.id = o.turn_id"
                "  WHERE o.id = :answer_id)))"
            ),
            {
                "workspace_id": workspace_id,
                "answer_id": answer_id,
                "principals": sorted(principals),
            },
        ).scalar_one()
    )
