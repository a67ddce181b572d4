"""Search against plain Python on the same rows: BM25, cosines, enough results, any question."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from string import ascii_lowercase

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, text

from retrieval.lexical import AVERAGE_LENGTH, K1, B, question_terms, terms
from store.access import MEMBER, OPERATOR_ACCESS, Access
from store.engine import connect
from store.search import search
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf, vector_of

CHUNKS = 2000
PERMITTED = 20
VOCABULARY = [f"{one}{two}x" for one in ascii_lowercase[:20] for two in ascii_lowercase[:20]]
SECRET = frozenset({"group:S1"})
FEW = Access(asker=SECRET, place=SECRET)


def _zipf_passages(count: int) -> list[str]:
    """Return passages of words of which few are common and most are rare, as in language."""
    dice = random.Random(7)
    weights = [1 / (rank + 1) for rank in range(len(VOCABULARY))]
    return [
        f"passage {number} " + " ".join(dice.choices(VOCABULARY, weights, k=dice.randint(5, 160)))
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def library(shared_engine: Engine) -> Shelf:
    """Two thousand chunks of which one in a hundred is for a small group."""
    library = Shelf(shared_engine, ensure_workspace(shared_engine, "library"))
    passages = _zipf_passages(CHUNKS)
    library.publish("open", passages[PERMITTED:], title="T")
    library.publish("secret", passages[:PERMITTED], title="T", audience=sorted(SECRET))
    with shared_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return library


@pytest.fixture(params=["as planned", "through the index"])
def engine_either_way(request: pytest.FixtureRequest, shared_engine: Engine) -> Iterator[Engine]:
    """An engine that plans freely, and one that walks the vector index wherever it can."""
    url = shared_engine.url
    if request.param == "through the index":
        url = url.update_query_dict(
            {"options": "-c enable_seqscan=off -c enable_sort=off -c enable_hashjoin=off"}
        )
    engine = connect(url.render_as_string(hide_password=False))
    yield engine
    engine.dispose()


def bm25(question: str, passages: list[str]) -> list[float]:
    """Return Okapi BM25 of each passage by the textbook, on words instead of ids."""
    bags = [Counter(terms(passage)) for passage in passages]
    scores = [0.0] * len(bags)
    for word, times in Counter(terms(question)).items():
        holding = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for number, bag in enumerate(bags):
            length = sum(bag.values()) / AVERAGE_LENGTH
            share = bag[word] * (K1 + 1) / (bag[word] + K1 * (1 - B + B * length))
            scores[number] += min(times, 2) * idf * share
    return scores


@pytest.mark.parametrize(
    "ranks",
    [(3, 17, 44), (0,), (399, 398, 397), (5, 5, 90), (1, 2, 300)],
    ids=["mixed", "the commonest", "the rarest", "one twice", "common and rare"],
)
def test_the_lexical_ten_are_bm25_s(ranks: tuple[int, ...], library: Shelf) -> None:
    """The ten best by words, with their scores, are those of the textbook's formula."""
    question = " ".join(VOCABULARY[rank] for rank in ranks)
    contents = [f"T\n{passage}" for passage in _zipf_passages(CHUNKS)]
    scores = dict(zip(contents, bm25(question, contents), strict=True))
    everybody = Access(SECRET | MEMBER, SECRET | MEMBER)
    found = {c.content: c.bm25 for c in library.search(question, access=everybody)}
    best = sorted(scores.values(), reverse=True)[:10]  # which of equals comes first is left open
    assert sorted(found.values(), reverse=True)[:10] == pytest.approx(best, rel=1e-5)
    assert found == pytest.approx({content: scores[content] for content in found}, rel=1e-5)


def test_the_scale_of_bm25_is_the_sum_of_the_question_s_weights(library: Shelf) -> None:
    """`bm25_total` adds up the inverse frequencies of the terms that stand anywhere."""
    common, rare = VOCABULARY[3], VOCABULARY[300]
    bags = [set(terms(passage)) for passage in _zipf_passages(CHUNKS)]
    expected = 0.0
    for word in (common, rare):
        holding = sum(terms(word)[0] in bag for bag in bags)
        expected += math.log(1 + (CHUNKS - holding + 0.5) / (holding + 0.5))
    found = library.search(f"{common} {rare} nowhere")
    assert [c.bm25_total for c in found] == pytest.approx([expected] * len(found), rel=1e-5)


def cosines(question: str, contents: list[str]) -> NDArray[np.float64]:
    """Return numpy's cosines of the vectors as they are kept, in half precision."""
    rows = np.stack([vector_of(c) for c in contents]).astype(np.float16).astype(np.float64)
    asked = vector_of(question).astype(np.float16).astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(asked)
    return np.asarray(rows @ asked / lengths)


