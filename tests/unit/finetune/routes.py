"""Small labelled messages, an embedder of words, and a report that remembers."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from finetune.backends import RunCancelledError
from retrieval.embeddings import Vectors
from store.datasets import Dataset, DatasetRow, Format

THINGS = "lamp sofa chair table carpet mirror shelf clock vase stove".split()
GREETINGS = "thanks hello cheers lovely great morning super nice friend perfect".split()
PEOPLE = "person human agent colleague manager somebody advisor boss clerk owner".split()


def _routes() -> tuple[list[str], list[str]]:
    asked = [(f"can i return a {thing}", "policy") for thing in THINGS]
    chatted = [(f"{word} to you my dear bot", "small_talk") for word in GREETINGS]
    wanted = [(f"let me speak with a real {who}", "human") for who in PEOPLE]
    together = [*asked, *chatted, *wanted]
    return [text for text, _ in together], [label for _, label in together]


ROUTES = _routes()


class PlainEmbedder:
    """A sum of a fixed random vector for each word: the same words are near each other."""

    model = "plain"
    dimensions = 32

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors [len(texts), 32] of length 1."""
        rows = np.stack(
            [sum((_word(w) for w in text.split()), np.zeros(self.dimensions)) for text in texts]
        )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(lengths, 1e-9), dtype=np.float32)


def _word(word: str) -> Any:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4])
    return np.random.default_rng(seed).normal(size=32)


class Told:
    """A report that keeps what it was told; it is cancelled at the step of that number."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self.figures: list[dict[str, float]] = []
        self.events: list[str] = []
        self._cancel_at = cancel_at

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep it."""
        self.steps.append((step, total))
        self.figures.append(figures)
        if self._cancel_at is not None and len(self.steps) > self._cancel_at:
            raise RunCancelledError("Somebody asked to cancel the run.")

    def event(self, message: str, key: str | None = None) -> None:
        """Keep it."""
        self.events.append(message)

    def remote(self, **ids: Any) -> None:
        """There is no provider."""


def route_rows() -> list[DatasetRow]:
    """The messages as rows of a dataset, and four to look at what was learned."""
    texts, labels = ROUTES
    held = [
        ("can i return a bench", "policy"),
        ("good day to you my dear bot", "small_talk"),
        ("let me speak with a real doctor", "human"),
        ("can i return a bed", "policy"),
    ]
    rows = [("train", text, label) for text, label in zip(texts, labels, strict=True)]
    rows += [("validation", text, label) for text, label in held]
    return [
        DatasetRow(
            "train" if split == "train" else "validation",
            {"head": "route", "text": text, "history": [], "label": label},
            f"c{number}",
        )
        for number, (split, text, label) in enumerate(rows)
    ]


def dataset(form: Format) -> Dataset:
    """A dataset without rows of its own."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    return Dataset(1, 1, "test", form, "0" * 64, {}, "test", None, now)
