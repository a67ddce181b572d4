"""When providers end models: asked, kept, told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from cli.tuning import check_tuning
from core.settings import Settings, load_settings
from finetune.backends import TrainingError
from finetune.shutdowns import ask_shutdowns
from store.audit import read_audit
from store.engine import connect
from store.model_registry import find_model, register_model
from store.schedules import list_schedules
from store.shutdowns import ending_models
from store.workspaces import ensure_workspace
from tests.fakes.openai import FaultKind, OpenAIServer
from tests.integration.finetune.tuning import BASE, Bench


def tuned(bench: Bench) -> int:
    """Tune a model and return its id."""
    outcome = bench.work(bench.start())
    assert outcome is not None
    return int(outcome["model_id"])


def test_a_hosted_model_has_its_provider_asked_daily(bench: Bench) -> None:
    """The first model that is tuned there makes the schedule."""
    tuned(bench)
    (schedule,) = list_schedules(bench.engine, bench.workspace_id)
    assert (schedule.kind, schedule.every) == ("check_shutdowns", 86_400)


def test_an_announced_end_is_kept_and_told_once(bench: Bench, server: OpenAIServer) -> None:
    """The day of the model or of its base, whichever is sooner; told once it is near."""
    model_id = tuned(bench)
    first = ask_shutdowns(bench.engine, bench.settings, bench.workspace_id)
    assert first == {"asked": 1, "changed": []}
    model = find_model(bench.engine, bench.workspace_id, model_id)
    assert model.shutdown_at is None

    soon = datetime.now(UTC).date() + timedelta(days=59)
    server.shutdowns[BASE] = soon.isoformat()
    server.shutdowns[model.artefact] = (soon + timedelta(days=300)).isoformat()
    for changed in ([model.name], []):
        outcome = ask_shutdowns(bench.engine, bench.settings, bench.workspace_id)
        assert outcome == {"asked": 1, "changed": changed}

    known = find_model(bench.engine, bench.workspace_id, model_id)
    assert known.shutdown_at is not None
    assert known.shutdown_at.date() == soon
    assert [one.id for one in ending_models(bench.engine, bench.workspace_id)] == [model_id]
    assert list(ending_models(bench.engine, bench.workspace_id, days=58)) == []
    told = read_audit(bench.engine, bench.workspace_id)
    assert [entry.detail for entry in told if entry.action == "model ends"] == [
        {"on": soon.isoformat()}
    ]


def test_a_model_that_is_out_of_use_is_not_told_of(bench: Bench, server: OpenAIServer) -> None:
    """What is retired may end."""
    model_id = tuned(bench)
    server.shutdowns[BASE] = "2026-12-01"
    ask_shutdowns(bench.engine, bench.settings, bench.workspace_id)
    with bench.engine.begin() as connection:
        connection.execute(
            text("UPDATE models SET state = 'retired' WHERE id = :id"), {"id": model_id}
        )
    assert list(ending_models(bench.engine, bench.workspace_id)) == []


def test_a_provider_that_is_away_is_told(bench: Bench, server: OpenAIServer) -> None:
    """The job fails with a sentence; what was known stays."""
    tuned(bench)
    server.fail("models", "401", times=9)
    with pytest.raises(TrainingError, match="correct OPENAI_API_KEY"):
        ask_shutdowns(bench.engine, bench.settings, bench.workspace_id)


STATES: list[tuple[FaultKind | None, str, str]] = [
    (None, "ok", "shows this key its fine-tunes"),
    ("403", "none", "may not create fine-tunes"),
    ("401", "none", "correct OPENAI_API_KEY"),
]


@pytest.mark.parametrize(("kind", "state", "words"), STATES, ids=["open", "closed", "wrong key"])
def test_the_doctor_says_whether_tuning_is_open(
    server: OpenAIServer,
    bench: Bench,
    database_url: str,
    kind: FaultKind | None,
    state: str,
    words: str,
) -> None:
    """What the service answers to a look at its jobs is told with what to do."""
    config: Settings = bench.settings.model_copy(update={"database_url": SecretStr(database_url)})
    if kind is not None:
        server.fail("fine_tuning", kind)
    found, detail = check_tuning(config)
    assert words in detail
    assert found == state or "Local models: " in detail  # where local tuning is installed


def test_the_doctor_names_models_that_end_soon(database_url: str, tmp_path: Path) -> None:
    """With the day, and before anything else that could be said."""
    engine = connect(database_url)
    workspace_id = ensure_workspace(engine)
    register_model(engine, workspace_id, "style", "style-2026-08", "ft:x")
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE models SET backend = 'hosted', shutdown_at = now() + interval '20 days'"
                " WHERE workspace_id = :id"
            ),
            {"id": workspace_id},
        )
    engine.dispose()
    changes = {"home": tmp_path, "database_url": SecretStr(database_url)}
    found, detail = check_tuning(load_settings().model_copy(update=changes))

    day = datetime.now(UTC).date() + timedelta(days=20)
    assert found == "limited"
    assert detail.startswith(f"ends at its provider: style-2026-08 on {day}; tune another in time")
