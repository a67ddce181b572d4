"""`footnote beat`: Celery's scheduler, with its schedule in Postgres."""

import os
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
from store.schedules import seconds_to_next, tick

log = logger(__name__)

MAX_WAIT = 2.0  # seconds between looks: a schedule that was changed meanwhile counts that soon
FORGET_EVERY = 3_600  # seconds between two looks for messages that are too old to be kept
RETRY_AFTER = 2.0  # seconds after the database failed


class PostgresScheduler(Scheduler):  # type: ignore[misc]
    """Makes the ticks that are due in Postgres; any number of schedulers make each once.

    A tick is a job with its row of the outbox, which a worker's relay sends.
    """

    def __init__(self, engine: Engine, *arguments: Any, **options: Any) -> None:
        self._engine = engine
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """Do nothing: the schedule is in Postgres."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Make what is due and return the seconds until the next look."""
        try:
            while tick(self._engine):
                pass
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
        schedule_forgetting(runtime.engine, runtime.workspace_id, FORGET_EVERY)
    end_with_parent()
    with open_runtime() as runtime:
        scheduler = PostgresScheduler(runtime.engine, app=celery)
        service = Service(celery, scheduler_cls=lambda **_: scheduler)
        if ready_file is not None:
            ready_file.write_text(str(os.getpid()))
        try:
            service.start()
        finally:
            service.stop()
