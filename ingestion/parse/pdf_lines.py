"""Lines of a PDF page in the order in which a person reads them, column by column.

Columns are told by a gutter: an upright stripe without letters between two sides that are both
filled with wrapped text. A table has such stripes too, but its sides are not filled.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from unicodedata import bidirectional

from ingestion.parse.pdf_marks import is_marker
from ingestion.parse.pdf_source import letters
from ingestion.parse.pdf_text import CELL_GAP, PageText, Run

SAME_BASE = 0.3  # of the font's size: runs that differ less in height stand on one line
NEAR_ROWS = 4  # rows above, of which a run may stand on one
MAX_COMPARED = 40_000  # pairs of runs; a row of more is no text
RAISED = 0.55  # of the font's size, for the sign of a footnote
SMALL_SIGN = 0.8  # of the other words' size
MIN_GUTTER = 8.0  # points
MIN_COLUMN_ROWS = 5
MIN_FILL = 0.55  # of a column's width: the lines of a column, but not a table's cells
MIN_DENSITY = 0.5  # of a column's height that its lines take up
MIN_COLUMN_CHARS = 15  # a line, on the whole
MAX_CROSSING = 0.6  # of a page's rows: headings over two columns, or a part with one column
MAX_COLUMNS = 4
_BIN = 2.0  # points


@dataclass(slots=True, eq=False)
class Cell:
    """Neighbouring runs of one line, without a gap as wide as those between columns."""

    runs: list[Run]
    left: float
    right: float

    @property
    def text(self) -> str:
        """The letters of all runs."""
        return "".join(letters(run.text) for run in self.runs)


@dataclass(slots=True, eq=False)
class Line:
    """A line of one column: its cells from left to right, and how most of it looks."""

    page: int
    cells: list[Cell]
    left: float
    right: float
    top: float
    bottom: float
    base: float
    size: float
    bold: bool  # all of it
    italic: bool  # all of it
    column: int = 0  # on its page, in reading order
    turned: bool = False
    grid: list[list[Cell]] | None = None  # the cells of a ruled table's row, by column
    table: int = 0  # on its page, if it is such a row

    @property
    def runs(self) -> list[Run]:
        """The runs of all cells."""
        return [run for cell in self.cells for run in cell.runs]

    @property
    def words(self) -> str:
        """The letters, with one space between cells."""
        return " ".join(cell.text.strip() for cell in self.cells)


def page_lines(
    page: PageText, ruled: Sequence[Line] = (), used: Collection[int] = ()
) -> list[Line]:
    """Return a page's visible lines from top to bottom, over all columns.

    `ruled` has the rows of ruled tables, `used` the runs (by id) that stand in them.
    """
    upright = [run for run in page.runs if run.turn == 0 and id(run) not in used]
    turned = [run for run in page.runs if run.turn != 0]
    rows = [make_line(page.number, row) for row in gathered_rows(upright)]
    tops: dict[int, float] = {}
    for line in ruled:
        tops[line.table] = min(line.base, tops.get(line.table, line.base))
    # A table stays together, whatever stands beside it.
    rows = sorted(
        [*ruled, *rows], key=lambda line: line.base if line.grid is None else tops[line.table]
    )
    return rows + [_turned_line(page.number, runs) for runs in _by_line(turned)]


def _by_line(runs: Iterable[Run]) -> list[list[Run]]:
    grouped: dict[int, list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.line].append(run)
    return list(grouped.values())


def gathered_rows(runs: list[Run]) -> list[list[Run]]:
    """Gather runs that stand on one base line, from top to bottom."""
    strips = [_Row(strip) for line in _by_line(runs) for strip in _strips(line)]
    strips.sort(key=lambda strip: strip.main.base)
    rows: list[_Row] = []
    for strip in strips:
        for row in reversed(rows[-NEAR_ROWS:]):
            if row.goes_on_with(strip):
                row.add(strip)
                break
        else:
            rows.append(strip)
    return [row.runs for row in rows]


class _Row:
    """Runs on one base line, with what is asked of them again and again."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs
        self.left = min(run.left for run in runs)
        self.right = max(run.right for run in runs)
        self.main = _dominant(runs)

    def add(self, other: "_Row") -> None:
        self.runs += other.runs
        self.left, self.right = min(self.left, other.left), max(self.right, other.right)
        self.main = max(self.main, other.main, key=lambda run: len(run.text))

    def goes_on_with(self, other: "_Row") -> bool:
        """Return whether `other` stands on this row's line, and not on top of its words."""
        small, large = sorted((self.main.size, other.main.size))
        gap = max(other.left - self.right, self.left - other.right)
        raised = small < SMALL_SIGN * large and -large < gap <= large / 2
        if abs(self.main.base - other.main.base) > (
            RAISED * large if raised else SAME_BASE * small
        ):
            return False
        if gap >= -small / 4:
            return True
        if len(self.runs) * len(other.runs) > MAX_COMPARED:
            return False
        return all(
            run.right <= mine.left + small / 4 or run.left >= mine.right - small / 4
            for run in other.runs
            for mine in self.runs
        )


