"""What the styles of an OpenDocument text say, as declarations that a page could hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from xml.etree.ElementTree import Element  # types only

NAMES = "urn:oasis:names:tc:opendocument:xmlns:"
TEXT, STYLE = f"{{{NAMES}text:1.0}}", f"{{{NAMES}style:1.0}}"
_FO = f"{{{NAMES}xsl-fo-compatible:1.0}}"
_CSS = (
    (f"{_FO}color", "color"),
    (f"{_FO}background-color", "background-color"),
    (f"{_FO}font-size", "font-size"),
)
_FORMATS = ("1", "a", "A", "i", "I")


@dataclass(frozen=True)
class StyleLook:
    """What a style says: declarations as in a page, and what a paragraph of it is."""

    css: tuple[tuple[str, str], ...] = ()
    title: bool = False
    raised: str = ""  # "sup" or "sub"
    opens_page: bool = False


class TextStyles:
    """The styles of a document: named ones, and those of single places."""

    def __init__(self, roots: list[Element | None]) -> None:
        self._styles: dict[tuple[str, str], Element] = {}
        self._lists: dict[str, Element] = {}
        self._looks: dict[tuple[str, str], StyleLook] = {}
        for root in roots:
            for style in root.iter(f"{STYLE}style") if root is not None else ():
                key = (style.get(f"{STYLE}family", ""), style.get(f"{STYLE}name", ""))
                self._styles[key] = style
            for style in root.iter(f"{TEXT}list-style") if root is not None else ():
                self._lists[style.get(f"{STYLE}name", "")] = style

    def look(self, family: str, name: str | None) -> StyleLook:
        """Return what a style says, with those that it is based on."""
        key = (family, name or "")
        if key not in self._looks:
            self._looks[key] = self._worked_out(family, name)
        return self._looks[key]

    def numbered(self, name: str, depth: int) -> str | None:
        """Return how a list counts at a depth (from 0), None for bullets."""
        style = self._lists.get(name)
        for level in style if style is not None else ():
            if level.get(f"{TEXT}level") == str(depth + 1):
                form = level.get(f"{STYLE}num-format", "")
                counts = level.tag == f"{TEXT}list-level-style-number" and form in _FORMATS
                return form if counts else None
        return None

    def _worked_out(self, family: str, name: str | None) -> StyleLook:
        css: dict[str, str] = {}
        title, raised, opens = False, "", False
        for style in self._chain(family, name):
            said = style.get(f"{STYLE}display-name") or style.get(f"{STYLE}name", "")
            title = title or (family == "paragraph" and said == "Title")
            text = style.find(f"{STYLE}text-properties")
            if text is not None:
                css.update(_css(text))
                raised = _raised(text) or raised
            paragraph = style.find(f"{STYLE}paragraph-properties")
            if paragraph is not None:
                opens = paragraph.get(f"{_FO}break-before", "") == "page" or opens
                css.update(_ground(paragraph))
            for kind in ("table-cell", "section"):
                if (own := style.find(f"{STYLE}{kind}-properties")) is not None:
                    css.update(_ground(own))
            opens = opens or bool(style.get(f"{STYLE}master-page-name"))
        return StyleLook(tuple(css.items()), title, raised, opens)

    def _chain(self, family: str, name: str | None) -> list[Element]:
        chain: list[Element] = []
        while name is not None and (family, name) in self._styles:
            style = self._styles[family, name]
            if style in chain:
                break
            chain.append(style)
            name = style.get(f"{STYLE}parent-style-name")
        return chain[::-1]


def _css(properties: Element) -> Iterator[tuple[str, str]]:
    for attribute, name in _CSS:
        if (value := properties.get(attribute)) is not None:
            yield name, value
    if properties.get(f"{TEXT}display") == "none":
        yield "display", "none"
    if properties.get(f"{STYLE}text-line-through-style", "none") != "none":
        yield "text-decoration", "line-through"


def _ground(properties: Element) -> dict[str, str]:
    value = properties.get(f"{_FO}background-color")
    return {"background-color": value} if value not in (None, "transparent") else {}


def _raised(properties: Element) -> str:
    position = properties.get(f"{STYLE}text-position", "")
    if position.startswith(("super", "sub")):
        return "sup" if position.startswith("super") else "sub"
    return ""


def style_attribute(look: StyleLook) -> str:
    """Return the attribute that makes an element of a page look so."""
    if not look.css:
        return ""
    said = ";".join(f"{name}:{value}" for name, value in look.css)
    return f' style="{escape(said)}"'
