"""Measures the query adapter: learned on half of a set's dialogues, and on the other half.

Both ways round, so that every question is asked once with an adapter that never saw its dialogue.
The halves may share documents. What answers a question is what the retriever ranked among its
first fifty and holds the gold words; the rest of those are what it is to be kept from.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine

from evaluation.cases import Case, Dataset
from evaluation.corpus import Gold, find_gold
from evaluation.retrieval import holds
from evaluation.statistics import Difference, Share, difference, share
from finetune.query_adapter import Recipe, embed_pairs, learn
from retrieval.embeddings import Embedder
from retrieval.query_adapter import OneAdapter, QueryAdapter
from retrieval.ranking import Passage
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.datasets import DatasetRow
from store.documents import Version

DEPTHS = (1, 5)
LOOKED_AT = 50  # ranked passages in which what answers is looked for
NEGATIVES = 8  # of a question, the best ranked that do not answer it
SEED = 7


@dataclass(frozen=True)
class AdapterReport:
    """Shares of questions whose passage is among the first ones, without and with an adapter.

    `learned` are the figures of the two adapters. `nearest` is the mean cosine of the nearest
    passage, without and with: what the decision to answer goes by.
    """

    without: dict[int, Share]
    adapted: dict[int, Share]
    gain: dict[int, Difference]
    learned: tuple[dict[str, Any], ...]
    nearest: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "without": {str(depth): self.without[depth].to_json() for depth in DEPTHS},
            "with": {str(depth): self.adapted[depth].to_json() for depth in DEPTHS},
            "gain": {str(depth): self.gain[depth].to_json() for depth in DEPTHS},
            "learned": list(self.learned),
            "nearest_cosine": [round(value, 4) for value in self.nearest],
        }


class _Silent:
    """Nobody follows a measurement step by step."""

    def step(self, step: int, total: int, **figures: float) -> None:
        """Hear it."""

    def event(self, message: str, key: str | None = None) -> None:
        """Hear it."""

    def remote(self, **ids: Any) -> None:
        """There is no provider."""


def evaluate_adapter(
    dataset: Dataset,
    engine: Engine,
    workspace_id: int,
    embedder: Embedder,
    versions: dict[str, Version],
    *,
    recipe: Recipe | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> AdapterReport:
    """Return what an adapter changes on a set that is ingested."""
    recipe = recipe or Recipe()
    now = datetime.now(UTC)
    asked = [
        (case, gold)
        for case in dataset.cases
        if case.answerable and (gold := find_gold(case, versions)) is not None
    ]
    plain = Retriever(engine, workspace_id, embedder)
    found: list[tuple[Passage, ...]] = []
    for number, (case, _) in enumerate(asked, start=1):
        found.append(_found(plain, case, now))
        progress(number, 2 * len(asked))
    halves = [_half(case.group) for case, _ in asked]
    rows = [_row(case, gold, some) for (case, gold), some in zip(asked, found, strict=True)]
    adapters, told = [], []
    for half in (0, 1):
        learned = [row for row, at in zip(rows, halves, strict=True) if at != half and row]
        pairs = embed_pairs(embedder, learned, _Silent())
        delta, figures = learn(pairs, recipe, _Silent())
        adapters.append(OneAdapter(QueryAdapter(delta)))
        told.append(figures)
    turned = [Retriever(engine, workspace_id, embedder, adapters=one) for one in adapters]
    again: list[tuple[Passage, ...]] = []
    for number, ((case, _), half) in enumerate(zip(asked, halves, strict=True), start=1):
        again.append(_found(turned[half], case, now))
        progress(len(asked) + number, 2 * len(asked))
    groups = [case.group for case, _ in asked]
    golds = [gold for _, gold in asked]
    before = {depth: _hits(golds, found, depth) for depth in DEPTHS}
    after = {depth: _hits(golds, again, depth) for depth in DEPTHS}
    return AdapterReport(
        without={depth: share(groups, before[depth]) for depth in DEPTHS},
        adapted={depth: share(groups, after[depth]) for depth in DEPTHS},
        gain={
            depth: difference(
                groups, [float(hit) for hit in after[depth]], [float(hit) for hit in before[depth]]
            )
            for depth in DEPTHS
        },
        learned=tuple(told),
        nearest=(_nearest(found), _nearest(again)),
    )


def _half(group: str) -> int:
    return hashlib.sha256(f"{SEED} {group}".encode()).digest()[0] % 2


def _found(retriever: Retriever, case: Case, now: datetime) -> tuple[Passage, ...]:
    earlier = [turn.text for turn in case.history]
    return retriever.retrieve(
        case.question, earlier, OPERATOR_ACCESS, now, limit=LOOKED_AT
    ).passages


def _row(case: Case, gold: Gold, found: Sequence[Passage]) -> DatasetRow | None:
    """Return a question with what answers it, None where that was not found."""
    answering = [p for p in found if p.candidate.document_key == gold.document and holds(gold, p)]
    if not answering:
        return None
    others = [p for p in found if not holds(gold, p)]
    content = {
        "question": case.question,
        "history": [turn.text for turn in case.history],
        "positives": [p.candidate.content for p in answering],
        "negatives": [p.candidate.content for p in others[:NEGATIVES]],
    }
    return DatasetRow("train", content, case.group)


def _hits(golds: Sequence[Gold], found: Sequence[Sequence[Passage]], depth: int) -> list[bool]:
    return [
        any(holds(gold, passage) for passage in some[:depth])
        for gold, some in zip(golds, found, strict=True)
    ]


def _nearest(found: Sequence[Sequence[Passage]]) -> float:
    return float(np.mean([max((p.candidate.cosine for p in some), default=0.0) for some in found]))
