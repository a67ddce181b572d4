"""The `rich_text` block: sections, lists, quotes and code, with what stands in a line."""

from collections.abc import Callable
from datetime import UTC, datetime

from markupsafe import Markup

from admin.slack.emoji import by_name
from admin.slack.known import Known, anchor, mention
from admin.slack.markup import block, join, listing, mapping, run, said, tag
from admin.slack.unknown import unknown

DEEPEST_LIST = 8  # steps of indentation that look different
STYLES = {"code": "code", "strike": "s", "underline": "u", "italic": "em", "bold": "strong"}
"""Styles from the innermost element outwards."""

Draw = Callable[[dict[str, object], Known], Markup]


def rich_text(given: dict[str, object], known: Known) -> Markup:
    """Return a `rich_text` block, or what stands in its place in a task or a table's cell."""
    return block(
        "rich-text", [_part(mapping(part), known) for part in listing(given.get("elements"))]
    )


def _part(part: dict[str, object], known: Known) -> Markup:
    draw = PARTS.get(said(part.get("type")))
    return draw(part, known) if draw else unknown(part)


def _section(part: dict[str, object], known: Known) -> Markup:
    return block("section", _line(part, known), dir="auto")


def _quote(part: dict[str, object], known: Known) -> Markup:
    return tag("blockquote", _line(part, known), dir="auto")


def _preformatted(part: dict[str, object], known: Known) -> Markup:
    return tag("pre", _line(part, known), dir="auto")


def _list(part: dict[str, object], known: Known) -> Markup:
    ordered = part.get("style") == "ordered"
    indent, offset = part.get("indent"), part.get("offset")
    depth = min(max(indent, 0), DEEPEST_LIST) if isinstance(indent, int) else 0
    items = [_item(mapping(item), known) for item in listing(part.get("elements"))]
    return tag(
        "ol" if ordered else "ul",
        items,
        class_=f"depth-{depth} kind-{depth % 3}" + (" bordered" if part.get("border") else ""),
        start=offset + 1 if ordered and isinstance(offset, int) else None,
    )


def _item(item: dict[str, object], known: Known) -> Markup:
    whole = item.get("type") == "rich_text_section"
    return tag("li", _line(item, known) if whole else _part(item, known), dir="auto")


PARTS: dict[str, Draw] = {
    "rich_text_section": _section,
    "rich_text_list": _list,
    "rich_text_quote": _quote,
    "rich_text_preformatted": _preformatted,
}


def _line(part: dict[str, object], known: Known) -> Markup:
    return join([_element(mapping(one), known) for one in listing(part.get("elements"))])


def _element(element: dict[str, object], known: Known) -> Markup:
    draw = ELEMENTS.get(said(element.get("type")))
    if draw is None:
        return unknown(element)
    return _styled(draw(element, known), mapping(element.get("style")))


def _styled(content: Markup, style: dict[str, object]) -> Markup:
    for name, element in STYLES.items():
        if style.get(name):
            content = tag(element, content)
    if style.get("highlight") or style.get("client_highlight"):
        content = tag("mark", content)
    return content


def _text(element: dict[str, object], _: Known) -> Markup:
    return join(said(element.get("text")))


def _link(element: dict[str, object], _: Known) -> Markup:
    address = said(element.get("url"))
    return anchor(address, said(element.get("text")) or address)


def _user(element: dict[str, object], known: Known) -> Markup:
    return mention("@", known.name(said(element.get("user_id"))))


def _group(element: dict[str, object], known: Known) -> Markup:
    return mention("@", known.name(said(element.get("usergroup_id"))))


def _channel(element: dict[str, object], known: Known) -> Markup:
    return mention("#", known.name(said(element.get("channel_id"))))


def _team(element: dict[str, object], known: Known) -> Markup:
    return mention("@", known.name(said(element.get("team_id"))))


def _broadcast(element: dict[str, object], _: Known) -> Markup:
    return mention("@", said(element.get("range")), everybody=True)


def _emoji(element: dict[str, object], _: Known) -> Markup:
    name = said(element.get("name"))
    shown = by_name(name, said(element.get("unicode")))
    return run("emoji", shown, title=f":{name}:") if shown else join(f":{name}:")


def _date(element: dict[str, object], _: Known) -> Markup:
    given, fallback = element.get("timestamp"), said(element.get("fallback"))
    if not isinstance(given, int) or not 0 <= given < LAST_MOMENT:
        return tag("time", fallback or said(given))
    moment = datetime.fromtimestamp(given, UTC)
    written = said(element.get("format")) or "{date_num} {time}"
    for name, form in _forms(moment).items():
        written = written.replace(f"{{{name}}}", form)
    # What is told as time gone by needs a clock, which a picture has not.
    return tag("time", fallback if "{" in written and fallback else written)


def _forms(moment: datetime) -> dict[str, str]:
    """Return a moment in the forms that Slack has names for."""
    short, long = f"{moment.day} {moment:%b %Y}", f"{moment.day} {moment:%B %Y}"
    days = {"date": long, "date_short": short, "date_long": f"{moment:%A}, {long}"}
    return {
        **days,
        **{f"{name}_pretty": day for name, day in days.items()},
        "date_num": f"{moment:%Y-%m-%d}",
        "time": f"{moment:%H:%M}",
        "time_secs": f"{moment:%H:%M:%S}",
    }


def _colour(element: dict[str, object], _: Known) -> Markup:
    return run("colour", said(element.get("value")))


LAST_MOMENT = 253_402_300_800  # seconds: the year 10000, which has no four digits
ELEMENTS: dict[str, Draw] = {
    "text": _text,
    "link": _link,
    "user": _user,
    "usergroup": _group,
    "channel": _channel,
    "team": _team,
    "broadcast": _broadcast,
    "emoji": _emoji,
    "date": _date,
    "color": _colour,
}
