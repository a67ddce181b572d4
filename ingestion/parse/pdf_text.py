"""The text of a PDF page as runs: stretches of one look on one line, each where it stands."""

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium  # type: ignore[import-untyped]

from ingestion.parse.pdf_file import PageHandles, address
from ingestion.parse.pdf_source import HYPHEN, PAGE_STRIDE, letters

Box = tuple[float, float, float, float]

MAX_SIDE = 1e6  # points; what a page's box says beyond is nonsense
CELL_GAP = 0.9  # of the font's size; wider than any space but one that justifies a line
MAX_RUN_GAP = 0.5  # of the font's size, within one run
BOLD_WEIGHT = 600
PUT_IN = "\ufdd0"  # a space that PDFium put in, in text that is still numbers of glyphs
_SPACES = " \t\r\n\u00a0"
_LINE = re.compile(rf"\r\n|((?:(?!\r\n)[^{HYPHEN}])+{HYPHEN}?|{HYPHEN})", re.DOTALL)
_FORCE_BOLD = 1 << 18  # flags of a font, PDF 32000-1, table 123
_ITALIC = 1 << 6


@dataclass(slots=True, eq=False)
class Run:
    """Text of one look on one line. Coordinates are points from the page's upper left corner.

    `text` counts UTF-16 units, as PDFium does: `letters` makes letters of it.
    """

    text: str
    at: int  # index of the first unit in the page's text
    left: float
    right: float
    top: float
    bottom: float
    base: float  # of the letters
    size: float
    bold: bool
    italic: bool
    line: int  # PDFium's line
    turn: int = 0  # quarter turns against the page; -1 for any other angle
    unmapped: bool = False  # the font does not say which letters these are
    font: str = ""  # its name, if it has no map

    @property
    def words(self) -> str:
        """The letters, without white space around them."""
        return letters(self.text).replace(HYPHEN, "-").strip()


@dataclass
class PageText:
    """A page's text and shape."""

    number: int  # from 1
    units: str  # the whole text of the page, in UTF-16 units
    width: float
    height: float
    runs: list[Run]
    hidden: int = 0  # characters a person cannot see
    scan: bool = False  # holds a picture but no text
    rules: list[Box] = field(default_factory=list)  # lines, level or upright


def read_units(text_page: Any) -> str:
    """Return a page's text, one character for each of PDFium's."""
    count = min(pdfium.FPDFText_CountChars(text_page), PAGE_STRIDE)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    if written == count + 1:
        return "".join(map(chr, buffer[:count]))
    # Characters without a letter are left out there, so ask for each.
    return "".join(_unit(text_page, index) for index in range(count))


def _unit(text_page: Any, index: int) -> str:
    code = pdfium.FPDFText_GetUnicode(text_page, index)
    if code == 2 and pdfium.FPDFText_IsHyphen(text_page, index) == 1:
        return HYPHEN
    return chr(code) if code <= 0xFFFF else "\ufffd"


