"""Ruled tables of a PDF page: lines that cross make cells, and words stand in them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ingestion.parse.pdf_lines import Cell, Line, gathered_rows, make_line
from ingestion.parse.pdf_painting import MAX_RULE
from ingestion.parse.pdf_text import Box, PageText, Run

TOUCH = 2.5  # points by which lines that make a corner may miss each other
SAME_LINE = 2.5  # points between two strokes that are seen as one
MIN_WIDE = 12.0  # points of a level line
MIN_HIGH = 5.0  # points of an upright one
MAX_TABLES = 60  # of a page
MAX_RULES = 6_000  # of a page; more is a drawing
MIN_SPAN = 0.5  # of a table's width or height that the lines between rows or columns take
MIN_FILLED = 0.3  # of a table's cells that hold words
MAX_CELL_LINES = 40  # more make a page that is laid out, not a table
MAX_ONLY_ROW_LINES = 15  # in a table of one row
MAX_SIDE = 200  # rows or columns


class _Stroke(NamedTuple):
    """A line, level or upright: where it stands across, and from where to where it goes."""

    across: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: where its rows end, from top to bottom, and the columns of each row."""

    rows: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]  # of each row: one less than there are ends of rows
    left: float
    right: float

    def holds(self, run: Run) -> bool:
        """Return whether a run stands in the table."""
        x, y = (run.left + run.right) / 2, (run.top + run.bottom) / 2
        return self.left <= x <= self.right and self.rows[0] <= y <= self.rows[-1]

    def cell_of(self, run: Run) -> tuple[int, int]:
        """Return the row and the column in which a run begins."""
        x = min(run.left + run.size / 4, (run.left + run.right) / 2)
        row = _slot(self.rows, (run.top + run.bottom) / 2)
        return row, _slot(self.columns[row], x)


def _slot(edges: Sequence[float], place: float) -> int:
    return min(max(bisect_right(edges, place) - 1, 0), len(edges) - 2)


def ruled_rows(page: PageText) -> tuple[list[Line], set[int]]:
    """Return the rows of a page's ruled tables, and the runs (by id) that stand in them."""
    lines: list[Line] = []
    used: set[int] = set()
    upright = [run for run in page.runs if run.turn == 0]
    for table, grid in enumerate(_grids(page.rules)[:MAX_TABLES]):
        runs = [run for run in upright if id(run) not in used and grid.holds(run)]
        rows = _rows(page.number, grid, runs, table)
        if rows is not None:
            lines += rows
            used.update(map(id, runs))
    return lines, used


def _rows(page: int, grid: Grid, runs: Sequence[Run], table: int) -> list[Line] | None:
    """Return the table's rows as lines, None if it only lays out a page."""
    placed: dict[tuple[int, int], list[Run]] = defaultdict(list)
    for run in runs:
        placed[grid.cell_of(run)].append(run)
    numbers = sorted({row for row, _ in placed})
    cells = sum(len(grid.columns[number]) - 1 for number in numbers)
    if len(placed) < max(2, MIN_FILLED * cells) or cells == len(numbers):
        return None
    longest = MAX_CELL_LINES if len(numbers) > 1 else MAX_ONLY_ROW_LINES
    rows: list[Line] = []
    for number in numbers:
        columns = range(len(grid.columns[number]) - 1)
        found = [_cell(page, placed.get((number, column), [])) for column in columns]
        if max(map(len, found)) > longest:
            return None
        rows.append(_row(page, grid, found, table))
    return rows


def _row(page: int, grid: Grid, cells: list[list[Cell]], table: int) -> Line:
    """Return a row as a line over the whole width of the table."""
    line = make_line(page, [run for cell in cells for part in cell for run in part.runs])
    line.grid, line.table = cells, table
    line.cells = [Cell(line.runs, grid.left, grid.right)]
    line.left, line.right = grid.left, grid.right
    return line


def _cell(page: int, runs: list[Run]) -> list[Cell]:
    """Return what stands in a cell, line by line."""
    return [cell for row in gathered_rows(runs) for cell in make_line(page, row).cells]


