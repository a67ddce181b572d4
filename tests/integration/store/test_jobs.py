"""Jobs: announced with the change that needs them, held under leases, given up after three."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from store.jobs import (
    MAX_ATTEMPTS,
    STALE_AFTER,
    claim,
    extend,
    fail,
    find_job,
    submit,
    succeed,
    sweep,
)
from store.outbox import relay
from store.workspaces import ensure_workspace

KIND = "ingest_file"
LEASE = 30.0  # seconds
OVER = -1.0  # seconds: a lease that ran out as it was given


@pytest.fixture
def engine(idle_engine: Engine) -> Engine:
    return idle_engine


@pytest.fixture
def made(engine: Engine, workspace_id: int) -> int:
    """A queued job that was announced."""
    job_id = _submit(engine, workspace_id)
    assert _announced(engine) == [job_id]
    return job_id


def test_a_job_is_done_once(engine: Engine, made: int) -> None:
    """Claimed, it is nobody else's; done, it cannot be claimed and has its result."""
    job = claim(engine, made, "a", LEASE)
    assert job is not None
    assert (job.kind, job.key, job.payload) == (KIND, "k", {"file": "é"})
    assert (job.state, job.attempts) == ("running", 1)
    assert claim(engine, made, "b", LEASE) is None
    assert succeed(engine, made, "a", {"version": 3})
    assert claim(engine, made, "a", LEASE) is None
    done = find_job(engine, made)
    assert done is not None
    assert (done.state, done.result, done.error) == ("succeeded", {"version": 3}, None)


def test_a_failed_job_keeps_its_sentence(engine: Engine, made: int) -> None:
    """A refusal is final and says why."""
    claim(engine, made, "a", LEASE)
    assert fail(engine, made, "a", "logo.exe is a program.")
    done = find_job(engine, made)
    assert done is not None
    assert (done.state, done.error, done.result) == ("failed", "logo.exe is a program.", None)
    assert sweep(engine) == 0
    assert claim(engine, made, "b", LEASE) is None


def test_one_of_many_claims_a_job(engine: Engine, made: int) -> None:
    """However many try at once, one gets it."""
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda n: claim(engine, made, f"w{n}", LEASE), range(8)))
    assert len([job for job in claimed if job is not None]) == 1


def test_a_lease_that_ran_out_can_be_taken(engine: Engine, made: int) -> None:
    """Another may take it, and who lost it can neither extend nor end it."""
    claim(engine, made, "a", OVER)
    taken = claim(engine, made, "b", LEASE)
    assert taken is not None
    assert taken.attempts == 2
    assert not extend(engine, made, "a", LEASE)
    assert not succeed(engine, made, "a", {})
    assert not fail(engine, made, "a", "late")
    assert succeed(engine, made, "b", {})


def test_an_extended_lease_holds(engine: Engine, made: int) -> None:
    """Who extends in time keeps the job from being taken or swept."""
    claim(engine, made, "a", OVER)
    assert extend(engine, made, "a", LEASE)
    assert claim(engine, made, "b", LEASE) is None
    assert sweep(engine) == 0
    assert succeed(engine, made, "a", {})


def test_the_sweeper_gives_back_what_was_left(engine: Engine, made: int) -> None:
    """A job whose process was killed is queued and announced again."""
    claim(engine, made, "killed", OVER)
    assert sweep(engine) == 1
    assert _announced(engine) == [made]
    job = find_job(engine, made)
    assert job is not None
    assert (job.state, job.attempts) == ("queued", 1)
    assert sweep(engine) == 0


