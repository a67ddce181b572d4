"""Tables of a PDF page: lines whose cells stand under each other, as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingestion.parse.pdf_lines import Cell, Line
from ingestion.parse.pdf_marks import is_marker

MIN_ROWS = 3  # of several cells, without rules between them
MIN_COLUMN_GAP = 0.6  # of the font's size
MAX_ROW_GAP = 3.5  # of the font's size, between the base lines of neighbouring lines
MIN_SHARE = 0.6  # of a table's lines that have several cells
WRAPPED_STEP = 1.4  # of the font's size, between lines of one cell
TIGHT = 1.25  # times the smallest distance between lines: those of one row, if others are LOOSE
LOOSE = 1.5


@dataclass(eq=False)
class TableRow:
    """One row: each cell is what stands in it, line by line."""

    page: int
    cells: list[list[Cell]]
    table: int  # the same for all rows of one table
    line: Line  # its first


def with_tables(lines: Sequence[Line], first_table: int) -> list[Line | TableRow]:
    """Return a page's lines in their order, those that make a table as its rows."""
    found: list[Line | TableRow] = []
    table = first_table
    index = 0
    ruled = first_table + len(lines)  # beyond the numbers of tables without rules
    while index < len(lines):
        line = lines[index]
        if line.grid is not None:
            found.append(TableRow(line.page, line.grid, ruled + line.table, line))
            index += 1
            continue
        end = _table_end(lines, index)
        rows = _table_rows(lines[index:end], table) if end - index >= MIN_ROWS else None
        if rows is None:
            found.append(lines[index])
            index += 1
        else:
            found += rows
            table += 1
            index = end
    return found


def _table_end(lines: Sequence[Line], start: int) -> int:
    """Return where lines that may be one table end: several cells, or wrapped ones between."""
    if not _parted(lines[start]):
        return start
    end = start + 1
    last_parted = start
    while end < len(lines):
        before, line = lines[end - 1], lines[end]
        if line.column != before.column or line.turned or line.grid is not None:
            break
        if not 0 < line.base - before.base <= MAX_ROW_GAP * before.size:
            break
        if _parted(line):
            last_parted = end
        elif end - last_parted > 3:
            break
        end += 1
    end = last_parted + 1
    while end < len(lines) and _wraps_cell(lines[end - 1], lines[end], lines[last_parted]):
        end += 1
    return end


def _wraps_cell(before: Line, line: Line, row: Line) -> bool:
    """Return whether a line under a table carries on one of its last row's cells."""
    if line.column != row.column or line.turned or line.grid is not None:
        return False
    near = 0 < line.base - before.base <= WRAPPED_STEP * line.size
    return near and any(abs(line.left - cell.left) < line.size / 4 for cell in row.cells[1:])


def _parted(line: Line) -> bool:
    """Return whether a line has several cells, other than a list's mark and its words."""
    cells = line.cells[1:] if is_marker(line.cells[0].text) else line.cells
    return len(cells) > 1


def _table_rows(lines: Sequence[Line], table: int) -> list[Line | TableRow] | None:
    """Return lines as rows if their cells stand in columns, else None."""
    columns = _columns(lines)
    if len(columns) < 2 or sum(_parted(line) for line in lines) < MIN_SHARE * len(lines):
        return None
    placed_lines = [_placed(line, columns) for line in lines]
    wrapped = _wrapped(lines, placed_lines)
    rows: list[TableRow] = []
    for index, (line, placed) in enumerate(zip(lines, placed_lines, strict=True)):
        if rows and (index in wrapped or _continues(placed)):
            for cell, more in zip(rows[-1].cells, placed, strict=True):
                cell += more
        else:
            rows.append(TableRow(line.page, placed, table, line))
    return list(rows) if len(rows) > 1 else None


def _wrapped(lines: Sequence[Line], placed: Sequence[list[list[Cell]]]) -> set[int]:
    """Return which lines stand so near under others that they carry on their cells.

    That can be told only where rows are further apart, and no filled row stands as near.
    """
    steps = [line.base - before.base for before, line in pairwise(lines)]
    tight = {index for index, step in enumerate(steps, 1) if step <= TIGHT * min(steps)}
    if max(steps) < LOOSE * min(steps):
        return set()
    full = len(placed[0]) - (len(placed[0]) > 2)
    if any(sum(map(bool, placed[index])) >= full for index in tight):
        return set()
    return tight


def _continues(placed: list[list[Cell]]) -> bool:
    """Return whether a line carries on the cells above it: nothing in the first column."""
    return not placed[0] and sum(map(bool, placed)) < len(placed)


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return the columns' left and right ends: what the stripes without letters part."""
    gap = MIN_COLUMN_GAP * lines[0].size
    columns: list[tuple[float, float]] = []
    for left, right in sorted((cell.left, cell.right) for line in lines for cell in line.cells):
        if columns and left - columns[-1][1] < gap:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _placed(line: Line, columns: list[tuple[float, float]]) -> list[list[Cell]]:
    placed: list[list[Cell]] = [[] for _ in columns]
    for cell in line.cells:
        for index, (left, right) in enumerate(columns):
            if left <= cell.left <= right:
                placed[index].append(cell)
                break
    return placed
