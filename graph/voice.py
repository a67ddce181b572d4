"""Who says it in the team's voice: the tuned model in use, or examples shown to the base model."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from core.settings import Settings
from graph.models import open_model
from graph.mood import Mood
from retrieval.embeddings import Embedder
from retrieval.voice import Register
from store.access import Access
from store.model_registry import Model, ModelsInUse
from store.tone import ToneExample, tone_examples

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

EXAMPLES = 500  # latest approved exchanges of which the nearest are shown
EXAMPLES_FRESH = 30.0  # seconds until approved examples are read again
SHOWN = 3  # examples in one request
OPEN_MODELS = 8  # clients kept


@dataclass(frozen=True)
class Speaker:
    """A tuned model in use, ready to be asked."""

    model: Model
    chat: "ChatOpenAI"


def register_of(mood: Mood) -> Register:
    """Return how to say it to somebody in that mood."""
    if mood.sentiment in ("upset", "worried"):
        return "calm"
    if mood.urgent:
        return "brief"
    return "warm" if mood.sentiment == "pleased" else "plain"


class Voices:
    """Knows the style model of each conversation of one workspace, and the approved examples."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        workspace_id: int,
        embedder: Embedder,
        in_use: ModelsInUse,
    ) -> None:
        self._settings = settings
        self._in_use = in_use
        self._engine = engine
        self._workspace_id = workspace_id
        self._embedder = embedder
        self._lock = Lock()
        self._open: dict[tuple[str, str | None], ChatOpenAI] = {}  # oldest first
        self._examples: list[ToneExample] = []
        self._vectors: dict[tuple[int, int], NDArray[np.float32]] = {}
        self._read_at = float("-inf")

    def model_for(self, conversation: str | None) -> Model | None:
        """Return the style model that answers in a conversation."""
        return self._in_use.model("style", conversation)

    def speaker(self, model: Model) -> Speaker | None:
        """Return a style model ready to be asked; None where no address serves it."""
        if model.backend == "local" and model.endpoint is None:
            return None
        key = (model.artefact, model.endpoint)
        with self._lock:
            chat = self._open.get(key)
            if chat is None:
                chat = open_model(self._settings, model.artefact, model.endpoint)
                if chat is None:
                    return None
                if len(self._open) >= OPEN_MODELS:
                    del self._open[next(iter(self._open))]
                self._open[key] = chat
        return Speaker(model, chat)

    def nearest(self, message: str, access: Access, count: int = SHOWN) -> Sequence[ToneExample]:
        """Return the approved examples whose question is nearest, of those that may be shown."""
        known = [one for one in self._current() if one.may_be_shown(access)]
        if not known:
            return ()
        vectors = self._embedded(known)
        likeness = vectors @ self._embedder.embed([message])[0]
        return [known[int(place)] for place in np.argsort(-likeness)[:count]]

    def _current(self) -> list[ToneExample]:
        """Return the approved examples as they were a moment ago."""
        with self._lock:
            if time.monotonic() - self._read_at < EXAMPLES_FRESH:
                return self._examples
        found = tone_examples(self._engine, self._workspace_id, EXAMPLES)
        with self._lock:
            self._examples, self._read_at = found, time.monotonic()
            kept = {(one.id, one.revision) for one in found}
            self._vectors = {key: v for key, v in self._vectors.items() if key in kept}
        return found

    def _embedded(self, examples: Sequence[ToneExample]) -> NDArray[np.float32]:
        with self._lock:
            known = dict(self._vectors)
        fresh = [one for one in examples if (one.id, one.revision) not in known]
        if fresh:
            rows = self._embedder.embed([one.asked for one in fresh])
            new = {(one.id, one.revision): row for one, row in zip(fresh, rows, strict=True)}
            known |= new
            with self._lock:
                self._vectors |= new
        return np.stack([known[one.id, one.revision] for one in examples])
