"""Slack over HTTP: signed requests to one path, pages to install the app, and a health check.

Nothing is read of a request before its signature is checked: without one, with one that does not
fit its body, or with one older than five minutes, it is answered with 401 and that is all.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from socket import socket

from slack_bolt import App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.app import build_app
from bot.bell import Bells
from bot.client import Identity, client_of, identify
from bot.install_pages import HEADERS
from bot.installations import Installations, States
from bot.installed import InstalledWorkspaces
from bot.manifest import SCOPES
from bot.oauth import INSTALL_PATH, REDIRECT_PATH, Installing
from bot.people import Members, StoredMembers
from bot.seal import Seal
from bot.serving import Service, open_workspace
from bot.socket import patiently
from bot.workers import ANSWER_DEADLINE
from bot.workspaces import Answerer, OneWorkspace, Workspace, Workspaces
from core.listening import listen, quiet_server
from core.logs import logger
from core.settings import Settings

EVENTS_PATH = "/slack/events"  # commands and interactions come there too
HEALTH_PATH = "/health"
MOST_BYTES = 1_000_000  # of one request
MOST_AGE = 5 * 60  # seconds between a request's signature and now, either way
STARTING = 10.0  # seconds that the server may take to start
LOOK_EVERY = 0.05  # seconds
VERSION = "v0"
PORT_SETTING = "FOOTNOTE_SLACK_PORT"

log = logger(__name__)

UNSIGNED = JSONResponse({"error": "invalid signature"}, status_code=401)
UNREADABLE = JSONResponse({"error": "unreadable request"}, status_code=400)
TOO_LONG = JSONResponse({"error": "request too long"}, status_code=413)


def http_app(app: App, signing_secret: str, installing: Installing | None = None) -> Starlette:
    """Return what is served: Slack's requests to `app`, and the pages to install it."""
    routes = [
        Route(EVENTS_PATH, _events(app, signing_secret), methods=["POST"]),
        Route(HEALTH_PATH, _health, methods=["GET"]),
    ]
    if installing is not None:
        pages = {INSTALL_PATH: installing.handle_installation}
        pages[REDIRECT_PATH] = installing.handle_callback
        routes += [Route(path, _page(show), methods=["GET"]) for path, show in pages.items()]
    return Starlette(routes=routes)


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether Slack signed this very body within the last five minutes (`now`: Unix seconds)."""
    stamp = headers.get("x-slack-request-timestamp", "")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) < 16):
        return False
    if abs(now - int(stamp)) > MOST_AGE:
        return False
    words = b":".join((VERSION.encode(), stamp.encode(), body))
    expected = f"{VERSION}={hmac.new(secret.encode(), words, hashlib.sha256).hexdigest()}"
    given = headers.get("x-slack-signature", "")
    return hmac.compare_digest(expected.encode(), given.encode())


def _events(app: App, secret: str) -> Callable[[Request], object]:
    """Return the endpoint that Slack posts to."""

    async def take(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return TOO_LONG
        if not is_signed(secret, request.headers, body, time.time()):
            return UNSIGNED
        try:
            asked = BoltRequest(body=body.decode(), headers=dict(request.headers))
        except ValueError:  # neither UTF-8 nor JSON where it says so
            return UNREADABLE
        return _response(await run_in_threadpool(app.dispatch, asked))

    return take


def _page(show: Callable[[BoltRequest], BoltResponse]) -> Callable[[Request], object]:
    """Return the endpoint of a page."""

    async def get(request: Request) -> Response:
        query: dict[str, Sequence[str]] = {
            name: request.query_params.getlist(name) for name in request.query_params
        }
        asked = BoltRequest(body="", query=query, headers=dict(request.headers))
        response = _response(await run_in_threadpool(show, asked))
        response.headers.update(HEADERS)
        return response

    return get


async def _read(request: Request) -> bytes | None:
    """Return a request's body; None where it is too long, of which no more is kept."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _response(answer: BoltResponse) -> Response:
    """Return Bolt's answer as the server sends it."""
    response = Response(answer.body, answer.status)
    for name, values in answer.headers.items():
        if name.lower() == "content-length":
            continue
        for value in values:
            if name.lower() == "set-cookie":
                value = f"{value}; SameSite=Lax"
                response.headers.append(name, value)
            else:
                response.headers[name] = value
    return response


