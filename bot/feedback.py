"""The form that asks why an answer is not good, and what was filled into it."""

from dataclasses import dataclass
from typing import Any

from bot.blocks import Block, cut, notes, plain_text
from bot.incoming import Body
from bot.render import clean
from store.feedback import FeedbackReason, Opinion

WHY = "feedback_why"  # the form's callback id
REASON, COMMENT, BETTER = "reason", "comment", "better"  # its fields, by block and action id
WORDS_LIMIT = 3_000  # characters that Slack takes in a field
QUESTION_SHOWN = 300  # characters

REASON_NAMES: dict[FeedbackReason, str] = {
    "wrong_fact": "A fact is wrong",
    "wrong_source": "It quotes the wrong source",
    "outdated": "It is outdated",
    "incomplete": "Something is missing",
    "tone": "The tone is wrong",
    "other": "Something else",
}
HINT = "In the words that you would answer with; it may become an example."
NOT_CHOSEN = "Choose what is closest."


@dataclass(frozen=True)
class Why:
    """What somebody filled in about an answer. `better` is what it should have said."""

    answer_id: str
    reason: FeedbackReason
    comment: str | None
    better: str | None


def why_view(answer_id: str, question: str, known: Opinion | None = None) -> dict[str, Any]:
    """Return the form, with what the person filled in before."""
    known = known or Opinion(-1)
    options = [_option(reason) for reason in REASON_NAMES]
    chosen = {"initial_option": _option(known.reason)} if known.reason else {}
    words = clean(question).strip()
    asked = cut(words, QUESTION_SHOWN) if words else "(no words)"
    return {
        "type": "modal",
        "callback_id": WHY,
        "private_metadata": answer_id,
        "title": plain_text("What is wrong?"),
        "submit": plain_text("Send"),
        "close": plain_text("Not now"),
        "blocks": [
            *notes(f"Your thumb is kept. On: {asked}"),
            field(
                REASON,
                "What is wrong with this answer?",
                {"type": "radio_buttons", "options": options, **chosen},
                optional=False,
            ),
            field(COMMENT, "What exactly?", words_input(known.comment)),
            field(BETTER, "What should it have said?", words_input(known.better), HINT),
        ],
    }


def read_why(body: Body) -> Why | None:
    """Return what was filled in; None where no reason was chosen."""
    values = body["view"]["state"]["values"]
    option = values.get(REASON, {}).get(REASON, {}).get("selected_option") or {}
    reason = next((name for name in REASON_NAMES if name == option.get("value")), None)
    if reason is None:
        return None
    return Why(
        str(body["view"].get("private_metadata") or ""),
        reason,
        filled_in(values, COMMENT),
        filled_in(values, BETTER),
    )


def filled_in(values: dict[str, Any], name: str) -> str | None:
    """Return the words in a field; None where it is blank."""
    words = values.get(name, {}).get(name, {}).get("value") or ""
    return words.replace("\x00", "").strip()[:WORDS_LIMIT] or None


def _option(reason: FeedbackReason) -> dict[str, Any]:
    return {"text": plain_text(REASON_NAMES[reason]), "value": reason}


def words_input(initial: str | None) -> dict[str, Any]:
    """Return a field for words, with those that stand in it first."""
    words = clean(initial or "").strip()[:WORDS_LIMIT]
    filled = {"initial_value": words} if words else {}
    return {"type": "plain_text_input", "multiline": True, "max_length": WORDS_LIMIT, **filled}


def field(
    name: str,
    label: str,
    element: dict[str, Any],
    hint: str | None = None,
    *,
    optional: bool = True,
) -> Block:
    """Return an element of a form with its label; `name` is its block's and its action's id."""
    block: Block = {
        "type": "input",
        "block_id": name,
        "label": plain_text(label),
        "element": {"action_id": name, **element},
        "optional": optional,
    }
    return block | ({"hint": plain_text(hint)} if hint else {})
