"""What people press, choose or fill in: drawn as it looks, and doing nothing here.

Menus are `details`, so that their options can be read without a script.
"""

from collections.abc import Callable

from markupsafe import Markup

from admin.slack.icons import icon
from admin.slack.known import Known, anchor
from admin.slack.markup import Content, block, join, listing, mapping, own_picture, run, said, tag
from admin.slack.mrkdwn import plain
from admin.slack.rich_text import rich_text
from admin.slack.unknown import unknown

Given = dict[str, object]
Draw = Callable[[Given, Known], Markup]

FORMS = frozenset({"primary", "danger"})
ICON_NAMES = {"trash": "trash", "copy": "copy", "refresh": "reload", "edit": "file"}
MENUS = {
    "static_select": "Choose an option",
    "external_select": "Choose an option",
    "users_select": "Select a person",
    "conversations_select": "Select a conversation",
    "channels_select": "Select a channel",
    "multi_static_select": "Choose options",
    "multi_external_select": "Choose options",
    "multi_users_select": "Select people",
    "multi_conversations_select": "Select conversations",
    "multi_channels_select": "Select channels",
}
"""What a menu says where it has no placeholder of its own."""
SIGNS = {"users": "@", "conversations": "#", "channels": "#"}


def element(given: Given, known: Known) -> Markup:
    """Return an element of a section, an actions block or an input."""
    draw = ELEMENTS.get(said(given.get("type")))
    return draw(given, known) if draw else unknown(given)


def _button(given: Given, known: Known) -> Markup:
    style = given.get("style")
    kind = f"button {style}" if style in FORMS else "button"
    label = plain(given.get("text"), known)
    address = said(given.get("url"))
    pressed = run(kind, label, title=said(given.get("accessibility_label")) or None)
    return anchor(address, pressed) if address else pressed


def _overflow(given: Given, known: Known) -> Markup:
    opened = run("button square", icon("more"), aria_label="More actions")
    return tag("details", tag("summary", opened), _options(given, known), class_="overflow")


def _menu(given: Given, known: Known) -> Markup:
    kind = said(given.get("type"))
    chosen = _chosen(given, kind, known)
    shown = plain(given.get("placeholder"), known) or MENUS[kind]
    face = join(chosen) if chosen else run("placeholder", shown)
    return tag(
        "details",
        tag("summary", run("menu", run("value", face), icon("down"))),
        _options(given, known),
        class_="select",
    )


def _chosen(given: Given, kind: str, known: Known) -> list[Markup]:
    """Return what a menu has selected: options by their text, the rest by name."""
    sign = next((s for part, s in SIGNS.items() if part in kind), "")
    initial = [value for key, value in given.items() if key.startswith("initial_")]
    values = [one for value in initial for one in (value if isinstance(value, list) else [value])]
    several = kind.startswith("multi_")
    named = [
        plain(one.get("text"), known) if isinstance(one, dict) else _named(said(one), sign, known)
        for one in values
    ]
    return [run("chip", one) if several else one for one in named]


def _named(identifier: str, sign: str, known: Known) -> Markup:
    name = known.name(identifier)
    return join(name if name.startswith(sign) else sign + name)


def _options(given: Given, known: Known) -> Markup:
    groups = [mapping(group) for group in listing(given.get("option_groups"))]
    grouped = [
        join(
            tag("li", plain(group.get("label"), known), class_="group"),
            _choices(listing(group.get("options")), known),
        )
        for group in groups
    ]
    return tag("ul", grouped, _choices(listing(given.get("options")), known), class_="options")


def _choices(options: list[object], known: Known) -> Markup:
    return join([tag("li", _label(mapping(option), known)) for option in options])


def _label(option: Given, known: Known) -> Markup:
    described = plain(option.get("description"), known)
    return join(
        run("words", plain(option.get("text"), known)),
        run("described", described) if described else None,
    )


