"""Rows that a gate's set knows are found; phrases of the house are not."""

import json
from pathlib import Path

import pytest

from finetune.dataset.decontaminate import gate_set_of, known_rows, load_gate_set
from finetune.dataset.wanted import DatasetError

ASKED = "My blue suitcase went missing at the airport in Lisbon last week"
PHRASE = "Is there anything else that I can do for you today?"


def test_eight_words_in_order_are_known() -> None:
    """Whatever stands around them, in whatever case and marks; seven are not."""
    rows = [
        ("a", ["So: my BLUE suitcase went missing, at the airport. Help!"]),
        ("b", ["My blue suitcase went missing at the hotel"]),
    ]

    assert known_rows(rows, [ASKED]) == {0: "run"}


def test_a_short_question_is_known_as_a_whole() -> None:
    """If it has at least four words: "yes please" is everybody's."""
    rows = [("a", ["Can I go home?"]), ("b", ["Yes please"]), ("c", ["Can I go home early?"])]

    assert known_rows(rows, ["can i go home", "yes please"]) == {0: "message"}


@pytest.mark.parametrize(("all_of_them", "limit"), [(12, 2), (100, 5), (1000, 10)])
def test_phrases_of_the_house_are_nobody_s(all_of_them: int, limit: int) -> None:
    """What stands in many conversations, for how many there are, is no sign of being known."""
    rest = [(f"r{number}", [f"word{number}"]) for number in range(all_of_them - limit)]
    many = [(f"c{number}", [f"Thanks {number}", PHRASE]) for number in range(limit + 1)]

    assert known_rows([*many, *rest], [PHRASE]) == {}
    assert set(known_rows([*many[1:], *rest], [PHRASE])) == set(range(limit))


def test_a_set_is_read_from_questions_and_transcripts(tmp_path: Path) -> None:
    """From every file in a folder: questions, answers, history and messages, but no rules."""
    (tmp_path / "deep").mkdir()
    question = {
        "question": "q\u2028r",
        "answer": "a",
        "history": [{"role": "customer", "text": "h"}],
    }
    export = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}
    (tmp_path / "one.jsonl").write_text(
        json.dumps(question, ensure_ascii=False) + "\n\n", encoding="utf-8"
    )
    (tmp_path / "deep" / "two.jsonl").write_text(json.dumps(export), encoding="utf-8")

    found = load_gate_set(tmp_path)

    assert sorted(found.texts) == ["a", "h", "q\u2028r", "u"]


@pytest.mark.parametrize(
    ("words", "told"),
    [("{", "bad.jsonl, line 1 is no JSON"), ("[]", "bad.jsonl, line 1 is no object"),
     ("{}", "holds no questions")],
)  # fmt: skip
def test_a_set_that_cannot_be_read_is_refused(tmp_path: Path, words: str, told: str) -> None:
    """With the file and the line."""
    path = tmp_path / "bad.jsonl"
    path.write_text(words, encoding="utf-8")

    with pytest.raises(DatasetError, match=told):
        load_gate_set(path)


def test_a_missing_set_is_refused(tmp_path: Path) -> None:
    """Nothing is built as if nothing had to be kept apart."""
    with pytest.raises(DatasetError, match="cannot be read"):
        load_gate_set(tmp_path / "none.jsonl")


def test_rows_of_another_dataset_are_a_set() -> None:
    """Each of their texts once."""
    assert gate_set_of("d", [["a", "b"], ["b"]]).texts == ("a", "b")
