"""Posts: what the bot says in Slack, written with the change that causes it and sent afterwards.

Whatever process serves the workspace sends a post, in order within its thread and not more than
one a second in a channel. Its key goes to Slack as well, so that after a crash or a lost reply the
sender finds out whether it stands there before it sends it again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

PACE = 1.05  # seconds between two posts in a channel; Slack takes about one a second
SENDING = 12.0  # seconds until one that is being sent and should say something else is looked for

ONLY_CHANGED = {"only_changed": True}
"""Joined to a message that only marks what stands: it says nothing that is worth a new post."""

TAKEN_BACK = {"taken_back": True}
"""In place of a message that is to go from Slack."""

PostKind = Literal["reply", "apology", "correction", "escalation", "notice", "shared"]
PostState = Literal["waiting", "posting", "posted", "failed", "withdrawn"]


@dataclass(frozen=True)
class NewPost:
    """A post before it is written down. `message` is {"text": …, "blocks": […]} as Slack takes it.

    `key` is what it is the only post for. With `user_id` only that person sees it; with
    `reply_url` it answers a command. `channel` may be a person's id, for their direct messages.
    """

    key: str
    kind: PostKind
    channel: str
    message: dict[str, Any]
    thread_ts: str | None = None
    user_id: str | None = None
    reply_url: str | None = None
    event_id: int | None = None
    answer_id: str | None = None
    wait: float = 0.0  # seconds until it may be sent


@dataclass(frozen=True)
class Post:
    """A post as it is kept. `ts` is Slack's, once it is known; `attempts` counts this one too."""

    id: int
    workspace_id: int
    key: str
    kind: PostKind
    event_id: int | None
    answer_id: str | None
    channel: str
    thread_ts: str | None
    user_id: str | None
    reply_url: str | None
    message: dict[str, Any]
    ts: str | None
    state: PostState
    attempts: int
    created_at: datetime
    posted_at: datetime | None


COLUMNS = (
    "id, workspace_id, key, kind, event_id, answer_id, channel, thread_ts, user_id, reply_url,"
    " message, ts, state, attempts, created_at, posted_at"
)

CLAIM = f"""
WITH due AS (
    SELECT p.id, p.workspace_id, p.channel FROM posts p
    LEFT JOIN channels c ON c.workspace_id = p.workspace_id AND c.channel_id = p.channel
    WHERE ((p.state = 'waiting' AND p.not_before <= clock_timestamp())
           OR (p.state = 'posting' AND p.lease_until < clock_timestamp()))
      AND (CAST(:workspace_id AS bigint) IS NULL OR p.workspace_id = :workspace_id)
      AND p.message <> '{{}}'  -- a stream that is being written: its event ends first
      AND coalesce(c.next_post_at, '-infinity') <= clock_timestamp()
      AND NOT EXISTS (
          SELECT FROM posts b
          WHERE b.workspace_id = p.workspace_id AND b.channel = p.channel
            AND b.thread_ts IS NOT DISTINCT FROM p.thread_ts
            AND b.user_id IS NOT DISTINCT FROM p.user_id  -- nobody waits for another's command
            AND b.reply_url IS NOT DISTINCT FROM p.reply_url
            AND b.state IN ('waiting', 'posting') AND b.id < p.id
      )
    ORDER BY p.id LIMIT 1 FOR UPDATE OF p SKIP LOCKED
),
slot AS (
    INSERT INTO channels (workspace_id, channel_id, next_post_at)
    SELECT workspace_id, channel, clock_timestamp() + make_interval(secs => :pace) FROM due
    ON CONFLICT (workspace_id, channel_id) DO UPDATE SET next_post_at = excluded.next_post_at
    WHERE channels.next_post_at IS NULL OR channels.next_post_at <= clock_timestamp()
    RETURNING 1
)
UPDATE posts SET state = 'posting', attempts = attempts + 1, lease_owner = :owner,
                 lease_until = clock_timestamp() + make_interval(secs => :lease)
WHERE id = (SELECT id FROM due) AND EXISTS (SELECT FROM slot)
RETURNING {COLUMNS}
"""


