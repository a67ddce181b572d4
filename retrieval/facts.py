"""What a text states that may not change: numbers with their units, dates, rates.

English only. Not read are ordinals in words ("the second week"), fractions in words but "half",
and "a day" for one day except after "within", "after", "takes" and "lasts".
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDED = {word: n for n, word in enumerate(ONES)} | {
    word: 20 + 10 * n for n, word in enumerate(TENS)
}
SCALES = {"k": 1000, "thousand": 1000, "million": 10**6, "billion": 10**9, "bn": 10**9}

MONTHS = {
    name: name[:3]
    for name in (
        "january february march april june july august september october november december"
        " jan feb mar apr jun jul aug sep sept oct nov dec"
    ).split()
}
# "May" is nearly always the verb: it is a month only beside a number.
MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = {
    name + plural: name[:3]
    for name in "monday tuesday wednesday thursday friday saturday sunday".split()
    for plural in ("", "s")
}

SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}
CURRENCIES = SYMBOLS | {
    "eur": "EUR", "euro": "EUR", "euros": "EUR", "usd": "USD", "dollar": "USD", "dollars": "USD",
    "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "jpy": "JPY", "yen": "JPY", "chf": "CHF",
    "franc": "CHF", "francs": "CHF",
}  # fmt: skip
TIMES = {
    "second": "s", "seconds": "s", "sec": "s", "secs": "s", "minute": "min", "minutes": "min",
    "min": "min", "mins": "min", "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "h": "h",
    "day": "day", "days": "day", "night": "night", "nights": "night", "week": "week",
    "weeks": "week", "fortnight": "fortnight", "fortnights": "fortnight", "month": "month",
    "months": "month", "quarter": "quarter", "quarters": "quarter", "year": "year",
    "years": "year",
}  # fmt: skip
UNITS = CURRENCIES | TIMES | {
    "%": "%", "percent": "%", "cent": "cent", "cents": "cent", "pence": "pence",
    "am": "am", "pm": "pm", "time": "time", "times": "time",
    "mg": "mg", "g": "g", "gram": "g", "grams": "g", "kg": "kg", "kilogram": "kg",
    "kilograms": "kg", "tonne": "t", "tonnes": "t", "lb": "lb", "lbs": "lb", "oz": "oz",
    "mm": "mm", "cm": "cm", "m": "m", "metre": "m", "metres": "m", "meter": "m", "meters": "m",
    "km": "km", "kilometre": "km", "kilometres": "km", "kilometer": "km", "kilometers": "km",
    "inch": "in", "inches": "in", "foot": "ft", "feet": "ft", "mile": "mile", "miles": "mile",
    "ml": "ml", "litre": "l", "litres": "l", "liter": "l", "liters": "l",
    "kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB", "celsius": "°C", "fahrenheit": "°F",
}  # fmt: skip
QUALIFIERS = {"calendar": "", "full": "", "consecutive": "", "working": "working ",
              "business": "working "}  # fmt: skip
RATES = {
    "hourly": "h", "daily": "day", "nightly": "night", "weekly": "week", "monthly": "month",
    "quarterly": "quarter", "annual": "year", "annually": "year", "yearly": "year",
}  # fmt: skip
FACT_WORDS = frozenset({*WORDED, *SCALES, *UNITS, *MONTHS, *WEEKDAYS})
"""Words that are part of a number, a unit or a date."""

ORDINAL = frozenset({"st", "nd", "rd", "th", "of"})
LASTING = frozenset({"within", "after", "takes", "take", "lasts", "last"})

_SMALL = rf"(?:(?:{'|'.join(TENS)})(?:[ -](?:{'|'.join(ONES[1:10])}))?|{'|'.join(ONES)})"
NUMBER_WORDS = re.compile(
    rf"\b(?:(?:{_SMALL} )?hundred(?: (?:and )?{_SMALL})?|{_SMALL})\b", re.IGNORECASE
)
DATE = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
FRACTION = re.compile(r"(\d*)[ \u2009]?([¼½¾⅐-⅞])")
TOKEN = re.compile(r"[€$£¥%]|(?:(?<![\w.,)–—-])[-−])?\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
GROUPED = re.compile(r"([1-9]\d{0,2}(?:([.,])\d{3})(?:\2\d{3})*)(?:(?!\2)[.,](\d+))?")
SAME_WORDS = (
    (re.compile(r"\bper cent\b", re.IGNORECASE), "percent"),
    (re.compile(r"\b([ap])\.\s?m\b\.?", re.IGNORECASE), r"\1m"),
    (re.compile(r"°\s?C\b"), " celsius"),
    (re.compile(r"°\s?F\b"), " fahrenheit"),
)


class Fact(NamedTuple):
    """A number, or a month or weekday of a date, with its unit ("EUR", "%", "day" …) if any."""

    value: str
    unit: str


def facts(text: str) -> set[Fact]:
    """Return every number, month and weekday that `text` states, with units.

    "€40", "EUR 40" and "40 euros" are one fact, as are "25 days" and "twenty-five days" and the
    dates "2026-09-01" and "1 September 2026"; "14 days", "14 weeks" and "14 working days" are
    three.
    """
    return set(facts_in_order(text))


def facts_in_order(text: str) -> list[Fact]:
    """Return the same facts as `facts`, as the text states them one after the other."""
    return list(_facts(_tokens(text)))


def rates(text: str) -> set[str]:
    """Return the units that amounts are counted by: "day" for "€40 a day", "daily", "per day"."""
    words = [token.casefold() for token in _tokens(text)]
    found = {RATES[word] for word in words if word in RATES}
    for place, word in enumerate(words):
        counted = word in ("a", "an") and place > 0 and _is_counted(words[place - 1])
        if word in ("per", "each", "every") or counted:
            found.add(_unit_after(words, place + 1))
    return found - {""}


def _is_counted(word: str) -> bool:
    return word in UNITS or word in ("once", "twice") or _numeral(word) is not None


def _tokens(text: str) -> list[str]:
    """Return words, numbers and signs in order, written the one way that is looked up."""
    for pattern, written in SAME_WORDS:
        text = pattern.sub(written, text)
    text = NUMBER_WORDS.sub(_in_digits, text)
    text = FRACTION.sub(_decimal_fraction, text)
    text = DATE.sub(lambda d: f"{d[3]} {_month(int(d[2]))} {d[1]}", text)
    return TOKEN.findall(text)


def _in_digits(found: re.Match[str]) -> str:
    value = 0
    for word in re.findall(r"[a-z]+", found[0].casefold()):
        value = max(value, 1) * 100 if word == "hundred" else value + WORDED.get(word, 0)
    return str(value) if value != 1 else found[0]  # "one" is mostly no number


def _decimal_fraction(found: re.Match[str]) -> str:
    value = int(found[1] or 0) + unicodedata.numeric(found[2])
    return f" {value:.4f}".rstrip("0")


def _month(number: int) -> str:
    return MONTH_NAMES[number - 1].title() if 1 <= number <= 12 else str(number)


def _facts(tokens: Sequence[str]) -> Iterator[Fact]:
    words = [token.casefold() for token in tokens]
    place = 0
    while place < len(words):
        word = words[place]
        read = _number_at(words, place)
        if read is not None:
            value, end = read
            yield Fact(value, _unit(words, place, end))
            place = end
            continue
        if word in MONTHS or (tokens[place] in ("May", "MAY") and _beside_number(words, place)):
            yield Fact(word[:3], "date")
        elif word in WEEKDAYS:
            yield Fact(WEEKDAYS[word], "date")
        place += 1


def _number_at(words: Sequence[str], place: int) -> tuple[str, int] | None:
    """Return the number that begins at `place` and where it ends, or None."""
    word = words[place]
    numeral = _numeral(word)
    if numeral is not None:
        return _scaled(numeral, words, place + 1)
    if word in ("once", "twice"):
        counted = place + 1 < len(words) and words[place + 1] in ("a", "an", "per", "every")
        return ("1" if word == "once" else "2", place + 1) if counted else None
    if word == "half":
        return "0.5", place + 1
    if word in ("thousand", "million", "billion"):
        return _plain(Decimal(SCALES[word])), place + 1
    follows = _unit_after(words, place + 1)
    if word == "one" and (follows or words[place + 1 : place + 2] in (["thousand"], ["million"])):
        return _scaled("1", words, place + 1)
    lasting = place > 0 and words[place - 1] in LASTING
    if word in ("a", "an") and lasting and follows in TIMES.values():
        return "1", place + 1
    return None


def _numeral(word: str) -> str | None:
    """Return a number written in digits without its grouping, or None.

    A point or a comma before three digits groups, before others it is the decimal one: "1,500",
    "1.500" and "1500" are one number, "2,5" and "2.5" another.
    """
    sign = "-" if word[0] in "-−" else ""
    digits = "".join(str(unicodedata.decimal(c, c)) for c in word[len(sign) :])
    if not digits[:1].isdigit():
        return None
    grouped = GROUPED.fullmatch(digits)
    if grouped:
        whole = re.sub(r"\D", "", grouped[1])
        return sign + _plain(Decimal(f"{whole}.{grouped[3] or 0}"))
    if re.fullmatch(r"\d+(?:[.,]\d+)?", digits):
        return sign + _plain(Decimal(digits.replace(",", ".")))
    return sign + digits.removesuffix(":00")  # a clock's time, a section's number


def _plain(value: Decimal) -> str:
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _scaled(value: str, words: Sequence[str], end: int) -> tuple[str, int]:
    if end < len(words) and words[end] in SCALES and re.fullmatch(r"-?\d+(?:\.\d+)?", value):
        return _plain(Decimal(value) * SCALES[words[end]]), end + 1
    return value, end


def _unit(words: Sequence[str], start: int, end: int) -> str:
    before = words[start - 1] if start else ""
    if before in SYMBOLS:
        return SYMBOLS[before]
    return _unit_after(words, end) or CURRENCIES.get(before, "")


def _unit_after(words: Sequence[str], place: int) -> str:
    """Return the unit at `place`, past "working", "calendar" and the like, or ""."""
    kind = ""
    for word in words[place : place + 3]:
        if word in QUALIFIERS:
            kind = kind or QUALIFIERS[word]
        elif word in ("a", "an") and words[place - 1] == "half":
            continue
        else:
            unit = UNITS.get(word, "")
            return kind + unit if unit == "day" else unit
    return ""


def _beside_number(words: Sequence[str], place: int) -> bool:
    before = [word for word in words[max(0, place - 3) : place] if word not in ORDINAL]
    after = words[place + 1] if place + 1 < len(words) else ""
    return bool(before and before[-1][0].isdigit()) or after[:1].isdigit()
