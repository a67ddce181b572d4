"""Headers, footers and page numbers: lines that come again at one height on most pages."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from ingestion.parse.pdf_lines import Line

MIN_PAGES = 3  # with fewer nothing can be told to come again
MIN_SHARE = 0.4  # of the pages: odd and even pages may differ
EDGE = 0.14  # of the page's height, above and below, in which running lines stand
SAME_HEIGHT = 4.0  # points
MAX_RUNNING = 160  # characters of a running line
NEIGHBOURS = 2  # pages around, of which the running line of one chapter is on some

_NUMBER = re.compile(r"\d+|\b[ivxlc]{1,7}\b")
_PAGE_NUMBER = re.compile(
    r"\W*(?:page|seite|p\.?)?\s*(\d{1,4})\s*(?:(?:of|/|von)\s*\d{1,4})?\W*", re.IGNORECASE
)
_FIRST = re.compile(r"\d{1,4}\b")
_LAST = re.compile(r"\b\d{1,4}\Z")

Page = tuple[float, list[Line]]  # height in points, lines from top to bottom


def without_running_lines(pages: list[Page]) -> list[list[Line]]:
    """Return each page's lines without those that run over most pages."""
    candidates = [_edge_lines(height, lines) for height, lines in pages]
    running = _running(candidates) if len(pages) >= MIN_PAGES else set()
    running |= _page_numbers(candidates)
    return [[line for line in lines if id(line) not in running] for _, lines in pages]


def _edge_lines(height: float, lines: list[Line]) -> list[Line]:
    return [
        line
        for line in lines
        if line.turned or line.bottom < EDGE * height or line.top > (1 - EDGE) * height
    ]


def _running(pages: list[list[Line]]) -> set[int]:
    """Return the lines (by id) whose words, but for numbers, stand on many pages."""
    places: dict[str, list[tuple[int, Line]]] = defaultdict(list)
    for number, lines in enumerate(pages):
        for line in lines:
            places[_shape(line)].append((number, line))
    return {
        id(line)
        for found in places.values()
        if len(found) >= MIN_PAGES
        for group in _by_height(found)
        for line in _of_many_pages(group, len(pages))
    }


def _shape(line: Line) -> str:
    """Return a line's words with numbers made alike."""
    return _NUMBER.sub("#", " ".join(line.words.casefold().split()))


def _by_height(found: list[tuple[int, Line]]) -> Iterable[list[tuple[int, Line]]]:
    """Gather lines that stand at one height."""
    group: list[tuple[int, Line]] = []
    for number, line in sorted(found, key=lambda item: item[1].base):
        if group and line.base - group[-1][1].base > SAME_HEIGHT:
            yield group
            group = []
        group.append((number, line))
    yield group


def _of_many_pages(group: list[tuple[int, Line]], pages: int) -> list[Line]:
    """Return a group's lines if they run: over most pages, or over those of a chapter."""
    numbers = {number for number, _ in group}
    if len(numbers) < MIN_PAGES or not _numbers_run(group):
        return []
    if len(numbers) >= MIN_SHARE * pages:
        return [line for _, line in group]
    near = [
        line
        for number, line in group
        if sum(number + step in numbers for step in range(-NEIGHBOURS, NEIGHBOURS + 1)) >= 3
    ]
    return near[1:]  # the first may be the chapter's own heading


def _numbers_run(group: list[tuple[int, Line]]) -> bool:
    """Return whether each number is always the same, or counts the pages.

    "Step 1", "Step 2" over pages that each show one step do count them, but such a line is
    large; a page's number is not.
    """
    rows = [(number, _NUMBER.findall(line.words.casefold())) for number, line in group]
    for column in zip(*(found for _, found in rows), strict=True):
        if len(set(column)) == 1:
            continue
        offsets = Counter(
            int(text) - number
            for (number, _), text in zip(rows, column, strict=True)
            if text.isdecimal()
        )
        counted = max(offsets.values(), default=len(rows))  # Roman numbers are believed
        if counted < 0.7 * len(rows):
            return False
    return True


def _page_numbers(pages: list[list[Line]]) -> set[int]:
    """Return lines that hold a page's number alone, or at an end at one height, page by page."""
    if len(pages) < 2:
        return set()
    alone: dict[int, list[Line]] = defaultdict(list)
    beside: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for number, lines in enumerate(pages):
        for line in lines:
            words = line.words
            if len(words) > MAX_RUNNING:
                continue
            if (match := _PAGE_NUMBER.fullmatch(words)) is not None:
                alone[int(match[1]) - number].append(line)
            for end in {
                int(found[0]) for found in (_FIRST.match(words), _LAST.search(words)) if found
            }:
                beside[end - number, round(line.base / SAME_HEIGHT)].append(line)
    most = max(2, 0.7 * len(pages))
    numbered = [group for group in alone.values() if _pages(group) >= most]
    for (offset, _), group in beside.items():
        if _pages(group) >= max(MIN_PAGES, MIN_SHARE * len(pages)):
            numbered += [group, alone[offset]]
    return {id(line) for group in numbered for line in group}


def _pages(lines: list[Line]) -> int:
    return len({line.page for line in lines})
