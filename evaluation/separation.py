"""How well the style panel tells two voices of one file apart, on conversations it never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.gate import FEWEST_CONVERSATIONS, Figure, decide
from evaluation.ngrams import WordModel
from evaluation.said import Utterance, two_voices
from evaluation.statistics import auroc
from evaluation.style import HABITS, readability
from evaluation.voices import (
    FEWEST,
    FOLDS,
    SEED,
    WORD,
    Floats,
    VoiceError,
    distinct,
    fold_of,
    learn,
    masked,
)

GATES = 400  # that are tried for each kind of candidate
GATE_SIZE = 60  # conversations that one of them is decided on
FEWEST_UNSEEN = 20  # texts of each voice, for a figure on wordings that nobody learned


@dataclass(frozen=True)
class Separation:
    """AUROC of each part of the panel: 0.5 tells nothing, 1 tells all; below 0.5 the other way.

    `messages` is over single messages, `conversations` over one voice's messages of a
    conversation together. `unseen` is the judge of voices on wordings that stand in no
    conversation it learned from, None where there are too few. `promoted` is the share of gates
    that let a candidate through which is "the same" voice as the incumbent, "the team's" against
    the other, and "the other" against the team's; one that cannot be tried is left out.
    """

    voices: tuple[str, str]
    counts: tuple[int, int]
    messages: dict[str, float]
    conversations: dict[str, float]
    unseen: float | None
    unseen_counts: tuple[int, int]
    promoted: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON types."""
        return {
            "voices": list(self.voices),
            "messages": list(self.counts),
            "auroc_messages": {name: round(v, 4) for name, v in self.messages.items()},
            "auroc_conversations": {name: round(v, 4) for name, v in self.conversations.items()},
            "auroc_unseen_wordings": None if self.unseen is None else round(self.unseen, 4),
            "unseen_wordings": list(self.unseen_counts),
            "gates": GATES,
            "promoted": {name: round(share, 4) for name, share in self.promoted.items()},
        }


def separate(
    said: Sequence[Utterance], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Separation:
    """Cross-validate the panel's parts in five folds of whole conversations."""
    ours, theirs, names = two_voices(said)
    for some, name in zip((ours, theirs), names, strict=True):
        different = {one.text for one in some}
        if len(different) < FEWEST:
            raise VoiceError(
                f"{len(different)} different texts of {name} are too few to tell it from another;"
                f" it takes {FEWEST}."
            )
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
        promoted=try_gates(judged, labels, conversations),
    )


def try_gates(
    judged: Floats, labels: Floats, conversations: Sequence[str], gates: int = GATES
) -> dict[str, float]:
    """Return the share of gates that a candidate passes which speaks in a known voice.

    Each gate draws conversations, and in each of them one message of people for the candidate
    and another for the incumbent, as if they had said it. The judge saw none of these.
    """
    voice = 1 / (1 + np.exp(-judged))
    said: dict[str, tuple[list[int], list[int]]] = {}
    for place, (name, label) in enumerate(zip(conversations, labels, strict=True)):
        said.setdefault(name, ([], []))[0 if label else 1].append(place)
    both = [name for name, (ours, theirs) in said.items() if ours and theirs]
    kinds: dict[str, tuple[list[str], int, int]] = {
        "the same": ([name for name, (ours, _) in said.items() if len(ours) > 1], 0, 0),
        "the team's": (both, 0, 1),
        "the other": (both, 1, 0),
    }
    random = np.random.default_rng(SEED)
    promoted: dict[str, float] = {}
    for kind, (names, candidate, incumbent) in kinds.items():
        if len(names) < FEWEST_CONVERSATIONS:
            continue
        passed = 0
        for _ in range(gates):
            drawn = random.choice(len(names), min(GATE_SIZE, len(names)), replace=False)
            pairs = []
            for name in (names[int(place)] for place in drawn):
                ours, theirs = said[name][candidate], said[name][incumbent]
                first, second = (
                    random.choice(ours, 2, replace=False)
                    if candidate == incumbent
                    else (random.choice(ours), random.choice(theirs))
                )
                pairs.append((name, float(voice[first]), float(voice[second])))
            groups, mine, other = zip(*pairs, strict=True)
            passed += decide(Figure("voice", groups, mine, other), [], ()).passed
        promoted[kind] = passed / gates
    return promoted


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
