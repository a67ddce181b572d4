"""A query adapter in use: it turns what is searched for, and is told of in the trace."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from evaluation.adapter import evaluate_adapter
from evaluation.cases import load_dataset
from evaluation.corpus import ingest_dataset
from finetune.query_adapter import Recipe
from graph.graph import open_agent
from graph.state import Question
from ingestion.ingest import Ingester
from retrieval.artefacts import PROBE, save
from retrieval.embeddings import Embedder
from retrieval.query_adapter import KIND, OneAdapter, QueryAdapter
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.model_registry import promote_model, register_model
from store.search import versions_in_force
from store.workspaces import ensure_workspace
from tests.integration.asking import markdown_file
from tests.integration.test_trained_router import eventually

THINGS = ("lamp", "sofa", "chair", "table", "carpet", "mirror")


def adapter(folder: Path, embedder: Embedder, target: str) -> Path:
    """Write an adapter that turns every question to what one text is near to."""
    towards = embedder.embed([target])[0]
    probe = embedder.embed([PROBE])[0]
    delta = np.tile(20 * towards, (embedder.dimensions, 1)) * np.sign(probe)[:, None]
    card = {"embedder": embedder.model, "dimensions": embedder.dimensions}
    save(folder, KIND, card, {"delta": delta.astype(np.float32)}, probe)
    return folder


def test_an_adapter_in_use_turns_what_is_searched_for(
    shared_engine: Engine, embedder: Embedder, tmp_path: Path
) -> None:
    """Without a restart; the trace names it, and why where its folder is gone."""
    workspace = ensure_workspace(shared_engine, "turned")
    ingester = Ingester(shared_engine, workspace, embedder)
    for thing in THINGS:
        text = f"# {thing.title()}\n\nA {thing} can be returned within {len(thing)} weeks."
        ingester.ingest(markdown_file(f"{thing}.md", text))
    agent = open_agent(load_settings(), shared_engine, workspace, embedder)
    asked = Question("May I return my lamp?")
    before = agent.answer(asked)
    assert before.trace["adapter"] is None
    folder = adapter(tmp_path / "turn", embedder, "Carpet: a carpet can be returned")
    model = register_model(shared_engine, workspace, "query_adapter", "turn", str(folder))
    promote_model(shared_engine, workspace, model)

    after = eventually(lambda: agent.answer(asked), lambda a: a.trace["adapter"] is not None)
    assert after.trace["adapter"] == {"model": "turn", "note": None}
    likeness = [
        [one["similarity"] for one in answer.trace["candidates"]] for answer in (before, after)
    ]
    assert likeness[0] != likeness[1]

    gone = register_model(shared_engine, workspace, "query_adapter", "gone", str(tmp_path / "no"))
    promote_model(shared_engine, workspace, gone)
    time.sleep(1.1)
    last = agent.answer(asked)
    agent.close()
    assert "gone: not used, its folder" in last.trace["adapter"]["note"]
    assert [c["similarity"] for c in last.trace["candidates"]] == [
        c["similarity"] for c in before.trace["candidates"]
    ]


def test_whether_to_answer_is_decided_without_the_turn(
    shared_engine: Engine, embedder: Embedder, tmp_path: Path
) -> None:
    """Other passages may come first, but how near the documents are stays what it is."""
    workspace = ensure_workspace(shared_engine, "turned apart")
    ingester = Ingester(shared_engine, workspace, embedder)
    for thing in THINGS:
        text = f"# {thing.title()}\n\nA {thing} can be returned within {len(thing)} weeks."
        ingester.ingest(markdown_file(f"{thing}.md", text))
    turn = QueryAdapter.load(adapter(tmp_path / "turn", embedder, "Carpet: returned"), embedder)
    plain, turned = (
        Retriever(shared_engine, workspace, embedder, adapters=adapters).retrieve(
            "May I return my lamp?", (), OPERATOR_ACCESS, datetime.now(UTC)
        )
        for adapters in (None, OneAdapter(turn))
    )
    cosines = [
        {passage.candidate.chunk_id: passage.candidate.cosine for passage in found.passages}
        for found in (plain, turned)
    ]
    assert cosines[0] == pytest.approx(cosines[1], abs=1e-5)
    assert turned.background.median_similarity == pytest.approx(plain.background.median_similarity)
    assert [passage.candidate.similarity for passage in turned.passages] != [
        passage.candidate.similarity for passage in plain.passages
    ]


def test_an_adapter_is_measured_on_dialogues_that_it_did_not_learn_from(
    shared_engine: Engine, embedder: Embedder, tmp_path: Path
) -> None:
    """Every question is asked once without and once with one."""
    documents = tmp_path / "docs"
    documents.mkdir()
    rows = []
    for number, thing in enumerate(THINGS):
        quote = f"A {thing} can be returned within {number + 3} weeks."
        (documents / f"{thing}.md").write_text(f"# {thing.title()}\n\n{quote}\n", "utf-8")
        rows += [
            {
                "id": f"{thing}{turn}",
                "dial_id": f"{thing}{turn}",
                "question": f"{words} the {thing}?",
                "answerable": True,
                "doc": f"{thing}.md",
                "quote": quote,
            }
            for turn, words in enumerate(("May I bring back", "How long can I return"))
        ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    dataset = load_dataset(tmp_path)
    workspace, refused = ingest_dataset(shared_engine, dataset, embedder)
    assert refused == []
    found = versions_in_force(shared_engine, workspace, OPERATOR_ACCESS, datetime.now(UTC))
    seen: list[tuple[int, int]] = []

    report = evaluate_adapter(
        dataset,
        shared_engine,
        workspace,
        embedder,
        {version.document_key: version for version in found},
        recipe=Recipe(steps=20),
        progress=lambda done, total: seen.append((done, total)),
    )

    assert report.without[1].count == len(rows)
    assert sum(told["questions"] for told in report.learned) == len(rows)
    assert seen[-1] == (24, 24)
    gain = report.gain[1].value
    assert gain == pytest.approx((report.adapted[1].percent - report.without[1].percent) / 100)
    assert report.to_json()["with"]["5"]["count"] == len(rows)
