"""Tuning at a service with OpenAI's API, over real HTTP against a local one."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from finetune.backends import TrainingError
from finetune.hosted import RUN_KEY
from finetune.runs import run_folder
from store.model_registry import find_model
from store.runs import request_cancel, run_events, run_points
from tests.fakes.openai import FaultKind, OpenAIServer
from tests.integration.finetune.tuning import (
    BASE,
    QUICK,
    Bench,
    KilledError,
    dpo_rows,
    sft_rows,
)


def messages(bench: Bench, run: Any) -> str:
    """What happened in a run, in lines."""
    return "\n".join(event.message for event in run_events(bench.engine, run.id))


def test_a_run_becomes_a_candidate(bench: Bench, server: OpenAIServer) -> None:
    """It uploads both splits, creates one job, keeps its figures once, and deletes the files."""
    run = bench.start(epochs=2, price_per_million=3.0)
    outcome = bench.work(run)
    done = bench.find(run)
    (job,) = server.tuning.jobs.values()

    assert outcome is not None
    assert done.state == "succeeded"
    model = find_model(bench.engine, bench.workspace_id, outcome["model_id"])
    assert (model.kind, model.state, model.artefact) == ("style", "candidate", job.model)
    assert job.asked["model"] == BASE
    assert job.asked["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": "auto",
    }  # fmt: skip
    assert job.asked["metadata"][RUN_KEY] == run.key
    points = run_points(bench.engine, run.id)
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    assert points[0].figures == {"loss": 2.0, "accuracy": 0.5}
    assert points[1].figures["eval_loss"] == pytest.approx(1.2)  # over all rows
    assert (done.step, done.total) == (6, 6)
    assert done.cost["tokens"] == 60 * 50
    assert done.cost["money"] == pytest.approx(0.01)
    assert len(done.result["checkpoints"]) == 2
    assert (server.tuning.files, len(server.tuning.deleted)) == ({}, 2)
    assert messages(bench, run).count("successfully completed") == 1
    table = run_folder(bench.settings, run) / "result-1.csv"
    assert table.read_text("utf-8") == "step,train_loss\n1,2.0\n"


def test_the_files_hold_the_rows_and_nothing_else(bench: Bench, server: OpenAIServer) -> None:
    """Each line is a row's messages as the service takes them; kept if somebody wants that."""
    bench.work(bench.start(keep_files=True))
    training, validation = server.tuning.files.values()

    assert [len(training.rows()), len(validation.rows())] == [60, 5]
    assert training.rows()[0] == {"messages": sft_rows()[0].content["messages"]}
    assert training.purpose == "fine-tune"


def test_preferences_are_tuned_by_dpo(bench: Bench, server: OpenAIServer) -> None:
    """A dataset of preferences becomes a job of the method dpo."""
    run = bench.start(bench.dataset(dpo_rows(), "dpo"), beta=0.2, keep_files=True)
    bench.work(run)
    (job,) = server.tuning.jobs.values()

    assert bench.find(run).state == "succeeded"
    assert job.asked["method"]["type"] == "dpo"
    assert job.asked["method"]["dpo"]["hyperparameters"]["beta"] == 0.2
    (file,) = server.tuning.files.values()
    assert file.rows()[3]["preferred_output"] == [
        {"role": "assistant", "content": "You are so welcome, 3!"}
    ]


@pytest.mark.parametrize("forgetful", [False, True], ids=["metadata", "no metadata"])
def test_a_lost_answer_makes_no_second_job(
    bench: Bench, server: OpenAIServer, forgetful: bool
) -> None:
    """Where the connection broke after the job was created, that job is found and followed."""
    server.tuning.losing = 1
    server.tuning.forgetful = forgetful
    run = bench.start()
    bench.work(run)

    assert bench.find(run).state == "succeeded"
    assert len(server.tuning.jobs) == 1


def test_busy_and_broken_answers_are_asked_again(bench: Bench, server: OpenAIServer) -> None:
    """Errors of the service and refusals for the rate cost a run time, not its life."""
    run = bench.start()
    server.fail("fine_tuning", "500", times=2)
    server.fail("fine_tuning", "429", times=1, seconds=0)
    bench.work(run)

    assert bench.find(run).state == "succeeded"
    assert len(server.tuning.jobs) == 1


