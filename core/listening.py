"""A port of one's own, and a quiet server on it: for every process that is asked over HTTP."""

import errno
import socket
from typing import Any

import uvicorn

from core.errors import ConfigurationError

SHUTDOWN_PATIENCE = 5  # seconds that requests under way get to finish
BACKLOG = 128  # connections waiting to be accepted


class PortTakenError(ConfigurationError):
    """Another program listens on the port."""


def listen(host: str, port: int, setting: str = "FOOTNOTE_PORT") -> socket.socket:
    """Bind and return a listening socket; port 0 takes a free one.

    `setting` is where the port is set. Raises PortTakenError if another program has the port,
    ConfigurationError if it cannot be had.
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
        raise _unbound(host, port, setting, error) from error
    return listener


def _unbound(host: str, port: int, setting: str, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(
            f"Port {port} is in use by another program; set {setting} to a free one."
        )
    if isinstance(error, PermissionError):
        return ConfigurationError(
            f"Port {port} may not be used here; set {setting} to a free one above 1023."
        )
    return ConfigurationError(f"Footnote cannot listen at {host}:{port}: {error.strerror}.")


def quiet_server(app: Any) -> uvicorn.Server:
    """Return a server of an ASGI app, not yet running; set its `should_exit` to stop it."""
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
