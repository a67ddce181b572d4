"""Asking providers when they end the models that were tuned there."""

from datetime import UTC, datetime
from typing import Any

from openai import NotFoundError
from sqlalchemy import Engine

from core.settings import Settings
from finetune.provider import Provider, explained, open_provider
from store.jobs import Job
from store.leases import LEASE, run_leased
from store.shutdowns import HostedModel, hosted_models, note_shutdown


def run_shutdowns_job(
    engine: Engine, config: Settings, job_id: int, *, lease: float = LEASE
) -> dict[str, Any] | None:
    """Do the daily job; None if another process has it."""

    def work(job: Job, _owner: str) -> dict[str, Any]:
        return ask_shutdowns(engine, config, job.workspace_id)

    return run_leased(engine, job_id, work, "Asking when models end", lease=lease)


def ask_shutdowns(engine: Engine, config: Settings, workspace_id: int) -> dict[str, Any]:
    """Keep when each hosted model ends; return how many were asked about, and what is new.

    A provider that names no date for a tuned model may name one for its base, which ends both.
    Raises TrainingError where the provider does not answer.
    """
    models = hosted_models(engine, workspace_id)
    if not models:
        return {"asked": 0, "changed": []}
    with open_provider(config) as provider:
        changed = [
            model.name
            for model in models
            if note_shutdown(engine, model, shutdown_of(provider, model))
        ]
    return {"asked": len(models), "changed": changed}


def shutdown_of(provider: Provider, model: HostedModel) -> datetime | None:
    """Return when a provider ends a model or its base, whichever is sooner; None if unknown."""
    named = [model.artefact] + ([model.base] if model.base else [])
    days = [day for name in named if (day := _announced(provider, name)) is not None]
    return min(days, default=None)


def _announced(provider: Provider, name: str) -> datetime | None:
    """Return the day that a provider names; a model that it does not know has none."""
    with explained(provider):
        try:
            found = provider.client.models.retrieve(name)
        except NotFoundError:
            return None
    try:
        day = datetime.fromisoformat(str(getattr(found, "shutdown_date", None)))
    except ValueError:
        return None
    return day if day.tzinfo else day.replace(tzinfo=UTC)
