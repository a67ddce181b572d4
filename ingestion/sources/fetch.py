"""Reading an address over HTTP: guarded, bounded in time and size, polite, and repeated a little.

Redirects are followed one by one, so that each is judged; what a request carries for one host
never reaches another.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Url, parse_url

from core.errors import FootnoteError
from ingestion.errors import printable
from ingestion.sources import Fetching, SourceError
from ingestion.sources.choice import MIB
from ingestion.sources.guard import Guard, GuardedPool

MAX_REDIRECTS = 5
ATTEMPTS = 3  # the first and two more
MAX_RETRY_AFTER = 10.0  # seconds that a server may ask to wait; longer is a failure
MAX_URL = 2_000  # characters
PIECE = 64 * 1024  # bytes read at a time
MAX_SHOWN = 120  # characters of an address in a sentence
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset([301, 302, 303, 307, 308])
GONE = frozenset([404, 410])
BUSY = frozenset([429, 500, 502, 503, 504])  # worth another attempt
PRIVATE_HEADERS = frozenset(["authorization", "cookie", "proxy-authorization"])


class FetchError(FootnoteError):
    """An address could not be read; `status` is what the server said, if it said anything."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _Again(FetchError):  # noqa: N818 - never seen outside
    """A failure that another attempt may not meet."""

    def __init__(self, message: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(message, status)
        self.wait = wait  # seconds that the server asks for


@dataclass(frozen=True)
class Fetched:
    """What an address answered: status 200 with `data`; 304, 404 or 410 without."""

    url: str  # where redirects led
    status: int
    headers: Mapping[str, str]  # names in lower case
    data: bytes = b""

    @property
    def media_type(self) -> str:
        """The media type in lower case without parameters, "" where none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def modified(self) -> datetime | None:
        """When the server says it was modified."""
        return http_date(self.headers.get("last-modified", ""))


def http_date(written: str) -> datetime | None:
    """Return a date as HTTP writes it, None for anything else."""
    try:
        when = parsedate_to_datetime(written)
    except (ValueError, IndexError, TypeError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def address(url: str) -> Url:
    """Return the parts of an address. Raises SourceError for one that is not read over HTTP."""
    try:
        parts = parse_url(url) if len(url) <= MAX_URL and printable(url) == url else None
    except LocationParseError:
        parts = None
    if parts is None or not parts.host:
        raise SourceError(f"{shown_url(url)} is not an address that can be read; correct it.")
    if parts.scheme not in PORTS:
        raise SourceError(f"{shown_url(url)} is not read over http or https; correct it.")
    if parts.auth is not None:
        raise SourceError(
            f"The address on {parts.host} holds a name or password, which everybody who sees the"
            " source would see; leave it out."
        )
    return parts


def origin(parts: Url) -> tuple[str | None, str | None, int]:
    """Return scheme, host and port of an address."""
    return parts.scheme, parts.host, parts.port or PORTS[parts.scheme or "http"]


def same_site(first: Url, second: Url) -> bool:
    """Return whether two addresses are of one host and port; http may become https."""
    if origin(first) == origin(second):
        return True
    upgraded = (first.scheme, second.scheme) == ("http", "https")
    return upgraded and first.host == second.host and first.port == second.port is None


def shown_url(url: str) -> str:
    """Return an address for a sentence: on one line and of a bounded length."""
    told = printable(url)
    return told if len(told) <= MAX_SHOWN else f"{told[: MAX_SHOWN - 1]}…"


def guarded_pool(config: Fetching) -> GuardedPool:
    """Return connections to the hosts that may be read, which neither repeat nor redirect."""
    timeout = Timeout(connect=config.timeout, read=config.timeout)
    guard = Guard(config.allowed_hosts, config.resolve)
    return GuardedPool(guard, timeout=timeout, retries=False)


class Fetcher:
    """Reads addresses for one scan; requests are at least `pace` seconds apart."""

    def __init__(self, config: Fetching, *, pace: float = 0.0) -> None:
        self._config = config
        self.pace = pace
        self._last = -pace
        self.pool = guarded_pool(config)

    def close(self) -> None:
        """Close the connections."""
        self.pool.clear()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        same_host: bool = False,
        limit: int | None = None,
    ) -> Fetched:
        """Return what an address holds, of at most `limit` bytes (the scan's limit for a file).

        Raises FetchError, RefusedHostError for a host that is not public.
        """
        parts = address(url)
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        with self.pool.within(self._config.patience) as over:
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._attempts(parts, sent, limit or self._config.max_bytes, over)
                if answer.status not in REDIRECTS:
                    return answer
                leads_to = redirected(parts, answer.headers, same_host=same_host)
                if origin(leads_to) != origin(parts):
                    sent = {n: v for n, v in sent.items() if n not in PRIVATE_HEADERS}
                parts = leads_to
        raise FetchError(f"{shown_url(url)} redirects more than {MAX_REDIRECTS} times.")

    def _attempts(
        self, parts: Url, headers: Mapping[str, str], limit: int, over: threading.Event
    ) -> Fetched:
        """Make a request, again after what may pass."""
        for attempt in range(ATTEMPTS):
            self._keep_pace()
            try:
                return self._request(parts, headers, limit, over)
            except _Again as error:
                wait = self._config.backoff * 2**attempt if error.wait is None else error.wait
                too_long = wait > MAX_RETRY_AFTER
                if attempt == ATTEMPTS - 1 or too_long or over.wait(wait):
                    raise FetchError(str(error), error.status) from error.__cause__
        raise AssertionError

    def _keep_pace(self) -> None:
        time.sleep(max(0.0, self._last + self.pace - time.monotonic()))
        self._last = time.monotonic()

    def _request(
        self, parts: Url, headers: Mapping[str, str], limit: int, over: threading.Event
    ) -> Fetched:
        asked = {"user-agent": self._config.user_agent, "accept-encoding": "gzip", **headers}
        try:
            response = self.pool.request(
                "GET", parts.url, headers=asked, redirect=False, preload_content=False
            )
            try:
                return _answered(parts, response, limit, over)
            finally:
                response.close()  # a connection with an unread body cannot be used again
        except (SSLError, DecodeError) as error:
            raise FetchError(self._told(parts, error)) from error
        except HTTPError as error:
            if over.is_set():
                raise self._too_slow(parts) from error
            raise _Again(self._told(parts, error)) from error

    def _too_slow(self, parts: Url) -> FetchError:
        return FetchError(
            f"{shown_url(parts.url)} did not arrive within {self._config.patience:g} s."
        )

    def _told(self, parts: Url, error: HTTPError) -> str:
        host = printable(parts.host or "")
        match error:
            case NameResolutionError():
                return f"The host {host} is not known; check the address."
            case NewConnectionError():  # which is a timeout, too, by its class
                return f"{host} could not be reached."
            case ConnectTimeoutError() | ReadTimeoutError():
                return f"{host} did not answer within {self._config.timeout:g} s."
            case SSLError():
                return f"{host} has no certificate that proves who it is."
            case DecodeError():
                return f"{shown_url(parts.url)} came in a damaged encoding."
        return f"{host} hung up before the answer was complete."


def _answered(
    parts: Url, response: BaseHTTPResponse, limit: int, over: threading.Event
) -> Fetched:
    headers = {name.lower(): value for name, value in response.headers.items()}
    status = response.status
    if status in REDIRECTS or status in GONE or status == 304:
        return Fetched(parts.url, status, headers)
    if status in BUSY:
        wait = _retry_after(headers.get("retry-after", ""))
        raise _Again(_refusal(parts, status), status, wait)
    if status != 200:
        raise FetchError(_refusal(parts, status), status)
    data = _body(parts, response, limit)
    if over.is_set():  # a body that is not counted ends well when its connection is cut
        raise HTTPError
    return Fetched(parts.url, status, headers, data)


def _body(parts: Url, response: BaseHTTPResponse, limit: int) -> bytes:
    """Return the body, unpacked. Raises FetchError once it has more than `limit` bytes."""
    data = bytearray()
    while piece := response.read1(PIECE, decode_content=True):
        data += piece
        if len(data) > limit:
            raise FetchError(
                f"{shown_url(parts.url)} is larger than {limit / MIB:,.0f} MiB, which is the most"
                " a file may have; split it."
            )
    return bytes(data)


def _refusal(parts: Url, status: int) -> str:
    return f"{shown_url(parts.url)} cannot be read (the server answered {status})."


def redirected(parts: Url, headers: Mapping[str, str], *, same_host: bool = False) -> Url:
    """Return where a redirect leads. Raises FetchError if it is not followed there."""
    location = headers.get("location", "")
    try:
        leads_to = address(urljoin(parts.url, location))
    except (SourceError, ValueError):
        location = ""
    if not location:
        raise FetchError(f"{shown_url(parts.url)} redirects to what is no address.")
    if parts.scheme == "https" and leads_to.scheme == "http":
        raise FetchError(f"{shown_url(parts.url)} redirects from https to http; not followed.")
    if same_host and not same_site(parts, leads_to):
        raise FetchError(
            f"{shown_url(parts.url)} redirects to another host,"
            f" {printable(leads_to.host or '')}; not followed."
        )
    return leads_to


def _retry_after(written: str) -> float | None:
    """Return the seconds that a server asks to wait, written as a number or a date."""
    if written.strip().isdigit():
        return float(written)
    if (when := http_date(written)) is None:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
