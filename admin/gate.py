"""What every request passes first and every response last: host, origin, size, headers, errors."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.problems import Problems
from core.errors import reference_id
from core.logs import logger

LOCAL_HOSTS = ("127.0.0.1", "localhost")
BODY_LIMIT = 1_048_576  # bytes of a request's body; a question is far smaller
UPLOAD_LIMIT = 500 * 1_048_576  # bytes of the files of an upload
UPLOAD_OVERHEAD = 1_048_576  # bytes of names and fields around them
UPLOADS = "/api/documents"
TRANSCRIPTS = "/api/transcripts"
SENT_FILES = frozenset({UPLOADS, f"{TRANSCRIPTS}/import"})
TOKEN_PATHS = (UPLOADS, "/api/jobs", "/api/sources", TRANSCRIPTS)
LENGTH_DIGITS = 15  # of a Content-Length; more are no length of anything
READING = frozenset({"GET", "HEAD", "OPTIONS"})

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: under it browsers send `Origin: null` even with the page's own forms, and
    # on plain http beyond localhost the origin is all there is to tell them from a stranger's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

log = logger(__name__)


def host_name(host: str) -> str:
    """Return the name in a Host header or a setting, without its port and in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that one of our own pages sent this request."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = urlsplit(headers.get("origin", ""))
    return origin.netloc != "" and origin.netloc == headers.get("host")


def is_json(headers: Headers) -> bool:
    """Whether the body is declared as JSON, which no other site's form or script can send here."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def takes_token(path: str) -> bool:
    """Whether an address asks for a token, which no other site's form or script has to send.

    A browser adds no token by itself, as it does with cookies: there is nothing to forge.
    """
    return any(path == known or path.startswith(f"{known}/") for known in TOKEN_PATHS)


class Gate:
    """ASGI middleware around the whole site, and its one boundary for unexpected errors.

    Refuses hosts not in `hosts` (DNS rebinding), changes sent by other sites (request forgery),
    except where a token is asked for, and bodies over BODY_LIMIT, or UPLOAD_LIMIT for uploads.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], problems: Problems) -> None:
        """Let requests for `hosts` through to `app`; word refusals by `problems`."""
        self._app = app
        self._hosts = frozenset(host_name(host) for host in hosts)
        self._problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request, pass it on, and add the headers to what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        outgoing = _Outgoing(send, static=scope["path"].startswith("/static/"))
        refusal = self._refusal(request)
        if refusal:
            await self._problems.response(request, *refusal)(scope, receive, outgoing)
            return
        try:
            await self._app(scope, receive, outgoing)
        except Exception as error:  # noqa: BLE001 - this process's one boundary
            await self._fail(request, error, receive, outgoing)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        headers = request.headers
        if host_name(headers.get("host", "")) not in self._hosts:
            names = " or ".join(sorted(self._hosts))
            return 421, (
                f"This page answers only at {names}; "
                "set FOOTNOTE_PUBLIC_URL to open it under another name."
            )
        if request.method in READING:
            return None
        by_token = takes_token(request.scope["path"])
        if not by_token and not is_json(headers) and not same_origin(headers):
            return 403, "This was sent by another page, so it was not done; open this page itself."
        return self._refused_body(request, by_token=by_token)

    def _refused_body(self, request: Request, *, by_token: bool) -> tuple[int, str] | None:
        """Judge a body by its length. An upload may come without: its files are counted as read.

        A chunked body has no length, whatever a header beside it says.
        """
        upload = request.scope["path"] in SENT_FILES and request.method == "POST"
        length = request.headers.get("content-length")
        chunked = "transfer-encoding" in request.headers
        if chunked or length is None:
            if upload or (by_token and not chunked):  # as curl -X DELETE: there is no body
                return None
            return 411, "Send this request with its length (a Content-Length header)."
        if not length.isdecimal() or len(length) > LENGTH_DIGITS:
            return 411, "Send this request with its length (a Content-Length header)."
        if upload and int(length) > UPLOAD_LIMIT + UPLOAD_OVERHEAD:
            return 413, (
                f"This is too large: send at most {UPLOAD_LIMIT // 1_048_576} MiB at once, the"
                " rest in other requests."
            )
        if not upload and int(length) > BODY_LIMIT:
            return 413, f"This is too large: send at most {BODY_LIMIT // 1024} KiB."
        return None

    async def _fail(
        self, request: Request, error: Exception, receive: Receive, outgoing: "_Outgoing"
    ) -> None:
        reference = reference_id()
        log.error("page failed", reference=reference, path=request.scope["path"], exc_info=error)
        if outgoing.started:
            raise error
        sentence = (
            f"I couldn't finish this (reference {reference}). "
            "Asking again in a minute usually helps."
        )
        response = self._problems.response(request, 500, sentence, reference)
        await response(request.scope, receive, outgoing)


class _Outgoing:
    """The way out: adds the security headers, and knows whether a response has begun."""

    def __init__(self, send: Send, *, static: bool) -> None:
        self._send = send
        self._static = static
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY_HEADERS)
            # Static addresses change with their files; pages may hold somebody's conversation.
            kept = self._static and message["status"] in (200, 304)
            headers["Cache-Control"] = "max-age=31536000, immutable" if kept else "no-store"
        await self._send(message)
