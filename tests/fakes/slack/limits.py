"""Slack's limits on messages and views: what breaks one here breaks it in production.

Numbers are those of docs.slack.dev; the ones Slack does not publish are marked as measured by
people who tried. Rich text, cards and media are checked for their size only.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from .records import Json

Surface = Literal["message", "view"]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
TEXT = 3_000  # characters of a text object, where nothing stricter is said
HEADER = 150
FIELDS, FIELD_TEXT = 10, 2_000
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
CONTEXT_ACTIONS_ELEMENTS = 5
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
OPTION_TEXT, OPTION_VALUE, OPTIONS, OVERFLOW_OPTIONS = 75, 150, 100, 5
PLACEHOLDER = 150
URL = 3_000
ALT_TEXT = 2_000
LABEL = 2_000
ACTION_ID = BLOCK_ID = CALLBACK_ID = 255
TABLE_ROWS, TABLE_COLUMNS = 100, 20
PLAN_TASKS = 50
TASK_TITLE = 256  # measured
MARKDOWN = 12_000  # characters, of one block and of all of a message together
VIEW_TITLE = 24
PRIVATE_METADATA = 3_000

POST_TEXT = 40_000  # characters; Slack cuts here, the fake refuses: either loses words
UPDATE_TEXT = 4_000  # UTF-8 bytes of chat.update's text: documented as characters, measured bytes
MESSAGE_SIZE = 13_200  # measured: characters in all blocks, escaped
HEADER_WEIGHT = 100  # measured: what each header counts beyond its text

TASK_STATES = ("pending", "in_progress", "complete", "error")
ALERT_TEXT = 200
ALERT_LEVELS = ("default", "info", "warning", "error", "success")
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
NOT_IN: dict[Surface, frozenset[str]] = {
    "view": frozenset({"markdown", "table", "context_actions", "task_card", "plan"}),
    "message": frozenset({"alert"}),  # slackapi/python-slack-sdk, pull request 1865
}


class Problems:
    """Collects what is wrong and where, in Slack's wording."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, problem: str, at: str) -> None:
        """Note one problem at a JSON pointer."""
        self.found.append(f"{problem} [json-pointer:{at}]")

    def string(self, value: Any, limit: int, at: str) -> None:
        """Require 1 to `limit` characters."""
        if not isinstance(value, str):
            self.add("must provide a string", at)
        elif not value:
            self.add("must be more than 0 characters", at)
        elif len(value) > limit:
            self.add(f"must be less than {limit + 1} characters", at)

    def optional(self, value: Any, limit: int, at: str) -> None:
        """Require at most `limit` characters where there is a value."""
        if value is not None:
            self.string(value, limit, at)

    def items(self, value: Any, limit: int, at: str) -> list[Any]:
        """Require 1 to `limit` items and return them."""
        if not isinstance(value, list) or not value:
            self.add("no less than 1 items allowed", at)
            return []
        if len(value) > limit:
            self.add(f"no more than {limit} items allowed", at)
        return value

    def text(self, value: Any, limit: int, at: str, *, plain: bool = False) -> None:
        """Require a text object, `plain_text` only where `plain`."""
        if not isinstance(value, dict):
            self.add("must provide an object", at)
            return
        kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
        if value.get("type") not in kinds:
            self.add(f"must be one of {', '.join(kinds)}", f"{at}/type")
        self.string(value.get("text"), limit, f"{at}/text")

    def one_of(self, value: Any, allowed: Sequence[str], at: str) -> None:
        """Require one of the allowed words."""
        if value not in allowed:
            self.add(f"must be one of {', '.join(allowed)}", at)


def _section(p: Problems, block: Json, at: str) -> None:
    if "text" in block:
        p.text(block["text"], TEXT, f"{at}/text")
    elif "fields" not in block:
        p.add("missing required field: text", at)
    if "fields" in block:
        for i, item in enumerate(p.items(block["fields"], FIELDS, f"{at}/fields")):
            p.text(item, FIELD_TEXT, f"{at}/fields/{i}")
    if "accessory" in block:
        element(p, block["accessory"], f"{at}/accessory")


