"""Sends a model through the gate of its kind: measures, keeps the verdict, begins the trial."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from core.errors import FootnoteError
from core.logs import logger
from core.settings import Settings
from evaluation.adapter_gate import measure_adapter
from evaluation.asking import Progress
from evaluation.canary import STEPS
from evaluation.gate import Decision, GateError
from evaluation.head_gates import measure_router
from evaluation.style_gate import measure_style
from retrieval.embeddings import Embedder
from store.datasets import Dataset, DatasetRow, Format, find_dataset, list_datasets, read_rows
from store.evaluations import evaluate_weekly, save_evaluation
from store.jobs import Job
from store.leases import LEASE, run_leased
from store.model_registry import (
    Model,
    ModelKind,
    ModelStateError,
    active_model,
    find_model,
    save_verdict,
    start_canary,
)
from store.retraining import MAIN_FIGURE, MEASURED_BY
from store.runs import find_run

ACTOR = "gate"  # as the audit log names who did it
FORMATS: dict[ModelKind, tuple[Format, ...]] = {
    "style": ("sft", "dpo"),
    "router": ("routes",),
    "query_adapter": ("pairs",),
}
"""What a kind of model is measured on: the validation rows of datasets of these formats."""

Build = Callable[[Engine, Settings, int, Format, str, str], Dataset]
"""Builds a dataset of a format under a name for an actor in a workspace."""

log = logger(__name__)


@dataclass(frozen=True)
class Gated:
    """A gate's verdict and what followed from it, in a sentence."""

    model: Model
    decision: Decision
    told: str

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return {
            "model": self.model.name,
            "passed": self.decision.passed,
            "reason": self.decision.reason,
            "then": self.told,
            "state": self.model.state,
            "share": self.model.share,
            "evidence": self.decision.evidence,
        }


def measure(
    engine: Engine,
    settings: Settings,
    embedder: Embedder,
    model: Model,
    incumbent: Model | None,
    rows: list[DatasetRow],
    progress: Progress = lambda _done, _total: None,
) -> Decision:
    """Return the verdict on a model against another, or against what stands without one."""
    if model.kind == "style":
        return measure_style(engine, settings, embedder, model, incumbent, rows, progress)
    if model.kind == "router":
        return measure_router(embedder, model, incumbent, rows)
    if model.kind == "query_adapter":
        return measure_adapter(embedder, model, incumbent, rows)
    raise GateError(f"There is no gate for models of the kind {model.kind}.")


