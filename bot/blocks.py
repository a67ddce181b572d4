"""Builders of the few Slack blocks used, and the splitting that keeps them within Slack's limits.

Text that comes from documents, models or people goes into `rich_text` or `plain_text` only:
Slack takes both literally, so no `<!channel>`, `<@U…>`, link or formatting can arise from it.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Element = dict[str, Any]
Block = dict[str, Any]
Item = TypeVar("Item")

TEXT_LIMIT = 2_000  # characters in an element: five times as many once `&` is escaped
RUN_LIMIT = 2_900  # size of the elements in a block; Slack takes 3,000 in a text object
ITEMS_LIMIT = 30  # bullets in a block
NOTE_LIMIT = 1_900  # characters in a context block's element; Slack takes 2,000
BLOCKS_LIMIT = 45  # blocks in a message; Slack takes 50
MESSAGE_LIMIT = 11_500
"""Size of a message's blocks as `size` counts it. Slack answers `msg_blocks_too_long` near
13,200 and does not say how it counts: slackapi/bolt-js, issue 2509."""

JOINERS = "\u200d\ufe0e\ufe0f\u20e3"  # zero-width joiner, variation selectors, keycap


def text(words: str, **style: bool) -> Element:
    """Return a rich-text element whose words are taken literally; styles are bold and italic."""
    element: Element = {"type": "text", "text": words}
    return element | ({"style": style} if style else {})


def link(words: str, url: str) -> Element:
    """Return a rich-text link; `words` are literal."""
    return {"type": "link", "url": url, "text": words}


def rich_text(*elements: Element) -> Block:
    """Return a block with one run of rich-text elements."""
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": list(elements)}],
    }


def bullets(items: Sequence[str]) -> list[Block]:
    """Return the items, literally, one bullet a line."""
    lines: list[Element] = [
        {"type": "rich_text_section", "elements": [text(piece)]}
        for item in items
        for piece in split(item, TEXT_LIMIT)
    ]
    return [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_list", "style": "bullet", "elements": group}],
        }
        for group in grouped(lines, size, RUN_LIMIT, ITEMS_LIMIT)
    ]


def divider() -> Block:
    """Return a line across the message."""
    return {"type": "divider"}


def notes(words: str) -> list[Block]:
    """Return small grey lines; the words are literal."""
    return [
        {
            "type": "context",
            "elements": [{"type": "plain_text", "text": piece, "emoji": False}],
        }
        for piece in split(words, NOTE_LIMIT)
    ]


def paragraphs(*elements: Element) -> list[Block]:
    """Return the elements as one rich-text block, or as several where they are too long for it."""
    pieces = [
        {**element, "text": piece}
        for element in elements
        for piece in split(element["text"], TEXT_LIMIT)
    ]
    return [rich_text(*run) for run in grouped(pieces, size, RUN_LIMIT, len(pieces))]


def messages(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return the blocks in order, as many to a message as Slack takes."""
    return list(grouped(blocks, size, MESSAGE_LIMIT, BLOCKS_LIMIT))


def size(part: Block | Element) -> int:
    """Return a cautious count of what a part weighs: UTF-16 units of its JSON, escaped."""
    written = escape(json.dumps(part, ensure_ascii=False))
    return len(written.encode("utf-16-le", "surrogatepass")) // 2


def escape(words: str) -> str:
    """Return text safe for a field that Slack reads as mrkdwn: no mention or link can arise."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def grouped(
    items: Sequence[Item], weight: Callable[[Item], int], limit: int, most: int
) -> Iterator[list[Item]]:
    """Yield the items in order, in lists of at most `most` items and `limit` weight together.

    An item heavier than the limit gets a list of its own.
    """
    group: list[Item] = []
    total = 0
    for item in items:
        if group and (len(group) == most or total + weight(item) > limit):
            yield group
            group, total = [], 0
        group.append(item)
        total += weight(item)
    if group:
        yield group


def split(words: str, limit: int) -> list[str]:
    """Return text in pieces of at most `limit` code points, cut at white space where there is any.

    Only white space at a cut goes; everything else is kept, in order. Characters that belong
    together (accents, emoji sequences) stay together unless that is impossible.
    """
    pieces = []
    rest = words
    while len(rest) > limit:
        cut = _cut(rest, limit)
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [piece for piece in (*pieces, rest) if piece]


def _cut(words: str, limit: int) -> int:
    """Return where to cut: the last line end, else sentence end, else space, else character."""
    least = max(limit // 2, 1)
    for mark in ("\n", ". ", " "):
        at = words.rfind(mark, least, limit)
        if at > 0:
            return at + len(mark)
    together = (at for at in range(limit, least - 1, -1) if not _clings(words[at - 1], words[at]))
    return next(together, limit)


def _clings(before: str, after: str) -> bool:
    joined = before == "\u200d" or after in JOINERS
    return joined or unicodedata.category(after) in {"Mn", "Me", "Mc"}
