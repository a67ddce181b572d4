"""Rows as the files that a tuning service takes, and what it would refuse told before.

A line is a row in its order; validation has a file of its own. Rows come redacted from the
dataset: nothing is added to them here.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from finetune.backends import TrainingError
from store.datasets import DatasetRow, Format, Split

Method = Literal["supervised", "dpo"]
METHODS: dict[Format, Method] = {"sft": "supervised", "raft": "supervised", "dpo": "dpo"}
ROLES = frozenset({"system", "user", "assistant"})
MAX_BYTES = 512 * 1024 * 1024  # of a file, by OpenAI's API
LETTERS_A_TOKEN = 4  # of English, roughly: what a row takes is an estimate


def method_of(chosen: Format) -> Method:
    """Return how a dataset of a format is learned from; raises TrainingError for other ones."""
    if chosen not in METHODS:
        raise TrainingError(
            f"A dataset of the format {chosen} teaches no language model; build one with"
            " --format sft, raft or dpo."
        )
    return METHODS[chosen]


def jsonl(rows: Sequence[DatasetRow], split: Split, method: Method) -> bytes:
    """Return the file of a split, a line a row; empty where the split has none."""
    lines = (json.dumps(_line(row, method), ensure_ascii=False) for row in _of(rows, split))
    return "".join(f"{line}\n" for line in lines).encode()


def check_rows(rows: Sequence[DatasetRow], method: Method, context: int) -> None:
    """Refuse what the service would, with the row's number in its split and the fix.

    `context` is in tokens, counted as a fourth of the letters. Raises TrainingError.
    """
    splits: tuple[Split, ...] = ("train", "validation")
    for split in splits:
        for number, row in enumerate(_of(rows, split), 1):
            where = f"Row {number} of the {split} split"
            _check(row.content, method, where)
            letters = len(json.dumps(_line(row, method), ensure_ascii=False))
            if letters > context * LETTERS_A_TOKEN:
                raise TrainingError(
                    f"{where} has about {letters // LETTERS_A_TOKEN:,} tokens and the model takes"
                    f" {context:,}; shorten or reject its transcript and build again."
                )
        if len(jsonl(rows, split, method)) > MAX_BYTES:
            raise TrainingError(
                f"The {split} split is larger than 512 MB; build a dataset of fewer rows."
            )


def _of(rows: Sequence[DatasetRow], split: Split) -> Iterator[DatasetRow]:
    return (row for row in rows if row.split == split)


def _line(row: DatasetRow, method: Method) -> dict[str, Any]:
    content = row.content
    if method == "supervised":
        return {"messages": _plain(content["messages"])}
    return {
        "input": {"messages": _plain(content["prompt"])},
        "preferred_output": [{"role": "assistant", "content": content["chosen"]}],
        "non_preferred_output": [{"role": "assistant", "content": content["rejected"]}],
    }


def _plain(messages: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def _check(content: dict[str, Any], method: Method, where: str) -> None:
    name = "messages" if method == "supervised" else "prompt"
    messages = content.get(name)
    if not isinstance(messages, list) or not messages:
        raise TrainingError(f"{where} has no {name}; build the dataset again.")
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise TrainingError(f"{where} has a message of an unknown role; build it again.")
        if not _worded(message.get("content")):
            raise TrainingError(f"{where} has an empty message; reject its transcript.")
    last = messages[-1]["role"]
    if method == "supervised" and last != "assistant":
        raise TrainingError(f"{where} does not end with the team's reply; build it again.")
    if method == "dpo":
        if last == "assistant":
            raise TrainingError(f"{where} does not end its prompt with the asker; build it again.")
        chosen, rejected = content.get("chosen"), content.get("rejected")
        if not _worded(chosen) or not _worded(rejected) or chosen == rejected:
            raise TrainingError(f"{where} does not prefer one reply to another; build it again.")


def _worded(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())
