"""How text and paragraphs of a Word document look, through its styles.

Covered: document defaults, paragraph and character styles with what they are based on, and
direct formatting. Not covered: what a table's style says of single cells (where it shades any,
the ground is not known), and toggles that cancel each other out across styles.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element  # types only

from ingestion.parse.styles import WHITE, Colour, Look, colour

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{W}val"

TINY = 2  # half-points; text of that size is a speck
MAX_LEVEL = 6  # of headings
_BODY_TEXT = 9  # the outline level of what is no heading
_OFF = ("0", "false", "off", "none")
_BACKGROUNDS = ("background1", "light1", "bg1", "lt1")  # of a theme: white but for rare ones
_HIGHLIGHTS: dict[str, Colour] = {
    "cyan": (0, 255, 255), "magenta": (255, 0, 255), "darkBlue": (0, 0, 128),
    "darkCyan": (0, 128, 128), "darkGreen": (0, 128, 0), "darkMagenta": (128, 0, 128),
    "darkRed": (128, 0, 0), "darkYellow": (128, 128, 0), "darkGray": (128, 128, 128),
    "lightGray": (192, 192, 192),
}  # fmt: skip
_HEADING_NAME = re.compile(r"heading(?: ([1-9]))?")
_CONTENTS_NAME = re.compile(r"toc (?:\d|heading)")


@dataclass(frozen=True)
class Shade:
    """What stands behind text; `colour` is None where that is not known."""

    colour: Colour | None


@dataclass(frozen=True)
class TextLook:
    """How a run of text looks, without what stands behind its paragraph."""

    vanished: bool = False
    struck: bool = False
    tiny: bool = False
    colour: Colour | None = None  # None: the program chooses one that can be read
    shade: Shade | None = None

    def unseen(self, ground: Colour | None) -> bool:
        """Return whether the text cannot be seen on `ground`, which is None if not known."""
        behind = self.shade.colour if self.shade else ground
        return self.vanished or Look(self.colour, behind, self.tiny).unseen


@dataclass(frozen=True)
class ParagraphLook:
    """What a paragraph is: `level` of a heading (from 1), number and depth in a list."""

    level: int = 0
    title: bool = False
    contents: bool = False  # a line of the table of contents
    number: str | None = None  # the list's id
    depth: int | None = None  # in the list, from 0
    shade: Shade | None = None
    opens_page: bool = False


class DocumentStyles:
    """The styles of one document, each worked out once."""

    def __init__(self, root: Element | None) -> None:
        self._styles: dict[str, Element] = {}
        self._default: str | None = None
        self._text_base = TextLook()
        self._texts: dict[tuple[str | None, str | None], TextLook] = {}
        self._paragraphs: dict[str | None, ParagraphLook] = {}
        if root is None:
            return
        for style in root.iter(f"{W}style"):
            identity = style.get(f"{W}styleId", "")
            self._styles.setdefault(identity, style)
            if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default") in ("1", "true"):
                self._default = identity
        defaults = root.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr")
        self._text_base = text_look(defaults, self._text_base)

    def text(self, paragraph: str | None, character: str | None) -> TextLook:
        """Return how text looks in a paragraph of one style, itself of another."""
        key = (paragraph, character)
        if key not in self._texts:
            look = self._text_base
            for style in (*self._chain(paragraph or self._default), *self._chain(character)):
                look = text_look(style.find(f"{W}rPr"), look)
            self._texts[key] = look
        return self._texts[key]

    def paragraph(self, style: str | None) -> ParagraphLook:
        """Return what a paragraph of a style is."""
        if style not in self._paragraphs:
            look = ParagraphLook()
            for element in self._chain(style or self._default):
                look = _named(element, paragraph_look(element.find(f"{W}pPr"), look))
            self._paragraphs[style] = look
        return self._paragraphs[style]

    def shades(self, table_style: str | None) -> bool:
        """Return whether a table's style puts a colour behind any cell."""
        return any(style.find(f".//{W}shd") is not None for style in self._chain(table_style))

    def list_of(self, style: str) -> str | None:
        """Return the id of the list that a style for lists stands for."""
        return self.paragraph(style).number

    def _chain(self, style: str | None) -> list[Element]:
        """Return a style and those it is based on, the most general first."""
        chain: list[Element] = []
        seen: set[str] = set()
        while style is not None and style in self._styles and style not in seen:
            seen.add(style)
            chain.append(self._styles[style])
            style = value(self._styles[style], "basedOn")
        return chain[::-1]


