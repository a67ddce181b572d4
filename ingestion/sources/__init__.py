"""Watched places, read as they are now: what is new, what did not change, what failed.

Scanners know no database. What a scan does not report any more is gone; a scan that raises
SourceError says nothing about what is there.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from core.errors import FootnoteError

MAX_BYTES = 100 * 1024 * 1024  # of one file
MAX_TOTAL = 2 * 1024**3  # bytes fetched in one scan
MAX_ITEMS = 10_000  # files in one source
TIMEOUT = 30.0  # seconds without an answer
PATIENCE = 300.0  # seconds that one file may take in all
PACE = 0.5  # seconds between two requests to a web site
BACKOFF = 1.0  # seconds before the first repetition of a request, doubled for the next
SETTLED = 2.0  # seconds after which a file's time tells every change; FAT counts in steps of that
USER_AGENT = "Footnote/0.1 (keeps a support bot's policies current)"

Resolver = Callable[..., list[Any]]
"""Called like socket.getaddrinfo."""


class SourceError(FootnoteError):
    """The place as a whole cannot be read, or is no place to watch: nothing counts as gone."""


@dataclass(frozen=True)
class Fetching:
    """What scanners may do: limits, hosts, and where they may keep what they fetched.

    `allowed_hosts` are names, addresses or `host:port` that are read although they are private;
    `cache` is a folder for copies of repositories, None keeps none. Times are in seconds.
    """

    allowed_hosts: frozenset[str] = frozenset()
    max_bytes: int = MAX_BYTES
    max_total: int = MAX_TOTAL
    max_items: int = MAX_ITEMS
    timeout: float = TIMEOUT
    patience: float = PATIENCE
    pace: float = PACE
    backoff: float = BACKOFF
    settled: float = SETTLED
    user_agent: str = USER_AGENT
    cache: Path | None = None
    resolve: Resolver = socket.getaddrinfo


@dataclass(frozen=True)
class Seen:
    """What was known of an item at the last scan.

    `fingerprint` tells a change cheaply (time and size, ETag, a git object's id), `sha256` is
    that of the bytes. An item whose fingerprint is None is read again.
    """

    fingerprint: str | None
    sha256: str | None


@dataclass(frozen=True)
class Item:
    """One file as it is now.

    `key` is stable within the source (a relative path, an address), `name` is display text and
    has an ending that fits the content, `link` is where a person can open it.
    """

    key: str
    name: str
    data: bytes
    fingerprint: str | None
    link: str | None = None
    modified: datetime | None = None


@dataclass(frozen=True)
class Unchanged:
    """An item that is still there and was not read again."""

    key: str
    fingerprint: str | None


@dataclass(frozen=True)
class Failure:
    """An item that is there but could not be read; what was known of it stays."""

    key: str
    reason: str


Found = Item | Unchanged | Failure


class Scanner(Protocol):
    """Reads one place."""

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return what is there now. Raises SourceError where the place cannot be read."""


def open_scanner(kind: str, uri: str, options: Mapping[str, str], config: Fetching) -> Scanner:
    """Return what reads a place: `kind` is folder, web, git or address; nothing is read yet.

    Raises SourceError for an address or options that cannot be used.
    """
    # Each kind has packages of its own, which take up to half a second to load.
    if kind == "folder":
        from ingestion.sources.folder import FolderScanner  # noqa: PLC0415

        return FolderScanner(uri, options, config)
    if kind == "web":
        from ingestion.sources.web import WebScanner  # noqa: PLC0415

        return WebScanner(uri, options, config)
    if kind == "git":
        from ingestion.sources.git import GitScanner  # noqa: PLC0415

        return GitScanner(uri, options, config)
    if kind == "address":
        from ingestion.sources.address import AddressScanner  # noqa: PLC0415

        return AddressScanner(uri, options, config)
    raise SourceError(f"There is no kind of source “{kind}”; use folder, web, git or address.")
