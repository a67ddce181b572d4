"""`footnote beat`: Celery's scheduler, with its schedule in Postgres."""

import os
import time
from pathlib import Path
from typing import Any

import click
from celery.beat import Scheduler, Service
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cli.runtime import end_with_parent, open_runtime
from core.errors import ConfigurationError
from core.logs import logger
from core.settings import settings
from core.tasks import celery
from store.privacy import schedule_forgetting
from store.rechecks import submit_due_rechecks
from store.schedules import seconds_to_next, tick

log = logger(__name__)

MAX_WAIT = 2.0  # seconds between looks: a schedule that was changed meanwhile counts that soon
RETRY_AFTER = 2.0  # seconds after the database failed
FORGET_EVERY = 3_600  # seconds between two looks for messages that are too old to be kept
RECHECK_EVERY = 60.0  # seconds between looks for answers whose documents a date has changed


class PostgresScheduler(Scheduler):  # type: ignore[misc]
    """Makes the ticks that are due in Postgres; any number of schedulers make each once.

    A tick is a job with its row of the outbox, which a worker's relay sends. Answers are looked
    through as well: a version begins or ends without anybody doing anything.
    """

    def __init__(self, engine: Engine, *arguments: Any, **options: Any) -> None:
        self._engine = engine
        self._rechecked_at = float("-inf")
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """Do nothing: the schedule is in Postgres."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Make what is due and return the seconds until the next look."""
        try:
            while tick(self._engine):
                pass
            if time.monotonic() >= self._rechecked_at + RECHECK_EVERY:
                submit_due_rechecks(self._engine)
                self._rechecked_at = time.monotonic()
            return seconds_to_next(self._engine, MAX_WAIT)
        except DBAPIError as error:
            log.warning("scheduler waits", error=type(error).__name__)
            return RETRY_AFTER


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once it runs.")
def beat(ready_file: Path | None) -> None:
    """Submit what is due by the schedules in the database, until stopped."""
    if settings().database_url is None:
        raise ConfigurationError("A scheduler needs DATABASE_URL; python3 run.py up sets it.")
    end_with_parent()
    with open_runtime() as runtime:
        schedule_forgetting(runtime.engine, runtime.workspace_id, FORGET_EVERY)
        scheduler = PostgresScheduler(runtime.engine, app=celery)
        service = Service(celery, scheduler_cls=lambda **_: scheduler)
        if ready_file is not None:
            ready_file.write_text(str(os.getpid()))
        try:
            service.start()
        finally:
            service.stop()
