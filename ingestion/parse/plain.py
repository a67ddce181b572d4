"""Plain text to blocks: titles, headings and lists are told by how the lines stand.

A heading is a short line that does not end like a sentence, stands under a blank line, and is
followed by text; or is underlined; or is numbered ("4.2 Returns"). Form feeds part pages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.parse.visible import Piece, visible
from ingestion.parse.writer import CanonicalWriter, Head, shorten
from store.documents import BlockKind

MAX_HEADING_LINE = 100  # characters
MAX_TITLE_LINE = 160  # characters of a first line that stands alone
MIN_WRAP = 40  # columns; nobody wraps text narrower
TITLE_LEVEL = 1
SECTION_LEVEL = 2

_LINE = re.compile(r"([^\r\n\f]*)(\r\n|\r|\n|\f|\Z)")
_SENTENCE_END = tuple(".,;:")
_BULLET = re.compile(r"(\s*)(?:[-*•‣◦▪●–+][ \t]+|·[ \t]*)(?=\S)")
_NUMBERED = re.compile(
    r"(\s*)(?:\d{1,3}|[a-zA-Z]|[ivx]{1,5})[.)][ \t]+(?=\S)|(\s*)\(\w{1,4}\)[ \t]+(?=\S)"
)
_SECTION = re.compile(r"\s*(?:section|article|§)?\s*(\d+(?:\.\d+)*)\.?\s+\S", re.IGNORECASE)
_HASHES = re.compile(r"(#{1,6})[ \t]+(?=\S)")
_UNDERLINE = re.compile(r"\s*(={3,}|-{3,}|~{3,})\s*")
_RULE = re.compile(r"\s*(?:[-=_*~#]\s*){3,}")


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    text: str  # without white space around it
    indent: int
    page: int

    @property
    def blank(self) -> bool:
        return not self.text


def parse_plain(source: str) -> tuple[CanonicalWriter, Head]:
    """Read a text file. Returns the written blocks and its title, if the first line is one."""
    source = source.replace("\r\n", "\t\n")
    reader = _Reader(source, CanonicalWriter(source))
    reader.run()
    return reader.writer, Head(title=reader.title)


def write_plain(source: str, writer: CanonicalWriter) -> None:
    """Write the blocks of text without a title that was taken from another format."""
    _Reader(source, writer).run(titled=False)


class _Reader:
    def __init__(self, source: str, writer: CanonicalWriter) -> None:
        self.writer = writer
        self.title: str | None = None
        self._source = source
        self._lines = list(_lines(source))
        self._pages = bool(self._lines) and self._lines[-1].page > 1
        self._width = _wrap_width(self._lines)
        self._group = 0

    def run(self, *, titled: bool = True) -> None:
        """Write every line as part of a block; the first may be a title if it is `titled`."""
        index = self._write_title() if titled else 0
        while index < len(self._lines):
            index = self._write_block(index)

    def _write_title(self) -> int:
        """Write the first line as the title if it is short and no sentence."""
        index = self._skip_blank(0)
        if index >= len(self._lines):
            return index
        line = self._lines[index]
        if self._underlined(index):
            return self._write_heading(index, TITLE_LEVEL, 2)
        alone = index + 1 >= len(self._lines) or self._lines[index + 1].blank
        if self._hashes(index) or _item(self._source, line) is not None:
            return index
        if alone:
            # A file of one line has text, not a title.
            title = self._skip_blank(index + 1) < len(self._lines) and _may_be_title(line)
        else:
            title = _short(line) and self._broken_on_purpose(index)
        return self._write_heading(index, TITLE_LEVEL, 1) if title else index

    def _write_block(self, index: int) -> int:
        line = self._lines[index]
        if line.blank or _RULE.fullmatch(line.text):
            return index + 1
        if self._underlined(index):
            mark = self._lines[index + 1].text[0]
            return self._write_heading(
                index, SECTION_LEVEL if mark == "=" else SECTION_LEVEL + 1, 2
            )
        if (hashes := self._hashes(index)) is not None:
            return self._write_heading(index, len(hashes[1]), 1, len(hashes[0]))
        if (level := self._heading_level(index)) is not None:
            return self._write_heading(index, level, 1)
        if _item(self._source, line) is not None:
            return self._write_items(index)
        return self._write_paragraph(index)

    def _write_heading(self, index: int, level: int, lines: int, skip: int = 0) -> int:
        """Write a heading of so many lines, of which only the first is seen, after `skip`."""
        line = self._lines[index]
        self._add("heading", line.start + skip, line.end, line, level=level)
        if level == TITLE_LEVEL and self.title is None:
            self.title = shorten(visible(self._source[line.start + skip : line.end]))
        return index + lines

    def _write_paragraph(self, index: int) -> int:
        end = self._paragraph_end(index)
        first, last = self._lines[index], self._lines[end - 1]
        self._add("paragraph", first.start, last.end, first)
        return end

    def _write_items(self, index: int) -> int:
        """Write the items of one list; a line indented under an item belongs to it."""
        self._group += 1
        first = self._lines[index]
        base = first.indent
        while index < len(self._lines):
            line = self._lines[index]
            start = None if line.blank else _item(self._source, line)
            if start is None or self._heading_level(index) is not None:
                break
            if line.indent <= base and _differ(self._source, line, first):
                break
            end = self._paragraph_end(index)
            level = min(max(line.indent - base, 0) // 2, 6)
            self._add("list_item", start, self._lines[end - 1].end, line, level, self._group)
            index = end
            following = self._skip_blank(index)
            if following < len(self._lines) and _item(self._source, self._lines[following]):
                index = following
        return index

    def _paragraph_end(self, index: int) -> int:
        """Return the line after the paragraph or item that begins at `index`."""
        end = index + 1
        while end < len(self._lines):
            line = self._lines[end]
            if line.blank or line.page != self._lines[index].page or _RULE.fullmatch(line.text):
                break
            if _item(self._source, line) is not None or self._underlined(end):
                break
            end += 1
        return end

    def _heading_level(self, index: int) -> int | None:
        """Return the level of the heading that line `index` is, or None."""
        line = self._lines[index]
        if not _short(line) or line.text[0] == "#" or line.text[0].islower():
            return None
        if index and not self._lines[index - 1].blank and self._lines[index - 1].page == line.page:
            return None
        following = self._skip_blank(index + 1)
        if following >= len(self._lines):
            return None
        if following == index + 1 and not self._broken_on_purpose(index):
            return None
        section = _SECTION.match(line.text)
        if section is not None and "." in section[1]:
            return min(SECTION_LEVEL + section[1].count("."), 6)
        if _item(self._source, line) is None:
            return SECTION_LEVEL
        numbered = section is not None and not _item(self._source, self._lines[following])
        return SECTION_LEVEL if numbered else None

    def _hashes(self, index: int) -> re.Match[str] | None:
        """Return the "## " of a line that stands alone, as people write in text files too."""
        line = self._lines[index]
        neighbours = self._lines[max(index - 1, 0) : index] + self._lines[index + 1 : index + 2]
        if any(other.text.startswith("#") for other in neighbours):
            return None  # a row of them is a comment
        return _HASHES.match(self._source, line.start, line.end)

    def _underlined(self, index: int) -> bool:
        if index + 1 >= len(self._lines):
            return False
        line, under = self._lines[index], self._lines[index + 1]
        return (
            not line.blank
            and len(line.text) <= MAX_HEADING_LINE
            and _UNDERLINE.fullmatch(under.text) is not None
            and not _RULE.fullmatch(line.text)
            and (index == 0 or self._lines[index - 1].blank)
        )

    def _broken_on_purpose(self, index: int) -> bool:
        """Return whether the next line's first word would have fitted on this line."""
        line, following = self._lines[index], self._lines[index + 1]
        if following.blank:
            return True
        word = following.text.split(maxsplit=1)[0]
        return not word[0].islower() and len(line.text) + 1 + len(word) <= self._width

    def _skip_blank(self, index: int) -> int:
        while index < len(self._lines) and self._lines[index].blank:
            index += 1
        return index

    def _add(
        self,
        kind: BlockKind,
        start: int,
        end: int,
        line: _Line,
        level: int = 0,
        group: int | None = None,
    ) -> None:
        page = line.page if self._pages else None
        pieces: list[Piece] = [(self._source[start:end], start)]
        self.writer.add(kind, pieces, level=level, group=group, page=page)


