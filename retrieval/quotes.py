"""Finds a quote in a version's text, and decides whether quotes support a claim.

A quote is accepted only as the text's own words: looking it up may forgive typography, and may
search by likeness, but what comes back is always `text[start:end]`. Whether those words support
a claim is decided by rules that a likeness cannot satisfy: "70 %" and "80 %" are 99 % alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.fuzz import partial_ratio_alignment

from retrieval.lexical import terms
from retrieval.sentences import split

LIKENESS = 88.0  # percent, at which a garbled quote is looked up; the found words still decide
LEAST_OVERLAP = 0.5  # share of a claim's words that its quotes must hold

QUOTE_MARKS = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "‑": "-"})


class Span(NamedTuple):
    """Offsets in code points: the words are `text[start:end]`."""

    start: int
    end: int


def _fold(text: str) -> tuple[str, list[int]]:
    """Return `text` with case, typography and white space folded, and each letter's origin."""
    letters: list[str] = []
    origins: list[int] = []
    for place, letter in enumerate(text):
        folded = unicodedata.normalize("NFKC", letter).translate(QUOTE_MARKS).casefold()
        for part in folded:
            if part.isspace():
                if letters and letters[-1] != " ":
                    letters.append(" ")
                    origins.append(place)
            else:
                letters.append(part)
                origins.append(place)
    return "".join(letters), origins


def locate(quote: str, text: str) -> Span | None:
    """Return where the quote's words stand in `text`, or None.

    Exact words first, then the same words in other typography, case or spacing, then the most
    similar stretch (at least 88 % alike). The caller must judge the words found, not the quote.
    """
    if not quote.strip():
        return None
    exact = text.find(quote)
    if exact >= 0:
        return Span(exact, exact + len(quote))
    folded, origins = _fold(text)
    wanted = _fold(quote)[0].strip()
    found = folded.find(wanted)
    if found < 0:
        alignment = partial_ratio_alignment(wanted, folded, score_cutoff=LIKENESS)
        if alignment is None or alignment.dest_end <= alignment.dest_start:
            return None
        return _trimmed(text, origins[alignment.dest_start], origins[alignment.dest_end - 1] + 1)
    return _trimmed(text, origins[found], origins[found + len(wanted) - 1] + 1)


def _trimmed(text: str, start: int, end: int) -> Span:
    """Widen to whole words and leave out white space at the ends."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


# --- support -------------------------------------------------------------------------------

NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
    if value != 1  # "one" is mostly no number
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"}

MONTHS = {
    name: name[:3]
    for name in (
        "january february march april june july august september october november december"
    ).split()
} | {name: name for name in "jan feb mar apr jun jul aug sep sept oct nov dec".split()}
# "may" is left out: it is nearly always the verb.

UNITS = {
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD",
    "dollar": "USD", "dollars": "USD", "£": "GBP", "gbp": "GBP", "pound": "GBP",
    "pounds": "GBP", "%": "%", "percent": "%",
    "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "hour": "h", "hours": "h",
    "day": "day", "days": "day", "week": "week", "weeks": "week", "month": "month",
    "months": "month", "year": "year", "years": "year", "kg": "kg", "km": "km", "mile": "mile",
    "miles": "mile",
}  # fmt: skip
QUALIFIERS = frozenset({"working", "business", "calendar", "full", "consecutive"})

TOKEN = re.compile(r"[€$£%]|\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nor|neither|without|cannot|except|unless|nobody|nothing)\b|n['’]t\b",
    re.IGNORECASE,
)


class Fact(NamedTuple):
    """A number, or a month of a date, with its unit ("EUR", "%", "day" …) where it has one."""

    value: str
    unit: str


def _number(token: str) -> str | None:
    if token[0].isdigit():
        plain = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", token).replace(",", ".")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain.lstrip("0") or "0"
    return NUMBER_WORDS.get(token)


def facts(text: str) -> set[Fact]:
    """Return every number and month that `text` states, with units.

    "€40", "40 EUR" and "40 euros" are one fact; "14 days" and "14 weeks" are two.
    """
    tokens = [token.casefold() for token in TOKEN.findall(text)]
    found: set[Fact] = set()
    for place, token in enumerate(tokens):
        value = _number(token)
        if value is not None:
            following = [word for word in tokens[place + 1 : place + 3] if word not in QUALIFIERS]
            before = tokens[place - 1] if place and tokens[place - 1] in "€$£" else ""
            found.add(Fact(value, UNITS.get(before or (following[0] if following else ""), "")))
        elif token in MONTHS:
            found.add(Fact(MONTHS[token][:3], "date"))
    return found


def is_negated(text: str) -> bool:
    """Return whether `text` holds a word that turns a statement round."""
    return NEGATION.search(text) is not None


def _stated(fact: Fact, others: set[Fact]) -> bool:
    """A fact without a unit may stand with one in the quote, never the other way round."""
    return fact in others or (not fact.unit and any(fact.value == o.value for o in others))


def unsupported_reason(claim: str, quotes: Sequence[str]) -> str | None:
    """Return why the quotes do not support the claim, or None if they do.

    Checked are words (at least half of the claim's), every number, amount, unit and month, and
    negation against the sentence that is nearest to the claim.
    """
    if not quotes:
        return "no quote"
    claimed = set(terms(claim))
    quoted = {term for quote in quotes for term in terms(quote)}
    if claimed and len(claimed & quoted) / len(claimed) < LEAST_OVERLAP:
        return "words: the quote does not speak of this"
    stated = {fact for quote in quotes for fact in facts(quote)}
    missing = sorted(fact for fact in facts(claim) if not _stated(fact, stated))
    if missing:
        shown = ", ".join(f"{fact.value} {fact.unit}".strip() for fact in missing)
        return f"numbers: {shown} not in the quote"
    nearest = _nearest_sentence(claimed, quotes)
    if is_negated(claim) != is_negated(nearest) and claim not in quotes:
        return "negation: the quote says the opposite"
    return None


def _nearest_sentence(claimed: set[str], quotes: Sequence[str]) -> str:
    sentences = [quote[start:end] for quote in quotes for start, end in split(quote)]
    return max(sentences, key=lambda s: len(claimed & set(terms(s))), default=quotes[0])
