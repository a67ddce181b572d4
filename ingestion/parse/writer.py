"""Canonical text as it is written down: block after block, with offsets, headings and places."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ingestion.parse.visible import Piece, Run, append_run, normalise
from store.documents import Block, BlockKind, ParsedDocument, SourceRun

BLOCK_JOINER = "\n\n"
ROW_JOINER = "\n"  # between items of one list, rows of one table, lines of one code block
MAX_HEADING = 160  # characters of a heading in a heading path or a title


def shorten(heading: str) -> str:
    """Return `heading` cut at a word to at most 160 characters."""
    if len(heading) <= MAX_HEADING:
        return heading
    cut = heading[: MAX_HEADING - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


class Source(Protocol):
    """What a place in the source is held against: the decoded file, or the pages of one."""

    def startswith(self, prefix: str, start: int, /) -> bool:
        """Return whether `prefix` stands at `start`, letter for letter."""


@dataclass(frozen=True)
class Head:
    """What a document says about itself beside its text: front matter or meta elements."""

    title: str | None = None
    document_key: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    owner: str | None = None
    link: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    kind: BlockKind
    start: int
    end: int
    level: int
    page: int | None


class CanonicalWriter:
    """Collects visible blocks in reading order and turns them into a `ParsedDocument`.

    `source` is the decoded file; a piece that claims a place in it is believed only if it
    stands there letter for letter.
    """

    def __init__(self, source: Source) -> None:
        self.hidden = 0  # characters
        self.struck = 0  # passages
        self._source = source
        self._parts: list[str] = []
        self._length = 0
        self._group: object = None
        self._entries: list[_Entry] = []
        self._runs: list[Run] = []

    def add(
        self,
        kind: BlockKind,
        pieces: list[Piece],
        *,
        level: int = 0,
        group: object = None,
        page: int | None = None,
    ) -> bool:
        """Write one block and return True, or return False when nothing of it is visible.

        Blocks with the same `group` (a list, a table) stand on neighbouring lines.
        """
        seen = normalise([self._believed(piece) for piece in pieces])
        self.hidden += seen.hidden
        if not seen.text:
            return False
        self._join(group)
        start = self._length
        self._write(seen.text)
        self._entries.append(_Entry(kind, start, self._length, level, page))
        for run_start, source, length in seen.runs:
            append_run(self._runs, (start + run_start, source, length))
        return True

    def first_heading(self) -> str | None:
        """Return the text of the first level-1 heading."""
        for index, entry in enumerate(self._entries):
            if entry.kind == "heading" and entry.level == 1:
                return self._text_of(index)
        return None

    @property
    def text(self) -> str:
        """The canonical text so far."""
        return "".join(self._parts)

    @property
    def empty(self) -> bool:
        """Whether nothing visible has been written."""
        return not self._entries

    def finish(
        self, title: str, head: Head | None = None, warnings: tuple[str, ...] = ()
    ) -> ParsedDocument:
        """Return the document; a first level-1 heading that is the title is in no heading path."""
        head = head or Head()
        return ParsedDocument(
            title=title,
            text=self.text,
            blocks=self._blocks(title),
            source_map=tuple(SourceRun(*run) for run in self._runs),
            document_key=head.document_key,
            effective_from=head.effective_from,
            effective_to=head.effective_to,
            owner=head.owner,
            link=head.link,
            hidden_characters=self.hidden,
            warnings=(*warnings, *head.warnings, *self._struck_warning()),
        )

    def _struck_warning(self) -> Iterator[str]:
        if self.struck:
            were = "passage was" if self.struck == 1 else "passages were"
            yield f"{self.struck:,} struck-out {were} left out."

    def _believed(self, piece: Piece) -> Piece:
        text, at = piece
        return piece if at is not None and self._source.startswith(text, at) else (text, None)

    def _join(self, group: object) -> None:
        if self._entries:
            together = group is not None and group == self._group
            self._write(ROW_JOINER if together else BLOCK_JOINER)
        self._group = group

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _text_of(self, index: int) -> str:
        return self._parts[2 * index]  # parts alternate: block, joiner, block …

    def _blocks(self, title: str) -> tuple[Block, ...]:
        blocks: list[Block] = []
        above: list[tuple[int, str]] = []  # open headings: level, text
        title_seen = False
        for index, entry in enumerate(self._entries):
            if entry.kind == "heading":
                while above and above[-1][0] >= entry.level:
                    above.pop()
            path = tuple(text for _, text in above if text)
            blocks.append(Block(entry.kind, entry.start, entry.end, entry.level, path, entry.page))
            if entry.kind == "heading":
                text = self._text_of(index)
                is_title = not title_seen and entry.level == 1
                title_seen = title_seen or is_title
                hide = is_title and shorten(text).casefold() == title.casefold()
                above.append((entry.level, "" if hide else shorten(text)))
        return tuple(blocks)
