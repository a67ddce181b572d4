"""What people say of answers becomes questions to measure with."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from evaluation.cases import load_dataset
from evaluation.feedback import question_of
from store.conversations import Turn
from store.documents import Version
from store.feedback import Feedback, Opinion, Quoted

NOW = datetime(2026, 11, 21, tzinfo=UTC)
SALE = "Items bought in a sale can be returned within 14 days of delivery."
GIFT = "Gift cards are valid for five years from the day of purchase."
HISTORY = (Turn("asker", "Hello"), Turn("footnote", "Hello. Ask me."))
FEEDBACK = Feedback(
    "a1",
    "U2",
    "U1",
    Opinion(-1, "wrong_source", "that is about sales", f"Yes. {GIFT}"),
    "How long is my gift card valid?",
    SALE,
    (Quoted("returns", "Returns policy", 3, ("Sale items",), SALE),),
    NOW,
)


def version(key: str, text: str) -> Version:
    """A version in force."""
    return Version(1, 1, key, key.title(), 1, "", text, NOW, None, None, None)


VERSIONS = [version("returns", f"Returns\n{SALE}\n"), version("gifts", f"Gift cards\n{GIFT}\n")]


def test_the_words_of_a_better_answer_are_found_in_the_documents() -> None:
    """Where they stand in one in force, it and its words are what should be found."""
    row = question_of(FEEDBACK, HISTORY, VERSIONS)

    assert (row["doc"], row["quote"]) == ("gifts", GIFT)
    assert row["answer"] == f"Yes. {GIFT}"
    assert row["history"] == [
        {"role": "customer", "text": "Hello"},
        {"role": "agent", "text": "Hello. Ask me."},
    ]


def test_words_that_say_something_else_are_not_taken_for_the_documents() -> None:
    """Another number is another fact, however alike the sentences are."""
    opinion = replace(FEEDBACK.opinion, better=GIFT.replace("five", "seven"))
    row = question_of(replace(FEEDBACK, opinion=opinion), (), VERSIONS)

    assert (row["doc"], row["quote"]) == (None, None)


def test_what_was_incomplete_keeps_the_words_that_it_quoted() -> None:
    """They were right, as far as they went; a wrong source's were not."""
    missing, wrong = (
        question_of(replace(FEEDBACK, opinion=opinion), (), VERSIONS)
        for opinion in (Opinion(-1, "incomplete"), Opinion(-1, "wrong_source"))
    )
    assert (missing["doc"], missing["quote"]) == ("returns", SALE)
    assert (wrong["doc"], wrong["quote"]) == (None, None)


def test_what_is_exported_is_read_as_a_set(tmp_path: Path) -> None:
    """With documents beside it, a folder of such lines is an evaluation set."""
    (tmp_path / "docs").mkdir()
    without = replace(FEEDBACK, opinion=Opinion(-1, "wrong_fact"), user_id="U3")
    rows = [question_of(one, HISTORY, VERSIONS) for one in (FEEDBACK, without)]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "questions.feedback.jsonl").write_text(lines, encoding="utf-8")

    found, unknown = load_dataset(tmp_path).cases

    assert (found.question, found.document, found.quote) == (FEEDBACK.question, "gifts", GIFT)
    assert found.history == HISTORY
    assert found.group == unknown.group == "feedback-a1"
    assert (unknown.answerable, unknown.document, unknown.quote) == (True, None, None)
