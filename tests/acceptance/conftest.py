"""A local Slack and the bot in it, for the acceptance tests of the Slack face."""

from collections.abc import Iterator

import pytest

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
def bot(slack: SlackServer, answerer: Answerer, members: KeptMembers) -> Iterator[None]:
    """The running bot."""
    with running(slack, answerer, members):
        yield
