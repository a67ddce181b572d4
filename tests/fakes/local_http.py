"""A small threaded HTTP server on 127.0.0.1 for the fakes: real sockets, no framework.

Every answer leaves in one write (Nagle's algorithm would otherwise add 40 ms to each), and a
route may hang up without answering or cut a streamed answer in the middle.
"""

import base64
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message as Headers
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

LOOPBACK = "127.0.0.1"
BACKLOG = 128  # connections waiting to be accepted; the library's 5 refuses bursts


class HangUpError(Exception):
    """Raised by a route, or inside its stream, to close the connection at once."""


@dataclass(frozen=True)
class Request:
    """One HTTP request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return self.headers.get_content_type() if self.headers["content-type"] else ""

    @property
    def bearer(self) -> str | None:
        """The token of an `Authorization: Bearer` header."""
        scheme, _, token = (self.headers["authorization"] or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """The name and the password of an `Authorization: Basic` header."""
        scheme, _, given = (self.headers["authorization"] or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, password = base64.b64decode(given.strip()).decode().partition(":")
        return name, password

    def json(self) -> Any:
        """The body as JSON; raises `ValueError` where it is not."""
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        """The query and the body's fields together; the body wins. JSON bodies have none."""
        return {**self.query, **self._body_fields()}

    def file(self) -> bytes:
        """The file that is sent: the body itself, or the first part of a form with files."""
        if self.content_type != "multipart/form-data":
            return self.body
        content: Any = next(iter(self._multipart().values()), b"")
        return content.encode() if isinstance(content, str) else bytes(content)

    def _body_fields(self) -> dict[str, str]:
        if self.content_type == "multipart/form-data":
            return self._multipart()
        if self.content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return {}

    def _multipart(self) -> dict[str, str]:
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + self.body).iter_parts()
        named = ((part.get_param("name", header="content-disposition"), part) for part in parts)
        return {str(name): part.get_content() for name, part in named}


@dataclass(frozen=True)
class Reply:
    """One HTTP answer: a whole body, or pieces sent as they come (`stream`)."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an answer that carries `value` as JSON."""
    return Reply(status, json.dumps(value).encode(), headers=headers or {})


Route = Callable[[Request], Reply]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        self.server.opened.add(self.connection)
        if self.server.closing.is_set():  # accepted too late to be among those that are cut
            self.server.cut(self.connection)

    def finish(self) -> None:
        self.server.opened.discard(self.connection)
        super().finish()

    def serve(self) -> None:
        try:
            self._send(self.server.route(self._read()))
        except HangUpError:
            self._hang_up()

    do_GET = do_POST = do_DELETE = serve  # noqa: N815 - the names the standard library looks for

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Request(self.command, parts.path, query, self.headers, body)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.stream is None:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        else:
            self._send_stream(reply.stream)
        self.wfile.flush()

    def _send_stream(self, pieces: Iterable[bytes]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):  # the client was faster
            self.wfile.flush()
        self.server.cut(self.connection)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: what was asked is kept by the fakes themselves."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined on close, so that no thread outlives its test
    request_queue_size = BACKLOG

    def __init__(self, route: Route) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.route = route
        self.opened: set[socket.socket] = set()
        self.closing = threading.Event()

    @staticmethod
    def cut(connection: socket.socket) -> None:
        """End a connection at once, if the client did not end it first."""
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that went away, as killed bots do; report everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class LocalServer:
    """Serve `route` on a free port until the `with` block ends; `closing` wakes what waits."""

    def __init__(self, route: Route) -> None:
        self._server = _Server(route)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.closing = self._server.closing
        self.origin = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.opened):
            self._server.cut(connection)
        self._server.server_close()
