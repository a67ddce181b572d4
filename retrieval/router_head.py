"""A small trained head on the embedder: which label a message has, and whether it has any.

A message's features are two. One is its embedding in random waves, cos and sin of random
projections, whose inner product is a Gaussian kernel (Rahimi and Recht, 2007): a linear model on
them bends as a kernel machine does, and no message that it learned from is kept in it. The other
is its words and pairs of words, by their hashes and weighed by how rare they are: what the
embedding blurs, such as one number and another. Everything here is numpy; training is in
`finetune.router_head`.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.artefacts import ArtefactError, check_embedder, load
from retrieval.embeddings import Embedder, Vectors

KIND = "router head"
SIGNS = 6  # of a foreign message
NOWHERE = frozenset({"oos", "out_of_scope"})
"""Labels of messages that belong to none of the others."""
HISTORY_TURNS = 8  # earlier turns that join a message's vector in a head that reads them
WORD = re.compile(r"[^\W_]+|[?!]")
MOST_WORDS = 1_000  # of a message; what is longer says no more about its kind

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Judgement:
    """What a part says of a message: a label, how sure it is, and from where it is trusted.

    `out_of_scope` is the probability that the message is like nothing the part learned from.
    """

    label: str
    probability: float
    threshold: float
    out_of_scope: float


@dataclass(frozen=True)
class Features:
    """How messages become numbers: waves [d, w], and known words by their hashes and rarity [v].

    `words` is in order. `share` is the weight of the words beside the waves' 1.
    """

    waves: Floats
    words: NDArray[np.int64]
    rarity: Floats
    share: float

    @property
    def width(self) -> int:
        """The number of features."""
        return 2 * int(self.waves.shape[1]) + len(self.words)

    def of(self, vectors: Vectors, texts: Sequence[str]) -> Floats:
        """Return features [n, width] of vectors [n, d] of length 1 and their texts."""
        angles = vectors @ self.waves
        waves = self.waves.shape[1]
        made = np.zeros((len(texts), self.width), dtype=np.float32)
        made[:, :waves], made[:, waves : 2 * waves] = np.cos(angles), np.sin(angles)
        made[:, : 2 * waves] /= np.sqrt(waves)
        for row, text in enumerate(texts):
            columns = self._known(text)
            weights = self.rarity[columns]
            length = float(np.linalg.norm(weights)) or 1.0
            made[row, 2 * waves + columns] = weights * (self.share**0.5 / length)
        return made

    def _known(self, text: str) -> NDArray[np.intp]:
        if not len(self.words):
            return np.zeros(0, dtype=np.intp)
        hashes = grams(text)
        places = np.minimum(np.searchsorted(self.words, hashes), len(self.words) - 1)
        return np.asarray(places[self.words[places] == hashes], dtype=np.intp)


def grams(text: str) -> NDArray[np.int64]:
    """Return the hashes of a text's words and pairs of neighbouring words, each once."""
    words = WORD.findall(text.casefold())[:MOST_WORDS]
    made = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
    return np.unique(np.array([zlib.crc32(gram.encode()) for gram in made], dtype=np.int64))


