"""Signed HTTP requests: the other way to an app, and the requests that it must refuse."""

import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Literal
from urllib.parse import urlencode, urlsplit

from .delivery import Attempt, Delivery, Failed, Kind
from .records import Json

EVENTS_PATH = "/slack/events"  # Bolt takes commands and interactions there too
STALE = 6 * 60.0  # seconds; an app refuses what is older than five minutes
WORKERS = 32  # requests under way at once

Forgery = Literal["unsigned", "altered", "stale", "future", "wrong_secret", "honest"]


@dataclass(frozen=True)
class HttpAnswer:
    """What the app answered to one request."""

    status: int
    body: bytes
    no_retry: bool = False

    @property
    def accepted(self) -> bool:
        """True for a status from 200 to 299."""
        return 200 <= self.status < 300

    def response(self) -> Json | None:
        """The body as Slack takes it: JSON, or plain words as a `text`."""
        words = self.body.decode(errors="replace").strip()
        try:
            said = json.loads(words) if words else None
        except ValueError:
            return {"text": words}
        return said if isinstance(said, dict) else None


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the `X-Slack-Signature` of a body sent at a time (seconds since 1970)."""
    signed = b"v0:%b:%b" % (timestamp.encode(), body)
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class SignedHttp:
    """Posts payloads to an app at `base_url`, several at once, each on a connection of its own."""

    def __init__(
        self, base_url: str, secret: str, ack_deadline: float, path: str = EVENTS_PATH
    ) -> None:
        parts = urlsplit(base_url)
        self._host, self._path = parts.netloc, parts.path.rstrip("/") + path
        self._secret = secret
        self._ack_deadline = ack_deadline
        self._workers = ThreadPoolExecutor(WORKERS)

    def stop(self) -> None:
        """Send nothing more, and wait for what is under way."""
        self._workers.shutdown(cancel_futures=True)

    def send(self, delivery: Delivery, attempt: Attempt, failed: Failed) -> None:
        """Post one attempt; the app has until the deadline to answer it with a 200."""
        self._workers.submit(self._deliver, delivery, attempt, failed)

    def _deliver(self, delivery: Delivery, attempt: Attempt, failed: Failed) -> None:
        body, content_type = encoded(delivery.kind, delivery.payload)
        headers = {"Content-Type": content_type, **self._signed(body)}
        if attempt.number:
            reason = {"timeout": "http_timeout"}.get(attempt.reason, attempt.reason)
            headers |= {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": reason}
        attempt.sent_at = time.monotonic()
        try:
            answer = self.post(body, headers)
        except TimeoutError:
            failed("http_timeout", False)
            return
        except (OSError, HTTPException):
            failed("connection_failed", False)
            return
        attempt.status = answer.status
        if time.monotonic() - attempt.sent_at > self._ack_deadline:
            failed("http_timeout", False)
        elif answer.accepted:
            said = answer.response() if delivery.kind != "events_api" else None
            delivery.acknowledge(attempt, said)
        else:
            failed("http_error", answer.no_retry)

    def _signed(self, body: bytes, secret: str = "", at: float | None = None) -> dict[str, str]:
        timestamp = str(int(time.time() if at is None else at))
        signed = signature(secret or self._secret, timestamp, body)
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": signed}

    def forge(self, kind: Kind, payload: Json, how: Forgery) -> HttpAnswer:
        """Post a payload as an impostor would; "honest" is signed as Slack does."""
        body, content_type = encoded(kind, payload)
        ages = {"stale": -STALE, "future": STALE}
        secret = "somebody-elses" if how == "wrong_secret" else ""
        signed = self._signed(body, secret, time.time() + ages.get(how, 0.0))
        if how == "altered":
            body += b" " if kind == "events_api" else b"&altered=1"
        return self.post(
            body, {"Content-Type": content_type} | ({} if how == "unsigned" else signed)
        )

    def post(self, body: bytes, headers: dict[str, str]) -> HttpAnswer:
        """Post bytes and return the answer; raises `OSError` or `HTTPException` without one."""
        connection = HTTPConnection(self._host, timeout=self._ack_deadline)
        try:
            connection.request("POST", self._path, body, headers)
            return _answer(connection.getresponse())
        finally:
            connection.close()


def _answer(response: HTTPResponse) -> HttpAnswer:
    no_retry = response.getheader("X-Slack-No-Retry") == "1"
    return HttpAnswer(response.status, response.read(), no_retry)


def encoded(kind: Kind, payload: Json) -> tuple[bytes, str]:
    """Return the body of a payload and its content type: JSON for events, forms for the rest."""
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"