def serve_http(
    served: Starlette, listener: socket, stop: threading.Event, listening: Callable[[], None]
) -> None:
    """Serve until `stop` is set; `listening` is called once, when requests can come.

    What is under way then may end. Runs the server in a thread of its own, so that signals stay
    with whoever calls.
    """
    server = quiet_server(served)
    thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
    thread.start()
    try:
        began = time.monotonic()
        while not server.started and thread.is_alive() and time.monotonic() - began < STARTING:
            time.sleep(LOOK_EVERY)
        if server.started:
            listening()
        while thread.is_alive() and not stop.wait(1.0):
            pass
    finally:
        server.should_exit = True
        thread.join()


def run_http(
    settings: Settings,
    engine: Engine,
    workspace_id: int,
    answerer: Answerer,
    members: Members,
    stop: threading.Event,
    *,
    host: str = "127.0.0.1",
    connected: Callable[[Identity], None] | None = None,
    deadline: float = ANSWER_DEADLINE,
) -> None:
    """Answer one team over HTTP, with its bot token, until `stop` is set.

    `connected` is told once, when requests can come. An unreachable Slack is waited for. Raises
    ConfigurationError where the token is refused or the port cannot be had.
    """
    token = settings.slack_bot_token
    client = client_of(settings, token.get_secret_value() if token else None)
    with listen(host, settings.slack_port, PORT_SETTING) as listener:
        identity = patiently(lambda: identify(client), stop)
        if identity is None:
            return
        bells = Bells()
        workspace, close = open_workspace(
            settings, engine, workspace_id, client, identity, answerer, members, bells.ring
        )
        try:
            with Service(
                settings, engine, OneWorkspace(workspace), bells, deadline=deadline
            ) as service:
                app = _bolt(settings, service, OneWorkspace(workspace))
                served = http_app(app, _signing_secret(settings))
                serve_http(served, listener, stop, lambda: _told(connected, identity))
        finally:
            close()


def run_installed(
    settings: Settings,
    engine: Engine,
    answering: Callable[[int], Answerer],
    stop: threading.Event,
    *,
    host: str = "127.0.0.1",
    connected: Callable[[Identity], None] | None = None,
    deadline: float = ANSWER_DEADLINE,
) -> None:
    """Answer every team that installs the app, over HTTP, until `stop` is set.

    `answering` opens the answerer of a workspace's row. Raises ConfigurationError where a secret
    key is none or the port cannot be had.
    """
    installations = Installations(engine, Seal(settings.secret_keys))
    bells = Bells()

    def opening(
        workspace_id: int, client: WebClient, identity: Identity, answerer: Answerer
    ) -> tuple[Workspace, Callable[[], None]]:
        members = StoredMembers(engine, workspace_id)
        return open_workspace(
            settings, engine, workspace_id, client, identity, answerer, members, bells.ring
        )

    workspaces = InstalledWorkspaces(settings, engine, installations, opening, answering)
    installing = Installing(
        settings, installations, States(engine), sorted(SCOPES), workspaces.forget
    )
    with listen(host, settings.slack_port, PORT_SETTING) as listener:
        renewed = installations.seal_anew()
        teams = len(workspaces.all())
        log.info("installations opened", teams=teams, sealed_anew=renewed)
        try:
            with Service(settings, engine, workspaces, bells, deadline=deadline) as service:
                app = _bolt(settings, service, workspaces)
                served = http_app(app, _signing_secret(settings), installing)
                everybody = Identity("footnote", "", "", f"{teams} workspaces", "", SCOPES)
                serve_http(served, listener, stop, lambda: _told(connected, everybody))
        finally:
            workspaces.close()


def authorizing(workspaces: Workspaces) -> Callable[..., AuthorizeResult | None]:
    """Return what gives Bolt a team's token, from memory: nothing is asked of Slack."""

    def authorize(team_id: str | None) -> AuthorizeResult | None:
        workspace = workspaces.of_team(team_id or "")
        if workspace is None:
            return None
        return AuthorizeResult(
            enterprise_id=None,
            team_id=workspace.team,
            bot_user_id=workspace.bot_user_id,
            bot_id=workspace.bot_id,
            bot_token=workspace.client.token,
        )

    return authorize


def _bolt(settings: Settings, service: Service, workspaces: Workspaces) -> App:
    return build_app(
        client_of(settings, None),
        service.acceptor,
        service.pool,
        authorizing(workspaces),
        _signing_secret(settings),
    )


def _signing_secret(settings: Settings) -> str:
    secret = settings.slack_signing_secret
    return secret.get_secret_value() if secret else ""


def _told(connected: Callable[[Identity], None] | None, identity: Identity) -> None:
    log.info("listening for Slack", team=identity.team)
    if connected is not None:
        connected(identity)
