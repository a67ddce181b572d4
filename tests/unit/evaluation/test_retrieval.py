"""When a passage counts as found."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evaluation.corpus import Gold
from evaluation.retrieval import holds, holds_strictly
from retrieval.quotes import Span
from retrieval.ranking import Passage, Scores
from store.search import Candidate

WORDS = "sale items go back within fourteen days of their delivery"
PASSAGE = Passage(
    Candidate(
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
        start=100,
        end=200,
        section=(),
        page=None,
        content=f"Returns\n{WORDS} and that is all there is to say about it",
        similarity=0.5,
        cosine=0.5,
        bm25=1.0,
        bm25_total=2.0,
    ),
    Scores(similarity=0.5, bm25=1.0, convex=0.5, document=0.5),
)


def gold(words: str, start: int = 100, end: int = 150, document: str = "returns") -> Gold:
    """Return gold words at a place."""
    return Gold(document, Span(start, end), words)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(WORDS, True, id="all words"),
        pytest.param(WORDS.upper(), True, id="in capitals"),
        pytest.param("sale items go elsewhere entirely", True, id="three of five"),
        pytest.param("sale items rarely come home", False, id="two of five"),
    ],
)
def test_six_of_ten_gold_words_make_a_passage_found(words: str, found: bool) -> None:
    """Words count, wherever they stand, without the line of title and headings."""
    assert holds(gold(words), PASSAGE) is found


def test_gold_longer_than_the_passage_needs_fewer_of_its_words() -> None:
    """A third is enough where the passage cannot hold the whole."""
    long = f"{WORDS} " + " ".join(f"other{n}" for n in range(14))

    assert len(long) > len(PASSAGE.candidate.text)
    assert holds(gold(long), PASSAGE)


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [(100, 200, True), (90, 140, True), (80, 130, False), (180, 220, False), (300, 320, False)],
)
def test_strictly_four_fifths_of_the_gold_lie_inside(start: int, end: int, inside: bool) -> None:
    """Offsets count, not words."""
    assert holds_strictly(gold(WORDS, start, end), PASSAGE) is inside


def test_strictly_the_document_must_be_the_gold_s() -> None:
    """The same offsets in another document are another passage."""
    other = replace(PASSAGE, candidate=replace(PASSAGE.candidate, document_key="warranty"))

    assert not holds_strictly(gold(WORDS), other)