IN_FLIGHT = """
CASE WHEN state = 'posting' AND ts IS NULL AND lease_until > clock_timestamp()
     THEN least(lease_until - clock_timestamp(), make_interval(secs => :sending))
     ELSE interval '0' END
"""
"""How long the sender of a post has to say where it stands."""

WITHDRAWN = """
state = 'withdrawn', message = '{}', answer_id = NULL, lease_owner = NULL, lease_until = NULL,
reply_url = NULL
"""


def add_post(connection: Connection, workspace_id: int, post: NewPost) -> bool:
    """Write a post down in the transaction of what it tells of; False where its key is known."""
    made = connection.execute(
        text(
            "INSERT INTO posts (workspace_id, key, kind, event_id, answer_id, channel, thread_ts,"
            " user_id, reply_url, message, not_before) VALUES (:workspace_id, :key, :kind,"
            " :event_id, :answer_id, :channel, :thread_ts, :user_id, :reply_url,"
            " CAST(:message AS jsonb), clock_timestamp() + make_interval(secs => :wait))"
            " ON CONFLICT (workspace_id, key) DO NOTHING"
        ),
        {
            "workspace_id": workspace_id,
            "key": post.key,
            "kind": post.kind,
            "event_id": post.event_id,
            "answer_id": post.answer_id,
            "channel": post.channel,
            "thread_ts": post.thread_ts,
            "user_id": post.user_id,
            "reply_url": post.reply_url,
            "message": json.dumps(post.message),
            "wait": post.wait,
        },
    )
    return made.rowcount == 1


def claim_post(
    engine: Engine, owner: str, lease: float, workspace_id: int | None = None
) -> Post | None:
    """Take the next post that may be sent now, and its channel's next second; None if none may."""
    with engine.begin() as connection:
        row = connection.execute(
            text(CLAIM),
            {"owner": owner, "lease": lease, "pace": PACE, "workspace_id": workspace_id},
        ).one_or_none()
    return Post(**row._mapping) if row else None


def take_slot(connection: Connection, workspace_id: int, channel: str) -> bool:
    """Take a channel's next second if it is free now and nothing waits to be posted there."""
    taken = connection.execute(
        text(
            "INSERT INTO channels (workspace_id, channel_id, next_post_at)"
            " SELECT :workspace_id, :channel, clock_timestamp() + make_interval(secs => :pace)"
            " WHERE NOT EXISTS (SELECT FROM posts WHERE workspace_id = :workspace_id"
            " AND channel = :channel AND state IN ('waiting', 'posting'))"
            " ON CONFLICT (workspace_id, channel_id) DO UPDATE"
            " SET next_post_at = excluded.next_post_at"
            " WHERE channels.next_post_at IS NULL OR channels.next_post_at <= clock_timestamp()"
        ),
        {"workspace_id": workspace_id, "channel": channel, "pace": PACE},
    )
    return taken.rowcount == 1


def begin_stream(
    connection: Connection, workspace_id: int, post: NewPost, owner: str, lease: float
) -> int | None:
    """Write down a post that is about to be streamed; None where its key is known.

    It counts as being posted by `owner`; whoever finds it after `lease` seconds finishes it.
    """
    if not add_post(connection, workspace_id, post):
        return None
    return int(
        connection.execute(
            text(
                "UPDATE posts SET state = 'posting', attempts = 1, lease_owner = :owner,"
                " lease_until = clock_timestamp() + make_interval(secs => :lease)"
                " WHERE workspace_id = :workspace_id AND key = :key RETURNING id"
            ),
            {"workspace_id": workspace_id, "key": post.key, "owner": owner, "lease": lease},
        ).scalar_one()
    )


