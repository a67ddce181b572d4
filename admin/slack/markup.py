"""HTML put together piece by piece: what is not markup already is escaped, always."""

from collections.abc import Iterable, Iterator
from typing import Any

from markupsafe import Markup, escape

Content = str | Markup | None | Iterable["Content"]
Attribute = str | int | bool | None

VOID = frozenset({"br", "hr", "img"})
OWN_PICTURES = ("/documents/", "/static/", "data:image/png;base64,")


def words(text: object) -> Markup:
    """Return text escaped; lone surrogates, which no page can carry, become replacement marks."""
    if isinstance(text, Markup):
        return text
    return escape(str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def join(*content: Content) -> Markup:
    """Return the pieces one after the other; text is escaped, markup stays, None is nothing."""
    return Markup("").join(_pieces(content))


def tag(name: str, *content: Content, **attributes: Attribute) -> Markup:
    """Return an element. `class_`, `aria_label` become `class`, `aria-label`.

    Attributes that are None or False are left out. Names are ours, never from outside.
    """
    named = (
        (key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    written = Markup("").join(
        Markup(" {}").format(key)
        if value is True
        else Markup(' {}="{}"').format(key, words(value))
        for key, value in named
    )
    opening = Markup("<{}{}>").format(name, written)
    return opening if name in VOID else join(opening, *content, Markup("</{}>").format(name))


def block(class_: str, *content: Content, **attributes: Attribute) -> Markup:
    """Return a `div` of a class."""
    return tag("div", *content, class_=class_, **attributes)


def run(class_: str, *content: Content, **attributes: Attribute) -> Markup:
    """Return a `span` of a class."""
    return tag("span", *content, class_=class_, **attributes)


def own_picture(address: object) -> str | None:
    """Return an address that no other host is asked for, else None."""
    return address if isinstance(address, str) and address.startswith(OWN_PICTURES) else None


def mapping(value: object) -> dict[str, Any]:
    """Return a JSON object, empty where there is something else."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """Return a JSON array (or tuple) as a list, empty where there is something else."""
    return list(value) if isinstance(value, list | tuple) else []


def said(value: object) -> str:
    """Return a JSON string, number or truth value as text; nothing for anything else."""
    return str(value) if isinstance(value, str | int | float) else ""


def _pieces(content: Iterable[Content]) -> Iterator[Markup]:
    for piece in content:
        if piece is None:
            continue
        if isinstance(piece, str):
            yield words(piece)
        else:
            yield from _pieces(piece)
