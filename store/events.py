"""Events: what Slack sent and the bot accepted, from the acknowledgement to the reply.

An event is kept before it is acknowledged, so that whatever happens after is made good by any
process that serves the workspace. Those of one conversation are handled one at a time, in the
order of their timestamps.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

EventKind = Literal["question", "edit", "deletion"]


@dataclass(frozen=True)
class Arrival:
    """What Slack sent, before it is kept.

    `key` is the same on every delivery and under each name that it comes by; `message_key` is
    that of the message it is about. `conversation` is the key of its conversation, None for a
    command. `addressed` says that it was said to the bot: what was not is kept only where the bot
    takes part already. `detail` holds JSON types.
    """

    workspace_id: int
    kind: EventKind
    key: str
    message_key: str
    team: str
    channel: str
    ts: str
    user_id: str
    text: str
    conversation: str | None = None
    thread_ts: str | None = None
    delivery_id: str | None = None
    addressed: bool = True
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """An accepted event; `attempts` counts the processes that took it up."""

    id: int
    workspace_id: int
    conversation_id: int | None
    kind: EventKind
    key: str
    message_key: str
    team: str
    channel: str
    ts: str
    thread_ts: str | None
    user_id: str
    text: str
    detail: dict[str, Any]
    attempts: int
    accepted_at: datetime
    answer_id: str | None = None
    changed: bool = False  # when it was taken up, an edit or the deletion waited behind it


COLUMNS = (
    "id, workspace_id, conversation_id, kind, key, message_key, team, channel, ts, thread_ts,"
    " user_id, text, detail, attempts, accepted_at, answer_id"
)

# A message that is not said to the bot is for it in a thread that it takes part in and was not
# told to leave, and wherever a channel has it answer everything.
ACCEPT = """
WITH channel AS (
    SELECT mode, follow_ups FROM channels
    WHERE workspace_id = :workspace_id AND channel_id = :channel
),
taken AS (
    SELECT :addressed
        OR (CAST(:thread_ts AS text) IS NULL
            AND EXISTS (SELECT FROM channel WHERE mode = 'all'))
        OR (CAST(:thread_ts AS text) IS NOT NULL
            AND EXISTS (SELECT FROM conversations WHERE workspace_id = :workspace_id
                        AND key = :conversation AND left_at IS NULL)
            AND NOT EXISTS (SELECT FROM channel WHERE mode = 'off' OR NOT follow_ups)) AS yes
),
conversation AS (
    INSERT INTO conversations (workspace_id, key)
    SELECT :workspace_id, CAST(:conversation AS text) FROM taken
    WHERE yes AND CAST(:conversation AS text) IS NOT NULL
    ON CONFLICT (workspace_id, key) DO UPDATE
    SET left_at = CASE WHEN :addressed THEN NULL ELSE conversations.left_at END
    RETURNING id
)
INSERT INTO events (workspace_id, conversation_id, kind, key, delivery_id, message_key, team,
                    channel, ts, thread_ts, user_id, text, detail)
SELECT :workspace_id, (SELECT id FROM conversation), :kind, :key, :delivery_id, :message_key,
       :team, :channel, :ts, :thread_ts, :user_id, :text, CAST(:detail AS jsonb)
FROM taken WHERE yes
ON CONFLICT DO NOTHING RETURNING id
"""

# An edit or a deletion matters where the message was a question to the bot.
ACCEPT_CHANGE = """
INSERT INTO events (workspace_id, conversation_id, kind, key, delivery_id, message_key, team,
                    channel, ts, thread_ts, user_id, text, detail)
SELECT q.workspace_id, q.conversation_id, :kind, :key, :delivery_id, q.key, q.team, q.channel, :ts,
       q.thread_ts, q.user_id, :text, q.detail - 'problem'
FROM events q
WHERE q.workspace_id = :workspace_id AND q.key = :message_key AND q.kind = 'question'
ON CONFLICT DO NOTHING RETURNING id
"""

CLAIM = f"""
UPDATE events SET state = 'working', attempts = attempts + 1, lease_owner = :owner,
                  lease_until = clock_timestamp() + make_interval(secs => :lease)
