"""Ranking: what is better in every way is never behind, and evidence of the document counts."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.ranking import Passage, rank, with_sentences
from store.search import Candidate

BARE = Candidate(
    chunk_id=1,
    version_id=1,
    document_key="returns",
    title="Returns",
    version=1,
    effective_from=datetime(2026, 1, 1, tzinfo=UTC),
    effective_to=None,
    link=None,
    trust=0,
    ordinal=0,
    start=0,
    end=1,
    section=(),
    page=None,
    content="Returns\nx",
    similarity=0.0,
    cosine=0.0,
    bm25=0.0,
    bm25_total=10.0,
)


def candidate(number: int, similarity: float, bm25: float, version: int = 1) -> Candidate:
    return replace(
        BARE,
        chunk_id=number,
        ordinal=number,
        version_id=version,
        similarity=similarity,
        cosine=similarity,
        bm25=bm25,
    )


def order(passages: Sequence[Passage]) -> list[int]:
    return [passage.candidate.chunk_id for passage in passages]


CANDIDATES = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0, 40), st.integers(1, 4)), min_size=1, max_size=30
).map(lambda rows: [candidate(n, *row) for n, row in enumerate(rows)])


def test_nothing_ranks_to_nothing() -> None:
    """No candidates, no passages."""
    assert rank([]) == []
    assert with_sentences([], {}) == []


@settings(deadline=None)
@given(CANDIDATES)
def test_every_candidate_comes_once_best_first(candidates: list[Candidate]) -> None:
    """None is lost or doubled, totals fall, and the parts stay within their scales."""
    ranked = rank(candidates)
    assert sorted(order(ranked)) == list(range(len(candidates)))
    totals = [passage.scores.total for passage in ranked]
    assert totals == sorted(totals, reverse=True)
    for passage in ranked:
        parts = (passage.scores.bm25, passage.scores.convex, passage.scores.document)
        assert all(0 <= part <= 1 + 1e-9 for part in parts)
        assert passage.scores.similarity == passage.candidate.similarity


@settings(deadline=None)
@given(CANDIDATES, st.integers())
def test_the_order_of_the_candidates_does_not_matter(
    candidates: list[Candidate], seed: int
) -> None:
    """The database may return them in any order: the ranking is the same."""
    shuffled = candidates[:]
    random.Random(seed).shuffle(shuffled)
    assert order(rank(shuffled)) == order(rank(candidates))


@settings(deadline=None)
@given(CANDIDATES)
def test_what_is_better_in_every_way_is_never_behind(candidates: list[Candidate]) -> None:
    """Of two passages of one document the one with both scores higher comes first."""
    places = {number: place for place, number in enumerate(order(rank(candidates)))}
    for one in candidates:
        for other in candidates:
            same = one.version_id == other.version_id
            if same and one.similarity > other.similarity and one.bm25 > other.bm25:
                totals_differ = places[one.chunk_id] < places[other.chunk_id]
                assert totals_differ or _close(one, other, candidates)


def _close(one: Candidate, other: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether two are so near, against all, that their totals may round to the same."""
    width = max(c.similarity for c in candidates) - min(c.similarity for c in candidates)
    scale = max(c.bm25 for c in candidates) - min(c.bm25 for c in candidates)
    nearer = (one.similarity - other.similarity) / width < 1e-9
    return nearer and (one.bm25 - other.bm25) / scale < 1e-9


def test_a_document_with_more_evidence_comes_first() -> None:
    """Of two equal passages the one whose document has other good passages is ahead."""
    lone = candidate(1, 0.8, 8.0, version=1)
    befriended = candidate(2, 0.8, 8.0, version=2)
    friends = [candidate(n, 0.7, 7.0, version=2) for n in (3, 4)]
    weak = [candidate(n, 0.1, 0.0, version=1) for n in (5, 6)]
    assert order(rank([lone, befriended, *friends, *weak]))[:1] == [2]


def test_equals_keep_the_order_of_the_text() -> None:
    """Passages that score the same come as they stand, version by version."""
    alike = [candidate(n, 0.5, 3.0, version=n % 2) for n in range(6)]
    assert order(rank(alike)) == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("count", [1, 3])
def test_alike_candidates_are_ranked_without_a_scale(count: int) -> None:
    """Where all score the same there is nothing to scale by, and no division by nothing."""
    ranked = rank([candidate(n, 0.5, 0.0) for n in range(count)])
    assert [passage.scores.total for passage in ranked] == [0.0] * count


def test_the_best_sentence_lifts_its_passage() -> None:
    """A sentence that answers the question moves its passage up."""
    near = [candidate(n, 0.5 - n / 100, 5 - n / 10) for n in range(3)]
    ranked = rank([*near, candidate(3, 0.0, 0.0)])
    lifted = with_sentences(ranked, {0: 0.1, 1: 0.1, 2: 0.9})
    assert order(lifted)[0] == order(ranked)[2]
    assert lifted[0].scores.sentence == 0.9


def test_passages_that_were_not_looked_at_stay_behind_in_order() -> None:
    """Only the first ones' sentences are compared; the rest follow as they were."""
    ranked = rank([candidate(n, 0.9 - n / 10, 9.0 - n) for n in range(6)])
    again = with_sentences(ranked, {0: -0.5, 1: 0.4})
    assert order(again) == [1, 0, 2, 3, 4, 5]


@settings(deadline=None)
@given(CANDIDATES, st.dictionaries(st.integers(0, 29), st.floats(-1, 1)))
def test_sentences_lose_no_passage(candidates: list[Candidate], best: dict[int, float]) -> None:
    """Ranking again keeps every passage, whatever was looked at."""
    ranked = rank(candidates)
    assert sorted(order(with_sentences(ranked, best))) == sorted(order(ranked))
