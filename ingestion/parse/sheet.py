"""Rows of a sheet or a table file to blocks: each row says what its cells are.

"Item: Headphones | Return window: 14 days": a row that is found alone can be understood alone.
"""

from collections.abc import Iterable, Iterator, Sequence

from ingestion.errors import FileTooLargeError
from ingestion.parse.tables import CELL_JOINER
from ingestion.parse.visible import visible
from ingestion.parse.writer import CanonicalWriter

NAME_JOINER = ": "
MAX_NAME = 60  # characters of a column's name
MAX_TEXT = 20 * 2**20  # characters of all rows with their names
LOOKED_AT = 20  # rows in which the names of the columns are looked for


def write_rows(
    shown: str, writer: CanonicalWriter, rows: Iterable[Sequence[str]], group: object
) -> None:
    """Write rows of visible text as blocks on neighbouring lines. `shown` names the file.

    The first row of at least two short words, none of them a number, names the columns; lines
    with one cell above it are paragraphs. Without such a row cells stand without names.

    Raises `FileTooLargeError` for more text than anybody would read in a table.
    """
    waiting = _Waiting(shown, writer, group)
    for row in rows:
        waiting.take([visible(cell) for cell in row])
    waiting.end()


class _Waiting:
    """Holds rows back until it is known which names the columns."""

    def __init__(self, shown: str, writer: CanonicalWriter, group: object) -> None:
        self._shown = shown
        self._writer = writer
        self._group = group
        self._names: list[str] | None = None
        self._held: list[list[str]] = []
        self._written = 0

    def take(self, row: list[str]) -> None:
        """Write a row, or hold it back."""
        if not any(row):
            return
        if self._names is not None:
            self._add(list(_named(row, self._names)))
        elif _names_columns(row) and all(len(_filled(held)) == 1 for held in self._held):
            for held in self._held:
                self._writer.add("paragraph", [(_filled(held)[0], None)])
            self._held = []
            self._names = row
            self._add(row)
        else:
            self._held.append(row)
            if len(self._held) >= LOOKED_AT:
                self.end()

    def end(self) -> None:
        """Write what was held back, without names."""
        held, self._held = self._held, []
        if held:
            self._names = []
        for row in held:
            self._add(row)

    def _add(self, cells: Sequence[str]) -> None:
        text = CELL_JOINER.join(cells[: _last_filled(cells)])
        self._written += len(text)
        if self._written > MAX_TEXT:
            raise FileTooLargeError(
                f"{self._shown} holds more text than a table that people read; split it."
            )
        self._writer.add("table_row", [(text, None)], group=self._group)


def _last_filled(cells: Sequence[str]) -> int:
    return max((place for place, cell in enumerate(cells, 1) if cell), default=0)


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
