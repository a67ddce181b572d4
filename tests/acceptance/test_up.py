"""`up` as a real process: what it starts, what it survives, and what it leaves behind."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from cli.runtime import database_url
from core.broker import find_redis_server
from core.settings import load_settings
from ingestion.jobs import submit_file
from store.engine import connect
from store.jobs import Job, find_job
from store.publish import File
from store.workspaces import ensure_workspace
from tests.acceptance.processes import (
    READY,
    Footnote,
    Running,
    free_port,
    installation,
    wait_until,
)

pytestmark = pytest.mark.timeout(180)
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


@pytest.fixture(scope="module")
def footnote(embedder_cache: Path) -> Iterator[Footnote]:
    """The installation whose one `up` most tests share."""
    with installation(embedder_cache) as made:
        yield made


@pytest.fixture(scope="module")
def running(footnote: Footnote) -> Iterator[Running]:
    """The first `up` of that home, with the sample policies."""
    with footnote.up() as up:
        yield up


@pytest.fixture
def engine(footnote: Footnote) -> Iterator[Engine]:
    """The database that the running `up` keeps."""
    settings = load_settings().model_copy(update={"home": footnote.home})
    with database_url(settings) as url:
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def bare(embedder_cache: Path) -> Iterator[Footnote]:
    """A second installation, without samples, whose `up` tests start and end at will."""
    with installation(embedder_cache) as made:
        yield made


def ended(engine: Engine, job_id: int) -> Job:
    """Wait until a job has ended."""

    def is_over() -> bool:
        job = find_job(engine, job_id)
        return job is not None and job.state in {"succeeded", "failed"}

    wait_until(is_over)
    job = find_job(engine, job_id)
    assert job is not None
    return job


def port(footnote: Footnote) -> int:
    """The page's port."""
    return int(footnote.environment["FOOTNOTE_PORT"])


# --- while it runs -------------------------------------------------------------------------


def test_it_says_what_runs_and_what_to_do_next(footnote: Footnote, running: Running) -> None:
    """Database, samples, worker and page are reported, then the address and the next steps."""
    assert "Postgres 18" in running.told
    assert "sample policies indexed" in running.told
    assert "worker · scheduler · page" in running.told
    assert "SLACK_BOT_TOKEN" in running.told
    assert "OPENAI_API_KEY" in running.told
    assert f"http://127.0.0.1:{port(footnote)}" in running.told
    assert "ingest PATH" in running.told
    print(f"first `up` ready after {running.wait_for('Ask at'):.1f} s")  # noqa: T201


@pytest.mark.usefixtures("running")
def test_training_has_a_worker_of_its_own(footnote: Footnote) -> None:
    """It serves the queue `train` alone, so that hours of training keep no upload waiting."""
    wait_until((footnote.home / "run" / "trainer.ready").exists)
    workers = [
        command[5:]
        for process in footnote.processes()
        if (command := process.cmdline())[1:5] == ["-P", "-m", "cli", "worker"]
    ]
    assert [one for one in workers if one[-2:] == ["--queues", "train"]]
    assert [one for one in workers if "--queues" not in one]


@pytest.mark.usefixtures("running")
def test_the_page_answers_from_the_samples(footnote: Footnote) -> None:
    """The page's address for programs gives an answer whose claims carry quotes."""
    answer = footnote.ask_page("How long can I return sale items?", port(footnote))

    assert answer["outcome"] == "answered"
    assert "14 days" in answer["answer"]
    assert all(claim["citations"][0]["quote"] for claim in answer["claims"])


@pytest.mark.usefixtures("running")
def test_the_worker_runs_a_job_that_nobody_else_claims(engine: Engine) -> None:
    """A file that is only submitted is published by the worker within moments."""
    workspace = ensure_workspace(engine)
    data = b"# Bicycle policy\n\nBicycles are parked in the yard behind building C."
    job_id = submit_file(engine, workspace, File("bicycles.md", "text/markdown", data))

    job = ended(engine, job_id)

    assert job.state == "succeeded", job.error
    assert job.result is not None
    assert job.result["new_version"] is True


def answered_with(footnote: Footnote, words: str) -> bool:
    """Whether the page answers where canoes are kept with these words."""
    return words in footnote.ask_page("Where are canoes kept?", port(footnote))["answer"]


