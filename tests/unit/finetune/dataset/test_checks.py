"""What a row may not be, and the sentence that says so."""

import pytest

from finetune.dataset.checks import left_unredacted, refuse, wrong_row
from finetune.dataset.proposals import Problem, Proposal
from finetune.dataset.route_rows import route_rows
from finetune.dataset.wanted import DatasetError, Wanted
from store.answers import Answer
from store.transcripts import Said
from tests.unit.finetune.dataset.made import example, said


def row(*messages: tuple[str, str]) -> Proposal:
    """A row of messages, as (role, words)."""
    content = {"messages": [{"role": role, "content": words} for role, words in messages]}
    return Proposal(content, (), example(*said("hi", "ho"), number=4), "tone")


@pytest.mark.parametrize(
    ("proposal", "told"),
    [
        (row(("user", "hi"), ("assistant", "[NAME_1]!")), "whose assistant message is empty"),
        (row(("user", " "), ("assistant", "ho")), "whose user message is empty"),
        (row(("assistant", "ho"), ("user", "hi")), "gives a row without a reply at its end"),
        (row(("user", "a" * 600), ("assistant", "ho")), "of about 151 tokens, and a row may have"),
    ],
)
def test_a_row_that_cannot_be_learned_from_is_named(proposal: Proposal, told: str) -> None:
    """By its transcript, with what to do."""
    problem = wrong_row(proposal, Wanted("sft", context=150))

    assert problem is not None
    assert str(problem).startswith("Transcript 4 gives a row")
    assert told in str(problem)


def test_a_row_within_the_context_is_right() -> None:
    """Its length is estimated by four letters a token, rounded up."""
    assert (
        wrong_row(row(("user", "a" * 598), ("assistant", "ho")), Wanted("sft", context=150))
        is None
    )


def test_what_redaction_finds_once_more_is_told_by_kind_alone() -> None:
    """In the words of people, and in the draft that they disliked."""
    clean = example(*said("Hi there", "Hello, all is well."))
    left = example(
        *said("Hi there", "Hello, all is well."), disliked="Ask jo@example.com, please."
    )

    assert left_unredacted(clean, ()) is None
    problem = left_unredacted(left, ())
    assert problem is not None
    assert "EMAIL (1)" in str(problem)
    assert "jo@" not in str(problem)


def test_names_of_the_directory_are_looked_for() -> None:
    """Wherever they stand, though nothing announces them."""
    spoken = example(*said("Hi there", "The parcel stands beside Thandiwe Mokoena's desk."))

    assert left_unredacted(spoken, ["Thandiwe Mokoena"]) is not None


def test_a_refusal_names_the_first_problems_and_counts_the_others() -> None:
    """So that it stays a few sentences however many there are."""
    refuse([])
    with pytest.raises(DatasetError) as refused:
        refuse([Problem(number, "is odd", "mend it") for number in range(1, 9)])

    told = str(refused.value)
    assert "Transcript 5 is odd; mend it. And 3 more. --skip-bad leaves" in told
    assert "Transcript 6" not in told


def test_a_corrected_route_counts_as_such() -> None:
    """The label is what the router should have said; the answer tells what it did."""
    one = example(*said("hi", "ho"), answer_id="a1", labels={"route": "small_talk"})
    answer = Answer("a1", "hi", "policy", "refused", "")

    (made,) = route_rows([one], Wanted("routes"), {"a1": answer}).rows

    assert made.source == "corrected"
    assert made.content == {"text": "hi", "history": [], "label": "small_talk", "head": "route"}


def test_the_first_message_is_what_is_routed() -> None:
    """All that the asker wrote before anybody replied."""
    talk = (Said("asker", "Hello"), Said("asker", "my badge broke"), *said("ok", "Sure")[1:])
    one = example(*talk, labels={"intent": "badge"})

    (made,) = route_rows([one], Wanted("routes"), {}).rows

    assert made.content["text"] == "Hello\nmy badge broke"
    assert (made.content["head"], made.labels) == ("intent", ("intent: badge",))