def test_three_attempts_are_the_last(engine: Engine, made: int) -> None:
    """A job that takes its process down three times is failed, with a sentence, and left."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        job = claim(engine, made, f"w{attempt}", OVER)
        assert job is not None
        assert job.attempts == attempt
        assert sweep(engine) == (1 if attempt < MAX_ATTEMPTS else 0)
    failed = find_job(engine, made)
    assert failed is not None
    assert (failed.state, failed.error) == (
        "failed",
        "The process that ran this was ended three times.",
    )
    assert claim(engine, made, "w4", LEASE) is None


def test_a_third_lease_that_ran_out_is_not_taken(engine: Engine, made: int) -> None:
    """Also before the sweeper comes there is no fourth attempt."""
    taken = [claim(engine, made, f"w{attempt}", OVER) for attempt in range(MAX_ATTEMPTS + 1)]
    assert [job is not None for job in taken] == [True] * MAX_ATTEMPTS + [False]


def test_a_forgotten_job_is_announced_again(engine: Engine, made: int) -> None:
    """What a flushed broker lost is announced once it has waited too long, and then waits."""
    assert sweep(engine) == 0
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET updated_at = now() - make_interval(secs => :age)"),
            {"age": STALE_AFTER + 1},
        )
    assert sweep(engine) == 1
    assert _announced(engine) == [made]
    assert sweep(engine) == 0


def test_two_sweepers_announce_once(engine: Engine, workspace_id: int) -> None:
    """Sweepers at the same time share the work."""
    jobs = [_submit(engine, workspace_id, f"k{number}") for number in range(20)]
    for job_id in jobs:
        claim(engine, job_id, "killed", OVER)
    _announced(engine)
    with ThreadPoolExecutor(4) as pool:
        swept = list(pool.map(lambda _: sweep(engine), range(4)))
    assert sum(swept) == 20
    assert sorted(_announced(engine)) == jobs


def test_a_live_job_is_not_made_twice(engine: Engine, workspace_id: int, made: int) -> None:
    """The same kind and key is the same job while it waits or runs, and a new one after that."""
    assert _submit(engine, workspace_id) == made
    claim(engine, made, "a", LEASE)
    assert _submit(engine, workspace_id) == made
    assert _announced(engine) == []
    succeed(engine, made, "a", {})
    again = _submit(engine, workspace_id)
    assert again != made
    assert _announced(engine) == [again]


def test_keys_belong_to_a_workspace_and_a_kind(engine: Engine, made: int) -> None:
    """Another workspace's or kind's job with the same key is another job."""
    elsewhere = ensure_workspace(engine, "elsewhere")
    with engine.begin() as connection:
        jobs = {made, submit(connection, elsewhere, KIND, "k", {}), submit(
            connection, elsewhere, "other", "k", {}
        )}  # fmt: skip
    assert len(jobs) == 3


def test_a_job_and_its_message_are_undone_together(engine: Engine, workspace_id: int) -> None:
    """When the change that needs a job is rolled back, neither the job nor its message stays."""
    with engine.connect() as connection:
        job_id = submit(connection, workspace_id, KIND, "k", {})
        connection.rollback()
    assert find_job(engine, job_id) is None
    assert _announced(engine) == []


def test_submitting_while_the_live_job_ends(engine: Engine, workspace_id: int) -> None:
    """Whenever the job before it ends, submitting gives a job: that one or a new one."""
    stop = threading.Event()

    def work_on() -> int:
        done = 0
        while not stop.is_set():
            with engine.connect() as connection:
                live = connection.execute(
                    text("SELECT id FROM jobs WHERE state = 'queued' LIMIT 1")
                ).scalar_one_or_none()
            if live is not None and claim(engine, live, "a", LEASE) is not None:
                done += succeed(engine, live, "a", {})
        return done

    with ThreadPoolExecutor(4) as pool:
        worker = pool.submit(work_on)
        until = time.monotonic() + 1.0  # seconds
        try:
            submitted: set[int] = set()
            while time.monotonic() < until:
                submitted |= set(pool.map(lambda _: _submit(engine, workspace_id), range(3)))
        finally:
            stop.set()
    assert len(submitted) > 1
    assert worker.result() >= len(submitted) - 1
    assert set(_announced(engine)) == submitted


def _submit(engine: Engine, workspace_id: int, key: str = "k") -> int:
    with engine.begin() as connection:
        return submit(connection, workspace_id, KIND, key, {"file": "é"})


def _announced(engine: Engine) -> list[int]:
    """Take the waiting messages and return the jobs they announce."""
    jobs: list[int] = []

    def send(task: str, arguments: dict[str, int], queue: str) -> None:
        assert (task, queue) == (KIND, "ingest")
        jobs.append(arguments["job_id"])

    while relay(engine, send):
        pass
    return jobs
