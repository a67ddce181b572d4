"""What the tests of sources share: limits that wait for nothing, scans, and a web site."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from ingestion.sources import (
    Failure,
    Fetching,
    Found,
    Item,
    Seen,
    Unchanged,
    open_scanner,
)
from tests.fakes.local_http import LocalServer, Reply, Request

QUICK = Fetching(
    allowed_hosts=frozenset({"127.0.0.1"}),
    timeout=5,
    patience=10,
    pace=0,
    backoff=0.001,
    settled=0,
)


def scan(
    kind: str,
    uri: str,
    known: Mapping[str, Seen] | None = None,
    config: Fetching = QUICK,
    **options: str,
) -> list[Found]:
    """Return what one scan of a place finds."""
    return list(open_scanner(kind, uri, options, config).scan(known or {}))


def items(found: list[Found]) -> dict[str, Item]:
    """Return the items by their keys; a test that expects only items hears of anything else."""
    assert all(isinstance(one, Item) for one in found), found
    return {one.key: one for one in found if isinstance(one, Item)}


def texts(found: list[Found]) -> dict[str, str]:
    """Return the items' texts by their keys."""
    return {key: item.data.decode() for key, item in items(found).items()}


def seen(found: list[Found]) -> dict[str, Seen]:
    """Return what is known after a scan."""
    return {
        one.key: Seen(
            one.fingerprint, sha256(one.data).hexdigest() if isinstance(one, Item) else None
        )
        for one in found
        if not isinstance(one, Failure)
    }


def unchanged(found: list[Found]) -> list[str]:
    """Return the keys of what did not change; everything else is a failure of the test."""
    assert all(isinstance(one, Unchanged) for one in found), found
    return [one.key for one in found]


def failures(found: list[Found]) -> dict[str, str]:
    """Return the reasons of the failures by key."""
    return {one.key: one.reason for one in found if isinstance(one, Failure)}


@dataclass
class Site:
    """A web site: its pages by path, and what was asked of it."""

    pages: dict[str, Reply] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    origin: str = ""

    def page(self, path: str, text: str | bytes, **headers: str) -> str:
        """Put a page there; return its address."""
        body = text.encode() if isinstance(text, str) else text
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = given.pop("content-type", "text/html")
        self.pages[path] = Reply(200, body, kind, given)
        return self.origin + path

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        """Lead from one address to another."""
        self.pages[path] = Reply(status, b"", "text/html", {"location": to})
        return self.origin + path

    def sitemap(self, *entries: str | tuple[str, str], path: str = "/sitemap.xml") -> str:
        """Put a sitemap of paths, or of paths with the dates they were modified, there."""
        listed = [(entry, "") if isinstance(entry, str) else entry for entry in entries]
        urls = "".join(_url(self.origin, path, date) for path, date in listed)
        namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return self.page(path, f'<urlset xmlns="{namespace}">{urls}</urlset>')

    def answer(self, request: Request) -> Reply:
        """Answer a request, also one that asks whether something changed."""
        self.asked.append(request)
        reply = self.pages.get(request.path, Reply(404, b"nothing here", "text/html"))
        etag, date = (reply.headers.get(name) for name in ("etag", "last-modified"))
        known = {request.headers["if-none-match"], request.headers["if-modified-since"]} - {None}
        if reply.status == 200 and known & {etag, date}:
            return replace(reply, status=304, body=b"")
        return reply

    def paths(self) -> list[str]:
        """Return the paths that were asked for since the last time, without robots.txt."""
        asked = [request.path for request in self.asked if request.path != "/robots.txt"]
        self.asked.clear()
        return asked

    @property
    def port(self) -> int:
        """Where the site listens."""
        return urlsplit(self.origin).port or 0


def _url(origin: str, path: str, date: str) -> str:
    place = path if "://" in path else origin + path
    modified = f"<lastmod>{date}</lastmod>" if date else ""
    return f"<url><loc>{place}</loc>{modified}</url>"


@contextmanager
def served(site: Site | None = None) -> Iterator[Site]:
    """Serve a site while the block lasts."""
    made = site or Site()
    with LocalServer(made.answer) as server:
        made.origin = server.origin
        yield made


def resolver(**names: str | list[str]) -> Any:
    """Return a resolver that knows these names; given several answers, one at each question."""
    answers = {name.replace("_", "."): answer for name, answer in names.items()}

    def resolve(host: str, port: int, *_: Any) -> list[Any]:
        if (answer := answers.get(host.rstrip("."))) is None:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        address = answer if isinstance(answer, str) else answer.pop(0)
        return [(2, 1, 6, "", (address, port))]

    return resolve
