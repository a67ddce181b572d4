"""Each block that Slack has and Footnote or its like may send, as HTML."""

from collections.abc import Callable

from markupsafe import Markup

from admin.slack.elements import element, image
from admin.slack.icons import icon
from admin.slack.known import Known
from admin.slack.markup import Content, block, join, listing, mapping, run, said, tag
from admin.slack.mrkdwn import markdown, plain
from admin.slack.rich_text import rich_text
from admin.slack.unknown import unknown

Given = dict[str, object]
Draw = Callable[[Given, Known], Markup]

LEVELS = {"info": "info", "warning": "warning", "error": "error", "success": "done"}
STATES = {"pending": "ring", "in_progress": "half", "complete": "done", "error": "error"}
SIDES = frozenset({"left", "center", "right"})


def draw_blocks(blocks: object, known: Known) -> Markup:
    """Return a message's or a view's blocks in order; one of an unknown type is a labelled box."""
    return join([draw_block(one, known) for one in listing(blocks)])


def draw_block(given: object, known: Known) -> Markup:
    """Return one block."""
    draw = BLOCKS.get(said(mapping(given).get("type")))
    drawn = draw(mapping(given), known) if draw else unknown(given)
    return block("block", drawn)


def _section(given: Given, known: Known) -> Markup:
    text = given.get("text")
    fields = [block("cell", plain(f, known), dir="auto") for f in listing(given.get("fields"))]
    accessory = mapping(given.get("accessory"))
    return block(
        "split",
        block(
            "text",
            block("words", plain(text, known), dir="auto") if text else None,
            block("fields", fields) if fields else None,
        ),
        block("accessory", element(accessory, known)) if accessory else None,
    )


def _header(given: Given, known: Known) -> Markup:
    return block("header", plain(given.get("text"), known), role="heading", aria_level="2")


def _divider(_: Given, __: Known) -> Markup:
    return tag("hr")


def _markdown(given: Given, _: Known) -> Markup:
    return markdown(said(given.get("text")))


def _context(given: Given, known: Known) -> Markup:
    parts = [element(mapping(one), known) for one in listing(given.get("elements"))]
    return block("context", [run("note", part, dir="auto") for part in parts])


def _actions(given: Given, known: Known) -> Markup:
    parts = [element(mapping(one), known) for one in listing(given.get("elements"))]
    small = given.get("type") == "context_actions"
    return block("actions small" if small else "actions", parts)


def _input(given: Given, known: Known) -> Markup:
    optional = run("optional", " (optional)") if given.get("optional") else None
    hint = plain(given.get("hint"), known)
    return block(
        "input",
        block("label", plain(given.get("label"), known), optional),
        element(mapping(given.get("element")), known),
        block("hint", hint) if hint else None,
    )


def _image(given: Given, known: Known) -> Markup:
    title = plain(given.get("title"), known)
    return tag(
        "figure", tag("figcaption", title) if title else None, image(given, known), class_="image"
    )


def _alert(given: Given, known: Known) -> Markup:
    level = said(given.get("level"))
    level = level if level in LEVELS else "default"
    drawing = icon(LEVELS.get(level, "info"))
    text = block("words", plain(given.get("text"), known), dir="auto")
    return block(f"alert {level}", drawing, text, role="note")


def _card(given: Given, known: Known) -> Markup:
    hero, mark = mapping(given.get("hero_image")), mapping(given.get("icon"))
    head = [
        block(name, plain(given.get(name), known), dir="auto")
        for name in ("title", "subtitle")
        if given.get(name)
    ]
    buttons = [element(mapping(one), known) for one in listing(given.get("actions"))]
    return block(
        "card",
        block("hero", image(hero, known)) if hero else None,
        block("head", image(mark, known) if mark else None, block("titles", head)),
        block("body", plain(given.get("body"), known), dir="auto") if given.get("body") else None,
        block("actions", buttons) if buttons else None,
    )


def _carousel(given: Given, known: Known) -> Markup:
    return block(
        "carousel", [_card(mapping(one), known) for one in listing(given.get("elements"))]
    )


def _container(given: Given, known: Known) -> Markup:
    title = given.get("rich_text_title") or given.get("title")
    named = mapping(title).get("type") == "rich_text"
    subtitle = plain(given.get("subtitle"), known)
    return block(
        "card container",
        block(
            "head",
            block(
                "titles",
                block("title", rich_text(mapping(title), known) if named else plain(title, known)),
                block("subtitle", subtitle) if subtitle else None,
            ),
        ),
        draw_blocks(given.get("child_blocks"), known),
    )


def _table(given: Given, known: Known) -> Markup:
    settings = [mapping(one) for one in listing(given.get("column_settings"))]
    rows = [listing(row) for row in listing(given.get("rows"))]
    drawn = [
        tag(
            "tr",
            [_cell(cell, how, number == 0, known) for cell, how in _columns(row, settings)],
        )
        for number, row in enumerate(rows)
    ]
    return block("table", tag("table", drawn), role="region", aria_label="Table", tabindex=0)


def _columns(row: list[object], settings: list[Given]) -> list[tuple[object, Given]]:
    filled = [*settings, *({} for _ in row)]
    return list(zip(row, filled, strict=False))


def _cell(cell: object, how: Given, first: bool, known: Known) -> Markup:
    given = mapping(cell)
    content: Content
    if given.get("type") == "rich_text":
        content = rich_text(given, known)
    elif given.get("type") in ("raw_text", "raw_number"):
        content = said(given.get("text", given.get("value")))
    else:
        content = unknown(cell)
    side = said(how.get("align"))
    wrapped = "wrapped" if how.get("is_wrapped") else ""
    class_ = " ".join(filter(None, [f"to-{side}" if side in SIDES else "", wrapped]))
    return tag("th" if first else "td", content, class_=class_ or None, dir="auto")


def _task(given: Given, known: Known) -> Markup:
    state = said(given.get("status"))
    sources = [
        element({"type": "url", **mapping(s)}, known) for s in listing(given.get("sources"))
    ]
    return block(
        f"task {state}" if state in STATES else "task",
        run("state", icon(STATES.get(state, "ring")), role="img", aria_label=state or None),
        block(
            "about",
            block("title", said(given.get("title")), dir="auto"),
            *(_told(given.get(name), known) for name in ("details", "output")),
            block("sources", sources) if sources else None,
        ),
    )


def _told(value: object, known: Known) -> Markup | None:
    if not value:
        return None
    drawn = rich_text(mapping(value), known) if isinstance(value, dict) else said(value)
    return block("told", drawn)


def _plan(given: Given, known: Known) -> Markup:
    tasks = [_task(mapping(one), known) for one in listing(given.get("tasks"))]
    title = given.get("title")
    named = plain(title, known) if isinstance(title, dict) else said(title)
    return block("plan", block("title", named, dir="auto"), tasks)


BLOCKS: dict[str, Draw] = {
    "actions": _actions,
    "alert": _alert,
    "card": _card,
    "carousel": _carousel,
    "container": _container,
    "context": _context,
    "context_actions": _actions,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "plan": _plan,
    "rich_text": rich_text,
    "section": _section,
    "table": _table,
    "task_card": _task,
}
