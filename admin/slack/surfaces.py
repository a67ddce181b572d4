"""Where blocks stand: a message, a conversation, a modal, the App Home.

A surface is JSON as Slack has it: a message (`text`, `blocks`, …), a view (`type` modal or home),
or a conversation, which is ours: `{"place": "#help", "messages": [...], "status": "…"}`, with
`"thread": true` for the panel of a thread.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from admin.slack.blocks import draw_block, draw_blocks
from admin.slack.emoji import by_name
from admin.slack.icons import bar, icon
from admin.slack.known import Known
from admin.slack.markup import Content, block, join, listing, mapping, run, said, tag
from admin.slack.mrkdwn import mrkdwn, plain
from admin.templating import asset

AVATARS = 6  # colours of people
TOGETHER = 300.0  # seconds within which a second message of the same sender has no head
COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")
NAMED_COLOURS = {"good": "2eb67d", "warning": "ecb22e", "danger": "e01e5a"}
KILO = 1_000.0
MODALS_ONLY = frozenset({"alert"})
"""Blocks with which Slack refuses a message: slackapi/python-slack-sdk, pull request 1865."""


def draw(surface: object, known: Known | None = None) -> Markup:
    """Return a surface as HTML, for a page that has `slack.css`; see the module for its JSON.

    A list is drawn as the messages of a conversation. Nothing is left out: what is of no known
    type is a labelled box.
    """
    known = known or Known()
    given = mapping(surface)
    if isinstance(surface, list | tuple):
        return _conversation({"messages": listing(surface)}, known)
    if given.get("type") == "modal":
        return _modal(given, known)
    if given.get("type") == "home":
        return _home(given, known)
    if "messages" in given:
        return _conversation(given, known)
    return _conversation({"messages": [surface]}, known)


# --- messages ------------------------------------------------------------------------------------


def _conversation(given: dict[str, Any], known: Known) -> Markup:
    place, status = said(given.get("place")), said(given.get("status"))
    head: Content = None
    if given.get("thread"):
        head = block("place", run("name", "Thread"), run("where", place), icon("close"))
    elif place:
        head = block("place", run("name", place))
    return block(
        "window thread" if given.get("thread") else "window",
        head,
        block("messages", _messages(listing(given.get("messages")), known)),
        block("status", run("name", known.app), " ", status) if status else None,
    )


def _messages(messages: Sequence[object], known: Known) -> Iterator[Markup]:
    before: dict[str, Any] = {}
    for one in messages:
        message = mapping(one)
        yield _message(message, known, follows=bool(before) and _follows(message, before))
        before = message


def _follows(message: dict[str, Any], before: dict[str, Any]) -> bool:
    close = abs(_moment(message) - _moment(before)) <= TOGETHER
    plain_one = not (_ephemeral(message) or _ephemeral(before) or before.get("reply_count"))
    return close and plain_one and _sender(message) == _sender(before)


def _message(message: dict[str, Any], known: Known, *, follows: bool) -> Markup:
    private = _ephemeral(message)
    return tag(
        "article",
        block("private", icon("eye"), "Only visible to you") if private else None,
        None if follows else _avatar(message, known),
        block("content", None if follows else _head(message, known), _body(message, known)),
        class_="message" + (" follows" if follows else "") + (" ephemeral" if private else ""),
    )


def _body(message: dict[str, Any], known: Known) -> Iterator[Markup]:
    blocks, text = listing(message.get("blocks")), said(message.get("text"))
    for one in blocks:
        if mapping(one).get("type") in MODALS_ONLY:
            yield run("misplaced", "Slack takes this block in modals only")
        yield draw_block(one, known)
    if text and not blocks:
        yield block("block", block("words", mrkdwn(text, known), dir="auto"))
    if message.get("edited"):
        yield run("edited", "(edited)")
    for attachment in map(mapping, listing(message.get("attachments"))):
        yield _attachment(attachment, known)
    for file in map(mapping, listing(message.get("files"))):
        yield _file(file)
    reactions = [_reaction(mapping(one)) for one in listing(message.get("reactions"))]
    if reactions:
        yield block("reactions", reactions)
    replies = message.get("reply_count")
    if isinstance(replies, int) and replies > 0:
        yield block("replies", "1 reply" if replies == 1 else f"{replies} replies")


def _head(message: dict[str, Any], known: Known) -> Markup:
    moment = _moment(message)
    time = f"{datetime.fromtimestamp(moment, UTC):%H:%M}" if moment else None
    return block(
        "sender",
        run("name", _name(message, known)),
        run("app", "App") if _by_app(message) else None,
        tag("time", time) if time else None,
    )


def _avatar(message: dict[str, Any], known: Known) -> Markup:
    if _by_app(message):
        return _mark()
    name = _name(message, known)
    number = sha256(name.encode("utf-8", "replace")).digest()[0] % AVATARS
    return run(f"avatar avatar-{number}", name[:1].upper(), aria_hidden="true")


def _mark() -> Markup:
    return run("avatar", tag("img", src=asset("mark.svg"), alt=""), aria_hidden="true")


def _by_app(message: dict[str, Any]) -> bool:
    return bool(message.get("bot_id") or message.get("app_id")) or not message.get("user")


def _name(message: dict[str, Any], known: Known) -> str:
    given = said(message.get("username"))
    return given or (known.app if _by_app(message) else known.name(said(message.get("user"))))


def _sender(message: dict[str, Any]) -> tuple[bool, str]:
    return _by_app(message), said(message.get("user"))


def _ephemeral(message: dict[str, Any]) -> bool:
    private = message.get("is_ephemeral") or message.get("ephemeral")
    return bool(private) or message.get("response_type") == "ephemeral"


def _moment(message: dict[str, Any]) -> float:
    """Return when a message was sent, 0 where it does not say; Slack's `ts` is in seconds."""
    written = said(message.get("ts"))
    return float(written) if re.fullmatch(r"\d{1,10}(\.\d{1,9})?", written) else 0.0


