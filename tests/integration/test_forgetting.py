"""Old messages are forgotten by a job that comes again and again."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, text

from core.tasks import celery
from graph.forgetting import forget_old_messages, run_forgetting
from store import tables
from store.jobs import find_job
from store.privacy import FORGET_OLD, next_forgetting, schedule_forgetting
from store.schedules import list_schedules, tick
from store.workspaces import ensure_workspace
from tests.integration.store.asked import age, ask, found
from tests.integration.store.shelf import Shelf

HOUR = 3_600


def only_job(engine: Engine) -> int:
    """The id of the one job there is."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT id FROM jobs")).scalar_one())


def test_the_schedule_s_job_forgets_what_is_too_old(engine: Engine, workspace_id: int) -> None:
    """A tick is one job; done, its result says how much of what went."""
    ask(Shelf(engine, workspace_id), "Xylophon")
    age(engine, workspace_id, timedelta(days=31))
    assert next_forgetting(engine) is None
    for _ in range(2):  # two schedulers
        schedule_forgetting(engine, workspace_id, HOUR)
    assert [(one.kind, one.every) for one in list_schedules(engine, workspace_id)] == [
        (FORGET_OLD, HOUR)
    ]
    assert tick(engine) == 1
    job_id = only_job(engine)
    run_forgetting(engine, job_id, days=30)

    job = find_job(engine, job_id)
    assert job is not None
    assert job.state == "succeeded"
    assert job.result is not None
    assert job.result["answers"] == 2
    assert found(engine, "Xylophon") == {"transcripts": 1}
    assert tick(engine) == 0
    due = next_forgetting(engine)
    assert due is not None
    assert timedelta(minutes=59) < due - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize(("days", "kept"), [(30, 1), (0, 8)], ids=["a month", "for ever"])
def test_other_workspaces_are_looked_through_too(
    days: int, kept: int, engine: Engine, workspace_id: int
) -> None:
    """One schedule serves them all; the setting decides whether anything goes."""
    team = ensure_workspace(engine, "T1")
    ask(Shelf(engine, team), "Xylophon")
    age(engine, team, timedelta(days=31))
    schedule_forgetting(engine, workspace_id, HOUR)
    tick(engine)
    run_forgetting(engine, only_job(engine), days)
    assert len(found(engine, "Xylophon")) == kept


def test_the_task_is_the_one_that_the_job_asks_for() -> None:
    """The outbox names tasks after kinds of jobs."""
    assert forget_old_messages.name == FORGET_OLD
    assert FORGET_OLD in celery.tasks


def test_a_job_that_another_worker_did_is_not_done_again(
    engine: Engine, workspace_id: int
) -> None:
    """A second delivery of the task finds it done, and a deleted one is nobody's."""
    schedule_forgetting(engine, workspace_id, HOUR)
    tick(engine)
    job_id = only_job(engine)
    run_forgetting(engine, job_id, 30)
    ask(Shelf(engine, workspace_id), "Xylophon")
    age(engine, workspace_id, timedelta(days=31))
    run_forgetting(engine, job_id, 30)
    assert len(found(engine, "Xylophon")) == 8
    with engine.begin() as connection:
        connection.execute(delete(tables.jobs))
    run_forgetting(engine, job_id, 30)
