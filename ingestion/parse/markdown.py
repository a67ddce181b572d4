"""Markdown to blocks, by way of HTML: what a renderer would show is what is read.

CommonMark with tables and strikethrough (whose words are left out). Every stretch of text is
marked with its place in the source on the way, so raw HTML, hidden elements and tables need no
second treatment.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from selectolax.lexbor import LexborHTMLParser

from ingestion.errors import TooComplexError, display_name
from ingestion.parse.front_matter import head_of, split_front_matter
from ingestion.parse.marks import Marks, Origin, closed_names, defuse
from ingestion.parse.walk import write_tree
from ingestion.parse.writer import CanonicalWriter, Head

MAX_BLOCK_NESTING = 100  # levels of quotes and lists (a list and its item are one each)
MAX_INLINE_NESTING = 20  # CommonMark's preset; the time of a row of brackets grows with it
MAX_BRACKETS = 5_000  # in one paragraph, above which it has no links: matching them is slow

_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
# A line on which more quotes and lists begin than may nest: the parser would scan it once a level.
_DEEP_LINE = re.compile(r"^[ \t]*+(?:(?:>|(?:[-*+]|\d{1,9}[.)])[ \t])[ \t]*+){50}.*", re.MULTILINE)
_FILLED_TARGET = re.compile(r"\]\([^\s(){}]*+\{\{[^{}\n]{1,200}\}\}")
_Place = tuple[int, int]  # offset in a token's content, offset in the paragraph's content


def parse_markdown(name: str, source: str) -> tuple[CanonicalWriter, Head]:
    """Read a Markdown file. Returns the written blocks and what its front matter says.

    Raises `FrontMatterError` for a malformed date, `TooComplexError` for absurd nesting.
    """
    values, body = split_front_matter(source)
    head = head_of(name, values)
    if any(len(set(line[0].split())) > 1 for line in _DEEP_LINE.finditer(source, body)):
        raise _too_deep(name)  # "* * * *" alone is a ruler
    marks = Marks(source, name)
    writer = CanonicalWriter(source)
    tree = LexborHTMLParser(_Renderer(name, source, body, marks).render())
    write_tree(tree, marks, writer)
    return writer, head


def _too_deep(name: str) -> TooComplexError:
    return TooComplexError(
        f"{display_name(name)} nests quotes or lists more than {MAX_BLOCK_NESTING // 2} levels "
        "deep; flatten it."
    )


def _trace(state: StateInline, silent: bool) -> bool:
    """Note where the parser stands each time it asks its rules; never take anything."""
    if not silent:
        steps: list[tuple[int, int, int]] = state.__dict__.setdefault("steps", [])
        steps.append((len(state.tokens), len(state.pending), state.pos))
    return False


def _settle(state: StateInline) -> None:
    """Turn the notes of `_trace` into each token's places, before tokens are moved about."""
    steps: list[tuple[int, int, int]] = state.__dict__.get("steps", [])
    places: dict[int, list[_Place]] = {}
    for index, (count, pending, position) in enumerate(steps):
        places.setdefault(count, []).append((pending, position))
        made = steps[index + 1][0] if index + 1 < len(steps) else len(state.tokens)
        first = count + 1 if pending else count
        for new in range(first, made):
            places.setdefault(new, [(0, position + new - first)])
    for number, token in enumerate(state.tokens):
        token.meta["places"] = places.get(number, [])


def _inline_parser(*without: str) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_INLINE_NESTING})
    parser.enable("strikethrough")
    parser.inline.ruler.before("text", "trace", _trace)
    parser.inline.ruler2.before("balance_pairs", "settle", _settle)
    parser.inline.ruler2.disable("fragments_join")
    parser.disable(list(without))
    return parser


_BLOCKS = MarkdownIt("commonmark", {"maxNesting": MAX_BLOCK_NESTING}).enable("table")
_BLOCKS.disable(["inline", "text_join"])
_INLINE = _inline_parser()
_INLINE_WITHOUT_LINKS = _inline_parser("link", "image")

_TAGS = {
    "paragraph": "p",
    "bullet_list": "ul",
    "list_item": "li",
    "blockquote": "blockquote",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
}


def _unspaced(text: str) -> str:
    """Return `text`, as long as before, with no plain space in a link's `({{ site.address }})`.

    Site generators fill such a target in before Markdown is read; unfilled, it would be no link.
    """
    return _FILLED_TARGET.sub(lambda match: match[0].replace(" ", "\u00a0"), text)


