"""One of each thing that Slack's messages and views are made of, as JSON."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

KEYWORDS = frozenset({"type", "style", "level", "status", "align", "range"})
"""Fields whose values are names out of a list, not words of anybody."""


def plain(words: str) -> Json:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": words}


def mrkdwn(words: str) -> Json:
    """Return a mrkdwn object."""
    return {"type": "mrkdwn", "text": words}


def option(words: str, **more: Any) -> Json:
    """Return an option of a menu or a group of boxes, its value the words."""
    return {"text": plain(words), "value": words} | more


def text(words: str, **style: bool) -> Json:
    """Return a text element of a rich_text block."""
    return {"type": "text", "text": words} | ({"style": style} if style else {})


def section(*elements: Json) -> Json:
    """Return a line of a rich_text block."""
    return {"type": "rich_text_section", "elements": [*elements]}


def rich(*parts: Json) -> Json:
    """Return a rich_text block."""
    return {"type": "rich_text", "elements": [*parts]}


def button(words: str, **more: Any) -> Json:
    """Return a button."""
    return {"type": "button", "text": plain(words), "action_id": words} | more


def asked(label: str, element: Json, **more: Any) -> Json:
    """Return an input block."""
    return {"type": "input", "label": plain(label), "element": element} | more


FEEDBACK = {
    "type": "feedback_buttons",
    "positive_button": {"text": plain("Good answer"), "value": "up"},
    "negative_button": {"text": plain("Bad answer"), "value": "down"},
}
ICON_BUTTON = {"type": "icon_button", "icon": "trash", "text": plain("Withdraw")}
TASK = {
    "type": "task_card",
    "task_id": "1",
    "title": "Searching 214 policies",
    "status": "in_progress",
    "details": rich(section(text("9 passages"))),
    "output": rich(section(text("2 quotes"))),
    "sources": [{"type": "url", "url": "https://example.com/r", "text": "Returns policy"}],
}
CARD = {
    "type": "card",
    "title": mrkdwn("*Returns policy*"),
    "subtitle": mrkdwn("v3"),
    "body": mrkdwn("Within 14 days."),
    "icon": {"type": "image", "image_url": "https://example.com/i.png", "alt_text": "mark"},
    "hero_image": {"type": "image", "image_url": "https://example.com/h.png", "alt_text": "hero"},
    "actions": [button("Open")],
}
MENU = {"type": "static_select", "placeholder": plain("Choose"), "options": [option("Thirty")]}

BLOCKS: dict[str, Json] = {
    "rich_text": rich(
        section(
            text("plain"),
            text("styled", bold=True, italic=True, strike=True, code=True, underline=True),
            {"type": "link", "url": "https://example.com/a", "text": "policy"},
            {"type": "user", "user_id": "U1"},
            {"type": "usergroup", "usergroup_id": "S1"},
            {"type": "channel", "channel_id": "C1"},
            {"type": "team", "team_id": "T1"},
            {"type": "broadcast", "range": "channel"},
            {"type": "emoji", "name": "wave", "unicode": "1f44b"},
            {"type": "date", "timestamp": 1_793_616_120, "format": "{date_short} at {time}"},
            {"type": "color", "value": "#aabbcc"},
        ),
        {"type": "rich_text_list", "style": "bullet", "elements": [section(text("one"))]},
        {"type": "rich_text_list", "style": "ordered", "indent": 1, "offset": 2, "elements": []},
        {"type": "rich_text_quote", "elements": [text("quoted")]},
        {"type": "rich_text_preformatted", "elements": [text("code  here")]},
    ),
    "section": {
        "type": "section",
        "text": mrkdwn("*bold* words"),
        "fields": [mrkdwn("one field"), plain("another field")],
        "accessory": MENU,
    },
    "header": {"type": "header", "text": plain("A heading")},
    "divider": {"type": "divider"},
    "markdown": {"type": "markdown", "text": "# Rules\n\nSome **strong** words"},
    "context": {"type": "context", "elements": [mrkdwn("checked _now_"), plain("small")]},
    "actions": {
        "type": "actions",
        "elements": [
            button("Claim", style="primary"),
            button("Open", url="https://example.com/open"),
            MENU,
            {"type": "overflow", "options": [option("Rarely used")]},
            {"type": "datepicker", "initial_date": "2026-11-02"},
            {"type": "users_select", "initial_user": "U1"},
        ],
    },
    "context_actions": {"type": "context_actions", "elements": [FEEDBACK, ICON_BUTTON]},
    "input, written": asked(
        "What should it say?",
        {"type": "plain_text_input", "multiline": True, "initial_value": "Thirty days"},
        optional=True,
        hint=plain("A person reads it"),
    ),
    "input, boxes": asked(
        "Why",
        {
            "type": "checkboxes",
            "options": [option("Wrong fact", description=plain("not so")), option("Outdated")],
            "initial_options": [option("Outdated")],
        },
    ),
    "input, one of": asked(
        "Where", {"type": "radio_buttons", "options": [option("Here")], "initial_option": None}
    ),
    "input, several of": asked(
        "Documents", {"type": "multi_static_select", "initial_options": [option("Returns")]}
    ),
    "input, day": asked("From", {"type": "datepicker", "placeholder": plain("Which day")}),
    "input, file": asked("File", {"type": "file_input"}),
    "image": {
        "type": "image",
        "title": plain("Page 3"),
        "slack_file": {"id": "F1"},
        "alt_text": "the quoted words marked",
    },
    "alert": {"type": "alert", "level": "warning", "text": mrkdwn("*This* has changed")},
    "card": CARD,
    "carousel": {"type": "carousel", "elements": [CARD]},
    "container": {"type": "container", "title": plain("Group"), "child_blocks": [CARD]},
    "table": {
        "type": "table",
        "column_settings": [{"align": "right", "is_wrapped": True}],
        "rows": [
            [{"type": "raw_text", "text": "Head"}, {"type": "raw_number", "value": 41}],
            [rich(section(text("cell"))), {"type": "raw_text", "text": "other"}],
        ],
    },
    "task_card": TASK,
    "plan": {"type": "plan", "title": "Answering", "tasks": [TASK]},
    "of no known type": {"type": "hologram", "text": "light"},
}
"""Blocks by what they are."""


def replaced(value: Any, words: Callable[[str], str], key: str = "") -> Any:
    """Return JSON with every string that somebody may have written put through `words`."""
    if isinstance(value, dict):
        return {name: replaced(inner, words, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, words, key) for inner in value]
    return words(value) if isinstance(value, str) and key not in KEYWORDS else value
