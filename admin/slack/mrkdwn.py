"""Slack's two written forms, its own mrkdwn and Markdown, as HTML."""

import re
from collections.abc import Iterator
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from admin.slack.emoji import with_emoji
from admin.slack.known import Known, anchor, mention
from admin.slack.markup import Content, block, join, mapping, run, said, tag
from admin.templating import web_link

FENCE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
QUOTED = re.compile(r"^(?:&gt;|>) ?")
INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<control>[^<>\n]+)>"
    r"|(?<![\w*])\*(?P<bold>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>[^\s_](?:[^_\n]*[^\s_])?)_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])"
    r"|(?P<address>https?://[^\s<>|\"]+[^\s<>|\".,;:!?)'])"
)
STYLES = {"bold": "strong", "italic": "em", "strike": "s"}
DEEPEST = 8  # styles within styles
EVERYBODY = frozenset({"here", "channel", "everyone"})


def plain(text: object, known: Known) -> Markup:
    """Return a text object, `plain_text`, `mrkdwn` or a bare string, as HTML."""
    if isinstance(text, str):
        return join(with_emoji(text))
    given = mapping(text)
    words = said(given.get("text"))
    if given.get("type") == "mrkdwn":
        return mrkdwn(words, known, linked=given.get("verbatim") is not True)
    return join(words if given.get("emoji") is False else with_emoji(words))


def mrkdwn(text: str, known: Known, *, linked: bool = True) -> Markup:
    """Return mrkdwn as HTML. `linked` makes links of bare addresses, as Slack does by itself."""
    return join(_fenced(text, known, linked))


def _fenced(text: str, known: Known, linked: bool) -> Iterator[Markup]:
    end = 0
    for fence in FENCE.finditer(text):
        yield from _lines(text[end : fence.start()].removesuffix("\n"), known, linked)
        yield tag("pre", literal(fence[1]))
        end = fence.end()
    yield from _lines(text[end:].removeprefix("\n") if end else text, known, linked)


def _lines(text: str, known: Known, linked: bool) -> Iterator[Markup]:
    """Yield text with runs of quoted lines set apart."""
    if not text:
        return
    for quoted, group in groupby(text.split("\n"), lambda line: bool(QUOTED.match(line))):
        lines = [QUOTED.sub("", line, count=1) if quoted else line for line in group]
        written = _inline("\n".join(lines), known, linked)
        yield tag("blockquote", written) if quoted else run("lines", written)


def _inline(text: str, known: Known, linked: bool, depth: int = 0) -> Markup:
    pieces: list[Content] = []
    end = 0
    for match in INLINE.finditer(text):
        pieces.append(with_emoji(literal(text[end : match.start()])))
        pieces.append(_marked(match, known, linked, depth))
        end = match.end()
    return join(*pieces, with_emoji(literal(text[end:])))


def _marked(match: re.Match[str], known: Known, linked: bool, depth: int) -> Markup:
    kind, inner = match.lastgroup or "", match[match.lastgroup or 0]
    if kind == "code":
        return tag("code", literal(inner))
    if kind == "control":
        return _control(inner, known)
    if kind == "address":
        return anchor(literal(inner), literal(inner)) if linked else join(literal(inner))
    if depth == DEEPEST:
        return join(literal(match[0]))
    return tag(STYLES[kind], _inline(inner, known, linked, depth + 1))


def _control(inner: str, known: Known) -> Markup:
    """Return what stands between `<` and `>`: a mention, a date or a link."""
    target, _, label = inner.partition("|")
    sign, rest = target[:1], target[1:]
    if sign in ("@", "#"):
        return mention(sign, literal(label) or known.name(rest))
    if sign == "!":
        return _special(rest, literal(label), known)
    address = literal(target)
    if not label and web_link(address) is None and not address.startswith("mailto:"):
        return join(f"<{address}>")
    return anchor(address, with_emoji(literal(label)) or address.removeprefix("mailto:"))


def _special(command: str, label: str, known: Known) -> Markup:
    name, _, rest = command.partition("^")
    if name in EVERYBODY:
        return mention("@", name, everybody=True)
    if name == "subteam":
        return mention("@", label or known.name(rest))
    return join(label or f"<!{literal(command)}>")


def literal(text: str) -> str:
    """Return text with the three escapes of Slack's mrkdwn undone."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


# --- Markdown ------------------------------------------------------------------------------------

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(
    ["table", "strikethrough"]
)


def markdown(text: str) -> Markup:
    """Return Markdown as HTML: no HTML of its own, no picture, links to the web only."""
    tokens = _MARKDOWN.parse(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    for token in tokens:
        _tame(token)
    written = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # The parser's own renderer has escaped every text and attribute.
    return block("markdown", Markup(written))  # noqa: S704


def _tame(token: Token) -> None:
    """Take from a token what a page of ours may not hold: styles, foreign addresses."""
    style = token.attrs.pop("style", None)
    if style is not None:
        token.attrs["class"] = f"to-{str(style).rpartition(':')[2]}"
    if token.type == "link_open":
        _tame_link(token)
    for child in token.children or ():
        if child.type == "image":
            child.type, child.tag, child.attrs = "text", "", {}
            child.content = f"[picture: {child.content}]"
        _tame(child)


def _tame_link(token: Token) -> None:
    address = web_link(str(token.attrs.get("href", "")))
    token.attrs = (
        {"href": address, "rel": "noreferrer noopener", "target": "_blank"}
        if address
        else {"class": "refused"}
    )
