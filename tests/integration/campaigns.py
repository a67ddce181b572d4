"""Faults on real servers and real processes, in any number; what must hold after each.

The suite runs a few of each with a short lease; `python3 run.py soak` runs the full counts.
"""

import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import psutil
from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from ingestion.jobs import submit_file
from store.access import OPERATOR_ACCESS
from store.engine import connect
from store.schedules import set_schedule
from store.search import versions_in_force
from store.spaces import active_space
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote, Running, wait_until
from tests.integration.asking import markdown_file

LEASE = 3.0  # seconds; the least that a worker busy with its start still extends in time
GRACE = 10.0  # seconds beyond the lease within which a job must be done


@dataclass
class Site:
    """An installation on a database and a broker, with workers that may be killed."""

    footnote: Footnote
    engine: Engine
    broker: dict[str, str]
    workers: list[Running] = field(default_factory=list)

    @property
    def workspace_id(self) -> int:
        """The workspace that commands work in."""
        return ensure_workspace(self.engine)

    def start_worker(self) -> Running:
        """Start a worker and wait until it takes work."""
        ready = self.footnote.home / f"ready-{len(self.workers)}"
        running = self.footnote.start(
            "worker", "--ready-file", str(ready), FOOTNOTE_JOB_LEASE=str(LEASE), **self.broker
        )
        self.workers.append(running)
        wait_until(lambda: ready.exists() or running.process.poll() is not None)
        assert running.process.poll() is None, running.told
        return running

    def stop(self) -> None:
        """Stop the workers that still run."""
        for running in self.workers:
            if running.process.poll() is None:
                running.process.terminate()
        for running in self.workers:
            running.join()

    def submit(self, name: str, words: str) -> int:
        """Hand over a file; return its job."""
        file = markdown_file(name, words)
        return submit_file(self.engine, self.workspace_id, file)

    def states(self, jobs: Sequence[int]) -> list[str]:
        """Return the states of jobs; empty while the database is away."""
        try:
            with self.engine.connect() as connection:
                rows = connection.execute(
                    text("SELECT state FROM jobs WHERE id = ANY(:ids)"), {"ids": list(jobs)}
                )
                return list(rows.scalars())
        except DBAPIError:
            return []

    def all_done(self, jobs: Sequence[int]) -> bool:
        """Whether every job has succeeded; raises AssertionError for one that failed."""
        states = self.states(jobs)
        assert "failed" not in states
        return len(states) == len(jobs) and set(states) == {"succeeded"}


@contextmanager
def site(footnote: Footnote, engine: Engine, broker: dict[str, str]) -> Iterator[Site]:
    """Give a site and end what was started on it."""
    made = Site(footnote, engine, broker)
    try:
        yield made
    finally:
        made.stop()


def policy(number: int, revision: int, sections: int = 12) -> str:
    """Return a policy each of whose sections names the revision: mixtures would show."""
    parts = [
        f"## Rule {section}\n\nUnder revision {revision} of policy {number}, case {section} goes"
        f" to desk {section * 7 + number}, and nobody else decides on it. "
        for section in range(sections)
    ]
    return f"# Policy {number}\n\n" + "\n\n".join(parts)


def check_invariants(engine: Engine, workspace_id: int) -> None:
    """Hold that nothing is half: no chunk without vector, no orphan, no mixed version."""
    space = active_space(engine, workspace_id)
    assert space is not None
    with engine.connect() as connection:
        counts = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM chunks c WHERE NOT EXISTS"
                f"   (SELECT FROM {space.table} v WHERE v.chunk_id = c.id)) AS unembedded,"
                " (SELECT count(*) FROM chunks c WHERE NOT EXISTS"
                "   (SELECT FROM version_chunks p WHERE p.chunk_id = c.id)) AS orphans,"
                " (SELECT count(*) FROM document_versions v WHERE NOT EXISTS"
                "   (SELECT FROM version_chunks p WHERE p.version_id = v.id)) AS empty,"
                " (SELECT count(*) FROM document_versions v WHERE NOT EXISTS"
                "   (SELECT FROM blocks b WHERE b.version_id = v.id)) AS blockless,"
                " (SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')) AS open,"
                " (SELECT w.chunk_count - (SELECT count(*) FROM chunks WHERE workspace_id = w.id)"
                "  FROM workspaces w WHERE w.id = :workspace_id) AS miscounted"
            ),
            {"workspace_id": workspace_id},
        ).one()
    assert dict(counts._mapping) == dict.fromkeys(counts._mapping, 0)
    for version in versions_in_force(engine, workspace_id, OPERATOR_ACCESS, datetime.now(UTC)):
        assert len(revisions_in(version.text)) == 1, version.document_key


def revisions_in(words: str) -> set[str]:
    """Return the revisions that a text speaks of."""
    return {part.split(" ", 1)[0] for part in words.split("Under revision ")[1:]}


# --- the campaigns -------------------------------------------------------------------------