def _header(p: Problems, block: Json, at: str) -> None:
    p.text(block.get("text"), HEADER, f"{at}/text", plain=True)


def _context(p: Problems, block: Json, at: str) -> None:
    for i, item in enumerate(p.items(block.get("elements"), CONTEXT_ELEMENTS, f"{at}/elements")):
        if isinstance(item, dict) and item.get("type") == "image":
            _image(p, item, f"{at}/elements/{i}")
        else:
            p.text(item, TEXT, f"{at}/elements/{i}")


def _elements(limit: int) -> Callable[[Problems, Json, str], None]:
    def check(p: Problems, block: Json, at: str) -> None:
        items = p.items(block.get("elements"), limit, f"{at}/elements")
        for i, item in enumerate(items):
            element(p, item, f"{at}/elements/{i}")
        names = [item.get("action_id") for item in items if isinstance(item, dict)]
        if len(set(given := [name for name in names if name])) < len(given):
            p.add("action_id already exists in this block", f"{at}/elements")

    return check


def _image(p: Problems, block: Json, at: str) -> None:
    if "slack_file" in block:
        _slack_file(p, block, at)
    else:
        p.string(block.get("image_url"), URL, f"{at}/image_url")
    p.string(block.get("alt_text"), ALT_TEXT, f"{at}/alt_text")


def _slack_file(p: Problems, block: Json, at: str) -> None:
    file = block["slack_file"]
    if "image_url" in block:
        p.add("must provide either image_url or slack_file", at)
    if not isinstance(file, dict) or [*file] not in (["id"], ["url"]):
        p.add("must provide either an id or a url", f"{at}/slack_file")


def _input(p: Problems, block: Json, at: str) -> None:
    p.text(block.get("label"), LABEL, f"{at}/label", plain=True)
    if "hint" in block:
        p.text(block["hint"], LABEL, f"{at}/hint", plain=True)
    element(p, block.get("element"), f"{at}/element")


def _markdown(p: Problems, block: Json, at: str) -> None:
    p.string(block.get("text"), MARKDOWN, f"{at}/text")


def _table(p: Problems, block: Json, at: str) -> None:
    for i, row in enumerate(p.items(block.get("rows"), TABLE_ROWS, f"{at}/rows")):
        p.items(row, TABLE_COLUMNS, f"{at}/rows/{i}")


def _task_card(p: Problems, block: Json, at: str) -> None:
    p.string(block.get("task_id"), BLOCK_ID, f"{at}/task_id")
    p.string(block.get("title"), TASK_TITLE, f"{at}/title")
    p.one_of(block.get("status"), TASK_STATES, f"{at}/status")


def _plan(p: Problems, block: Json, at: str) -> None:
    p.string(block.get("title"), TASK_TITLE, f"{at}/title")
    for i, task in enumerate(p.items(block.get("tasks"), PLAN_TASKS, f"{at}/tasks")):
        _task_card(p, task, f"{at}/tasks/{i}")


def _alert(p: Problems, block: Json, at: str) -> None:
    p.text(block.get("text"), ALERT_TEXT, f"{at}/text")
    p.one_of(block.get("level", "default"), ALERT_LEVELS, f"{at}/level")


def _unchecked(p: Problems, block: Json, at: str) -> None:
    """Known to Slack, not modelled here beyond the size of the whole message."""


BLOCKS: dict[str, Callable[[Problems, Json, str], None]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _elements(ACTIONS_ELEMENTS),
    "context_actions": _elements(CONTEXT_ACTIONS_ELEMENTS),
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "table": _table,
    "task_card": _task_card,
    "plan": _plan,
    "alert": _alert,
    **dict.fromkeys(
        ("divider", "rich_text", "file", "video", "card", "container", "carousel"), _unchecked
    ),
}


def _button(p: Problems, item: Json, at: str) -> None:
    p.text(item.get("text"), BUTTON_TEXT, f"{at}/text", plain=True)
    p.optional(item.get("value"), BUTTON_VALUE, f"{at}/value")
    p.optional(item.get("url"), URL, f"{at}/url")
    if "style" in item:
        p.one_of(item["style"], ("primary", "danger"), f"{at}/style")


