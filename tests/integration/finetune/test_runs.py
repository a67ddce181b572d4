"""How runs are kept, carried out and ended, with a backend that does what a test says."""

import errno
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.errors import NotFoundError
from finetune.backends import Made, Report, TrainingError
from finetune.runs import GATE_MODEL, OpenedBackend, carry_out, run_folder, start
from store.audit import read_audit
from store.datasets import Dataset, DatasetRow
from store.jobs import sweep
from store.model_registry import list_models
from store.runs import (
    Backend,
    Run,
    WithdrawnDatasetError,
    fail_abandoned,
    find_run,
    list_runs,
    request_cancel,
    run_points,
)
from tests.integration.finetune.tuning import Bench, KilledError

Does = Callable[[Run, Path, Report], Made]


class Scripted:
    """A backend that checks nothing but a word, and trains as it is told."""

    def __init__(self, does: Does) -> None:
        self.does = does

    def __call__(self, named: Backend) -> OpenedBackend:
        """Open it under any name."""
        return OpenedBackend(self._check, self._train)

    @staticmethod
    def _check(*given: Any) -> dict[str, Any]:
        recipe: Mapping[str, Any] = given[-1]
        if "wrong" in recipe:
            raise TrainingError("There is no such setting.")
        return {"c": 1.0, **recipe}

    def _train(
        self,
        engine: Engine,
        run: Run,
        dataset: Dataset,
        rows: Sequence[DatasetRow],
        folder: Path,
        report: Report,
    ) -> Made:
        return self.does(run, folder, report)


def made(_run: Run, folder: Path, report: Report) -> Made:
    """Train in three steps."""
    for step in (1, 2, 3):
        report.step(step, 3, loss=1 / step)
    (folder / "head.npz").write_bytes(b"weights")
    return Made(str(folder), {"accuracy": 0.9}, {"rows": 60})


def begun(bench: Bench, scripted: Scripted, **recipe: Any) -> Run:
    """Keep a run of the router's backend."""
    return start(
        bench.engine,
        bench.settings,
        bench.workspace_id,
        backend="router",
        dataset_id=bench.dataset().id,
        base=None,
        recipe=recipe,
        name=None,
        actor="U1",
        opened=scripted,
    )[0]


def worked(bench: Bench, scripted: Scripted, run: Run) -> dict[str, Any] | None:
    """Carry a run out."""
    assert run.job_id is not None
    return carry_out(bench.engine, bench.settings, run.job_id, opened=scripted)


def found(bench: Bench, run: Run) -> Run:
    """Return a run as it is now."""
    return find_run(bench.engine, bench.workspace_id, run.id)


def waiting(bench: Bench, kind: str) -> list[dict[str, Any]]:
    """Return what the live jobs of a kind are to work on."""
    with bench.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT payload FROM jobs WHERE workspace_id = :id AND kind = :kind"),
            {"id": bench.workspace_id, "kind": kind},
        )
        return [row.payload for row in rows]


def test_what_was_made_goes_to_its_gate(bench: Bench) -> None:
    """A run that succeeds registers a candidate with its evidence and submits its gate, once."""
    scripted = Scripted(made)
    run = begun(bench, scripted)
    outcome = worked(bench, scripted, run)

    (model,) = list_models(bench.engine, bench.workspace_id)
    assert outcome == {"run_id": run.id, "state": "succeeded", "model_id": model.id}
    assert (model.kind, model.state, model.evidence) == ("router", "candidate", {"accuracy": 0.9})
    assert waiting(bench, GATE_MODEL) == [{"model_id": model.id}]
    done = found(bench, run)
    assert done.cost["seconds"] >= 0
    assert done.cost["rows"] == 60
    assert [point.figures["loss"] for point in run_points(bench.engine, run.id)] == [
        1.0, 1 / 2, 1 / 3
    ]  # fmt: skip
    assert worked(bench, scripted, run) is None


