"""A local Slack for each test, and a client of it."""

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from tests.fakes.slack import SlackServer
from tests.unit.fakes.asking import client_of


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A server whose streams live for half a second."""
    with SlackServer(stream_lifetime=0.5) as server:
        yield server


@pytest.fixture
def client(slack: SlackServer) -> WebClient:
    """The app's client; it retries nothing by itself."""
    return client_of(slack)
