"""Datasets and the runs that train on them."""

import pytest

from core.errors import NotFoundError
from store.datasets import (
    Dataset,
    DatasetRow,
    dataset_sha256,
    find_dataset,
    list_datasets,
    read_rows,
    save_dataset,
    withdraw_datasets,
)
from store.jobs import find_job
from store.model_registry import find_model
from store.runs import (
    TRAIN_MODEL,
    WithdrawnDatasetError,
    add_run_event,
    begin_run,
    cancel_run,
    fail_run,
    find_run,
    list_runs,
    report_step,
    request_cancel,
    run_events,
    run_points,
    set_remote,
    start_run,
    succeed_run,
)
from store.transcripts import Said, add_candidate, list_transcripts
from tests.integration.store.shelf import Shelf

ROWS = (
    DatasetRow("train", {"text": "Hello there", "label": "small_talk"}, "c1"),
    DatasetRow("validation", {"text": "Can I return it?", "label": "policy"}, "c2"),
)


def _dataset(shelf: Shelf, *rows: DatasetRow) -> Dataset:
    with shelf.engine.begin() as connection:
        return save_dataset(
            connection, shelf.workspace_id, "tone", "routes", rows or ROWS, {"rows": 2}, "U1"
        )[0]


def _start(shelf: Shelf, dataset: Dataset, **recipe: object) -> tuple[int, bool]:
    with shelf.engine.begin() as connection:
        return start_run(
            connection,
            dataset,
            name="router",
            kind="router",
            backend="router",
            base=None,
            recipe=recipe,
            requested_by="U1",
        )


def test_the_same_rows_are_the_same_dataset(shelf: Shelf) -> None:
    """Rows come back in order; another split, order or format is another dataset."""
    first = _dataset(shelf)
    again = _dataset(shelf)
    assert again == first
    assert read_rows(shelf.engine, first.id) == list(ROWS)
    assert first.sha256 == dataset_sha256("routes", ROWS)
    assert dataset_sha256("routes", ROWS[::-1]) != first.sha256
    assert dataset_sha256("sft", ROWS) != first.sha256
    assert list_datasets(shelf.engine, shelf.workspace_id) == [first]
    with pytest.raises(NotFoundError, match="There is no dataset"):
        find_dataset(shelf.engine, shelf.workspace_id, first.id + 1000)


def test_the_same_run_is_started_once(shelf: Shelf) -> None:
    """While one lives, and after it succeeded, it is that one; after a failure a new one."""
    engine, dataset = shelf.engine, _dataset(shelf)
    run_id, is_new = _start(shelf, dataset, seed=1)
    assert is_new
    assert _start(shelf, dataset, seed=1) == (run_id, False)
    assert _start(shelf, dataset, seed=2)[1]
    run = find_run(engine, shelf.workspace_id, run_id)
    assert run.job_id is not None
    job = find_job(engine, run.job_id)
    assert job is not None
    assert (job.kind, job.payload) == (TRAIN_MODEL, {"run_id": run_id})
    fail_run(engine, run_id, "The disk is full.")
    retried, is_new = _start(shelf, dataset, seed=1)
    assert is_new
    assert retried != run_id
    assert find_run(engine, shelf.workspace_id, run_id).reason == "The disk is full."


def test_a_run_tells_how_far_it_is_and_registers_one_model(shelf: Shelf) -> None:
    """Points and events are kept once; success registers a candidate, and only once."""
    engine = shelf.engine
    run_id, _ = _start(shelf, _dataset(shelf), seed=3)
    begin_run(engine, run_id)
    set_remote(engine, run_id, file="file-1")
    set_remote(engine, run_id, job="ftjob-1")
    assert report_step(engine, run_id, 1, 4, {"loss": 2.0}) is False
    report_step(engine, run_id, 1, 4, {"eval_loss": 2.5})
    report_step(engine, run_id, 2, 4, {"loss": 1.5})
    for _ in range(2):
        add_run_event(engine, run_id, "files are valid", key="ev-1")
    assert [p.figures for p in run_points(engine, run_id)] == [
        {"loss": 2.0, "eval_loss": 2.5},
        {"loss": 1.5},
    ]
    assert [event.message for event in run_events(engine, run_id)] == ["files are valid"]
    run = find_run(engine, shelf.workspace_id, run_id)
    assert (run.step, run.total, run.remote) == (2, 4, {"file": "file-1", "job": "ftjob-1"})
    model_id = succeed_run(engine, run, artefact="/m", result={"accuracy": 0.9}, cost={"s": 1})
    assert model_id is not None
    assert succeed_run(engine, run, artefact="/m", result={}, cost={}) is None
    model = find_model(engine, shelf.workspace_id, model_id)
    assert (model.state, model.run_id, model.evidence) == ("candidate", run_id, {"accuracy": 0.9})
    cancel_run(engine, run_id)
    assert list_runs(engine, shelf.workspace_id)[0].state == "succeeded"


def test_cancelling_stops_what_runs_and_ends_what_waits(shelf: Shelf) -> None:
    """Who carries a run out hears of it with its next step."""
    engine = shelf.engine
    waiting, _ = _start(shelf, _dataset(shelf), seed=4)
    assert request_cancel(engine, shelf.workspace_id, waiting, "U1")
    assert find_run(engine, shelf.workspace_id, waiting).state == "cancelled"
    assert not request_cancel(engine, shelf.workspace_id, waiting, "U1")
    running, _ = _start(shelf, _dataset(shelf), seed=5)
    begin_run(engine, running)
    assert request_cancel(engine, shelf.workspace_id, running, "U1")
    assert report_step(engine, running, 1, 4) is True
    cancel_run(engine, running)
    assert find_run(engine, shelf.workspace_id, running).ended


def test_deleted_words_withdraw_datasets_and_mark_models(shelf: Shelf) -> None:
    """What was learned from a transcript is known: its dataset trains nothing, its model tells."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    with engine.begin() as connection:
        add_candidate(
            connection, workspace_id, "import", "x", [Said("asker", "Hi")], added_by="U1"
        )
    (transcript,) = list_transcripts(engine, workspace_id)
    content = {"text": "Hi", "label": "small_talk"}
    dataset = _dataset(shelf, DatasetRow("train", content, "c1", transcript.id))
    run_id, _ = _start(shelf, dataset, seed=6)
    run = find_run(engine, workspace_id, run_id)
    model_id = succeed_run(engine, run, artefact="/m", result={}, cost={})
    assert model_id is not None
    with engine.begin() as connection:
        assert withdraw_datasets(connection, workspace_id, [transcript.id]) == [dataset.id]
    assert find_model(engine, workspace_id, model_id).tainted_at is not None
    assert find_dataset(engine, workspace_id, dataset.id).withdrawn_at is not None
    with pytest.raises(WithdrawnDatasetError, match="build a new one"):
        _start(shelf, dataset, seed=7)
