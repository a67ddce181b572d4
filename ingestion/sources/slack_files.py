"""Files that Slack keeps: what it tells of one, and its bytes, fetched with the bot's token.

The token goes to Slack's own hosts and nowhere else. A refused token is answered with a page to
sign in on, as if that were the file: it is told from a document by the size Slack gave.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ingestion.errors import DocumentError, display_name
from ingestion.sniff import MAX_FILE_SIZE, refuse_size

SLACK = "slack.com"  # hosts under it keep the files of all but government workspaces
TIMEOUT = 20.0  # seconds without an answer
PATIENCE = 120.0  # seconds that one try may take
TRIES = 3
PAUSE = 1.0  # seconds before another try, doubled each time
LONGEST_PAUSE = 10.0  # seconds that Slack may ask us to wait
REDIRECTS = 3
PIECE = 256 * 1024  # bytes read at a time
HEAD = 512  # bytes in which a page shows that it is one

REDIRECTED = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({429, 500, 502, 503, 504})
CANVASES = frozenset({"canvas", "quip", "space", "list"})
DELETED_MODE = "tombstone"
GONE_MODES = frozenset({DELETED_MODE, "hidden_by_limit"})
ENDINGS = {"snippet": ".txt", "post": ".html", "email": ".eml"}  # where a name has none
PAGE_STARTS = (b"<!doctype html", b"<html")

HIDDEN = "{name} is hidden by the limit of this workspace's Slack plan; share the file again."
DELETED = "{name} was deleted in Slack; share it again."
ELSEWHERE = "{name} is kept in {service}, not in Slack; download it there and share the file."
CANVAS = "{name} is a Slack canvas or list, not a file; export it and share the file."
SIGN_IN = (
    "Slack did not hand {name} out to this bot; an operator finds out why with footnote doctor:"
    " the app needs files:read and a valid token."
)
FOREIGN = "{name} is not kept at one of Slack's own addresses, so it was not fetched."
UNREACHABLE = "{name} could not be fetched from Slack; share it again in a minute."


class SlackFileError(DocumentError):
    """A file that was shared in Slack cannot be had."""


class _TryAgainError(Exception):
    """A try failed in a way that another may not; `wait` is in seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait


@dataclass(frozen=True)
class SlackFile:
    """What Slack tells of a file. `size` is in bytes, None where it is not told."""

    id: str
    name: str
    mode: str
    size: int | None
    media_type: str
    address: str | None
    service: str | None  # who keeps it, if not Slack
    told_whole: bool  # False for files of other organisations, of which only the id is told
    fingerprint: str  # changes when the file does
    link: str | None  # where people open it

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Return the file that a message, `files.info` or `files.list` tells of."""
        mode = str(told.get("mode") or "hosted")
        size = told.get("size")
        stamps = [told.get(key) for key in ("timestamp", "created", "updated", "edit_timestamp")]
        external = bool(told.get("is_external")) or mode == "external"
        return cls(
            id=str(told.get("id") or ""),
            name=_name(told, mode),
            mode=mode,
            size=size if isinstance(size, int) and size > 0 else None,
            media_type=str(told.get("mimetype") or "").lower(),
            address=told.get("url_private_download") or told.get("url_private"),
            service=_service(told) if external else None,
            told_whole=told.get("file_access") != "check_file_info",
            fingerprint=":".join(map(str, (told.get("id"), *stamps, size))),
            link=told.get("permalink"),
        )

    def refuse(self) -> None:
        """Raise SlackFileError or FileTooLargeError where fetching it would be of no use."""
        name = display_name(self.name)
        if self.mode in GONE_MODES:
            sentence = HIDDEN if self.mode == "hidden_by_limit" else DELETED
            raise SlackFileError(sentence.format(name=name))
        if self.service is not None:
            raise SlackFileError(ELSEWHERE.format(name=name, service=self.service))
        if self.mode in CANVASES:
            raise SlackFileError(CANVAS.format(name=name))
        if self.size is not None:
            refuse_size(name, self.size)
        if not self.address:
            raise SlackFileError(SIGN_IN.format(name=name))


def _name(told: Mapping[str, Any], mode: str) -> str:
    name = str(told.get("name") or told.get("title") or told.get("id") or "unnamed file")
    return name if "." in name[1:] else name + ENDINGS.get(mode, "")


def _service(told: Mapping[str, Any]) -> str:
    """Return who keeps an external file: "Google Drive" for `gdrive`."""
    kind = str(told.get("external_type") or "")
    known = {"gdrive": "Google Drive", "onedrive": "OneDrive", "sharepoint": "SharePoint"}
    return known.get(kind) or display_name(str(told.get("pretty_type") or "another service"))


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: each is looked at first."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Return None: the redirect becomes an HTTPError."""


