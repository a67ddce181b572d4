"""Finds a quote in a version's text, and decides whether quotes support a claim.

A quote is accepted only as the text's own words: looking it up may forgive typography, and may
search by likeness, but what comes back is always `text[start:end]`. Whether those words support
a claim is decided by rules that a likeness cannot satisfy: "70 %" and "80 %" are 99 % alike.
The rules are English.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.fuzz import partial_ratio_alignment

from retrieval.facts import FACT_WORDS, Fact, facts, rates
from retrieval.lexical import terms
from retrieval.sentences import split

__all__ = [
    "NEGATION", "Fact", "Span", "facts", "is_negated", "locate", "standing", "stands",
    "unsupported_reason"
]  # fmt: skip

LIKENESS = 88.0  # percent, at which a garbled quote is looked up; the found words still decide
VERDICT = re.compile(r"^(?:yes|no)\b\s*[.,:;!–—-]+\s*", re.IGNORECASE)
LEAST_OVERLAP = 0.5  # share of a claim's words that its quotes must hold
REACH = 80  # characters before a quote that are searched for a negation that governs it

TYPOGRAPHY = str.maketrans(dict.fromkeys("’‘‚‛′", "'") | dict.fromkeys("“”„‟«»", '"')
                           | dict.fromkeys("‐‑‒–—−", "-"))  # fmt: skip
HYPHENS = "-‐‑"
NEGATIONS = "not|no|non|never|none|nor|neither|without|cannot|except|unless|nobody|nothing"
NEGATION = re.compile(rf"\b(?:{NEGATIONS})\b|n['’]t\b", re.IGNORECASE)
LINKS = (
    "be|been|being|is|are|was|were|have|has|had|do|does|did|to|of|any|a|an|the|yet|ever|also"
    "|longer|allowed|permitted|able|entitled|eligible|possible|required|obliged"
)
GOVERNING = re.compile(
    rf"(?:\b(?:{NEGATIONS})|n['’]t)(?:[ \u00a0](?:{LINKS}))*[ \u00a0]$", re.IGNORECASE
)
FACT_TERMS = frozenset(term for word in FACT_WORDS for term in terms(word))
OPPOSITE_PREFIX = re.compile(r"^(?:un|in|im|ir|il|dis|non|mis)")
OPPOSITES = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, other in (
        ("minimum least", "maximum most"),
        ("before earlier", "after later"),
        ("more above over exceeding", "less fewer below under"),
        ("earliest", "latest"),
        ("include includes included including", "exclude excludes excluded excluding except"),
        ("allow allows allowed permit permits permitted", "forbid forbidden prohibited banned"),
        ("accept accepts accepted", "refuse refuses refused reject rejects rejected"),
        ("required mandatory compulsory must", "optional voluntary"),
        ("inside internal internally", "outside external externally"),
        ("increase increases increased", "decrease decreases decreased reduce reduces reduced"),
        ("open", "closed"),
        ("full fully", "partial partially half"),
    )
)


class Span(NamedTuple):
    """Offsets in code points: the words are `text[start:end]`."""

    start: int
    end: int


def locate(quote: str, text: str) -> Span | None:
    """Return where the quote's words stand in `text`, or None.

    Exact words first, then the same words in other typography, case or spacing, then the most
    similar stretch (at least 88 % alike). A place within words or numbers is widened to the
    whole ones ("4 days" to "14 days"), and back to a negation that governs it ("be returned" to
    "cannot be returned"). The caller must judge the words found, not the quote.
    """
    quote = quote.strip()
    if not quote:
        return None
    exact = _first_whole(text, (Span(at, at + len(quote)) for at in _places(quote, text)))
    if exact is not None:
        return _governed(text, exact)
    folded, origins = _fold(text)
    wanted = _fold(quote)[0].strip()
    if not wanted:
        return None
    alike = (
        Span(origins[at], origins[at + len(wanted) - 1] + 1) for at in _places(wanted, folded)
    )
    found = _first_whole(text, alike) or _most_similar(wanted, folded, origins, text)
    return _governed(text, found) if found else None


def stands(quote: str, text: str) -> Span | None:
    """Return where the very words of a quote first stand in `text`, or None: see `standing`."""
    return next(standing(quote, text), None)


def standing(quote: str, text: str) -> Iterator[Span]:
    """Yield where the very words of a quote stand in `text`: no likeness counts.

    Typography, case and spacing are forgiven. Words that are part of longer ones, or that a
    negation now governs, do not stand. Places that are letter for letter come first.
    """
    quote = quote.strip()
    exact = dict.fromkeys(Span(at, at + len(quote)) for at in _places(quote, text))
    for span in exact:
        if _is_whole(text, span):
            yield span
    stated = facts(quote)
    for span in _alike(quote, text):
        if span in exact or not _is_whole(text, span):
            continue
        if facts(text[span.start : span.end]) == stated:  # folding makes 10² to 102
            yield span


def _alike(quote: str, text: str) -> Iterator[Span]:
    """Yield where a quote's words stand in whatever typography."""
    folded, origins = _folded(text)
    wanted = _fold(quote)[0].strip()
    for at in _places(wanted, folded):
        yield Span(origins[at], origins[at + len(wanted) - 1] + 1)


