"""Killed workers, a flushed Redis, a crashed database, racing schedulers: nothing is half."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.broker import EmbeddedRedis, find_redis_server
from tests.acceptance.processes import Footnote, installation
from tests.conftest import SERVER_VARIABLE
from tests.integration.campaigns import (
    GRACE,
    LEASE,
    Site,
    crash_postgres,
    flush_redis,
    kill_workers,
    race_schedulers,
    reupload_under_readers,
    site,
)

SEED = 20_261_121
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
COUNTS = {  # of each campaign: in the suite, in a soak
    "kills": (2, 20),
    "queued": (10, 100),
    "uploads": (6, 100),
    "crashed": (4, 40),
    "ticks": (3, 10),
}


@pytest.fixture
def footnote(embedder_cache: Path, database_url: str) -> Iterator[Footnote]:
    """An installation on this test's database."""
    with installation(embedder_cache, DATABASE_URL=database_url) as made:
        yield made


@pytest.fixture
def on_postgres(footnote: Footnote, engine: Engine) -> Iterator[Site]:
    """A site whose broker is Postgres."""
    with site(footnote, engine, {"FOOTNOTE_BROKER": "postgres"}) as made:
        yield made


@pytest.fixture
def redis_url(footnote: Footnote) -> Iterator[str]:
    """A Redis of this test's own."""
    with EmbeddedRedis(footnote.home) as server:
        yield server.start()


@pytest.fixture
def on_redis(footnote: Footnote, engine: Engine, redis_url: str) -> Iterator[Site]:
    """A site whose broker is Redis."""
    with site(footnote, engine, {"REDIS_URL": redis_url}) as made:
        yield made


def sized(campaign: str) -> pytest.MarkDecorator:
    """Run a campaign in its short form in the suite, and whole in a soak."""
    short, full = COUNTS[campaign]
    soak = pytest.param(full, id="full", marks=[pytest.mark.soak, pytest.mark.timeout(3600)])
    return pytest.mark.parametrize("count", [pytest.param(short, id="short"), soak])


@sized("kills")
def test_a_worker_killed_anywhere_leaves_nothing_half(on_postgres: Site, count: int) -> None:
    """Readers see whole versions all along; each job is done within its lease and ten seconds."""
    waits = kill_workers(on_postgres, count, SEED)
    assert max(waits) < LEASE + GRACE


@pytest.mark.redis
@pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server")
@sized("queued")
def test_a_flushed_redis_loses_no_job(on_redis: Site, redis_url: str, count: int) -> None:
    """What Redis forgot is announced again; every job is done once."""
    flush_redis(on_redis, count, redis_url)


@sized("uploads")
def test_readers_see_one_revision_at_a_time(on_postgres: Site, count: int) -> None:
    """While a document is sent again and again, nobody reads a mixture or goes back in time."""
    readers = 20 if count > 10 else 4
    assert reupload_under_readers(on_postgres, count, readers) > count


@pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="crashes the server")
@sized("crashed")
def test_a_crashed_database_loses_no_job(on_postgres: Site, count: int) -> None:
    """Workers wait for the server and go on; what was published stays."""
    crash_postgres(on_postgres, count)


@sized("ticks")
def test_racing_schedulers_make_each_tick_once(on_postgres: Site, count: int) -> None:
    """Two real schedulers on one database submit no tick twice."""
    assert race_schedulers(on_postgres, count) >= count