def _feedback(p: Problems, item: Json, at: str) -> None:
    for side in ("positive_button", "negative_button"):
        button = item.get(side) or {}
        p.text(button.get("text"), BUTTON_TEXT, f"{at}/{side}/text", plain=True)
        p.string(button.get("value"), BUTTON_VALUE, f"{at}/{side}/value")


def _choice(p: Problems, item: Json, at: str) -> None:
    if "options" not in item:
        return  # users_select and its kin list nothing; option_groups are not modelled
    limit = OVERFLOW_OPTIONS if item["type"] == "overflow" else OPTIONS
    for i, option in enumerate(p.items(item["options"], limit, f"{at}/options")):
        p.text(option.get("text"), OPTION_TEXT, f"{at}/options/{i}/text")
        p.string(option.get("value"), OPTION_VALUE, f"{at}/options/{i}/value")


def element(p: Problems, item: Any, at: str) -> None:
    """Check one interactive element."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        p.add("must provide an object with a type", at)
        return
    p.optional(item.get("action_id"), ACTION_ID, f"{at}/action_id")
    if "placeholder" in item:
        p.text(item["placeholder"], PLACEHOLDER, f"{at}/placeholder", plain=True)
    for key, limit in CONFIRM.items() if "confirm" in item else ():
        p.text(item["confirm"].get(key), limit, f"{at}/confirm/{key}")
    rules = {"button": _button, "icon_button": _button, "feedback_buttons": _feedback}
    rules.get(item["type"], _choice)(p, item, at)


def block_problems(blocks: Any, surface: Surface, at: str = "/blocks") -> list[str]:
    """Return what Slack would find wrong with these blocks, in its wording; [] when nothing."""
    p = Problems()
    if not isinstance(blocks, list):
        p.add("must provide an array", at)
        return p.found
    most = MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS
    if sum(rendered_blocks(block) for block in blocks) > most:
        p.add(f"no more than {most} items allowed", at)
    for i, block in enumerate(blocks):
        _check_block(p, block, surface, f"{at}/{i}")
    _check_ids(p, blocks, at)
    return p.found


def _check_block(p: Problems, block: Any, surface: Surface, at: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in BLOCKS or kind in NOT_IN[surface]:
        p.add(f"unsupported type: {kind}", f"{at}/type")
        return
    p.optional(block.get("block_id"), BLOCK_ID, f"{at}/block_id")
    BLOCKS[kind](p, block, at)


def _check_ids(p: Problems, blocks: list[Any], at: str) -> None:
    given = [b["block_id"] for b in blocks if isinstance(b, dict) and b.get("block_id")]
    for name in sorted({name for name in given if given.count(name) > 1}):
        p.add(f"block_id: {name} already exists", at)


def rendered_blocks(block: Any) -> int:
    """Return how many blocks Slack stores for one: a `markdown` block becomes several.

    Measured: a header for each heading, one block for each fence, table and rule, and one for
    each run of anything else between them.
    """
    if not isinstance(block, dict) or block.get("type") != "markdown":
        return 1
    kinds = [_line_kind(line) for line in _outside_fences(str(block.get("text", "")))]
    alone = sum(kind in ("heading", "rule", "fence") for kind in kinds)
    runs = sum(
        kind in ("table", "prose") and kind != before
        for before, kind in zip(["", *kinds], kinds, strict=False)
    )
    return max(1, alone + runs)


def _outside_fences(text: str) -> list[str]:
    """The non-blank lines, with each fenced block reduced to its opening line."""
    lines, fenced = [], False
    for line in filter(str.strip, text.splitlines()):
        fence = line.lstrip().startswith("```")
        if not fenced:
            lines.append(line)
        fenced ^= fence
    return lines


def _line_kind(line: str) -> str:
    bare = line.strip()
    if bare.startswith("```"):
        return "fence"
    if bare.startswith("#"):
        return "heading"
    if len(bare) >= 3 and set(bare.replace(" ", "")) in ({"-"}, {"*"}, {"_"}):
        return "rule"
    return "table" if bare.startswith("|") else "prose"
