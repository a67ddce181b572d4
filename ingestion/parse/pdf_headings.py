"""Which passages of a PDF are headings, and of what level: by bookmarks, else by how they look."""

from collections import defaultdict
from collections.abc import Sequence

from ingestion.parse.pdf_blocks import (
    MAX_BOLD_HEADING_CHARS,
    MAX_HEADING_CHARS,
    Fabric,
    Passage,
)
from ingestion.parse.pdf_file import Bookmark
from ingestion.parse.pdf_lines import Line
from ingestion.parse.pdf_marks import bullet, is_contents, key_letters, number_depth

LARGER = 1.12  # times the body's font size
CENTRED = 3  # times the font's size, on both sides of a centred line
TITLE_LEVEL = 1
SECTION_LEVEL = 2
DEEPEST = 6
MAX_HEADING_LINES = 4
MAX_BEFORE_TITLE = 6  # passages, the title among them
NEAR_PAGES = 1  # a bookmark may point to the page before its heading

Style = tuple[float, bool, bool, bool]  # size, bold, capitals, italic


def style_of(line: Line) -> Style:
    """Return how a line looks, as far as headings are told by it."""
    return round(line.size * 2) / 2, line.bold, line.words.isupper(), line.italic


def bookmarked_lines(
    lines: Sequence[Line], bookmarks: Sequence[Bookmark]
) -> dict[int, tuple[int, int]]:
    """Return which lines (by id) begin a bookmark's heading: its lines and the level."""
    keys = [key_letters(line.words) for line in lines]
    starts: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key:
            starts[lines[index].page, key[:1]].append(index)
    found: dict[int, tuple[int, int]] = {}
    after = -1
    for mark in bookmarks:
        wanted = key_letters(mark.title)
        if not wanted or mark.page is None:
            continue
        near = [
            index
            for page in range(mark.page - NEAR_PAGES, mark.page + NEAR_PAGES + 1)
            for index in starts.get((page, wanted[0]), ())
        ]
        near.sort(key=lambda index: (index <= after, abs(lines[index].page - (mark.page or 0))))
        for index in near:
            if count := _heading_lines(wanted, keys, index):
                found[id(lines[index])] = (count, mark.level)
                after = index
                break
    return found


def _heading_lines(wanted: str, keys: Sequence[str], index: int) -> int:
    """Return how many lines from `index` on make the heading, 0 if they do not."""
    key = ""
    for count in range(1, MAX_HEADING_LINES + 1):
        if index + count > len(keys):
            break
        key += keys[index + count - 1]
        if key == wanted:
            return count
        if not wanted.startswith(key):
            break
    return 0


def looks_like_heading(passage: Passage, usual: Fabric) -> bool:
    """Return whether a passage is set as headings are: larger, bold or in capitals."""
    if passage.kind not in ("paragraph", "list_item") or passage.first.turned:
        return False
    words = passage.words.strip()
    if not any(c.isalpha() for c in words) or len(words) > MAX_HEADING_CHARS:
        return False
    if (
        len(passage.lines) > MAX_HEADING_LINES
        or words[0] == "("
        or bullet(words)
        or words[0].islower()
        or is_contents(words)
    ):
        return False
    if all(line.size >= LARGER * usual.size for line in passage.lines):
        return not words.endswith((",", ";"))
    if len(words) > MAX_BOLD_HEADING_CHARS or words.endswith((".", ",", ";")):
        return False
    if passage.first.size < usual.size * 0.9:
        return False
    if all(line.bold for line in passage.lines):
        return not usual.bold
    if all(line.italic and is_centred(line, usual) for line in passage.lines):
        return True
    letters = sum(c.isalpha() for c in words)
    return words.isupper() and letters >= 5 and passage.kind == "paragraph"


def is_centred(line: Line, usual: Fabric) -> bool:
    """Return whether a short line stands in the middle of its column."""
    place = (line.page, line.column)
    left, right = usual.lefts.get(place, line.left), usual.rights.get(place, line.right)
    before, behind = line.left - left, right - line.right
    return before > CENTRED * line.size and abs(before - behind) <= 2 * line.size


def set_levels(found: Sequence[Passage], usual: Fabric) -> None:
    """Turn passages that are headings into such, with their levels."""
    heads = [p for p in found if p.marked or looks_like_heading(p, usual)]
    while heads and heads[-1] is found[-1] and not heads[-1].marked:
        heads.pop()  # nothing stands under it
    title = _title(heads, found)
    levels = _style_levels(heads, title)
    depths = _least_depths(heads)
    deeper = int(title is not None and not title.marked)
    for passage in heads:
        if passage is title:
            level = TITLE_LEVEL
        elif passage.marked:
            level = passage.marked + deeper
        else:
            style = style_of(passage.first)
            level = levels[style] + number_depth(passage.words) - depths[style]
        passage.kind, passage.level, passage.group = "heading", min(level, DEEPEST), None


def _title(heads: Sequence[Passage], found: Sequence[Passage]) -> Passage | None:
    """Return the heading that is the document's title: the largest, before any other text."""
    largest = max((round(passage.first.size) for passage in heads), default=0)
    for passage in found[:MAX_BEFORE_TITLE]:
        if passage in heads[:3] and round(passage.first.size) == largest:
            return passage
        if len(passage.words) > MAX_HEADING_CHARS:
            return None
    return None


def _least_depths(heads: Sequence[Passage]) -> dict[Style, int]:
    """Return, for each look, how deep its numbers are at least: 1 if all are like "2.1"."""
    depths: dict[Style, int] = {}
    for passage in heads:
        style, depth = style_of(passage.first), number_depth(passage.words)
        depths[style] = min(depth, depths.get(style, depth))
    return depths


def _style_levels(heads: Sequence[Passage], title: Passage | None) -> dict[Style, int]:
    """Give each look a level: larger before smaller, bold before plain."""
    styles = {style_of(passage.first) for passage in heads if passage is not title}
    ranked = sorted(styles, key=lambda style: (-style[0], not style[1], not style[2], style[3]))
    return {style: min(SECTION_LEVEL + rank, DEEPEST) for rank, style in enumerate(ranked)}