def _strips(line: list[Run]) -> list[list[Run]]:
    """Cut what PDFium takes for a line where it goes back or to another height."""
    strips = [[line[0]]]
    for before, run in pairwise(line):
        size = max(before.size, run.size)
        apart = run.top > before.bottom or run.bottom < before.top
        if apart or run.left < before.left - size / 4:
            strips.append([])
        strips[-1].append(run)
    return strips


def _dominant(runs: list[Run]) -> Run:
    return max(runs, key=lambda run: len(run.text))


def make_line(page: int, runs: list[Run]) -> Line:
    """Put runs of one height together, in the direction in which most of them are read."""
    leftward = is_leftward(run.text for run in runs)
    cells: list[Cell] = []
    for run in sorted(runs, key=lambda run: (-run.right if leftward else run.left, run.at)):
        if cells:
            last = cells[-1]
            gap = last.left - run.right if leftward else run.left - last.right
            if gap <= CELL_GAP * run.size:
                last.runs.append(run)
                last.left, last.right = min(last.left, run.left), max(last.right, run.right)
                continue
        cells.append(Cell([run], run.left, run.right))
    return _line(page, cells)


def is_leftward(texts: Iterable[str]) -> bool:
    """Return whether most letters are read from right to left."""
    balance = 0
    for text in texts:
        if not text.isascii():
            balance += sum(bidirectional(c) in ("R", "AL") for c in text)
        balance -= sum(c.isascii() and c.isalpha() for c in text)
    return balance > 0


def _turned_line(page: int, runs: list[Run]) -> Line:
    line = _line(page, [Cell(runs, runs[0].left, runs[-1].right)])
    line.turned = True
    return line


def _line(page: int, cells: list[Cell]) -> Line:
    runs = [run for cell in cells for run in cell.runs]
    main = _dominant(runs)
    # The number of a heading or an item often has a look of its own.
    behind = runs[1:] if len(runs) > 1 and is_marker(runs[0].text) else runs
    worded = [run for run in behind if any(c.isalnum() for c in run.text)] or runs
    return Line(
        page,
        cells,
        left=min(run.left for run in runs),
        right=max(run.right for run in runs),
        top=min(run.top for run in runs),
        bottom=max(run.bottom for run in runs),
        base=main.base,
        size=main.size,
        bold=all(run.bold for run in worded),
        italic=all(run.italic for run in worded),
    )


def in_reading_order(rows: list[Line]) -> list[Line]:
    """Return a page's rows as lines of its columns, column by column."""
    upright = [row for row in rows if not row.turned]
    ordered = _ordered(upright, MAX_COLUMNS)
    return ordered + [row for row in rows if row.turned]


def _ordered(rows: list[Line], columns: int) -> list[Line]:
    gutter = _gutter(rows) if columns > 1 else None
    if gutter is None:
        return rows
    ordered: list[Line] = []
    column = 0
    for part in _parts(rows, gutter, columns):
        base = column
        for line in part:
            line.column += base
            column = max(column, line.column)
        ordered += part
        column += 1
    return ordered


