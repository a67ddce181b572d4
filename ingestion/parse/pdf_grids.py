"""Ruled tables of a PDF page: lines that cross make cells, and words stand in them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingestion.parse.pdf_lines import Cell, Line, gathered_rows, make_line
from ingestion.parse.pdf_text import Box, PageText, Run

TOUCH = 2.5  # points by which lines that make a corner may miss each other
SAME_LINE = 2.5  # points between two strokes that are seen as one
MIN_WIDE = 12.0  # points of a level line
MIN_HIGH = 5.0  # points of an upright one
MAX_RULES = 6_000  # of a page; more is a drawing
MIN_SPAN = 0.5  # of a table's width or height that the lines between rows or columns take
MIN_FILLED = 0.4  # of a table's cells that hold words
MAX_CELL_LINES = 40  # more make a page that is laid out, not a table
MAX_SIDE = 200  # rows or columns


class _Stroke(NamedTuple):
    """A line, level or upright: where it stands across, and from where to where it goes."""

    across: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: where its columns and its rows end, from left to right and top to bottom."""

    columns: tuple[float, ...]
    rows: tuple[float, ...]

    def holds(self, run: Run) -> bool:
        """Return whether a run stands in the table."""
        x, y = (run.left + run.right) / 2, (run.top + run.bottom) / 2
        return self.columns[0] <= x <= self.columns[-1] and self.rows[0] <= y <= self.rows[-1]

    def cell_of(self, run: Run) -> tuple[int, int]:
        """Return the row and the column in which a run begins."""
        x = min(run.left + run.size / 4, (run.left + run.right) / 2)
        y = (run.top + run.bottom) / 2
        return _slot(self.rows, y), _slot(self.columns, x)


def _slot(edges: Sequence[float], place: float) -> int:
    return min(max(bisect_right(edges, place) - 1, 0), len(edges) - 2)


def ruled_rows(page: PageText) -> tuple[list[Line], set[int]]:
    """Return the rows of a page's ruled tables, and the runs (by id) that stand in them."""
    lines: list[Line] = []
    used: set[int] = set()
    upright = [run for run in page.runs if run.turn == 0]
    for table, grid in enumerate(_grids(page.rules)):
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
    columns = sorted({column for _, column in placed})
    if len(numbers) < 2 or len(columns) < 2:
        return None
    if len(placed) < MIN_FILLED * len(numbers) * len(columns):
        return None
    rows: list[Line] = []
    for number in numbers:
        cells = [_cell(page, placed.get((number, column), [])) for column in columns]
        if max(map(len, cells)) > MAX_CELL_LINES:
            return None
        line = make_line(page, [run for (row, _), found in placed.items() if row == number
                                for run in found])  # fmt: skip
        line.grid, line.table = cells, table
        line.cells = [Cell(line.runs, grid.columns[0], grid.columns[-1])]
        line.left, line.right = grid.columns[0], grid.columns[-1]
        rows.append(line)
    return rows


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
        if right - left >= MIN_WIDE and bottom - top < SAME_LINE
    )
    upright = _joined(
        _Stroke((left + right) / 2, top, bottom)
        for left, top, right, bottom in rules
        if bottom - top >= MIN_HIGH and right - left < SAME_LINE
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
    """Return the table that lines make, if it has several rows and columns."""
    if len(level) < 3 or len(upright) < 2:
        return None
    wide = max(stroke.end for stroke in level) - min(stroke.start for stroke in level)
    high = max(stroke.end for stroke in upright) - min(stroke.start for stroke in upright)
    rows = _edges(level, wide)
    columns = _edges(upright, high)
    if not (3 <= len(rows) <= MAX_SIDE and 3 <= len(columns) <= MAX_SIDE):
        return None
    return Grid(tuple(columns), tuple(rows))


def _edges(strokes: Sequence[_Stroke], whole: float) -> list[float]:
    """Return where lines stand that go over at least half of the table, all pieces together."""
    lengths: dict[float, float] = defaultdict(float)
    for stroke in strokes:
        lengths[stroke.across] += stroke.end - stroke.start
    return sorted(across for across, length in lengths.items() if length >= MIN_SPAN * whole)
