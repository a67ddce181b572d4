"""A Slack message as Markdown: the same words, links and lists, and no markup it did not have."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

TITLE_LIMIT = 60  # characters
FENCE = "```"
ITEM = "- "
QUOTE = "&gt;"  # how Slack escapes the mark of a quoted line

_CODE = re.compile(r"(```.+?```|`[^`\n]+`)", re.DOTALL)
_ENTITY = re.compile(r"<([^<>]*)>")
_STRUCK = re.compile(r"(?<![~\w])~(?=\S)([^~\n]+?)(?<=\S)~(?![~\w])")
_EMOJI = re.compile(r":[a-z0-9_+'-]+:")
_BULLET = re.compile(r"[•◦▪▫‣]\ufe0e?\s+")
# Marks that mean something to Markdown at the start of a line, and nothing to Slack.
_LINE_MARK = re.compile(r"#{1,6}(?=\s)|\|")
_RULER = re.compile(r"[-=_*+~:| \t]{2,}")
_SPECIAL = re.compile(r"[\\\[\]]")
_ESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def markdown_of(text: str) -> str:
    """Return a message's text as Markdown.

    Slack escapes `&`, `<` and `>`; Markdown reads that as the same characters, so that no HTML
    can arise. Struck words stay marked as such, and are left out when the text is read.
    """
    pieces = enumerate(_CODE.split(text))
    written = "".join(_code(piece) if number % 2 else _prose(piece) for number, piece in pieces)
    return "\n".join(_spaced(written))


def title_of(text: str) -> str:
    """Return the first words of a message on one line, without markup."""
    words = " ".join(plain_of(text).split())
    words = re.sub(r"^[\W_]+|[*_~`\"\\]", "", _EMOJI.sub("", words)).strip()
    if len(words) <= TITLE_LIMIT:
        return words
    cut = words.rfind(" ", TITLE_LIMIT // 2, TITLE_LIMIT)
    return f"{words[: cut if cut > 0 else TITLE_LIMIT - 1].rstrip()}…"


def plain_of(text: str) -> str:
    """Return the first line of a message that has words, as people see it."""
    shown = _ENTITY.sub(lambda found: _label(found[1]), text)
    for escaped, character in _ESCAPED:
        shown = shown.replace(escaped, character)
    return next((line for line in shown.splitlines() if re.search(r"\w", line)), "")


def _prose(text: str) -> str:
    """Return what stands outside code; entities are made links or the words people see."""
    parts: list[str] = []
    position = 0
    for found in _ENTITY.finditer(text):
        parts += [_guarded(text[position : found.start()]), _link(found[1])]
        position = found.end()
    return "".join([*parts, _guarded(text[position:])])


def _guarded(text: str) -> str:
    return _STRUCK.sub(r"~~\1~~", _SPECIAL.sub(r"\\\g<0>", text))


def _link(entity: str) -> str:
    target = entity.partition("|")[0]
    label = _label(entity)
    try:
        is_web = urlsplit(target).scheme in ("http", "https")
    except ValueError:
        is_web = False
    if not is_web or re.search(r"\s", target):
        return _guarded(label)
    return f"[{_guarded(label)}](<{target}>)"


def _label(entity: str) -> str:
    """Return what people see of `@U1`, `#C1|name`, `!here` or `https://…|words`."""
    target, _, label = entity.partition("|")
    if target.startswith(("@", "#")):
        return f"{target[0]}{label.removeprefix(target[0])}" if label else target
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return label or target.removeprefix("mailto:")


def _code(piece: str) -> str:
    """Return code as Markdown has it, where the escapes would be read as they stand."""
    words = _ENTITY.sub(lambda found: _label(found[1]), piece.strip("`"))
    for escaped, character in _ESCAPED:
        words = words.replace(escaped, character)
    if not piece.startswith("```"):
        return f"`{words}`"
    return f"\n{FENCE}\n" + words.strip("\n") + f"\n{FENCE}\n"


def _spaced(text: str) -> Iterator[str]:
    """Return the lines, each a paragraph of its own unless it is code or goes on with a list."""
    in_code = in_list = False
    for line in text.splitlines():
        in_code ^= line == FENCE
        if in_code or line == FENCE:
            yield line
            continue
        written = _line(line)
        if not (in_list and written.startswith(ITEM)):
            yield ""
        in_list = written.startswith(ITEM)
        yield written


def _line(line: str) -> str:
    """Return a line that is a list item or a quote only where Slack shows one."""
    bare = line.strip()
    if bare.startswith(QUOTE):
        return f"> {bare.removeprefix(QUOTE).strip()}"
    if _RULER.fullmatch(bare):
        return f"\\{bare}"
    if bullet := _BULLET.match(bare):
        return ITEM + bare[bullet.end() :]
    return f"\\{bare}" if _LINE_MARK.match(bare) else bare
