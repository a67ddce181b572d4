"""Which text of an HTML page is hidden or struck out, as far as the page itself says so.

Covered: the `hidden` attribute, `aria-hidden`, inline styles, and rules of `<style>` elements
for a tag, a class or an id. Not covered: style sheets in other files, `@media` and other
at-rules, selectors of several parts, and text covered by something else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

Colour = tuple[int, int, int]
Declarations = Mapping[str, str]

WHITE: Colour = (255, 255, 255)
ALIKE = 24  # largest difference of a channel at which text and ground cannot be told apart
STRUCK = frozenset({"s", "strike", "del"})  # elements whose words no longer hold
TINY = 1.5  # pixels; smaller text is a speck
_PIXELS = {"px": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0, "%": 0.16, "": 1.0}
_NAMED: dict[str, Colour] = {
    "white": WHITE,
    "black": (0, 0, 0),
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "whitesmoke": (245, 245, 245),
    "ghostwhite": (248, 248, 255),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "navy": (0, 0, 128),
}
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_SIMPLE = re.compile(r"(?:[a-z][\w-]*|\*)?(?:[.#][\w-]+)?", re.IGNORECASE)
_NUMBER = re.compile(r"(-?\d*\.?\d+)(px|pt|em|rem|%|)")
_COLOUR = re.compile(r"rgba?\([^)]*\)|#?\w+")
_FAR_AWAY = re.compile(r"-\d{3,}(?:\.\d+)?(?:px|em|rem|pt|%)?")


@dataclass(frozen=True)
class Look:
    """How text inside an element looks; inherited unless an inner element says otherwise."""

    colour: Colour | None = (0, 0, 0)  # None: not known
    ground: Colour | None = WHITE
    tiny: bool = False
    invisible: bool = False

    @property
    def unseen(self) -> bool:
        """Whether text that looks like this cannot be seen."""
        alike = (
            self.colour is not None
            and self.ground is not None
            and all(abs(a - b) <= ALIKE for a, b in zip(self.colour, self.ground, strict=True))
        )
        return self.tiny or self.invisible or alike


class StyleSheet:
    """The simple rules of a page's `<style>` elements, in order."""

    def __init__(self, sheets: Iterable[str]) -> None:
        self._rules: dict[str, dict[str, str]] = {}
        for sheet in sheets:
            for rule in _without_at_rules(_COMMENT.sub(" ", sheet)).split("}"):
                selectors, _, body = rule.rpartition("{")
                declared = declarations(body)
                for selector in selectors.split(","):
                    name = selector.strip()
                    if declared and _SIMPLE.fullmatch(name):
                        self._rules.setdefault(name, {}).update(declared)

    def style(self, tag: str, attributes: Mapping[str, str | None]) -> Declarations:
        """Return what the page declares for an element, its inline style last."""
        if not (attributes or self._rules):
            return {}
        inline = declarations(attributes.get("style") or "")
        if not self._rules:
            return inline
        merged: dict[str, str] = {}
        for selector in _selectors(tag, attributes):
            merged.update(self._rules.get(selector, {}))
        merged.update(inline)
        return merged


def removed(tag: str, attributes: Mapping[str, str | None], style: Declarations) -> bool:
    """Return whether an element and all that is in it is not shown at all."""
    return (
        "hidden" in attributes
        or (tag == "dialog" and "open" not in attributes)
        or (attributes.get("aria-hidden") or "").strip().lower() == "true"
        or style.get("display") == "none"
        or style.get("content-visibility") == "hidden"
        or _is_zero(style.get("opacity", ""))
        or any(_FAR_AWAY.match(style.get(p, "")) for p in ("left", "top", "text-indent"))
    )


def struck(tag: str, style: Declarations) -> bool:
    """Return whether an element, and all that is in it, is shown with a line through it."""
    lines = (style.get(name, "") for name in ("text-decoration", "text-decoration-line"))
    return tag in STRUCK or any("line-through" in line for line in lines)


