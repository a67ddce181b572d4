"""What a row may not be: empty, without a reply, too long, or with personal data left in it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from finetune.dataset.proposals import Problem, Proposal, has_words
from finetune.dataset.wanted import DatasetError, Wanted, tokens_of
from finetune.redact import redact
from store.transcripts import Transcript

SHOWN = 5  # problems that one refusal names


def left_unredacted(example: Transcript, names: Iterable[str]) -> Problem | None:
    """Redact an approved transcript once more; whatever is found now was missed before.

    The reason tells kinds, never what was found.
    """
    texts = [said.text for said in example.words]
    if example.disliked:
        texts.append(example.disliked)
    counts = redact(texts, names).counts
    if not counts:
        return None
    kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(counts.items()))
    return Problem(
        example.id,
        f"still holds what looks like personal data: {kinds}",
        "reopen it and edit those words, or reject it",
    )


def wrong_row(one: Proposal, wanted: Wanted) -> Problem | None:
    """Return what is wrong with a row as a trainer would read it, or None."""
    number = one.example.id
    for name, text in _texts(one.content):
        if not has_words(text):
            return Problem(
                number,
                f"gives a row whose {name} is empty or a placeholder",
                "edit it or reject it",
            )
    messages = one.content.get("messages")
    if messages is not None and messages[-1]["role"] != "assistant":
        return Problem(number, "gives a row without a reply at its end", "add the reply")
    tokens = tokens_of(sum(len(text) for _, text in _texts(one.content)))
    if tokens > wanted.context:
        return Problem(
            number,
            f"gives a row of about {tokens:,} tokens, and a row may have {wanted.context:,}",
            "shorten it, or allow more with --context",
        )
    return None


def _texts(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for message in (*content.get("messages", ()), *content.get("prompt", ())):
        yield f"{message['role']} message", message["content"]
    for name in ("chosen", "rejected", "text", "question"):
        if name in content:
            yield name, content[name]
    for name in ("positives", "negatives"):
        for text in content.get(name, ()):
            yield name, text


def letters_of(content: dict[str, Any]) -> int:
    """Return how many letters a row holds that a model reads."""
    return sum(len(text) for _, text in _texts(content))


def refuse(problems: Sequence[Problem]) -> None:
    """Raise DatasetError that names the first problems, if there are any."""
    if not problems:
        return
    shown = " ".join(str(problem) for problem in problems[:SHOWN])
    more = len(problems) - SHOWN
    rest = f" And {more:,} more." if more > 0 else ""
    raise DatasetError(f"{shown}{rest} --skip-bad leaves them out and says so in the report.")
