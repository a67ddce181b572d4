"""Rows before they are chosen and split, and what a transcript's words are as exchanges."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from finetune.spans import PLACEHOLDER
from store.transcripts import Said, Transcript

Role = Literal["asker", "team"]
Turn = tuple[Role, str]


@dataclass(frozen=True)
class Exchange:
    """What was asked and what the team replied; `earlier` are the turns before, oldest first."""

    asked: str
    replied: str
    canned: bool
    earlier: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A row that a transcript gives.

    `said` are the words of people in it, without rules and passages: what rows are compared by.
    `source` names how it was made, `labels` what it is counted by.
    """

    content: dict[str, Any]
    said: tuple[str, ...]
    example: Transcript
    source: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """An approved transcript that gives no row: what is wrong with it, and what to do."""

    transcript_id: int
    reason: str
    fix: str

    def __str__(self) -> str:
        """Return the sentence a person reads."""
        return f"Transcript {self.transcript_id} {self.reason}; {self.fix}."


@dataclass
class Proposed:
    """What a source gives: rows, how often something was left out and why, and problems."""

    rows: list[Proposal] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)


def exchanges(words: Sequence[Said]) -> list[Exchange]:
    """Return a transcript's exchanges in order.

    Messages of one side in a row are one. What the team said before anybody asked, and what the
    asker said last without a reply, belongs to no exchange.
    """
    turns: list[tuple[Role, str, bool]] = []
    for said in words:
        text = said.text.strip()
        if not text:
            continue
        if turns and turns[-1][0] == said.role:
            _, before, canned = turns[-1]
            turns[-1] = (said.role, f"{before}\n{text}", canned and said.canned)
        else:
            turns.append((said.role, text, said.canned))
    if turns and turns[0][0] == "team":
        del turns[0]
    found = []
    for place in range(0, len(turns) - 1, 2):
        earlier = tuple((role, text) for role, text, _ in turns[:place])
        found.append(Exchange(turns[place][1], turns[place + 1][1], turns[place + 1][2], earlier))
    return found


def unusable(example: Transcript) -> Problem | None:
    """Return why an approved transcript cannot be learned from, or None."""
    if not any(said.text.strip() for said in example.words):
        return Problem(example.id, "has no words", "reopen it and reject it")
    if not any(has_words(said.text) for said in example.words):
        return Problem(example.id, "holds placeholders alone", "reopen it and reject it")
    if not any(said.role == "team" and has_words(said.text) for said in example.words):
        return Problem(
            example.id, "holds no reply of the team", "reopen it and add the reply, or reject it"
        )
    if not exchanges(example.words):
        return Problem(
            example.id,
            "does not end with the team's reply",
            "reopen it and add the reply, or reject it",
        )
    return None


def has_words(text: str) -> bool:
    """Whether a text says anything beside its placeholders."""
    return any(letter.isalnum() for letter in PLACEHOLDER.sub(" ", text))
