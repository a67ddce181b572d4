"""From an answer to Slack messages: a pure function, within Slack's limits for any input."""

import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from bot.blocks import (
    Block,
    Element,
    bullets,
    divider,
    escape,
    link,
    messages,
    notes,
    paragraphs,
    split,
    text,
)
from graph.footnotes import marked, place, superscript
from store.answers import Answer, Citation, Claim

FALLBACK_LIMIT = 2_900  # characters of the text that notifications and screen readers use
LINK_LIMIT = 1_000  # characters of an address; a longer one is not made a link
LINK_NAME_LIMIT = 300  # characters of a title that is itself the link
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - not bound
BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])

UNFINISHED = "I couldn't finish this (reference {reference})."
NEXT_STEP = "Asking again in a minute usually helps."
NOTHING_FOUND = "I don't have a policy that answers this."
WHICH = "Which of these do you mean?"
HELP = (
    "Ask me about the company's policies, and I answer with the exact words that support it.\n"
    "In a channel, mention me with your question and ask on in the thread by mentioning me "
    "again; in a direct message, just write. "
    "/cite followed by a question answers so that only you can see it, and with as of 1 June 2025 "
    "at its end from what was in force on that day."
)


@dataclass(frozen=True)
class Message:
    """One Slack message. `text` is the fallback, escaped; `blocks` are what people see."""

    text: str
    blocks: tuple[Block, ...]


def render(answer: Answer, as_of: datetime | None = None) -> tuple[Message, ...]:
    """Return the messages that show an answer, in order: at least one, nothing left out.

    `as_of` is told where the question was about another day.
    """
    words = _words(answer)
    blocks = paragraphs(text(words))
    if answer.outcome == "refused" and answer.closest:
        blocks += _closest(answer.closest)
    blocks += bullets([choice for choice in map(clean, answer.choices) if choice.strip()])
    if answer.citations:
        blocks += [divider(), *(block for c in answer.citations for block in _footnote(c))]
    if as_of is not None:
        blocks += notes(f"As of {day(as_of)}.")
    if answer.note:
        blocks += notes(clean(answer.note))
    return _packed(words, blocks)


def render_failure(reference: str) -> tuple[Message, ...]:
    """Return the message for a question that could not be answered; `reference` is in the log."""
    return plain(f"{UNFINISHED.format(reference=reference)} {NEXT_STEP}")


def plain(words: str) -> tuple[Message, ...]:
    """Return words, taken literally, as messages."""
    return _packed(clean(words), paragraphs(text(clean(words))))


def clean(words: str) -> str:
    """Return text without what Slack's JSON refuses: control characters, lone surrogates."""
    visible = "".join(c for c in words if c in "\n\t" or unicodedata.category(c) != "Cc")
    return visible.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def day(moment: datetime) -> str:
    """Return a date as people write it, whatever the machine's locale: 1 Sep 2026."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def web_address(address: str | None) -> str | None:
    """Return a source's own address if it can be a link that shows where it leads, else None."""
    if not address or len(address) > LINK_LIMIT:
        return None
    if not address.isprintable() or " " in address or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    # The local page's address leads nowhere from somebody else's machine.
    away = parts.hostname is not None and parts.hostname not in OWN_MACHINE
    plain_host = away and "@" not in parts.netloc
    return address if parts.scheme in {"http", "https"} and plain_host else None


def _words(answer: Answer) -> str:
    written = clean(answer.text).strip()
    words = written or clean(" ".join(claim.text for claim in answer.claims)).strip()
    if answer.outcome == "error":
        return _with_reference(words, answer.reference or "unknown")
    wordless = WHICH if answer.outcome == "clarifying" else NOTHING_FOUND
    claims = tuple(Claim(clean(claim.text).strip(), claim.citations) for claim in answer.claims)
    return marked(replace(answer, text=words or wordless, claims=claims))


def _with_reference(words: str, reference: str) -> str:
    if not words:
        return f"{UNFINISHED.format(reference=reference)} {NEXT_STEP}"
    return words if reference in words else f"{words} (reference {reference})"


def _footnote(citation: Citation) -> list[Block]:
    mark = superscript([citation.number])
    return paragraphs(
        text(f"{mark} "),
        *_title(citation),
        text(f" · v{citation.version} · {_dates(citation)}{_page(citation)} — “"),
        *_quote(citation),
        text("”"),
    )


def _closest(citation: Citation) -> list[Block]:
    return paragraphs(
        text("The closest is "),
        *_title(citation),
        text(f" (v{citation.version}{_page(citation)}), which says “"),
        *_quote(citation),
        text("”."),
    )


def _title(citation: Citation) -> list[Element]:
    """Return title and section, as a link where the source has an address of its own."""
    name, address = _name(citation), web_address(citation.link)
    if address is None:
        return [text(name, bold=True)]
    if len(name) > LINK_NAME_LIMIT:
        return [text(name, bold=True), text(" "), link("open", address)]
    return [link(name, address)]


def _name(citation: Citation) -> str:
    """Return title and section on one line, without controls that would reverse its rest."""
    parts = [_one_line(part) for part in place(citation).split(" › ")]
    return " › ".join(part for part in parts if part) or "Untitled"


def _one_line(words: str) -> str:
    return " ".join(clean(words).translate(BIDI_CONTROLS).split())


def _quote(citation: Citation) -> list[Element]:
    quote = clean(citation.quote)
    return [text(quote, italic=True)] if quote else []


def _dates(citation: Citation) -> str:
    if citation.effective_to is None:
        return f"since {day(citation.effective_from)}"
    return f"{day(citation.effective_from)} until {day(citation.effective_to)}"


def _page(citation: Citation) -> str:
    return f" · p. {citation.page}" if citation.page else ""


def _packed(fallback: str, blocks: list[Block]) -> tuple[Message, ...]:
    """Return the blocks as messages; the first carries the fallback text, the rest say so."""
    groups = messages(blocks)
    first = split(fallback, FALLBACK_LIMIT)
    texts = [escape(first[0] + ("…" if len(first) > 1 else ""))]
    texts += [f"(continued, {n} of {len(groups)})" for n in range(2, len(groups) + 1)]
    return tuple(Message(t, tuple(g)) for t, g in zip(texts, groups, strict=True))