def _is_whole(text: str, span: Span) -> bool:
    # Not widened to compare: in a word of thousands of letters that would take minutes.
    return not _cuts(text, span) and _governed(text, span) == span


def _cuts(text: str, span: Span) -> bool:
    """Whether a span begins or ends within a word, a number or an amount."""
    return _is_within(text, span.start) or _is_within(text, span.end)


@lru_cache(maxsize=4)
def _folded(text: str) -> tuple[str, list[int]]:
    """Fold a version's text once for the many quotes that are looked for in it."""
    return _fold(text)


def _places(wanted: str, text: str) -> Iterator[int]:
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        yield at
        at = text.find(wanted, at + 1)


def _first_whole(text: str, spans: Iterator[Span]) -> Span | None:
    """Return the first span that cuts no word, else the first one widened to whole words."""
    first: Span | None = None
    for span in spans:
        if not _cuts(text, span):
            return span
        first = first or _widened(text, span)
    return first


def _most_similar(wanted: str, folded: str, origins: list[int], text: str) -> Span | None:
    if len(folded) < len(wanted) * LIKENESS / 100:
        return None  # a short text is wholly within many a long quote
    found = partial_ratio_alignment(wanted, folded, score_cutoff=LIKENESS)
    if found is None or found.dest_end <= found.dest_start:
        return None
    span = Span(origins[found.dest_start], origins[found.dest_end - 1] + 1)
    return _stripped(text, _widened(text, span))


def _fold(text: str) -> tuple[str, list[int]]:
    """Return `text` with case, typography and white space folded, and each letter's origin."""
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(text):
        plain = letter.translate(TYPOGRAPHY)
        folded = unicodedata.normalize("NFKD", plain).casefold().translate(TYPOGRAPHY)
        for part in folded:
            if part.isspace():
                if letters and letters[-1] != " ":
                    letters.append(" ")
                    origins.append(place)
            elif unicodedata.category(part) != "Cf":  # soft hyphens, zero-width spaces
                letters.append(part)
                origins.append(place)
    return "".join(letters), origins


def _widened(text: str, span: Span) -> Span:
    start, end = span
    while _is_within(text, start):
        start -= 1
    while _is_within(text, end):
        end += 1
    return Span(start, end)


def _is_within(text: str, place: int) -> bool:
    """Whether `place` lies inside a word, a number or an amount of `text`."""
    if not 0 < place < len(text):
        return False
    before, left, right, after = (
        text[place - 2 : place - 1],
        text[place - 1],
        text[place],
        text[place + 1 : place + 2],
    )
    if _is_letter(right) and _is_letter(left):
        return True
    if left in "€$£¥" or right == "%":
        return (left if right == "%" else right).isdigit()
    if left in "-−" and right.isdigit() and not before.strip("( "):
        return True  # a sign
    return _is_joint(before, left, right) or _is_joint(left, right, after)


