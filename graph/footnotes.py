"""How an answer's words carry their footnotes: the same for Slack, the page and the terminal."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from store.answers import Answer, Citation

CLOSING = ".,;:!?…\"'”’)]"  # a mark stands behind these
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Mark:
    """A footnote's number behind a claim; its note leads back to the `first` mark with it."""

    number: int
    first: bool


@dataclass(frozen=True)
class Piece:
    """A stretch of an answer's text and the marks that follow it."""

    text: str
    marks: tuple[Mark, ...] = ()


def pieces(answer: Answer) -> tuple[Piece, ...]:
    """Cut an answer's text behind each claim, so that joined pieces are the text again.

    Marks stand behind a sentence's closing punctuation. A claim whose words no longer stand in
    the text (it was restyled) leaves its marks at the end: no citation is lost.
    """
    text = answer.text or " ".join(claim.text for claim in answer.claims)
    cuts: list[tuple[str, set[int]]] = []
    unplaced: set[int] = set()
    cut = 0
    for claim in answer.claims:
        numbers = {citation.number for citation in claim.citations}
        found = text.find(claim.text, cut) if claim.text else -1
        if found < 0:
            unplaced |= numbers
            continue
        end = _behind_punctuation(text, found + len(claim.text))
        cuts.append((text[cut:end], numbers))
        cut = end
    if cut < len(text):
        cuts.append((text[cut:], unplaced))
    elif cuts:
        cuts[-1] = (cuts[-1][0], cuts[-1][1] | unplaced)
    return tuple(_with_marks(cuts))


def _behind_punctuation(text: str, end: int) -> int:
    while end < len(text) and text[end] in CLOSING:
        end += 1
    return end


def _with_marks(cuts: Iterable[tuple[str, set[int]]]) -> Iterator[Piece]:
    seen: set[int] = set()
    for text, numbers in cuts:
        yield Piece(text, tuple(Mark(n, first=n not in seen) for n in sorted(numbers)))
        seen |= numbers


def place(citation: Citation) -> str:
    """Return title and section as one path, the title not said twice: `Returns policy › Gifts`."""
    section = citation.section
    if section and section[0] == citation.title:
        section = section[1:]
    return " › ".join((citation.title, *section))


def superscript(numbers: Iterable[int]) -> str:
    """Return the numbers of footnotes as one mark: ¹ or ²,¹⁰."""
    return ",".join(str(number).translate(SUPERSCRIPTS) for number in sorted(set(numbers)))


def marked(answer: Answer) -> str:
    """Return an answer's text with superscript marks behind each claim."""
    shown = ""
    for piece in pieces(answer):
        mark = superscript(mark.number for mark in piece.marks)
        shown += piece.text.rstrip() + mark if mark else piece.text
    return shown
