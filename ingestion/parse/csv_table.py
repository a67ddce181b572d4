"""Tables in text files (CSV) to blocks: a row a block, its cells with the names of their columns.

Cells may be parted by commas, semicolons or tabs. A file whose rows differ much in their number
of cells is text in the wrong clothes, and is refused.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from io import StringIO

from ingestion.errors import TooComplexError, UnreadableFileError, display_name
from ingestion.parse.sheet import write_rows
from ingestion.parse.writer import CanonicalWriter, Head

MAX_COLUMNS = 200
MAX_ROWS = 50_000
MIN_REGULAR = 0.9  # of rows, that have as many cells as most
SNIFFED = 64 * 1024  # characters
SNIFFED_ROWS = 200

_DELIMITERS = (",", ";", "\t")


def parse_csv(name: str, source: str) -> tuple[CanonicalWriter, Head]:
    """Read a table. Returns the written rows and a head that says nothing.

    Raises `UnreadableFileError` for rows of many lengths, `TooComplexError` for more than
    200 columns or 50,000 rows.
    """
    shown = display_name(name)
    source = source.removeprefix("\ufeff")
    rows = list(_rows(shown, source, _delimiter(shown, source)))
    if len(rows) > MAX_ROWS:
        raise TooComplexError(
            f"{shown} has {len(rows):,} rows, more than the {MAX_ROWS:,} that a table may have;"
            " split it."
        )
    widest = max((len(row) for row in rows), default=0)
    if widest > MAX_COLUMNS:
        raise TooComplexError(
            f"{shown} has {widest:,} columns, more than the {MAX_COLUMNS:,} that a table may"
            " have; send the columns that matter."
        )
    if _regular(rows) < MIN_REGULAR:
        raise _not_a_table(shown)
    writer = CanonicalWriter(source)
    write_rows(shown, writer, rows, "table")
    return writer, Head()


def _delimiter(shown: str, source: str) -> str:
    """Return what parts the cells: where most rows are of one length, and longest."""
    sample = source[:SNIFFED]
    if len(source) > SNIFFED:
        sample = sample[: sample.rfind("\n") + 1] or sample

    def score(delimiter: str) -> tuple[float, int]:
        rows = list(_rows(shown, sample, delimiter))[:SNIFFED_ROWS]
        width = _width(rows)
        return (_regular(rows) if width > 1 else 0.0, width)

    return max(_DELIMITERS, key=score)


def _rows(shown: str, source: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(StringIO(source, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield row
    except csv.Error as error:  # a cell longer than 128 KiB, or a line end inside bare words
        raise _not_a_table(shown) from error


def _width(rows: list[list[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _regular(rows: list[list[str]]) -> float:
    """Return the share of rows that have as many cells as most."""
    width = _width(rows)
    return sum(len(row) == width for row in rows) / len(rows) if rows else 1.0


def _not_a_table(shown: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{shown} is no table, for its rows differ in their number of cells; "
        "save it as CSV again, or as .txt if it is text."
    )
