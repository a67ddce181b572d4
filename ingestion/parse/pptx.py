"""Presentations to blocks: a heading a slide, bullets as items, tables as rows.

The page of a block is the number of its slide. Hidden slides and shapes are left out and
counted; notes, footers and slide numbers are not text of a slide; diagrams are not read.
"""

import zipfile
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element  # types only; python-pptx brings lxml's

from pptx import Presentation
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.exc import PythonPptxError
from pptx.presentation import Presentation as Deck
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pptx.slide import Slide
from pptx.table import Table
from pptx.text.text import TextFrame, _Paragraph

from ingestion.parse.numerals import list_marker
from ingestion.parse.package import Package, damaged, open_package
from ingestion.parse.tables import joined_cells
from ingestion.parse.visible import Piece, visible
from ingestion.parse.writer import CanonicalWriter, Head, shorten

SLIDE_LEVEL = 2
MAX_DEPTH = 20  # groups of shapes in one another
TINY = 100  # hundredths of a point; text of that size is a speck
BAND = 300_000  # EMU (8 mm): shapes that near in height stand side by side

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_FURNITURE = (PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.SLIDE_NUMBER,
              PP_PLACEHOLDER.HEADER)  # fmt: skip
_BULLETED = (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT, PP_PLACEHOLDER.VERTICAL_BODY,
             PP_PLACEHOLDER.VERTICAL_OBJECT)  # fmt: skip
_NUMBERED = {"alphaLc": "a", "alphaUc": "A", "romanLc": "i", "romanUc": "I", "arabic": "1"}
_DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
_BROKEN = (KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError, OSError,
           zipfile.BadZipFile, PythonPptxError)  # fmt: skip


def parse_pptx(name: str, data: bytes) -> tuple[CanonicalWriter, Head]:
    """Read a presentation. Returns the written blocks and its title.

    The title is that of the file's properties, else of a first slide that is a title slide.

    Raises a `DocumentError` for what is damaged, protected or too large.
    """
    package = open_package(name, data)
    for part in package.names:
        if part.startswith("ppt/slides/") and part.endswith(".xml"):
            package.xml(part)  # refuses what nests too deep
    try:
        reader = _Reader(package, Presentation(package.plain()))
        reader.run()
    except _BROKEN as error:
        raise damaged(package.shown) from error
    return reader.writer, reader.head()