def _grids(rules: Sequence[Box]) -> list[Grid]:
    """Return the tables that lines make, the ones above first."""
    if len(rules) > MAX_RULES:
        return []
    level = _joined(
        _Stroke((top + bottom) / 2, left, right)
        for left, top, right, bottom in rules
        if right - left >= MIN_WIDE and bottom - top < MAX_RULE
    )
    upright = _joined(
        _Stroke((left + right) / 2, top, bottom)
        for left, top, right, bottom in rules
        if bottom - top >= MIN_HIGH and right - left < MAX_RULE
    )
    grids = [_grid(*group) for group in _crossing(level, upright)]
    return sorted((grid for grid in grids if grid is not None), key=lambda grid: grid.rows[0])


def _joined(strokes: Iterable[_Stroke]) -> list[_Stroke]:
    """Join strokes that go on in one line; equal ones become one."""
    found: list[_Stroke] = []
    lines: list[list[_Stroke]] = []
    for stroke in sorted(strokes):
        if lines and stroke.across - lines[-1][0].across < SAME_LINE:
            lines[-1].append(stroke)
        else:
            lines.append([stroke])
    for line in lines:
        across = line[0].across
        start, end = line[0].start, line[0].start
        for stroke in sorted(line, key=lambda stroke: stroke.start):
            if stroke.start > end + TOUCH:
                found.append(_Stroke(across, start, end))
                start = stroke.start
            end = max(end, stroke.end)
        found.append(_Stroke(across, start, end))
    return found


def _crossing(
    level: Sequence[_Stroke], upright: Sequence[_Stroke]
) -> list[tuple[list[_Stroke], list[_Stroke]]]:
    """Gather lines that touch each other, directly or by way of others."""
    parents = list(range(len(level) + len(upright)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    heights = [stroke.across for stroke in level]
    for number, stroke in enumerate(upright, len(level)):
        low = bisect_right(heights, stroke.start - TOUCH)
        high = bisect_right(heights, stroke.end + TOUCH)
        for index in range(low, high):
            if level[index].start - TOUCH <= stroke.across <= level[index].end + TOUCH:
                parents[root(index)] = root(number)
    groups: dict[int, tuple[list[_Stroke], list[_Stroke]]] = defaultdict(lambda: ([], []))
    for index, stroke in enumerate((*level, *upright)):
        groups[root(index)][index >= len(level)].append(stroke)
    return list(groups.values())


def _grid(level: Sequence[_Stroke], upright: Sequence[_Stroke]) -> Grid | None:
    """Return the table that lines make, if any of its rows has several columns."""
    if not level or not upright or len(level) + len(upright) < 4:
        return None
    left, right = _extent(level)
    top, bottom = _extent(upright)
    rows = _with_ends(_long_lines(level, right - left), top, bottom)
    if not 2 <= len(rows) <= MAX_SIDE:
        return None
    columns: list[tuple[float, ...]] = []
    for above, below in pairwise(rows):
        middle = (above + below) / 2
        inner = sorted({stroke.across for stroke in upright if stroke.start < middle < stroke.end})
        columns.append(tuple(_with_ends(inner[:MAX_SIDE], left, right)))
    if max(map(len, columns)) < 3:
        return None
    return Grid(tuple(rows), tuple(columns), left, right)


def _extent(strokes: Sequence[_Stroke]) -> tuple[float, float]:
    return min(stroke.start for stroke in strokes), max(stroke.end for stroke in strokes)


def _with_ends(edges: list[float], first: float, last: float) -> list[float]:
    """Return edges with those that are not drawn: a table may be open at its sides."""
    if not edges or edges[0] > first + MIN_HIGH:
        edges = [first, *edges]
    return [*edges, last] if edges[-1] < last - MIN_HIGH else edges


def _long_lines(strokes: Sequence[_Stroke], whole: float) -> list[float]:
    """Return where lines stand that go over at least half of the table, all pieces together."""
    lengths: dict[float, float] = defaultdict(float)
    for stroke in strokes:
        lengths[stroke.across] += stroke.end - stroke.start
    return sorted(across for across, length in lengths.items() if length >= MIN_SPAN * whole)
