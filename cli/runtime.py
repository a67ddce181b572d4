"""What commands share: the database (embedded or given), the workspace, the embedder."""

import getpass
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import click
import psutil
from sqlalchemy import Engine

from core.errors import ConfigurationError
from core.settings import Settings, settings
from store.embedded import EmbeddedPostgres
from store.engine import connect
from store.schema import migrate
from store.workspaces import LOCAL_WORKSPACE, ensure_workspace, find_workspace, team_keys

if TYPE_CHECKING:
    from retrieval.embeddings import Embedder, Embedders

PARENT_VARIABLE = "FOOTNOTE_PARENT"  # the process id of the `up` that started this one
PARENT_CHECK = 1.0  # seconds


@dataclass
class Runtime:
    """The parts a command works with; what it does not touch is not loaded."""

    settings: Settings
    engine: Engine

    @cached_property
    def workspace_id(self) -> int:
        """The workspace that commands and the page act on.

        Raises ConfigurationError where FOOTNOTE_WORKSPACE names none.
        """
        return named_workspace(self.engine, self.settings.workspace)

    @cached_property
    def embedder(self) -> "Embedder":
        """The configured embedder, loaded at first use."""
        from retrieval.embeddings import open_embedder  # noqa: PLC0415 - half of a start's time

        return open_embedder(self.settings, threads=threads())

    @cached_property
    def embedders(self) -> "Embedders":
        """The embedders of all models, for documents that are embedded with another."""
        from retrieval.embeddings import Embedders  # noqa: PLC0415 - the same

        return Embedders(self.settings, self.embedder, threads=threads())


def named_workspace(engine: Engine, key: str) -> int:
    """Return the id of the workspace with a key; the local one is made at first use.

    Raises ConfigurationError with the keys that there are.
    """
    if key == LOCAL_WORKSPACE:
        return ensure_workspace(engine)
    found = find_workspace(engine, key)
    if found is None:
        known = ", ".join(sorted({LOCAL_WORKSPACE, *team_keys(engine)}))
        raise ConfigurationError(
            f"FOOTNOTE_WORKSPACE names {key}, which is no workspace here; there are: {known}."
        )
    return found


def threads() -> int:
    """Return how many threads embed for a command that somebody waits for."""
    return min(2, os.cpu_count() or 1)


@contextmanager
def database_url(config: Settings) -> Iterator[str]:
    """Give the database's address, starting the embedded server where none is configured."""
    if config.database_url is not None:
        yield config.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(config.home)
    try:
        yield server.start()
    finally:
        server.release()


@contextmanager
def open_runtime() -> Iterator[Runtime]:
    """Open the migrated database for a command and close it after."""
    config = settings()
    with database_url(config) as url:
        engine = connect(url)
        try:
            migrate(engine)
            yield Runtime(config, engine)
        finally:
            engine.dispose()


def actor() -> str:
    """Return who acts at this terminal, as the audit log names them."""
    try:
        return f"terminal ({getpass.getuser()})"
    except (OSError, KeyError):  # an account without a name, as in some containers
        return "terminal"


def end_with_parent() -> None:
    """End this process when the `up` that started it is gone, even if that was killed."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is None:
        return
    pid, _, started = parent.partition(":")

    def watch() -> None:
        while _is_alive(int(pid), float(started)):
            time.sleep(PARENT_CHECK)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def parent_value() -> str:
    """Return what `PARENT_VARIABLE` holds for children of this process: pid and start."""
    return f"{os.getpid()}:{psutil.Process().create_time()}"


def _is_alive(pid: int, started: float) -> bool:
    try:
        return bool(abs(psutil.Process(pid).create_time() - started) < 1)
    except psutil.NoSuchProcess:
        return False


class Moment(click.ParamType[datetime]):
    """A date or a date with time, ISO 8601; without a zone it is UTC.

    A date without a time is the end of that day, or its start where `day_ends` is false.
    """

    name = "date"

    def __init__(self, *, day_ends: bool = True) -> None:
        self._day_ends = day_ends

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware datetime."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2025-06-01.", param, ctx)
        if self._day_ends and len(str(value)) <= len("2025-06-01"):
            moment = moment.replace(hour=23, minute=59, second=59)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