class TextReader:
    """Reads the runs of one page. PDFium is asked a few times a run, not for each character."""

    def __init__(self, handles: PageHandles) -> None:
        self.units = read_units(handles.text)
        self._text = handles.text
        self.rotation = pdfium.FPDFPage_GetRotation(handles.page)  # quarter turns clockwise
        self._box = page_box(handles.page)
        self._loose = pdfium.FS_RECTF()
        self._matrix = pdfium.FS_MATRIX()
        self._ink = [ctypes.c_double() for _ in range(4)]
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._fonts: dict[int, _Look] = {}
        self.unmapped: dict[str, Any] = {}  # fonts without a map to Unicode, by name

    @property
    def size(self) -> tuple[float, float]:
        """The page's width and height as it is shown."""
        left, bottom, right, top = self._box
        wide, high = (min(max(side, 0.0), MAX_SIDE) for side in (right - left, top - bottom))
        return (high, wide) if self.rotation % 2 else (wide, high)

    def read(self) -> list[tuple[Run, Any]]:
        """Return the page's runs in PDFium's order, each with the handle of its text object."""
        return [
            (run, painted)
            for number, line in enumerate(_LINE.finditer(self.units))
            if line[1]
            for low, high, painted in self._objects(*line.span(1))
            for run in self._runs(low, high, painted, number)
        ]

    def _objects(self, start: int, end: int) -> Iterator[tuple[int, int, Any]]:
        """Cut characters where another text object begins; those of one stand together."""
        low, painted = start, None
        for at, handle in self._changes(start, end):
            if painted and low < at:
                yield low, at, painted
            low, painted = at, handle
        if painted and low < end:
            yield low, end, painted

    def _changes(self, start: int, end: int) -> Iterator[tuple[int, Any]]:
        """Yield where a new text object begins, found by halving."""
        last = 0
        stack = [(start, end)]
        while stack:
            low, high = stack.pop()
            if low >= high:
                continue
            first = pdfium.FPDFText_GetTextObject(self._text, low)
            key = address(first)
            if high - low > 1 and not (key and key == self._object_at(high - 1)):
                middle = (low + high) // 2
                stack += [(middle, high), (low, middle)]
            elif key and key != last:  # a space that PDFium put in belongs to what is before it
                last = key
                yield low, first

    def _object_at(self, index: int) -> int:
        return address(pdfium.FPDFText_GetTextObject(self._text, index))

    def _runs(self, start: int, end: int, painted: Any, line: int) -> Iterator[Run]:
        """Yield an object's text, cut at gaps as wide as those between columns."""
        pdfium.FPDFText_GetMatrix(self._text, start, self._matrix)
        matrix = self._matrix
        size = pdfium.FPDFText_GetFontSize(self._text, start) * math.hypot(matrix.c, matrix.d)
        look = self._look(painted)
        turn = self._turn(matrix.a, matrix.b)
        unmapped = pdfium.FPDFText_HasUnicodeMapError(self._text, start) == 1
        if unmapped:
            self.unmapped.setdefault(look.name, pdfium.FPDFTextObj_GetFont(painted))
        for low, high in self._cut(start, end, size * CELL_GAP, turn):
            text = self.units[low:high]
            bare = len(text.rstrip(" " if unmapped else _SPACES))
            if not bare:
                continue
            if unmapped and " " in text:
                text = self._with_spaces_marked(text, low)
            left, top, right, bottom = self.box_of(low, low + bare)
            yield Run(
                text, low, left, right, top, bottom, self._base(low), size, look.bold,
                look.italic, line, turn, unmapped, look.name if unmapped else "",
            )  # fmt: skip

    def _with_spaces_marked(self, text: str, at: int) -> str:
        return "".join(
            PUT_IN if c == " " and pdfium.FPDFText_IsGenerated(self._text, at + index) == 1 else c
            for index, c in enumerate(text)
        )

    def _cut(self, start: int, end: int, gap: float, turn: int) -> Iterator[tuple[int, int]]:
        """Cut behind spaces that are wider than `gap`."""
        if turn == 0:
            space = self.units.find(" ", start + 1, end - 1)
            while space >= 0:
                width = self._space_around(space)
                if width > gap or width < -gap:
                    yield start, space + 1
                    start = space + 1
                space = self.units.find(" ", space + 1, end - 1)
        yield start, end

    def _space_around(self, space: int) -> float:
        """Return the distance between the letters around a space, in points."""
        loose, text = self._loose, self._text
        if self.rotation:
            return self._place(space + 1)[0] - self._place(space - 1)[2]
        pdfium.FPDFText_GetLooseCharBox(text, space - 1, loose)
        end = loose.right
        pdfium.FPDFText_GetLooseCharBox(text, space + 1, loose)
        return float(loose.left - end)

    def _place(self, index: int) -> Box:
        """Return a character's box as it is shown: left, top, right, bottom."""
        pdfium.FPDFText_GetLooseCharBox(self._text, index, self._loose)
        box = self._loose
        return self.shown_box((box.left, box.bottom, box.right, box.top))

    def box_of(self, start: int, end: int) -> Box:
        """Return the box around the characters from `start` to `end`, which stand on one line."""
        first = self._place(start)
        return first if end - start == 1 else _around(first, self._place(end - 1))

    def ink_box(self, index: int) -> Box:
        """Return the box around a character's ink: left, top, right, bottom."""
        left, right, bottom, top = self._ink
        pdfium.FPDFText_GetCharBox(self._text, index, left, right, bottom, top)
        return self.shown_box((left.value, bottom.value, right.value, top.value))

    def shown_box(self, box: Box) -> Box:
        """Return a box of the page's space (left, bottom, right, top) as it is shown."""
        x0, y0 = self._shown(box[0], box[1])
        x1, y1 = self._shown(box[2], box[3])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def _base(self, index: int) -> float:
        pdfium.FPDFText_GetCharOrigin(self._text, index, self._x, self._y)
        return self._shown(self._x.value, self._y.value)[1]

    def _shown(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the page's own space as it is shown, from the upper left corner."""
        return shown_point(x, y, self._box, self.rotation)

    def _turn(self, a: float, b: float) -> int:
        """Return how text is turned against the page as it is shown."""
        angle = math.degrees(math.atan2(b, a)) / 90
        nearest = round(angle)
        return -1 if abs(angle - nearest) > 0.1 else (nearest - self.rotation) % 4

    def _look(self, painted: Any) -> "_Look":
        font = pdfium.FPDFTextObj_GetFont(painted)
        key = address(font)
        if key not in self._fonts:
            self._fonts[key] = _font_look(font) if font else _Look("", False, False)
        return self._fonts[key]


@dataclass(frozen=True, slots=True)
class _Look:
    name: str
    bold: bool
    italic: bool


def merged(runs: Sequence[Run]) -> list[Run]:
    """Join runs that go on without a gap and look alike: some programs set letter by letter."""
    found: list[Run] = []
    for run in runs:
        if found and _continues(found[-1], run):
            last = found[-1]
            last.text += run.text
            last.left, last.right = min(last.left, run.left), max(last.right, run.right)
            last.top, last.bottom = min(last.top, run.top), max(last.bottom, run.bottom)
        else:
            found.append(run)
    return found


def _continues(last: Run, run: Run) -> bool:
    return (
        last.at + len(last.text) == run.at
        and (last.line, last.turn, last.font) == (run.line, run.turn, run.font)
        and (last.bold, last.italic, last.unmapped) == (run.bold, run.italic, run.unmapped)
        and abs(last.base - run.base) < 0.5
        and abs(last.size - run.size) < 0.1
        and abs(run.left - last.right) <= MAX_RUN_GAP * run.size
    )


def _font_look(font: Any) -> _Look:
    """Return a font's name, and whether it is bold or italic by that name and its flags."""
    buffer = ctypes.create_string_buffer(128)
    pdfium.FPDFFont_GetBaseFontName(font, buffer, len(buffer))
    name = buffer.value.decode("latin-1").lower()
    flags = pdfium.FPDFFont_GetFlags(font)
    bold = any(word in name for word in ("bold", "black", "heavy", "-semibold", "demi"))
    weight = pdfium.FPDFFont_GetWeight(font)
    italic = "italic" in name or "oblique" in name or bool(flags > 0 and flags & _ITALIC)
    heavy = bold or bool(flags > 0 and flags & _FORCE_BOLD) or weight >= BOLD_WEIGHT
    return _Look(name, heavy, italic)


def page_box(page: Any) -> Box:
    """Return what is shown of a page: left, bottom, right, top, in points of its own space."""
    box = pdfium.FS_RECTF()
    pdfium.FPDF_GetPageBoundingBox(page, box)
    return box.left, box.bottom, box.right, box.top


def shown_point(x: float, y: float, box: Box, rotation: int) -> tuple[float, float]:
    """Return a point of a page's space as shown: `box` is what is shown, turned clockwise."""
    left, bottom, right, top = box
    if rotation == 1:
        return y - bottom, x - left
    if rotation == 2:
        return right - x, y - bottom
    if rotation == 3:
        return top - y, right - x
    return x - left, top - y


def _around(first: Box, last: Box) -> Box:
    return (
        min(first[0], last[0]),
        min(first[1], last[1]),
        max(first[2], last[2]),
        max(first[3], last[3]),
    )
