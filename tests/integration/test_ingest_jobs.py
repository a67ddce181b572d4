"""Files as jobs, with real workers that are killed in the middle of their work."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy import table as table_named

from cli.runtime import actor
from core.broker import EmbeddedRedis, find_redis_server
from core.settings import ROOT
from ingestion.errors import BinaryFileError
from ingestion.ingest import Ingester
from ingestion.jobs import INGEST_FILE, Sender, run_file_job, submit_file
from retrieval.embeddings import Vectors
from store.access import OPERATOR_ACCESS
from store.documents import Version
from store.jobs import Job, claim, find_job, sweep
from store.leases import LEASE
from store.outbox import enqueue, relay
from store.publish import File
from store.search import versions_in_force
from tests.acceptance.processes import Footnote, Running, installation, wait_until
from tests.integration.asking import markdown_file

SHORT = 1.0  # seconds of lease for a process that will be killed
POLICY = markdown_file("parking.md", "# Parking\n\nBicycles stand behind building C.")
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")

SLOW = """
import sys, time
from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job
from store.engine import connect

class Slow:
    model, dimensions = "all-MiniLM-L6-v2", 384
    def embed(self, texts):
        print("embedding", flush=True)
        time.sleep(600)

url, workspace_id, job_id, lease = sys.argv[1:]
ingester = Ingester(connect(url), int(workspace_id), Slow())
run_file_job(ingester, int(job_id), lease=float(lease))
"""


def found(engine: Engine, job_id: int) -> Job:
    """Return a job."""
    job = find_job(engine, job_id)
    assert job is not None
    return job


def versions(ingester: Ingester) -> list[Version]:
    """Return what is in force for a member."""
    with ingester.engine.connect() as connection:
        now = connection.execute(text("SELECT now()")).scalar_one()
    return versions_in_force(ingester.engine, ingester.workspace_id, OPERATOR_ACCESS, now)


def rows(engine: Engine, table: str) -> int:
    """Count the rows of a table."""
    with engine.connect() as connection:
        counted = select(func.count()).select_from(table_named(table))
        return int(connection.execute(counted).scalar_one())


# --- one process ---------------------------------------------------------------------------


def test_a_submitted_file_is_published_once(ingester: Ingester) -> None:
    """The job's result is the report; running it again does nothing."""
    job_id = submit_file(ingester.engine, ingester.workspace_id, POLICY)
    report = run_file_job(ingester, job_id)

    assert report is not None
    assert (report.version, report.is_new) == (1, True)
    job = found(ingester.engine, job_id)
    assert (job.state, job.result) == ("succeeded", report.to_json())
    assert run_file_job(ingester, job_id) is None
    assert [version.number for version in versions(ingester)] == [1]


def test_the_same_file_again_is_no_new_version(ingester: Ingester) -> None:
    """A finished job does not stand in the way of another, which finds nothing to change."""
    for expected in (True, False):
        job_id = submit_file(ingester.engine, ingester.workspace_id, POLICY)
        report = run_file_job(ingester, job_id)
        assert report is not None
        assert report.is_new is expected
    assert [version.number for version in versions(ingester)] == [1]


def test_a_refused_file_leaves_its_reason_and_nothing_else(ingester: Ingester) -> None:
    """The job has failed with the sentence that was raised; no document, no version, no chunk."""
    program = File("setup.md", "text/markdown", b"MZ\x90\x00" + bytes(range(256)) * 8)
    job_id = submit_file(ingester.engine, ingester.workspace_id, program)

    with pytest.raises(BinaryFileError) as refused:
        run_file_job(ingester, job_id)

    job = found(ingester.engine, job_id)
    assert (job.state, job.error) == ("failed", str(refused.value))
    for table in ("documents", "document_versions", "chunks"):
        assert rows(ingester.engine, table) == 0


class Interrupting:
    """An embedder during whose work somebody presses Ctrl-C."""

    model, dimensions = "all-MiniLM-L6-v2", 384

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Be interrupted."""
        raise KeyboardInterrupt


def test_an_interrupted_file_is_not_ingested_behind_one_s_back(ingester: Ingester) -> None:
    """Ctrl-C ends the job, so that no worker goes on with what was called off."""
    interrupted = Ingester(ingester.engine, ingester.workspace_id, Interrupting())
    job_id = submit_file(ingester.engine, ingester.workspace_id, POLICY)

    with pytest.raises(KeyboardInterrupt):
        run_file_job(interrupted, job_id)

    assert found(ingester.engine, job_id).state == "failed"
    assert versions(ingester) == []


# --- a process that is killed --------------------------------------------------------------


@contextmanager
def slow_process(ingester: Ingester, job_id: int) -> Iterator["subprocess.Popen[str]"]:
    """Another process in the middle of a job, embedding without end."""
    url = ingester.engine.url.render_as_string(hide_password=False)
    arguments = [url, str(ingester.workspace_id), str(job_id), str(SHORT)]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "embedding\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_process_s_job_is_finished_by_another(ingester: Ingester) -> None:
    """While it lives its lease holds; killed, the sweeper gives the job back and it is done."""
    engine = ingester.engine
    job_id = submit_file(engine, ingester.workspace_id, POLICY)
    while relay(engine, lambda *_: None):
        pass
    with slow_process(ingester, job_id) as process:
        time.sleep(1.5 * SHORT)  # longer than the lease, which it extends meanwhile
        assert sweep(engine) == 0
        assert run_file_job(ingester, job_id) is None
        process.kill()
    assert versions(ingester) == []  # nothing half-done

    sent: list[tuple[object, ...]] = []
    wait_until(lambda: sweep(engine) == 1)
    relay(engine, lambda *message: sent.append(message))
    assert sent == [(INGEST_FILE, {"job_id": job_id}, "ingest")]
    report = run_file_job(ingester, job_id)

    assert report is not None
    assert found(engine, job_id).attempts == 2
    assert [version.number for version in versions(ingester)] == [1]


# --- Celery's workers ----------------------------------------------------------------------


@pytest.fixture
def footnote(embedder_cache: Path, database_url: str) -> Iterator[Footnote]:
    """An installation on this test's database."""
    with installation(embedder_cache, DATABASE_URL=database_url) as made:
        yield made


