"""A dataset as files that others read: OpenAI's form, and that of Hugging Face's trl."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from finetune.dataset.wanted import DatasetError
from finetune.upload import METHODS, jsonl
from store.datasets import Dataset, DatasetRow, Format

Form = Literal["openai", "trl", "rows"]
PRIVATE = 0o600


def export_dataset(
    dataset: Dataset, rows: Sequence[DatasetRow], form: Form, folder: Path
) -> list[Path]:
    """Write `train.jsonl` and `validation.jsonl` into a folder, readable by this account alone.

    Raises DatasetError for a withdrawn dataset, and for a form that its format has not.
    """
    if dataset.withdrawn_at is not None:
        raise DatasetError(
            f"Dataset {dataset.id} was withdrawn: transcripts of it were deleted or are not"
            " approved any more. Build it again."
        )
    written = {}
    for split in ("train", "validation"):
        of_split = [row for row in rows if row.split == split]
        written[split] = _lines(dataset.format, of_split, form)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for split, lines in written.items():
            path = folder / f"{split}.jsonl"
            path.touch(mode=PRIVATE)
            path.chmod(PRIVATE)  # one that was there already too
            path.write_bytes(lines)
            paths.append(path)
    except OSError as error:
        raise DatasetError(
            f"{folder} cannot be written ({error.strerror}); name another folder."
        ) from error
    return paths


def _lines(chosen: Format, rows: Sequence[DatasetRow], form: Form) -> bytes:
    if form == "openai" and chosen in METHODS and rows:
        return jsonl(rows, rows[0].split, METHODS[chosen])
    if form == "openai" and chosen not in METHODS:
        raise DatasetError(
            f"OpenAI has no form for {chosen}; export it with --form rows, or build sft, raft or"
            " dpo."
        )
    shaped = _trl(chosen) if form == "trl" else dict
    return "".join(
        json.dumps(shaped(row.content), ensure_ascii=False) + "\n" for row in rows
    ).encode()


def _trl(chosen: Format) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what makes a row one that trl's trainers read."""
    if chosen == "dpo":
        return lambda content: {
            "prompt": content["prompt"],
            "chosen": [{"role": "assistant", "content": content["chosen"]}],
            "rejected": [{"role": "assistant", "content": content["rejected"]}],
        }
    if chosen in METHODS:
        return lambda content: {"messages": content["messages"]}
    raise DatasetError(f"trl has no form for {chosen}; export it with --form rows.")