def note_ts(engine: Engine, post_id: int, ts: str) -> None:
    """Keep where a post stands in Slack."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE posts SET ts = :ts WHERE id = :id"), {"id": post_id, "ts": ts}
        )


def note_stream(engine: Engine, post_id: int, owner: str, ts: str) -> bool:
    """Keep where a stream stands; False where its post stands elsewhere by now, or is sent there.

    One that is to say something else meanwhile, and that nobody sends yet, is changed there.
    """
    with engine.begin() as connection:
        noted = connection.execute(
            text(
                "UPDATE posts SET ts = :ts WHERE id = :id AND (ts = :ts OR (ts IS NULL AND"
                " (state = 'waiting' OR (state = 'posting' AND lease_owner = :owner))))"
            ),
            {"id": post_id, "owner": owner, "ts": ts},
        )
    return noted.rowcount == 1


def still_sends(engine: Engine, post: Post, owner: str, lease: float) -> bool:
    """Hold on to a claimed post for `lease` seconds more; False where it is no longer `owner`'s.

    Then it has to say something else, or its lease ran out and another process sends it.
    """
    with engine.begin() as connection:
        held = connection.execute(
            text(
                "UPDATE posts SET lease_until = clock_timestamp() + make_interval(secs => :lease)"
                " WHERE id = :id AND state = 'posting' AND lease_owner = :owner"
                " AND attempts = :attempts"
            ),
            {"id": post.id, "owner": owner, "attempts": post.attempts, "lease": lease},
        )
    return held.rowcount == 1


def asked_at(engine: Engine, event_id: int) -> str | None:
    """Return Slack's ts of what a post replies to: what stands before it is no reply to it."""
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT ts FROM events WHERE id = :id"), {"id": event_id}
        ).scalar_one_or_none()


def mark_posted(
    connection: Connection,
    post_id: int,
    ts: str | None,
    said: dict[str, Any] | None = None,
) -> PostState:
    """Note that a post stands in Slack and return its state; the channel's next second begins.

    It is `posted`, unless it was `withdrawn` meanwhile, or is to say something else by now than
    `said`, which was sent: then it waits to be changed where it stands.
    """
    state: PostState = connection.execute(
        text(
            "WITH posted AS (UPDATE posts SET state = CASE WHEN state = 'withdrawn' THEN state"
            " WHEN message <> CAST(:said AS jsonb) THEN 'waiting' ELSE 'posted' END,"
            " ts = coalesce(:ts, ts), posted_at = clock_timestamp(), lease_owner = NULL,"
            " lease_until = NULL, error = NULL, reply_url = NULL, not_before = clock_timestamp(),"
            " attempts = 1"
            " WHERE id = :id RETURNING workspace_id, channel, state),"
            " paced AS (UPDATE channels c SET next_post_at = greatest(c.next_post_at,"
            " clock_timestamp() + make_interval(secs => :pace)) FROM posted p"
            " WHERE c.workspace_id = p.workspace_id AND c.channel_id = p.channel)"
            " SELECT state FROM posted"
        ),
        {
            "id": post_id,
            "ts": ts,
            "pace": PACE,
            "said": None if said is None else json.dumps(said),
        },
    ).scalar_one()
    return state


def put_off(engine: Engine, post_id: int, seconds: float, error: str, *, tried: bool) -> None:
    """Try a post again after so many seconds; not `tried` is what Slack did not even look at."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE posts SET state = 'waiting', error = :error, lease_owner = NULL,"
                " lease_until = NULL, attempts = CASE WHEN :tried THEN attempts"
                " ELSE greatest(attempts - 1, 0) END,"
                " not_before = clock_timestamp() + make_interval(secs => :seconds)"
                " WHERE id = :id AND state = 'posting'"
            ),
            {"id": post_id, "seconds": seconds, "error": error, "tried": tried},
        )


def slow_channel(engine: Engine, workspace_id: int, channel: str, seconds: float) -> None:
    """Post nothing in a channel for so many seconds, as Slack asked."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO channels (workspace_id, channel_id, next_post_at) VALUES"
                " (:workspace_id, :channel, clock_timestamp() + make_interval(secs => :seconds))"
                " ON CONFLICT (workspace_id, channel_id) DO UPDATE SET next_post_at ="
                " greatest(channels.next_post_at, excluded.next_post_at)"
            ),
            {"workspace_id": workspace_id, "channel": channel, "seconds": seconds},
        )