def test_similarities_are_cosines(library: Shelf) -> None:
    """The nearest by vector are numpy's nearest, with numpy's cosines."""
    contents = [f"T\n{passage}" for passage in _zipf_passages(CHUNKS)[PERMITTED:]]
    expected = cosines("how far", contents)
    found = library.search("how far", pool=30)
    assert [c.content for c in found] == [contents[n] for n in np.argsort(-expected)[:30]]
    assert [c.similarity for c in found] == pytest.approx(np.sort(-expected)[:30] * -1, abs=1e-5)


@pytest.mark.parametrize("question", ["how far", "what is asked here", "anything at all"])
def test_the_few_permitted_are_all_found(
    question: str, engine_either_way: Engine, library: Shelf
) -> None:
    """Where one row in a hundred is permitted, the ten nearest permitted are found all the same.

    A filter after the index's first hundred neighbours would leave one of them.
    """
    contents = [f"T\n{passage}" for passage in _zipf_passages(PERMITTED)]
    nearest = [contents[n] for n in np.argsort(-cosines(question, contents))[:10]]
    found = search(
        engine_either_way, library.workspace_id, library.space, FEW, datetime.now(UTC),
        vector_of(question), {}, pool=10,
    )  # fmt: skip
    assert [candidate.content for candidate in found] == nearest


def test_the_few_permitted_are_found_by_words_too(library: Shelf) -> None:
    """A word that stands in every passage finds only permitted ones, and as many as asked for."""
    found = library.search("passage", access=FEW, pool=10)
    assert len(found) >= 10
    assert {candidate.document_key for candidate in found} == {"secret"}


@pytest.mark.parametrize("pool", [1, 7, 50])
def test_a_pool_bounds_both_sides(pool: int, library: Shelf) -> None:
    """At most `pool` come from each side, and those found by both come once."""
    found = library.search(" ".join(VOCABULARY[:2]), pool=pool)
    assert pool <= len(found) <= 2 * pool
    assert len({candidate.chunk_id for candidate in found}) == len(found)


@pytest.mark.parametrize(
    "question",
    [
        pytest.param("", id="nothing"),
        pytest.param("the of and", id="stop words only"),
        pytest.param("?!… — ***", id="no words"),
        pytest.param("'; DROP TABLE chunks; --", id="SQL"),
        pytest.param(":as_of %(pool)s {vectors} %s $1 \\", id="placeholders"),
        pytest.param("nul \x00 inside \x1f", id="control characters"),
        pytest.param("half a pair \ud83d", id="a lone surrogate"),
        pytest.param("👩‍👩‍👧 ﷽ ½ Ⅷ", id="beyond words"),
        pytest.param("x" * 100_000, id="a very long word"),
        pytest.param(" ".join(f"q{n}" for n in range(20_000)), id="very many words"),
    ],
)
def test_any_question_can_be_asked(question: str, library: Shelf) -> None:
    """Whatever is asked, the nearest by vector are found and nothing is changed or raised."""
    before = library.rows()
    found = search(
        library.engine, library.workspace_id, library.space, OPERATOR_ACCESS, datetime.now(UTC),
        vector_of("any"), question_terms(question), pool=5,
    )  # fmt: skip
    assert len(found) >= 5
    assert all(math.isfinite(c.similarity) and math.isfinite(c.bm25) for c in found)
    assert library.rows() == before


def test_terms_that_stand_nowhere_score_nothing(library: Shelf) -> None:
    """A question without a known word ranks by vector alone, on a scale of nothing."""
    found = library.search("zyxwvut")
    assert {(c.bm25, c.bm25_total) for c in found} == {(0.0, 0.0)}


def test_an_empty_workspace_finds_nothing(shelf: Shelf) -> None:
    """Where nothing is published there is nothing, and no error."""
    assert shelf.search("anything") == []


def test_a_word_in_every_chunk_still_counts(shelf: Shelf) -> None:
    """The inverse frequency of what stands everywhere is small, but never nothing or less."""
    shelf.publish("a", ["only word"], title="word")
    (found,) = shelf.search("word")
    assert 0 < found.bm25 < found.bm25_total * (K1 + 1)


def test_a_passage_is_returned_without_its_heading_line(shelf: Shelf) -> None:
    """`text` is the passage; `content` has the title above it."""
    shelf.publish("a", ["the words"], title="The title")
    (found,) = shelf.search("words")
    assert (found.text, found.content) == ("the words", "The title\nthe words")