@dataclass(frozen=True)
class Part:
    """One classifier: a linear model on features, calibrated, with a judge of what is foreign.

    `weights` [features, labels]. `temperature` divides the scores before softmax. `novelty`
    weighs `signs` (and ends with the bias), None where the part cannot tell what is foreign.
    `threshold` is the probability from which it is trusted. `contextual` says that the vectors
    are those of the message and of the message in its conversation, side by side.
    """

    labels: tuple[str, ...]
    features: Features
    weights: Floats
    temperature: float
    threshold: float
    novelty: Floats | None
    contextual: bool

    @property
    def nowhere(self) -> int | None:
        """The place of the label of what belongs to none of the others."""
        return next((i for i, label in enumerate(self.labels) if label in NOWHERE), None)

    def predict(self, vectors: Vectors, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Return probabilities [n, labels], and of being foreign [n]."""
        scores = self.features.of(vectors, texts) @ self.weights
        return calibrated(scores, self.temperature, self.novelty, self.nowhere)

    def inputs(self, text: str, history: Sequence[str]) -> list[str]:
        """Return the texts whose vectors side by side stand for a message."""
        return [text, in_conversation(text, history)] if self.contextual else [text]


def in_conversation(text: str, history: Sequence[str]) -> str:
    """Return a message with the turns before it (oldest first), the latest of them first."""
    return "\n".join([text, *reversed(history[-HISTORY_TURNS:])])


def side_by_side(vectors: Sequence[Vectors]) -> Vectors:
    """Return arrays [n, d] of vectors of length 1 as one [n, m d], of length 1 again."""
    return np.asarray(np.concatenate(vectors, axis=1) / len(vectors) ** 0.5, dtype=np.float32)


def signs(scores: Floats, temperature: float, nowhere: int | None) -> Floats:
    """Return what tells a foreign message [n, 6], from scores [n, labels].

    The best score, its lead, the sum and the length of all, the best probability, and the score
    of the label for what belongs nowhere (0 without one). Far from all that was learned, waves
    add up to nothing: scores tend to 0.
    """
    inside = scores if nowhere is None else np.delete(scores, nowhere, axis=1)
    ranked = np.sort(inside, axis=1)
    made = np.stack(
        [
            ranked[:, -1],
            ranked[:, -1] - ranked[:, -2],
            inside.sum(axis=1),
            np.linalg.norm(inside, axis=1),
            softmax(inside / temperature).max(axis=1),
            np.zeros(len(scores)) if nowhere is None else scores[:, nowhere],
        ],
        axis=1,
    )
    return np.asarray(made, dtype=np.float32)


def calibrated(
    scores: Floats, temperature: float, novelty: Floats | None, nowhere: int | None
) -> tuple[Floats, Floats]:
    """Return probabilities [n, labels] and of being foreign [n] for scores [n, labels].

    Where there is a label for what belongs nowhere, its probability is that of being foreign.
    """
    if novelty is None:
        inside = softmax(scores / temperature)
        foreign = np.zeros(len(scores)) if nowhere is None else inside[:, nowhere]
        return np.asarray(inside, np.float32), np.asarray(foreign, np.float32)
    told = signs(scores, temperature, nowhere) @ novelty[:-1] + novelty[-1]
    foreign = 1 / (1 + np.exp(-np.clip(told, -30, 30)))
    if nowhere is None:
        return softmax(scores / temperature), np.asarray(foreign, np.float32)
    rest = softmax(np.delete(scores, nowhere, axis=1) / temperature) * (1 - foreign)[:, None]
    together = np.insert(rest, nowhere, foreign, axis=1)
    return np.asarray(together, np.float32), np.asarray(foreign, np.float32)


def softmax(values: Floats) -> Floats:
    """Return each row's exponentials as shares of their sum."""
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)


class RouterHead:
    """The parts of one artefact, such as "route" and "sentiment"; safe to use from threads."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        """Hold the parts by their names."""
        self.parts = parts

    @classmethod
    def load(cls, folder: Path, embedder: Embedder) -> "RouterHead":
        """Read a folder. Raises ArtefactError, also where it was made for another embedder."""
        card, numbers = load(folder, KIND)
        check_embedder(card, numbers, embedder)
        try:
            parts = {name: _part(told, name, numbers) for name, told in card["parts"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtefactError(f"its folder {folder} is damaged; train it again.") from error
        if not all(_fits(part, embedder.dimensions) for part in parts.values()) or not parts:
            raise ArtefactError(f"its folder {folder} is damaged; train it again.")
        return cls(parts)

    def predict(self, name: str, vectors: Vectors, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Return a part's probabilities [n, labels] and of being foreign [n].

        `vectors` [n, d], or [n, 2 d] for a part that is contextual.
        """
        return self.parts[name].predict(vectors, texts)

    def judge(
        self, name: str, embedder: Embedder, text: str, history: Sequence[str] = ()
    ) -> Judgement:
        """Return what a part says of one message, with the turns before it, oldest first."""
        part = self.parts[name]
        rows = embedder.embed(part.inputs(text, history))
        probabilities, foreign = part.predict(side_by_side([row[None] for row in rows]), [text])
        best = int(np.argmax(probabilities[0]))
        return Judgement(
            part.labels[best], float(probabilities[0, best]), part.threshold, float(foreign[0])
        )


def _part(told: Mapping[str, Any], name: str, numbers: Mapping[str, NDArray[Any]]) -> Part:
    def floats(key: str) -> Floats:
        return np.asarray(numbers[f"{name}.{key}"], dtype=np.float32)

    return Part(
        labels=tuple(str(label) for label in told["labels"]),
        features=Features(
            floats("waves"),
            np.asarray(numbers[f"{name}.words"], dtype=np.int64),
            floats("rarity"),
            float(told["share"]),
        ),
        weights=floats("weights"),
        temperature=float(told["temperature"]),
        threshold=float(told["threshold"]),
        novelty=floats("novelty") if told["novelty"] else None,
        contextual=bool(told["contextual"]),
    )


def _fits(part: Part, dimensions: int) -> bool:
    """Whether the shapes of a part agree with each other and with the embedder."""
    features = part.features
    return (
        features.waves.ndim == 2
        and features.waves.shape[0] == dimensions * (1 + part.contextual)
        and features.words.shape == features.rarity.shape == (len(features.rarity),)
        and part.weights.shape == (features.width, len(part.labels))
        and (part.novelty is None or part.novelty.shape == (SIGNS + 1,))
        and len(part.labels) > 1
        and part.temperature > 0
    )
