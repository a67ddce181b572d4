"""The numbers that Word counts and shows before paragraphs: "4.2", "(a)", "iv."."""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element  # types only

from ingestion.parse.docx_styles import DocumentStyles, W, children, integer, switched, value
from ingestion.parse.numerals import list_marker

MAX_DEPTH = 9  # levels of a list
MAX_LABEL = 40  # characters; more is no number

_ROMAN = {"lowerRoman": "i", "upperRoman": "I"}
_PLACE = re.compile(r"%([1-9])")
_ALPHABET = 26


@dataclass(frozen=True)
class _Level:
    form: str = "decimal"
    text: str = ""
    start: int = 1
    restart: int | None = None  # after this level (from 1); 0: never; None: after any above
    legal: bool = False  # all numbers in Arabic digits


@dataclass
class _List:
    """One list: what it counts with, and the levels at which it begins anew."""

    abstract: str
    levels: dict[int, _Level]
    starts: dict[int, int]
    styles: dict[str, int]  # which level a paragraph style stands for
    begun: bool = False


class Numbering:
    """Counts the lists of a document in reading order."""

    def __init__(self, root: Element | None, styles: DocumentStyles) -> None:
        self._lists: dict[str, _List] = {}
        self._counts: dict[str, dict[int, int]] = {}  # by abstract list: numbers at each level
        abstracts = {
            found.get(f"{W}abstractNumId", ""): found for found in children(root, "abstractNum")
        }
        numbers = {found.get(f"{W}numId", ""): found for found in children(root, "num")}
        for identity, number in numbers.items():
            abstract = _abstract(number, numbers, abstracts, styles)
            if abstract is not None:
                self._lists[identity] = _list(number, abstract)

    def count(self, number: str, depth: int | None, style: str | None) -> tuple[str, int] | None:
        """Count one paragraph. Returns its label ("" for a bullet) and depth in the list.

        None where the paragraph is in no list, or its list shows nothing.
        """
        found = self._lists.get(number)
        if found is None:
            return None
        if depth is None:
            depth = found.styles.get(style or "", 0)
        depth = min(max(depth, 0), MAX_DEPTH - 1)
        level = found.levels.get(depth, _Level())
        self._step(found, depth)
        if level.form == "bullet":
            return "", depth
        label = self._label(found, level)
        return (label, depth) if label else None

    def _step(self, found: _List, depth: int) -> None:
        counts = self._counts.setdefault(found.abstract, {})
        if not found.begun:
            found.begun = True
            for place in found.starts:
                counts.pop(place, None)
        for place in range(depth):
            counts.setdefault(place, found.levels.get(place, _Level()).start)
        start = found.starts.get(depth, found.levels.get(depth, _Level()).start)
        counts[depth] = counts.get(depth, start - 1) + 1
        for place in [place for place in counts if place > depth]:
            restart = found.levels.get(place, _Level()).restart
            if restart is None or depth < restart:
                del counts[place]

    def _label(self, found: _List, level: _Level) -> str:
        counts = self._counts[found.abstract]

        def number(match: re.Match[str]) -> str:
            place = int(match[1]) - 1
            form = found.levels.get(place, _Level()).form
            return _written(counts.get(place, 1), "decimal" if level.legal else form)

        return _PLACE.sub(number, level.text)[:MAX_LABEL].strip()


def _abstract(
    number: Element,
    numbers: dict[str, Element],
    abstracts: dict[str, Element],
    styles: DocumentStyles,
) -> Element | None:
    """Return what a list counts with; one may stand for a style, which stands for another."""
    for _ in range(MAX_DEPTH):
        abstract = abstracts.get(value(number, "abstractNumId") or "")
        link = value(abstract, "numStyleLink") if abstract is not None else None
        if link is None:
            return abstract
        following = numbers.get(styles.list_of(link) or "")
        if following is None:
            return abstract
        number = following
    return None


def _list(number: Element, abstract: Element) -> _List:
    found = _List(abstract.get(f"{W}abstractNumId", ""), {}, {}, {})
    for element in children(abstract, "lvl"):
        _add_level(found, element)
    for override in children(number, "lvlOverride"):
        for element in children(override, "lvl"):
            _add_level(found, element)
        if (start := value(override, "startOverride")) is not None:
            found.starts[integer(override.get(f"{W}ilvl"), 0)] = integer(start, 1)
    return found


def _add_level(found: _List, element: Element) -> None:
    depth = integer(element.get(f"{W}ilvl"), 0)
    restart = value(element, "lvlRestart")
    found.levels[depth] = _Level(
        form=value(element, "numFmt") or "decimal",
        text=value(element, "lvlText") or "",
        start=integer(value(element, "start"), 1),
        restart=None if restart is None else integer(restart, 0),
        legal=switched(element, "isLgl", False),
    )
    if (style := value(element, "pStyle")) is not None:
        found.styles[style] = depth


def _written(number: int, form: str) -> str:
    """Return a number as Word writes it; forms not known here are written in digits."""
    if form == "none":
        return ""
    if form in _ROMAN:
        return list_marker(number, _ROMAN[form]).removesuffix(". ")
    if form in ("lowerLetter", "upperLetter") and 0 < number <= _ALPHABET * MAX_LABEL:
        repeats, place = divmod(number - 1, _ALPHABET)  # after z come aa, bb, cc
        letters = chr(ord("a") + place) * (repeats + 1)
        return letters if form == "lowerLetter" else letters.upper()
    if form == "ordinal":
        return f"{number}{_ordinal(number)}"
    return f"{number:02}" if form == "decimalZero" else str(number)


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
