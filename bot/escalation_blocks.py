"""Questions handed over to people, as both sides see them: messages, notices and forms.

Pure functions. What people, documents or models wrote stands in them literally; the only mentions
and links are those made here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.blocks import (
    MESSAGE_LIMIT,
    Block,
    Element,
    actions,
    button,
    cut,
    escape,
    link,
    messages,
    notes,
    paragraphs,
    plain_text,
    rich_text,
    size,
    split,
    text,
)
from bot.feedback import field, filled_in, words_input
from bot.incoming import Body
from bot.render import Message, clean, place_name
from store.answers import Answer
from store.conversations import Turn
from store.escalations import Escalation, Reason

CLAIM, RESOLVE, EXAMPLE = "escalation_claim", "escalation_resolve", "escalation_example"
"""Action ids of what stands below a question that was handed over."""
ANSWER_VIEW = "escalation_answer"
EXAMPLE_VIEW = "example"
"""Callback ids of the forms."""
QUESTION, ANSWERED, KEEP = "question", "answered", "keep"
"""Fields of the forms, by block and action id."""
STATE_ID, BUTTONS_ID = "escalation_state", "escalation_buttons"  # blocks that change

QUESTION_SHOWN = 1_500  # characters
SAID_SHOWN = 1_500
TURN_SHOWN = 300
QUOTE_SHOWN = 400
PLACE_SHOWN = 150
ANSWER_SHOWN = 500
FALLBACK_SHOWN = 200
TURNS_SHOWN = 3
QUOTES_SHOWN = 5
NO_WORDS = "(no words)"
CHANGING = frozenset({STATE_ID, BUTTONS_ID})

WHY: dict[Reason, str] = {
    "asked": " asked for a person.",
    "upset": " seems upset and needs a person.",
    "nothing_found": " found nothing twice and needs a person.",
}
LEFT_OUT = (
    "What I said and quoted is left out: it stands in documents that not everybody in this channel"
    " may read."
)
WAITS = "Nobody has claimed this yet."
NO_ANSWER_TO_KEEP = "An example needs an answer: write it here."
RESOLVED_ALREADY = "Somebody has resolved this already; nothing was sent."
TAKEN_BACK = "The question was taken back, so it cannot become an example."


def handed_over_message(
    escalation: Escalation,
    answer: Answer | None,
    history: Sequence[Turn] = (),
    link: str | None = None,
) -> Message:
    """Return a question as people who take over see it, in one message.

    `answer` is None where not all of them may read what it quotes. What does not fit is left out,
    quotes first: all of it stands in the thread.
    """
    head = [_head(escalation, link), _quoted_words(escalation.question, QUESTION_SHOWN)]
    said = _said(answer) if answer is not None else notes(LEFT_OUT)
    quotes = [block for words in _quotes(answer) for block in paragraphs(text(words))]
    before = [block for words in _before(history) for block in notes(words)]
    tail = _state_blocks(escalation)
    optional = [*said, *quotes, *before]
    while optional and _weight([*head, *optional, *tail]) > MESSAGE_LIMIT:
        (quotes or before or said).pop()
        optional = [*said, *quotes, *before]
    words = escape(cut(_clean(escalation.question), FALLBACK_SHOWN))
    shown = (*head, *before, *said, *quotes, *tail)
    return Message(f"A question for a person: {words}", shown)


def with_state(message: dict[str, Any], escalation: Escalation) -> dict[str, Any]:
    """Return a handed-over question, as it was posted, showing how far it is now."""
    kept = [b for b in message.get("blocks") or () if b.get("block_id") not in CHANGING]
    if not kept:  # its words were forgotten
        kept = [_head(escalation, None), _quoted_words(escalation.question, QUESTION_SHOWN)]
    return {
        "text": message.get("text") or "A question for a person",
        "blocks": [*kept, *_state_blocks(escalation)],
    }


def claimed_notice(user: str) -> Message:
    """Return what the asker is told once somebody has claimed their question."""
    shown = rich_text(_person(user), text(" is looking at this."))
    return Message("Somebody is looking at this.", (shown,))


def answered_notice(user: str, words: str) -> tuple[Message, ...]:
    """Return a person's answer as the asker reads it."""
    blocks = [rich_text(_person(user), text(" answers:")), *paragraphs(text(_clean(words)))]
    first = f"You have an answer: {escape(cut(_clean(words), FALLBACK_SHOWN))}"
    groups = messages(blocks)
    return tuple(
        Message(first if n == 0 else "(continued)", tuple(group)) for n, group in enumerate(groups)
    )


def taken_notice(escalation: Escalation) -> Message:
    """Return what somebody is told who comes too late to claim a question."""
    resolved = escalation.state == "resolved"
    who = escalation.resolved_by if resolved else escalation.claimed_by
    did = " has resolved this already." if resolved else " has claimed this already."
    return Message("Somebody" + did, (rich_text(_person(who), text(did)),))