def text_look(properties: Element | None, look: TextLook) -> TextLook:
    """Return the look of a run with `properties` (`w:rPr`) where all else looks like `look`."""
    if properties is None or not len(properties):
        return look
    return replace(
        look,
        vanished=switched(properties, "vanish", look.vanished)
        or switched(properties, "webHidden", False),
        struck=switched(properties, "strike", look.struck)
        or switched(properties, "dstrike", False),
        tiny=_tiny(properties, look.tiny),
        colour=_text_colour(properties, look.colour),
        shade=_highlight(properties) or shade_of(properties) or look.shade,
    )


def paragraph_look(properties: Element | None, look: ParagraphLook) -> ParagraphLook:
    """Return what a paragraph with `properties` (`w:pPr`) is where its style says `look`."""
    if properties is None:
        return look
    outline = integer(value(properties, "outlineLvl"), -1)
    if outline >= 0:
        level = min(outline + 1, MAX_LEVEL) if outline < _BODY_TEXT else 0
        look = replace(look, level=level, title=look.title and level > 0)
    numbering = properties.find(f"{W}numPr")
    if numbering is not None:
        depth = value(numbering, "ilvl")
        look = replace(
            look,
            number=value(numbering, "numId") or look.number,
            depth=look.depth if depth is None else integer(depth, 0),
        )
    opens = switched(properties, "pageBreakBefore", look.opens_page)
    return replace(look, shade=shade_of(properties) or look.shade, opens_page=opens)


def _named(style: Element, look: ParagraphLook) -> ParagraphLook:
    """Add what a style's name says: names of built-in styles are English in all languages."""
    name = (value(style, "name") or "").lower()
    if name == "title":
        return replace(look, title=True, level=1)
    if _CONTENTS_NAME.fullmatch(name):
        return replace(look, contents=True, level=0)
    heading = _HEADING_NAME.fullmatch(name)
    if heading is not None and not look.level:
        return replace(look, level=min(integer(heading[1], 1), MAX_LEVEL))
    return look


def shade_of(properties: Element | None) -> Shade | None:
    """Return what `w:shd` puts behind text, None where it says nothing."""
    shading = properties.find(f"{W}shd") if properties is not None else None
    if shading is None or shading.get(VAL) == "nil":
        return None
    pattern = shading.get(VAL, "clear")
    fill = shading.get(f"{W}fill" if pattern == "clear" else f"{W}color", "auto")
    if pattern not in ("clear", "solid") or _themed(shading, fill):
        return Shade(None)
    return None if fill == "auto" else Shade(colour(fill))


def _themed(shading: Element, fill: str) -> bool:
    return fill == "auto" and shading.get(f"{W}themeFill") is not None


def _highlight(properties: Element) -> Shade | None:
    name = value(properties, "highlight")
    if name is None or name == "none":
        return None
    return Shade(_HIGHLIGHTS.get(name) or colour(name))


def _text_colour(properties: Element, before: Colour | None) -> Colour | None:
    found = properties.find(f"{W}color")
    if found is None:
        return before
    name = found.get(VAL, "auto")
    if name == "auto":
        return WHITE if found.get(f"{W}themeColor") in _BACKGROUNDS else None
    return colour(name)


def _tiny(properties: Element, before: bool) -> bool:
    size = value(properties, "sz")
    return before if size is None else 0 <= integer(size, TINY + 1) <= TINY


def switched(properties: Element, name: str, before: bool) -> bool:
    """Return whether a property is on, `before` where nothing is said of it."""
    found = properties.find(f"{W}{name}")
    return before if found is None else found.get(VAL, "1").lower() not in _OFF


def value(parent: Element, name: str) -> str | None:
    """Return `w:val` of a child, None where there is none."""
    found = parent.find(f"{W}{name}")
    return None if found is None else found.get(VAL)


def integer(text: str | None, default: int) -> int:
    """Return a short number, `default` for anything else."""
    try:
        return int(text) if text and len(text) < 8 else default
    except ValueError:
        return default


def children(parent: Element | None, name: str) -> Iterator[Element]:
    """Yield the children of that name."""
    return iter(parent.findall(f"{W}{name}")) if parent is not None else iter(())