def test_the_same_start_is_the_same_run(bench: Bench) -> None:
    """Dataset, backend, base and recipe with its defaults decide; a default given counts alike."""
    scripted = Scripted(made)
    first = begun(bench, scripted)
    again = begun(bench, scripted, c=1.0)
    other = begun(bench, scripted, c=2.0)

    assert again.id == first.id
    assert other.id != first.id
    assert len(waiting(bench, "train_model")) == 2


def test_what_cannot_be_started_leaves_nothing(bench: Bench) -> None:
    """An unknown backend, dataset or setting is told, and no run is kept."""
    scripted = Scripted(made)
    with pytest.raises(TrainingError, match="no such setting"):
        begun(bench, scripted, wrong=1)
    common: dict[str, Any] = {"base": None, "recipe": {}, "name": None, "actor": "U1"}
    place = (bench.engine, bench.settings, bench.workspace_id)
    with pytest.raises(TrainingError, match="there are hosted, local, router, retriever"):
        start(*place, backend="magic", dataset_id=1, opened=scripted, **common)
    with pytest.raises(NotFoundError, match="There is no dataset"):
        start(*place, backend="router", dataset_id=10**9, opened=scripted, **common)
    assert list_runs(bench.engine, bench.workspace_id) == []


def test_a_dataset_with_deleted_rows_is_not_trained_on(bench: Bench) -> None:
    """Neither started, nor carried out where it was started before."""
    scripted = Scripted(made)
    run = begun(bench, scripted)
    with bench.engine.begin() as connection:
        connection.execute(
            text("UPDATE datasets SET withdrawn_at = now() WHERE workspace_id = :id"),
            {"id": bench.workspace_id},
        )
    with pytest.raises(WithdrawnDatasetError):
        begun(bench, scripted, c=3.0)
    with pytest.raises(TrainingError, match="were deleted"):
        worked(bench, scripted, run)
    assert found(bench, run).state == "failed"


def refuse(_run: Run, folder: Path, report: Report) -> Made:
    """Fail in the middle, with files left."""
    report.step(1, 3, loss=1.0)
    (folder / "checkpoint-1").mkdir()
    (folder / "train.log").write_text("what the trainer said")
    raise TrainingError("The base has no chat template; name another with --base.")


def fill_the_disk(_run: Run, _folder: Path, _report: Report) -> Made:
    """Run out of room."""
    raise OSError(errno.ENOSPC, "No space left on device")


def exhaust(_run: Run, _folder: Path, _report: Report) -> Made:
    """Run out of memory."""
    raise MemoryError


def go_astray(run: Run, folder: Path, report: Report) -> Made:
    """Compute nonsense."""
    report.step(7, 9, loss=float("nan"))
    return made(run, folder, report)


def trip(_run: Run, _folder: Path, _report: Report) -> Made:
    """Do what nobody expected."""
    raise ZeroDivisionError


ENDS = {
    "a fault of ours": (trip, "that should not (reference "),
    "a reason": (refuse, "no chat template"),
    "a full disk": (fill_the_disk, "is full; make room"),
    "no memory": (exhaust, "not enough memory"),
    "a loss that is no number": (go_astray, "loss is nan at step 7"),
}


@pytest.mark.parametrize(("does", "words"), ENDS.values(), ids=ENDS)
def test_what_goes_wrong_is_the_runs_reason(bench: Bench, does: Does, words: str) -> None:
    """The run fails with one sentence, no model is registered, only logs are left."""
    scripted = Scripted(does)
    run = begun(bench, scripted)
    with pytest.raises(TrainingError, match=re.escape(words)):
        worked(bench, scripted, run)

    failed = found(bench, run)
    assert failed.state == "failed"
    assert failed.reason is not None
    assert words in failed.reason
    assert list_models(bench.engine, bench.workspace_id) == []
    assert waiting(bench, GATE_MODEL) == []
    left = {path.name for path in run_folder(bench.settings, run).glob("*")}
    assert left <= {"train.log"}
    assert begun(bench, scripted).id != run.id


