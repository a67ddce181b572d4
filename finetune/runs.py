"""Training runs: what is checked before one is kept, and the same steps for every backend.

A run is carried out under the lease of its job, by a worker or by the command that waits for it.
A process that is killed leaves both; whoever takes the job up calls the backend again, which goes
on where its checkpoints or its provider stand.
"""

import errno
import importlib
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from core.errors import FootnoteError, reference_id
from core.logs import logger
from core.settings import Settings
from finetune.backends import (
    ADVISED_ROWS,
    Check,
    GoesOnLaterError,
    Report,
    RunCancelledError,
    Train,
    TrainingError,
)
from store.datasets import Dataset, find_dataset, read_rows
from store.jobs import Job, report_progress, submit
from store.leases import LEASE, run_leased
from store.model_registry import ModelKind
from store.runs import (
    Backend,
    Run,
    add_run_event,
    begin_run,
    cancel_run,
    fail_abandoned,
    fail_run,
    find_run,
    model_of_run,
    report_step,
    set_remote,
    start_run,
    succeed_run,
)
from store.shutdowns import schedule_shutdowns

log = logger(__name__)

GATE_MODEL = "gate_model"
"""The kind of the job that measures a candidate, submitted as soon as there is one."""
NAME_LENGTH = 60  # characters of a run's name
MODULES: dict[Backend, tuple[str, ModelKind]] = {
    "hosted": ("finetune.hosted", "style"),
    "local": ("finetune.local_runs", "style"),
    "router": ("finetune.router_head", "router"),
    "retriever": ("finetune.query_adapter", "query_adapter"),
}
"""Where each backend is, imported when a run needs it, and which kind of model it makes."""

Told = Callable[[int, int, Mapping[str, float]], object]
"""Hears step, total and figures, beside what is kept."""


class LeaseLostError(FootnoteError):
    """Another process carries out the run by now."""


@dataclass(frozen=True)
class OpenedBackend:
    """A backend's two functions."""

    check: Check
    train: Train


OpenBackend = Callable[[Backend], OpenedBackend]


def open_backend(named: Backend) -> OpenedBackend:
    """Import a backend."""
    module = importlib.import_module(MODULES[named][0])
    return OpenedBackend(module.check, module.train)


def start(
    engine: Engine,
    config: Settings,
    workspace_id: int,
    *,
    backend: str,
    dataset_id: int,
    base: str | None,
    recipe: Mapping[str, Any],
    name: str | None,
    actor: str,
    opened: OpenBackend = open_backend,
) -> tuple[Run, bool]:
    """Check what a run would be made of and keep it with its job; say whether it is new.

    The same dataset, backend, base and recipe are one run while it lives and after it succeeded.
    Raises TrainingError, NotFoundError, WithdrawnDatasetError.
    """
    chosen = known_backend(backend)
    dataset = find_dataset(engine, workspace_id, dataset_id)
    rows = read_rows(engine, dataset.id)
    whole = dict(recipe)
    if dataset.withdrawn_at is None:  # else keeping the run says what is wrong
        whole = opened(chosen).check(config, dataset, rows, base, recipe)
    kind = MODULES[chosen][1]
    fail_abandoned(engine)  # a run that is dead without having ended would stand in the way
    with engine.begin() as connection:
        run_id, new = start_run(
            connection,
            dataset,
            name=(name or f"{kind}-{datetime.now(UTC):%Y-%m}")[:NAME_LENGTH],
            kind=kind,
            backend=chosen,
            base=base,
            recipe=whole,
            requested_by=actor,
        )
    learned = sum(row.split == "train" for row in rows)
    if new and kind == "style" and learned < ADVISED_ROWS:
        add_run_event(engine, run_id, few_rows(learned), "few rows")
    return find_run(engine, workspace_id, run_id), new


def known_backend(named: str) -> Backend:
    """Return a backend by its name; raises TrainingError with those that there are."""
    for backend in get_args(Backend):
        if backend == named:
            return backend  # type: ignore[no-any-return]
    raise TrainingError(f"There is no backend {named}; there are {', '.join(get_args(Backend))}.")


def few_rows(count: int) -> str:
    """Return the warning that a language model learns from few rows."""
    return (
        f"Only {count} training rows: a voice is learned better from {ADVISED_ROWS} and more, and"
        " the gate may not have enough to decide."
    )


def carry_out(
    engine: Engine,
    config: Settings,
    job_id: int,
    *,
    lease: float = LEASE,
    opened: OpenBackend = open_backend,
    told: Told | None = None,
) -> dict[str, Any] | None:
    """Do the job of a run; None if another process has it, it is done, or goes on in a turn.

    What goes wrong ends the run with the reason, and is raised.
    """

    def work(job: Job, owner: str) -> dict[str, Any] | None:
        run = find_run(engine, job.workspace_id, int(job.payload["run_id"]))
        if not run.ended:
            report = KeptReport(engine, run.id, job.id, owner, run.step, told)
            try:
                _train(engine, config, run, report, opened)
            except GoesOnLaterError:
                return None
        return _finished(engine, job.workspace_id, run.id)

    return run_leased(engine, job_id, work, "The training run", lease=lease)


