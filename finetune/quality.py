"""How good an exchange is as an example, told by its form alone; and which language it is in."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from finetune.spans import PLACEHOLDER
from store.transcripts import Said

FULL_LENGTH = 8  # words of the team, from which an exchange is long enough to show a voice
LONG = 300  # words, from which it is rather a document
LETTERS = 0.7  # share of letters and spaces that plain writing has at least
FRESH = 0.5  # share of different words that plain writing has at least
LEAST_LETTERS = 24  # below, a language is guessed rather than told
SHOUT = 4  # letters of a word in capitals that is shouted rather than short for something

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
END = re.compile(r"[.!?…:)\]\"”]\s*$|[^\w\s]\s*$")


def quality(messages: Sequence[Said]) -> float:
    """Return how good the team's words are to learn from, 0 … 1, without judging what they say.

    The mean of five shares: length (words / 8, at most 1, less beyond 300), messages that end as
    sentences do, letters among all characters (/ 0.7), different words among the first 100
    (/ 0.5), and words that are neither shouted nor placeholders. A formula of our own.
    """
    said = [message.text for message in messages if message.role == "team"]
    whole = "\n".join(said)
    plain = PLACEHOLDER.sub(" ", whole)
    words = WORD.findall(plain)
    if not words:
        return 0.0
    first = [word.casefold() for word in words[:100]]
    loud = sum(word.isupper() and len(word) >= SHOUT for word in words)
    gaps = len(PLACEHOLDER.findall(whole))
    letters = sum(letter.isalpha() or letter.isspace() for letter in plain) / len(plain)
    shares = (
        min(1.0, len(words) / FULL_LENGTH, LONG / len(words)),
        sum(bool(END.search(message)) for message in said) / len(said),
        min(1.0, letters / LETTERS),
        min(1.0, len(set(first)) / len(first) / FRESH),
        1 - (loud + gaps) / (len(words) + gaps),
    )
    return round(sum(shares) / len(shares), 3)


def language(texts: Sequence[str]) -> str | None:
    """Return the ISO 639-1 code of the language of texts; None where there is too little."""
    plain = " ".join(WORD.findall(PLACEHOLDER.sub(" ", " ".join(texts))))
    if len(plain) < LEAST_LETTERS:
        return None
    code, _ = _identifier().classify(plain)
    return str(code)


@cache
def _identifier() -> Any:
    # Half a second, and memory, that only this needs.
    import py3langid  # type: ignore[import-untyped] # noqa: PLC0415

    return py3langid
