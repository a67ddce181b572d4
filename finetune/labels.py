"""Labels that curators put on transcripts: which there are, and which values each takes."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from core.errors import FootnoteError
from store.answers import Route

SENTIMENTS = ("upset", "worried", "neutral", "pleased")
URGENCIES = ("low", "normal", "high")
CHOICES: dict[str, tuple[str, ...]] = {
    "route": get_args(Route),
    "sentiment": SENTIMENTS,
    "urgency": URGENCIES,
}
"""Labels with a fixed choice. `intent` is a word of one's own, `tone` a list of such."""

NAMES = (*CHOICES, "intent", "tone")
TAG = re.compile(r"[^\W_][\w .-]{0,39}")
MOST_TAGS = 10


class LabelError(FootnoteError):
    """A label is not one of those that there are, or has a value that it does not take."""


def checked_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Return labels in the form in which they are kept; None takes a label away.

    Raises LabelError with the values that a label takes.
    """
    return {name: _checked(name, value) for name, value in labels.items()}


def parse_labels(written: str) -> dict[str, Any]:
    """Read "route=policy tone=warm,short sentiment=": a label without a value is taken away."""
    labels: dict[str, Any] = {}
    for part in written.split():
        name, found, value = part.partition("=")
        if not found:
            raise LabelError(f"Write labels as name=value, such as route=policy; {part} is none.")
        if name == "tone":
            labels[name] = [tag for tag in value.split(",") if tag] or None
        else:
            labels[name] = value or None
    return checked_labels(labels)


def _checked(name: str, value: Any) -> Any:
    if name not in NAMES:
        raise LabelError(f"There is no label {str(name)[:40]!r}; there are {', '.join(NAMES)}.")
    if value is None:
        return None
    if name in CHOICES:
        if value not in CHOICES[name]:
            raise LabelError(
                f"{name} cannot be {str(value)[:40]!r}; it is one of {', '.join(CHOICES[name])}."
            )
        return value
    tags = value if name == "tone" else [value]
    if not isinstance(tags, list) or len(tags) > MOST_TAGS:
        raise LabelError(f"tone is a list of at most {MOST_TAGS} words.")
    for tag in tags:
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            raise LabelError(f"{name} takes words of up to 40 letters, unlike {str(tag)[:40]!r}.")
    return list(dict.fromkeys(tags)) if name == "tone" else value
