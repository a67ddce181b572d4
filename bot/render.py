"""From an answer to Slack messages: a pure function, within Slack's limits for any input."""

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from bot.blocks import (
    BUTTON_LIMIT,
    MESSAGE_LIMIT,
    Block,
    Element,
    actions,
    bullets,
    button,
    divider,
    end_of_quote,
    escape,
    feedback_buttons,
    lines,
    link,
    messages,
    notes,
    paragraphs,
    rich_text,
    size,
    split,
    text,
)
from graph.escalate import OFFER
from graph.footnotes import marked, place, superscript
from store.answers import Answer, Citation, Claim

FALLBACK_LIMITS = (2_900, 1_500, 750)  # characters of the text for notifications, tried in turn
FALLBACK_BYTES = 3_900  # escaped, as UTF-8; chat.update takes 4,000
LINK_LIMIT = 1_000  # characters of an address; a longer one is not made a link
LINK_NAME_LIMIT = 300  # characters of a title that is itself the link
QUOTED_FOOTNOTES = 4  # footnotes that show their quotes; more of them show only their places
QUOTED_LIMIT = 3_000  # characters of the quotes together, above which it is the same
STREAM_LIMIT = 11_000  # characters of streamed Markdown; Slack takes 12,000 a call
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - not bound
BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])

SOURCES, HUMAN, SHARE, FEEDBACK = "sources", "human", "share", "feedback"
REPHRASE, CHOICE = "rephrase", "choice"
"""Action ids of what stands below an answer."""

UNFINISHED = "I couldn't finish this (reference {reference})."
NEXT_STEP = "Asking again in a minute usually helps."
NOTHING_FOUND = "I don't have a policy that answers this."
WHICH = "Which of these do you mean?"
SUPERSEDED = "Superseded on {}, see below."
SUPERSEDED_ID = "superseded"
HELP = (
    "Ask me about the company's policies, and I answer with the exact words that support it.\n"
    "In a channel, mention me with your question and ask on in its thread; in a direct message, "
    "just write. stop in a thread makes me leave it.\n"
    "/cite followed by a question answers so that only you can see it, and with as of 1 June 2025 "
    "at its end from what was in force on that day.\n"
    "/cite alone shows the sources of my last answer here; /cite with the link to an answer, or "
    "its id, those of that one. In a thread, use Cite this answer in the message's menu.\n"
    "/cite settings is for this channel's settings, /cite forget me for what I keep about you."
)

_ADDRESS = re.compile(r"https?://[!-~]+")
_BEHIND_ADDRESS = ".,;:!?'\")]}>"
_SPECIAL = re.compile(r"[\\`*_\[\]~]|^[#+\-=|]|(?<=^)(\d+)(?=[.)])", re.MULTILINE)
_ACTIVE = re.compile(r"(?<=[@:#])(?=\S)|(?<=\w\.)(?=[^\W\d_⁰¹²³⁴⁵⁶⁷⁸⁹])")
_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
JOINER = "\u2060"  # a word joiner: seen by nobody, and no address or emoji goes across it


@dataclass(frozen=True)
class Message:
    """One Slack message. `text` is the fallback, escaped; `blocks` are what people see."""

    text: str
    blocks: tuple[Block, ...]


def render(
    answer: Answer,
    as_of: datetime | None = None,
    *,
    private: bool = False,
    checked_at: datetime | None = None,
    now: datetime | None = None,
    hosts: Collection[str] = (),
    above: Sequence[Block] = (),
) -> tuple[Message, ...]:
    """Return the messages that show an answer, in order: at least one.

    Nothing is left out but the quotes of an answer with many or long ones: they are behind its
    button. `as_of` is told where the question was about another day; `checked_at` is when its
    sources were last known to be current, told as seen from `now`. `private` says that only the
    asker sees it while others are in the channel. Addresses in its words become links only where
    their host is a source's own or one of `hosts`. `above` stands before the words.
    """
    words = _words(answer)
    body = paragraphs(*_linked(words, _own_hosts(answer) | set(hosts)))
    below = _below(answer, _standing(as_of, checked_at, now))
    return _packed(words, [*above, *body, *below], _tail(answer, private=private))


def render_below(
    answer: Answer,
    as_of: datetime | None = None,
    *,
    private: bool = False,
    checked_at: datetime | None = None,
    now: datetime | None = None,
) -> tuple[Block, ...]:
    """Return what stands below the words of an answer that were streamed."""
    below = _below(answer, _standing(as_of, checked_at, now))
    return (*below, *_tail(answer, private=private))


def render_markdown_stream(answer: Answer) -> str:
    """Return an answer's words with their marks as Markdown that shows them literally.

    What Markdown or mrkdwn would read as more than words is escaped as Slack's documentation of
    the markdown block has it; no mention, link or emoji can arise.
    """
    return literal_markdown(_words(answer))


