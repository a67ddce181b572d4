"""Web pages: one, or those that a sitemap lists, all of one host."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urldefrag, urljoin

from protego import Protego
from urllib3.util import Url

from ingestion.errors import printable
from ingestion.sources import Failure, Fetching, Found, Item, Seen, SourceError, Unchanged
from ingestion.sources.choice import (
    DOCUMENT_ENDINGS,
    Patterns,
    Tally,
    check_options,
    ending,
    number,
)
from ingestion.sources.fetch import (
    GONE,
    Fetched,
    Fetcher,
    FetchError,
    address,
    same_site,
    shown_url,
)
from ingestion.sources.guard import RefusedHostError
from ingestion.sources.sitemap import MAX_SIZE, Listed, looks_like_one, read_sitemap

OPTIONS = ("include", "limit", "pause")
ROBOT = "Footnote"  # the name that robots.txt may speak of
MAX_ROBOTS = 1024 * 1024  # bytes of robots.txt
MAX_PAUSE = 60.0  # seconds between two requests that the option may ask for
MAX_CRAWL_DELAY = 10.0  # seconds that robots.txt may ask for
MAX_SITEMAPS = 100  # of an index

_ENDINGS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/markdown": "md",
    "text/x-markdown": "md",
    "text/plain": "txt",
    "text/csv": "csv",
    "message/rfc822": "eml",
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/rtf": "rtf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.oasis.opendocument.text": "odt",
}
"""The ending that a document of each media type has."""
_SAME = {"html": {"htm", "xhtml"}, "md": {"markdown", "mdown"}, "txt": {"text", "md", "csv"}}
"""Other endings that say as much, or are more telling than what a server says of plain text."""
_VAGUE_TYPES = frozenset(["", "application/octet-stream", "binary/octet-stream"])


@dataclass(frozen=True)
class _Stamp:
    """What a page was known by: its validators, and the sitemap's date."""

    etag: str = ""
    modified: str = ""
    lastmod: str = ""

    @classmethod
    def read(cls, fingerprint: str | None) -> "_Stamp":
        parts = (fingerprint or "").split("\n")
        return cls(*parts) if len(parts) == 3 else cls()

    def written(self) -> str | None:
        return "\n".join((self.etag, self.modified, self.lastmod)) if any(vars(self)) else None

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for a page only if it changed."""
        asked = {"if-none-match": self.etag, "if-modified-since": self.modified}
        return {name: value for name, value in asked.items() if value}

    def vouched_by(self, lastmod: str) -> bool:
        """Return whether the sitemap alone shows that nothing changed.

        Only for pages without validators, and only to the minute or better: a page may change
        twice in a day, and a date would hide the second time.
        """
        return not self.conditions() and "T" in lastmod and lastmod == self.lastmod


class WebScanner:
    """Reads a page, or the pages of a sitemap and of the sitemaps that an index lists.

    Only the host of the address is read, as its robots.txt allows. A page that is gone (404,
    410) is not reported; pictures and other things that are no documents are passed over.
    """

    def __init__(self, uri: str, options: Mapping[str, str], config: Fetching) -> None:
        check_options("web", options, OPTIONS)
        self._uri = urldefrag(uri.strip()).url
        self._site = address(self._uri)
        self._include = Patterns.parse(options.get("include", ""))
        self._limit = int(number(options, "limit", 0, config.max_items)) or None
        self._pause = number(options, "pause", config.pace, MAX_PAUSE)
        self._config = config

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Return the pages there are, in order of their addresses."""
        fetcher = Fetcher(self._config, pace=self._pause)
        try:
            robots = self._robots(fetcher)
            delay = robots.crawl_delay(ROBOT) or 0.0
            fetcher.pace = max(fetcher.pace, min(float(delay), MAX_CRAWL_DELAY))
            pages = self._pages(fetcher, robots)
            tally = Tally(self._config)
            for page in pages:
                tally.count()
                yield from self._look(fetcher, robots, page, known.get(page.url), tally)
        finally:
            fetcher.close()

    def _robots(self, fetcher: Fetcher) -> Protego:
        """Return what robots.txt allows: all of the site where there is none."""
        url = urljoin(self._site.url, "/robots.txt")
        try:
            answer = fetcher.get(url, same_host=True, limit=MAX_ROBOTS)
        except FetchError as error:
            if error.status is not None and error.status < 500 and error.status != 429:
                return Protego.parse("")
            raise SourceError(
                f"robots.txt of {self._site.host} cannot be read, so nothing was: {error}"
            ) from error
        return Protego.parse(answer.data.decode("utf-8", "replace"))

    def _pages(self, fetcher: Fetcher, robots: Protego) -> list[Listed]:
        if not looks_like_one(self._site.path or ""):
            return [Listed(self._uri)]
        listed = list(self._listed(fetcher, robots))
        here = [page for page in listed if self._is_here(page.url)]
        if listed and not here:
            raise SourceError(
                f"The sitemap of {self._site.host} lists pages of other hosts only, such as"
                f" {shown_url(listed[0].url)}; give the sitemap on that host."
            )
        pages = {urldefrag(page.url).url: page for page in here if self._wanted(page.url)}
        # In order of their addresses: that of the sitemap changes, and with it what is cut off.
        return [Listed(url, pages[url].lastmod) for url in sorted(pages)][: self._limit]

    def _listed(self, fetcher: Fetcher, robots: Protego) -> Iterator[Listed]:
        sitemap = read_sitemap(self._sitemap(fetcher, robots, self._uri))
        yield from sitemap.pages
        if len(sitemap.sitemaps) > MAX_SITEMAPS:
            raise SourceError(
                f"The index lists more than {MAX_SITEMAPS} sitemaps; name one of them."
            )
        for url in sitemap.sitemaps:
            if self._is_here(url):
                yield from read_sitemap(self._sitemap(fetcher, robots, url)).pages

    def _sitemap(self, fetcher: Fetcher, robots: Protego, url: str) -> bytes:
        if not robots.can_fetch(url, ROBOT):
            raise SourceError(f"robots.txt of {self._site.host} does not allow {shown_url(url)}.")
        try:
            answer = fetcher.get(url, same_host=True, limit=MAX_SIZE)
        except FetchError as error:
            raise SourceError(str(error)) from error
        if answer.status != 200:
            raise SourceError(f"There is no sitemap at {shown_url(url)}; check the address.")
        return answer.data

    def _is_here(self, url: str) -> bool:
        try:
            return same_site(self._site, address(url))
        except SourceError:
            return False

    def _wanted(self, url: str) -> bool:
        return not self._include or self._include.fit(unquote(address(url).path or "/"))

    def _look(
        self, fetcher: Fetcher, robots: Protego, page: Listed, seen: Seen | None, tally: Tally
    ) -> Iterator[Found]:
        """Return one page as it is, if it is there and a document."""
        stamp = _Stamp.read(seen.fingerprint if seen else None)
        lastmod = printable(page.lastmod or "")
        if not robots.can_fetch(page.url, ROBOT):
            yield Failure(page.url, f"robots.txt does not allow {shown_url(page.url)} to be read.")
        elif stamp.vouched_by(lastmod):
            yield Unchanged(page.url, stamp.written())
        elif refusal := tally.refusal(page.url, 0):
            yield refusal
        else:
            yield from self._fetch(fetcher, page.url, lastmod, stamp, tally)

    def _fetch(
        self, fetcher: Fetcher, url: str, lastmod: str, stamp: _Stamp, tally: Tally
    ) -> Iterator[Found]:
        try:
            answer = fetcher.get(url, stamp.conditions(), same_host=True)
        except (FetchError, RefusedHostError) as error:
            yield Failure(url, str(error))
            return
        if answer.status == 304:
            yield Unchanged(url, _Stamp(stamp.etag, stamp.modified, lastmod).written())
        elif answer.status in GONE:
            self._refuse_missing_page(url)
        elif (name := _name(answer)) is not None:
            tally.add(len(answer.data))
            fingerprint = _fingerprint(answer, lastmod)
            yield Item(url, name, answer.data, fingerprint, answer.url, answer.modified)

    def _refuse_missing_page(self, url: str) -> None:
        """Raise SourceError if the page that is gone is all that is watched."""
        if url == self._uri:
            raise SourceError(
                f"{shown_url(url)} is not there any more; correct the address, or remove the"
                " source."
            )


def _fingerprint(answer: Fetched, lastmod: str) -> str | None:
    etag, modified = (
        printable(answer.headers.get(name, "")) for name in ("etag", "last-modified")
    )
    return _Stamp(etag, modified, lastmod).written()


def _name(answer: Fetched) -> str | None:
    """Return the path of a page with the ending of its type, None if it is no document."""
    parts = address(answer.url)
    path = unquote(_path(parts)).strip("/")
    written = ending(path)
    if answer.media_type in _VAGUE_TYPES:
        return printable(path) if written in DOCUMENT_ENDINGS else None
    fitting = _ENDINGS.get(answer.media_type)
    if fitting is None:
        return None
    if written != fitting and written not in _SAME.get(fitting, ()):
        path = f"{path}.{fitting}"
    return printable(path)


def _path(parts: Url) -> str:
    """Return the path of a page, which a query is part of: pages of one path must not meet."""
    path = parts.path or "/"
    path = f"{path}index" if path.endswith("/") else path
    return f"{path} {parts.query}" if parts.query else path
