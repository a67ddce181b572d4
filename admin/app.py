"""The local pages put together and served: the one place where their parts meet."""

import mimetypes
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from uvicorn.server import HANDLED_SIGNALS

from admin.api import Workspace
from admin.api.routes import add_schema
from admin.api.routes import router as api_router
from admin.conversations import Conversations
from admin.gate import LOCAL_HOSTS, Gate
from admin.pages import ask, documents, slack
from admin.problems import Problems
from admin.site import Answerer, Documents, Site, SlackFace
from admin.templating import STATIC, Templates
from core.listening import listen, quiet_server


def create_app(
    answerer: Answerer,
    library: Documents,
    allowed_hosts: Iterable[str] = LOCAL_HOSTS,
    workspace: Workspace | None = None,
    slack_face: SlackFace | None = None,
) -> FastAPI:
    """Return the site: the chat page, the document viewer, `/api/ask` and `/health`.

    `allowed_hosts` are the names under which browsers may open it, ports ignored. With a
    `workspace` there is the API for knowledge admins too, with a `slack_face` each answer can be
    seen as Slack shows it.
    """
    # Windows reads these from its registry, where other programs get them wrong; with `nosniff`
    # a browser then refuses the script.
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("text/css", ".css")
    templates = Templates()
    problems = Problems(templates)
    pictures = workspace.pictures if workspace else None
    site = Site(answerer, library, Conversations(), templates, problems, pictures, slack_face)
    app = FastAPI(title="Footnote", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, hosts=tuple(allowed_hosts), problems=problems)
    problems.install(app)
    app.include_router(ask.router(site))
    app.include_router(documents.router(site))
    app.include_router(slack.router(site))
    if workspace is not None:
        app.include_router(api_router(workspace))
        add_schema(app)
    app.add_api_route("/health", _health, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _health() -> dict[str, str]:
    return {"status": "ok"}


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then let requests under way finish and return.

    Raises PortTakenError before anything starts.
    """
    with listen(host, port) as listener:
        serve_on(app, listener)


def serve_on(app: FastAPI, listener: socket.socket) -> None:
    """Serve on a socket from `listen`, with nothing printed; returns after a signal to stop."""
    with _signals_end_quietly():
        quiet_server(app).run(sockets=[listener])


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Keep uvicorn from raising the signal again, once it has stopped because of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in HANDLED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