def fits_stream(words: str, below: Sequence[Block]) -> bool:
    """Whether streamed Markdown and the blocks below it are one message that Slack takes."""
    total = sum(map(size, below)) + len(escape(words))
    return len(words) <= STREAM_LIMIT and total <= MESSAGE_LIMIT and len(messages(below)) == 1


def literal_markdown(words: str) -> str:
    """Return Markdown that shows these words; invisible joiners keep addresses from linking."""
    apart = _ACTIVE.sub(JOINER, _INDENT.sub("", clean(words)).strip())
    return escape(_SPECIAL.sub(_escaped, apart)).replace("\n", "  \n")


def _escaped(special: re.Match[str]) -> str:
    number: str | None = special[1]  # of a list's item: what stands behind it is escaped
    return f"{number}\\" if number else f"\\{special[0]}"


def render_failure(reference: str) -> tuple[Message, ...]:
    """Return the message for a question that could not be answered; `reference` is in the log."""
    return plain(f"{UNFINISHED.format(reference=reference)} {NEXT_STEP}")


def plain(words: str) -> tuple[Message, ...]:
    """Return words, taken literally, as messages."""
    return _packed(clean(words), paragraphs(text(clean(words))))


def packed(words: str, blocks: Sequence[Block], tail: Sequence[Block] = ()) -> tuple[Message, ...]:
    """Return blocks as messages that say `words` in notifications; `tail` ends the last one."""
    return _packed(clean(words), blocks, tail)


def superseded(message: Mapping[str, Any], on: datetime) -> dict[str, Any]:
    """Return a message, as its post keeps it, with the mark that a correction stands below.

    The buttons that ask for an opinion on it go. Marked once, it stays as it is.
    """
    mark = rich_text(text(SUPERSEDED.format(day(on)), bold=True)) | {"block_id": SUPERSEDED_ID}
    kept = [block for block in message["blocks"] if block["type"] != "context_actions"]
    if any(block.get("block_id") == SUPERSEDED_ID for block in kept):
        return {"text": message["text"], "blocks": kept}
    return {"text": message["text"], "blocks": [mark, *kept]}


def clean(words: str) -> str:
    """Return text without what Slack's JSON refuses: control characters, lone surrogates."""
    visible = "".join(c for c in words if c in "\n\t" or unicodedata.category(c) != "Cc")
    return visible.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(words: str) -> str:
    """Return text on one line, without controls that would reverse what follows it."""
    return " ".join(clean(words).translate(BIDI_CONTROLS).split())