def _lines(source: str) -> Iterator[_Line]:
    page = 1
    for match in _LINE.finditer(source):
        raw = match[1]
        text = visible(raw) if raw and not raw.isspace() else ""
        if match[2] or text:
            yield _Line(match.start(), match.end(1), text, len(raw) - len(raw.lstrip()), page)
        if match[2] == "\f":
            page += 1


def _wrap_width(lines: list[_Line]) -> int:
    """Return the columns at which the text seems wrapped: nine lines of ten are no longer."""
    lengths = sorted(len(line.text) for line in lines if line.text)
    return max(lengths[len(lengths) * 9 // 10], MIN_WRAP) if lengths else MIN_WRAP


def _short(line: _Line) -> bool:
    return (
        len(line.text) <= MAX_HEADING_LINE
        and not line.text.endswith(_SENTENCE_END)
        and any(c.isalnum() for c in line.text)
    )


def _may_be_title(line: _Line) -> bool:
    return (
        len(line.text) <= MAX_TITLE_LINE
        and not line.text.endswith(_SENTENCE_END[:3])
        and any(c.isalnum() for c in line.text)
    )


def _differ(source: str, line: _Line, other: _Line) -> bool:
    """Return whether one of two items has a bullet and the other a number: different lists."""
    bullets = [_BULLET.match(source, item.start, item.end) is not None for item in (line, other)]
    return bullets[0] != bullets[1]


def _item(source: str, line: _Line) -> int | None:
    """Return where the words of a list item begin, or None. A number is one of its words."""
    if (bullet := _BULLET.match(source, line.start, line.end)) is not None:
        return bullet.end()
    if (numbered := _NUMBERED.match(source, line.start, line.end)) is not None:
        return line.start + len(numbered[1] or numbered[2] or "")
    return None
