"""What people read about what is kept of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.privacy import (
    FORGET_ME,
    NOTHING,
    NOTHING_TO_DELETE,
    for_how_long,
    forgotten_message,
    kept_message,
)
from bot.render import Message
from store.privacy import Forgotten, Kept, Kind, KindName

FIRST, LAST = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)
KEPT = Kept(
    "U1",
    (
        Kind("questions", 12, FIRST, LAST),
        Kind("feedback", 1, LAST, LAST),
        Kind("acts", 2, FIRST, LAST),
    ),
    "member",
    ("knowledge_admin",),
    ("group:<!channel>",),
)


def elements(value: Any, kind: str) -> list[dict[str, Any]]:
    """Every part of a message of one type, however deep."""
    if isinstance(value, list | tuple):
        return [one for part in value for one in elements(part, kind)]
    if not isinstance(value, dict):
        return []
    own = [value] if value.get("type") == kind else []
    return own + [one for part in value.values() for one in elements(part, kind)]


def read(message: Message) -> str:
    """What people read in a message, a line for each piece of text."""
    pieces = elements(message.blocks, "text") + elements(message.blocks, "plain_text")
    return "\n".join(piece["text"] for piece in pieces)


def test_what_is_kept_is_told_with_its_days_and_a_button() -> None:
    """Each kind with its number, what the person is known as, for how long, how to delete it."""
    (message,) = kept_message(KEPT, 90)
    told = read(message)
    assert "12 questions with their answers, 1 Sep 2026 to 3 Nov 2026" in told
    assert "1 rating of an answer, 3 Nov 2026" in told
    assert "2 entries in the log of changes, 1 Sep 2026 to 3 Nov 2026" in told
    assert "known as a full member, knowledge admin, group:<!channel>" in told
    assert "Messages are kept for 90 days, then they go by themselves." in told
    assert "stays without your name" in told
    (button,) = elements(message.blocks, "button")
    assert (button["action_id"], button["style"]) == (FORGET_ME, "danger")
    assert button["confirm"]["text"]["text"] == "This cannot be undone."


def test_nothing_in_it_is_read_as_markup() -> None:
    """What an operator wrote stands in text that Slack takes literally."""
    (message,) = kept_message(KEPT, 90)
    assert elements(message.blocks, "mrkdwn") == []
    assert "<!channel>" not in message.text


def test_who_is_not_known_is_told_so_without_a_button() -> None:
    """There is nothing to delete, before and after."""
    (message,) = kept_message(Kept("U1"), 90)
    assert read(message) == NOTHING
    (done,) = forgotten_message(Forgotten({"questions": 0}))
    assert read(done) == NOTHING_TO_DELETE


def test_what_was_deleted_is_told() -> None:
    """What went, what stays without the name, the role that went, what stays in Slack."""
    counts: dict[KindName, int] = {"messages": 1, "questions": 2, "feedback": 0, "acts": 3}
    (message,) = forgotten_message(Forgotten(counts, True, ("knowledge_admin",)))
    told = read(message)
    assert "1 message to me" in told
    assert "2 questions with their answers" in told
    assert "rating" not in told
    assert "the name in 3 entries in the log of changes" in told
    assert "what was known about membership, with the role knowledge admin" in told
    assert "What stands in Slack stays there" in told


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (0, "Messages are kept until somebody deletes them."),
        (1, "Messages are kept for 1 day, then they go by themselves."),
        (30, "Messages are kept for 30 days, then they go by themselves."),
    ],
)
def test_for_how_long_is_a_sentence(days: int, sentence: str) -> None:
    """As the operator set it."""
    assert for_how_long(days) == sentence
