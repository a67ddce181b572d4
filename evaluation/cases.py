"""Evaluation sets: a folder with `docs/` and `questions*.jsonl`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConfigurationError
from store.conversations import Turn


@dataclass(frozen=True)
class Case:
    """A question with its history and, where it is answerable, the words that answer it.

    `group` names the dialogue a question belongs to: intervals are taken over groups. `answer` is
    what a person said to it, where the set has that.
    """

    id: str
    group: str
    question: str
    history: tuple[Turn, ...]
    answerable: bool
    document: str | None
    quote: str | None
    answer: str | None = None


@dataclass(frozen=True)
class Dataset:
    """An evaluation set: the documents' folder and the cases."""

    path: Path
    documents: Path
    cases: tuple[Case, ...]


def load_dataset(path: Path) -> Dataset:
    """Read a set. Raises ConfigurationError naming the file and line that is wrong."""
    documents = path / "docs"
    files = sorted(path.glob("questions*.jsonl"))
    if not documents.is_dir() or not files:
        raise ConfigurationError(
            f"{path} is no evaluation set: it needs a folder docs and a file questions*.jsonl."
        )
    cases = tuple(case for file in files for case in _read(file))
    if not cases:
        raise ConfigurationError(f"{files[0].name} holds no questions.")
    return Dataset(path, documents, cases)


def _read(file: Path) -> Iterator[Case]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file.name} cannot be read as UTF-8 text.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield _case(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"Line {number} of {file.name} is no question: it needs id, question, history,"
                " answerable, doc and quote."
            ) from error


def _case(row: dict[str, Any]) -> Case:
    answerable = bool(row["answerable"])
    return Case(
        id=str(row["id"]),
        group=str(row.get("dial_id") or str(row["id"]).partition("<::>")[0]),
        question=str(row["question"]),
        history=tuple(
            Turn("asker" if turn["role"] in {"customer", "user"} else "footnote", turn["text"])
            for turn in row.get("history", ())
        ),
        answerable=answerable,
        document=row.get("doc") if answerable else None,
        quote=row.get("quote") if answerable else None,
        answer=str(row["answer"]) if answerable and row.get("answer") else None,
    )
