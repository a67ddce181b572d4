"""From when a document says, near its top, that it is in force: a full date or nothing."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

FIRST_LINES = 15

_MONTHS = (
    "january february march april may june july august september october november december"
).split()
_MONTH = "|".join(f"{month}|{month[:3]}\\.?" for month in _MONTHS) + "|sept\\.?"
_DATE = (
    rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH}),?\s+(?P<year>\d{{4}})"
    rf"|(?P<month_2>{_MONTH})\s+(?P<day_2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year_2>\d{{4}})"
    r"|(?P<year_3>\d{4})-(?P<month_3>\d{2})-(?P<day_3>\d{2}))\b"
)
_IN_FORCE = re.compile(
    r"\b(?:effective(?:\s+date)?|(?:in\s+force|valid)(?=\s+from\b))"
    rf"(?:\s+(?:from|as\s+of|as\s+from|on|is)\b)*\s*[:–—-]?\s*(?:the\s+)?{_DATE}",
    re.IGNORECASE,
)
# What stands before such words when the date is that of another document, or an end.
_OF_ANOTHER = re.compile(
    r"\b(?:supersed|replac|previous|prior|former|amend|until|no longer|not|version\s+of)",
    re.IGNORECASE,
)


def effective_date(lines: Sequence[str]) -> datetime | None:
    """Return the date from which the first lines of a document say that it is in force.

    None without such words, for a date that is not whole, and for two that differ.
    """
    found: set[datetime] = set()
    for line in lines[:FIRST_LINES]:
        for match in _IN_FORCE.finditer(line):
            if _OF_ANOTHER.search(line[: match.start()]) is None:
                date = _date(match)
                if date is not None:
                    found.add(date)
    return found.pop() if len(found) == 1 else None


def _date(match: re.Match[str]) -> datetime | None:
    day = match["day"] or match["day_2"] or match["day_3"]
    month = match["month"] or match["month_2"] or match["month_3"]
    year = match["year"] or match["year_2"] or match["year_3"]
    try:
        return datetime(int(year), _month(month), int(day), tzinfo=UTC)
    except ValueError:
        return None


def _month(text: str) -> int:
    if text.isdecimal():
        return int(text)
    return next(n for n, month in enumerate(_MONTHS, 1) if month.startswith(text.lower()[:3]))
