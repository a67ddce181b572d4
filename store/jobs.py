"""Jobs: rows with leases. Postgres holds the truth; a broker only wakes workers.

A job is submitted with its outbox row in one transaction, claimed under a lease, and ended by
its owner. The sweeper gives back what a killed process held and wakes workers again for what a
flushed broker forgot.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from store.outbox import enqueue

MAX_ATTEMPTS = 3
STALE_AFTER = 30.0  # seconds a queued job waits before it is announced again
ANNOUNCED = 100  # jobs a sweep: a queue that is merely long gets few messages twice

JobState = Literal["queued", "running", "succeeded", "failed"]


@dataclass(frozen=True)
class Job:
    """A row of work; `error` is the sentence a person reads when it failed.

    `done` of `total` steps are behind it; a total of 0 is one that is not known yet.
    """

    id: int
    workspace_id: int
    kind: str
    key: str
    payload: dict[str, Any]
    state: JobState
    attempts: int
    result: dict[str, Any] | None
    error: str | None
    created_at: datetime
    upload_id: str | None = None
    done: int = 0
    total: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("succeeded", "failed")


COLUMNS = (
    "id, workspace_id, kind, key, payload, state, attempts, result, error, created_at, upload_id,"
    " done, total"
)


def submit(
    connection: Connection,
    workspace_id: int,
    kind: str,
    key: str,
    payload: dict[str, Any],
    *,
    upload_id: str | None = None,
) -> int:
    """Insert a job and announce it, or return the live job with the same kind and key.

    The Celery task that runs it is named after the kind and gets the job's id.
    """
    named = {"workspace_id": workspace_id, "kind": kind, "key": key}
    new = named | {"payload": json.dumps(payload), "upload_id": upload_id}
    while True:  # the live job may end between the two statements: then there is room again
        made = connection.execute(
            text(
                "INSERT INTO jobs (workspace_id, kind, key, payload, upload_id)"
                " VALUES (:workspace_id, :kind, :key, CAST(:payload AS jsonb), :upload_id)"
                " ON CONFLICT (workspace_id, kind, key) WHERE state IN ('queued', 'running')"
                " DO NOTHING RETURNING id"
            ),
            new,
        ).scalar_one_or_none()
        if made is not None:
            enqueue(connection, kind, {"job_id": made})
            return int(made)
        live = connection.execute(
            text(
                "SELECT id FROM jobs WHERE workspace_id = :workspace_id AND kind = :kind"
                " AND key = :key AND state IN ('queued', 'running')"
            ),
            named,
        ).scalar_one_or_none()
        if live is not None:
            return int(live)


def claim(engine: Engine, job_id: int, owner: str, lease: float) -> Job | None:
    """Take a job for `lease` seconds and count the attempt; None if it is done or held."""
    statement = text(
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_owner = :owner,"
        " lease_until = now() + make_interval(secs => :lease), updated_at = now()"
        " WHERE id = :id AND (state = 'queued' OR (state = 'running' AND lease_until < now()))"
        f" AND attempts < {MAX_ATTEMPTS} RETURNING {COLUMNS}"
    )
    with engine.begin() as connection:
        row = connection.execute(
            statement, {"id": job_id, "owner": owner, "lease": lease}
        ).one_or_none()
    return Job(**row._mapping) if row else None


def extend(engine: Engine, job_id: int, owner: str, lease: float) -> bool:
    """Hold a job for `lease` seconds from now; False if it is no longer this owner's."""
    with engine.begin() as connection:
        extended = connection.execute(
            text(
                "UPDATE jobs SET lease_until = now() + make_interval(secs => :lease),"
                " updated_at = now() WHERE id = :id AND state = 'running'"
                " AND lease_owner = :owner"
            ),
            {"id": job_id, "owner": owner, "lease": lease},
        )
        return extended.rowcount == 1


def report_progress(
    engine: Engine, job_id: int, owner: str, done: int, total: int, *, anew: bool = False
) -> bool:
    """Write down how far a job is that this owner holds; False if it no longer holds it.

    `anew` counts its attempts from the first again: long work that got further than the attempt
    before it is not failed for how often its process was ended.
    """
    with engine.begin() as connection:
        written = connection.execute(
            text(
                "UPDATE jobs SET done = :done, total = :total, updated_at = now(),"
                " attempts = CASE WHEN :anew THEN 1 ELSE attempts END"
                " WHERE id = :id AND state = 'running' AND lease_owner = :owner"
            ),
            {"id": job_id, "owner": owner, "done": done, "total": total, "anew": anew},
        )
        return written.rowcount == 1