def _parts(rows: list[Line], gutter: float, columns: int) -> Iterator[list[Line]]:
    """Yield a page's parts in reading order: columns, and rows over their whole width."""
    whole: list[Line] = []
    for crossing, band in _bands(rows, gutter):
        sides = None if crossing else _sides(band, gutter)
        if sides is None:
            whole += band
            continue
        if whole:
            yield whole
            whole = []
        leftward = is_leftward(run.text for line in band for run in line.runs)
        for side in reversed(sides) if leftward else sides:
            yield _ordered(side, columns - 1)
    if whole:
        yield whole


def _gutter(rows: list[Line]) -> float | None:
    """Return the middle of the stripe that the fewest rows cross, None where all do."""
    if len(rows) < MIN_COLUMN_ROWS:
        return None
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    bins = int((right - left) / _BIN) + 2
    change = [0] * (bins + 1)
    for row in rows:
        for cell in row.cells:
            change[int((cell.left - left) / _BIN)] += 1
            change[min(int((cell.right - left) / _BIN) + 1, bins)] -= 1
    covered: list[int] = []
    for step in change[:bins]:
        covered.append((covered[-1] if covered else 0) + step)
    inner = range(bins // 6, bins - bins // 6)
    if not inner:
        return None
    fewest = min(covered[index] for index in inner)
    if fewest > MAX_CROSSING * len(rows):
        return None
    start, end = _widest(covered, inner, fewest)
    return left + (start + end) / 2 * _BIN if (end - start) * _BIN >= MIN_GUTTER else None


def _widest(covered: list[int], inner: range, most: int) -> tuple[int, int]:
    """Return the longest stretch of bins that no more than `most` rows cover."""
    best = (0, 0)
    start = None
    for index in (*inner, inner.stop):
        low = index < inner.stop and covered[index] <= most
        if low and start is None:
            start = index
        elif not low and start is not None:
            best = max(best, (start, index), key=lambda stretch: stretch[1] - stretch[0])
            start = None
    return best


def _bands(rows: list[Line], gutter: float) -> list[tuple[bool, list[Line]]]:
    """Cut rows, from top to bottom, into stretches that cross the gutter and that do not."""
    bands: list[tuple[bool, list[Line]]] = []
    for row in rows:
        crossing = any(cell.left < gutter < cell.right for cell in row.cells)
        if not bands or bands[-1][0] != crossing:
            bands.append((crossing, []))
        bands[-1][1].append(row)
    return bands


def _sides(band: list[Line], gutter: float) -> tuple[list[Line], list[Line]] | None:
    """Return the lines left and right of the gutter if both sides are columns of text."""
    left = [_part(row, right=gutter) for row in band]
    right = [_part(row, left=gutter) for row in band]
    sides = [line for line in left if line], [line for line in right if line]
    if not all(_is_column(side) for side in sides):
        return None
    top, bottom = (max(side[0].top for side in sides), min(side[-1].bottom for side in sides))
    return sides if bottom - top > 3 * band[0].size else None


def _part(row: Line, left: float = float("-inf"), right: float = float("inf")) -> Line | None:
    cells = [cell for cell in row.cells if cell.left >= left and cell.right <= right]
    return _line(row.page, cells) if cells else None


def _is_column(lines: list[Line]) -> bool:
    """Return whether lines fill their width and height as wrapped text does."""
    if len(lines) < MIN_COLUMN_ROWS:
        return False
    width = max(line.right for line in lines) - min(line.left for line in lines)
    fill = median(line.right - line.left for line in lines) / max(width, 1)
    chars = median(len(line.words) for line in lines)
    height = lines[-1].bottom - lines[0].top
    density = sum(line.bottom - line.top for line in lines) / max(height, 1)
    return fill >= MIN_FILL and chars >= MIN_COLUMN_CHARS and density >= MIN_DENSITY