@pytest.mark.usefixtures("running")
def test_a_watched_folder_is_answered_from_as_it_is(footnote: Footnote, tmp_path: Path) -> None:
    """The scheduler and the worker find a new file, then its new words, without being asked."""
    policy = tmp_path / "canoes.md"
    policy.write_text("# Canoes\n\nCanoes are kept on the roof of building F.", "utf-8")
    added = footnote.run("sources", "add", tmp_path, "--name", "boats", "--every", "10s")
    assert added.code == 0, added.told

    for place in ("roof of building F", "cellar of building G"):
        policy.write_text(f"# Canoes\n\nCanoes are kept on the {place}.", "utf-8")
        wait_until(partial(answered_with, footnote, place))
    told = footnote.run("sources", "show", "boats", "--json").json()
    assert (told["documents"], told["failure"], told["failed_items"]) == (1, None, [])
    assert footnote.run("sources", "remove", "boats").code == 0


@pytest.mark.usefixtures("running")
def test_ask_and_ingest_work_beside_it(footnote: Footnote, tmp_path: Path) -> None:
    """Commands share the running database: what one adds, the others answer from."""
    policy = tmp_path / "pets.md"
    policy.write_text("# Pets policy\n\nDogs may come to the office on Fridays.", "utf-8")

    ingested = footnote.run("ingest", policy)
    asked = footnote.run("ask", "--json", "When may dogs come to the office?")
    page = footnote.ask_page("When may dogs come to the office?", port(footnote))

    assert ingested.code == 0, ingested.told
    assert "Fridays" in asked.json()["answer"]
    assert "Fridays" in page["answer"]


@pytest.mark.usefixtures("running")
def test_doctor_finds_all_parts_in_order_beside_it(footnote: Footnote) -> None:
    """Nothing needs mending, and the database is told to run."""
    found = footnote.run("doctor", "--json")

    checks = {check["part"]: check for check in found.json()["checks"]}
    assert found.code == 0
    assert checks["Postgres"]["state"] == "ok"
    assert "running" in checks["Postgres"]["detail"]
    assert checks["Messages"]["state"] == "ok"  # the scheduler has seen to it
    assert "error" not in {check["state"] for check in checks.values()}


def test_a_second_up_says_that_one_runs(footnote: Footnote, running: Running) -> None:
    """It names the running one's address and process, and ends without touching it."""
    second = footnote.run("up")

    assert second.code == 1
    (sentence,) = second.told.splitlines()
    assert f"http://127.0.0.1:{port(footnote)}" in sentence
    assert str(running.process.pid) in sentence
    assert running.process.poll() is None
    assert footnote.ask_page("thanks", port(footnote))["route"] == "small_talk"


@on_posix
@pytest.mark.usefixtures("running")
def test_a_killed_worker_is_replaced_and_takes_jobs(footnote: Footnote, engine: Engine) -> None:
    """`up` starts another worker; the killed one's own child does not stay."""
    worker = footnote.service("worker")
    family = [worker, *worker.children(recursive=True)]
    worker.kill()
    wait_until(lambda: not any(p.is_running() and p.status() != "zombie" for p in family))

    data = b"# Kitchen policy\n\nThe kitchen is cleaned at six every evening."
    file = File("kitchen.md", "text/markdown", data)
    job = ended(engine, submit_file(engine, ensure_workspace(engine), file))

    assert job.state == "succeeded", job.error
    assert footnote.service("worker").pid != worker.pid


@on_posix
@pytest.mark.usefixtures("running")
def test_a_killed_page_is_replaced(footnote: Footnote) -> None:
    """The page answers again a little later at the same address."""
    page = footnote.service("web")
    page.kill()

    def answers() -> bool:
        try:
            return bool(footnote.ask_page("thanks", port(footnote))["outcome"] == "answered")
        except OSError:
            return False

    wait_until(answers)
    assert footnote.service("web").pid != page.pid


# --- how it ends ---------------------------------------------------------------------------


def job_under(footnote: Footnote, words: str) -> Job:
    """Submit a file to a running `up` and return its job once it has ended."""
    with database_url(load_settings().model_copy(update={"home": footnote.home})) as url:
        engine = connect(url)
        file = File(f"{words}.md", "text/markdown", f"# {words}\n\nAbout {words}.".encode())
        job = ended(engine, submit_file(engine, ensure_workspace(engine), file))
        engine.dispose()
    return job


