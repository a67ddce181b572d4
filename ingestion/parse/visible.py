"""The one normaliser of characters: what a person sees, and where in the source it stands.

White space of any kind becomes one space, characters without a shape of their own are dropped,
and the rest is NFC. A joiner between letters or pictures that it shapes (Persian, Devanagari,
a family emoji) is visible and stays.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# A stretch of text and its offset in the decoded source; None where it does not stand there.
Piece = tuple[str, int | None]
# (start in the output, start in the source, length), as in store.documents.SourceRun.
Run = tuple[int, int, int]

# Typographic characters that honest documents carry by the dozen; a long row of them is not.
_INCIDENTAL = "\u00ad\u200b-\u200f\u2060\ufeff\u061c\u180e"
_INCIDENTAL_ROW = 4  # in a row, from which on they count as hidden text
_HIDDEN = (
    "\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f"  # control characters
    f"{_INCIDENTAL}"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"  # blanks with no width
    "\u202a-\u202e\u2061-\u206f"  # bidirectional and other format controls
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags and the variation selectors that smuggle bytes
)
# Scripts and pictures in which a zero-width joiner or non-joiner changes what is seen.
_JOINING = (
    "\u0600-\u061b\u061d-\u07bf\u0860-\u0dff\u0e80-\u109f\u1780-\u17b3\u17b6-\u180a"
    "\u1820-\u18af\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
    "\u2190-\u27ff\u2900-\u2bff\ufe0f\U0001f000-\U0001faff"
)
# Atomic groups, not possessive repeats of groups: before Python 3.11.5 those lose letters.
_WORD = rf"(?>(?:[^\s{_HIDDEN}]++|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}]))+)"
_TOKENS = re.compile(
    rf"(?P<seen>(?>{_WORD}(?: {_WORD})*))|(?P<space>\s+)|(?P<hidden>[{_HIDDEN}]+)"
)
_ONLY_INCIDENTAL = re.compile(rf"[{_INCIDENTAL}]{{0,{_INCIDENTAL_ROW - 1}}}")


@dataclass
class Visible:
    """Normalised text, the runs of it that stand unchanged in the source, and what was hidden."""

    text: str
    runs: list[Run] = field(default_factory=list)
    hidden: int = 0  # characters dropped that are more than typography


def visible(text: str) -> str:
    """Return `text` as a person sees it, on one line: the form of a block of canonical text."""
    return normalise([(text, None)]).text


def normalise(pieces: Iterable[Piece]) -> Visible:
    """Join `pieces` into one line of visible text. Linear in their length."""
    collector = _Collector()
    for text, source in pieces:
        collector.add(text, source)
    seen = Visible("".join(collector.parts), collector.runs, collector.hidden)
    return seen if unicodedata.is_normalized("NFC", seen.text) else _compose(seen)


class _Collector:
    """Collapses white space and drops hidden characters, keeping account of source offsets."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.runs: list[Run] = []
        self.hidden = 0
        self._length = 0
        self._space: tuple[int | None] | None = None  # a space owed, and where it stands

    def add(self, text: str, source: int | None) -> None:
        for match in _TOKENS.finditer(text):
            at = None if source is None else source + match.start()
            if match["seen"] is not None:
                self._flush_space()
                self._emit(match["seen"], at)
            elif match["space"] is not None:
                self._owe_space(match["space"], at)
            elif not _ONLY_INCIDENTAL.fullmatch(match["hidden"]):
                self.hidden += len(match["hidden"])

    def _owe_space(self, space: str, at: int | None) -> None:
        if self._space is not None or not self._length:
            return
        if at is None or " " not in (space[0], space[-1]):
            self._space = (None,)
        else:
            self._space = (at if space[0] == " " else at + len(space) - 1,)

    def _flush_space(self) -> None:
        if self._space is not None:
            self._emit(" ", self._space[0])
            self._space = None

    def _emit(self, text: str, at: int | None) -> None:
        self.parts.append(text)
        if at is not None:
            append_run(self.runs, (self._length, at, len(text)))
        self._length += len(text)


def append_run(runs: list[Run], run: Run) -> None:
    """Append `run`, as part of the last one where it continues it on both sides."""
    if runs:
        start, source, length = runs[-1]
        if start + length == run[0] and source + length == run[1]:
            runs[-1] = (start, source, length + run[2])
            return
    runs.append(run)


def _compose(seen: Visible) -> Visible:
    """Return `seen` in NFC; only letters that were composed lose their place in the source."""
    places = _places(seen)
    parts: list[str] = []
    runs: list[Run] = []
    length = 0
    for start, end in _clusters(seen.text):
        cluster = seen.text[start:end]
        composed = unicodedata.normalize("NFC", cluster)
        parts.append(composed)
        if composed == cluster:
            for offset in range(end - start):
                if (place := places[start + offset]) is not None:
                    append_run(runs, (length + offset, place, 1))
        length += len(composed)
    text = "".join(parts)
    if not unicodedata.is_normalized("NFC", text):  # a script that composes across clusters
        return Visible(unicodedata.normalize("NFC", text), [], seen.hidden)
    return Visible(text, runs, seen.hidden)


def _places(seen: Visible) -> list[int | None]:
    """Return each character's offset in the source, None where it has none."""
    places: list[int | None] = [None] * len(seen.text)
    for start, source, length in seen.runs:
        places[start : start + length] = range(source, source + length)
    return places


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Yield spans that canonical composition does not cross: a letter and its marks."""
    start = 0
    for index in range(1, len(text)):
        char = text[index]
        if not (unicodedata.category(char)[0] == "M" or "\u1160" <= char <= "\u11ff"):
            yield start, index
            start = index
    if text:
        yield start, len(text)
