"""Rules by which models are trained again, and the figures that decide whether one is due."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.audit import record
from store.model_registry import ModelKind
from store.runs import Backend, RunState
from store.schedules import enable_schedule, set_schedule

CHECK_RETRAINING = "check_retraining"
"""The kind of the daily job that looks at a workspace's rules, and its Celery task's name."""
RULES_KEY = "rules"
DAY = 86_400  # seconds
MEASURED_BY: dict[ModelKind, str] = {
    "style": "style",
    "router": "router",
    "query_adapter": "retrieval",
    "ranker": "retrieval",
}
"""The kind of the evaluations that tell how a kind of model fares."""
MAIN_FIGURE = "main"
"""The key of an evaluation's main figure, a share from 0 to 1."""


@dataclass(frozen=True)
class Rule:
    """When a kind of model is trained again, and how.

    It is due after `every_days` days, with `new_examples` approved transcripts more, or once the
    evaluation's main figure fell by `drift` points; a None is never. `last_run_id` is the run
    that it started last.
    """

    workspace_id: int
    kind: ModelKind
    enabled: bool
    backend: Backend
    base: str | None
    recipe: dict[str, Any]
    every_days: int | None
    new_examples: int | None
    drift: float | None
    last_run_id: int | None
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True)
class Standing:
    """What is known of a kind of model: its latest run, examples since then, its figures.

    `trained_at` is when the latest run was started, whatever became of it. `new_examples` were
    approved since that run's dataset was built. `promoted_figure` and `latest_figure` are the
    evaluation's main figure about the active model's promotion and now, None where unknown or
    where nothing was measured after the latest run.
    """

    run_id: int | None
    run_state: RunState | None
    trained_at: datetime | None
    new_examples: int
    promoted_figure: float | None
    latest_figure: float | None


COLUMNS = (
    "workspace_id, kind, enabled, backend, base, recipe, every_days, new_examples, drift,"
    " last_run_id, updated_by, updated_at"
)

STANDING = """
WITH latest AS (
    SELECT r.id, r.state, r.created_at, d.created_at AS built_at
    FROM training_runs r JOIN datasets d ON d.id = r.dataset_id
    WHERE r.workspace_id = :workspace_id AND r.kind = :kind
    ORDER BY r.id DESC LIMIT 1
), promoted AS (
    SELECT changed_at FROM models
    WHERE workspace_id = :workspace_id AND kind = :kind AND state = 'active'
), measured AS (
    SELECT created_at, CAST(figures ->> :figure AS double precision) AS figure
    FROM evaluations
    WHERE workspace_id = :workspace_id AND kind = :measured_by AND figures ? :figure
)
SELECT (SELECT id FROM latest) AS run_id,
       (SELECT state FROM latest) AS run_state,
       (SELECT created_at FROM latest) AS trained_at,
       (SELECT count(*) FROM transcripts
        WHERE workspace_id = :workspace_id AND state = 'approved'
          AND (NOT EXISTS (SELECT FROM latest)
               OR reviewed_at > (SELECT built_at FROM latest))) AS new_examples,
       (SELECT m.figure FROM measured m, promoted p
        ORDER BY m.created_at <= p.changed_at DESC, abs(extract(epoch FROM m.created_at
          - p.changed_at)) LIMIT 1) AS promoted_figure,
       (SELECT figure FROM measured
        WHERE created_at > coalesce((SELECT created_at FROM latest), '-infinity')
        ORDER BY created_at DESC LIMIT 1) AS latest_figure
"""


