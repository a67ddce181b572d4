"""The source of a PDF: the texts of its pages, and places in them.

A place in a PDF is `(page - 1) * PAGE_STRIDE + index`, the index being that of PDFium's text of
the page: one for each UTF-16 unit, so a letter beyond the first plane has two.
"""

from collections.abc import Iterator

from ingestion.parse.visible import Piece

PAGE_STRIDE = 1_000_000
HYPHEN = "\ufffe"  # what PDFium writes for a hyphen that ends a line


class PagedSource:
    """Every page's text, addressed by place: what a `CanonicalWriter` holds its pieces against."""

    def __init__(self) -> None:
        self._pages: dict[int, str] = {}

    def add(self, number: int, units: str) -> None:
        """Add the text of page `number` (from 1)."""
        self._pages[number] = units.replace(HYPHEN, "-")

    def startswith(self, prefix: str, start: int, /) -> bool:
        """Return whether `prefix` stands at place `start`.

        A letter of two units may only be the last one: places behind it would be wrong.
        """
        number, index = start // PAGE_STRIDE + 1, start % PAGE_STRIDE
        if any(ord(c) > 0xFFFF for c in prefix[:-1]):
            return False
        return self._pages.get(number, "").startswith(units(prefix), index)


def units(text: str) -> str:
    """Return `text` with letters beyond the first plane as two surrogates."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(data[i] | data[i + 1] << 8) for i in range(0, len(data), 2))


def letters(text: str) -> str:
    """Return UTF-16 units as letters; half a letter becomes a replacement character."""
    if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def pieces(page: int, at: int, text: str) -> Iterator[Piece]:
    """Yield letters with their places, cut behind letters of two units.

    `text` has the units that begin at index `at` of page `page` (from 1).
    """
    place = (page - 1) * PAGE_STRIDE + at
    text = text.replace(HYPHEN, "-")
    if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text):
        yield text, place
        return
    start = 0
    for index, unit in enumerate(text):
        if "\udc00" <= unit <= "\udfff":
            yield letters(text[start : index + 1]), place + start
            start = index + 1
    if start < len(text):
        yield letters(text[start:]), place + start