def mark_failed(engine: Engine, post_id: int, error: str) -> None:
    """Give a post up: nobody can be told any more."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE posts SET state = 'failed', error = :error, lease_owner = NULL,"
                " lease_until = NULL, reply_url = NULL WHERE id = :id"
            ),
            {"id": post_id, "error": error},
        )


def say_instead(
    connection: Connection, post_id: int, message: dict[str, Any], answer_id: str | None = None
) -> None:
    """Have a post say something else: it is changed in place where it stands in Slack.

    A message with ONLY_CHANGED is not posted anew where the old one is gone.

    Of one that is being sent nobody knows yet where it stands; its sender has `SENDING` seconds
    to say so.
    """
    connection.execute(
        text(
            "UPDATE posts SET message = CAST(:message AS jsonb), state = 'waiting',"
            " answer_id = coalesce(:answer_id, answer_id), not_before = clock_timestamp()"
            f" + {IN_FLIGHT}, lease_owner = NULL, lease_until = NULL WHERE id = :id"
        ),
        {
            "id": post_id,
            "message": json.dumps(message),
            "answer_id": answer_id,
            "sending": SENDING,
        },
    )


def say_in_stream(
    connection: Connection,
    post_id: int,
    message: dict[str, Any],
    answer_id: str,
    owner: str,
    lease: float,
) -> None:
    """Keep what a stream is going to say, while it is still its owner's to end it."""
    connection.execute(
        text(
            "UPDATE posts SET message = CAST(:message AS jsonb), state = 'posting',"
            " answer_id = :answer_id, lease_owner = :owner,"
            " lease_until = clock_timestamp() + make_interval(secs => :lease) WHERE id = :id"
        ),
        {
            "id": post_id,
            "message": json.dumps(message),
            "answer_id": answer_id,
            "owner": owner,
            "lease": lease,
        },
    )


def leave_to_poster(connection: Connection, post_id: int, owner: str) -> None:
    """Have a post that its owner could not stream shown whole."""
    connection.execute(
        text(
            "UPDATE posts SET state = 'waiting', lease_owner = NULL, lease_until = NULL"
            " WHERE id = :id AND state = 'posting' AND lease_owner = :owner"
        ),
        {"id": post_id, "owner": owner},
    )


def take_back_posts(connection: Connection, post_ids: Sequence[int]) -> None:
    """Have posts deleted from Slack, and forget what they said.

    What was not sent yet is not sent any more; of what is being sent, its sender first has the
    time to say where it stands. What only one person sees goes by itself.
    """
    connection.execute(
        text(
            "UPDATE posts SET message = CAST(:gone AS jsonb), answer_id = NULL, state = 'waiting',"
            f" not_before = clock_timestamp() + {IN_FLIGHT},"
            " lease_owner = NULL, lease_until = NULL WHERE id = ANY(:ids)"
            " AND state <> 'withdrawn' AND user_id IS NULL AND reply_url IS NULL"
            " AND (ts IS NOT NULL OR attempts > 0)"
        ),
        {"ids": list(post_ids), "gone": json.dumps(TAKEN_BACK), "sending": SENDING},
    )
    connection.execute(
        text(
            f"UPDATE posts SET {WITHDRAWN} WHERE id = ANY(:ids)"
            " AND message <> CAST(:gone AS jsonb)"
        ),
        {"ids": list(post_ids), "gone": json.dumps(TAKEN_BACK)},
    )


def withdraw_posts(connection: Connection, post_ids: Sequence[int]) -> None:
    """Mark posts that stand nowhere as taken back, and forget what they said."""
    connection.execute(
        text(f"UPDATE posts SET {WITHDRAWN} WHERE id = ANY(:ids)"), {"ids": list(post_ids)}
    )