def gate(
    engine: Engine,
    settings: Settings,
    embedder: Embedder,
    model: Model,
    *,
    dataset_id: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Gated:
    """Measure a model, keep the verdict, and let a candidate that passed begin its trial.

    Raises GateError, VoiceError, ArtefactError where it cannot be measured: then nothing is kept
    and it stays what it is.
    """
    if model.tainted_at is not None:
        raise GateError(
            f"Words that {model.name} learned from were deleted with somebody's data; train"
            " another one without them."
        )
    incumbent = active_model(engine, model.workspace_id, model.kind)
    if incumbent is not None and incumbent.id == model.id:
        raise GateError(f"{model.name} is what answers now; there is nothing to hold it against.")
    dataset = dataset_of(engine, model, dataset_id)
    rows = read_rows(engine, dataset.id)
    decided = measure(engine, settings, embedder, model, incumbent, rows, progress)
    save_verdict(
        engine,
        model,
        stage="gate",
        passed=decided.passed,
        reason=decided.reason,
        evidence=decided.evidence | {"dataset": dataset.id},
        against_id=incumbent.id if incumbent else None,
    )
    log.info("model gated", model=model.id, passed=decided.passed)
    if not decided.passed:
        told = "it is rejected" if model.state == "candidate" else f"it stays {model.state}"
        return Gated(find_model(engine, model.workspace_id, model.id), decided, told)
    told = _begin_trial(engine, model)
    return Gated(find_model(engine, model.workspace_id, model.id), decided, told)


def _begin_trial(engine: Engine, model: Model) -> str:
    with engine.begin() as connection:
        evaluate_weekly(connection, model.workspace_id)
    if model.state != "candidate":
        return f"it stays {model.state}"
    try:
        start_canary(engine, model.workspace_id, model.id, STEPS[0], ACTOR)
    except ModelStateError as error:
        return f"it waits: {error}"
    return f"it answers {STEPS[0]} % of the conversations"


def dataset_of(engine: Engine, model: Model, dataset_id: int | None = None) -> Dataset:
    """Return the dataset that a model is measured on: the named one, its own, or the latest.

    Raises GateError where there is none, or it is of another format.
    """
    formats = FORMATS.get(model.kind, ())
    if dataset_id is None and model.run_id is not None:
        run = find_run(engine, model.workspace_id, model.run_id)
        found: Dataset | None = find_dataset(engine, model.workspace_id, run.dataset_id)
        if found is not None and found.format == "raft":  # of cited answers, without a held voice
            found = _latest(engine, model)
    elif dataset_id is not None:
        found = find_dataset(engine, model.workspace_id, dataset_id)
    else:
        found = _latest(engine, model)
    if found is None or found.format not in formats:
        raise GateError(
            f"There is no dataset to measure {model.name} on; build one of the format"
            f" {' or '.join(formats)} with `footnote finetune dataset build` and name it with"
            " --dataset."
        )
    return found


def _latest(engine: Engine, model: Model) -> Dataset | None:
    formats = FORMATS.get(model.kind, ())
    known = list_datasets(engine, model.workspace_id)
    return next((d for d in known if d.format in formats and d.withdrawn_at is None), None)


def run_gate_job(
    engine: Engine, settings: Settings, embedder: Embedder, job_id: int, lease: float = LEASE
) -> dict[str, Any] | None:
    """Claim a job and send the model that it names through its gate."""

    def work(job: Job, _owner: str) -> dict[str, Any]:
        model = find_model(engine, job.workspace_id, int(job.payload["model_id"]))
        if model.state != "candidate":  # measured before a worker was killed, or by a person
            return {"state": model.state}
        gated = gate(engine, settings, embedder, model)
        return {"passed": gated.decision.passed, "reason": gated.decision.reason}

    return run_leased(engine, job_id, work, "Measuring a model", lease=lease)


def evaluate(
    engine: Engine, settings: Settings, embedder: Embedder, workspace_id: int, build: Build
) -> dict[str, str]:
    """Measure each model in use on examples as they are now; return what came of each kind.

    A dataset is built for it, which is the one before where no example is new.
    """
    told: dict[str, str] = {}
    for kind, formats in FORMATS.items():
        model = active_model(engine, workspace_id, kind)
        if model is None:
            continue
        try:
            name = f"weekly-{datetime.now(UTC):%G-%V}"
            dataset = build(engine, settings, workspace_id, formats[0], name, "schedule")
            rows = read_rows(engine, dataset.id)
            decided = measure(engine, settings, embedder, model, None, rows)
        except FootnoteError as error:  # of one kind; the others are measured all the same
            told[kind] = str(error)
            continue
        main = decided.evidence["main"]
        figures = {
            MAIN_FIGURE: main["candidate"],
            "figure": main["name"],
            "model": model.id,
            "dataset": dataset.id,
            "guards": {one["name"]: one["candidate"] for one in decided.evidence["guards"]},
            "safety": {one["name"]: one["failed"] for one in decided.evidence["safety"]},
        }
        save_evaluation(engine, workspace_id, MEASURED_BY[kind], name, figures)
        told[kind] = f"{main['name']} {main['candidate']:.3f}"
    return told


def run_evaluation_job(
    engine: Engine,
    settings: Settings,
    embedder: Embedder,
    job_id: int,
    build: Build,
    lease: float = LEASE,
) -> dict[str, Any] | None:
    """Claim a job and measure a workspace's models."""

    def work(job: Job, _owner: str) -> dict[str, Any]:
        return dict(evaluate(engine, settings, embedder, job.workspace_id, build))

    return run_leased(engine, job_id, work, "The weekly evaluation", lease=lease)