def _ticked(given: Given, known: Known) -> Markup:
    """Return checkboxes or radio buttons, one a line."""
    one_only = given.get("type") == "radio_buttons"
    initial = [*listing(given.get("initial_options")), given.get("initial_option")]
    chosen = {said(mapping(option).get("value")) for option in initial if option}
    lines = []
    for option in map(mapping, listing(given.get("options"))):
        on = said(option.get("value")) in chosen
        kind = ("radio" if one_only else "box") + (" on" if on else "")
        mark = icon("check") if on and not one_only else None
        said_of_it = "chosen" if on else "not chosen"
        lines.append(
            block(
                "choice",
                run(kind, mark, role="img", aria_label=said_of_it),
                block("label", _label(option, known)),
            )
        )
    return block("choices", lines)


def _field(given: Given, known: Known) -> Markup:
    """Return a field to write in, with what stands in it at first."""
    initial = given.get("initial_value")
    if isinstance(initial, dict):  # of a rich_text_input
        face: Content = join(rich_text(initial, known))
    elif said(initial):
        face = run("value", said(initial))
    else:
        face = run("placeholder", plain(given.get("placeholder"), known) or "\N{NO-BREAK SPACE}")
    tall = given.get("multiline") or given.get("type") == "rich_text_input"
    return block("field tall" if tall else "field", face)


def _date(given: Given, known: Known) -> Markup:
    initial = next((v for k, v in given.items() if k.startswith("initial_") and said(v)), None)
    face = plain(given.get("placeholder"), known) or "Select a date"
    mark = "clock" if given.get("type") == "timepicker" else "calendar"
    inside = run("value", said(initial)) if initial else run("placeholder", face)
    return run("menu picker", icon(mark), inside, icon("down"))


def _file_input(_: Given, __: Known) -> Markup:
    return block("field dropped", run("button", "Upload files"), run("described", "or drop them"))


def _feedback(given: Given, known: Known) -> Markup:
    return join(
        _thumb(mapping(given.get("positive_button")), "up", known),
        _thumb(mapping(given.get("negative_button")), "down", known),
    )


def _thumb(given: Given, way: str, known: Known) -> Markup:
    label = said(given.get("accessibility_label")) or plain(given.get("text"), known)
    return run(f"thumb {way}", icon("thumb-up"), role="img", aria_label=label, title=label)


def _icon_button(given: Given, known: Known) -> Markup:
    label = plain(given.get("text"), known)
    drawing = icon(ICON_NAMES.get(said(given.get("icon")), "more"))
    return run("thumb", drawing, role="img", aria_label=label, title=label)


def image(given: Given, known: Known) -> Markup:
    """Return a picture: ours where we hold one, else a frame with the words that describe it."""
    file = mapping(given.get("slack_file"))
    address = said(given.get("image_url"))
    sources = (said(file.get("id")), said(file.get("url")), address)
    ours = next(filter(None, map(known.picture, sources)), None) or own_picture(address)
    described = said(given.get("alt_text")) or "picture"
    if ours:
        return tag("img", src=ours, alt=described)
    return run("no-picture", icon("picture"), run("words", described), role="img")


def _source(given: Given, _: Known) -> Markup:
    address = said(given.get("url"))
    return run("source", anchor(address, said(given.get("text")) or address))


ELEMENTS: dict[str, Draw] = {
    "button": _button,
    "workflow_button": _button,
    "overflow": _overflow,
    **dict.fromkeys(MENUS, _menu),
    "checkboxes": _ticked,
    "radio_buttons": _ticked,
    "plain_text_input": _field,
    "email_text_input": _field,
    "url_text_input": _field,
    "number_input": _field,
    "rich_text_input": _field,
    "datepicker": _date,
    "timepicker": _date,
    "datetimepicker": _date,
    "file_input": _file_input,
    "feedback_buttons": _feedback,
    "icon_button": _icon_button,
    "image": image,
    "url": _source,
    "mrkdwn": plain,
    "plain_text": plain,
}