def kill_workers(made: Site, kills: int, seed: int) -> list[float]:
    """Kill the worker at random points of ingestion, and put another in its place.

    Returns the seconds that each job took from when the other was there.
    """
    rng = random.Random(seed)
    waits = []
    made.start_worker()
    for number in range(kills):
        sections = rng.randint(20, 60)
        job = made.submit(f"policy{number % 3}.md", policy(number % 3, number, sections))
        time.sleep(rng.uniform(0.0, 2.0))
        _kill(made.workers[-1])
        check_readers(made)
        made.start_worker()
        there = time.monotonic()
        wait_until(partial(made.all_done, [job]))
        waits.append(time.monotonic() - there)
    check_invariants(made.engine, made.workspace_id)
    return waits


def _kill(running: Running) -> None:
    """Kill a worker with its pool, as the kernel would when memory runs out."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(running.process.pid)
        for one in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
    running.process.wait()


def check_readers(made: Site) -> None:
    """Hold that what is in force is whole, whatever is under way."""
    now = datetime.now(UTC)
    for version in versions_in_force(made.engine, made.workspace_id, OPERATOR_ACCESS, now):
        assert len(revisions_in(version.text)) == 1


def flush_redis(made: Site, jobs: int, url: str) -> float:
    """Flush Redis while `jobs` are queued; return the seconds until all were done."""
    ids = [made.submit(f"policy{number}.md", policy(number, 1, 2)) for number in range(jobs)]
    made.start_worker()
    wait_until(lambda: "succeeded" in made.states(ids))
    with Redis.from_url(url) as client:
        client.flushall()
    flushed = time.monotonic()
    wait_until(lambda: made.all_done(ids), patience=60 + jobs)
    check_invariants(made.engine, made.workspace_id)
    assert _attempts(made.engine) == {1}
    return time.monotonic() - flushed


def _attempts(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT DISTINCT attempts FROM jobs")).scalars())


def reupload_under_readers(made: Site, uploads: int, readers: int) -> int:
    """Send one document again and again while others read it; return how many reads there were."""
    made.start_worker()
    first = made.submit("policy.md", policy(0, 0))
    wait_until(lambda: made.all_done([first]))
    over = threading.Event()
    problems: list[str] = []
    reads = [0] * readers
    workspace_id = made.workspace_id
    # Their connections are their own: whoever watches over the jobs must not wait for one.
    url = made.engine.url.render_as_string(hide_password=False)
    own = connect(url, pool_size=readers)

    def read(place: int) -> None:
        newest = 0
        while not over.is_set():
            (version,) = versions_in_force(own, workspace_id, OPERATOR_ACCESS, datetime.now(UTC))
            found = sorted(revisions_in(version.text))
            if len(found) != 1 or int(found[0]) < newest:
                problems.append(f"after revision {newest}: {found}")
            newest = max(newest, int(found[0]))
            reads[place] += 1

    threads = [threading.Thread(target=read, args=(place,)) for place in range(readers)]
    for thread in threads:
        thread.start()
    jobs = [made.submit("policy.md", policy(0, number + 1)) for number in range(uploads)]
    try:
        wait_until(lambda: made.all_done(jobs), patience=60 + 2 * uploads)
    finally:
        over.set()
        for thread in threads:
            thread.join()
        own.dispose()
    assert problems == []
    (version,) = versions_in_force(
        made.engine, made.workspace_id, OPERATOR_ACCESS, datetime.now(UTC)
    )
    assert revisions_in(version.text) == {str(uploads)}
    check_invariants(made.engine, made.workspace_id)
    return sum(reads)


def crash_postgres(made: Site, jobs: int) -> float:
    """Crash the database server amid `jobs`; return the seconds until all were done.

    A backend that is killed takes all others with it: the server throws away its memory and
    starts anew from its log, as after a power cut.
    """
    ids = [made.submit(f"policy{number}.md", policy(number, 1, 6)) for number in range(jobs)]
    made.start_worker()
    wait_until(lambda: "succeeded" in made.states(ids))
    with suppress(DBAPIError), made.engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        psutil.Process(backend).kill()
    crashed = time.monotonic()
    wait_until(lambda: made.all_done(ids), patience=60 + jobs)
    check_invariants(made.engine, made.workspace_id)
    return time.monotonic() - crashed


def race_schedulers(made: Site, ticks: int, schedulers: int = 2) -> int:
    """Run several schedulers until so many ticks are due; return how many jobs they became."""
    with made.engine.begin() as connection:
        set_schedule(connection, made.workspace_id, "sync_source", "none", 1, {"source_id": 0})
    running = [made.footnote.start("beat") for _ in range(schedulers)]
    seen: set[int] = set()

    def enough() -> bool:
        with made.engine.begin() as connection:
            open_jobs = connection.execute(
                text(
                    "UPDATE jobs SET state = 'succeeded' WHERE kind = 'sync_source'"
                    " AND state = 'queued' RETURNING id"
                )
            ).scalars()
            for job in open_jobs:
                assert job not in seen
                seen.add(job)
        return len(seen) >= ticks

    try:
        wait_until(enough, patience=60 + 2 * ticks)
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            one.join()
    with made.engine.connect() as connection:
        counted = connection.execute(
            text("SELECT count(*) AS ticks, count(DISTINCT tick) AS different FROM ticks")
        ).one()
    assert counted.ticks == counted.different
    return int(counted.ticks)