@pytest.fixture(
    params=[
        "postgres",
        pytest.param(
            "redis",
            marks=[
                pytest.mark.redis,
                pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server"),
            ],
        ),
    ]
)
def broker(request: pytest.FixtureRequest, footnote: Footnote) -> Iterator[dict[str, str]]:
    """The variables that name a broker which runs."""
    if request.param == "postgres":
        yield {"FOOTNOTE_BROKER": "postgres"}
    else:
        with EmbeddedRedis(footnote.home) as server:
            yield {"REDIS_URL": server.start()}


@contextmanager
def worker(footnote: Footnote, broker: dict[str, str]) -> Iterator[Running]:
    """A worker that takes work."""
    ready = footnote.home / "ready"
    ready.unlink(missing_ok=True)
    running = footnote.start("worker", "--ready-file", str(ready), **broker)
    try:
        wait_until(lambda: ready.exists() or running.process.poll() is not None)
        assert running.process.poll() is None, running.told
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()  # alone, as `up` does it
        running.join()


def is_over(engine: Engine, job_id: int) -> bool:
    """Whether a job has ended."""
    return found(engine, job_id).state in {"succeeded", "failed"}


def test_a_worker_takes_what_is_submitted_and_a_second_delivery_changes_nothing(
    footnote: Footnote, broker: dict[str, str], ingester: Ingester
) -> None:
    """By either broker: a submitted file is published; its message sent again is no attempt."""
    engine, workspace_id = ingester.engine, ingester.workspace_id
    with worker(footnote, broker):
        first = submit_file(engine, workspace_id, POLICY)
        wait_until(lambda: is_over(engine, first))
        with engine.begin() as connection:
            enqueue(connection, INGEST_FILE, {"job_id": first})
        other = markdown_file("lockers.md", "# Lockers\n\nLockers are emptied in July.")
        second = submit_file(engine, workspace_id, other)
        wait_until(lambda: is_over(engine, second))

    assert found(engine, first).state == found(engine, second).state == "succeeded"
    assert found(engine, first).attempts == 1
    assert len(versions(ingester)) == 2


def long_policy(sections: int = 60) -> File:
    """Return a policy that takes seconds to embed."""
    parts = [
        f"## Rule {n}\n\n" + f"In case {n} the desk on floor {n} is asked in writing. " * 12
        for n in range(sections)
    ]
    return markdown_file("long.md", "# Long policy\n\n" + "\n\n".join(parts))


@on_posix
def test_a_worker_killed_in_the_middle_loses_nothing(
    footnote: Footnote, ingester: Ingester
) -> None:
    """Readers see nothing of the half-done version; the next worker publishes it whole."""
    engine = ingester.engine
    broker = {"FOOTNOTE_BROKER": "postgres"}
    with worker(footnote, broker) as first:
        job_id = submit_file(engine, ingester.workspace_id, long_policy())
        wait_until(lambda: found(engine, job_id).state == "running")
        first.send(signal.SIGKILL)
        first.process.wait()
    assert found(engine, job_id).state == "running"
    assert rows(engine, "document_versions") == rows(engine, "chunks") == 0

    with engine.begin() as connection:  # let the time of the lease pass
        connection.execute(
            text("UPDATE jobs SET lease_until = lease_until - make_interval(secs => :lease)"),
            {"lease": LEASE},
        )
    with worker(footnote, broker):
        wait_until(lambda: is_over(engine, job_id))

    job = found(engine, job_id)
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert job.result is not None
    assert rows(engine, "document_versions") == 1
    assert rows(engine, "version_chunks") == job.result["chunks"] >= 60


def test_ingest_takes_over_a_file_whose_worker_died(
    footnote: Footnote, ingester: Ingester, tmp_path: Path
) -> None:
    """Without any worker left, the command itself finishes the job once its lease is over."""
    path = tmp_path / POLICY.name
    path.write_bytes(POLICY.data)
    sender = Sender(author=actor())
    job_id = submit_file(ingester.engine, ingester.workspace_id, POLICY, sender=sender)
    assert claim(ingester.engine, job_id, "gone:1", 2 * SHORT) is not None

    done = footnote.run("ingest", path, "--json")

    assert done.code == 0, done.told
    assert done.json()["files"][0]["new_version"] is True
    assert found(ingester.engine, job_id).attempts == 2