def list_rules(engine: Engine, workspace_id: int) -> list[Rule]:
    """Return a workspace's rules, those that rest too."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM retraining_rules WHERE workspace_id = :workspace_id"
                " ORDER BY kind"
            ),
            {"workspace_id": workspace_id},
        )
        return [Rule(**row._mapping) for row in rows]


def set_rule(
    engine: Engine,
    workspace_id: int,
    kind: ModelKind,
    *,
    backend: Backend,
    base: str | None,
    recipe: Mapping[str, Any],
    every_days: int | None,
    new_examples: int | None,
    drift: float | None,
    actor: str,
) -> None:
    """Keep a rule in the place of the one of its kind, let it count and be looked at daily."""
    values = {
        "backend": backend,
        "base": base,
        "every_days": every_days,
        "new_examples": new_examples,
        "drift": drift,
    }
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO retraining_rules (workspace_id, kind, enabled, backend, base,"
                " recipe, every_days, new_examples, drift, updated_by) VALUES (:workspace_id,"
                " :kind, true, :backend, :base, CAST(:recipe AS jsonb), :every_days,"
                " :new_examples, :drift, :actor) ON CONFLICT (workspace_id, kind) DO UPDATE"
                " SET enabled = true, backend = excluded.backend, base = excluded.base,"
                " recipe = excluded.recipe, every_days = excluded.every_days,"
                " new_examples = excluded.new_examples, drift = excluded.drift,"
                " updated_by = excluded.updated_by, updated_at = now()"
            ),
            values
            | {
                "workspace_id": workspace_id,
                "kind": kind,
                "recipe": json.dumps(dict(recipe)),
                "actor": actor,
            },
        )
        set_schedule(connection, workspace_id, CHECK_RETRAINING, RULES_KEY, DAY, {})
        record(connection, workspace_id, actor, "retraining rule set", kind, **values)


def rest_rule(engine: Engine, workspace_id: int, kind: ModelKind, actor: str) -> bool:
    """Let a rule rest; False where there is none that counts. The last one ends the looks."""
    with engine.begin() as connection:
        changed = connection.execute(
            text(
                "UPDATE retraining_rules SET enabled = false, updated_by = :actor,"
                " updated_at = now()"
                " WHERE workspace_id = :workspace_id AND kind = :kind AND enabled"
            ),
            {"workspace_id": workspace_id, "kind": kind, "actor": actor},
        ).rowcount
        if changed:
            record(connection, workspace_id, actor, "retraining rule off", kind)
            _rest_schedule(connection, workspace_id)
        return bool(changed)


def read_standing(engine: Engine, workspace_id: int, kind: ModelKind) -> Standing:
    """Return what a rule of a kind is decided by."""
    with engine.connect() as connection:
        row = connection.execute(
            text(STANDING),
            {
                "workspace_id": workspace_id,
                "kind": kind,
                "measured_by": MEASURED_BY[kind],
                "figure": MAIN_FIGURE,
            },
        ).one()
    return Standing(**row._mapping)


def last_look(engine: Engine, workspace_id: int) -> tuple[datetime, list[dict[str, Any]]] | None:
    """Return when the rules were last looked at and what came of each; None before that."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT updated_at, result FROM jobs WHERE workspace_id = :workspace_id"
                " AND kind = :kind AND state = 'succeeded' ORDER BY id DESC LIMIT 1"
            ),
            {"workspace_id": workspace_id, "kind": CHECK_RETRAINING},
        ).one_or_none()
    return (row.updated_at, list(row.result["rules"])) if row else None


def note_run(engine: Engine, workspace_id: int, kind: ModelKind, run_id: int) -> None:
    """Keep which run a rule started."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE retraining_rules SET last_run_id = :run_id"
                " WHERE workspace_id = :workspace_id AND kind = :kind"
            ),
            {"workspace_id": workspace_id, "kind": kind, "run_id": run_id},
        )


def _rest_schedule(connection: Connection, workspace_id: int) -> None:
    left = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM retraining_rules"
            " WHERE workspace_id = :workspace_id AND enabled)"
        ),
        {"workspace_id": workspace_id},
    ).scalar_one()
    if not left:
        enable_schedule(connection, workspace_id, CHECK_RETRAINING, RULES_KEY, enabled=False)
