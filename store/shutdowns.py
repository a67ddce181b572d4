"""When providers end models that answer here: kept with the model, told before it happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from store.audit import record
from store.model_registry import ModelKind, ModelState
from store.schedules import set_schedule

CHECK_SHUTDOWNS = "check_shutdowns"
"""The kind of the daily job that asks providers, and its Celery task's name."""
MODELS_KEY = "models"
DAY = 86_400  # seconds
WARNED_DAYS = 60
"""How long before its end a model is told of: time for a new run, its gate and its canary."""


@dataclass(frozen=True)
class HostedModel:
    """A model at a provider that answers or may: `artefact` and `base` are its names there."""

    id: int
    workspace_id: int
    kind: ModelKind
    name: str
    state: ModelState
    artefact: str
    base: str | None
    shutdown_at: datetime | None


COLUMNS = "id, workspace_id, kind, name, state, artefact, base, shutdown_at"
USED = "workspace_id = :workspace_id AND backend = 'hosted' AND state <> 'rejected'"


def schedule_shutdowns(connection: Connection, workspace_id: int) -> None:
    """Have a workspace's providers asked daily, from now on."""
    set_schedule(connection, workspace_id, CHECK_SHUTDOWNS, MODELS_KEY, DAY, {})


def hosted_models(engine: Engine, workspace_id: int) -> list[HostedModel]:
    """Return the models at providers that answer, may answer, or may be returned to."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"SELECT {COLUMNS} FROM models WHERE {USED} ORDER BY id"),
            {"workspace_id": workspace_id},
        )
        return [HostedModel(**row._mapping) for row in rows]


def note_shutdown(engine: Engine, model: HostedModel, at: datetime | None) -> bool:
    """Keep when a provider ends a model; True where that is news, which the audit log gets."""
    with engine.begin() as connection:
        changed = connection.execute(
            text(
                "UPDATE models SET shutdown_at = :at"
                " WHERE id = :id AND shutdown_at IS DISTINCT FROM :at"
            ),
            {"id": model.id, "at": at},
        ).rowcount
        if changed:
            told = at.date().isoformat() if at else None
            record(
                connection, model.workspace_id, "provider", "model ends", str(model.id), on=told
            )
        return bool(changed)


def ending_models(
    engine: Engine, workspace_id: int, days: int = WARNED_DAYS
) -> Sequence[HostedModel]:
    """Return the models in use or on trial that end within so many days, the soonest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM models WHERE {USED} AND state <> 'retired'"
                " AND shutdown_at < now() + make_interval(days => :days) ORDER BY shutdown_at"
            ),
            {"workspace_id": workspace_id, "days": days},
        )
        return [HostedModel(**row._mapping) for row in rows]