@contextmanager
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the same user that is none of ours."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        yield other
    finally:
        other.kill()
        other.wait()


@on_posix
@pytest.mark.redis
@pytest.mark.skipif(find_redis_server() is None, reason="needs a redis-server")
def test_with_a_redis_server_an_impatient_ctrl_c_stops_that_too(bare: Footnote) -> None:
    """The embedded Redis wakes the worker; Ctrl-C, again, and a closed terminal leave nothing."""
    with bystander() as other, bare.up("--no-samples") as up:
        assert "broker: embedded Redis" in up.told
        assert job_under(bare, "Lockers").state == "succeeded"
        started = bare.processes()
        assert any("redis-server" in " ".join(p.cmdline()) for p in started)

        up.send(signal.SIGINT)
        time.sleep(0.2)
        up.send(signal.SIGINT)
        code, seconds = up.stop(signal.SIGHUP)
        print(f"{len(started)} processes stopped in {seconds:.1f} s")  # noqa: T201

        assert code == 0
        assert up.lines[-1] == "Stopped."
        assert bare.processes() == []
        assert other.poll() is None


@on_posix
def test_without_a_redis_postgres_wakes_the_worker(bare: Footnote) -> None:
    """With FOOTNOTE_BROKER=postgres no Redis runs, jobs are done, and SIGTERM stops all."""
    with bystander() as other, bare.up("--no-samples", FOOTNOTE_BROKER="postgres") as up:
        assert "broker: Postgres" in up.told
        assert not any("redis-server" in " ".join(p.cmdline()) for p in bare.processes())
        assert job_under(bare, "Parking").state == "succeeded"

        code, _ = up.stop(signal.SIGTERM)

        assert code == 0
        assert bare.processes() == []
        assert other.poll() is None


@on_posix
def test_an_embedded_server_that_is_killed_is_replaced_with_all_that_uses_it(
    bare: Footnote,
) -> None:
    """Where Postgres dies under it, `up` starts everything anew; page and jobs go on."""
    with bare.up("--no-samples", FOOTNOTE_BROKER="postgres") as up:
        postmaster = next(p for p in bare.processes() if "-D" in p.cmdline())
        postmaster.kill()
        wait_until(lambda: up.told.count(READY) == 2)

        assert bare.ask_page("thanks", port(bare))["outcome"] == "answered"
        assert job_under(bare, "Ladders").state == "succeeded"
        code, _ = up.stop()
    assert code == 0
    assert bare.processes() == []


@on_posix
def test_services_of_a_killed_up_end_and_the_next_one_works(embedder_cache: Path) -> None:
    """After kill -9 page and worker end by themselves; the next `up` answers, adds no samples."""
    with installation(embedder_cache) as footnote:
        with footnote.up() as up:
            assert "sample policies indexed" in up.told
            services = [footnote.service("worker"), footnote.service("web")]
            families = [p for s in services for p in (s, *s.children(recursive=True))]
            up.kill()
            _, alive = psutil.wait_procs(families, timeout=10)
        assert alive == []

        with footnote.up() as up:
            print(f"second `up` ready after {up.wait_for('Ask at'):.1f} s")  # noqa: T201
            assert "indexed" not in up.told
            assert footnote.ask_page("thanks", port(footnote))["outcome"] == "answered"
            code, _ = up.stop()
        assert code == 0
        assert footnote.processes() == []


def test_a_taken_port_is_told_before_anything_starts(bare: Footnote) -> None:
    """One sentence names the port and the setting; no process is left."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        refused = bare.run("up", FOOTNOTE_PORT=taken)

    assert refused.code == 1
    (sentence,) = refused.told.splitlines()
    assert taken in sentence
    assert "FOOTNOTE_PORT" in sentence
    assert bare.processes() == []


def test_a_redis_that_does_not_answer_is_told(bare: Footnote) -> None:
    """A REDIS_URL with nothing behind it stops `up` with one sentence, not after a minute."""
    refused = bare.run("up", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert refused.code == 1
    (sentence,) = refused.told.splitlines()
    assert "REDIS_URL" in sentence
    assert bare.processes() == []
