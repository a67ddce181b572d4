"""Rows as a tuning service takes them."""

import json
from typing import Any

import pytest

from finetune.backends import TrainingError
from finetune.upload import check_rows, jsonl, method_of
from store.datasets import DatasetRow

ROOM = 1_000  # tokens


def sft(*messages: tuple[str, object]) -> DatasetRow:
    """A row of the format sft."""
    content = {"messages": [{"role": role, "content": said} for role, said in messages]}
    return DatasetRow("train", {**content, "task": "tone"}, "c")


def dpo(**changes: Any) -> DatasetRow:
    """A row of the format dpo."""
    values = {"prompt": [{"role": "user", "content": "Hi"}], "chosen": "Hey!", "rejected": "Hi."}
    return DatasetRow("train", values | changes, "c")


GOOD = sft(("system", "Be kind."), ("user", "Thanks — “ok”"), ("assistant", "Any time!"))


def test_a_line_is_a_row_without_what_is_ours() -> None:
    """Letters stay as they are, tasks are left out, a split without rows is empty."""
    written = jsonl([GOOD], "train", "supervised")
    assert written.endswith(b"}\n")
    assert "“ok”".encode() in written
    assert json.loads(written) == {"messages": GOOD.content["messages"]}
    assert jsonl([GOOD], "validation", "supervised") == b""


def test_preferences_have_their_own_form() -> None:
    """A prompt and the two replies, as the service names them."""
    assert json.loads(jsonl([dpo()], "train", "dpo")) == {
        "input": {"messages": [{"role": "user", "content": "Hi"}]},
        "preferred_output": [{"role": "assistant", "content": "Hey!"}],
        "non_preferred_output": [{"role": "assistant", "content": "Hi."}],
    }


WRONG: dict[str, tuple[DatasetRow, str]] = {
    "no messages": (sft(), "has no messages"),
    "an unknown role": (sft(("tool", "x"), ("assistant", "y")), "unknown role"),
    "an empty message": (sft(("user", " "), ("assistant", "y")), "empty message"),
    "a message that is no text": (sft(("user", 3), ("assistant", "y")), "empty message"),
    "the asker at the end": (sft(("assistant", "x"), ("user", "y")), "end with the team's reply"),
    "too long a row": (sft(("user", "x " * 4_000), ("assistant", "y")), "tokens and the model"),
}


@pytest.mark.parametrize(("row", "words"), WRONG.values(), ids=WRONG)
def test_a_row_that_would_be_refused_is_named(row: DatasetRow, words: str) -> None:
    """The sentence has its number in its split."""
    with pytest.raises(TrainingError, match=f"^Row 2 of the train split .*{words}"):
        check_rows([GOOD, row], "supervised", ROOM)


PREFERRED: dict[str, tuple[dict[str, Any], str]] = {
    "no prompt": ({"prompt": []}, "has no prompt"),
    "a prompt that ends with us": (
        {"prompt": [{"role": "assistant", "content": "x"}]},
        "end its prompt with the asker",
    ),
    "the same reply twice": ({"rejected": "Hey!"}, "does not prefer"),
    "no reply": ({"chosen": None}, "does not prefer"),
}


@pytest.mark.parametrize(("changes", "words"), PREFERRED.values(), ids=PREFERRED)
def test_a_preference_that_would_be_refused_is_named(changes: dict[str, Any], words: str) -> None:
    """A pair needs a prompt of the asker and two replies that differ."""
    with pytest.raises(TrainingError, match=words):
        check_rows([dpo(**changes)], "dpo", ROOM)


def test_good_rows_pass() -> None:
    """Neither is refused."""
    check_rows([GOOD], "supervised", ROOM)
    check_rows([dpo()], "dpo", ROOM)


def test_routes_teach_no_language_model() -> None:
    """The sentence names the formats that do."""
    assert (method_of("raft"), method_of("dpo")) == ("supervised", "dpo")
    with pytest.raises(TrainingError, match="--format sft, raft or dpo"):
        method_of("routes")
