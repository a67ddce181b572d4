"""Slack over Socket Mode: connect, and answer until told to stop."""

import logging
import threading
from collections.abc import Callable
from socket import SHUT_RDWR
from typing import TypeVar

from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_sdk.socket_mode.websocket_client import SocketModeClient
from sqlalchemy import Engine

from bot.app import authorisation, build_app
from bot.bell import Bells
from bot.client import (
    APP_REFUSED,
    SLACK_FAILURES,
    Identity,
    identify,
    refusal,
    tokens,
    web_client,
)
from bot.people import Members
from bot.serving import Service, open_workspace
from bot.workers import ANSWER_DEADLINE
from bot.workspaces import Answerer, OneWorkspace
from core.errors import ServiceUnavailableError
from core.logs import logger
from core.settings import Settings

FIRST_PAUSE = 1.0  # seconds before trying again to reach Slack, doubled each time
LONGEST_PAUSE = 30.0  # seconds
CLOSING = 2.0  # seconds that the end of a connection may take
OPENING = 5.0  # seconds that a connection may take to open
PULSE = 5.0  # seconds between looks at the connection, on which a ping goes out every ten
SILENCE = 25.0  # seconds without the answer to a ping after which a connection counts as dead

Result = TypeVar("Result")

log = logger(__name__)


def run_socket_mode(
    settings: Settings,
    engine: Engine,
    workspace_id: int,
    answerer: Answerer,
    members: Members,
    stop: threading.Event,
    *,
    connected: Callable[[Identity], None] | None = None,
    deadline: float = ANSWER_DEADLINE,
) -> None:
    """Answer in Slack until `stop` is set; `connected` is told once, when events can come.

    Lost connections are made again for as long as it runs, and an unreachable Slack is waited
    for. Raises ConfigurationError where a token is refused.
    """
    _, app_token = tokens(settings)
    client = web_client(settings)
    identity = patiently(lambda: identify(client), stop)
    if identity is None:
        return
    bells = Bells()
    workspace, close = open_workspace(
        settings, engine, workspace_id, client, identity, answerer, members, bells.ring
    )
    service = Service(settings, engine, OneWorkspace(workspace), bells, deadline=deadline)
    known = authorisation(client, identity)
    app = build_app(client, service.acceptor, service.pool, lambda: known)
    handler = SocketModeHandler(app, app_token, web_client=client)
    logging.getLogger("websocket").setLevel(logging.CRITICAL)  # the handler logs the same
    opened = threading.Event()
    handler.client.on_open_listeners.append(lambda _: opened.set())
    try:
        with service:
            try:
                if patiently(lambda: _connect(handler.client, opened), stop):
                    log.info("connected to Slack", bot=identity.name, team=identity.team)
                    if connected is not None:
                        connected(identity)
                    keep_alive(handler.client, stop)
            finally:
                hang_up(handler.client)
    finally:
        close()


def patiently(call: Callable[[], Result], stop: threading.Event) -> Result | None:
    """Call again and again while Slack is unavailable; None where `stop` came first."""
    pause = FIRST_PAUSE
    while not stop.is_set():
        try:
            return call()
        except ServiceUnavailableError as error:
            log.warning("Slack unavailable", reason=str(error), again_in=pause)
            stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    return None


def keep_alive(client: SocketModeClient, stop: threading.Event, pulse: float = PULSE) -> None:
    """Wait for `stop`, and end connections whose other end has gone without a word.

    The client makes a new connection when one ends, but does not notice those that fall silent,
    as they do when a machine sleeps or a router forgets them.
    """
    while not stop.wait(pulse):
        session = client.current_session
        if session is None or not session.last_pong_tm:
            continue
        if session.last_ping_tm - session.last_pong_tm > SILENCE and end_connection(client):
            log.warning("connection to Slack fell silent")


def hang_up(client: SocketModeClient) -> None:
    """Close the connection for good, at once.

    Left to itself the client would go on waiting for something to read, for up to ten seconds,
    and complain about the end of the connection; so it is ended first and then closed.
    """
    client.auto_reconnect_enabled = False
    client.logger.setLevel(logging.CRITICAL)
    ended = threading.Event()
    client.on_close_listeners.append(lambda _: ended.set())
    if end_connection(client):
        ended.wait(CLOSING)
    client.closed = True
    client.message_queue.put(None)  # wakes the thread that would wait a second for a message
    client.close()


def end_connection(client: SocketModeClient) -> bool:
    """Shut the present connection down under the client; return whether there was one."""
    websocket = client.current_session and client.current_session.sock
    if not websocket or not websocket.sock:
        return False
    try:
        websocket.sock.shutdown(SHUT_RDWR)
    except OSError:
        return False  # it had ended already
    return True


def _connect(client: SocketModeClient, opened: threading.Event) -> bool:
    """Ask for an address once, and wait until a connection is open; the client tries by itself."""
    if client.current_session is None:
        # Started by `connect` its monitor would look before the connection is there, take it for
        # closed and replace it while another thread opens it: it starts after that instead.
        client.current_app_monitor_started = True
        try:
            client.connect()
        except SLACK_FAILURES as error:
            raise refusal(error, client.web_client.base_url, APP_REFUSED) from error
    is_open = opened.wait(OPENING)
    if not client.current_app_monitor.is_alive():
        client.current_app_monitor.start()
    if not is_open:
        raise ServiceUnavailableError("Slack opens no connection; check the network.")
    return True
