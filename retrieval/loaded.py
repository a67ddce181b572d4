"""Models of the registry as they are loaded: each once, and tried again after it failed."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from core.logs import logger
from retrieval.artefacts import ArtefactError
from store.model_registry import Model

KEPT = 4  # in memory: the active one, a canary, and those before them for a way back
RETRY = 60.0  # seconds until what could not be loaded is tried again

log = logger(__name__)

T = TypeVar("T")


class Loaded(Generic[T]):
    """What the registry's models of one kind are loaded to; for several threads."""

    def __init__(self, load: Callable[[Path], T]) -> None:
        """Load nothing yet; `load` reads a folder and raises ArtefactError."""
        self._load = load
        self._loaded: dict[int, T] = {}  # by the model's id, oldest first
        self._failed: dict[int, tuple[float, str]] = {}  # when, and why
        self._lock = Lock()

    def of(self, model: Model) -> tuple[T | None, str | None]:
        """Return a model, or None and why it is not used; the log says that once."""
        with self._lock:
            loaded = self._loaded.get(model.id)
            if loaded is not None:
                return loaded, None
            failed = self._failed.get(model.id)
            if failed is not None and time.monotonic() - failed[0] < RETRY:
                return None, failed[1]
            try:
                made = self._load(Path(model.artefact))
            except ArtefactError as error:
                note = f"{model.name}: not used, {error}"
                if failed is None:
                    log.warning("model not used", model=model.id, kind=model.kind, why=str(error))
                self._failed[model.id] = (time.monotonic(), note)
                return None, note
            self._failed.pop(model.id, None)
            self._loaded[model.id] = made
            for oldest in list(self._loaded)[:-KEPT]:
                del self._loaded[oldest]
            return made, None