WHERE id = (
    SELECT e.id FROM events e
    WHERE (e.state = 'accepted' OR (e.state = 'working' AND e.lease_until < clock_timestamp()))
      AND (CAST(:workspace_id AS bigint) IS NULL OR e.workspace_id = :workspace_id)
      AND NOT EXISTS (
          SELECT FROM events b
          WHERE b.conversation_id = e.conversation_id AND b.state <> 'ended'
            AND (b.ts, b.id) < (e.ts, e.id)
      )
    ORDER BY e.id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING {COLUMNS}, EXISTS (
    SELECT FROM events later WHERE later.workspace_id = events.workspace_id
      AND later.message_key = events.message_key AND later.state <> 'ended'
      AND later.kind <> 'question'  -- a choice, which is asked of the same message
      AND (later.ts, later.id) > (events.ts, events.id)
) AS changed
"""


GONE = "(The message was edited or deleted.)"
"""In place of a question that waits for a person and was taken back."""

# A correction is an answer of its own, without a turn.
ANSWERS_TO = """
WITH RECURSIVE given AS (
    SELECT a.id FROM answers a JOIN turns t ON t.id = a.turn_id
    JOIN conversations c ON c.id = t.conversation_id
    WHERE c.workspace_id = :workspace_id AND t.message_key = :key
    UNION
    SELECT answer_id FROM events
    WHERE workspace_id = :workspace_id AND message_key = :key AND answer_id IS NOT NULL
    UNION
    SELECT a.superseded_by FROM given g JOIN answers a ON a.id = g.id
    WHERE a.workspace_id = :workspace_id AND a.superseded_by IS NOT NULL
)
SELECT id FROM given
"""

# Transcripts are named after the answer, the escalation or the message that they were made of.
FORGET = (
    """
    DELETE FROM transcripts t WHERE workspace_id = :workspace_id AND state <> 'approved'
      AND (split_part(origin_key, ':', 1) = ANY(:answers)
           OR origin_key IN (:key, substr(:key, strpos(:key, ':') + 1))
           OR (origin = 'escalation' AND EXISTS (
               SELECT FROM escalations e WHERE e.workspace_id = :workspace_id
                 AND (e.key = :key OR e.answer_id = ANY(:answers))
                 AND t.origin_key IN (e.key, CAST(e.id AS text)))))
    """,
    """
    DELETE FROM escalations WHERE workspace_id = :workspace_id AND state = 'resolved'
      AND (key = :key OR answer_id = ANY(:answers))
    """,
    """
    UPDATE escalations SET question = :gone
    WHERE workspace_id = :workspace_id AND (key = :key OR answer_id = ANY(:answers))
    """,
    """
    DELETE FROM turns t USING conversations c WHERE c.id = t.conversation_id
      AND c.workspace_id = :workspace_id AND t.message_key = :key
    """,
    "DELETE FROM answers WHERE workspace_id = :workspace_id AND id = ANY(:answers)",
    """
    UPDATE posts SET message = '{}', answer_id = NULL
    WHERE workspace_id = :workspace_id AND state NOT IN ('waiting', 'posting')
      AND (answer_id = ANY(:answers) OR event_id IN (
          SELECT id FROM events WHERE workspace_id = :workspace_id AND message_key = :key))
    """,
    """
    UPDATE events SET text = '', detail = detail - ARRAY['problem', 'files']
    WHERE workspace_id = :workspace_id AND message_key = :key AND state = 'ended'
    """,
)


def accept(engine: Engine, arrival: Arrival) -> int | None:
    """Keep an event and return its id; None where it was kept before or is not for the bot.

    One statement, committed before it returns: the acknowledgement waits for it.
    """
    statement = ACCEPT if arrival.kind == "question" else ACCEPT_CHANGE
    with engine.begin() as connection:
        return connection.execute(
            text(statement),
            {
                "workspace_id": arrival.workspace_id,
                "conversation": arrival.conversation,
                "kind": arrival.kind,
                "key": arrival.key,
                "delivery_id": arrival.delivery_id,
                "message_key": arrival.message_key,
                "team": arrival.team,
                "channel": arrival.channel,
                "ts": arrival.ts,
                "thread_ts": arrival.thread_ts,
                "user_id": arrival.user_id,
                "text": arrival.text,
                "detail": json.dumps(arrival.detail),
                "addressed": arrival.addressed,
            },
        ).scalar_one_or_none()


def claim_event(
    engine: Engine, owner: str, lease: float, workspace_id: int | None = None
) -> Event | None:
    """Take up the next event that nobody works on, for `lease` seconds; None if there is none.

    Of each conversation only the earliest open event can be taken up. `workspace_id` limits it to
    one workspace.
    """
    with engine.begin() as connection:
        row = connection.execute(
            text(CLAIM), {"owner": owner, "lease": lease, "workspace_id": workspace_id}
        ).one_or_none()
    return Event(**row._mapping) if row else None


def extend_events(engine: Engine, owner: str, ids: Sequence[int], lease: float) -> None:
    """Hold on to events for `lease` seconds more."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE events SET lease_until = clock_timestamp() + make_interval(secs => :lease)"
                " WHERE id = ANY(:ids) AND lease_owner = :owner AND state = 'working'"
            ),
            {"ids": list(ids), "owner": owner, "lease": lease},
        )


