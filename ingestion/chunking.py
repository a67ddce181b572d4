"""Canonical text to chunks: whole blocks of one section where they fit, else whole sentences.

A chunk is a contiguous slice of the canonical text, and the chunks of a document cover every
block. Cuts depend on the words around them, not on their distance from the start: after an
edit the old cuts are found again, so few chunks change.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingestion.parse.writer import shorten
from retrieval.sentences import split
from store.documents import Block, Chunk, ParsedDocument

TOKEN_LIMIT = 200  # tokens of a passage, without title and headings
PREFIX_LIMIT = 40  # tokens of title and headings in a chunk's content
# Of the limit, that a chunk has at least where it does not end its section. The wider the range
# to cut in, the sooner an edited text falls back into the old cuts: measured on long sections,
# 0.5 renews 1.7 chunks an edit, 0.66 3.3, and finds passages as well.
FILL = 0.5
# Of the limit, that a section has at most to share a chunk with its neighbours. Measured on
# 2,016 questions to 273 service pages, gold passage first: 42.5 % of questions without sharing,
# 46.3 % at a half, 47.2 % at three quarters, 46.9 % at the whole.
SMALL = 0.75
GROUP = 8  # sections that share a chunk are parted at one in eight, told by their words
PATH_JOINER = " › "
CHARACTERS_PER_TOKEN = 16  # at most, whatever the tokenizer counts: one "word" may be a megabyte

CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class _Unit:
    """What is never cut: a block, or a sentence (or a run of words) of a long block."""

    start: int
    end: int
    tokens: int
    block: Block
    opens_block: bool


@dataclass(frozen=True)
class _Section:
    """A heading and the blocks under it, up to the next heading with text of its own."""

    units: tuple[_Unit, ...]
    path: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return sum(unit.tokens for unit in self.units)


def chunk(
    document: ParsedDocument, count_tokens: CountTokens, limit: int = TOKEN_LIMIT
) -> tuple[Chunk, ...]:
    """Cut `document` into chunks of at most `limit` tokens of passage text.

    `content` is title and headings (at most 40 tokens, outermost left out first), a line end,
    and the passage. Time is linear in the text for a linear `count_tokens`.
    """
    cutter = _Cutter(document, count_tokens, limit)
    return tuple(cutter.chunks())


class _Cutter:
    def __init__(self, document: ParsedDocument, count_tokens: CountTokens, limit: int) -> None:
        self._document = document
        self._text = document.text
        self._limit = limit
        self._count_tokens = count_tokens
        self._prefixes: dict[tuple[str, ...], str] = {}

    def chunks(self) -> Iterator[Chunk]:
        sections = [self._section(blocks) for blocks in _sections(self._document.blocks)]
        ordinal = 0
        for group in self._groups(sections):
            for part in self._pack([unit for section in group for unit in section.units]):
                yield self._chunk(ordinal, part)
                ordinal += 1

    def _count(self, start: int, end: int) -> int:
        least = -(-(end - start) // CHARACTERS_PER_TOKEN)
        return max(self._count_tokens(self._text[start:end]), least)

    def _section(self, blocks: Sequence[Block]) -> _Section:
        units = tuple(unit for block in blocks for unit in self._units(block))
        return _Section(units, self._path_in(blocks[-1]))

    def _path_in(self, block: Block) -> tuple[str, ...]:
        """Return the headings above a block's words, a heading's own included."""
        if block.kind != "heading":
            return block.heading_path
        return (*block.heading_path, shorten(self._text[block.start : block.end]))

    def _units(self, block: Block) -> Iterator[_Unit]:
        tokens = self._count(block.start, block.end)
        if tokens <= self._limit:
            yield _Unit(block.start, block.end, tokens, block, True)
            return
        for start, end in split(self._text[block.start : block.end]):
            yield from self._sentence(block, block.start + start, block.start + end)

    def _sentence(self, block: Block, start: int, end: int) -> Iterator[_Unit]:
        """Yield a sentence, or what fits of it: halves at a space, then at any character."""
        spans = [(start, end)]
        while spans:
            left, right = spans.pop()
            tokens = self._count(left, right)
            if tokens <= self._limit or right - left < 2:
                yield _Unit(left, right, tokens, block, left == block.start)
                continue
            spans += reversed(self._halves(left, right))

    def _halves(self, left: int, right: int) -> list[tuple[int, int]]:
        """Cut at the space nearest before the middle, else at the first one after it."""
        middle = (left + right) // 2
        space = self._text.rfind(" ", left + 1, middle)
        if space < 0:
            space = self._text.find(" ", middle, right - 1)
        if space < 0:
            return [(left, middle), (middle, right)]
        return [(left, space), (space + 1, right)]

    def _groups(self, sections: Sequence[_Section]) -> Iterator[list[_Section]]:
        """Put neighbouring sections together where they fit: of one parent, or parent and child.

        Whether a section begins a group is told by its own words, so that an edit regroups
        its neighbours only.
        """
        group: list[_Section] = []
        for section in sections:
            if group and not self._joins(group, section):
                yield group
                group = []
            group.append(section)
        if group:
            yield group

    def _joins(self, group: Sequence[_Section], section: _Section) -> bool:
        last = group[-1]
        return (
            max(last.tokens, section.tokens) <= SMALL * self._limit
            and section.path[:-1] in (last.path[:-1], last.path)
            and self._hash(section.units[0]) % GROUP != 0
            and sum(part.tokens for part in group) + section.tokens <= self._limit
        )

    def _hash(self, unit: _Unit) -> int:
        return zlib.crc32(self._text[unit.start : unit.end].encode("utf-8", "surrogatepass"))

    def _pack(self, units: Sequence[_Unit]) -> Iterator[Sequence[_Unit]]:
        start = 0
        while start < len(units):
            end = self._cut(units, start)
            yield units[start:end]
            start = end

    def _cut(self, units: Sequence[_Unit], start: int) -> int:
        """Return where the chunk that begins at unit `start` ends: at the best cut in reach."""
        tokens = 0
        best, best_rank = start + 1, (-3, 0)
        for end in range(start + 1, len(units) + 1):
            tokens += units[end - 1].tokens
            if tokens > self._limit and end > start + 1:
                return best
            if end == len(units):
                return end
            full = tokens >= FILL * self._limit
            rank = self._rank(units[end - 1], units[end]) if full else (-1, end)
            if units[end - 1].block.kind == "heading":
                rank = (-2, end)
            if rank >= best_rank:
                best, best_rank = end, rank
        return best

    def _rank(self, before: _Unit, after: _Unit) -> tuple[int, int]:
        """Return how good a cut is: between blocks, and not after "as follows:"."""
        leads_in = self._text[before.end - 1] == ":"
        return (2 * after.opens_block + (not leads_in), self._hash(after))

    def _chunk(self, ordinal: int, units: Sequence[_Unit]) -> Chunk:
        start, end = units[0].start, units[-1].end
        texts = [unit.block for unit in units if unit.block.kind != "heading"]
        path = _common([self._path_in(block) for block in texts or [units[-1].block]])
        return Chunk(
            ordinal=ordinal,
            start=start,
            end=end,
            content=f"{self._prefix(path)}\n{self._text[start:end]}",
            token_count=sum(unit.tokens for unit in units),
            heading_path=path,
            page=units[0].block.page,
        )

    def _prefix(self, path: tuple[str, ...]) -> str:
        if path not in self._prefixes:
            names = [self._document.title, *path]
            while len(names) > 1 and self._count_tokens(PATH_JOINER.join(names)) > PREFIX_LIMIT:
                names.pop(0)
            self._prefixes[path] = self._shortened(PATH_JOINER.join(names))
        return self._prefixes[path]

    def _shortened(self, prefix: str) -> str:
        while self._count_tokens(prefix) > PREFIX_LIMIT:
            prefix = (
                prefix[: len(prefix) * 3 // 4].rpartition(" ")[0] or prefix[: len(prefix) // 2]
            )
        return prefix


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield the blocks of one heading path, after the headings that lead to it."""
    section: list[Block] = []
    for is_heading, run in groupby(blocks, key=lambda block: block.kind == "heading"):
        section += run
        if not is_heading:
            yield section
            section = []
    if section:
        yield section


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return what all paths begin with."""
    common = paths[0]
    for path in paths[1:]:
        length = next(
            (i for i, (a, b) in enumerate(zip(common, path, strict=False)) if a != b),
            min(len(common), len(path)),
        )
        common = common[:length]
    return common
