"""Workbooks to blocks: a heading a sheet, a block a row, cells as they are shown.

Hidden sheets, rows, columns and cells are left out and counted. Formulas show the value that was
last worked out; charts, comments and macros are not read.
"""

import re
import warnings
import zipfile
from collections.abc import Iterator

from openpyxl import load_workbook
from openpyxl.cell.read_only import EmptyCell, ReadOnlyCell
from openpyxl.workbook import Workbook
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from ingestion.errors import TooComplexError
from ingestion.parse.number_format import Value, shown
from ingestion.parse.package import Package, damaged, open_package, plain_xml
from ingestion.parse.sheet import write_rows
from ingestion.parse.styles import WHITE, Look, colour
from ingestion.parse.visible import visible
from ingestion.parse.writer import CanonicalWriter, Head

MAX_ROWS = 50_000  # with words in them, of all sheets
MAX_COLUMNS = 200
MAX_CELLS = 3_000_000  # looked at, empty ones and rows without any too
LAST_COLUMN = 16_384  # that a sheet can have
SHEET_LEVEL = 2

_SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DEFAULT_NAME = re.compile(r"(?:sheet|tabelle|feuil|hoja|foglio|blad|planilha)\s?\d*", re.I)
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_COLUMN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_ATTRIBUTE = re.compile(rb"\b(r|min|max|hidden|width|ht)\s*=\s*[\"']([^\"']{0,20})[\"']")
_WHITE_THEME = 0  # of a font's colour: the background's
_BROKEN = (KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError, OSError,
           zipfile.BadZipFile, OverflowError)  # fmt: skip


def parse_xlsx(name: str, data: bytes) -> tuple[CanonicalWriter, Head]:
    """Read a workbook. Returns the written rows and the title of its properties.

    Raises a `DocumentError` for what is damaged, protected, too large or too wide.
    """
    package = open_package(name, data)
    with warnings.catch_warnings():  # of what openpyxl leaves out: we do too
        warnings.simplefilter("ignore")
        try:
            book = load_workbook(package.plain(), read_only=True, data_only=True, keep_links=False)
            reader = _Reader(package, book)
            reader.run()
        except _BROKEN as error:
            raise damaged(package.shown) from error
    return reader.writer, Head(title=package.title())


class _Reader:
    def __init__(self, package: Package, book: Workbook) -> None:
        self.writer = CanonicalWriter("")
        self._package = package
        self._book = book
        self._rows = 0
        self._cells = 0

    def run(self) -> None:
        """Write every sheet that is shown."""
        parts = _parts(self._package)
        for number, sheet in enumerate(self._book.worksheets):
            hidden = sheet.sheet_state != "visible"
            rows = self._shown_rows(sheet, parts.get(sheet.title, ""), hidden)
            if hidden:
                for _ in rows:
                    pass  # its words are counted
            else:
                self._write(number, sheet.title, rows)

    def _write(self, number: int, title: str, rows: Iterator[list[str]]) -> None:
        first = next(rows, None)
        if first is None:
            return
        if not _DEFAULT_NAME.fullmatch(title.strip()):
            self.writer.add("heading", [(title, None)], level=SHEET_LEVEL)
        write_rows(self._package.shown, self.writer, _with(first, rows), ("sheet", number))

    def _shown_rows(
        self, sheet: ReadOnlyWorksheet, part: str, hidden: bool
    ) -> Iterator[list[str]]:
        """Yield the rows that hold words, and count what is not shown."""
        rows, columns = self._hidden(part)
        sheet.reset_dimensions()  # what a file says of its size may be anything
        for number, row in enumerate(sheet.iter_rows(), start=1):
            self._count(row)
            out = hidden or number in rows
            texts = [
                self._text(cell, out or place in columns)
                for place, cell in enumerate(row, start=1)
            ]
            if any(texts):
                self._refuse_size(texts)
                yield [text for place, text in enumerate(texts, 1) if place not in columns]

    def _text(self, cell: ReadOnlyCell | EmptyCell, hidden: bool) -> str:
        value: Value = cell.value
        if value is None or not isinstance(cell, ReadOnlyCell):
            return ""
        text = shown(value, cell.number_format or "General")
        if not hidden and text and not _unseen(cell):
            return text
        self.writer.hidden += len(visible(text or str(value)))
        return ""

    def _count(self, row: tuple[ReadOnlyCell | EmptyCell, ...]) -> None:
        self._cells += len(row) + 1  # a row that is not in the file is empty, but takes time
        if self._cells > MAX_CELLS:
            raise TooComplexError(
                f"{self._package.shown} has more than {MAX_CELLS:,} cells; send the sheets that"
                " matter."
            )

    def _refuse_size(self, texts: list[str]) -> None:
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise TooComplexError(
                f"{self._package.shown} has more than {MAX_ROWS:,} rows; split it."
            )
        if any(texts[MAX_COLUMNS:]):
            raise TooComplexError(
                f"{self._package.shown} has more than {MAX_COLUMNS:,} columns; send the columns"
                " that matter."
            )

    def _hidden(self, part: str) -> tuple[frozenset[int], frozenset[int]]:
        """Return the numbers of the hidden rows and columns of a sheet."""
        data = plain_xml(self._package.shown, self._package.read(part) or b"")
        rows: set[int] = set()
        number = 0
        for match in _ROW.finditer(data):
            said = dict(_ATTRIBUTE.findall(match[1]))
            number = int(said.get(b"r", number + 1))
            if _is_hidden(said, b"ht"):
                rows.add(number)
        columns: set[int] = set()
        for match in _COLUMN.finditer(data):
            said = dict(_ATTRIBUTE.findall(match[1]))
            if _is_hidden(said, b"width"):
                first, last = int(said.get(b"min", 1)), int(said.get(b"max", 1))
                columns.update(range(first, min(last, LAST_COLUMN) + 1))
        return frozenset(rows), frozenset(columns)


def _is_hidden(said: dict[bytes, bytes], size: bytes) -> bool:
    return said.get(b"hidden") in (b"1", b"true") or float(said.get(size, b"1")) == 0


def _parts(package: Package) -> dict[str, str]:
    """Return which part of the package holds each sheet, by the sheet's name."""
    book = package.related("", "officeDocument", "xl/workbook.xml")
    targets = {relation.identity: relation.target for relation in package.relations(book)}
    root = package.xml(book)
    sheets = root.iter(f"{_SPREADSHEET}sheet") if root is not None else ()
    return {sheet.get("name", ""): targets.get(sheet.get(_RELATION, ""), "") for sheet in sheets}


def _unseen(cell: ReadOnlyCell) -> bool:
    """Return whether a cell's words have the colour of what is behind them."""
    if not cell.has_style:
        return False
    written = cell.font.color
    if written is None:
        return False
    text = WHITE if written.theme == _WHITE_THEME and not written.tint else None
    if written.type == "rgb":
        text = colour(str(written.rgb)[-6:])
    fill = cell.fill
    if fill is None or fill.fill_type is None:
        return Look(text, WHITE).unseen
    if fill.fill_type != "solid" or fill.fgColor.type != "rgb":
        return False
    return Look(text, colour(str(fill.fgColor.rgb)[-6:])).unseen


def _with(first: list[str], rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rows
