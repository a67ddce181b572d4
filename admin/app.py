"""The local pages put together and served: the one place where their parts meet."""

import errno
import mimetypes
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from uvicorn.server import HANDLED_SIGNALS

from admin.api import Workspace
from admin.api.routes import add_schema
from admin.api.routes import router as api_router
from admin.conversations import Conversations
from admin.gate import LOCAL_HOSTS, Gate
from admin.pages import ask, documents
from admin.problems import Problems
from admin.site import Answerer, Documents, Site
from admin.templating import STATIC, Templates
from core.errors import ConfigurationError

SHUTDOWN_PATIENCE = 5  # seconds that requests under way get to finish
BACKLOG = 128  # connections waiting to be accepted


class PortTakenError(ConfigurationError):
    """Another program listens on the port of the page."""


def create_app(
    answerer: Answerer,
    library: Documents,
    allowed_hosts: Iterable[str] = LOCAL_HOSTS,
    workspace: Workspace | None = None,
) -> FastAPI:
    """Return the site: the chat page, the document viewer, `/api/ask` and `/health`.

    `allowed_hosts` are the names under which browsers may open it, ports ignored. With a
    `workspace` there is the API for knowledge admins too.
    """
    # Windows reads these from its registry, where other programs get them wrong; with `nosniff`
    # a browser then refuses the script.
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("text/css", ".css")
    templates = Templates()
    problems = Problems(templates)
    pictures = workspace.pictures if workspace else None
    site = Site(answerer, library, Conversations(), templates, problems, pictures)
    app = FastAPI(title="Footnote", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(Gate, hosts=tuple(allowed_hosts), problems=problems)
    problems.install(app)
    app.include_router(ask.router(site))
    app.include_router(documents.router(site))
    if workspace is not None:
        app.include_router(api_router(workspace))
        add_schema(app)
    app.add_api_route("/health", _health, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _health() -> dict[str, str]:
    return {"status": "ok"}


def listen(host: str, port: int) -> socket.socket:
    """Bind and return a listening socket; port 0 takes a free one.

    Raises PortTakenError if another program has the port, ConfigurationError if it cannot be had.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody may bind on top of us
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unbound(host, port, error) from error
    return listener


def _unbound(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            f"Port {port} is in use by another program; set FOOTNOTE_PORT to a free one."
        )
    if isinstance(error, PermissionError):
        return ConfigurationError(
            f"Port {port} may not be used here; set FOOTNOTE_PORT to a free one above 1023."
        )
    return ConfigurationError(f"The page cannot listen at {host}:{port}: {error.strerror}.")


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM, then let requests under way finish and return.

    Raises PortTakenError before anything starts.
    """
    with listen(host, port) as listener:
        serve_on(app, listener)


def serve_on(app: FastAPI, listener: socket.socket) -> None:
    """Serve on a socket from `listen`, with nothing printed; returns after a signal to stop."""
    with _signals_end_quietly():
        web_server(app).run(sockets=[listener])


def web_server(app: FastAPI) -> uvicorn.Server:
    """Return the server, quiet, not yet running; set its `should_exit` to stop it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=SHUTDOWN_PATIENCE,
        )
    )


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
