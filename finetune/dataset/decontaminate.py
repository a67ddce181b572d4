"""Takes out rows that a gate asks about: how a model does on what it was trained on says nothing.

A row counts as known if it shares eight words in order with a text of the gate's set, if one of
its messages is such a text but for case and marks, or if all of it is nearly the same. Words that
stand in more than ten conversations are a phrase of the house ("is there anything else …") and
count for nothing, as in GPT-3's decontamination (Brown et al. 2020, appendix C). Where there are
less than two hundred conversations, a twentieth of them is enough, but more than two.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.dataset.likeness import like_any, words_of
from finetune.dataset.wanted import DatasetError

RUN = 8  # words in order
HOUSE_PHRASE = 10  # conversations at most in which words are nobody's phrase
HOUSE_SHARE = 20  # of so many conversations, words may stand in one
FEWEST = 2  # conversations that may always share words
LEAST_WORDS = 4  # of a message that is known as a whole
LARGEST_FILE = 256 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class GateSet:
    """Texts that nothing may be trained on: their name, a hash, and the texts."""

    name: str
    sha256: str
    texts: tuple[str, ...]


def load_gate_set(path: Path) -> GateSet:
    """Read a JSONL file, or those of a folder, as `footnote eval` and transcripts have them.

    Of each row the question, answer, history and messages are taken; of a dataset's export the
    messages that are no rules. Raises DatasetError naming file and line.
    """
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DatasetError(f"{path} holds no .jsonl file; name the gate's questions.")
    texts: list[str] = []
    hashed = hashlib.sha256()
    for file in files:
        try:
            if file.stat().st_size > LARGEST_FILE:
                raise DatasetError(f"{file} is larger than 256 MB; name a smaller set.")
            words = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{file} cannot be read as text; name a JSONL file.") from error
        hashed.update(words.encode())
        # Not `splitlines`: a message may hold other breaks, such as U+2028, unescaped.
        for number, line in enumerate(words.split("\n"), start=1):
            if line.strip():
                texts += _texts(line, f"{file.name}, line {number}")
    if not texts:
        raise DatasetError(f"{path} holds no questions or messages to keep apart.")
    return GateSet(path.name, hashed.hexdigest(), tuple(dict.fromkeys(texts)))


def gate_set_of(name: str, rows: Sequence[Sequence[str]]) -> GateSet:
    """Return the words of rows that another dataset validates with as a set to keep apart."""
    texts = tuple(dict.fromkeys(text for row in rows for text in row))
    return GateSet(name, hashlib.sha256("\0".join(texts).encode()).hexdigest(), texts)


def _texts(line: str, place: str) -> Iterator[str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{place} is no JSON; write one object a line.") from error
    if not isinstance(row, dict):
        raise DatasetError(f"{place} is no object; write one object a line.")
    for name in ("question", "answer", "text"):
        if isinstance(row.get(name), str):
            yield row[name]
    for name in ("history", "messages"):
        for message in row.get(name) or ():
            yield from _message(message)


def _message(message: Any) -> Iterator[str]:
    if isinstance(message, str):
        yield message
    elif isinstance(message, dict) and message.get("role") != "system":
        for name in ("text", "content"):
            if isinstance(message.get(name), str):
                yield message[name]


def known_rows(rows: Sequence[tuple[str, Sequence[str]]], gate: Sequence[str]) -> dict[int, str]:
    """Return which rows are known to the gate and how: `run`, `message` or `near`.

    `rows` are (conversation, what was said).
    """
    whole = {" ".join(words) for text in gate if len(words := words_of(text)) >= LEAST_WORDS}
    runs = {run for text in gate for run in _runs(text)}
    shared: dict[str, set[str]] = defaultdict(set)  # of a run, the conversations that hold it
    holds: list[set[str]] = []
    for conversation, said in rows:
        held = {run for text in said for run in _runs(text)} & runs
        holds.append(held)
        for run in held:
            shared[run].add(conversation)
    limit = house_phrase(len({conversation for conversation, _ in rows}))
    phrases = {run for run, where in shared.items() if len(where) > limit}
    spread: dict[str, set[str]] = defaultdict(set)
    for conversation, said in rows:
        for text in said:
            spread[" ".join(words_of(text))].add(conversation)
    found: dict[int, str] = {}
    for place, (_, said) in enumerate(rows):
        messages = {" ".join(words_of(text)) for text in said} & whole
        if holds[place] - phrases:
            found[place] = "run"
        elif any(len(spread[message]) <= limit for message in messages):
            found[place] = "message"
    long = [text for text in gate if set(_runs(text)) - phrases]
    for place in like_any(["\n".join(said) for _, said in rows], long):
        found.setdefault(place, "near")
    return found


def house_phrase(conversations: int) -> int:
    """Return in how many of so many conversations words may stand and still be somebody's."""
    return max(FEWEST, min(HOUSE_PHRASE, conversations // HOUSE_SHARE))


def _runs(text: str) -> Iterator[str]:
    words = words_of(text)
    for at in range(len(words) - RUN + 1):
        yield " ".join(words[at : at + RUN])
