"""Sentences as offsets, by nupunkt's English model; a line end always ends one."""

import re
from collections.abc import Iterator

import nupunkt

WINDOW = 2_000  # characters given to the model at once: its time grows faster than their number

_LINE = re.compile(r"[^\n]+")
# A row of stops ("……", "?!?!") costs the model square time and ends one sentence all the same.
_STOPS = re.compile(r"[.?!…]{4,}")
_MARKER = re.compile(r"\W*(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})[.)]\W*")

Span = tuple[int, int]


def split(text: str) -> list[Span]:
    """Return the sentences of `text` as (start, end) in code points, in order.

    Spans carry no white space at their ends and do not overlap; every other character is in
    one. A list item's number ("2.") belongs to the sentence after it. Linear in the length.
    """
    spans: list[Span] = []
    for line in _LINE.finditer(text):
        if not line[0].isspace():
            spans += _joined(text, _line_spans(text, line.start(), line.end()))
    return spans


def _line_spans(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = _window_end(text, start, end)
        found = _model_spans(text[start:stop])
        if stop < end and len(found) > 1:
            found.pop()  # the window may have cut it: it begins the next one
            stop = start + found[-1][1]
        yield from ((start + left, start + right) for left, right in found)
        start = stop


def _window_end(text: str, start: int, end: int) -> int:
    if end - start <= WINDOW:
        return end
    space = text.rfind(" ", start + WINDOW // 2, start + WINDOW)
    return space + 1 if space >= 0 else start + WINDOW


def _model_spans(window: str) -> list[Span]:
    calm = _STOPS.sub(lambda row: "x" * (len(row[0]) - 1) + row[0][-1], window)
    return nupunkt.sent_spans(calm) if not window.isspace() else []


def _joined(text: str, spans: Iterator[Span]) -> list[Span]:
    """Trim spans, and give those that are no sentence of their own to a neighbour."""
    joined: list[Span] = []
    marker: Span | None = None  # a number, or a lone bracket, that waits for its sentence
    for left, right in spans:
        sentence = text[left:right]
        start = left + len(sentence) - len(sentence.lstrip())
        end = left + len(sentence.rstrip())
        if start >= end:
            continue
        wordless = not any(c.isalnum() for c in sentence)
        if wordless and joined:
            joined[-1] = (joined[-1][0], end)
        elif not joined and marker is None and (wordless or _MARKER.fullmatch(sentence)):
            marker = (start, end)
        else:
            joined.append((marker[0] if marker else start, end))
            marker = None
    return [marker] if marker else joined
