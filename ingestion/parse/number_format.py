"""Cells of a workbook as they are shown: 0.5 as "50%", 46082 as "1 March 2026".

Covered: sections for negative numbers, zero and text, decimals, thousands, percent, literal
words and currencies, dates and times. A format with fractions, exponents or conditions is shown
as a plain number.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

Value = str | bool | int | float | datetime | date | time | timedelta | None

GENERAL_DIGITS = 11  # significant, that a number without a format is shown with
MAX_FORMAT = 255  # characters; programs allow no more

_SECTION = re.compile(r"(?:\"[^\"]*\"|\\.|\[[^\]]*\]|[^;\"\\\[])+|(?=;)|;")
_CURRENCY = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_CONDITION = re.compile(r"\[[<>=][^\]]*\]")
_BRACKET = re.compile(r"\[[^\]]*\]")
_PART = re.compile(r"\"([^\"]*)\"|\\(.)|([_*]).|([0#?][0#?.,]*|\.[0#?]+)|(.)", re.DOTALL)
_PLAIN_ONLY = re.compile(r"[eE][+-]|/|General", re.IGNORECASE)
_DATE_PART = re.compile(
    r"\"([^\"]*)\"|\\(.)|[_*].|(AM/PM|A/P)|(y+|m+|d+|h+|s+)|\.(0+)|(.)", re.IGNORECASE | re.DOTALL
)
# What Excel shows in the order of the reader's own country.
_LOCAL_DATES = ("mm-dd-yy", "m/d/yy", "m/d/yyyy", "mm/dd/yyyy", "m/d/yy h:mm")


def shown(value: Value, code: str) -> str:
    """Return a cell's value as its format `code` shows it, "" where it shows nothing."""
    if value is None:
        return ""
    sections = _sections(code[:MAX_FORMAT])
    if isinstance(value, str):
        hides = len(sections) >= 4 and not sections[3].strip()
        return "" if hides else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, timedelta):
        return _elapsed(value)
    if isinstance(value, datetime | date | time):
        return _moment(value, code, sections[0])
    return _number(value, sections)


def _sections(code: str) -> list[str]:
    """Cut a format at the semicolons that are not quoted."""
    sections = [""]
    for match in _SECTION.finditer(code):
        if match[0] == ";":
            sections.append("")
        else:
            sections[-1] += match[0]
    return sections


def _number(value: float, sections: list[str]) -> str:
    place = 0
    if value < 0 and len(sections) > 1:
        place, value = 1, -value
    elif value == 0 and len(sections) > 2:
        place = 2
    section = sections[place]
    if not section.strip() and len(sections) > 1:
        return ""
    if _CONDITION.search(section) or _PLAIN_ONLY.search(section) or not section.strip():
        return _general(value)
    section = _BRACKET.sub("", _CURRENCY.sub(lambda found: f'"{found[1]}"', section))
    try:
        return _formatted(Decimal(repr(value)), section)
    except InvalidOperation:  # more digits than are ever shown
        return _general(value)


def _formatted(value: Decimal, section: str) -> str:
    parts = list(_parts(section))
    if ("percent", "%") in parts:
        value *= 100
    out: list[str] = []
    written = False
    for kind, text in parts:
        if kind != "digits":
            out.append(text)
        elif not written:
            written = True
            if value < 0:
                out.insert(0, "-")
            out.append(_digits(abs(value), text))
    return "".join(out).strip()


def _parts(section: str) -> Iterator[tuple[str, str]]:
    for quoted, escaped, padding, digits, other in _PART.findall(section):
        if digits:
            yield "digits", digits
        elif padding:
            yield "text", " " if padding == "_" else ""
        elif other == "%":
            yield "percent", other
        elif other != "@":
            yield "text", quoted or escaped or other


def _digits(value: Decimal, pattern: str) -> str:
    """Write a number as `#,##0.0#` asks."""
    scaled = pattern.rstrip(",")
    value /= Decimal(1000) ** (len(pattern) - len(scaled))
    whole, _, fraction = scaled.partition(".")
    places = sum(sign in "0#?" for sign in fraction)
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = f"{rounded:,f}" if "," in whole else f"{rounded:f}"
    before, _, after = text.partition(".")
    while len(after) > fraction.count("0") and after.endswith("0"):
        after = after[:-1]
    least = whole.count("0")
    before = "" if before == "0" and least == 0 and after else before.rjust(least, "0")
    return f"{before}.{after}" if after else before


def _general(value: float) -> str:
    if isinstance(value, int) or value.is_integer():
        return str(int(value)) if abs(value) < 10**GENERAL_DIGITS else f"{value:.6g}"
    return f"{value:.{GENERAL_DIGITS - 1}g}"


def _elapsed(value: timedelta) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _moment(value: datetime | date | time, code: str, section: str) -> str:
    if code in _LOCAL_DATES or section == "General":
        return _iso(value)
    section = _BRACKET.sub("", _CURRENCY.sub("", _ELAPSED.sub("h", section)))
    parts = [(found[0], found[1], found[2], found[3].lower(), found[4], found[5])
             for found in _DATE_PART.findall(section)]  # fmt: skip
    twelve = any(half for _, _, half, _, _, _ in parts)
    named = [part for _, _, _, part, _, _ in parts]
    out: list[str] = []
    for place, (quoted, escaped, half, part, _, other) in enumerate(parts):
        if half:
            out.append("PM" if _hour(value) >= 12 else "AM")
        elif part:
            minutes = part[0] == "m" and _is_minutes(named, place)
            out.append(_date_part(value, "n" * len(part) if minutes else part, twelve))
        else:
            out.append(quoted or escaped or other)
    return "".join(out).strip()


def _iso(value: datetime | date | time) -> str:
    if isinstance(value, datetime):
        day = value.date().isoformat()
        return day if value.time() == time() else f"{day} {value:%H:%M}"
    return value.isoformat()


def _hour(value: datetime | date | time) -> int:
    return 0 if isinstance(value, date) and not isinstance(value, datetime) else value.hour


def _is_minutes(named: list[str], place: int) -> bool:
    """Return whether an m is minutes: behind hours, or before seconds."""
    before = next((part for part in reversed(named[:place]) if part), "")
    after = next((part for part in named[place + 1 :] if part), "")
    return before.startswith("h") or after.startswith("s")


def _date_part(value: datetime | date | time, part: str, twelve: bool) -> str:
    hour = _hour(value)
    if part[0] == "h":
        return f"{(hour % 12 or 12) if twelve else hour:0{min(len(part), 2)}}"
    if part[0] in "ns":
        if isinstance(value, date) and not isinstance(value, datetime):
            return "00"
        return f"{value.minute if part[0] == 'n' else value.second:0{min(len(part), 2)}}"
    if isinstance(value, time):
        return ""
    if part[0] == "y":
        return f"{value:%Y}" if len(part) > 2 else f"{value:%y}"
    if part[0] == "m":
        names = {3: f"{value:%b}", 4: f"{value:%B}", 5: f"{value:%B}"[:1]}
        return names.get(len(part), f"{value.month:0{min(len(part), 2)}}")
    return {3: f"{value:%a}", 4: f"{value:%A}"}.get(len(part), f"{value.day:0{min(len(part), 2)}}")
