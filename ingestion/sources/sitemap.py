"""Sitemaps: lists of a site's pages, in XML, plain or gzipped."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ingestion.sources import SourceError

MAX_SIZE = 20 * 1024 * 1024  # bytes of a sitemap, unpacked; they take ten times that in memory
GZIP = b"\x1f\x8b"
ENDINGS = (".xml", ".xml.gz")


@dataclass(frozen=True)
class Listed:
    """A page's address, and when the site says it was modified."""

    url: str
    lastmod: str | None = None


@dataclass(frozen=True)
class Sitemap:
    """What a sitemap lists: pages, or further sitemaps."""

    pages: tuple[Listed, ...] = ()
    sitemaps: tuple[str, ...] = ()


def looks_like_one(path: str) -> bool:
    """Return whether an address's path is that of a sitemap rather than of a page."""
    return path.lower().endswith(ENDINGS)


def read_sitemap(data: bytes) -> Sitemap:
    """Return what a sitemap lists. Raises SourceError for a file that is none."""
    try:
        root = fromstring(_unpacked(data))
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise SourceError("The sitemap is not XML that can be read; check the address.") from None
    kind = _plain(root)
    if kind == "urlset":
        return Sitemap(pages=tuple(_listed(root, "url")))
    if kind == "sitemapindex":
        return Sitemap(sitemaps=tuple(listed.url for listed in _listed(root, "sitemap")))
    raise SourceError("The address holds XML, but no sitemap; give that of a sitemap or a page.")


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(GZIP):
        return data
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacking.decompress(data, MAX_SIZE)
    except zlib.error:
        raise SourceError("The sitemap is a damaged gzip file; check the address.") from None
    if unpacking.unconsumed_tail:
        raise SourceError(
            f"The sitemap is larger than {MAX_SIZE // 2**20} MiB; name a part of it."
        )
    return plain


def _listed(root: Element, kind: str) -> Iterator[Listed]:
    for entry in root:
        if _plain(entry) == kind:
            told = {_plain(child): (child.text or "").strip() for child in entry}
            if told.get("loc"):
                yield Listed(told["loc"], told.get("lastmod") or None)


def _plain(element: Element) -> str:
    """Return an element's name without its namespace, which sites write in many ways."""
    return str(element.tag).rpartition("}")[2].lower()
