"""Marks that carry source offsets through an HTML parser, which keeps none.

A mark is an offset between two copies of a private-use character that the source does not
contain. It is put before each stretch of text; after parsing, the text between two marks
stands in the source at the first mark's offset.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from ingestion.errors import TooComplexError, display_name
from ingestion.parse.visible import Piece

MAX_NESTING = 20_000  # open elements; the parser's time grows with their square above that
MAX_TAG = 20_000  # characters of one tag outside quotes, likewise

_CONTAINERS = frozenset(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption "
    "figure footer form header hgroup main menu nav ol search section summary ul".split()
)
_RAW = frozenset("script style textarea title xmp iframe noembed noframes".split())
_RAW_END = re.compile(rf"</({'|'.join(_RAW)})(?=[\s/>])", re.IGNORECASE)
_MARKUP = re.compile(
    r"<!--(?:>|->|.*?(?:--!?>|\Z))"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][^\s/>]*+)"
    r"(?P<rest>(?>(?:=\s*+(?:\"[^\"]*+\"|'[^']*+')|[^>])*))(?:>|\Z)"
    r"|<(?:[!?]|/[^\s>])[^>]*+(?:>|\Z)",
    re.DOTALL,
)
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")
_REFERENCE = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);?")
_HEX_REFERENCE = re.compile(r"&#[xX]0*+([0-9a-fA-F]{1,6})")
_DECIMAL_REFERENCE = re.compile(r"&#0*+([0-9]{1,7})")
_PRIVATE_USE = range(0xF0000, 0xFFFFE)


class Origin:
    """Where the lines of a fragment stand in the source: the fragment may lack their prefixes."""

    def __init__(self, starts: list[int], places: list[int | None]) -> None:
        self._starts = starts
        self._places = places

    def cut(self, start: int, end: int) -> Iterator[tuple[int, int, int | None]]:
        """Yield parts of the span, each with its offset in the source where it has one."""
        index = max(bisect_right(self._starts, start) - 1, 0)
        while start < end:
            limit = self._starts[index + 1] if index + 1 < len(self._starts) else end
            stop = min(end, limit)
            place = self._places[index]
            yield start, stop, None if place is None else place + start - self._starts[index]
            start = stop
            index += 1


class Marks:
    """Writes and reads marks for one source.

    `name` is the file's name, for messages.
    """

    def __init__(self, source: str, name: str) -> None:
        self._name = display_name(name)
        self._char = self._unused_char(source)
        self._mark = re.compile(f"{self._char}([0-9]*){self._char}")

    def _unused_char(self, source: str) -> str:
        """Return a private-use character that `source` holds neither bare nor as a reference."""
        used = {ord(char) for char in set(source)}
        used |= {int(digits, 16) for digits in _HEX_REFERENCE.findall(source)}
        used |= {int(digits) for digits in _DECIMAL_REFERENCE.findall(source)}
        unused = next((code for code in _PRIVATE_USE if code not in used), None)
        if unused is None:
            raise TooComplexError(
                f"{self._name} uses thousands of private characters; save it with a common font."
            )
        return chr(unused)

    def mark(self, place: int | None) -> str:
        """Return the mark for text that stands at `place`, or for text that stands nowhere."""
        return f"{self._char}{'' if place is None else place}{self._char}"

    def strip(self, text: str) -> str:
        """Return `text` without marks."""
        return self._mark.sub("", text) if self._char in text else text

    def pieces(self, text: str) -> list[Piece]:
        """Cut `text` at its marks."""
        parts = self._mark.split(text)
        pieces: list[Piece] = [(parts[0], None)] if parts[0] else []
        for place, part in zip(parts[1::2], parts[2::2], strict=True):
            if part:
                pieces.append((part, int(place) if place else None))
        return pieces

    def mark_html(self, html: str, origin: Origin) -> str:
        """Return `html` with a mark before each stretch of text between tags.

        Raises `TooComplexError` for nesting or tags on which a parser would hang.
        """
        out: list[str] = []
        position = 0
        depth = 0
        while (match := _MARKUP.search(html, position)) is not None:
            out.extend(self._mark_text(html, position, match.start(), origin))
            out.append(match[0])
            position = match.end()
            name = (match["name"] or "").lower()
            depth = self._checked(depth, name, match)
            if name in _RAW and not match["close"]:
                end = _raw_end(html, name, position)
                out.append(html[position:end])
                position = end
        out.extend(self._mark_text(html, position, len(html), origin))
        return "".join(out)

    def _checked(self, depth: int, name: str, match: re.Match[str]) -> int:
        rest = match["rest"] or ""
        if len(rest) > MAX_TAG and len(_QUOTED.sub("", rest)) > MAX_TAG:
            raise TooComplexError(
                f"{self._name} has an HTML tag with thousands of attributes; "
                "save the page again from its source and send that."
            )
        if name in _CONTAINERS:
            depth = max(depth - 1, 0) if match["close"] else depth + 1
        if depth > MAX_NESTING:
            raise TooComplexError(
                f"{self._name} nests more than {MAX_NESTING:,} HTML elements in one another; "
                "save it again from the program that made it."
            )
        return depth

    def _mark_text(self, html: str, start: int, end: int, origin: Origin) -> Iterator[str]:
        text = html[start:end]
        if not text or text.isspace():
            yield text
            return
        cuts = [start]
        for reference in _REFERENCE.finditer(html, start, end):
            cuts += [reference.start(), reference.end()]
        cuts.append(end)
        for left, right in pairwise(cuts):
            for part_start, part_end, place in origin.cut(left, right):
                yield self.mark(place)
                yield html[part_start:part_end]


def _raw_end(html: str, name: str, position: int) -> int:
    """Return where the text of a `<script>`-like element ends."""
    closing = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(html, position)
    return closing.start() if closing else len(html)


def closed_names(html: str) -> frozenset[str]:
    """Return which `<script>`-like elements have a closing tag in `html`."""
    return frozenset(name.lower() for name in _RAW_END.findall(html))


def defuse(html: str, closed: frozenset[str]) -> str:
    """Return a fragment of raw HTML whose unclosed `<script>`-likes are shown as text.

    In a page of its own such a tag would swallow what follows; here it would swallow the rest
    of the document. `closed` names those that are closed (see `closed_names`).
    """

    def kept(match: re.Match[str]) -> str:
        name = (match["name"] or "").lower()
        swallows = name in _RAW and name not in closed and not match["close"]
        return f"&lt;{match[0][1:]}" if swallows or name == "plaintext" else match[0]

    return _MARKUP.sub(kept, html)
