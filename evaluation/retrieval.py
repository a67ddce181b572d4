"""Hit rates of retrieval: is the document, is the passage that holds the gold words, found."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evaluation.cases import Dataset
from evaluation.corpus import Gold, find_gold
from evaluation.statistics import Share, percentile, share
from retrieval.ranking import Passage
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.documents import Version

DEPTHS = (1, 5, 10)
WORD = re.compile(r"\w+")
FOUND = 0.6  # of the gold words, that a passage must hold to count as found
FOUND_IN_PART = 0.35  # the same where the gold words are longer than the passage
NOWHERE = 1_000_000  # the place of what was not found
STRICT = 0.8  # of the gold span, that must lie inside the passage


@dataclass(frozen=True)
class RetrievalReport:
    """Hit rates at each depth; `missing` counts cases whose gold words were not found at all."""

    document: dict[int, Share]
    passage: dict[int, Share]
    strict: dict[int, Share]
    missing: int
    seconds_p50: float
    seconds_p99: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        tables = {"document": self.document, "passage": self.passage, "strict": self.strict}
        rates = {
            name: {str(depth): rate.to_json() for depth, rate in table.items()}
            for name, table in tables.items()
        }
        return rates | {
            "gold_not_found": self.missing,
            "seconds_p50": round(self.seconds_p50, 4),
            "seconds_p99": round(self.seconds_p99, 4),
        }


def holds(gold: Gold, passage: Passage) -> bool:
    """Whether a passage counts as found, by the share of the gold words in it."""
    wanted = set(WORD.findall(gold.words.casefold()))
    words = set(WORD.findall(passage.candidate.text.casefold()))
    longer = len(gold.words) > len(passage.candidate.text)
    return len(wanted & words) >= (FOUND_IN_PART if longer else FOUND) * len(wanted)


def holds_strictly(gold: Gold, passage: Passage) -> bool:
    """Whether most of the gold span lies inside the passage, in the right document."""
    candidate = passage.candidate
    if candidate.document_key != gold.document:
        return False
    inside = min(gold.span.end, candidate.end) - max(gold.span.start, candidate.start)
    return inside >= STRICT * (gold.span.end - gold.span.start)


def evaluate_retrieval(
    dataset: Dataset,
    retriever: Retriever,
    versions: dict[str, Version],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RetrievalReport:
    """Retrieve for every answerable case with its history and return the hit rates."""
    now = datetime.now(UTC)
    cases = [case for case in dataset.cases if case.answerable and case.quote]
    groups: list[str] = []
    ranks: list[tuple[int, int, int]] = []
    seconds: list[float] = []
    for number, case in enumerate(cases, start=1):
        progress(number, len(cases))
        gold = find_gold(case, versions)
        if gold is None:
            continue
        started = time.perf_counter()
        found = retriever.retrieve(
            case.question, [turn.text for turn in case.history], OPERATOR_ACCESS, now, limit=10
        ).passages
        seconds.append(time.perf_counter() - started)
        groups.append(case.group)
        ranks.append(_places(gold, found))
    tables = [
        {depth: share(groups, [rank[kind] < depth for rank in ranks]) for depth in DEPTHS}
        for kind in range(3)
    ]
    return RetrievalReport(
        document=tables[0],
        passage=tables[1],
        strict=tables[2],
        missing=len(cases) - len(ranks),
        seconds_p50=percentile(seconds, 50),
        seconds_p99=percentile(seconds, 99),
    )


def _places(gold: Gold, found: Sequence[Passage]) -> tuple[int, int, int]:
    """Return where the document, the passage, and the passage strictly, come first."""
    return (
        _first([passage.candidate.document_key == gold.document for passage in found]),
        _first([holds(gold, passage) for passage in found]),
        _first([holds_strictly(gold, passage) for passage in found]),
    )


def _first(hits: Sequence[bool]) -> int:
    return next((place for place, hit in enumerate(hits) if hit), NOWHERE)
