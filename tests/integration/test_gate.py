"""Style models at their gate: asked over HTTP, judged on held-out conversations, tried or not."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from core.settings import Settings
from evaluation.gate import GateError, verdict_line
from evaluation.gates import evaluate, gate, run_gate_job
from evaluation.voices import VoiceError
from retrieval.embeddings import Embedder
from store.datasets import Dataset
from store.evaluations import list_evaluations
from store.jobs import submit
from store.model_registry import (
    Model,
    find_model,
    list_verdicts,
    promote_model,
    start_canary,
)
from store.retraining import read_standing
from store.schedules import list_schedules
from tests.fakes.openai import OpenAIServer
from tests.integration.conftest import with_model
from tests.integration.gating import BAD, keep_dataset, keep_model, speak


@pytest.fixture(scope="module")
def voices() -> Iterator[OpenAIServer]:
    """An address that knows all these models."""
    with OpenAIServer(fallback=speak) as made:
        yield made


@pytest.fixture
def settings(plain_settings: Settings, voices: OpenAIServer) -> Settings:
    """Settings that name that address; its own model is the good one."""
    return with_model(plain_settings, voices).model_copy(update={"openai_model": "another-voice"})


@pytest.fixture
def dataset(engine: Engine, workspace_id: int) -> Dataset:
    """The team's voice: 140 conversations to learn from, 40 held out."""
    return keep_dataset(engine, workspace_id)


@pytest.fixture
def candidate(engine: Engine, workspace_id: int, dataset: Dataset) -> Model:
    """A model that speaks well, and that dataset."""
    assert dataset.format == "sft"
    return keep_model(engine, workspace_id, "good")


def test_a_good_candidate_passes_and_begins_its_trial(
    engine: Engine, settings: Settings, embedder: Embedder, candidate: Model, voices: OpenAIServer
) -> None:
    """Its verdict is kept with the evidence, and it answers 5 % of the conversations.

    The job done again, as after a killed worker, asks nothing more.
    """
    for key in ("first", "again"):
        with engine.begin() as connection:
            named = {"model_id": candidate.id}
            job = submit(connection, candidate.workspace_id, "gate_model", key, named)
        asked = len(voices.requests)
        done = run_gate_job(engine, settings, embedder, job)

    assert done == {"state": "canary"}
    assert len(voices.requests) == asked
    model = find_model(engine, candidate.workspace_id, candidate.id)
    assert (model.state, model.share) == ("canary", 5)
    (verdict,) = list_verdicts(engine, candidate.id)
    assert (verdict.stage, verdict.passed) == ("gate", True)
    line = verdict_line(verdict.evidence)
    assert line.startswith("voice +")
    assert "facts changed 0 of 160" in line
    assert "leaks 0 of 200" in line
    assert verdict.evidence["against"] == "no style model"
    kinds = {one.kind for one in list_schedules(engine, candidate.workspace_id)}
    assert "evaluate_models" in kinds


FAULTS = {
    "numbers-changed": "facts changed: ",
    "marks-lost": "citations lost: 160 of 160",
    "a-few-drafts-changed": "facts changed: ",
    "gives-people-away": "leaks: ",
    "copies-its-rows": "own words may have fallen",
    "another-voice": "voice did not surely gain",
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("dataset")
def test_a_candidate_with_a_fault_is_rejected(
    engine: Engine,
    workspace_id: int,
    settings: Settings,
    embedder: Embedder,
    name: str,
) -> None:
    """Each seeded fault is found, named in the verdict, and keeps the model from answering.

    What was given away is not kept with it.
    """
    gated = gate(engine, settings, embedder, keep_model(engine, workspace_id, name))

    assert not gated.decision.passed
    assert FAULTS[name] in gated.decision.reason
    assert gated.model.state == "rejected"
    (verdict,) = list_verdicts(engine, gated.model.id)
    assert not verdict.passed
    assert "maria" not in str(verdict.evidence)


def test_a_model_as_good_as_the_one_in_use_does_not_take_its_place(
    engine: Engine, workspace_id: int, settings: Settings, embedder: Embedder, candidate: Model
) -> None:
    """The same voice drawn anew gained nothing that is sure."""
    promote_model(engine, workspace_id, candidate.id)
    gated = gate(engine, settings, embedder, keep_model(engine, workspace_id, "also-good"))

    assert not gated.decision.passed
    assert gated.decision.evidence["against"] == "good"


def test_while_another_is_on_trial_a_candidate_waits(
    engine: Engine, workspace_id: int, settings: Settings, embedder: Embedder, candidate: Model
) -> None:
    """It passed, and stays a candidate until there is room."""
    start_canary(
        engine, workspace_id, keep_model(engine, workspace_id, "also-good").id, 5, "tests"
    )
    gated = gate(engine, settings, embedder, candidate)

    assert gated.decision.passed
    assert gated.model.state == "candidate"
    assert "also-good is on trial already" in gated.told


def test_a_model_that_cannot_be_asked_stays_a_candidate(
    engine: Engine,
    settings: Settings,
    embedder: Embedder,
    candidate: Model,
    voices: OpenAIServer,
) -> None:
    """Nothing is decided of it, and the sentence says why."""
    voices.fail("chat", "401")
    with pytest.raises(GateError, match="good cannot be asked: the key was refused"):
        gate(engine, settings, embedder, candidate)

    assert find_model(engine, candidate.workspace_id, candidate.id).state == "candidate"
    assert list_verdicts(engine, candidate.id) == []


def test_a_provider_that_is_not_set_is_named(
    engine: Engine, plain_settings: Settings, embedder: Embedder, candidate: Model
) -> None:
    """Without an address there is nothing to measure."""
    with pytest.raises(GateError, match="set OPENAI_API_KEY"):
        gate(engine, plain_settings, embedder, candidate)


def test_few_examples_do_not_make_a_judge(
    engine: Engine, workspace_id: int, settings: Settings, embedder: Embedder
) -> None:
    """With 20 conversations the voice cannot be learned, and that is said."""
    keep_dataset(engine, workspace_id, train=20, held=20)
    with pytest.raises(VoiceError, match="too few to learn it"):
        gate(engine, settings, embedder, keep_model(engine, workspace_id, "good"))


def test_without_a_dataset_nothing_is_measured(
    engine: Engine, workspace_id: int, settings: Settings, embedder: Embedder
) -> None:
    """The sentence says how to build one."""
    with pytest.raises(GateError, match="footnote finetune dataset build"):
        gate(engine, settings, embedder, keep_model(engine, workspace_id, "good"))


def test_the_weekly_evaluation_keeps_what_drift_is_told_by(
    engine: Engine,
    workspace_id: int,
    settings: Settings,
    embedder: Embedder,
    candidate: Model,
    dataset: Dataset,
) -> None:
    """The active model's main figure, where the rules of retraining look for it."""
    promote_model(engine, workspace_id, candidate.id)
    told = evaluate(engine, settings, embedder, workspace_id, lambda *_: dataset)

    (kept,) = list_evaluations(engine, workspace_id, "style")
    assert kept.figures["figure"] == "voice"
    assert kept.figures["main"] == pytest.approx(float(told["style"].split()[1]), abs=0.001)
    assert read_standing(engine, workspace_id, "style").latest_figure == kept.figures["main"]
