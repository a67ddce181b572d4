"""Numbers as a page shows them: list markers, raised and lowered digits."""

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MAX_ROMAN = 3999
_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_MAX_DIGITS = 4  # digits; longer numbers are not exponents or footnote marks


def list_marker(number: int, kind: str) -> str:
    """Return the visible marker of an ordered list's item, such as "3. ", "c. " or "iii. "."""
    if kind in ("a", "A") and number > 0:
        text = _letters(number)
    elif kind in ("i", "I") and 0 < number <= _MAX_ROMAN:
        text = _roman(number)
    else:
        return f"{number}. "
    return f"{text.upper() if kind.isupper() else text}. "


def raised(text: str) -> str | None:
    """Return a short number in raised digits ("30²", not "302"), or None for anything else."""
    return text.translate(_RAISED) if _short_number(text) else None


def lowered(text: str) -> str | None:
    """Return a short number in lowered digits ("H₂O"), or None for anything else."""
    return text.translate(_LOWERED) if _short_number(text) else None


def _short_number(text: str) -> bool:
    return len(text) <= _MAX_DIGITS and text.lstrip("+-").isdecimal() and text.isascii()


def _letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        text += sign * count
    return text
