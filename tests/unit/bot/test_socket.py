"""Connections that fall silent, and a Slack that is away for a while."""

import threading
from types import SimpleNamespace
from typing import cast
from urllib.error import URLError

import pytest
from slack_sdk.socket_mode.websocket_client import SocketModeClient

from bot.socket import SILENCE, keep_alive, patiently
from core.errors import ConfigurationError, ServiceUnavailableError


class Client:
    """A connection with times of its last ping and pong; reconnecting is counted."""

    def __init__(self, pinged: float, ponged: float, *, failing: bool = False) -> None:
        self.current_session = SimpleNamespace(last_ping_tm=pinged, last_pong_tm=ponged)
        self.reconnected = 0
        self._failing = failing

    def connect_to_new_endpoint(self, *, force: bool) -> None:
        """Count, and fail if so made."""
        self.reconnected += force
        if self._failing:
            raise URLError("no network")


class Looks(threading.Event):
    """A wait for the end that lasts a number of looks at the connection, and no time."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once, and True when all looks are done."""
        self._left -= 1
        return self._left < 0


def look_at(client: Client, looks: int) -> None:
    """Let the connection be looked at some times."""
    keep_alive(cast(SocketModeClient, client), Looks(looks))


@pytest.mark.parametrize(
    ("pinged", "ponged", "replaced"),
    [
        pytest.param(1_000.0, 1_000.1, False, id="answered"),
        pytest.param(1_010.0, 1_000.1, False, id="answer under way"),
        pytest.param(1_000.0 + SILENCE + 1, 1_000.0, True, id="silent"),
        pytest.param(1_000.0, 0.0, False, id="new"),
    ],
)
def test_a_silent_connection_is_replaced(pinged: float, ponged: float, replaced: bool) -> None:
    """Pings without answers for long enough mean a new connection, nothing else does."""
    client = Client(pinged, ponged)
    look_at(client, 1)

    assert client.reconnected == replaced


def test_a_new_connection_is_tried_until_there_is_one() -> None:
    """Where the network is still away, the next look tries again."""
    client = Client(1_100.0, 1_000.0, failing=True)
    look_at(client, 3)

    assert client.reconnected == 3


def test_an_unavailable_slack_is_asked_again_and_a_refusal_is_not() -> None:
    """Waiting helps against an outage, not against a wrong token."""
    outages = [ServiceUnavailableError("later")]

    def call() -> str:
        if outages:
            raise outages.pop()
        return "here"

    def refuse() -> str:
        raise ConfigurationError("wrong token")

    assert patiently(call, threading.Event()) == "here"
    with pytest.raises(ConfigurationError):
        patiently(refuse, threading.Event())


def test_waiting_for_slack_ends_when_told_to_stop() -> None:
    """Ctrl-C does not wait for a connection."""
    stop = threading.Event()

    def unavailable() -> str:
        stop.set()
        raise ServiceUnavailableError("later")

    assert patiently(unavailable, stop) is None
