"""Rows of a dataset as a local run reads them, and how long each is for its base."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.backends import TrainingError
from finetune.bases import Base
from finetune.chat_format import Message, learned_text
from store.datasets import DatasetRow, Format

CONVERSATIONS: tuple[Format, ...] = ("sft", "raft")
PREFERENCES: Format = "dpo"
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Lengths:
    """Tokens of the training rows: all together and of the longest, of any split."""

    total: int
    longest: int


def fits_local(chosen: Format) -> None:
    """Raise TrainingError for a dataset that teaches no language model."""
    if chosen not in (*CONVERSATIONS, PREFERENCES):
        raise TrainingError(
            f"A local run learns from datasets of the formats sft, raft and dpo; this one is"
            f" {chosen}."
        )


def measure(
    base: Base, chosen: Format, rows: Sequence[DatasetRow], template: str | None, limit: int | None
) -> Lengths:
    """Return how long the rows are in tokens; none may exceed `limit` or the base's context.

    Where only transformers can read the tokenizer, a token is taken for three letters: fewer than
    there are in any language written in letters. Raises TrainingError naming the row.
    """
    render, ends = base.render(template), base.ends
    most = (
        min(one for one in (limit, base.shape.context) if one)
        if (limit or base.shape.context)
        else None
    )
    total = longest = 0
    numbers = {"train": 0, "validation": 0}
    for row in rows:
        numbers[row.split] += 1
        place = f"Row {numbers[row.split]} of the {row.split} split"
        for messages in conversations(row.content, chosen, place):
            text, _ = learned_text(render, messages, ends)
            if base.tokenizer is not None:
                length = len(base.tokenizer.encode(text, add_special_tokens=False).ids)
            else:
                length = len(text) // 3 + 1
            if most is not None and length > most:
                whose = "the recipe's max_length" if limit else "the base's context"
                raise TrainingError(
                    f"{place} has {length:,} tokens and {whose} is {most:,}; shorten the row or"
                    " leave it out, and build the dataset again."
                )
            longest = max(longest, length)
            total += length if row.split == "train" else 0
    return Lengths(total, longest)


def conversations(content: dict[str, Any], chosen: Format, place: str) -> Iterator[list[Message]]:
    """Yield the conversations in a row: one, or of preferences the better and the worse.

    Raises TrainingError for a row of another form.
    """
    try:
        if chosen == PREFERENCES:
            for key in ("chosen", "rejected"):
                said = {"role": "assistant", "content": content[key]}
                yield [*map(_message, content["prompt"]), _message(said)]
        else:
            yield _ending_well([_message(one) for one in content["messages"]])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise TrainingError(
            f"{place} cannot be read ({reason}); build the dataset again."
        ) from error


def _ending_well(messages: list[Message]) -> list[Message]:
    if not messages or messages[-1]["role"] != "assistant":
        raise ValueError("its last message is not the assistant's")
    return messages


def _message(told: Any) -> Message:
    role, content = told["role"], told["content"]
    if role not in ROLES or not isinstance(content, str) or not content.strip():
        raise ValueError("a message needs a role (system, user, assistant) and words")
    return {"role": role, "content": content}


def write_rows(folder: Path, rows: Sequence[DatasetRow]) -> None:
    """Write the rows of each split, a line each, where only this account can read them."""
    for split in ("train", "validation"):
        lines = (json.dumps(row.content, ensure_ascii=False) for row in rows if row.split == split)
        path = folder / f"{split}.jsonl"
        path.touch(mode=0o600)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return what `write_rows` wrote for a split."""
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
