"""Rows as token ids with labels: only what the assistant says is learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from finetune.backends import TrainingError
from finetune.chat_format import Message, learned_text, learned_tokens
from finetune.local_rows import conversations, read_rows

IGNORED = -100  # a label that no loss is computed for, as transformers has it


def encode(path: Path, chosen: str, tokenizer: Any, ends: Sequence[str]) -> Dataset:
    """Return a split of conversations as `input_ids` and `labels`; `ends` end a turn.

    Raises TrainingError naming a row of which nothing would be learned.
    """

    def render(messages: Sequence[Message], prompt: bool) -> str:
        return str(
            tokenizer.apply_chat_template(
                [dict(one) for one in messages], tokenize=False, add_generation_prompt=prompt
            )
        )

    encoded: dict[str, list[list[int]]] = {"input_ids": [], "labels": []}
    for number, content in enumerate(read_rows(path), 1):
        place = f"Row {number} of the {path.stem} split"
        for messages in conversations(content, "raft" if chosen == "raft" else "sft", place):
            text, spans = learned_text(render, messages, ends)
            tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            learned = learned_tokens(tokens["offset_mapping"], spans)
            if not any(learned):
                raise TrainingError(f"{place} leaves nothing to learn; build the dataset again.")
            ids = tokens["input_ids"]
            encoded["input_ids"].append(ids)
            encoded["labels"].append(
                [one if said else IGNORED for one, said in zip(ids, learned, strict=True)]
            )
    return Dataset.from_dict(encoded)


def preferences(path: Path) -> Dataset:
    """Return a split of preference pairs as trl reads them: a prompt and two answers to it."""
    rows = read_rows(path)
    return Dataset.from_dict(
        {
            "prompt": [row["prompt"] for row in rows],
            **{
                side: [[{"role": "assistant", "content": row[side]}] for row in rows]
                for side in ("chosen", "rejected")
            },
        }
    )


def prompts(folder: Path, count: int) -> list[list[dict[str, str]]]:
    """Return prompts of the first few rows, of the validation split where there are some."""
    found: list[list[dict[str, str]]] = []
    for split in ("validation", "train"):
        for row in read_rows(folder / f"{split}.jsonl"):
            found.append(row["prompt"] if "prompt" in row else row["messages"][:-1])
    return found[:count]
