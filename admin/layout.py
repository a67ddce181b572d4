"""A version's canonical text laid out by its blocks, with the quoted words set apart."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from store.documents import Block, Version

BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")

GroupKind = Literal["heading", "paragraph", "list", "table", "code"]
GROUP: dict[str, GroupKind] = {
    "heading": "heading",
    "paragraph": "paragraph",
    "list_item": "list",
    "table_row": "table",
    "code": "code",
}


@dataclass(frozen=True)
class Quote:
    """The words to mark: code points `start` to `end` (exclusive) of the canonical text."""

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
    """One block of the page: its runs joined are exactly the block's text."""

    block: Block
    runs: tuple[Run, ...]


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


def lay_out(version: Version, blocks: Sequence[Block], quote: Quote | None) -> tuple[Group, ...]:
    """Return a version's blocks in groups, the runs of `quote` marked.

    A first heading that only repeats the title is left out, unless the quote is in it.
    """
    shown = list(blocks or paragraphs(version.text))
    if shown and _repeats_title(version, shown[0]) and not _overlap(shown[0], quote):
        del shown[0]
    anchor = next((block for block in shown if _overlap(block, quote)), None)
    lines = [Line(b, tuple(_runs(version.text, b, quote, b is anchor))) for b in shown]
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


def _overlap(block: Block, quote: Quote | None) -> bool:
    return quote is not None and block.start < quote.end and quote.start < block.end


def _runs(text: str, block: Block, quote: Quote | None, anchor: bool) -> Iterator[Run]:
    if quote is None or not _overlap(block, quote):
        yield Run(text[block.start : block.end])
        return
    start, end = max(block.start, quote.start), min(block.end, quote.end)
    if block.start < start:
        yield Run(text[block.start : start])
    yield Run(text[start:end], quoted=True, anchor=anchor)
    if end < block.end:
        yield Run(text[end : block.end])