class Downloader:
    """Fetches files with the bot's token from the Slack whose API is at `api_url`."""

    def __init__(
        self, token: str, api_url: str, *, limit: int = MAX_FILE_SIZE, pause: float = PAUSE
    ) -> None:
        self._token = token
        self._api = urlsplit(api_url)
        self._limit = limit
        self._pause = pause
        self._opener = build_opener(_Stay)  # goes through the proxies that the API's calls use

    def fetch(self, file: SlackFile) -> bytes:
        """Return a file's bytes. Raises SlackFileError, FileTooLargeError."""
        file.refuse()
        for number in range(TRIES):
            try:
                return self._get(file)
            except _TryAgainError as error:
                if number + 1 < TRIES:
                    time.sleep(max(error.wait, self._pause * 2**number))
        raise SlackFileError(UNREACHABLE.format(name=display_name(file.name)))

    def may_have_token(self, address: str) -> bool:
        """Whether an address is one of Slack's own: by HTTPS, or exactly where the API is."""
        parts = urlsplit(address)
        if "@" in parts.netloc or "\\" in parts.netloc:
            return False  # programs differ in which host that is
        if _origin(parts) == _origin(self._api):
            return True
        host, api_host = parts.hostname or "", self._api.hostname or ""
        named = api_host.rpartition(".")[2].isalpha()  # an address of digits has no hosts under it
        own = (SLACK, api_host) if named else (SLACK,)
        return _origin(parts) == ("https", host, 443) and any(
            host == name or host.endswith(f".{name}") for name in own
        )

    def _get(self, file: SlackFile) -> bytes:
        """Try once, following redirects that stay with Slack."""
        first = address = file.address or ""
        for _ in range(REDIRECTS + 1):
            if not self._is_slack(address):
                raise SlackFileError(FOREIGN.format(name=display_name(file.name)))
            same = _origin(urlsplit(address)) == _origin(urlsplit(first))
            got = self._ask(address, file, with_token=same)
            if isinstance(got, bytes):
                return got
            address = urljoin(address, got)
        raise SlackFileError(UNREACHABLE.format(name=display_name(file.name)))

    def _is_slack(self, address: str) -> bool:
        try:
            return self.may_have_token(address)
        except ValueError:  # no address at all, or a port that is none
            return False

    def _ask(self, address: str, file: SlackFile, *, with_token: bool) -> bytes | str:
        """Return the bytes, or the address that Slack sends us on to."""
        headers = {"Authorization": f"Bearer {self._token}"} if with_token else {}
        request = Request(address, headers=headers)  # noqa: S310 - one of Slack's own
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                data = self._read(response, file)
                said = response.headers.get_content_type() if response.headers else ""
        except HTTPError as error:
            with error:
                return self._answer(error, file)
        except (OSError, HTTPException) as error:
            raise _TryAgainError from error
        return _checked(file, data, said)

    def _read(self, response: Any, file: SlackFile) -> bytes:
        """Read at most the limit, within the time of one try."""
        end = time.monotonic() + PATIENCE
        pieces: list[bytes] = []
        size = 0
        while piece := response.read(PIECE):
            pieces.append(piece)
            size += len(piece)
            refuse_size(display_name(file.name), size, self._limit)
            if time.monotonic() > end:
                raise _TryAgainError
        return b"".join(pieces)

    def _answer(self, error: HTTPError, file: SlackFile) -> str:
        """Return where a redirect leads. Raises what any other status means."""
        if error.code in REDIRECTED and error.headers.get("location"):
            return str(error.headers["location"])
        if error.code in BUSY:
            asked = error.headers.get("retry-after") or ""
            raise _TryAgainError(min(float(asked), LONGEST_PAUSE) if asked.isdecimal() else 0.0)
        sentence = DELETED if error.code in (404, 410) else SIGN_IN
        raise SlackFileError(sentence.format(name=display_name(file.name)))


def _checked(file: SlackFile, data: bytes, said: str) -> bytes:
    """Return the bytes if they are the file's, and no page that stands in for it.

    Raises SlackFileError for a page, _TryAgainError where some are missing.
    """
    is_page = said == "text/html"
    fits = len(data) == file.size
    if fits and (not is_page or file.media_type == "text/html"):
        return data
    if is_page or data[:HEAD].lstrip().lower().startswith(PAGE_STARTS):
        raise SlackFileError(SIGN_IN.format(name=display_name(file.name)))
    if file.size is not None and file.mode in ("hosted", "snippet") and not fits:
        raise _TryAgainError
    return data


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    ports = {"http": 80, "https": 443}
    return parts.scheme, parts.hostname or "", parts.port or ports.get(parts.scheme)