def find_post(engine: Engine, workspace_id: int, key: str) -> Post | None:
    """Return the post with a key."""
    return _first(engine, "workspace_id = :w AND key = :key", {"w": workspace_id, "key": key})


def post_with_key(connection: Connection, workspace_id: int, key: str) -> Post | None:
    """Return the post with a key, as it is in this transaction."""
    row = connection.execute(
        text(f"SELECT {COLUMNS} FROM posts WHERE workspace_id = :w AND key = :key"),
        {"w": workspace_id, "key": key},
    ).one_or_none()
    return Post(**row._mapping) if row else None


def post_at(engine: Engine, workspace_id: int, channel: str, ts: str) -> Post | None:
    """Return the post that stands at a place in Slack."""
    return _first(
        engine,
        "workspace_id = :w AND channel = :channel AND ts = :ts",
        {"w": workspace_id, "channel": channel, "ts": ts},
    )


def posts_of_message(connection: Connection, workspace_id: int, message_key: str) -> list[Post]:
    """Return the replies to a message and to its edits, in order."""
    rows = connection.execute(
        text(
            f"SELECT {', '.join('p.' + name.strip() for name in COLUMNS.split(','))} FROM posts p"
            " JOIN events e ON e.id = p.event_id WHERE e.workspace_id = :workspace_id"
            " AND e.message_key = :key AND p.state <> 'withdrawn'"
            " AND (p.state <> 'failed' OR p.ts IS NOT NULL)"
            " AND p.message <> CAST(:gone AS jsonb) ORDER BY p.id"
        ),
        {"workspace_id": workspace_id, "key": message_key, "gone": json.dumps(TAKEN_BACK)},
    )
    return [Post(**row._mapping) for row in rows]


def posts_telling_of(
    connection: Connection, workspace_id: int, answer_ids: Sequence[str], kinds: Sequence[PostKind]
) -> list[int]:
    """Return the ids of the posts of some kinds, such as corrections, that show answers."""
    return list(
        connection.execute(
            text(
                "SELECT id FROM posts WHERE workspace_id = :workspace_id"
                " AND answer_id = ANY(:answers) AND kind = ANY(:kinds) ORDER BY id"
            ),
            {"workspace_id": workspace_id, "answers": list(answer_ids), "kinds": list(kinds)},
        ).scalars()
    )


def posts_of_answer(engine: Engine, workspace_id: int, answer_id: str) -> list[Post]:
    """Return the posts that show an answer, in order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM posts WHERE workspace_id = :workspace_id"
                " AND answer_id = :answer_id AND state <> 'withdrawn' ORDER BY id"
            ),
            {"workspace_id": workspace_id, "answer_id": answer_id},
        )
        return [Post(**row._mapping) for row in rows]


def last_answer_in(engine: Engine, workspace_id: int, channel: str, user_id: str) -> str | None:
    """Return the id of the answer posted last in a channel that this person could see there."""
    with engine.connect() as connection:
        return connection.execute(
            text(
                "SELECT answer_id FROM posts WHERE workspace_id = :workspace_id"
                " AND channel = :channel AND answer_id IS NOT NULL AND state = 'posted'"
                " AND kind IN ('reply', 'correction', 'shared')"
                " AND (user_id IS NULL OR user_id = :user_id) ORDER BY posted_at DESC LIMIT 1"
            ),
            {"workspace_id": workspace_id, "channel": channel, "user_id": user_id},
        ).scalar_one_or_none()


def _first(engine: Engine, condition: str, values: dict[str, Any]) -> Post | None:
    with engine.connect() as connection:
        row = connection.execute(
            text(f"SELECT {COLUMNS} FROM posts WHERE {condition} ORDER BY id LIMIT 1"), values
        ).one_or_none()
    return Post(**row._mapping) if row else None
