"""Training runs: what was started from which dataset, how far it is, and what came of it.

A run is one for its key (dataset, backend, base and recipe) while it lives and once it has
succeeded; it is carried out by a job, whose lease says who works on it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import FootnoteError, NotFoundError
from store.audit import record
from store.datasets import Dataset
from store.jobs import submit
from store.model_registry import ModelKind

Backend = Literal["hosted", "local", "router", "retriever"]
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

TRAIN_MODEL = "train_model"
"""The kind of the job that carries out a run, and the name of its Celery task."""


class WithdrawnDatasetError(FootnoteError):
    """A dataset of which rows were deleted is not trained on."""


@dataclass(frozen=True)
class Run:
    """A training run. `step` of `total` are behind it; a total of 0 is not known yet.

    `recipe` are the settings it is made with, `remote` a provider's ids, `result` what it
    measured, `cost` what it took (seconds, tokens, and money where the provider tells).
    """

    id: int
    workspace_id: int
    name: str
    kind: ModelKind
    backend: Backend
    dataset_id: int
    base: str | None
    recipe: dict[str, Any]
    key: str
    state: RunState
    reason: str | None
    job_id: int | None
    remote: dict[str, Any]
    step: int
    total: int
    result: dict[str, Any]
    cost: dict[str, Any]
    requested_by: str
    cancel_requested: bool
    started_at: datetime | None
    ended_at: datetime | None
    created_at: datetime

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Point:
    """Figures after a step: `loss`, `eval_loss`, `learning_rate` and the like, where known."""

    step: int
    figures: dict[str, float]
    created_at: datetime


@dataclass(frozen=True)
class RunEvent:
    """A line of what happened in a run."""

    message: str
    created_at: datetime


COLUMNS = (
    "id, workspace_id, name, kind, backend, dataset_id, base, recipe, key, state, reason, job_id,"
    " remote, step, total, result, cost, requested_by, cancel_requested, started_at, ended_at,"
    " created_at"
)


def run_key(sha256: str, backend: Backend, base: str | None, recipe: Mapping[str, Any]) -> str:
    """Return what makes a run the same as another: a hash of all that decides its outcome."""
    written = json.dumps([sha256, backend, base, dict(recipe)], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()


def start_run(
    connection: Connection,
    dataset: Dataset,
    *,
    name: str,
    kind: ModelKind,
    backend: Backend,
    base: str | None,
    recipe: Mapping[str, Any],
    requested_by: str,
) -> tuple[int, bool]:
    """Keep a run with its job; return its id, and whether it is new.

    The same dataset, backend, base and recipe again give the run that is under way or has
    succeeded. Raises WithdrawnDatasetError for a dataset of which rows were deleted.
    """
    withdrawn = connection.execute(
        text("SELECT withdrawn_at FROM datasets WHERE id = :id FOR SHARE"), {"id": dataset.id}
    ).scalar_one()
    if withdrawn is not None:
        raise WithdrawnDatasetError(
            f"Rows of dataset {dataset.id} were deleted, or are not approved any more; build a new"
            " one with `footnote finetune dataset build`."
        )
    key = run_key(dataset.sha256, backend, base, recipe)
    named = {"workspace_id": dataset.workspace_id, "key": key}
    made = connection.execute(
        text(
            "INSERT INTO training_runs (workspace_id, name, kind, backend, dataset_id, base,"
            " recipe, key, requested_by) VALUES (:workspace_id, :name, :kind, :backend,"
            " :dataset_id, :base, CAST(:recipe AS jsonb), :key, :requested_by)"
            " ON CONFLICT (workspace_id, key) WHERE state IN ('queued', 'running', 'succeeded')"
            " DO NOTHING RETURNING id"
        ),
        named
        | {
            "name": name,
            "kind": kind,
            "backend": backend,
            "dataset_id": dataset.id,
            "base": base,
            "recipe": json.dumps(dict(recipe)),
            "requested_by": requested_by,
        },
    ).scalar_one_or_none()
    if made is None:
        known = connection.execute(
            text(
                "SELECT id FROM training_runs WHERE workspace_id = :workspace_id AND key = :key"
                " AND state IN ('queued', 'running', 'succeeded')"
            ),
            named,
        ).scalar_one()
        return int(known), False
    job_id = submit(connection, dataset.workspace_id, TRAIN_MODEL, f"run {made}", {"run_id": made})
    connection.execute(
        text("UPDATE training_runs SET job_id = :job_id WHERE id = :id"),
        {"job_id": job_id, "id": made},
    )
    record(
        connection,
        dataset.workspace_id,
        requested_by,
        "training run started",
        str(made),
        backend=backend,
        kind=kind,
        dataset=dataset.id,
    )
    return int(made), True


def find_run(engine: Engine, workspace_id: int, run_id: int) -> Run:
    """Return a run; raises NotFoundError where the workspace has none of that number."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM training_runs WHERE workspace_id = :workspace_id"
                " AND id = :id"
            ),
            {"workspace_id": workspace_id, "id": run_id},
        ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no run {run_id}; `footnote finetune list` shows them.")
    return Run(**row._mapping)


