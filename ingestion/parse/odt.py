"""OpenDocument texts to blocks: a page is made of them, which is read as any page is.

What styles hide is hidden by the same words in that page, so that the walk leaves it out and
counts it. Tracked deletions, annotations and tables of contents are left out. The numbers that
chapters count by themselves are not shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from xml.etree.ElementTree import Element  # types only

from ingestion.errors import FileTooLargeError, TooComplexError
from ingestion.parse.html import write_page
from ingestion.parse.odt_styles import NAMES, TEXT, TextStyles, style_attribute
from ingestion.parse.package import Package, damaged, open_package, protected
from ingestion.parse.visible import visible
from ingestion.parse.walk import PAGE_BREAK
from ingestion.parse.writer import CanonicalWriter, Head, shorten

MAX_HEADING_LEVEL = 6
MAX_PAGE = 12 * 2**20  # characters of the page that is made
MAX_REPEATED = 1_000  # cells and rows with words that a file may say to repeat

_TABLE, _OFFICE = f"{{{NAMES}table:1.0}}", f"{{{NAMES}office:1.0}}"
_DRAW, _META = f"{{{NAMES}drawing:1.0}}", f"{{{NAMES}meta:1.0}}"
_SKIPPED = frozenset(
    [f"{TEXT}{name}" for name in ("table-of-content", "alphabetical-index", "illustration-index",
                                   "table-index", "sequence-decls", "variable-decls")]
    + [f"{_OFFICE}annotation", f"{_OFFICE}forms", f"{_DRAW}image", f"{_DRAW}object"]
)  # fmt: skip
_CONTENTS = frozenset(
    [f"{TEXT}{name}" for name in ("section", "index-body", "numbered-paragraph")]
)


@dataclass
class _Written:
    """A page being written. `hid` counts what no page could hide."""

    parts: list[str] = field(default_factory=list)
    notes: list[list[str]] = field(default_factory=list)
    hid: int = 0
    page: int = 1
    title: str | None = None
    words: bool = False


def parse_odt(name: str, data: bytes) -> tuple[CanonicalWriter, Head]:
    """Read an OpenDocument text. Returns the written blocks and its title.

    Blocks have pages where the program laid the document out before it was saved.

    Raises a `DocumentError` for what is damaged, protected, too large or too deep.
    """
    package = open_package(name, data)
    # Not read as XML: old programs write a document type into it.
    if b"encryption-data" in (package.read("META-INF/manifest.xml") or b""):
        raise protected(package.shown)
    root = package.xml("content.xml")
    content = root.find(f"{_OFFICE}body/{_OFFICE}text") if root is not None else None
    if root is None or content is None:
        raise damaged(package.shown)
    page = _Page(package.shown, TextStyles([package.xml("styles.xml"), root]))
    try:
        page.write(content)
    except RecursionError as error:
        raise TooComplexError(
            f"{package.shown} nests lists or tables too deep; "
            "save it again from the program that made it."
        ) from error
    writer = CanonicalWriter("")
    paged = page.written.page == _pages(package)
    write_page(name, page.html(), writer, paged=paged)
    writer.hidden += page.written.hid
    title = page.written.title
    return writer, Head(title=shorten(title) if title else package.title("meta.xml"))


def _pages(package: Package) -> int:
    """Return how many pages the program counted when it saved the file, 0 if it did not."""
    root = package.xml("meta.xml")
    found = root.find(f".//{_META}document-statistic") if root is not None else None
    return _number(found, f"{_META}page-count", 0) if found is not None else 0


class _Page:
    def __init__(self, shown: str, styles: TextStyles) -> None:
        self._shown = shown
        self.written = _Written()
        self._styles = styles
        self._out = self.written.parts
        self._boxes: list[Element] = []
        self._counts: dict[tuple[str, int], int] = {}
        self._length = 0
        self._repeats = MAX_REPEATED

    def html(self) -> str:
        """Return the page, its notes at the end."""
        notes = "".join(f"<li>{''.join(note)}</li>" for note in self.written.notes)
        return "".join(self.written.parts) + (f"<ol>{notes}</ol>" if notes else "")

    def write(self, source: Element, lists: str = "", depth: int = 0) -> None:
        """Write the blocks in `source`; `lists` is the style of the list around them."""
        for child in source:
            if child.tag in (f"{TEXT}p", f"{TEXT}h"):
                self._paragraph(child)
            elif child.tag == f"{TEXT}list":
                self._list(child, lists, depth)
            elif child.tag == f"{_TABLE}table":
                self._table(child)
            elif child.tag == f"{TEXT}tracked-changes":
                self._hide(child)
            elif child.tag == f"{TEXT}soft-page-break":
                self._turn()
            elif child.tag in _CONTENTS:
                self._section(child, lists, depth)
            elif child.tag == f"{_DRAW}frame":
                self._boxed(child)

    def _section(self, source: Element, lists: str, depth: int) -> None:
        if source.get(f"{TEXT}display", "true") == "none":
            self._hide(source)
            return
        look = self._styles.look("section", source.get(f"{TEXT}style-name"))
        self._put(f"<div{style_attribute(look)}>")
        self.write(source, lists, depth)
        self._put("</div>")

    def _paragraph(self, source: Element) -> None:
        hidden = source.find(f".//{TEXT}hidden-paragraph")
        if hidden is not None and hidden.get(f"{TEXT}is-hidden", "true") == "true":
            self._hide(source)
            return
        look = self._styles.look("paragraph", source.get(f"{TEXT}style-name"))
        if look.opens_page and self.written.words:
            self._turn()
        level = min(_number(source, f"{TEXT}outline-level", 1), MAX_HEADING_LEVEL)
        tag = f"h{max(level, 1)}" if source.tag == f"{TEXT}h" else "p"
        tag = "h1" if look.title else tag
        boxes, self._boxes = self._boxes, []
        start = len(self._out)
        self._put(f"<{tag}{style_attribute(look)}>")
        self._inline(source)
        self._put(f"</{tag}>")
        self.written.words = self.written.words or bool("".join(source.itertext()).strip())
        if look.title and self.written.title is None and "display" not in dict(look.css):
            self.written.title = self._title(source, start)
        found, self._boxes = self._boxes, boxes
        for box in found:
            self.write(box)

    def _title(self, source: Element, start: int) -> str | None:
        plain = not any("display:none" in part for part in self._out[start:])
        return (visible("".join(source.itertext())) or None) if plain else None

    def _inline(self, source: Element) -> None:
        self._put(escape(source.text or ""))
        for child in source:
            self._inline_child(child)
            self._put(escape(child.tail or ""))

    def _inline_child(self, child: Element) -> None:
        if child.tag == f"{TEXT}span":
            look = self._styles.look("text", child.get(f"{TEXT}style-name"))
            tag = look.raised or "span"
            self._put(f"<{tag}{style_attribute(look)}>")
            self._inline(child)
            self._put(f"</{tag}>")
        elif child.tag == f"{TEXT}s":
            self._put(" ")
        elif child.tag == f"{TEXT}tab":
            self._put("\t")
        elif child.tag == f"{TEXT}line-break":
            self._put("<br>")
        elif child.tag == f"{TEXT}soft-page-break":
            self._turn()
        elif child.tag == f"{TEXT}note":
            self._note(child)
        elif child.tag == f"{TEXT}hidden-text":
            self._hide(child, shown=child.get(f"{TEXT}is-hidden", "true") != "true")
        elif child.tag == f"{_DRAW}frame":
            self._boxes += child.findall(f"{_DRAW}text-box")
        elif child.tag == f"{TEXT}ruby":
            for base in child.findall(f"{TEXT}ruby-base"):
                self._inline(base)
        elif child.tag not in _SKIPPED:
            self._inline(child)

    def _note(self, source: Element) -> None:
        body = source.find(f"{TEXT}note-body")
        if body is None:
            return
        note: list[str] = []
        self.written.notes.append(note)
        self._put(f"<sup>{len(self.written.notes)}</sup>")
        outer, self._out = self._out, note
        note.append(_turned(self.written.page))
        self.write(body)
        self._out = outer

    def _list(self, source: Element, style: str, depth: int) -> None:
        style = source.get(f"{TEXT}style-name") or style
        form = self._styles.numbered(style, depth)
        goes_on = source.get(f"{TEXT}continue-numbering") == "true" or (
            source.get(f"{TEXT}continue-list") is not None
        )
        key = (style, depth)
        start = self._counts.get(key, 0) + 1 if goes_on else 1
        self._put(f'<ol type="{form}" start="{start}">' if form else "<ul>")
        for item in source:
            if item.tag in (f"{TEXT}list-item", f"{TEXT}list-header"):
                numbered = item.tag == f"{TEXT}list-item"
                self._counts[key] = start
                start += numbered
                tag = "li" if numbered else "div"
                self._put(f"<{tag}>")
                self.write(item, style, depth + 1)
                self._put(f"</{tag}>")
        self._put("</ol>" if form else "</ul>")

    def _table(self, source: Element) -> None:
        self._put("<table>")
        for row in _rows(source):
            if row.get(f"{_TABLE}visibility", "visible") != "visible":
                self._hide(row)
                continue
            for _ in range(self._repeated(row, "rows")):
                self._put("<tr>")
                for cell in row:
                    self._cell(cell)
                self._put("</tr>")
        self._put("</table>")

    def _cell(self, source: Element) -> None:
        if source.tag != f"{_TABLE}table-cell":
            return
        look = self._styles.look("table-cell", source.get(f"{_TABLE}style-name"))
        for _ in range(self._repeated(source, "columns")):
            self._put(f"<td{style_attribute(look)}>")
            self.write(source)
            self._put("</td>")

    def _repeated(self, element: Element, what: str) -> int:
        """Return how often a cell or row stands; one without words stands once."""
        times = _number(element, f"{_TABLE}number-{what}-repeated", 1)
        if times < 2 or not any(text.strip() for text in element.itertext()):
            return 1
        extra = min(times - 1, self._repeats)
        self._repeats -= extra
        return 1 + extra

    def _boxed(self, frame: Element) -> None:
        for box in frame.findall(f"{_DRAW}text-box"):
            self.write(box)

    def _turn(self) -> None:
        self.written.page += 1
        self._put(_turned(self.written.page))

    def _hide(self, source: Element, *, shown: bool = False) -> None:
        text = visible(" ".join(source.itertext()))
        if shown:
            self._put(escape(text))
        else:
            self.written.hid += len(text)

    def _put(self, markup: str) -> None:
        if markup:
            self._out.append(markup)
            self._length += len(markup)
        if self._length > MAX_PAGE:
            raise FileTooLargeError(f"{self._shown} unpacks to far more text than people write.")


def _turned(page: int) -> str:
    return f'<input class="{PAGE_BREAK}" value="{page}">'


def _rows(table: Element) -> Iterator[Element]:
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag in (f"{_TABLE}table-header-rows", f"{_TABLE}table-rows",
                           f"{_TABLE}table-row-group"):  # fmt: skip
            yield from _rows(child)


def _number(element: Element, name: str, default: int) -> int:
    text = element.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 8 else default
