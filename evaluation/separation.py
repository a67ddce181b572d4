"""How well the style panel tells two voices of one file apart, on conversations it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.ngrams import WordModel
from evaluation.said import Utterance, two_voices
from evaluation.style import HABITS, readability
from evaluation.voices import FOLDS, WORD, Floats, auroc, distinct, fold_of, learn, masked

FEWEST_UNSEEN = 20  # texts of each voice, for a figure on wordings that nobody learned


@dataclass(frozen=True)
class Separation:
    """AUROC of each part of the panel: 0.5 tells nothing, 1 tells all; below 0.5 the other way.

    `messages` is over single messages, `conversations` over one voice's messages of a
    conversation together. `unseen` is the judge of voices on wordings that stand in no
    conversation it learned from, None where there are too few.
    """

    voices: tuple[str, str]
    counts: tuple[int, int]
    messages: dict[str, float]
    conversations: dict[str, float]
    unseen: float | None
    unseen_counts: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {
            "voices": list(self.voices),
            "messages": list(self.counts),
            "auroc_messages": {name: round(v, 4) for name, v in self.messages.items()},
            "auroc_conversations": {name: round(v, 4) for name, v in self.conversations.items()},
            "auroc_unseen_wordings": None if self.unseen is None else round(self.unseen, 4),
            "unseen_wordings": list(self.unseen_counts),
        }


def separate(
    said: Sequence[Utterance], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Separation:
    """Cross-validate the panel's parts in five folds of whole conversations."""
    ours, theirs, names = two_voices(said)
    texts = [one.text for one in (*ours, *theirs)]
    conversations = [one.conversation for one in (*ours, *theirs)]
    labels = np.array([1.0] * len(ours) + [0.0] * len(theirs))
    folds = fold_of(conversations)
    judged, expected = np.zeros(len(texts)), np.zeros(len(texts))
    unseen = np.zeros(len(texts), dtype=bool)
    for fold in range(FOLDS):
        mine, others = (
            [text for text, _ in _of(texts, conversations, (folds != fold) & (labels == label))]
            for label in (1, 0)
        )
        held = np.flatnonzero(folds == fold)
        asked = [texts[place] for place in held]
        judged[held] = learn(mine, others).scores(asked)
        # What one model expects and the other does not: topics are expected by both.
        team, other = WordModel(mine), WordModel(others)
        expected[held] = [other.surprise(text) - team.surprise(text) for text in asked]
        known = {masked(text) for text in (*mine, *others)}
        unseen[held] = [masked(text) not in known for text in asked]
        progress(fold + 1, FOLDS)
    scores: dict[str, Floats] = {
        "judge of voices": judged,
        "expected words": expected,
        "length": np.array([float(len(WORD.findall(text))) for text in texts]),
        "readability": np.array([readability(text) for text in texts]),
        **{
            name.replace("_", " "): np.array([float(holds(text)) for text in texts])
            for name, holds in HABITS.items()
        },
    }
    fresh = (int((unseen & (labels == 1)).sum()), int((unseen & (labels == 0)).sum()))
    return Separation(
        voices=names,
        counts=(len(ours), len(theirs)),
        messages={name: auroc(values, labels) for name, values in scores.items()},
        conversations=_by_conversation(scores, labels, conversations),
        unseen=auroc(judged[unseen], labels[unseen]) if min(fresh) >= FEWEST_UNSEEN else None,
        unseen_counts=fresh,
    )


def _of(texts: Sequence[str], conversations: Sequence[str], chosen: Any) -> list[tuple[str, str]]:
    places = [int(place) for place in np.flatnonzero(chosen)]
    return distinct([texts[i] for i in places], [conversations[i] for i in places])


def _by_conversation(
    scores: dict[str, Floats], labels: Floats, conversations: Sequence[str]
) -> dict[str, float]:
    """Return AUROC over the means of each voice's messages in each conversation."""
    keys = [f"{label:g} {name}" for label, name in zip(labels, conversations, strict=True)]
    _, first, places = np.unique(keys, return_index=True, return_inverse=True)
    counts = np.bincount(places)
    return {
        name: auroc(np.bincount(places, values) / counts, labels[first])
        for name, values in scores.items()
    }
