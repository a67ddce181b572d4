"""Socket Mode: the WebSocket side of Slack, to which the app connects."""

import contextlib
import itertools
import json
import queue
import secrets
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from tests.fakes.local_http import LOOPBACK

from .delivery import Alarms, Attempt, Delivery, Failed
from .records import Json
from .workspace import Workspace

CONNECTION_TIME = 18_060  # seconds; what Slack's hello promises
CLOSE_TIMEOUT = 1.0  # seconds for an app to answer the end of its connection
HOST = {"host": "applink-1"}

CUT: Json = {}  # stands in a queue where the connection is to break

Goodbye = Literal["warning", "refresh_requested", "link_disabled"]


@dataclass
class Link:
    """One open connection of the app; `retiring` ones are given nothing new."""

    connection: ServerConnection
    outgoing: queue.SimpleQueue[Json | None] = field(default_factory=queue.SimpleQueue)
    sent: dict[str, tuple[Delivery, Attempt]] = field(default_factory=dict)
    retiring: bool = False

    def write(self) -> None:
        """Send what is queued, until None: a client that does not read blocks only this."""
        while (frame := self.outgoing.get()) is not None:
            if frame is CUT:
                self.cut()
                return
            if frame.get("envelope_id") in self.sent:
                self.sent[frame["envelope_id"]][1].sent_at = time.monotonic()
            try:
                self.connection.send(json.dumps(frame))
            except ConnectionClosed:
                return

    def read(self) -> None:
        """Take acknowledgements until the connection ends."""
        try:
            for frame in self.connection:
                self._acknowledged(json.loads(frame))
        except ConnectionClosed:
            return

    def _acknowledged(self, frame: Json) -> None:
        envelope_id = frame.get("envelope_id")
        if envelope_id in self.sent:
            delivery, attempt = self.sent[envelope_id]
            delivery.acknowledge(attempt, frame.get("payload"))

    def cut(self) -> None:
        """End the TCP connection without a word, if the app did not end it first."""
        with contextlib.suppress(OSError):
            self.connection.socket.shutdown(socket.SHUT_RDWR)


class SocketMode:
    """Accepts the app's connections and spreads what is sent over them in turn."""

    def __init__(self, workspace: Workspace, alarms: Alarms, ack_deadline: float) -> None:
        self._workspace = workspace
        self._alarms = alarms
        self._ack_deadline = ack_deadline
        self._tickets: set[str] = set()
        self._links: list[Link] = []
        self._turn = itertools.count()
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._cuts: deque[bool] = deque()  # for each, whether the payload is lost too
        self.opened = 0  # connections so far

    def start(self) -> None:
        """Listen on a free port."""
        self._server = serve(
            self._serve,
            LOOPBACK,
            0,
            process_request=self._admit,
            compression=None,
            close_timeout=CLOSE_TIMEOUT,
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._server is not None and self._thread is not None:
            self.cut_all()
            self._server.shutdown()
            self._thread.join()

    @property
    def links(self) -> list[Link]:
        """The connections that take new envelopes."""
        with self._workspace.changed:
            return [link for link in self._links if not link.retiring]

    def open_connection(self, w: Workspace, _p: Json) -> Json:
        """apps.connections.open: an address with a ticket for one connection."""
        ticket = secrets.token_hex(12)
        self._tickets.add(ticket)
        assert self._server is not None
        port = self._server.socket.getsockname()[1]
        return {"url": f"ws://{LOOPBACK}:{port}/link/?ticket={ticket}&app_id={w.app_id}"}

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        ticket = parse_qs(urlsplit(request.path).query).get("ticket", [""])[0]
        if ticket not in self._tickets:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "invalid ticket\n")
        self._tickets.remove(ticket)
        return None

    def _serve(self, connection: ServerConnection) -> None:
        link = Link(connection)
        writer = threading.Thread(target=link.write)
        writer.start()
        self._entered(link)
        link.read()
        self._left(link)
        link.outgoing.put(None)
        writer.join()

    def _entered(self, link: Link) -> None:
        with self._workspace.changed:
            self._links.append(link)
            self.opened += 1
            link.outgoing.put(self._hello())
            self._workspace.changed.notify_all()

    def _left(self, link: Link) -> None:
        with self._workspace.changed:
            self._links.remove(link)
            self._workspace.changed.notify_all()

    def _hello(self) -> Json:
        info = HOST | {"approximate_connection_time": CONNECTION_TIME}
        return {
            "type": "hello",
            "num_connections": len(self._links),
            "debug_info": info,
            "connection_info": {"app_id": self._workspace.app_id},
        }

    def send(self, delivery: Delivery, attempt: Attempt, failed: Failed) -> None:
        """Send one attempt over the next connection in turn."""
        links = self.links
        if not links:
            failed("connection_failed", False)
            return
        link = links[next(self._turn) % len(links)]
        frame = self._envelope(delivery, attempt)
        link.sent[frame["envelope_id"]] = (delivery, attempt)
        lost = self._cuts.popleft() if self._cuts else None
        if not lost:
            link.outgoing.put(frame)
        if lost is not None:
            link.retiring = True
            link.outgoing.put(CUT)
        self._alarms.after(self._ack_deadline, lambda: failed("timeout", False))

    @staticmethod
    def _envelope(delivery: Delivery, attempt: Attempt) -> Json:
        event = delivery.kind == "events_api"
        frame: Json = {
            "envelope_id": secrets.token_hex(16),
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": not event,
        }
        if event:
            frame |= {"retry_attempt": attempt.number, "retry_reason": attempt.reason}
        return frame

    def cut_next(self, times: int, *, lost: bool) -> None:
        """Break the connection under each of the next sendings, before it where `lost`."""
        self._cuts.extend([lost] * times)

    def say_goodbye(self, reason: Goodbye) -> None:
        """Announce the end of every connection; all but a warning is followed by it.

        The app is expected to open a new connection before it leaves the old one.
        """
        for link in self.links:
            link.retiring = reason != "warning"
            link.outgoing.put({"type": "disconnect", "reason": reason, "debug_info": HOST})

    def cut_all(self) -> None:
        """Break every connection without a word, as a network does."""
        with self._workspace.changed:
            links = [*self._links]
        for link in links:
            link.cut()
