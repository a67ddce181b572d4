"""Usage: how much each person and each workspace asked in the last minute and the last day.

It is counted by minutes, in a row for the person and one for the whole workspace (with an empty
person). A day is the sum of its minutes. A minute slides: the minute before counts for the share
of it that is less than 60 seconds ago, as if its messages had come evenly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Engine, text

USAGE_LOCK = 0xF00A  # advisory, with the workspace's id
WORKSPACE = ""  # in place of a person: the sum of all

Whose = Literal["person", "workspace"]
What = Literal["messages", "tokens"]
Span = Literal["minute", "day"]


@dataclass(frozen=True)
class Limits:
    """How much may be asked and how many of a model's tokens used; 0 is no limit."""

    person_minute: int = 0
    person_day: int = 0
    workspace_minute: int = 0
    workspace_day: int = 0
    person_tokens: int = 0  # a day
    workspace_tokens: int = 0  # a day


@dataclass(frozen=True)
class Excess:
    """A limit that is reached, and after how many seconds it lets the next message through."""

    whose: Whose
    what: What
    span: Span
    limit: int
    seconds: float


@dataclass(frozen=True)
class Usage:
    """What was used until now, `second` seconds into this minute."""

    second: float
    this_minute: int = 0  # messages
    minute_before: int = 0
    day: int = 0
    tokens: int = 0  # in a day

    @property
    def minute(self) -> float:
        """Messages in the last 60 seconds, those of the minute before by their share."""
        return self.this_minute + self.minute_before * (1 - self.second / 60)

    def seconds_to_next(self, limit: int) -> float:
        """Return after how many seconds one more message keeps within `limit` a minute."""
        room = limit - 1  # for what counts already when the next one comes
        if self.this_minute <= room:
            freed = 60 * (1 - (room - self.this_minute) / max(self.minute_before, 1))
            return max(0.0, freed - self.second)
        return 60 - self.second + max(0.0, 60 * (1 - room / self.this_minute))


# Losing the last counts in a crash of the server is no harm; waiting for the disk would be one.
LOCK = """
SELECT set_config('synchronous_commit', 'off', true), pg_advisory_xact_lock(:lock, :slot)
"""

SPENT = """
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT u.user_id,
       extract(second FROM max(m.at))::float AS second,
       coalesce(sum(u.messages) FILTER (WHERE u.minute = date_trunc('minute', m.at)), 0)
           AS this_minute,
       coalesce(sum(u.messages) FILTER (
           WHERE u.minute = date_trunc('minute', m.at) - interval '1 minute'), 0)
           AS minute_before,
       sum(u.messages) AS day,
       sum(u.tokens) AS tokens
FROM moment m JOIN usage u ON u.minute > m.at - interval '1 day'
WHERE u.workspace_id = :workspace_id AND u.user_id IN (:user_id, '')
GROUP BY u.user_id
"""

COUNT = """
INSERT INTO usage (workspace_id, user_id, minute, messages, tokens)
SELECT :workspace_id, who, date_trunc('minute', clock_timestamp()), :messages, :tokens
FROM unnest(ARRAY[CAST(:user_id AS text), '']) AS who ORDER BY who
ON CONFLICT (workspace_id, user_id, minute) DO UPDATE
SET messages = usage.messages + excluded.messages, tokens = usage.tokens + excluded.tokens
"""


def count_message(
    engine: Engine, workspace_id: int, user_id: str, limits: Limits
) -> Excess | None:
    """Count a message if every limit lets it through; else return the one that holds longest.

    What is held back is not counted. Under the workspace's lock: however many processes ask at
    once, no more get through than may. Tokens are counted once they are used, so that answers
    under way may go beyond their limits.
    """
    with engine.begin() as connection:
        connection.execute(text(LOCK), {"lock": USAGE_LOCK, "slot": workspace_id % 2**31})
        whose = {"workspace_id": workspace_id, "user_id": user_id}
        spent = {
            row.user_id: Usage(
                row.second,
                int(row.this_minute),
                int(row.minute_before),
                int(row.day),
                int(row.tokens),
            )
            for row in connection.execute(text(SPENT), whose)
        }
        reached = [
            *_reached(connection, workspace_id, user_id, spent.get(user_id), limits),
            *_reached(connection, workspace_id, WORKSPACE, spent.get(WORKSPACE), limits),
        ]
        if not reached:
            connection.execute(text(COUNT), whose | {"messages": 1, "tokens": 0})
    return max(reached, key=lambda excess: excess.seconds, default=None)


def add_tokens(engine: Engine, workspace_id: int, user_id: str, tokens: int) -> None:
    """Add a model's tokens to what a person and their workspace used."""
    with engine.begin() as connection:
        connection.execute(
            text(COUNT),
            {
                "workspace_id": workspace_id,
                "user_id": user_id,
                "messages": 0,
                "tokens": tokens,
            },
        )


def _reached(
    connection: Connection, workspace_id: int, user_id: str, used: Usage | None, limits: Limits
) -> Iterator[Excess]:
    """Yield every limit that one more message of a person, or of all, would go beyond."""
    if used is None:
        return
    whose: Whose = "workspace" if user_id == WORKSPACE else "person"
    ours = user_id == WORKSPACE
    a_minute = limits.workspace_minute if ours else limits.person_minute
    a_day = limits.workspace_day if ours else limits.person_day
    tokens = limits.workspace_tokens if ours else limits.person_tokens
    if a_minute and used.minute + 1 > a_minute:
        yield Excess(whose, "messages", "minute", a_minute, used.seconds_to_next(a_minute))
    if a_day and used.day >= a_day:
        wait = _until_passed(connection, workspace_id, user_id, "messages", a_day)
        yield Excess(whose, "messages", "day", a_day, wait)
    if tokens and used.tokens >= tokens:
        wait = _until_passed(connection, workspace_id, user_id, "tokens", tokens)
        yield Excess(whose, "tokens", "day", tokens, wait)


def _until_passed(
    connection: Connection, workspace_id: int, user_id: str, what: What, limit: int
) -> float:
    """Return after how many seconds less than `limit` was used within a day."""
    seconds = connection.execute(
        text(
            "SELECT extract(epoch FROM max(minute) + interval '1 day' - clock_timestamp())"
            f" FROM (SELECT minute, sum({what}) OVER (ORDER BY minute DESC) AS reached"
            " FROM usage WHERE workspace_id = :workspace_id AND user_id = :user_id"
            " AND minute > clock_timestamp() - interval '1 day') AS newest_first"
            " WHERE reached >= :limit"
        ),
        {"workspace_id": workspace_id, "user_id": user_id, "limit": limit},
    ).scalar_one()
    return max(0.0, float(seconds or 0.0))