def day(moment: datetime) -> str:
    """Return a date as people write it, whatever the machine's locale: 1 Sep 2026."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def ago(then: datetime, now: datetime | None) -> str:
    """Return when something was, as seen from `now`: "4 minutes ago"; without it, the day."""
    if now is None or now - then >= timedelta(days=60):
        return f"on {day(then)}"
    minutes = max(int((now - then).total_seconds() // 60), 0)
    for unit, length in (("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            count = minutes // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def dates(citation: Citation) -> str:
    """Return from when, and until when, the quoted version is in force."""
    if citation.effective_to is None:
        return f"since {day(citation.effective_from)}"
    return f"{day(citation.effective_from)} until {day(citation.effective_to)}"


def place_name(citation: Citation) -> str:
    """Return title and section on one line."""
    parts = [one_line(part) for part in place(citation).split(" › ")]
    return " › ".join(part for part in parts if part) or "Untitled"


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


# --- words ---------------------------------------------------------------------------------


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


def _own_hosts(answer: Answer) -> set[str]:
    addresses = (web_address(citation.link) for citation in answer.citations)
    return {_host(address) for address in addresses if address}


def _host(address: str) -> str:
    return (urlsplit(address).hostname or "").lower()


def _linked(words: str, hosts: Collection[str]) -> list[Element]:
    """Return words with the addresses in them that may be links as links that show themselves."""
    elements: list[Element] = []
    end = 0
    for found in _ADDRESS.finditer(words) if hosts else ():
        address = found[0].rstrip(_BEHIND_ADDRESS)
        if web_address(address) is None or _host(address) not in hosts:
            continue
        if found.start() > end:
            elements.append(text(words[end : found.start()]))
        elements.append(link(address, address))
        end = found.start() + len(address)
    return [*elements, text(words[end:])] if end < len(words) else elements


# --- what stands below ---------------------------------------------------------------------


def _below(answer: Answer, standing: str) -> list[Block]:
    if answer.outcome == "error":
        return []
    blocks: list[Block] = []
    if answer.outcome == "refused" and answer.closest:
        blocks += _closest(answer.closest)
    if answer.outcome == "clarifying":
        blocks += bullets([words for _, words in _choices(answer) if len(words) > BUTTON_LIMIT])
    if answer.citations:
        blocks += [divider(), *_footnotes(answer.citations)]
    if standing:
        blocks += notes(standing)
    if answer.note:
        blocks += notes(clean(answer.note))
    return blocks


def _standing(as_of: datetime | None, checked_at: datetime | None, now: datetime | None) -> str:
    """Return from what day the answer is, and how fresh its sources are, as one small line."""
    told = [f"as of {day(as_of)}"] if as_of else []
    told += [f"checked {ago(checked_at, now)}"] if checked_at else []
    line = " · ".join(told)
    return line[:1].upper() + line[1:]


def _tail(answer: Answer, *, private: bool) -> list[Block]:
    """Return the buttons, which stand at the end of the last message."""
    rated = [feedback_buttons(FEEDBACK, f"up:{answer.id}", f"down:{answer.id}")]
    if answer.outcome == "clarifying":
        return actions([_choice(answer, n, words) for n, words in _choices(answer)])
    if answer.outcome == "refused":
        named = OFFER in answer.text  # who would be asked
        ask = button("Ask them" if named else "Talk to a human", HUMAN, answer.id)
        return [*actions([ask, button("Rephrase", REPHRASE, answer.id)]), *rated]
    if answer.outcome == "escalated" and answer.citations:  # a person has been asked already
        return [*actions([button("Sources", SOURCES, answer.id)]), *rated]
    if answer.outcome != "answered":
        return []
    if not answer.citations:
        return rated
    buttons = [button("Sources", SOURCES, answer.id), button("Talk to a human", HUMAN, answer.id)]
    if private:
        buttons.append(button("Share with channel", SHARE, answer.id))
    return [*actions(buttons), *rated]


def _choices(answer: Answer) -> Iterator[tuple[int, str]]:
    """Yield the choices that can be seen, with their places among all of them."""
    for n, choice in enumerate(answer.choices):
        if words := clean(choice).strip():
            yield n, words


def _choice(answer: Answer, n: int, words: str) -> Element:
    value = json.dumps({"answer": answer.id, "n": n})
    return button(words, f"{CHOICE}:{n}", value)


def _footnotes(citations: Sequence[Citation]) -> list[Block]:
    quoted = sum(len(citation.quote) for citation in citations)
    if len(citations) <= QUOTED_FOOTNOTES and quoted <= QUOTED_LIMIT:
        return [block for citation in citations for block in footnote(citation)]
    return lines([[text(f"{mark} "), *rest] for mark, rest in _places(citations)])


def _places(citations: Sequence[Citation]) -> Iterator[tuple[str, list[Element]]]:
    """Yield where the quotes stand, with the marks of all that stand at one place."""
    places: dict[str, tuple[list[int], list[Element]]] = {}
    for citation in citations:
        elements = [*title(citation), text(_version(citation))]
        numbers, _ = places.setdefault(json.dumps(elements), ([], elements))
        numbers.append(citation.number)
    for numbers, elements in places.values():
        yield superscript(numbers), elements


def footnote(citation: Citation) -> list[Block]:
    """Return a footnote with its whole quote."""
    mark = superscript([citation.number])
    return paragraphs(
        text(f"{mark} "),
        *title(citation),
        text(f"{_version(citation)} — “"),
        *_quote(citation),
        text("”"),
    )


def _version(citation: Citation) -> str:
    return f" · v{citation.version} · {dates(citation)}{page(citation)}"


def _closest(citation: Citation) -> list[Block]:
    return paragraphs(
        text("The closest is "),
        *title(citation),
        text(f" (v{citation.version}{page(citation)}), which says “"),
        *_quote(citation),
        end_of_quote(citation.quote),
    )


def title(citation: Citation) -> list[Element]:
    """Return title and section, as a link where the source has an address of its own."""
    name, address = place_name(citation), web_address(citation.link)
    if address is None:
        return [text(name, bold=True)]
    if len(name) > LINK_NAME_LIMIT:
        return [text(name, bold=True), text(" "), link("open", address)]
    return [link(name, address)]


def _quote(citation: Citation) -> list[Element]:
    quote = clean(citation.quote)
    return [text(quote, italic=True)] if quote else []


def page(citation: Citation) -> str:
    """Return the page that a quote stands on, as what follows a version."""
    return f" · p. {citation.page}" if citation.page else ""


def _packed(
    fallback: str, blocks: Sequence[Block], tail: Sequence[Block] = ()
) -> tuple[Message, ...]:
    """Return the blocks as messages; the first carries the fallback text, the rest say so."""
    groups = messages(blocks, tail)
    texts = [_fallback(fallback)]
    texts += [f"(continued, {n} of {len(groups)})" for n in range(2, len(groups) + 1)]
    return tuple(Message(t, tuple(g)) for t, g in zip(texts, groups, strict=True))


def _fallback(words: str) -> str:
    """Return the beginning of the words, escaped, short enough for a message to be changed to."""
    shown = ""
    for limit in FALLBACK_LIMITS:
        first = split(words, limit) or [""]
        shown = escape(first[0] + ("…" if len(first) > 1 else ""))
        if len(shown.encode()) <= FALLBACK_BYTES:
            return shown
    return shown
