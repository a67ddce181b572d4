"""The trained router head that answers in a conversation, changed without a restart."""

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.embeddings import Embedder
from retrieval.loaded import Loaded
from retrieval.router_head import Judgement, RouterHead
from store.model_registry import ModelsInUse


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
        self._loaded = Loaded(lambda folder: RouterHead.load(folder, embedder))

    def serving(self, conversation: str | None) -> tuple[ServingHead | None, str | None]:
        """Return the head that answers in a conversation, or None and why it cannot.

        Both are None where the registry names none.
        """
        model = self._in_use.model("router", conversation)
        if model is None:
            return None, None
        head, note = self._loaded.of(model)
        if head is None:
            return None, note
        return ServingHead(model.id, model.name, head, self._embedder), None