def _attachment(given: dict[str, Any], known: Known) -> Markup:
    colour = said(given.get("color"))
    match = COLOUR.fullmatch(NAMED_COLOURS.get(colour, colour))
    inner = [
        block("words", mrkdwn(said(given.get(name)), known))
        for name in ("pretext", "title", "text", "footer")
        if given.get(name)
    ]
    drawn = draw_blocks(given.get("blocks"), known)
    return block(
        "attachment",
        bar(f"#{match[1]}") if match else bar("#dddddd"),
        block("content", inner, drawn),
    )


def _file(given: dict[str, Any]) -> Markup:
    kind = said(given.get("pretty_type")) or said(given.get("filetype")).upper()
    size = given.get("size")
    facts = [kind, f"{size / KILO:,.0f} kB" if isinstance(size, int) else ""]
    return block(
        "file",
        icon("file"),
        block(
            "content",
            block("name", said(given.get("title")) or said(given.get("name"))),
            block("facts", " · ".join(filter(None, facts))),
        ),
    )


def _reaction(given: dict[str, Any]) -> Markup:
    name, count = said(given.get("name")), said(given.get("count"))
    return run("reaction", by_name(name) or f":{name}:", " ", run("count", count or "1"))


# --- views ---------------------------------------------------------------------------------------


def _modal(view: dict[str, Any], known: Known) -> Markup:
    submit, close = (plain(view.get(name), known) for name in ("submit", "close"))
    buttons = [
        run("button", close or "Close") if close or not submit else run("button", "Cancel"),
        run("button primary", submit) if submit else None,
    ]
    return tag(
        "section",
        block(
            "bar-above",
            _mark(),
            tag("h2", plain(view.get("title"), known), dir="auto"),
            icon("close"),
        ),
        block("body", draw_blocks(view.get("blocks"), known)),
        block("bar-below", buttons),
        class_="modal",
        role="group",
        aria_label="Modal",
    )


def _home(view: dict[str, Any], known: Known) -> Markup:
    tabs = join(
        [
            run("tab here" if name == "Home" else "tab", name)
            for name in ("Home", "Messages", "About")
        ]
    )
    return tag(
        "section",
        block("place", _mark(), run("name", known.app)),
        block("tabs", tabs),
        block("body", draw_blocks(view.get("blocks"), known)),
        class_="window home",
        role="group",
        aria_label="App Home",
    )