def test_a_cancelled_run_stops_at_its_next_step(bench: Bench) -> None:
    """Nothing is registered; the audit log knows who asked."""

    def ask(run: Run, folder: Path, report: Report) -> Made:
        request_cancel(bench.engine, bench.workspace_id, run.id, "U2")
        return made(run, folder, report)

    scripted = Scripted(ask)
    run = begun(bench, scripted)
    outcome = worked(bench, scripted, run)

    assert outcome == {"run_id": run.id, "state": "cancelled", "model_id": None}
    assert len(run_points(bench.engine, run.id)) == 1
    entries = read_audit(bench.engine, bench.workspace_id)
    assert ("U2", "training run cancelled") in [(one.actor, one.action) for one in entries]


def test_a_run_that_nobody_began_is_cancelled_at_once(bench: Bench) -> None:
    """Its job finds that there is nothing to do."""
    scripted = Scripted(made)
    run = begun(bench, scripted)
    request_cancel(bench.engine, bench.workspace_id, run.id, "U2")

    assert found(bench, run).state == "cancelled"
    outcome = worked(bench, scripted, run)
    assert outcome is not None
    assert outcome["state"] == "cancelled"
    assert run_points(bench.engine, run.id) == []


def test_three_ends_without_progress_fail_the_run(bench: Bench) -> None:
    """A run that takes its process down each time is given up, with its reason."""

    def die(_run: Run, _folder: Path, _report: Report) -> Made:
        raise KilledError

    scripted = Scripted(die)
    run = begun(bench, scripted)
    for _ in range(3):
        with pytest.raises(KilledError):
            worked(bench, scripted, run)
        bench.let_lease_run_out(run)
    sweep(bench.engine)
    fail_abandoned(bench.engine)

    failed = found(bench, run)
    assert failed.state == "failed"
    assert failed.reason is not None
    assert "three times" in failed.reason


def test_progress_starts_the_count_of_ends_anew(bench: Bench) -> None:
    """A run of days outlives more ends of its worker than three, if each attempt got further."""

    def climb(run: Run, folder: Path, report: Report) -> Made:
        report.step(run.step + 1, 9, loss=1.0)
        if run.step < 5:
            raise KilledError
        return made(run, folder, report)

    scripted = Scripted(climb)
    run = begun(bench, scripted)
    for _ in range(5):
        with pytest.raises(KilledError):
            worked(bench, scripted, run)
        bench.let_lease_run_out(run)
        sweep(bench.engine)
    worked(bench, scripted, run)

    assert found(bench, run).state == "succeeded"


def test_who_lost_the_lease_changes_nothing(bench: Bench) -> None:
    """A process that slept while another took its run up stops, and the run goes on."""

    def sleep(run: Run, folder: Path, report: Report) -> Made:
        with bench.engine.begin() as connection:
            connection.execute(
                text("UPDATE jobs SET lease_owner = 'another' WHERE id = :id"), {"id": run.job_id}
            )
        return made(run, folder, report)

    scripted = Scripted(sleep)
    run = begun(bench, scripted)
    with pytest.raises(Exception, match="Another process carries out run"):
        worked(bench, scripted, run)

    assert found(bench, run).state == "running"
    assert run_points(bench.engine, run.id) == []


def test_a_crash_after_success_still_sends_the_model_to_its_gate(bench: Bench) -> None:
    """The job of a run that has succeeded does what was left: the gate."""
    scripted = Scripted(made)
    run = begun(bench, scripted)
    worked(bench, scripted, run)
    with bench.engine.begin() as connection:
        for statement in (
            "DELETE FROM jobs WHERE workspace_id = :id AND kind = 'gate_model'",
            "UPDATE jobs SET state = 'running', lease_until = now() - interval '1 s'"
            " WHERE workspace_id = :id AND kind = 'train_model'",
        ):
            connection.execute(text(statement), {"id": bench.workspace_id})
    worked(bench, scripted, run)

    assert len(list_models(bench.engine, bench.workspace_id)) == 1
    assert len(waiting(bench, GATE_MODEL)) == 1
