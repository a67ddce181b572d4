"""The tree of a Word document: ways to the elements that hold text, and pages as laid out."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from ingestion.parse.docx_styles import W, integer, value

MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
WRAPPERS = frozenset(
    f"{W}{name}" for name in "ins moveTo customXml smartTag sdtContent dir bdo fldSimple "
    "hyperlink rubyBase".split()
)  # fmt: skip


@dataclass
class Pages:
    """Which page is being read, as Word last laid the document out.

    A break that the author set is followed by one that Word laid out: both are one.
    """

    number: int = 1
    _set: bool = False
    _words: bool = False

    def laid_out(self) -> None:
        """Turn the page where Word did, unless the author has just turned it."""
        self.number += not self._set
        self._set = False

    def set_by_author(self) -> None:
        """Turn the page, unless nothing stands on it yet."""
        self.number += self._words
        self._set = self._words

    def words(self) -> None:
        """Take note of words on the page."""
        self._set, self._words = False, True


def gallery(block: Element) -> str | None:
    """Return which gallery of building blocks a content control came from."""
    found = block.find(f"{W}sdtPr/{W}docPartObj")
    return None if found is None else value(found, "docPartGallery")


def chosen(alternatives: Element) -> Element:
    """Return the first of several ways to say the same: the newest, which is never empty."""
    for choice in alternatives:
        if len(choice):
            return choice
    return alternatives


def boxes_in(picture: Element) -> Iterator[Element]:
    """Yield the text boxes in a picture, the first of several ways to say the same."""
    for child in picture:
        if child.tag == f"{W}txbxContent":
            yield child
        elif child.tag == ALTERNATIVES:
            yield from boxes_in(chosen(child))
        else:
            yield from boxes_in(child)


def rows_of(table: Element) -> Iterator[Element]:
    """Yield a table's rows, through what is wrapped around them."""
    for child in table:
        if child.tag == f"{W}tr":
            yield child
        elif child.tag in WRAPPERS or child.tag == f"{W}sdt":
            yield from rows_of(child)


def cells_of(row: Element) -> Iterator[Element]:
    """Yield a row's cells, through what is wrapped around them."""
    for child in row:
        if child.tag == f"{W}tc":
            yield child
        elif child.tag in WRAPPERS or child.tag == f"{W}sdt":
            yield from cells_of(child)


def copy_spans(properties: Element, own: Element) -> None:
    """Copy over how many columns and rows a cell goes."""
    if (span := integer(value(properties, "gridSpan"), 1)) > 1:
        SubElement(own, f"{W}gridSpan", {f"{W}val": str(span)})
    merge = properties.find(f"{W}vMerge")
    if merge is not None:
        SubElement(own, f"{W}vMerge", {f"{W}val": merge.get(f"{W}val") or "continue"})


def formula(element: Element) -> str:
    """Return a formula on one line: fractions with a stroke, powers with a caret."""
    name = element.tag.removeprefix(MATH)
    if name == "t":
        return element.text or ""
    parts = [formula(child) for child in element if not child.tag.endswith("Pr")]
    if name == "f":
        return "/".join(parts)
    return "^".join(parts) if name == "sSup" else "".join(parts)
