"""Measures a query adapter against how questions are searched now, on pairs it never learned."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.gate import Decision, Figure, GateError, decide
from retrieval.artefacts import ArtefactError
from retrieval.embeddings import Embedder, Vectors
from retrieval.query_adapter import QueryAdapter
from retrieval.router_head import in_conversation
from store.datasets import DatasetRow
from store.model_registry import Model

DEPTH = 5
MARGIN = 0.02  # of hit@5, which may not be given for hit@1
MOST_PASSAGES = 3_000  # that a question is to be told apart from; a minute of embedding
BATCH = 64


def measure_adapter(
    embedder: Embedder, candidate: Model, incumbent: Model | None, rows: Sequence[DatasetRow]
) -> Decision:
    """Return the verdict on an adapter against the active one, or against none.

    The main figure is the share of held-out questions whose nearest passage is one that was
    cited, among all passages of the dataset: its own, the ones that the retriever ranked high,
    and those of other questions. Raises GateError where an adapter cannot be read.
    """
    held = [row for row in rows if row.split == "validation" and row.content["positives"]]
    if not held:
        raise GateError(
            "The dataset has no held-out questions with a cited passage; build a larger one with"
            " `footnote finetune dataset build --format pairs`."
        )
    passages = _passages(held, rows)
    places = {passage: place for place, passage in enumerate(passages)}
    vectors = _embed(embedder, passages)
    asked = _embed(
        embedder,
        [in_conversation(r.content["question"], r.content.get("history") or ()) for r in held],
    )
    right = [{places[one] for one in row.content["positives"]} for row in held]
    ours = _ranked(_turned(candidate, embedder, asked), vectors)
    theirs = _ranked(asked if incumbent is None else _turned(incumbent, embedder, asked), vectors)
    groups = [row.conversation for row in held]
    first, best = (
        Figure(f"hit@{depth}", groups, _hits(ours, right, depth), _hits(theirs, right, depth), at)
        for depth, at in ((1, None), (DEPTH, MARGIN))
    )
    decided = decide(first, [best], ())
    more = {
        "kind": "query_adapter",
        "against": incumbent.name if incumbent else "no adapter",
        "cases": len(held),
        "passages": len(passages),
    }
    return Decision(decided.passed, decided.reason, decided.evidence | more)


def _passages(held: Sequence[DatasetRow], rows: Sequence[DatasetRow]) -> list[str]:
    """Return each passage once: those of held-out questions, then others up to the limit."""
    found: dict[str, None] = {}
    for number, row in enumerate([*held, *rows]):
        if number >= len(held) and len(found) >= MOST_PASSAGES:
            break
        found |= dict.fromkeys((*row.content["positives"], *row.content["negatives"]))
    return list(found)


def _embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    parts = [embedder.embed(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
    return np.concatenate(parts)


def _turned(model: Model, embedder: Embedder, asked: Vectors) -> Vectors:
    try:
        return QueryAdapter.load(Path(model.artefact), embedder).apply(asked)
    except ArtefactError as error:
        raise GateError(f"{model.name} cannot be measured: {error}") from error


def _ranked(asked: Vectors, vectors: Vectors) -> NDArray[np.intp]:
    return np.argsort(-(asked @ vectors.T), axis=1, kind="stable")[:, :DEPTH]


def _hits(ranked: NDArray[np.intp], right: Sequence[set[int]], depth: int) -> list[float]:
    return [
        float(bool(wanted & {int(place) for place in found[:depth]}))
        for found, wanted in zip(ranked, right, strict=True)
    ]