def _is_letter(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def _is_joint(left: str, joint: str, right: str) -> bool:
    """Whether `joint` holds its neighbours together: "1,500", "don't", "non-refundable"."""
    if joint in ".,:/":
        return left.isdigit() and right.isdigit()
    return joint in HYPHENS + "'’" and left.isalnum() and right.isalnum()


def _stripped(text: str, span: Span) -> Span:
    words = text[span.start : span.end]
    start = span.start + len(words) - len(words.lstrip())
    return Span(start, max(start, span.start + len(words.rstrip())))


def _governed(text: str, span: Span) -> Span:
    """Widen back to a negation just before the words: "not be", "cannot", "no longer"."""
    before = text[max(0, span.start - REACH) : span.start]
    found = GOVERNING.search(before)
    if found is None:
        return span
    return _widened(text, Span(span.start - len(before) + found.start(), span.end))


# --- support -------------------------------------------------------------------------------


def is_negated(text: str) -> bool:
    """Return whether `text` holds a word that turns a statement round."""
    return NEGATION.search(text) is not None


def unsupported_reason(claim: str, quotes: Sequence[str]) -> str | None:
    """Return why the quotes do not support the claim, or None if they do.

    Checked are words (at least half of the claim's), every number, amount, unit, month and
    weekday, rates ("a day" is not "a week"), words that mean the opposite, and negation against
    the sentence that is nearest to the claim. Who does what to whom is not checked, nor whether
    an opening "Yes." or "No." follows.
    """
    if not quotes:
        return "no quote"
    claimed = set(terms(claim))
    quoted = {term for quote in quotes for term in terms(quote)} | _counted(claim)
    if not claimed or len(claimed & quoted) / len(claimed) < LEAST_OVERLAP:
        return "words: the quote does not speak of this"
    changed = _changed_numbers(claim, quotes)
    if changed:
        return f"numbers: {changed} not in the quote"
    nearest = _nearest_sentence(claimed, quotes)
    opposite = _opposite(claim, nearest)
    if opposite:
        return f"words: {opposite} means the opposite"
    said = VERDICT.sub("", claim)
    if is_negated(said) != is_negated(nearest) and claim not in quotes:
        return "negation: the quote says the opposite"
    return None


def _counted(claim: str) -> set[str]:
    """Return the claim's terms that state its facts, which may be written in another way."""
    if not facts(claim):
        return set()
    return {term for term in terms(claim) if term in FACT_TERMS or facts(term)}


def _changed_numbers(claim: str, quotes: Sequence[str]) -> str:
    stated = {fact for quote in quotes for fact in facts(quote)}
    missing = sorted(fact for fact in facts(claim) if not _stated(fact, stated))
    rated = {unit for quote in quotes for unit in rates(quote)}
    other = sorted(rates(claim) - rated) if rated else []
    return ", ".join(
        [f"{fact.value} {fact.unit}".strip() for fact in missing] + [f"per {u}" for u in other]
    )


def _stated(fact: Fact, others: set[Fact]) -> bool:
    """A fact without a unit may stand with one in the quote, never the other way round."""
    return fact in others or (not fact.unit and any(fact.value == o.value for o in others))


def _opposite(claim: str, quote: str) -> str | None:
    """Return a word of the claim for which the quote has the opposite instead, or None."""
    claimed, quoted = _words(claim), _words(quote)
    mine, theirs = claimed - quoted, quoted - claimed
    for one, other in OPPOSITES:
        for here, there in ((one, other), (other, one)):
            if mine & here and theirs & there and not claimed & there and not quoted & here:
                return min(mine & here)
    for word in sorted(mine):
        turned = {w for w in theirs if OPPOSITE_PREFIX.sub("", w, count=1) == word}
        if turned or OPPOSITE_PREFIX.sub("", word, count=1) in theirs - {word}:
            return word
    return None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.casefold()))


def _nearest_sentence(claimed: set[str], quotes: Sequence[str]) -> str:
    sentences = [quote[start:end] for quote in quotes for start, end in split(quote)]
    return max(sentences, key=lambda s: len(claimed & set(terms(s))), default=quotes[0])