class _Reader:
    def __init__(self, package: Package, deck: Deck) -> None:
        self.writer = CanonicalWriter("")
        self._package = package
        self._deck = deck
        self._title: str | None = None
        self._page = 0
        self._groups = 0
        self._diagrams = 0

    def run(self) -> None:
        """Write every slide that is shown."""
        for number, slide in enumerate(self._deck.slides, start=1):
            self._page = number
            if slide._element.get("show") in ("0", "false"):
                self._hide(slide._element)
            else:
                self._write(slide)

    def head(self) -> Head:
        """Return the title, and a warning of what was not read."""
        warnings: tuple[str, ...] = ()
        if self._diagrams:
            were = "diagram was" if self._diagrams == 1 else "diagrams were"
            warnings = (f"{self._diagrams:,} {were} not read.",)
        return Head(title=self._package.title() or self._title, warnings=warnings)

    def _write(self, slide: Slide) -> None:
        title = slide.shapes.title
        text = visible(title.text_frame.text) if title is not None else ""
        if text and title is not None and not self._unseen(title):
            self.writer.add("heading", [(text, None)], level=SLIDE_LEVEL, page=self._page)
            centred = title.placeholder_format.type == PP_PLACEHOLDER.CENTER_TITLE
            if self._page == 1 and centred:
                self._title = shorten(text)
        for shape in self._in_reading_order(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                self._write_shape(shape)

    def _in_reading_order(
        self, shapes: Iterable[BaseShape], depth: int = 0
    ) -> Iterator[BaseShape]:
        """Yield shapes from top to bottom, those side by side from left to right."""
        places = sorted(shapes, key=lambda shape: ((shape.top or 0) // BAND, shape.left or 0))
        for shape in places:
            if isinstance(shape, GroupShape) and depth < MAX_DEPTH:
                if _hidden(shape):
                    self._hide(shape._element)
                else:
                    yield from self._in_reading_order(shape.shapes, depth + 1)
            else:
                yield shape

    def _write_shape(self, shape: BaseShape) -> None:
        kind = shape.placeholder_format.type if shape.is_placeholder else None
        if kind in _FURNITURE:
            return
        if self._unseen(shape):
            self._hide(shape._element)
        elif isinstance(shape, GraphicFrame) and shape.has_table:
            self._write_table(shape.table)
        elif isinstance(shape, GraphicFrame):
            self._diagrams += shape._element.graphicData_uri == _DIAGRAM
        elif shape.has_text_frame:
            self._write_text(shape.text_frame, bulleted=kind in _BULLETED)  # type: ignore[attr-defined]

    def _unseen(self, shape: BaseShape) -> bool:
        """Return whether a shape is hidden or stands beside its slide."""
        if _hidden(shape):
            return True
        width, height = self._deck.slide_width, self._deck.slide_height
        if shape.left is None or shape.top is None or not width or not height:
            return False  # a placeholder, which stands where its layout says
        return (
            shape.left >= width
            or shape.top >= height
            or shape.left + (shape.width or 0) < 0
            or shape.top + (shape.height or 0) < 0
        )

    def _write_text(self, frame: TextFrame, *, bulleted: bool) -> None:
        self._groups += 1
        counts: dict[int, int] = {}
        for paragraph in frame.paragraphs:
            pieces = self._pieces(paragraph)
            if not visible("".join(text for text, _ in pieces)):
                continue
            level = paragraph.level
            marker = _marker(paragraph, level, counts)
            if marker is None and not _has_bullet(paragraph, bulleted):
                self.writer.add("paragraph", pieces, page=self._page)
                continue
            if marker:
                pieces.insert(0, (marker, None))
            group = ("list", self._groups)
            self.writer.add("list_item", pieces, level=level, group=group, page=self._page)

    def _write_table(self, table: Table) -> None:
        self._groups += 1
        for row in table.rows:
            cells = [
                [piece for p in cell.text_frame.paragraphs for piece in [*self._pieces(p), _SPACE]]
                for cell in row.cells
                if not cell.is_spanned
            ]
            pieces = [piece for cell in joined_cells(cells) for piece in cell]
            self.writer.add("table_row", pieces, group=("table", self._groups), page=self._page)

    def _pieces(self, paragraph: _Paragraph) -> list[Piece]:
        pieces: list[Piece] = []
        for child in paragraph._p:
            if child.tag == f"{_A}br":
                pieces.append(_SPACE)
            elif child.tag in (f"{_A}r", f"{_A}fld"):
                text = "".join(found.text or "" for found in child.iter(f"{_A}t"))
                properties = child.find(f"{_A}rPr")
                if properties is not None and _speck(properties):
                    self.writer.hidden += len(visible(text))
                else:
                    pieces.append((text, None))
        return pieces

    def _hide(self, element: Element) -> None:
        texts = " ".join(found.text or "" for found in element.iter(f"{_A}t"))
        self.writer.hidden += len(visible(texts))


_SPACE: Piece = (" ", None)


def _hidden(shape: BaseShape) -> bool:
    return any(
        element.get("hidden") in ("1", "true")
        for element in shape._element.iterchildren()
        for element in element.iterchildren()
        if element.tag.endswith("}cNvPr")
    )


def _speck(properties: Element) -> bool:
    size = properties.get("sz", "")
    return properties.find(f"{_A}noFill") is not None or (size.isdecimal() and int(size) <= TINY)


def _has_bullet(paragraph: _Paragraph, inherited: bool) -> bool:
    properties = paragraph._p.find(f"{_A}pPr")
    if properties is None:
        return inherited
    if properties.find(f"{_A}buNone") is not None:
        return False
    return inherited or any(
        properties.find(f"{_A}{name}") is not None for name in ("buChar", "buBlip")
    )


def _marker(paragraph: _Paragraph, level: int, counts: dict[int, int]) -> str | None:
    """Return the number that is shown before a paragraph, None where there is none."""
    for deeper in [place for place in counts if place > level]:
        del counts[deeper]
    properties = paragraph._p.find(f"{_A}pPr")
    numbered = properties.find(f"{_A}buAutoNum") if properties is not None else None
    if numbered is None:
        counts.pop(level, None)
        return None
    start = numbered.get("startAt", "1")
    first = int(start) if start.isdecimal() and len(start) < 6 else 1
    counts[level] = counts.get(level, first - 1) + 1
    form = numbered.get("type", "arabicPeriod")
    kind = next((sign for name, sign in _NUMBERED.items() if form.startswith(name)), "1")
    number = list_marker(counts[level], kind).removesuffix(". ")
    if form.endswith("ParenBoth"):
        return f"({number}) "
    return f"{number}) " if form.endswith("ParenR") else f"{number}. "
