"""An answer's words for a page: where its marks stand and what its lines say."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from store.answers import Answer, Citation, Outcome

NO_BREAK = "\u00a0"  # keeps a word and its id on one line
CLOSING = ".,;:!?…\"'”’)]"  # a mark stands behind these
DONE: dict[Outcome, str] = {
    "answered": "answered",
    "refused": "searched",
    "clarifying": "asked back",
    "escalated": "handed over",
    "error": "stopped",
}


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


def day(moment: datetime) -> str:
    """Return the day of a moment in UTC, as in `1 Sep 2026`."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def in_force(start: datetime, end: datetime | None, now: datetime) -> str:
    """Say when a version counts, seen from `now`: `in force since 1 Sep 2026`."""
    if end is not None and end <= now:
        return f"was in force from {day(start)} until {day(end)}"
    opening = "in force since" if start <= now else "in force from"
    return f"{opening} {day(start)}" + (f" until {day(end)}" if end else "")


def duration(seconds: float) -> str:
    """Return a duration to read: `31 ms`, `1.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def status(answer: Answer) -> str:
    """Return the line below an answer, `answered in 31 ms · 2 of 2 claims verified · trace …`."""
    parts = [f"{DONE[answer.outcome]} in {duration(answer.seconds)}"]
    if answer.claims:
        kept = len(answer.claims)
        total = answer.trace.get("claims_drafted", kept)
        parts.append(f"{kept} of {total} {'claim' if total == 1 else 'claims'} verified")
    if answer.outcome == "error" and answer.reference:
        return " · ".join([*parts, f"reference{NO_BREAK}{answer.reference}"])
    return " · ".join([*parts, f"trace{NO_BREAK}{answer.id}"])
