"""`footnote worker`: the Celery worker, and beside it the relay and the sweeper."""

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cli.brokers import given_redis
from cli.runtime import end_with_parent, open_runtime
from core.errors import ConfigurationError
from core.logs import logger
from core.settings import settings
from core.tasks import QUEUE_NAMES, configure_broker
from store.jobs import STALE_AFTER, sweep
from store.outbox import relay, wait_for_messages
from store.runs import fail_abandoned

log = logger(__name__)

RELAY_WAIT = 5.0  # seconds between looks when nothing is announced
RETRY_AFTER = 2.0  # seconds after the database or the broker failed
LAST_WAIT = 30.0  # seconds that a task gets to end once the worker is told to
PUBLISH_RETRIES = {"max_retries": 3, "interval_start": 0.2, "interval_step": 0.5}
TASKS = {
    "ingest": ("ingestion.tasks",),
    "embed": ("ingestion.tasks",),
    "default": (
        "ingestion.tasks",
        "graph.tasks",
        "graph.forgetting",
        "finetune.tasks",
        "finetune.curation_tasks",
        "evaluation.tasks",
    ),
    "train": ("finetune.tasks", "evaluation.tasks"),
}
"""The modules whose tasks are on each queue: a worker for training alone loads little else."""


@click.command()
@click.option("--concurrency", default=1, show_default=True, help="Tasks at a time.")
@click.option("--queues", default="ingest,embed,default", show_default=True)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once it takes work.")
def worker(concurrency: int, queues: str, ready_file: Path | None) -> None:
    """Run tasks from the queues until stopped."""
    unknown = sorted(set(queues.split(",")) - set(QUEUE_NAMES))
    if unknown:
        raise click.BadParameter(f"no such queue: {', '.join(unknown)}", param_hint="--queues")
    if settings().database_url is None:
        raise ConfigurationError("A worker needs DATABASE_URL; python3 run.py up sets it.")
    end_with_parent()
    load_tasks(queues.split(","))
    with open_runtime() as runtime:
        url = runtime.engine.url.render_as_string(hide_password=False)
        app = configure_broker(given_redis(runtime.settings) or url)
        stop = threading.Event()
        thread = threading.Thread(
            target=announce,
            args=(runtime.engine, app, stop, runtime.settings.job_lease),
            name="relay",
            daemon=True,
        )
        thread.start()
        worker_shutting_down.connect(_end_at_last)
        if ready_file is not None:
            worker_ready.connect(lambda **_: ready_file.write_text(str(os.getpid())), weak=False)
        try:
            app.worker_main(_arguments(concurrency, queues))
        finally:
            stop.set()


def load_tasks(queues: Sequence[str]) -> None:
    """Import what registers the tasks of these queues with the app."""
    for module in dict.fromkeys(name for queue in queues for name in TASKS[queue]):
        importlib.import_module(module)


def _end_at_last(**_: object) -> None:
    """Let a shutdown have an end: Celery waits without one for a child that was killed.

    What is cut off keeps its lease and is done again by the next worker.
    """
    timer = threading.Timer(LAST_WAIT, os._exit, [1])
    timer.daemon = True
    timer.start()


def _arguments(concurrency: int, queues: str) -> list[str]:
    pool = "solo" if sys.platform == "win32" else "prefork"  # Celery has no prefork on Windows
    return [
        "worker",
        f"--pool={pool}",
        f"--concurrency={concurrency}",
        f"--queues={queues}",
        "--loglevel=WARNING",
        "--without-gossip",
        "--without-mingle",
    ]


def announce(
    engine: Engine, app: Celery, stop: threading.Event, lease: float = STALE_AFTER
) -> None:
    """Send what the outbox holds and give back what was left behind, until told to stop.

    What waits longer than a lease, in seconds, is announced again.
    """

    def send(task: str, arguments: dict[str, Any], queue: str) -> None:
        app.send_task(task, kwargs=arguments, queue=queue, retry_policy=PUBLISH_RETRIES)

    while not stop.is_set():
        try:
            sweep(engine, lease)
            fail_abandoned(engine)
            while relay(engine, send):
                pass
            wait_for_messages(engine, min(RELAY_WAIT, lease))
        except (DBAPIError, BrokerError, OSError) as error:
            log.warning("relay waits", error=type(error).__name__)
            stop.wait(RETRY_AFTER)
