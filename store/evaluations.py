"""What the weekly evaluation measured of the models in use, to tell when they drift."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.schedules import set_schedule

EVALUATE_MODELS = "evaluate_models"
"""The kind of the weekly job that measures a workspace's models, and its Celery task's name."""
EVALUATION_KEY = "weekly"
WEEK = 7 * 86_400  # seconds


@dataclass(frozen=True)
class Evaluation:
    """Figures of a kind ("style", "router", "retrieval") on the set called `name`.

    `figures["main"]` is the one that drift is told by, a share from 0 to 1.
    """

    id: int
    kind: str
    name: str
    figures: dict[str, Any]
    created_at: datetime


def save_evaluation(
    engine: Engine, workspace_id: int, kind: str, name: str, figures: Mapping[str, Any]
) -> None:
    """Keep what was measured."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO evaluations (workspace_id, kind, name, figures)"
                " VALUES (:workspace_id, :kind, :name, CAST(:figures AS jsonb))"
            ),
            {
                "workspace_id": workspace_id,
                "kind": kind,
                "name": name,
                "figures": json.dumps(dict(figures)),
            },
        )


def list_evaluations(
    engine: Engine, workspace_id: int, kind: str | None = None, limit: int = 50
) -> list[Evaluation]:
    """Return what was measured, the latest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, kind, name, figures, created_at FROM evaluations"
                " WHERE workspace_id = :workspace_id"
                " AND (CAST(:kind AS text) IS NULL OR kind = :kind)"
                " ORDER BY id DESC LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "kind": kind, "limit": limit},
        )
        return [Evaluation(**row._mapping) for row in rows]


def evaluate_weekly(connection: Connection, workspace_id: int) -> None:
    """Let the models in use be measured every week from now on."""
    set_schedule(connection, workspace_id, EVALUATE_MODELS, EVALUATION_KEY, WEEK, {})