def run_folder(config: Settings, run: Run) -> Path:
    """Return the folder in which a run's files are: checkpoints, logs, what it made.

    Its name says what the run is made of: a run of the same number in another database, kept in
    the same home, finds no checkpoints that are not its own.
    """
    return config.home / "models" / f"run-{run.id}-{run.key[:8]}"


@dataclass
class KeptReport:
    """Keeps what a backend tells in the rows of its run and its job.

    `reached` is the step that earlier attempts came to: whoever gets further is a first attempt
    again, so that a run of days outlives many ends of its worker.
    """

    engine: Engine
    run_id: int
    job_id: int
    owner: str
    reached: int
    told: Told | None = None
    _anew: bool = field(default=False, init=False)

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep a step. Raises RunCancelledError, LeaseLostError, TrainingError for a NaN."""
        for name, value in figures.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"Training went astray: {name} is {value} at step {step}. Start again with a"
                    " lower learning rate."
                )
        further = step > self.reached and not self._anew
        if not report_progress(self.engine, self.job_id, self.owner, step, total, anew=further):
            raise LeaseLostError(f"Another process carries out run {self.run_id}.")
        self._anew |= further
        if report_step(self.engine, self.run_id, step, total, figures):
            raise RunCancelledError(f"Run {self.run_id} was cancelled.")
        if self.told is not None:
            self.told(step, total, figures)

    def event(self, message: str, key: str | None = None) -> None:
        """Keep a line of what happened."""
        add_run_event(self.engine, self.run_id, message, key)

    def remote(self, **ids: Any) -> None:
        """Keep a provider's ids."""
        set_remote(self.engine, self.run_id, **ids)


def _train(
    engine: Engine, config: Settings, run: Run, report: Report, opened: OpenBackend
) -> None:
    """Call the backend and end the run by what it did."""
    folder = run_folder(config, run)
    begun = time.time() if run.started_at is None else run.started_at.timestamp()
    try:
        dataset = _dataset(engine, run)
        begin_run(engine, run.id)
        folder.mkdir(parents=True, exist_ok=True)
        made = opened(run.backend).train(
            engine, run, dataset, read_rows(engine, dataset.id), folder, report
        )
        cost = {"seconds": round(time.time() - begun, 1), **made.cost}
        succeed_run(engine, run, artefact=made.artefact, result=made.result, cost=cost)
    except (LeaseLostError, GoesOnLaterError):
        raise
    except RunCancelledError:
        cancel_run(engine, run.id)
        clear(folder)
    except FootnoteError as error:
        fail_run(engine, run.id, str(error))
        clear(folder)
        raise
    except (OSError, MemoryError) as error:
        reason = _machine(error, config.home)
        fail_run(engine, run.id, reason)
        clear(folder)
        raise TrainingError(reason) from error
    except KeyboardInterrupt:
        fail_run(engine, run.id, "It was interrupted; start it again to go on.")
        raise
    except (DBAPIError, SoftTimeLimitExceeded):
        raise  # whoever takes the job up goes on
    except Exception as error:
        reference = reference_id()
        log.exception("run failed unexpectedly", run=run.id, reference=reference)
        reason = (
            f"Something went wrong that should not (reference {reference}); the log of whoever"
            " carried it out says where."
        )
        fail_run(engine, run.id, reason)
        raise TrainingError(reason) from error


def _dataset(engine: Engine, run: Run) -> Dataset:
    """Return what a run learns from. Raises TrainingError where rows were deleted meanwhile."""
    dataset = find_dataset(engine, run.workspace_id, run.dataset_id)
    if dataset.withdrawn_at is not None:
        raise TrainingError(
            f"Rows of dataset {dataset.id} were deleted, or are not approved any more; build a new"
            " one with `footnote finetune dataset build`."
        )
    return dataset


def _finished(engine: Engine, workspace_id: int, run_id: int) -> dict[str, Any]:
    """Return how a run ended; what it made is sent to its gate, once."""
    run = find_run(engine, workspace_id, run_id)
    model_id = model_of_run(engine, run_id) if run.state == "succeeded" else None
    if model_id is not None:
        with engine.begin() as connection:
            key = f"model {model_id}"
            submit(connection, workspace_id, GATE_MODEL, key, {"model_id": model_id})
            if run.backend == "hosted":
                schedule_shutdowns(connection, workspace_id)
    return {"run_id": run_id, "state": run.state, "model_id": model_id}


def _machine(error: OSError | MemoryError, home: Path) -> str:
    if isinstance(error, MemoryError):
        return "There was not enough memory; train with a smaller batch or a smaller base."
    if error.errno == errno.ENOSPC:
        return f"The disk of {home} is full; make room and start the run again."
    return (
        f"A file of the run cannot be read or written ({error.strerror or error}); check"
        f" {home / 'models'} and start it again."
    )


def clear(folder: Path) -> None:
    """Remove what a run that came to nothing has left, but for its logs."""
    if not folder.exists():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.suffix != ".log":
            entry.unlink(missing_ok=True)
