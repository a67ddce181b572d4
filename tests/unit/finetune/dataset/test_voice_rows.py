"""Rows for the voice: what is learned, and what is not because it states facts."""

import pytest

from finetune.dataset.proposals import exchanges, unusable
from finetune.dataset.voice_rows import aligned, preference_rows, voice_rows
from finetune.dataset.wanted import Canned, Wanted
from retrieval.voice import TONE_RULES, changed_facts, numbered, style_messages
from store.transcripts import Said
from tests.unit.finetune.dataset.made import example, said

SFT, DPO = Wanted("sft"), Wanted("dpo")


def test_messages_of_one_side_in_a_row_are_one() -> None:
    """What nobody asked for and what nobody replied to is in no exchange."""
    found = exchanges(
        [
            Said("team", "Welcome!"),
            Said("asker", "Hi"),
            Said("asker", "it hums"),
            Said("team", "Oh dear."),
            Said("team", "Unplug it."),
            Said("asker", "Thanks"),
        ]
    )

    assert [(one.asked, one.replied) for one in found] == [("Hi\nit hums", "Oh dear.\nUnplug it.")]


def test_a_reply_with_facts_is_neither_learned_nor_shown() -> None:
    """The exchanges before and behind it are rows of their own."""
    talk = said(
        "Hi there", "Hello, how can I help?",
        "When do refunds come?", "Within 14 days.",
        "You are kind", "That is what we are here for!",
    )  # fmt: skip

    made = voice_rows([example(*talk)], SFT)

    assert [one.said for one in made.rows] == [talk_of(talk[:2]), talk_of(talk[4:])]
    assert made.left_out == {"tone: it states a number or a date": 1}
    assert "14" not in str([one.content for one in made.rows])


def talk_of(words: tuple[Said, ...]) -> tuple[str, ...]:
    """The texts of messages."""
    return tuple(one.text for one in words)


def test_rows_begin_with_the_rules_that_are_used() -> None:
    """With the register of how the asker sounded, by the curator's label."""
    upset = example(*said("This is bad", "I am so sorry."), labels={"sentiment": "upset"})

    (row,) = voice_rows([upset], SFT).rows

    system = row.content["messages"][0]["content"]
    assert system.startswith(TONE_RULES)
    assert "stay calm" in system
    assert row.content["messages"][-1] == {"role": "assistant", "content": "I am so sorry."}


@pytest.mark.parametrize(
    ("wish", "replies"),
    [("keep", ["Sure thing.", "As the book says."]), ("drop", ["Sure thing."]),
     ("only", ["As the book says."])],
)  # fmt: skip
def test_suggestions_that_were_sent_are_kept_apart(wish: Canned, replies: list[str]) -> None:
    """Replies in own words and suggestions that were sent are two voices."""
    talk = [*said("May I?", "Sure thing."), *said("And now?", "As the book says.", canned=True)]

    made = voice_rows([example(*talk)], Wanted("sft", canned=wish))

    learned = [
        message["content"]
        for row in made.rows
        for message in row.content["messages"]
        if message["role"] == "assistant"
    ]
    assert learned == replies


def test_a_bettered_draft_is_a_row_in_the_form_that_is_used() -> None:
    """The draft as numbered lines with marks, and the better words the same way."""
    better = "Good news: you have 14 days. Sale items count too!"
    one = example(
        *said("How long?", better), disliked="You have 14 days. Sale items are included."
    )

    (row,) = [row for row in voice_rows([one], SFT).rows if row.source == "style"]

    draft = ["You have 14 days. [1]", "Sale items are included. [2]"]
    lines = ["Good news: you have 14 days. [1]", "Sale items count too! [2]"]
    assert row.content["messages"] == [
        *style_messages(draft),
        {"role": "assistant", "content": numbered(lines)},
    ]
    assert changed_facts(draft, lines) is None


@pytest.mark.parametrize(
    ("draft", "better", "why"),
    [
        ("Within 14 days.", "Within 30 days, dear!", "a number, date or amount changed"),
        ("You may return it.", "You may not return it!", "a negation changed"),
        ("Ask Anna Berg about it.", "Just ask somebody about it!", "a name was lost"),
        ("Keep the box.", "keep  the box", "both are the same words"),
        ("Keep the box [4].", "Just keep the box!", "marks like [1] of their own"),
    ],
)  # fmt: skip
def test_better_words_that_state_otherwise_teach_no_style(
    draft: str, better: str, why: str
) -> None:
    """They correct the answer, which is for the documents."""
    found = aligned(draft, better)

    assert isinstance(found, str)
    assert why in found


def test_an_edit_is_preferred_to_what_stood_there() -> None:
    """Only the reply that was reworded; what states facts is not taught either way."""
    before = said("It hums", "Restart.", "And the fee?", "It is 5 euros.")
    after = said("It hums", "Give it a restart, it will purr!", "And the fee?", "Just 5 euros!")

    made = preference_rows([example(*before, edited=after)], DPO)

    assert [(one.content["chosen"], one.content["rejected"]) for one in made.rows] == [
        ("Give it a restart, it will purr!", "Restart.")
    ]
    assert made.left_out == {"edit: it states a number or a date": 1}


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ((Said("asker", " "),), "has no words"),
        (said("[NAME_1]", "[EMAIL_1]"), "holds placeholders alone"),
        (said("Anybody there?"), "holds no reply of the team"),
        ((Said("team", "Hello"), Said("asker", "Hi")), "does not end with the team's reply"),
    ],
)
def test_what_gives_no_row_says_so(messages: tuple[Said, ...], reason: str) -> None:
    """With the transcript's number and what to do."""
    problem = unusable(example(*messages, number=7))

    assert problem is not None
    assert str(problem).startswith(f"Transcript 7 {reason}; reopen it and ")
