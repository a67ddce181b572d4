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

BUTTON_LIMIT = 75  # characters on a button
BUTTONS_LIMIT = 25  # in one row of them

JOINERS = "\u200d\ufe0e\ufe0f\u20e3"  # zero-width joiner, variation selectors, keycap


def text(words: str, **style: bool) -> Element:
    """Return a rich-text element whose words are taken literally; styles are bold and italic."""
    element: Element = {"type": "text", "text": words}
    return element | ({"style": style} if style else {})


def end_of_quote(words: str) -> Element:
    """Return what stands behind quoted words that end a sentence: with a stop if they lack one."""
    return text("”" if words.rstrip().endswith((".", "!", "?", "…", ":", ";")) else "”.")


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


def button(words: str, action_id: str, value: str, *, primary: bool = False) -> Element:
    """Return a button; its words are literal, and cut where they are too long for one."""
    made: Element = {
        "type": "button",
        "text": plain_text(cut(words, BUTTON_LIMIT)),
        "action_id": action_id,
        "value": value,
    }
    return made | ({"style": "primary"} if primary else {})


def actions(buttons: Sequence[Element]) -> list[Block]:
    """Return buttons in rows; none where there are none."""
    rows = grouped(buttons, lambda _: 1, BUTTONS_LIMIT, BUTTONS_LIMIT)
    return [{"type": "actions", "elements": row} for row in rows]


def feedback_buttons(action_id: str, good: str, bad: str) -> Block:
    """Return Slack's own two buttons for feedback; `good` and `bad` are their values."""
    sides = {
        "positive_button": ("Helpful", "This answer helps", good),
        "negative_button": ("Not helpful", "Something is wrong with this answer", bad),
    }
    element: Element = {"type": "feedback_buttons", "action_id": action_id}
    for side, (words, label, value) in sides.items():
        element[side] = {
            "text": plain_text(words),
            "accessibility_label": label,
            "value": value,
        }
    return {"type": "context_actions", "elements": [element]}


def plain_text(words: str) -> Element:
    """Return a text object whose words are taken literally."""
    return {"type": "plain_text", "text": words, "emoji": False}


def cut(words: str, limit: int) -> str:
    """Return words on one line within a limit of characters, ending in … where some are left out.

    They must hold something that can be seen.
    """
    line = " ".join(words.split())
    return line if len(line) <= limit else split(line, limit - 1)[0] + "…"


def divider() -> Block:
    """Return a line across the message."""
    return {"type": "divider"}


def notes(words: str) -> list[Block]:
    """Return small grey lines; the words are literal."""
    return [
        {
            "type": "context",
            "elements": [plain_text(piece)],
        }
        for piece in split(words, NOTE_LIMIT)
    ]


def lines(items: Sequence[Sequence[Element]]) -> list[Block]:
    """Return each item on a line of its own, as many lines to a rich-text block as it takes."""
    sections = [
        section for item in items for block in paragraphs(*item) for section in block["elements"]
    ]
    groups = grouped(sections, size, RUN_LIMIT, ITEMS_LIMIT)
    return [{"type": "rich_text", "elements": group} for group in groups]


def paragraphs(*elements: Element) -> list[Block]:
    """Return the elements as one rich-text block, or as several where they are too long for it."""
    pieces = [
        {**element, "text": piece}
        for element in elements
        for piece in split(element["text"], TEXT_LIMIT)
    ]
    return [rich_text(*run) for run in grouped(pieces, size, RUN_LIMIT, len(pieces))]


def messages(blocks: Sequence[Block], tail: Sequence[Block] = ()) -> list[list[Block]]:
    """Return the blocks in order, as many to a message as Slack takes.

    `tail` stands whole at the end of the last one.
    """
    limit = MESSAGE_LIMIT - sum(map(size, tail))
    groups = list(grouped(blocks, size, limit, BLOCKS_LIMIT - len(tail))) or [[]]
    groups[-1] += tail
    return groups


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
