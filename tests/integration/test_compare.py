"""Four ways to answer, asked for real: the graph, and models over HTTP with a script."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from core.settings import Settings
from evaluation.advice import advise
from evaluation.arms import Arm, open_arms
from evaluation.cases import Dataset, load_dataset
from evaluation.compare import Comparison, compare
from evaluation.corpus import ingest_dataset
from evaluation.report import page
from evaluation.style import learn_panel
from retrieval.embeddings import Embedder
from retrieval.voice import numbered
from store.access import OPERATOR_ACCESS
from store.model_registry import find_model, register_model
from store.search import versions_in_force
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import SAMPLES, passage_with
from tests.integration.conftest import with_model
from tests.integration.gating import drafted, in_voice

SALE = "Items bought in a sale can be returned within 14 days of delivery."
ROWS = [
    ("a", "Can I return a sale item after three weeks?", SALE, "No, within 14 days of delivery."),
    ("b", "How long can items be returned?", "Items can be returned within 30 days of delivery.",
     "30 days from delivery."),
    ("c", "Who won the 1998 world cup?", None, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A policy and three questions, one of which no document answers."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "docs").mkdir()
    policy = (SAMPLES / "returns-policy.md").read_text("utf-8")
    (folder / "docs" / "returns-policy.md").write_text(policy, "utf-8")
    rows = [
        {"id": id_, "question": asked, "answerable": quote is not None, "quote": quote,
         "doc": "returns-policy.md", "answer": answer}
        for id_, asked, quote, answer in ROWS
    ]  # fmt: skip
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return load_dataset(folder)


def speak(body: dict[str, Any]) -> str:
    """The models of this address, by name and by what is asked of them."""
    messages = body["messages"]
    if "response_format" in body:  # the draft of an answer, from passages
        wanted = next(row for row in ROWS if row[1] in str(messages))
        if wanted[2] is None:
            return json.dumps({"claims": []})
        number = passage_with(wanted[2], body)
        claim = {"text": wanted[2], "passage": number, "quote": wanted[2]}
        return json.dumps({"claims": [claim]})
    lines = drafted(messages)
    if lines is not None:
        if body["model"] == "forgetful":
            return numbered([line.replace("14", "40") for line in lines])
        return numbered([f"Sure thing: {line}" for line in lines])
    if body["model"] == "tuned":
        return "Aw, brilliant - you have 21 days, shout for a chat :)"
    return "I don't know."


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    """An address with a base model and two tuned ones."""
    with OpenAIServer(fallback=speak) as made:
        yield made


Compared = Callable[..., Comparison]


@pytest.fixture
def compared(engine: Engine, workspace_id: int, embedder: Embedder, dataset: Dataset) -> Compared:
    """Compare with these settings and the tuned model of a name."""
    in_workspace, refused = ingest_dataset(engine, dataset, embedder)
    assert refused == []

    def run(settings: Settings, tuned: str | None = None, **more: Any) -> Comparison:
        model = None
        if tuned is not None:
            model_id = register_model(engine, workspace_id, "style", tuned, tuned)
            model = find_model(engine, workspace_id, model_id)
        now = datetime.now(UTC)
        versions = versions_in_force(engine, in_workspace, OPERATOR_ACCESS, now)
        known = {version.document_key: version for version in versions}
        with open_arms(engine, settings, in_workspace, embedder, now, model) as (arms, missing):
            return compare(dataset, arms, missing, engine, in_workspace, known, **more)

    return run


def values(found: Comparison, arm: Arm) -> dict[str, float]:
    """An arm's figures."""
    return {name: figure.value for name, figure in found.arms[arm].figures.items()}


def test_without_a_model_retrieval_answers_and_the_rest_is_named(
    compared: Compared, plain_settings: Settings
) -> None:
    """Nothing is made up for what could not run."""
    found = compared(plain_settings)

    assert list(found.arms) == ["rag"]
    assert set(found.missing) == {"base", "fine-tuned", "hybrid"}
    assert "OPENAI_BASE_URL" in found.missing["base"]
    figures = values(found, "rag")
    assert (figures["verified"], figures["proven"], figures["other facts"]) == (1.0, 1.0, 0.0)
    assert advise(found).arm == "rag"


def test_four_ways_are_told_apart(
    compared: Compared, plain_settings: Settings, server: OpenAIServer
) -> None:
    """Alone, a model refuses or makes things up; with retrieval it is proven; the hybrid both."""
    team = [(in_voice(f"Thanks, the kettle came {n}"), f"t{n}") for n in range(60)]
    others = [
        (f"Item {a}{b} may be sent back by post.", f"o{a}{b}")
        for a in "abcdefgh"
        for b in "ijklmnop"
    ]
    panel = learn_panel(team, others)
    found = compared(with_model(plain_settings, server), "tuned", panel=panel)

    assert list(found.arms) == ["base", "rag", "fine-tuned", "hybrid"]
    assert found.missing == {}
    assert values(found, "base")["answered"] == 0.0
    alone = values(found, "fine-tuned")
    assert (alone["answered"], alone["proven"], alone["other facts"]) == (1.0, 0.0, 1.0)
    hybrid, rag = values(found, "hybrid"), values(found, "rag")
    assert (hybrid["proven"], hybrid["verified"], hybrid["facts kept"]) == (1.0, 1.0, 1.0)
    assert hybrid["answered"] == rag["answered"] == 1.0
    assert hybrid["refused"] == rag["refused"] == 1.0
    assert found.arms["hybrid"].tokens > found.arms["rag"].tokens > 0
    assert alone["voice"] > rag["voice"]
    (sale,) = [one for one in found.examples if one.question == ROWS[0][1]]
    assert sale.said["hybrid"].startswith("Sure thing: Items bought")
    assert sale.said["rag"].startswith("Items bought")


def test_a_style_model_that_changes_facts_is_taken_back_and_counted(
    compared: Compared, plain_settings: Settings, server: OpenAIServer
) -> None:
    """The plain words are shown, the miss is in the figures, and the hybrid is not advised."""
    found = compared(with_model(plain_settings, server), "forgetful")

    hybrid = found.arms["hybrid"]
    assert (hybrid.facts_changed, hybrid.styled) == (1, 1)
    assert values(found, "hybrid")["facts kept"] == 0.5
    assert "14 days" in found.examples[0].said["hybrid"]
    assert advise(found).arm == "rag"
    assert "changed a fact" in page(found, advise(found))


def test_a_tuned_model_that_nothing_serves_is_named(
    compared: Compared, plain_settings: Settings
) -> None:
    """The other ways are tried all the same."""
    found = compared(plain_settings, "tuned")

    assert list(found.arms) == ["rag"]
    assert "tuned is known to a provider, and none is set" in found.missing["hybrid"]
