"""Schedules: what is to be done again and again, and which tick of it became which job.

Any number of schedulers may run: each tick becomes one job, held by the row's lock while it is
made and by the key of `ticks` for ever after.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.jobs import submit

BATCH = 100  # schedules a transaction
TICKS_KEPT = "7 days"


@dataclass(frozen=True)
class Schedule:
    """A job to submit every so many seconds; `key` is the job's."""

    id: int
    workspace_id: int
    kind: str
    key: str
    payload: dict[str, Any]
    every: int
    next_at: datetime
    enabled: bool


COLUMNS = "id, workspace_id, kind, key, payload, every, next_at, enabled"


def set_schedule(
    connection: Connection,
    workspace_id: int,
    kind: str,
    key: str,
    every: int,
    payload: dict[str, Any],
) -> None:
    """Insert a schedule, due at once, or change how often a known one is due."""
    connection.execute(
        text(
            "INSERT INTO schedules (workspace_id, kind, key, payload, every)"
            " VALUES (:workspace_id, :kind, :key, CAST(:payload AS jsonb), :every)"
            " ON CONFLICT (workspace_id, kind, key) DO UPDATE"
            " SET every = excluded.every, payload = excluded.payload, enabled = true,"
            " next_at = least(schedules.next_at, now() + make_interval(secs => :every))"
        ),
        {
            "workspace_id": workspace_id,
            "kind": kind,
            "key": key,
            "payload": json.dumps(payload),
            "every": every,
        },
    )


def enable_schedule(
    connection: Connection, workspace_id: int, kind: str, key: str, *, enabled: bool
) -> None:
    """Let a schedule rest, or go on; one that rested is due at once."""
    connection.execute(
        text(
            "UPDATE schedules SET enabled = :enabled, next_at = CASE WHEN :enabled"
            " AND NOT enabled THEN now() ELSE next_at END"
            " WHERE workspace_id = :workspace_id AND kind = :kind AND key = :key"
        ),
        {"workspace_id": workspace_id, "kind": kind, "key": key, "enabled": enabled},
    )


def remove_schedule(connection: Connection, workspace_id: int, kind: str, key: str) -> None:
    """Forget a schedule and its ticks."""
    connection.execute(
        text(
            "DELETE FROM schedules"
            " WHERE workspace_id = :workspace_id AND kind = :kind AND key = :key"
        ),
        {"workspace_id": workspace_id, "kind": kind, "key": key},
    )


def list_schedules(engine: Engine, workspace_id: int) -> list[Schedule]:
    """Return a workspace's schedules, the next one due first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM schedules WHERE workspace_id = :workspace_id"
                " ORDER BY next_at, id"
            ),
            {"workspace_id": workspace_id},
        )
        return [Schedule(**row._mapping) for row in rows]


def tick(engine: Engine) -> int:
    """Submit a job for every schedule that is due and return how many ticks were made.

    Ticks that were missed while nobody looked are made up for by one. A tick whose job's
    forerunner is still at work becomes that very job.
    """
    with engine.begin() as connection:
        due = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM schedules WHERE enabled AND next_at <= now()"
                " ORDER BY next_at LIMIT :batch FOR UPDATE SKIP LOCKED"
            ),
            {"batch": BATCH},
        ).all()
        made = sum(_make(connection, Schedule(**row._mapping)) for row in due)
        if made:
            connection.execute(
                text(f"DELETE FROM ticks WHERE created_at < now() - interval '{TICKS_KEPT}'")
            )
        return made


def _make(connection: Connection, schedule: Schedule) -> bool:
    """Make one tick, once; move the schedule to its next one after now."""
    new = connection.execute(
        text(
            "INSERT INTO ticks (schedule_id, tick) VALUES (:id, :tick)"
            " ON CONFLICT DO NOTHING RETURNING tick"
        ),
        {"id": schedule.id, "tick": schedule.next_at},
    ).one_or_none()
    if new is not None:
        job_id = submit(
            connection, schedule.workspace_id, schedule.kind, schedule.key, schedule.payload
        )
        connection.execute(
            text("UPDATE ticks SET job_id = :job_id WHERE schedule_id = :id AND tick = :tick"),
            {"id": schedule.id, "tick": schedule.next_at, "job_id": job_id},
        )
    connection.execute(
        text(
            "UPDATE schedules SET next_at = next_at + make_interval(secs => every *"
            " (floor(extract(epoch FROM now() - next_at) / every) + 1)) WHERE id = :id"
        ),
        {"id": schedule.id},
    )
    return new is not None


def seconds_to_next(engine: Engine, at_most: float) -> float:
    """Return how long until the next schedule is due, between 0 and `at_most`."""
    with engine.connect() as connection:
        seconds = connection.execute(
            text("SELECT extract(epoch FROM min(next_at) - now()) FROM schedules WHERE enabled")
        ).scalar_one()
    return at_most if seconds is None else min(at_most, max(0.0, float(seconds)))