def list_runs(engine: Engine, workspace_id: int, limit: int = 50) -> list[Run]:
    """Return a workspace's runs, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM training_runs WHERE workspace_id = :workspace_id"
                " ORDER BY id DESC LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "limit": limit},
        )
        return [Run(**row._mapping) for row in rows]


def begin_run(engine: Engine, run_id: int) -> None:
    """Mark a run as under way; one that was interrupted keeps when it began."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE training_runs SET state = 'running',"
                " started_at = coalesce(started_at, now())"
                " WHERE id = :id AND state IN ('queued', 'running')"
            ),
            {"id": run_id},
        )


def set_remote(engine: Engine, run_id: int, **ids: Any) -> None:
    """Add a provider's ids to those that are kept of a run."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE training_runs SET remote = remote || CAST(:ids AS jsonb) WHERE id = :id"),
            {"id": run_id, "ids": json.dumps(ids)},
        )


def report_step(
    engine: Engine, run_id: int, step: int, total: int, figures: Mapping[str, float] | None = None
) -> bool:
    """Keep how far a run is and what it measured; True if somebody asked to cancel it."""
    with engine.begin() as connection:
        if figures:
            connection.execute(
                text(
                    "INSERT INTO training_points (run_id, step, figures)"
                    " VALUES (:id, :step, CAST(:figures AS jsonb))"
                    " ON CONFLICT (run_id, step) DO UPDATE"
                    " SET figures = training_points.figures || excluded.figures"
                ),
                {"id": run_id, "step": step, "figures": json.dumps(dict(figures))},
            )
        return bool(
            connection.execute(
                text(
                    "UPDATE training_runs SET step = greatest(step, :step), total = :total"
                    " WHERE id = :id RETURNING cancel_requested"
                ),
                {"id": run_id, "step": step, "total": total},
            ).scalar_one()
        )


def add_run_event(engine: Engine, run_id: int, message: str, key: str | None = None) -> None:
    """Keep a line of what happened; the same `key` again is kept once."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO training_events (run_id, key, message)"
                " VALUES (:id, :key, :message) ON CONFLICT (run_id, key) DO NOTHING"
            ),
            {"id": run_id, "key": key, "message": message},
        )


def run_points(engine: Engine, run_id: int) -> list[Point]:
    """Return a run's figures in the order of its steps."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT step, figures, created_at FROM training_points WHERE run_id = :id"
                " ORDER BY step"
            ),
            {"id": run_id},
        )
        return [Point(**row._mapping) for row in rows]


def run_events(engine: Engine, run_id: int) -> list[RunEvent]:
    """Return what happened in a run, in order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT message, created_at FROM training_events WHERE run_id = :id ORDER BY id"),
            {"id": run_id},
        )
        return [RunEvent(**row._mapping) for row in rows]


