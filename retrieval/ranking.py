"""From candidates with raw scores to ranked passages: passage, sentence and document evidence.

The weights were tuned by hand on open questions over public-service pages and are the same for
every workspace; a learned ranker can replace this one function.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from store.search import Candidate

SEMANTIC_SHARE = 0.5  # of the convex sum of similarity and BM25, each scaled to 0 … 1
SENTENCE_WEIGHT = 1.0  # of the best sentence's similarity to the last question
DOCUMENT_WEIGHT = 0.6  # of the mean of the document's three best passages
DOCUMENT_PASSAGES = 3


@dataclass(frozen=True)
class Scores:
    """The parts of a passage's score; each 0 … 1 but `similarity` and `sentence` (cosines)."""

    similarity: float
    bm25: float
    convex: float
    document: float
    sentence: float = 0.0

    @property
    def total(self) -> float:
        """Return what passages are ranked by."""
        return self.convex + DOCUMENT_WEIGHT * self.document + SENTENCE_WEIGHT * self.sentence


@dataclass(frozen=True)
class Passage:
    """A candidate with its scores; ranked by `scores.total`, best first."""

    candidate: Candidate
    scores: Scores


def _scaled(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    width = high - low
    return [(value - low) / width if width > 0 else 0.0 for value in values]


def rank(candidates: Sequence[Candidate]) -> list[Passage]:
    """Return the passages ranked by passage and document evidence, best first."""
    if not candidates:
        return []
    semantic = _scaled([candidate.similarity for candidate in candidates])
    lexical = _scaled([candidate.bm25 for candidate in candidates])
    convex = [
        SEMANTIC_SHARE * dense + (1 - SEMANTIC_SHARE) * words
        for dense, words in zip(semantic, lexical, strict=True)
    ]
    by_version: dict[int, list[float]] = defaultdict(list)
    for candidate, score in zip(candidates, convex, strict=True):
        by_version[candidate.version_id].append(score)
    document = {
        version: fmean(sorted(scores, reverse=True)[:DOCUMENT_PASSAGES])
        for version, scores in by_version.items()
    }
    passages = [
        Passage(
            candidate,
            Scores(
                similarity=candidate.similarity,
                bm25=words,
                convex=score,
                document=document[candidate.version_id],
            ),
        )
        for candidate, words, score in zip(candidates, lexical, convex, strict=True)
    ]
    return _best_first(passages)


def with_sentences(passages: Sequence[Passage], best: Mapping[int, float]) -> list[Passage]:
    """Rank again with the best sentence's similarity by the passage's place in `passages`.

    Passages without one (not looked at) keep their order behind the others.
    """
    looked_at = [
        Passage(
            passage.candidate,
            Scores(
                passage.scores.similarity,
                passage.scores.bm25,
                passage.scores.convex,
                passage.scores.document,
                best[place],
            ),
        )
        for place, passage in enumerate(passages)
        if place in best
    ]
    rest = [passage for place, passage in enumerate(passages) if place not in best]
    return _best_first(looked_at) + rest


def _best_first(passages: Sequence[Passage]) -> list[Passage]:
    return sorted(
        passages,
        key=lambda p: (-p.scores.total, p.candidate.version_id, p.candidate.ordinal),
    )