REFUSED: list[tuple[FaultKind, str]] = [
    ("401", "refused the key; correct OPENAI_API_KEY"),
    ("403", "may not create fine-tunes"),
    ("quota", "has no quota left"),
    ("html", "something else than the API of fine-tuning"),
]


@pytest.mark.parametrize(("kind", "words"), REFUSED, ids=[kind for kind, _ in REFUSED])
def test_a_closed_door_is_told_before_a_run_is_kept(
    bench: Bench, server: OpenAIServer, kind: FaultKind, words: str
) -> None:
    """Nothing is kept, and the sentence says what to do; the key is in none."""
    server.fail("fine_tuning", kind, times=4)
    with pytest.raises(TrainingError, match=words) as caught:
        bench.start()
    assert server.api_key not in str(caught.value)
    assert server.tuning.files == {}


def test_a_door_that_closes_on_creation_fails_the_run(bench: Bench, server: OpenAIServer) -> None:
    """Who may list jobs and not create any is told so; the uploaded files are deleted."""
    run = bench.start()
    server.tuning.closed = True
    with pytest.raises(TrainingError, match="may not create fine-tunes"):
        bench.work(run)

    failed = bench.find(run)
    assert failed.state == "failed"
    assert failed.reason is not None
    assert "may not create" in failed.reason
    assert server.tuning.files == {}


def test_a_refused_dataset_is_told_with_the_services_words(
    bench: Bench, server: OpenAIServer
) -> None:
    """What validation says becomes the run's reason; no model is registered."""
    server.tuning.invalid = "Invalid file format. Line 3, message 2: unknown key."
    run = bench.start()
    with pytest.raises(TrainingError, match=r"train split \(“Invalid file format. Line 3"):
        bench.work(run)

    assert bench.find(run).state == "failed"
    assert server.tuning.files == {}


def test_a_spent_quota_is_told(bench: Bench, server: OpenAIServer) -> None:
    """A job that ends for lack of money says so."""
    server.tuning.failing = ("exceeded_quota", "Billing hard limit has been reached")
    run = bench.start()
    with pytest.raises(TrainingError, match="has no quota left"):
        bench.work(run)
    assert bench.find(run).state == "failed"


def test_figures_that_are_none_end_the_job(bench: Bench, server: OpenAIServer) -> None:
    """A loss that is not a number cancels the job there and fails the run here."""
    server.tuning.astray = True
    run = bench.start()
    with pytest.raises(TrainingError, match="loss is nan at step 2"):
        bench.work(run)

    (job,) = server.tuning.jobs.values()
    assert job.status == "cancelled"
    assert bench.find(run).state == "failed"


def test_a_killed_process_is_followed_by_the_next(bench: Bench, server: OpenAIServer) -> None:
    """Whoever takes the job up asks about the job that there is; nothing is kept twice."""
    run = bench.start()

    def die() -> None:
        if len(run_points(bench.engine, run.id)) >= 2:
            raise KilledError

    bench.on_step = die
    with pytest.raises(KilledError):
        bench.work(run)
    bench.on_step = None
    assert bench.find(run).state == "running"
    bench.let_lease_run_out(run)
    bench.work(bench.find(run))

    assert bench.find(run).state == "succeeded"
    assert len(server.tuning.jobs) == 1
    assert len(run_points(bench.engine, run.id)) == 6
    told = [event.message for event in run_events(bench.engine, run.id)]
    assert sum("Files validated" in message for message in told) == 1


def test_a_long_job_is_followed_in_turns(bench: Bench, server: OpenAIServer) -> None:
    """Between two looks others may have the worker; figures and events are kept once."""
    bench.pauses = replace(QUICK, turn=0.0)
    run = bench.start()
    turns = 0
    while bench.work(run) is None and turns < 20:
        turns += 1
        assert not bench.find(run).ended

    done = bench.find(run)
    assert (done.state, turns) == ("succeeded", 4)
    assert len(server.tuning.jobs) == 1
    assert [point.step for point in run_points(bench.engine, run.id)] == [1, 2, 3, 4, 5, 6]
    assert done.result["eval_loss"] == pytest.approx(2 / 6 + 0.2, abs=1e-3)
    told = [event.message for event in run_events(bench.engine, run.id)]
    assert len(told) == len(set(told))


