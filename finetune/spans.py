"""Places in the text of a conversation, which detectors hand to each other."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int, str]
"""Start, end and kind of something found."""

Detector = Callable[[str], Iterable[Span]]

BREAK = "\n\ue000\n"  # between the messages of a conversation; no pattern reaches over it
MASK = "\ufffc"  # in place of each character that was found already
PLACEHOLDER = re.compile(r"\[[A-Z][A-Z_]*_[1-9]\d{0,8}\]")
ENDS = re.compile(f"[{MASK}\ue000]")  # what no value reaches over
TRAILING = " \t\n.,;:!?'\"`”’*-/"  # what may stand behind a value without being part of it
CLOSING = {")": "(", "]": "[", "}": "{", ">": "<"}
LONG_WORD = 256  # characters without white space that nobody types
LONG_KEY = re.compile(rf"(?<!\S)(?=[!-~]*\d)(?=[!-~]*[A-Za-z])[!-~]{{{LONG_WORD},}}(?!\S)")


@dataclass(frozen=True)
class Pattern:
    """A regular expression for one kind; its group `v` is the value, else all of it.

    `holds` judges the value.
    """

    kind: str
    regex: re.Pattern[str]
    holds: Callable[[str], bool] | None = None

    def __call__(self, text: str) -> Iterator[Span]:
        """Return what it finds, without white space and punctuation behind it."""
        group = "v" if "v" in self.regex.groupindex else 0
        for found in self.regex.finditer(text):
            start, end = found.span(group)
            value = ENDS.split(text[start:end], maxsplit=1)[0]
            kept = (
                value.rstrip(TRAILING) if self.kind != "KEY" else value.rstrip(" \t\n.,;:!?'\")")
            )
            if kept and (self.holds is None or self.holds(kept)):
                yield start, start + len(kept), self.kind


def pattern(
    kind: str, *parts: str, holds: Callable[[str], bool] | None = None, cased: bool = False
) -> Pattern:
    """Return a pattern of one kind; letters count alike in both cases unless `cased`."""
    return Pattern(kind, re.compile("".join(parts), 0 if cased else re.IGNORECASE), holds)


def trimmed(value: str) -> str:
    """Return a value without what stands behind it: stops, and brackets that it does not open."""
    while value and (
        value[-1] in TRAILING or (value[-1] in CLOSING and CLOSING[value[-1]] not in value)
    ):
        value = value[:-1]
    return value


def masked(text: str, spans: Iterable[Span]) -> str:
    """Return the text with what was found made unreadable, at the same length."""
    pieces: list[str] = []
    reached = 0
    for start, end, _ in sorted(spans):
        if start >= reached:
            pieces += [text[reached:start], MASK * (end - start)]
            reached = end
    return "".join([*pieces, text[reached:]])


def digits(value: str) -> int:
    """Return how many digits a value holds."""
    return sum(letter.isdecimal() for letter in value)


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Return where each message stands in the joined text."""
    start = 0
    for message in text.split(BREAK):
        yield start, start + len(message)
        start += len(message) + len(BREAK)