def succeed_run(
    engine: Engine,
    run: Run,
    *,
    artefact: str,
    result: Mapping[str, Any],
    cost: Mapping[str, Any],
) -> int | None:
    """End a run and register its model as a candidate, in one transaction; return the model's id.

    None where the run has ended already: then nothing is registered again.
    """
    with engine.begin() as connection:
        ended = connection.execute(
            text(
                "UPDATE training_runs SET state = 'succeeded', ended_at = now(),"
                " result = CAST(:result AS jsonb), cost = CAST(:cost AS jsonb)"
                " WHERE id = :id AND state IN ('queued', 'running')"
            ),
            {
                "id": run.id,
                "result": json.dumps(dict(result)),
                "cost": json.dumps(dict(cost)),
            },
        )
        if not ended.rowcount:
            return None
        model_id = connection.execute(
            text(
                "INSERT INTO models (workspace_id, kind, name, state, artefact, run_id, backend,"
                " base, evidence, tainted_at) SELECT :workspace_id, :kind, :name, 'candidate',"
                " :artefact, :run_id, :backend, :base, CAST(:result AS jsonb), withdrawn_at"
                " FROM datasets WHERE id = :dataset_id RETURNING id"
            ),
            {
                "workspace_id": run.workspace_id,
                "kind": run.kind,
                "name": f"{run.name}-{run.id}",
                "artefact": artefact,
                "run_id": run.id,
                "backend": run.backend,
                "base": run.base,
                "dataset_id": run.dataset_id,
                "result": json.dumps(dict(result)),
            },
        ).scalar_one()
        record(
            connection,
            run.workspace_id,
            run.requested_by,
            "model registered",
            str(model_id),
            run=run.id,
        )
        return int(model_id)


def fail_run(engine: Engine, run_id: int, reason: str) -> None:
    """End a run with the sentence that says why."""
    _end(engine, run_id, "failed", reason)


def cancel_run(engine: Engine, run_id: int) -> None:
    """End a run that somebody asked to cancel."""
    _end(engine, run_id, "cancelled", None)


def fail_abandoned(engine: Engine) -> int:
    """Fail the runs whose job was given up, as after three ended processes; return how many."""
    with engine.begin() as connection:
        failed = connection.execute(
            text(
                "UPDATE training_runs r SET state = 'failed', ended_at = now(),"
                " reason = coalesce(j.error, 'Its job was ended.')"
                " FROM jobs j WHERE j.id = r.job_id AND j.state = 'failed'"
                " AND r.state IN ('queued', 'running')"
            )
        )
        return int(failed.rowcount)


def model_of_run(engine: Engine, run_id: int) -> int | None:
    """Return the id of the model that a run registered, None where there is none."""
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT id FROM models WHERE run_id = :id"), {"id": run_id}
        ).scalar_one_or_none()


def _end(engine: Engine, run_id: int, state: RunState, reason: str | None) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE training_runs SET state = :state, reason = :reason, ended_at = now()"
                " WHERE id = :id AND state IN ('queued', 'running')"
            ),
            {"id": run_id, "state": state, "reason": reason},
        )


def request_cancel(engine: Engine, workspace_id: int, run_id: int, actor: str) -> bool:
    """Ask whoever carries out a run to stop it; False where it has ended.

    A run that nobody works on yet is cancelled at once.
    """
    with engine.begin() as connection:
        row = connection.execute(
            text(
                "UPDATE training_runs SET cancel_requested = true,"
                " ended_at = CASE WHEN state = 'queued' THEN now() ELSE ended_at END,"
                " state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END"
                " WHERE workspace_id = :workspace_id AND id = :id"
                " AND state IN ('queued', 'running') RETURNING id"
            ),
            {"workspace_id": workspace_id, "id": run_id},
        ).one_or_none()
        if row is not None:
            record(connection, workspace_id, actor, "training run cancelled", str(run_id))
        return row is not None