def pause(engine: Engine, job_id: int, owner: str) -> bool:
    """Give a job back for another turn: long work goes on in steps that others may do.

    An orderly pause starts the count of attempts anew. False if this owner no longer holds it.
    """
    with engine.begin() as connection:
        row = connection.execute(
            text(
                "UPDATE jobs SET state = 'queued', attempts = 0, lease_owner = NULL,"
                " lease_until = NULL, updated_at = now()"
                " WHERE id = :id AND state = 'running' AND lease_owner = :owner RETURNING kind"
            ),
            {"id": job_id, "owner": owner},
        ).one_or_none()
        if row is not None:
            enqueue(connection, row.kind, {"job_id": job_id})
        return row is not None


def jobs_of_upload(engine: Engine, upload_id: str) -> list[Job]:
    """Return the jobs that an upload became, in its order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT {COLUMNS} FROM jobs WHERE upload_id = :id ORDER BY id"),
            {"id": upload_id},
        )
        return [Job(**row._mapping) for row in rows]


def succeed(engine: Engine, job_id: int, owner: str, result: dict[str, Any]) -> bool:
    """End a job this owner holds; False if its lease went to another meanwhile."""
    return _end(engine, job_id, owner, "succeeded", result=result)


def fail(engine: Engine, job_id: int, owner: str, error: str) -> bool:
    """End a job this owner holds with the sentence that says why it failed."""
    return _end(engine, job_id, owner, "failed", error=error)


def _end(
    engine: Engine,
    job_id: int,
    owner: str,
    state: JobState,
    *,
    result: dict[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    statement = text(
        "UPDATE jobs SET state = :state, result = CAST(:result AS jsonb), error = :error,"
        " lease_owner = NULL, lease_until = NULL, updated_at = now()"
        " WHERE id = :id AND state = 'running' AND lease_owner = :owner"
    )
    with engine.begin() as connection:
        ended = connection.execute(
            statement,
            {
                "id": job_id,
                "owner": owner,
                "state": state,
                "result": None if result is None else json.dumps(result),
                "error": error,
            },
        )
        return ended.rowcount == 1


def cancel_jobs(engine: Engine, workspace_id: int, kind: str, reason: str) -> int:
    """End all live jobs of a kind; whoever runs one finds that it no longer holds it."""
    with engine.begin() as connection:
        ended = connection.execute(
            text(
                "UPDATE jobs SET state = 'failed', error = :reason, lease_owner = NULL,"
                " lease_until = NULL, updated_at = now() WHERE workspace_id = :workspace_id"
                " AND kind = :kind AND state IN ('queued', 'running')"
            ),
            {"workspace_id": workspace_id, "kind": kind, "reason": reason},
        )
        return ended.rowcount


def find_job(engine: Engine, job_id: int) -> Job | None:
    """Return a job by its id."""
    with engine.connect() as connection:
        row = connection.execute(
            text(f"SELECT {COLUMNS} FROM jobs WHERE id = :id"),
            {"id": job_id},
        ).one_or_none()
    return Job(**row._mapping) if row else None


def latest_job(engine: Engine, workspace_id: int, kind: str, key: str) -> Job | None:
    """Return the newest job of a kind and key, None where there was none."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM jobs WHERE workspace_id = :workspace_id AND kind = :kind"
                " AND key = :key ORDER BY id DESC LIMIT 1"
            ),
            {"workspace_id": workspace_id, "kind": kind, "key": key},
        ).one_or_none()
    return Job(**row._mapping) if row else None


def sweep(engine: Engine, stale_after: float = STALE_AFTER) -> int:
    """Give back jobs whose lease ran out and announce forgotten ones; return how many.

    A job that took its owner down three times is failed. One that has been queued for
    `stale_after` seconds may be unknown to the broker, so it is announced again.
    """
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE jobs SET state = 'failed', lease_owner = NULL, lease_until = NULL,"
                " error = 'The process that ran this was ended three times.',"
                " updated_at = now() WHERE state = 'running' AND lease_until < now()"
                " AND attempts >= :attempts"
            ),
            {"attempts": MAX_ATTEMPTS},
        )
        rows = connection.execute(
            text(
                "UPDATE jobs SET state = 'queued', lease_owner = NULL, lease_until = NULL,"
                " updated_at = now() WHERE id IN (SELECT id FROM jobs"
                "   WHERE (state = 'running' AND lease_until < now())"
                "      OR (state = 'queued'"
                "          AND updated_at < now() - make_interval(secs => :stale))"
                "   ORDER BY id LIMIT :announced FOR UPDATE SKIP LOCKED) RETURNING id, kind"
            ),
            {"stale": stale_after, "announced": ANNOUNCED},
        ).all()
        for row in rows:
            enqueue(connection, row.kind, {"job_id": row.id})
        return len(rows)
