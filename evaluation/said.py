"""Transcripts as evaluation reads them: who said what in which conversation, from a JSONL file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConfigurationError

TEAM = frozenset({"agent", "team", "assistant"})
ASKER = frozenset({"customer", "asker", "user", "visitor"})


@dataclass(frozen=True)
class Utterance:
    """A message of a conversation. `canned`: a suggested wording that was sent as it stood."""

    conversation: str
    text: str
    by_team: bool
    canned: bool = False


def read_said(path: Path) -> list[Utterance]:
    """Read a file of conversations. Raises ConfigurationError naming the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read as UTF-8 text.") from error
    said: list[Utterance] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said += _conversation(json.loads(line), number)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"Line {number} of {path.name} is no conversation: it needs messages, each with"
                " role (customer or agent) and text."
            ) from error
    if not any(one.by_team for one in said):
        raise ConfigurationError(f"{path.name} holds no words of a team.")
    return said


def _conversation(row: dict[str, Any], number: int) -> Iterator[Utterance]:
    conversation = str(row.get("id") or number)
    for message in row["messages"]:
        role = str(message["role"]).lower()
        text = message["text"] if "text" in message else message["content"]
        if role in TEAM | ASKER and text:
            canned = bool(message.get("canned"))
            yield Utterance(conversation, str(text), role in TEAM, canned)


def two_voices(
    said: Sequence[Utterance],
) -> tuple[list[Utterance], list[Utterance], tuple[str, str]]:
    """Return two voices and their names: the team's own words, and what they are told from.

    That is the suggestions that were sent as they stood, or, where there are none, the askers.
    """
    canned = [one for one in said if one.by_team and one.canned]
    free = [one for one in said if one.by_team and not one.canned]
    if canned and free:
        return free, canned, ("free text", "suggested wordings")
    askers = [one for one in said if not one.by_team]
    return free or canned, askers, ("the team", "the askers")
