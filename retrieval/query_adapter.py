"""A trained turn of the question's vector towards the passages that answered such questions.

Only the question is turned: documents keep their vectors, so that nothing is embedded anew and a
way back takes no time. The turn is linear, q + qΔ, of length 1 again; without training Δ is 0 and
the question stays as it is. Training is in `finetune.query_adapter`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.artefacts import ArtefactError, check_embedder, load
from retrieval.embeddings import Embedder, Vectors
from retrieval.loaded import Loaded
from store.model_registry import ModelsInUse

KIND = "query adapter"


@dataclass(frozen=True)
class QueryAdapter:
    """A turn `delta` [d, d] of vectors of length 1."""

    delta: NDArray[np.float32]

    @classmethod
    def load(cls, folder: Path, embedder: Embedder) -> "QueryAdapter":
        """Read a folder. Raises ArtefactError, also where it was made for another embedder."""
        card, numbers = load(folder, KIND)
        check_embedder(card, numbers, embedder)
        delta = np.asarray(numbers.get("delta", ()), dtype=np.float32)
        if delta.shape != (embedder.dimensions, embedder.dimensions) or not (
            np.isfinite(delta).all()
        ):
            raise ArtefactError(f"its folder {folder} is damaged; train it again.")
        return cls(delta)

    def apply(self, vectors: Vectors) -> Vectors:
        """Return vectors [n, d] turned, of length 1 again."""
        turned = vectors + vectors @ self.delta
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        return np.asarray(turned / np.maximum(lengths, 1e-9), dtype=np.float32)


@dataclass(frozen=True)
class Adapted:
    """Which model turned a question; `note` says why the one in use did not."""

    model_id: int
    name: str
    note: str | None = None


class Adapters(Protocol):
    """Says how a question is turned."""

    def turn(
        self, vector: NDArray[np.float32], embedder: Embedder, conversation: str | None
    ) -> tuple[NDArray[np.float32], Adapted | None]:
        """Return a question's vector [d] as it is searched for, and whose turn it is."""


@dataclass(frozen=True)
class OneAdapter:
    """The same adapter for every question, in use or not: for measuring it."""

    adapter: QueryAdapter

    def turn(
        self, vector: NDArray[np.float32], embedder: Embedder, conversation: str | None
    ) -> tuple[NDArray[np.float32], Adapted | None]:
        """Turn a question's vector [d]."""
        del embedder, conversation
        return self.adapter.apply(vector[None])[0], None


class CurrentAdapters:
    """The adapters of one workspace, asked for at each question."""

    def __init__(self, in_use: ModelsInUse) -> None:
        """Load nothing yet."""
        self._in_use = in_use
        self._loaded: dict[str, Loaded[QueryAdapter]] = {}  # by the embedder's model

    def turn(
        self, vector: NDArray[np.float32], embedder: Embedder, conversation: str | None
    ) -> tuple[NDArray[np.float32], Adapted | None]:
        """Return a question's vector [d] as it is searched for, and whose turn it is."""
        model = self._in_use.model("query_adapter", conversation)
        if model is None:
            return vector, None
        loaded = self._loaded.setdefault(
            embedder.model, Loaded(lambda folder: QueryAdapter.load(folder, embedder))
        )
        adapter, note = loaded.of(model)
        if adapter is None:
            return vector, Adapted(model.id, model.name, note)
        return adapter.apply(vector[None])[0], Adapted(model.id, model.name)
