"""Schedules as rows: any number of schedulers, each tick once."""

import threading

from sqlalchemy import Engine, text

from store.jobs import claim, find_job, succeed
from store.schedules import (
    enable_schedule,
    list_schedules,
    remove_schedule,
    seconds_to_next,
    set_schedule,
    tick,
)

SCHEDULERS = 4
TICKS = 10


def schedule(engine: Engine, workspace_id: int, every: int = 60, key: str = "7") -> None:
    """Have a source looked at every so many seconds."""
    with engine.begin() as connection:
        set_schedule(connection, workspace_id, "sync_source", key, every, {"source_id": 7})


def due_again(engine: Engine) -> None:
    """Let a minute and a second pass for every schedule."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE schedules SET next_at = next_at - interval '61 s'"))


def jobs(engine: Engine) -> list[int]:
    """Return the ids of all jobs."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT id FROM jobs ORDER BY id")).scalars())


def ticks(engine: Engine) -> int:
    """Count the ticks."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM ticks")).scalar_one())


def test_a_new_schedule_is_due_at_once_and_then_in_its_time(
    engine: Engine, workspace_id: int
) -> None:
    """The first tick becomes a job with the schedule's payload; the next is a minute off."""
    schedule(engine, workspace_id)
    assert seconds_to_next(engine, 5.0) == 0.0

    assert tick(engine) == 1
    assert tick(engine) == 0

    (job_id,) = jobs(engine)
    job = find_job(engine, job_id)
    assert job is not None
    assert (job.kind, job.key, job.payload) == ("sync_source", "7", {"source_id": 7})
    assert 55 < seconds_to_next(engine, 100.0) <= 60
    assert seconds_to_next(engine, 5.0) == 5.0


def test_missed_ticks_are_made_up_for_by_one(engine: Engine, workspace_id: int) -> None:
    """After an hour without a scheduler there is one look, and the rhythm is kept."""
    schedule(engine, workspace_id)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schedules SET next_at = now() - interval '59 min 30 s'"))
    assert tick(engine) == 1
    assert tick(engine) == 0
    assert 25 < seconds_to_next(engine, 100.0) <= 30


def test_a_tick_joins_a_look_that_is_still_under_way(engine: Engine, workspace_id: int) -> None:
    """A slow place does not gather a queue of looks."""
    schedule(engine, workspace_id)
    for _ in range(3):
        assert tick(engine) == 1
        due_again(engine)
    (job_id,) = jobs(engine)
    assert claim(engine, job_id, "worker", 30) is not None
    assert succeed(engine, job_id, "worker", {})
    tick(engine)
    assert len(jobs(engine)) == 2


def test_two_schedulers_make_each_tick_once(engine: Engine, workspace_id: int) -> None:
    """Schedulers that look at the same instant, ten times over, make ten ticks."""
    schedule(engine, workspace_id)
    made: list[int] = []
    for _ in range(TICKS):
        start = threading.Barrier(SCHEDULERS)

        def look(start: threading.Barrier = start) -> None:
            start.wait()
            made.append(tick(engine))

        threads = [threading.Thread(target=look) for _ in range(SCHEDULERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        due_again(engine)
    assert sum(made) == TICKS == ticks(engine)


def test_the_same_tick_is_never_made_again(engine: Engine, workspace_id: int) -> None:
    """A scheduler that works with an old view of the row changes nothing."""
    schedule(engine, workspace_id)
    (before,) = list_schedules(engine, workspace_id)
    tick(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schedules SET next_at = :at"), {"at": before.next_at})
    assert tick(engine) == 0
    assert ticks(engine) == 1


def test_a_schedule_is_changed_while_it_runs(engine: Engine, workspace_id: int) -> None:
    """A shorter interval counts at once; a paused one is not due; resumed, it is due at once."""
    schedule(engine, workspace_id, every=3600)
    tick(engine)
    assert seconds_to_next(engine, 10_000.0) > 3500
    schedule(engine, workspace_id, every=20)
    assert seconds_to_next(engine, 10_000.0) <= 20
    for enabled, expected in ((False, 10_000.0), (True, 0.0)):
        with engine.begin() as connection:
            enable_schedule(connection, workspace_id, "sync_source", "7", enabled=enabled)
        assert seconds_to_next(engine, 10_000.0) == expected
    with engine.begin() as connection:
        remove_schedule(connection, workspace_id, "sync_source", "7")
    assert list_schedules(engine, workspace_id) == []
    assert ticks(engine) == 0
