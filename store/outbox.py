"""The outbox: messages to the broker, written in the same transaction as what they announce."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, text

from store.engine import CONNECT_TIMEOUT

CHANNEL = "outbox"
BATCH = 100  # rows a transaction

QUEUES = {
    "ingest_file": "ingest",
    "sync_source": "default",
    "refresh_embeddings": "embed",
    "train_model": "train",
    # They take minutes of a model that may run on this machine, as training does.
    "gate_model": "train",
    "evaluate_models": "train",
}
"""The Celery queue of each task; what is not named goes to `default`."""


def enqueue(connection: Connection, task: str, arguments: dict[str, Any]) -> None:
    """Write a message for the task's queue; the relay sends it once the transaction commits."""
    connection.execute(
        text(
            "INSERT INTO outbox (task, arguments, queue)"
            " VALUES (:task, CAST(:arguments AS jsonb), :queue)"
        ),
        {
            "task": task,
            "arguments": json.dumps(arguments),
            "queue": QUEUES.get(task, "default"),
        },
    )
    connection.execute(text(f"NOTIFY {CHANNEL}"))


def relay(engine: Engine, send: Callable[[str, dict[str, Any], str], None]) -> int:
    """Send waiting messages as (task, arguments, queue) and delete them; return how many.

    Several relays may run: rows that one holds are skipped by the others. A message is sent at
    least once; tasks are idempotent by their job's row.
    """
    with engine.begin() as connection:
        rows = connection.execute(
            text(
                "SELECT id, task, arguments, queue FROM outbox ORDER BY id"
                " LIMIT :batch FOR UPDATE SKIP LOCKED"
            ),
            {"batch": BATCH},
        ).all()
        for row in rows:
            send(row.task, row.arguments, row.queue)
        connection.execute(
            text("DELETE FROM outbox WHERE id = ANY(:ids)"), {"ids": [row.id for row in rows]}
        )
    return len(rows)


def wait_for_messages(engine: Engine, timeout: float) -> None:
    """Return when something is enqueued, or after `timeout` seconds.

    Messages that another relay holds are not waited on. Raises ConnectionError where the
    database is away.
    """
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT) as connection:
            connection.execute(f"LISTEN {CHANNEL}")  # before looking, so that none slips through
            free = connection.execute("SELECT id FROM outbox LIMIT 1 FOR UPDATE SKIP LOCKED")
            if free.fetchone() is None:
                for _ in connection.notifies(timeout=timeout, stop_after=1):
                    return
    except psycopg.Error as error:
        raise ConnectionError("the database went away while its messages were awaited") from error
