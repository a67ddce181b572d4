"""A small trained head on the embedder: which label a message has, and whether it has any.

A message's features are three. Its embedding; the embedding in random waves, cos and sin of random
projections, whose inner product is a Gaussian kernel (Rahimi and Recht, 2007), so that a linear
model bends as a kernel machine does and keeps no message that it learned from; and its words,
pairs of words and pieces of words, weighed by how rare they are and folded by signed hashing
(Weinberger et al., 2009): what the embedding blurs. Everything here is numpy; training is in
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
MOST_WORDS = 500  # of a message; what is longer says no more about its kind
PIECES = (3, 4, 5)  # characters of pieces of words
LONGEST = 40  # characters of a word that is cut into pieces
SPREAD = 2_654_435_761  # Knuth's multiplicative hash: other bits from the same CRC
SHARP = 0.1  # temperature of the best share among the signs of a foreign message

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
    """How messages become numbers: waves [d, w], the rarity [r] of words, folded into buckets.

    `reach` scales embedding and waves, `share` the words.
    """

    waves: Floats
    rarity: Floats
    buckets: int
    reach: float
    share: float

    @property
    def near(self) -> int:
        """The number of features that are of the embedding: they come first."""
        return 2 * int(self.waves.shape[1]) + int(self.waves.shape[0])

    @property
    def width(self) -> int:
        """The number of features."""
        return self.near + self.buckets

    def of(self, vectors: Vectors, texts: Sequence[str]) -> Floats:
        """Return features [n, width] of vectors [n, d] of length 1 and their texts."""
        return self.of_grams(vectors, [grams(text) for text in texts])

    def of_grams(self, vectors: Vectors, texts: Sequence[NDArray[np.int64]]) -> Floats:
        """Return the same of texts whose `grams` are known."""
        angles = vectors @ self.waves
        waves = self.waves.shape[1]
        made = np.empty((len(texts), self.width), dtype=np.float32)
        made[:, :waves], made[:, waves : 2 * waves] = np.cos(angles), np.sin(angles)
        made[:, : 2 * waves] *= self.reach / np.sqrt(waves)
        made[:, 2 * waves : self.near] = vectors * self.reach
        for row, hashes in enumerate(texts):
            made[row, self.near :] = self._words(hashes)
        return made

    def _words(self, hashes: NDArray[np.int64]) -> Floats:
        weights = self.rarity[hashes % len(self.rarity)]
        length = float(np.linalg.norm(weights)) or 1.0
        spread = (hashes * SPREAD) >> 8
        signed = np.where(spread & 1, weights, -weights) * (self.share / length)
        folded = np.bincount((spread >> 1) % self.buckets, signed, minlength=self.buckets)
        return np.asarray(folded, dtype=np.float32)


def grams(text: str) -> NDArray[np.int64]:
    """Return the hashes of a text's words, pairs of words and pieces of words, each once."""
    words = WORD.findall(text.casefold())[:MOST_WORDS]
    made = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
    for word in words:
        framed = f"<{word[:LONGEST]}>"
        for size in PIECES:
            made.update(f"#{framed[i : i + size]}" for i in range(len(framed) - size + 1))
    hashes = [zlib.crc32(gram.encode("utf-8", "replace")) for gram in made]
    return np.unique(np.array(hashes, dtype=np.int64))


@dataclass(frozen=True)
class Part:
    """One classifier: a linear model on features, calibrated, with a judge of what is foreign.

    `weights` [features, labels] give scores, which softmax makes probabilities after they are
    divided by `temperature`. `nearness` [near features, labels] tells how near a message is to
    what was learned, and `novelty` weighs the `signs` of that (its bias last); None where the
    part cannot tell what is foreign. `threshold` is the probability from which it is trusted.
    `contextual` says that vectors are those of a message and of it in its conversation, side by
    side.
    """

    labels: tuple[str, ...]
    features: Features
    weights: Floats
    nearness: Floats
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
        rows = self.features.of(vectors, texts)
        near = rows[:, : self.features.near] @ self.nearness
        return self.calibrated(rows @ self.weights, near)

    def calibrated(self, scores: Floats, near: Floats) -> tuple[Floats, Floats]:
        """Return probabilities [n, labels] and of being foreign [n], from both scores.

        Where there is a label for what belongs nowhere, its probability is that of being foreign.
        """
        nowhere = self.nowhere
        if self.novelty is None:
            plain = softmax(scores / self.temperature)
            foreign = np.zeros(len(scores)) if nowhere is None else plain[:, nowhere]
            return plain, np.asarray(foreign, np.float32)
        told = signs(near, nowhere) @ self.novelty[:-1] + self.novelty[-1]
        foreign = np.asarray(1 / (1 + np.exp(-np.clip(told, -30, 30))), np.float32)
        if nowhere is None:
            return softmax(scores / self.temperature), foreign
        rest = softmax(np.delete(scores, nowhere, axis=1) / self.temperature)
        together = np.insert(rest * (1 - foreign)[:, None], nowhere, foreign, axis=1)
        return np.asarray(together, np.float32), foreign

    def inputs(self, text: str, history: Sequence[str]) -> list[str]:
        """Return the texts whose vectors side by side stand for a message."""
        return [text, in_conversation(text, history)] if self.contextual else [text]


def in_conversation(text: str, history: Sequence[str]) -> str:
    """Return a message with the turns before it (oldest first), the latest of them first."""
    return "\n".join([text, *reversed(history[-HISTORY_TURNS:])])


def side_by_side(vectors: Sequence[Vectors]) -> Vectors:
    """Return arrays [n, d] of vectors of length 1 as one [n, m d], of length 1 again."""
    return np.asarray(np.concatenate(vectors, axis=1) / len(vectors) ** 0.5, dtype=np.float32)


def signs(near: Floats, nowhere: int | None) -> Floats:
    """Return what tells a foreign message [n, 6], from scores of nearness [n, labels].

    The best score, its lead, the sum and the length of all, the best one's share, and the score
    of the label for what belongs nowhere (0 without one). Far from all that was learned, waves
    add up to nothing: scores tend to 0.
    """
    inside = near if nowhere is None else np.delete(near, nowhere, axis=1)
    ranked = np.sort(inside, axis=1)
    made = np.stack(
        [
            ranked[:, -1],
            ranked[:, -1] - ranked[:, -2],
            inside.sum(axis=1),
            np.linalg.norm(inside, axis=1),
            softmax(inside / SHARP).max(axis=1),
            np.zeros(len(near)) if nowhere is None else near[:, nowhere],
        ],
        axis=1,
    )
    return np.asarray(made, dtype=np.float32)


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
            floats("rarity"),
            int(told["buckets"]),
            float(told["reach"]),
            float(told["share"]),
        ),
        weights=floats("weights"),
        nearness=floats("nearness"),
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
        and features.rarity.ndim == 1
        and len(features.rarity) > 0
        and part.weights.shape == (features.width, len(part.labels))
        and part.nearness.shape == (features.near, len(part.labels))
        and (part.novelty is None or part.novelty.shape == (SIGNS + 1,))
        and len(part.labels) > 1
        and part.temperature > 0
    )
