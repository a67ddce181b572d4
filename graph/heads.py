"""The trained router heads that the registry names, loaded once and changed without a restart."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from core.logs import logger
from retrieval.artefacts import ArtefactError
from retrieval.embeddings import Embedder
from retrieval.router_head import Judgement, RouterHead
from store.model_registry import Model, ModelsInUse

KEPT = 4  # heads in memory: the active one, a canary, and those before them for a way back
RETRY = 60.0  # seconds until a head that could not be loaded is tried again

log = logger(__name__)


@dataclass(frozen=True)
class ServingHead:
    """A loaded head under its id and name in the registry."""

    id: int
    name: str
    head: RouterHead
    embedder: Embedder

    def judge(self, part: str, text: str, history: Sequence[str] = ()) -> Judgement | None:
        """Return what the head says of a message, or None where it has no such part."""
        if part not in self.head.parts:
            return None
        return self.head.judge(part, self.embedder, text, history)


class CurrentHeads:
    """The heads of one workspace, asked for at each message: a promotion needs no restart."""

    def __init__(self, in_use: ModelsInUse, embedder: Embedder) -> None:
        """Load nothing yet."""
        self._in_use = in_use
        self._embedder = embedder
        self._loaded: dict[int, ServingHead] = {}  # by the model's id, oldest first
        self._failed: dict[int, tuple[float, str]] = {}  # when, and why
        self._lock = Lock()

    def serving(self, conversation: str | None) -> tuple[ServingHead | None, str | None]:
        """Return the head that answers in a conversation, or None and why it cannot.

        Both are None where the registry names none.
        """
        model = self._in_use.model("router", conversation)
        if model is None:
            return None, None
        with self._lock:
            return self._of(model)

    def _of(self, model: Model) -> tuple[ServingHead | None, str | None]:
        loaded = self._loaded.get(model.id)
        if loaded is not None:
            return loaded, None
        failed = self._failed.get(model.id)
        if failed is not None and time.monotonic() - failed[0] < RETRY:
            return None, failed[1]
        try:
            head = RouterHead.load(Path(model.artefact), self._embedder)
        except ArtefactError as error:
            note = f"{model.name}: not used, {error}"
            if failed is None:
                log.warning("router head not used", model=model.id, reason=str(error))
            self._failed[model.id] = (time.monotonic(), note)
            return None, note
        self._failed.pop(model.id, None)
        self._loaded[model.id] = made = ServingHead(model.id, model.name, head, self._embedder)
        for oldest in list(self._loaded)[:-KEPT]:
            del self._loaded[oldest]
        return made, None
