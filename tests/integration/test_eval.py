"""Evaluation through the real graph, on a small set with everything a set may hold."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from evaluation.answers import evaluate_answers
from evaluation.cases import Dataset, load_dataset
from evaluation.corpus import find_gold, ingest_dataset
from evaluation.retrieval import evaluate_retrieval
from graph.graph import open_agent
from retrieval.embeddings import Embedder, Vectors
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.documents import Version
from store.engine import connect
from store.search import versions_in_force
from store.workspaces import workspace_keys
from tests.acceptance.processes import free_port

DOCUMENTS = {
    "badges.md": "# Badges\n\nLost badges cost **€12** and are reported to the *front desk*.\n",
    "parking.html": "<h1>Parking</h1><p>Bicycles stand behind building&nbsp;C.</p>",
    "pool.txt": "Pool cars\n\nPool cars are booked two days ahead.\n",
    "logo.md": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
}
QUESTIONS = [
    {
        "id": "a<::>1",
        "question": "What does a lost badge cost?",
        "answerable": True,
        "doc": "badges.md",
        "quote": "Lost badges cost **€12** and are reported to the *front desk*.",
    },
    {
        "id": "a<::>2",
        "question": "Where do I report that?",
        "history": [
            {"role": "customer", "text": "What does a lost badge cost?"},
            {"role": "agent", "text": "€12."},
        ],
        "answerable": True,
        "doc": "badges.md",
        "quote": "reported to the *front desk*",
    },
    {
        "id": "b",
        "question": "Where do bicycles stand?",
        "answerable": True,
        "doc": "parking.html",
        "quote": "Bicycles stand behind building C.",
    },
    {"id": "c", "question": "Who won the 1998 world cup?", "answerable": False},
    {
        "id": "d",
        "question": "How are pool cars booked?",
        "answerable": True,
        "doc": "vanished.md",
        "quote": "by telephone",
    },
]


class Counting:
    """The real embedder, and how many texts it embedded."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.model, self.dimensions = embedder.model, embedder.dimensions
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Count and embed."""
        self.texts += len(texts)
        return self._embedder.embed(texts)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """The set in a folder of its own."""
    documents = tmp_path / "small" / "docs"
    documents.mkdir(parents=True)
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(text, "utf-8", newline="")
    lines = "\n".join(json.dumps({"history": []} | row) for row in QUESTIONS)
    (documents.parent / "questions.jsonl").write_text(lines, "utf-8")
    return load_dataset(documents.parent)


@pytest.fixture
def embedding(embedder: Embedder) -> Counting:
    """The embedder, counting."""
    return Counting(embedder)


@pytest.fixture
def ingested(
    shared_engine: Engine, dataset: Dataset, embedding: Counting
) -> tuple[int, dict[str, Version]]:
    """The set's workspace and its versions by document."""
    workspace_id, _ = ingest_dataset(shared_engine, dataset, embedding)
    with shared_engine.connect() as connection:
        now = connection.exec_driver_sql("SELECT now()").scalar_one()
    versions = versions_in_force(shared_engine, workspace_id, OPERATOR_ACCESS, now)
    return workspace_id, {version.document_key: version for version in versions}


def test_documents_are_ingested_once_into_a_workspace_of_their_own(
    shared_engine: Engine, dataset: Dataset, embedding: Counting
) -> None:
    """What is refused is told and asked no more; a second run embeds nothing."""
    first, refused = ingest_dataset(shared_engine, dataset, embedding)
    embedded = embedding.texts
    second, _ = ingest_dataset(shared_engine, dataset, embedding)

    assert (first, embedded) == (second, embedding.texts)
    assert embedded > 0
    assert len(refused) == 1
    assert "logo.md" in refused[0]


def test_a_changed_document_makes_another_workspace_and_removes_the_old(
    shared_engine: Engine, dataset: Dataset, embedding: Counting
) -> None:
    """Figures never come from words that are no longer in the set."""
    ingest_dataset(shared_engine, dataset, embedding)
    (before,) = workspace_keys(shared_engine, "evaluation of small")
    (dataset.documents / "pool.txt").write_text("Pool cars\n\nThere are none.\n", "utf-8")
    ingest_dataset(shared_engine, dataset, embedding)
    (after,) = workspace_keys(shared_engine, "evaluation of small")

    assert after != before


def test_gold_quotes_go_through_the_documents_own_normaliser(
    dataset: Dataset, ingested: tuple[int, dict[str, Version]]
) -> None:
    """Marks of the source are taken from a quote as from a document; what is gone is not found."""
    _, versions = ingested
    golds = {case.id: find_gold(case, versions) for case in dataset.cases}
    first, html = golds["a<::>1"], golds["b"]

    assert first is not None
    assert first.words == "Lost badges cost €12 and are reported to the front desk."
    assert versions["badges.md"].text[first.span.start : first.span.end] == first.words
    assert html is not None
    assert html.words == "Bicycles stand behind building C."
    assert golds["c"] is None
    assert golds["d"] is None


def test_retrieval_is_measured_over_what_has_gold(
    shared_engine: Engine,
    dataset: Dataset,
    embedding: Counting,
    ingested: tuple[int, dict[str, Version]],
) -> None:
    """In three tiny documents everything is among the first five; missing gold is counted."""
    workspace_id, versions = ingested
    retriever = Retriever(shared_engine, workspace_id, embedding)
    told: list[tuple[int, int]] = []

    report = evaluate_retrieval(dataset, retriever, versions, lambda *at: told.append(at))

    assert (report.document[5].count, report.missing) == (3, 1)
    for rates in (report.document, report.passage, report.strict):
        assert rates[5].percent == rates[10].percent == 100.0
    assert told[-1] == (4, 4)
    assert set(report.to_json()) >= {"document", "passage", "strict", "gold_not_found"}


def test_answers_are_measured_by_their_quotes_and_refusals(
    shared_engine: Engine,
    dataset: Dataset,
    embedding: Counting,
    ingested: tuple[int, dict[str, Version]],
) -> None:
    """Quotes always verify; overlap is over what has gold; the unanswerable one is refused."""
    workspace_id, versions = ingested
    agent = open_agent(load_settings(), shared_engine, workspace_id, embedding)
    report = evaluate_answers(dataset, agent, shared_engine, workspace_id, versions)
    agent.close()

    assert report.quotes_verified.percent == 100.0
    assert report.quotes_verified.count > 0
    assert report.overlaps_gold.count == report.covers_gold.count == 3
    assert report.overlaps_gold.percent > 0
    assert (report.refused_unanswerable.percent, report.refused_unanswerable.count) == (100.0, 1)
    assert report.answered_answerable.percent + report.refused_answerable.percent <= 100.0
    assert sum(report.outcomes.values()) == len(QUESTIONS)


def test_errors_are_no_refusals(
    shared_engine: Engine, dataset: Dataset, embedder: Embedder
) -> None:
    """An agent whose database is away does not look careful."""
    away = connect(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    agent = open_agent(load_settings(), away, 1, embedder)
    two = replace(dataset, cases=dataset.cases[2:4])
    report = evaluate_answers(two, agent, shared_engine, 1, {})
    agent.close()
    away.dispose()

    assert report.outcomes == {"policy/error": 2}
    assert report.refused_unanswerable.percent == 0.0
    assert report.quotes_verified.count == 0