def inherit(look: Look, attributes: Mapping[str, str | None], style: Declarations) -> Look:
    """Return the look of text inside an element whose surroundings have `look`."""
    if "color" in style:
        look = replace(look, colour=_text_colour(style["color"], look))
    elif attributes.get("color"):
        look = replace(look, colour=colour(attributes["color"] or ""))
    ground = style.get("background-color") or style.get("background") or attributes.get("bgcolor")
    if ground:
        look = replace(look, ground=_ground(ground, look))
    if "font-size" in style:
        look = replace(look, tiny=_is_tiny(style["font-size"]))
    if "visibility" in style:
        look = replace(look, invisible=style["visibility"] in ("hidden", "collapse"))
    return look


@lru_cache(maxsize=4096)
def declarations(body: str) -> Declarations:
    """Return the declarations of an inline style or a rule's body, in lower case."""
    found: dict[str, str] = {}
    for part in body.split(";"):
        name, colon, value = part.partition(":")
        if colon:
            found[name.strip().lower()] = value.lower().replace("!important", "").strip()
    return found


@lru_cache(maxsize=1024)
def colour(value: str) -> Colour | None:
    """Return the colour written as `#fff`, `#ffffff`, `rgb(…)` or a common name, else None."""
    value = value.strip().lower()
    if value in _NAMED:
        return _NAMED[value]
    if match := re.fullmatch(r"#?([0-9a-f])([0-9a-f])([0-9a-f])[0-9a-f]?", value):
        r, g, b = (int(digit * 2, 16) for digit in match.groups())
        return r, g, b
    if match := re.fullmatch(r"#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})(?:[0-9a-f]{2})?", value):
        r, g, b = (int(pair, 16) for pair in match.groups())
        return r, g, b
    if match := re.match(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})", value):
        r, g, b = (min(int(part), 255) for part in match.groups())
        return r, g, b
    return None


def _text_colour(value: str, look: Look) -> Colour | None:
    if value == "transparent" or re.fullmatch(r"rgba\(.*,\s*0?\.?0+\s*\)", value):
        return look.ground
    return look.colour if value == "inherit" else colour(value)


def _ground(value: str, look: Look) -> Colour | None:
    if value in ("transparent", "inherit", "none", "initial", "unset"):
        return look.ground
    if "url(" in value or "gradient(" in value:
        return None  # a picture hides what colour there is
    # A shorthand may name a colour among other things.
    return next((found for part in _COLOUR.findall(value) if (found := colour(part))), None)


def _is_zero(value: str) -> bool:
    return re.fullmatch(r"0*\.?0*%?", value) is not None and bool(value)


def _is_tiny(value: str) -> bool:
    match = _NUMBER.fullmatch(value)
    return match is not None and float(match[1]) * _PIXELS[match[2]] < TINY


def _selectors(tag: str, attributes: Mapping[str, str | None]) -> list[str]:
    """Return the simple selectors that match an element, the weakest first."""
    classes = (attributes.get("class") or "").split()[:50]
    names = ["*", tag]
    for name in classes:
        names += [f".{name}", f"{tag}.{name}"]
    if identity := attributes.get("id"):
        names += [f"#{identity}", f"{tag}#{identity}"]
    return names


def _without_at_rules(sheet: str) -> str:
    """Return `sheet` without `@…` rules and their blocks."""
    out: list[str] = []
    position = 0
    while (at := sheet.find("@", position)) >= 0:
        out.append(sheet[position:at])
        position = _end_of_at_rule(sheet, at)
    out.append(sheet[position:])
    return "".join(out)


def _end_of_at_rule(sheet: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"[{};]").finditer(sheet, start):
        if match[0] == ";" and depth == 0:
            return match.end()
        depth += {"{": 1, "}": -1, ";": 0}[match[0]]
        if match[0] == "}" and depth <= 0:
            return match.end()
    return len(sheet)