def end_event(
    connection: Connection,
    event_id: int,
    outcome: str,
    *,
    owner: str | None = None,
    answer_id: str | None = None,
) -> bool:
    """End an event in the transaction that writes its reply; False where it has ended already.

    With an `owner`, only while it is theirs: whoever was too slow learns so, and says nothing.
    """
    ended = connection.execute(
        text(
            "UPDATE events SET state = 'ended', outcome = :outcome, answer_id = :answer_id,"
            " ended_at = clock_timestamp(), lease_owner = NULL, lease_until = NULL"
            " WHERE id = :id AND state <> 'ended'"
            " AND (CAST(:owner AS text) IS NULL OR lease_owner = :owner)"
        ),
        {"id": event_id, "outcome": outcome, "owner": owner, "answer_id": answer_id},
    )
    return ended.rowcount == 1


def overdue_events(engine: Engine, seconds: float, workspace_id: int | None = None) -> list[Event]:
    """Return the open events that were accepted longer ago than that."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM events WHERE state <> 'ended'"
                " AND accepted_at < clock_timestamp() - make_interval(secs => :seconds)"
                " AND (CAST(:workspace_id AS bigint) IS NULL OR workspace_id = :workspace_id)"
                " ORDER BY id"
            ),
            {"seconds": seconds, "workspace_id": workspace_id},
        )
        return [Event(**row._mapping) for row in rows]


def open_events(engine: Engine, workspace_id: int | None = None) -> int:
    """Return how many events wait or are worked on."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT count(*) FROM events WHERE state <> 'ended'"
                    " AND (CAST(:id AS bigint) IS NULL OR workspace_id = :id)"
                ),
                {"id": workspace_id},
            ).scalar_one()
        )


def question_of(connection: Connection, workspace_id: int, message_key: str) -> Event | None:
    """Return the question that a message was, if it was one."""
    row = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM events WHERE workspace_id = :workspace_id"
            " AND key = :key AND kind = 'question'"
        ),
        {"workspace_id": workspace_id, "key": message_key},
    ).one_or_none()
    return Event(**row._mapping) if row else None


def has_addressed(engine: Engine, conversation_id: int, user_id: str) -> bool:
    """Whether a person has spoken to the bot itself in a conversation."""
    with engine.connect() as connection:
        return bool(
            connection.execute(
                text(
                    "SELECT EXISTS (SELECT FROM events WHERE conversation_id = :id"
                    " AND user_id = :user_id AND NOT detail ? 'unaddressed')"
                ),
                {"id": conversation_id, "user_id": user_id},
            ).scalar_one()
        )


def leave_conversation(connection: Connection, conversation_id: int) -> None:
    """Stay out of a thread until somebody speaks to the bot there again."""
    connection.execute(
        text("UPDATE conversations SET left_at = now() WHERE id = :id"), {"id": conversation_id}
    )


def answers_to(connection: Connection, workspace_id: int, message_key: str) -> list[str]:
    """Return the ids of the answers to a message and of what corrected them."""
    named = {"workspace_id": workspace_id, "key": message_key}
    return list(connection.execute(text(ANSWERS_TO), named).scalars())


def forget_message(connection: Connection, workspace_id: int, message_key: str) -> list[str]:
    """Remove what is remembered of a message and of its answers; return those answers' ids.

    With them go what corrected them, their feedback, the transcript candidates and the settled
    hand-overs made of them. A hand-over that still waits stays, without the words that were
    asked; so do the events and posts, so that a late delivery is not taken for a new message and
    what stands in Slack can be changed. What waits to be sent is the caller's to take back.
    """
    named: dict[str, Any] = {"workspace_id": workspace_id, "key": message_key, "gone": GONE}
    answers = answers_to(connection, workspace_id, message_key)
    named["answers"] = answers
    for statement in FORGET:
        connection.execute(text(statement), named)
    return answers