class _Renderer:
    """Renders one source from `body` on as HTML whose text is marked."""

    def __init__(self, name: str, source: str, body: int, marks: Marks) -> None:
        self._name = name
        self._marks = marks
        self._source = source
        self._read = _unspaced(source)
        self._body = body
        self._lines = [match.span(1) for match in _LINE.finditer(source, body)]
        self._environment: dict[str, object] = {}
        self._in_cell = False
        self._next: int | None = None  # where text that needs no mark of its own would stand
        self._cell = (-1, 0)  # line of a table's row, and where its next cell may begin

    def render(self) -> str:
        """Return the marked HTML."""
        return "".join(
            part
            for token in _BLOCKS.parse(self._read[self._body :], self._environment)
            for part in self._block(token)
        )

    def _block(self, token: Token) -> Iterator[str]:
        if token.level >= MAX_BLOCK_NESTING - 2:
            raise _too_deep(self._name)
        self._next = None
        kind, _, edge = token.type.rpartition("_")
        if token.type == "inline":
            origin = self._cell_origin(token) if self._in_cell else self._origin(token, 0)
            yield from self._inline(token, origin)
        elif token.type in ("fence", "code_block"):
            yield from self._code(token)
        elif token.type == "html_block":
            html = defuse(token.content, closed_names(token.content))
            yield self._marks.mark_html(html, self._origin(token, 0))
        elif kind == "heading":
            yield f"<{'/' if edge == 'close' else ''}{token.tag}>"
        elif kind == "ordered_list":
            yield f'<ol start="{token.attrs.get("start", 1)}">' if edge == "open" else "</ol>"
        elif kind in _TAGS:
            self._in_cell = kind in ("td", "th")
            yield f"<{'/' if edge == 'close' else ''}{_TAGS[kind]}>"

    def _code(self, token: Token) -> Iterator[str]:
        origin = self._origin(token, 1 if token.type == "fence" else 0)
        yield "<pre>\n"
        for start, end, place in origin.cut(0, len(token.content)):
            yield self._marked(token.content[start:end], place)
        yield "</pre>"

    def _inline(self, token: Token, origin: Origin) -> Iterator[str]:
        parser = _INLINE if token.content.count("[") <= MAX_BRACKETS else _INLINE_WITHOUT_LINKS
        children = parser.inline.parse(token.content, parser, self._environment, [])
        closed = closed_names(token.content)
        for child in children:
            yield from self._child(child, origin, 0, closed)

    def _child(
        self, child: Token, origin: Origin, base: int, closed: frozenset[str]
    ) -> Iterator[str]:
        places: list[_Place] = child.meta.get("places", [])
        if child.type == "text":
            yield from self._text_pieces(child.content, places, origin, base)
        elif child.type == "text_special":
            shift = 1 if child.info == "escape" and len(child.content) == 1 else 0
            yield from self._text_pieces(child.content, places, origin, base + shift)
        elif child.type == "code_inline":
            yield from self._text_pieces(
                child.content, places, origin, base + self._code_shift(child, origin, places, base)
            )
        elif child.type == "image":
            start = places[0][1] + 2 if places else 0
            for part in child.children or []:
                yield from self._child(part, origin, base + start, closed)
        elif child.type in ("softbreak", "hardbreak"):
            yield self._line_end()
        elif child.tag and child.nesting:  # links and emphasis: they bound raw HTML inside them
            self._next = None
            yield f"<{'/' if child.nesting < 0 else ''}{child.tag}>"
        elif child.type == "html_inline":
            self._next = None
            yield defuse(child.content, closed)

    def _line_end(self) -> str:
        if self._next is not None and self._source.startswith("\n", self._next):
            self._next += 1
            return "\n"
        self._next = None
        return self._marks.mark(None) + "\n"

    def _code_shift(self, child: Token, origin: Origin, places: list[_Place], base: int) -> int:
        """Return the width of the backticks, and of the space that is dropped after them."""
        shift = len(child.markup)
        if places:
            at = base + places[0][1] + shift
            for _, _, place in origin.cut(at, at + 1):
                if place is not None and not self._source.startswith(child.content, place):
                    return shift + 1
        return shift

    def _text_pieces(
        self, content: str, places: list[_Place], origin: Origin, base: int
    ) -> Iterator[str]:
        """Yield the parts of a token's text, each marked with its place."""
        cuts = [*places, (len(content), 0)] if places else [(0, -1), (len(content), 0)]
        for (start, position), (end, _) in pairwise(cuts):
            stop = min(end, len(content))
            if position < 0:
                yield self._marked(content[start:stop], None)
                continue
            at = base + position
            for left, right, place in origin.cut(at, at + stop - start):
                yield self._marked(content[start + left - at : start + right - at], place)

    def _marked(self, text: str, place: int | None) -> str:
        """Return `text` as HTML, with a mark unless it goes on where the last text ended."""
        if place is not None and not self._source.startswith(text, place):
            place = None
        mark = "" if place is not None and place == self._next else self._marks.mark(place)
        self._next = None if place is None else place + len(text)
        return mark + escape(text, quote=False)

    def _origin(self, token: Token, skip: int) -> Origin:
        """Return where the lines of a token's content stand in the source."""
        starts: list[int] = []
        places: list[int | None] = []
        position = 0
        first = (token.map or [len(self._lines)])[0] + skip
        for number, line in enumerate(token.content.split("\n"), first):
            # The line's end may be two characters in the source: it has no place.
            starts += [position, position + len(line)]
            places += [self._place_of(line, number), None]
            position += len(line) + 1
        return Origin(starts, places)

    def _place_of(self, line: str, number: int) -> int | None:
        """Return where `line`, whose prefix or end may be cut off, stands in line `number`."""
        if number >= len(self._lines):
            return None
        found = self._read.rfind(line.strip(), *self._lines[number])
        return None if found < 0 else found - (len(line) - len(line.lstrip()))

    def _cell_origin(self, token: Token) -> Origin:
        """Return where a table cell's content stands: after the row's earlier cells."""
        number = (token.map or [0])[0]
        start, end = self._lines[number]
        since = self._cell[1] if self._cell[0] == number else start
        starts: list[int] = []
        places: list[int | None] = []
        position = 0
        for part in re.split(r"(?=\|)", token.content):  # the source has "\\" before each
            found = self._read.find(part, since, end)
            starts.append(position)
            places.append(None if found < 0 else found)
            position += len(part)
            since = max(found + len(part), since)
        self._cell = (number, since)
        return Origin(starts, places)