def took(seconds: float) -> str:
    """Return how long something took, as people say it: 3 minutes."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return "less than a minute"


def _head(escalation: Escalation, link_: str | None) -> Block:
    at = escalation.created_at
    since: Element = {
        "type": "date",
        "timestamp": int(at.timestamp()),
        "format": "{date_short_pretty} at {time}",
        "fallback": f"{at:%Y-%m-%d %H:%M %Z}".strip(),
    }
    elements = [_person(escalation.asker_id), text(WHY[escalation.reason])]
    elements += [text(" Waiting since "), since, text(".")]
    if link_:
        elements += [text(" "), link("Open the thread", link_)]
    return rich_text(*elements)


def _person(user: str | None) -> Element:
    """Return a mention; words where somebody was forgotten, and their id with them."""
    if user and user.isalnum() and user[0] in "UW":
        return {"type": "user", "user_id": user}
    return text(user or "somebody")


def _quoted_words(words: str, limit: int) -> Block:
    shown = [text(_short(words, limit))]
    return {"type": "rich_text", "elements": [{"type": "rich_text_quote", "elements": shown}]}


def _said(answer: Answer) -> list[Block]:
    words = _clean(answer.text)
    return paragraphs(text("I said: ", bold=True), text(_short(words, SAID_SHOWN)))


def _quotes(answer: Answer | None) -> Iterator[str]:
    """Yield a line for each source: where its words stand, and the words."""
    if answer is None:
        return
    cited = [*answer.citations, *([answer.closest] if answer.closest else [])]
    for citation in cited[:QUOTES_SHOWN]:
        where = cut(place_name(citation), PLACE_SHOWN)
        quote = cut(_clean(citation.quote), QUOTE_SHOWN)
        yield f"{where} (v{citation.version}): “{quote}”"
    if len(cited) > QUOTES_SHOWN:
        yield f"… and {len(cited) - QUOTES_SHOWN} more."


def _before(history: Sequence[Turn]) -> Iterator[str]:
    for turn in history[-TURNS_SHOWN:]:
        who = "Before that" if turn.role == "asker" else "I answered"
        yield f"{who}: {cut(_clean(turn.text), TURN_SHOWN)}"


def _state_blocks(escalation: Escalation) -> list[Block]:
    number = str(escalation.id)
    example = button("Use as example", EXAMPLE, number)
    resolve = button("Resolve", RESOLVE, number, primary=escalation.state == "claimed")
    buttons = [] if escalation.state == "resolved" else [resolve]
    if escalation.state == "waiting":
        buttons.insert(0, button("Claim", CLAIM, number, primary=True))
    (row,) = actions([*buttons, example])
    shown = [{**block, "block_id": STATE_ID} for block in _state(escalation)]
    return [*shown, {**row, "block_id": BUTTONS_ID}]


def _state(escalation: Escalation) -> list[Block]:
    if escalation.state == "waiting":
        return notes(WAITS)
    resolved = escalation.state == "resolved"
    who = escalation.resolved_by if resolved else escalation.claimed_by
    at = escalation.resolved_at if resolved else escalation.claimed_at
    elements = [text("Resolved by " if resolved else "Claimed by ")]
    elements.append(_person(who))
    if at is not None:
        elements.append(text(f", {took(_seconds(escalation.created_at, at))} after it was asked."))
    if resolved and escalation.resolution:
        elements.append(text(f"\n{_short(escalation.resolution, ANSWER_SHOWN)}", italic=True))
    return [rich_text(*elements)]


def _seconds(since: datetime, until: datetime) -> float:
    return max((until - since).total_seconds(), 0.0)


def _weight(blocks: Sequence[Block]) -> int:
    return sum(map(size, blocks))


def _clean(words: str) -> str:
    return clean(words).strip() or NO_WORDS


def _short(words: str, limit: int) -> str:
    words = _clean(words)
    return words if len(words) <= limit else split(words, limit - 1)[0] + "…"


# --- forms ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settled:
    """What somebody filled in about a handed-over question."""

    escalation_id: int
    answer: str | None
    keep: bool


def answer_view(escalation: Escalation, *, keep: bool = False) -> dict[str, Any]:
    """Return the form in which a question is resolved, or kept as an example afterwards."""
    resolved = escalation.state == "resolved"
    asked = cut(_clean(escalation.question), TURN_SHOWN)
    box = {"text": plain_text("Keep this exchange as an example"), "value": KEEP}
    ticked = {"initial_options": [box]} if keep else {}
    return {
        "type": "modal",
        "callback_id": ANSWER_VIEW,
        "private_metadata": str(escalation.id),
        "title": plain_text("Use as example" if resolved else "Resolve"),
        "submit": plain_text("Keep" if resolved else "Resolve"),
        "close": plain_text("Not now"),
        "blocks": [
            {"type": "context", "elements": [plain_text(f"Asked: {asked}")]},
            field(
                ANSWERED,
                "What was answered?" if resolved else "What do you answer?",
                words_input(escalation.resolution),
                "It is kept, and not sent again."
                if resolved
                else "It is sent to the asker in your name. Leave it empty if they know already.",
            ),
            field(
                KEEP,
                "Example",
                {"type": "checkboxes", "options": [box], **ticked},
                "A curator looks at it before anything is learnt from it.",
            ),
        ],
    }


def read_answer(body: Body) -> Settled | None:
    """Return what was filled in; None where it is about nothing."""
    values = body["view"]["state"]["values"]
    number = str(body["view"].get("private_metadata") or "")
    ticked = values.get(KEEP, {}).get(KEEP, {}).get("selected_options") or []
    if not number.isdecimal():
        return None
    return Settled(int(number), filled_in(values, ANSWERED), keep=bool(ticked))


def example_view(question: str, answer: str, metadata: str) -> dict[str, Any]:
    """Return the form in which a curator makes an example of a message."""
    return {
        "type": "modal",
        "callback_id": EXAMPLE_VIEW,
        "private_metadata": metadata,
        "title": plain_text("Use as example"),
        "submit": plain_text("Keep"),
        "close": plain_text("Not now"),
        "blocks": [
            field(QUESTION, "What was asked?", words_input(question), optional=False),
            field(ANSWERED, "What was answered?", words_input(answer), optional=False),
        ],
    }


def note_view(title: str, words: str) -> dict[str, Any]:
    """Return a form that only says something."""
    return {
        "type": "modal",
        "title": plain_text(title),
        "close": plain_text("Close"),
        "blocks": [rich_text(text(words))],
    }