def test_a_killed_process_before_its_note_makes_no_second_job(
    bench: Bench, server: OpenAIServer
) -> None:
    """A job whose id never reached the run's row is found by the run's key."""
    run = bench.start()
    bench.dies_noting = True
    with pytest.raises(KilledError):
        bench.work(run)
    bench.dies_noting = False
    assert bench.find(run).remote.get("job_id") is None
    bench.let_lease_run_out(run)
    bench.work(bench.find(run))

    assert bench.find(run).state == "succeeded"
    assert len(server.tuning.jobs) == 1


def test_a_cancelled_run_is_cancelled_there_too(bench: Bench, server: OpenAIServer) -> None:
    """The job is cancelled at the service, its files are deleted, no model is registered."""
    server.tuning.held = True
    run = bench.start()

    def cancel() -> None:
        if server.tuning.jobs:
            request_cancel(bench.engine, bench.workspace_id, run.id, "U2")

    bench.on_step = cancel
    outcome = bench.work(run)

    assert outcome == {"run_id": run.id, "state": "cancelled", "model_id": None}
    (job,) = server.tuning.jobs.values()
    assert job.status == "cancelled"
    assert server.tuning.files == {}


def test_an_outage_leaves_a_job_that_is_found_again(bench: Bench, server: OpenAIServer) -> None:
    """A service that stays away fails the run and says that its job goes on; the next finds it."""
    run = bench.start()
    server.tuning.held = True
    bench.retries = 0

    def go_away() -> None:
        if server.tuning.jobs:
            server.fail("fine_tuning", "500", times=100)

    bench.on_step = go_away
    with pytest.raises(TrainingError, match="goes on at"):
        bench.work(run)
    assert bench.find(run).state == "failed"

    bench.on_step = None
    server.tuning.held = False
    server.mend()
    again = bench.start()
    bench.work(again)

    assert again.id != run.id
    assert bench.find(again).state == "succeeded"
    assert len(server.tuning.jobs) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rounds": 3}, "knows no rounds"),
    ({"epochs": 0}, "epochs must be auto or a whole number above 0, not 0"),
    ({"suffix": "x" * 65}, "suffix must be 1 to 64"),
    ({"method": "dpo"}, "learned from by the method supervised"),
    ({"beta": 0.1}, "beta is for datasets of the format dpo"),
    ({"price_per_million": "auto"}, "price_per_million must be a number"),
    ({"context": 5}, "Row 1 of the train split has about"),
]


@pytest.mark.parametrize(("recipe", "words"), WRONG, ids=[words for _, words in WRONG])
def test_a_recipe_that_cannot_be_is_refused(
    bench: Bench, server: OpenAIServer, recipe: dict[str, Any], words: str
) -> None:
    """One sentence names the option, or the row; the service is not asked."""
    with pytest.raises(TrainingError, match=words):
        bench.start(**recipe)
    assert server.requests == []


def test_too_few_rows_are_refused_and_few_are_warned_of(
    bench: Bench, server: OpenAIServer
) -> None:
    """Below 50 nothing is sent; below 200 the run's events say that it is little."""
    with pytest.raises(TrainingError, match=r"has 49 training rows; .* at least 50"):
        bench.start(bench.dataset(sft_rows(49)))
    assert server.requests == []
    assert "Only 60 training rows" in messages(bench, bench.start())


def test_a_model_must_be_named(bench: Bench) -> None:
    """Without a base the sentence says how to name one."""
    with pytest.raises(TrainingError, match="--base"):
        bench.start(base=None)


def test_without_a_service_the_settings_are_named(bench: Bench) -> None:
    """Neither key nor address: the sentence names both."""
    bench.settings = bench.settings.model_copy(
        update={"openai_api_key": None, "openai_base_url": None}
    )
    with pytest.raises(TrainingError, match="OPENAI_API_KEY, or OPENAI_BASE_URL"):
        bench.start()


def test_neither_key_nor_rows_are_in_what_is_kept(bench: Bench, server: OpenAIServer) -> None:
    """Events and reasons name files and figures only."""
    run = bench.start()
    bench.work(run)
    told = messages(bench, run) + json.dumps(bench.find(run).remote)

    assert server.api_key not in told
    assert "welcome" not in told


def test_a_wrong_key_is_told_plainly(bench: Bench) -> None:
    """The sentence names the setting."""
    bench.settings = bench.settings.model_copy(update={"openai_api_key": SecretStr("sk-wrong")})
    with pytest.raises(TrainingError, match="correct OPENAI_API_KEY"):
        bench.start()
