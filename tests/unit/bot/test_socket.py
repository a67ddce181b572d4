"""Connections that fall silent, and a Slack that is away for a while."""

import select
import socket
import threading
from types import SimpleNamespace
from typing import cast

import pytest
from slack_sdk.socket_mode.websocket_client import SocketModeClient

from bot.socket import SILENCE, keep_alive, patiently
from core.errors import ConfigurationError, ServiceUnavailableError


class Client:
    """A client with one real connection and the times of its last ping and pong."""

    def __init__(self, pinged: float, ponged: float, end: socket.socket) -> None:
        self.current_session = SimpleNamespace(
            last_ping_tm=pinged, last_pong_tm=ponged, sock=SimpleNamespace(sock=end)
        )


class Looks(threading.Event):
    """A wait for the end that lasts a number of looks at the connection, and no time."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once, and True when all looks are done."""
        self._left -= 1
        return self._left < 0


@pytest.mark.parametrize(
    ("pinged", "ponged", "ended"),
    [
        pytest.param(1_000.0, 1_000.1, False, id="answered"),
        pytest.param(1_010.0, 1_000.1, False, id="answer under way"),
        pytest.param(1_000.0 + SILENCE + 1, 1_000.0, True, id="silent"),
        pytest.param(1_000.0, 0.0, False, id="new"),
    ],
)
def test_a_silent_connection_is_ended(pinged: float, ponged: float, ended: bool) -> None:
    """Pings without answers for long enough end the connection, nothing else does."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = cast(SocketModeClient, Client(pinged, ponged, ours))
        keep_alive(client, Looks(3))

        readable, _, _ = select.select([theirs], [], [], 0)
        assert bool(readable) is ended


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
