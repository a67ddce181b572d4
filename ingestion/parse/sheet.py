"""Rows of a sheet or a table file to blocks: each row says what its cells are.

"Item: Headphones | Return window: 14 days": a row that is found alone can be understood alone.
"""

from collections.abc import Iterable, Iterator, Sequence

from ingestion.parse.tables import CELL_JOINER
from ingestion.parse.visible import visible
from ingestion.parse.writer import CanonicalWriter

NAME_JOINER = ": "
MAX_NAME = 60  # characters of a column's name
LOOKED_AT = 20  # rows in which the names of the columns are looked for


def write_rows(
    writer: CanonicalWriter, rows: Iterable[Sequence[str]], group: object, page: int | None = None
) -> int:
    """Write rows of visible text as blocks on neighbouring lines. Returns how many.

    The first row of at least two short words, none of them a number, names the columns; lines
    with one cell above it are paragraphs. Without such a row cells stand without names.
    """
    written = 0
    waiting = _Waiting(writer, group, page)
    for row in rows:
        written += waiting.take([visible(cell) for cell in row])
    return written + waiting.end()


class _Waiting:
    """Holds rows back until it is known which names the columns."""

    def __init__(self, writer: CanonicalWriter, group: object, page: int | None) -> None:
        self._writer = writer
        self._group = group
        self._page = page
        self._names: list[str] | None = None
        self._held: list[list[str]] = []

    def take(self, row: list[str]) -> int:
        """Write a row, or hold it back. Returns how many rows were written."""
        if not any(row):
            return 0
        if self._names is not None:
            return self._add(list(_named(row, self._names)))
        if _names_columns(row) and all(len(_filled(held)) == 1 for held in self._held):
            above = [self._writer.add("paragraph", [(_filled(h)[0], None)], page=self._page)
                     for h in self._held]  # fmt: skip
            self._held = []
            self._names = row
            return sum(above) + self._add(row)
        self._held.append(row)
        return self.end() if len(self._held) >= LOOKED_AT else 0

    def end(self) -> int:
        """Write what was held back, without names. Returns how many rows were written."""
        held, self._held = self._held, []
        if held:
            self._names = []
        return sum(self._add(row) for row in held)

    def _add(self, cells: list[str]) -> int:
        while cells and not cells[-1]:
            cells.pop()
        text = CELL_JOINER.join(cells)
        return self._writer.add("table_row", [(text, None)], group=self._group, page=self._page)


def _named(row: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """Yield the filled cells with their columns' names; without any name, all cells."""
    for place, cell in enumerate(row):
        name = names[place] if place < len(names) else ""
        if cell or not names:
            yield f"{name}{NAME_JOINER}{cell}" if name else cell


def _names_columns(row: Sequence[str]) -> bool:
    filled = _filled(row)
    return len(filled) >= 2 and all(
        len(cell) <= MAX_NAME and any(c.isalpha() for c in cell) for cell in filled
    )


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell]
