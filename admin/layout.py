"""A version's canonical text laid out by its blocks, with the quoted words set apart."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from store.documents import Block, Version

CELL_JOINER = " | "  # stands between the cells of a table row in canonical text
BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
NUMBER = re.compile(r"(?:\d+|[A-Za-z])[.)]\s")

GroupKind = Literal["heading", "paragraph", "list", "table", "code"]
GROUP: dict[str, GroupKind] = {
    "heading": "heading",
    "paragraph": "paragraph",
    "list_item": "list",
    "table_row": "table",
    "code": "code",
}


@dataclass(frozen=True)
class Span:
    """A stretch of the canonical text: code points `start` to `end` (exclusive)."""

    start: int
    end: int


@dataclass(frozen=True)
class Run:
    """A stretch of a block: quoted or not; `anchor` is the first quoted one of the page."""

    text: str
    quoted: bool = False
    anchor: bool = False


@dataclass(frozen=True)
class Line:
    """One block of the page: a table row has its cells, anything else is one cell.

    The runs of a cell joined are exactly its text.
    """

    block: Block
    cells: tuple[tuple[Run, ...], ...]

    @property
    def numbered(self) -> bool:
        """Whether the text brings its own number, as the items of an ordered list do."""
        return NUMBER.match("".join(run.text for run in self.cells[0])) is not None


@dataclass(frozen=True)
class Group:
    """Neighbouring blocks that belong together: the items of a list, the rows of a table."""

    kind: GroupKind
    lines: tuple[Line, ...]


def paragraphs(text: str) -> Iterator[Block]:
    """Yield a paragraph for every stretch between blank lines, for text without blocks."""
    start = 0
    for gap in [*BLANK_LINE.finditer(text), None]:
        end = gap.start() if gap else len(text)
        if text[start:end].strip():
            yield Block("paragraph", start, end)
        start = gap.end() if gap else end


def lay_out(version: Version, blocks: Sequence[Block], quote: Span | None) -> tuple[Group, ...]:
    """Return a version's blocks in groups, the runs of `quote` marked.

    A first heading that only repeats the title is left out, unless the quote is in it.
    """
    shown = list(blocks or paragraphs(version.text))
    if shown and _repeats_title(version, shown[0]) and not _overlap(_whole(shown[0]), quote):
        del shown[0]
    spans = {block: tuple(_spans(version.text, block)) for block in shown}
    every = (span for block in shown for span in spans[block])
    anchor = next((span for span in every if _overlap(span, quote)), None)
    lines = [
        Line(block, tuple(tuple(_runs(version.text, s, quote, anchor)) for s in spans[block]))
        for block in shown
    ]
    grouped = groupby(lines, key=_group_key)
    return tuple(Group(GROUP[key[0]], tuple(members)) for key, members in grouped)


def top_level(groups: Sequence[Group]) -> int:
    """Return the level of the highest headings of a page: they come next below its title."""
    levels = [group.lines[0].block.level for group in groups if group.kind == "heading"]
    return min(levels, default=1)


def _group_key(line: Line) -> tuple[str, int]:
    """Lists and tables run on; every other block stands alone, told apart by where it starts."""
    runs_on = line.block.kind in ("list_item", "table_row")
    return line.block.kind, -1 if runs_on else line.block.start


def _repeats_title(version: Version, block: Block) -> bool:
    return block.kind == "heading" and version.text[block.start : block.end] == version.title


def _whole(block: Block) -> Span:
    return Span(block.start, block.end)


def _spans(text: str, block: Block) -> Iterator[Span]:
    """Yield the cells of a table row, or the whole of any other block."""
    if block.kind != "table_row":
        yield _whole(block)
        return
    start = block.start
    for cell in text[block.start : block.end].split(CELL_JOINER):
        yield Span(start, start + len(cell))
        start += len(cell) + len(CELL_JOINER)


def _overlap(span: Span, quote: Span | None) -> bool:
    return quote is not None and span.start < quote.end and quote.start < span.end


def _runs(text: str, span: Span, quote: Span | None, anchor: Span | None) -> Iterator[Run]:
    if quote is None or not _overlap(span, quote):
        yield Run(text[span.start : span.end])
        return
    start, end = max(span.start, quote.start), min(span.end, quote.end)
    if span.start < start:
        yield Run(text[span.start : start])
    yield Run(text[start:end], quoted=True, anchor=span is anchor)
    if end < span.end:
        yield Run(text[end : span.end])
