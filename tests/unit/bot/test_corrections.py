"""What people read where an answer changed: the old words, the new, and the new answer."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.corrections import CHANGES_SHOWN, LONGEST, correction, told, without_words
from bot.outgoing import as_json
from bot.render import Message
from store.answers import Answer, Citation, Claim
from store.corrections import Change
from tests.acceptance.slack_face import words
from tests.fakes.slack.checks import check_content

OLD = "Items bought in a sale can be returned within 14 days of delivery."
NEW = "Items bought in a sale can be returned within 30 days of delivery."
SINCE = datetime(2026, 11, 12, tzinfo=UTC)
CITATION = Citation(
    number=1,
    version_id=9,
    document="returns",
    title="Returns policy",
    version=4,
    section=("Sale items",),
    page=None,
    start=0,
    end=len(NEW),
    quote=NEW,
    effective_from=SINCE,
)
ANSWER = Answer("a2", "Sale?", "policy", "answered", NEW, (Claim(NEW, (CITATION,)),))
REFUSED = Answer("a3", "Sale?", "policy", "refused", "I don't have a policy that answers this.")
CHANGE = Change("returns", "Returns policy", OLD, NEW, 3, 4, SINCE)


def said(change: Change) -> str:
    """Return a change as it is read."""
    return "".join(element["text"] for element in told(change))


def styled(change: Change, style: str) -> list[str]:
    """Return the words of a change that stand in a style."""
    return [one["text"] for one in told(change) if one.get("style", {}).get(style)]


def test_a_correction_tells_old_words_new_words_and_the_new_answer() -> None:
    """In that order, with version and date, footnotes and buttons."""
    (message,) = correction([CHANGE], ANSWER)

    shown = read(message)
    assert shown.startswith("⚠ This answer has changed.")
    assert f"On 12 Nov 2026 Returns policy v4 replaced “{OLD}” by “{NEW}”" in shown
    assert shown.index("replaced") < shown.index("New answer:") < shown.index("¹")
    assert {"sources", "human", "feedback"} <= set(actions(message))
    assert message.text.startswith("⚠ This answer has changed.")


def read(message: Message) -> str:
    """Return what people read in a message."""
    blocks: Any = message
    return words(blocks)


def actions(message: Message) -> list[str]:
    """Return the action ids in a message."""
    found = json.dumps(message.blocks).split('"action_id": "')[1:]
    return [part.partition('"')[0] for part in found]


def test_what_changed_within_the_words_is_marked() -> None:
    """What is gone is struck through, what is new stands in bold."""
    assert styled(CHANGE, "strike") == ["14"]
    assert styled(CHANGE, "bold") == ["Returns policy", "30"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            replace(CHANGE, new=None),
            f"On 12 Nov 2026 Returns policy v4 dropped “{OLD}”",
            id="nothing in its place",
        ),
        pytest.param(
            replace(CHANGE, new=None, version_now=None),
            f"Returns policy is not in force any more since 12 Nov 2026. It said “{OLD}”",
            id="no document",
        ),
        pytest.param(
            replace(CHANGE, new=None, version_now=None, since=None),
            f"Returns policy no longer says “{OLD}”",
            id="a document that may not be read",
        ),
        pytest.param(
            replace(CHANGE, since=None),
            f"Returns policy v4 replaced “{OLD}” by “{NEW}”",
            id="no date",
        ),
        pytest.param(
            replace(CHANGE, old="Sale items | 14 days", new="Sale items | 30 days"),
            "On 12 Nov 2026 Returns policy v4 replaced “Sale items | 14 days”"
            " by “Sale items | 30 days”.",
            id="words that end no sentence",
        ),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_a_sentence(change: Change, sentence: str) -> None:
    """Nothing is claimed that is not known."""
    assert said(change) == sentence


def test_of_long_wordings_what_changed_is_shown() -> None:
    """With some words around it, and an ellipsis for the rest."""
    long = " ".join(f"word{n}" for n in range(200))
    shown = said(replace(CHANGE, old=f"{long} 14 days {long}", new=f"{long} 30 days {long}"))

    assert "word199 14 days word0" in shown
    assert "word199 30 days word0" in shown
    assert "…" in shown
    assert len(shown) < 2 * LONGEST


def test_withdrawn_words_are_told_with_what_to_do_next() -> None:
    """A refusal is no new answer; a person can be asked."""
    (message,) = correction([replace(CHANGE, new=None, version_now=None)], REFUSED)

    shown = read(message)
    assert shown.startswith("⚠ What this answer quoted does not hold any more.")
    assert "New answer" not in shown
    assert "human" in actions(message)


def test_away_from_its_thread_the_question_is_told() -> None:
    """In a direct message nobody else knows what it was about."""
    (message,) = correction([CHANGE], ANSWER, question="Sale\nitems?")
    assert "You asked: Sale items?" in read(message)


def test_many_changes_are_counted() -> None:
    """The first are shown, of the rest the number."""
    changes = [replace(CHANGE, old=f"{OLD} {n}") for n in range(CHANGES_SHOWN + 2)]
    (message,) = correction(changes, ANSWER)
    assert "… and 2 more changes" in read(message)


def test_without_words_none_is_said() -> None:
    """Only that something changed, and where to ask."""
    (message,) = without_words()
    assert "changed" in read(message)
    assert "days" not in read(message)


HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(list("<>&*_~`@!|#:/-\n \u202e\u200d\x00")),
    ),
    max_size=600,
) | st.sampled_from(["<!channel>", "<@U1>", "<https://evil.example|x>", "&" * 5000, "x" * 13_000])


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_no_words_break_it_or_call_anybody(title: str, old: str, new: str, asked: str) -> None:
    """Whatever a document says is shown as words, within Slack's limits."""
    change = replace(CHANGE, title=title, old=old, new=new)
    answer = replace(ANSWER, text=new or "x")
    for message in correction([change] * 3, answer, question=asked or "x"):
        kept = as_json(message)
        check_content(kept, text_limit=4_000, in_bytes=True)
        assert "<!" not in message.text
        assert "<@" not in message.text
        assert "mrkdwn" not in json.dumps(kept["blocks"])
