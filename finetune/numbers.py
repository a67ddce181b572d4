"""Telephone numbers: by phonenumbers' rules, by their groups, behind words, and in words."""

import re
from collections.abc import Iterator

import phonenumbers

from finetune.spans import Detector, Span, digits, pattern

REGIONS = ("US", "GB", "DE", "FR", "IN", "AU")  # whose national forms are known by rule
FEWEST, MOST = 7, 15  # digits; ITU-T E.164 allows fifteen
DATE = re.compile(
    r"\d{1,4}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,4}|(?:19|20)\d\d\s?[-/]\s?(?:19|20)\d\d"
)
NORTH_AMERICAN = re.compile(r"(?:1[ .-]?)?\(?\d{3}\)?[ ./-]{0,2}\d{3}[ .-]?\d{4}")
LOCAL = re.compile(r"\d{3}[.-]\d{4}")

_WORD = r"(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|double|triple)"


def _is_phone(value: str) -> bool:
    count = digits(value)
    if not FEWEST <= count <= MOST or DATE.fullmatch(value.strip()):
        return False
    if value.startswith(("+", "00", "(")) or NORTH_AMERICAN.fullmatch(value):
        return True
    if LOCAL.fullmatch(value) or (value.startswith("0") and count >= 9):
        return True
    if value.isdecimal():  # nothing says that it is one
        return False
    return any(_is_national(value, region) for region in REGIONS)


def _is_national(value: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, region))
    except phonenumbers.NumberParseException:
        return False


def by_rule(text: str) -> Iterator[Span]:
    """Return what phonenumbers takes for an international number."""
    if "+" not in text:
        return
    for found in phonenumbers.PhoneNumberMatcher(text, None, phonenumbers.Leniency.POSSIBLE):
        yield found.start, found.start + len(found.raw_string), "PHONE"


PHONES: tuple[Detector, ...] = (
    by_rule,
    pattern("PHONE", r"(?<![\w.,-])(?:\+|00)?(?:\(?\d{1,5}\)?[ ./-]{0,3}){2,7}\d(?![\w]|[.,]\d)"
            r"(?:\s?(?:x|ext\.?|extension)\s?\d{1,6})?", holds=_is_phone),
    pattern("PHONE", r"\b(?:phone|mobile|cell|tel(?:ephone)?|fax|whatsapp|sms|(?:call|reach|text"
            r"|ring)"
            r"(?: me| us| him| her)?(?: back)?(?: at| on)?|dial|number is"
            r"|numbers? ?:)\b[^\ue000\w+(]{0,4}"
            r"(?:(?:number|no|nr|is|at|on|me|my|:)\W{0,3}){0,4}(?P<v>[+(]?\d[\d ().\-/]{4,}\d)",
            holds=lambda value: digits(value) >= FEWEST - 1),
    pattern("PHONE", r"(?<!\w)", _WORD, r"(?:[\s,.-]+", _WORD, r"){5,}(?!\w)"),
    pattern("PHONE", r"(?<![\w.,])\+?\d(?:[ .-]\d){6,14}(?![\w]|[.,]\d)"),
)  # fmt: skip
