"""A local Slack and the bot in it; an installation whose commands tests run as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.settings import ROOT
from store.engine import connect
from tests.acceptance.processes import Finished, Footnote, installation
from tests.acceptance.slack_face import Answerer, KeptMembers, declared, running
from tests.fakes.slack import SlackServer


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A workspace in which the app is installed as its manifest says."""
    manifest = declared()
    with SlackServer(
        events=manifest["settings"]["event_subscriptions"]["bot_events"],
        scopes=manifest["oauth_config"]["scopes"]["bot"],
        retry_delays=(0.0, 0.1, 0.1),
    ) as server:
        yield server


@pytest.fixture
def answerer() -> Answerer:
    """What the bot asks; a test may change its script."""
    return Answerer()


@pytest.fixture
def members() -> KeptMembers:
    """What the bot keeps about people."""
    return KeptMembers()


@pytest.fixture
def bot(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, members: KeptMembers
) -> Iterator[None]:
    """The running bot."""
    with running(slack, bot_engine, answerer, members):
        yield


@pytest.fixture
def bot_engine(database_url: str) -> Iterator[Engine]:
    """An engine as the bot has it, on a database of the test's own."""
    made = connect(database_url, pool_size=16)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def installed(embedder_cache: Path, processes_database_url: str) -> Iterator[Footnote]:
    """An installation on a database server, without a running `up`."""
    with installation(embedder_cache, DATABASE_URL=processes_database_url) as made:
        yield made


@pytest.fixture(scope="session")
def first_ingestion(installed: Footnote) -> Finished:
    """What the first ingestion of the sample policies told."""
    return installed.run("ingest", ROOT / "samples" / "policies")


@pytest.fixture(scope="session")
def library(installed: Footnote, first_ingestion: Finished) -> Footnote:
    """The installation with the sample policies in it."""
    assert first_ingestion.code == 0, first_ingestion.told
    return installed
