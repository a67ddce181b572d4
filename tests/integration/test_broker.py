"""The embedded Redis, with a real redis-server and owners that are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.broker import EmbeddedRedis, EmbeddedRedisError, find_redis_server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10.0  # seconds until something that must happen is taken for missing
OWNER = """
import sys
from pathlib import Path
from core.broker import EmbeddedRedis
with EmbeddedRedis(Path(sys.argv[1])) as broker:
    print(broker.start(), flush=True)
    sys.stdin.readline()
"""
needs_redis = pytest.mark.skipif(
    find_redis_server() is None, reason="no redis-server on this machine"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / 'a "home" of its own'


@pytest.fixture
def broker(home: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(home) as running:
        yield running


@pytest.fixture
def owner(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs a broker in `home`, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE)
    with EmbeddedRedis(home):  # ends what a killed owner left running
        pass


def url_of(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def answers(url: str) -> bool:
    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def server_process(home: Path) -> psutil.Process:
    record = json.loads((home / "run" / "redis.json").read_text())
    return psutil.Process(record["pid"])


@needs_redis
@pytest.mark.redis
def test_it_answers_here_and_with_the_password_alone(broker: EmbeddedRedis) -> None:
    """The server listens on 127.0.0.1, wants its password and shows it in no command line."""
    url = broker.start()
    assert answers(url)
    password = url.split(":")[2].split("@")[0]
    with (
        redis.Redis.from_url(url.replace(password, "guess")) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()
    process = server_process(broker.home)
    assert {c.laddr.ip for c in process.net_connections("inet") if not c.raddr} == {"127.0.0.1"}
    assert password not in " ".join(process.cmdline())
    assert password not in broker.log.read_text()


@needs_redis
@pytest.mark.redis
def test_stopping_ends_it_and_keeps_nothing(broker: EmbeddedRedis) -> None:
    """After stop the server is gone, has written no data, and may be started again."""
    url = broker.start()
    with redis.Redis.from_url(url) as client:
        client.set("job", "lost")
    process = server_process(broker.home)
    broker.stop()
    assert not process.is_running()
    assert list((broker.home / "redis").iterdir()) == []
    assert not (broker.home / "run" / "redis.json").exists()
    assert broker.start() != url
    with redis.Redis.from_url(broker.start()) as client:
        assert client.get("job") is None


@needs_redis
@pytest.mark.redis
def test_the_server_of_a_killed_owner_is_stopped_by_the_next(
    home: Path, owner: subprocess.Popen[str]
) -> None:
    """What kill -9 leaves behind lasts until the next start."""
    url = url_of(owner)
    owner.kill()
    owner.wait(PATIENCE)
    assert answers(url)
    with EmbeddedRedis(home) as broker:
        assert answers(broker.start())
        assert not answers(url)


@needs_redis
@pytest.mark.redis
def test_a_second_owner_is_refused(home: Path, owner: subprocess.Popen[str]) -> None:
    """While its owner lives, another process can neither replace nor stop a broker."""
    url = url_of(owner)
    second = EmbeddedRedis(home)
    with pytest.raises(EmbeddedRedisError, match="stop it first"):
        second.start()
    second.stop()
    assert answers(url)


@needs_redis
@pytest.mark.redis
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_in_the_terminal_reaches_the_owner_alone(owner: subprocess.Popen[str]) -> None:
    """The server ends when its owner stops it, not when the terminal interrupts them all."""
    url = url_of(owner)
    with redis.Redis.from_url(url) as client:
        client.ping()
        os.kill(owner.pid, signal.SIGSTOP)  # so that the owner cannot stop it meanwhile
        os.killpg(owner.pid, signal.SIGINT)
        time.sleep(0.2)
        assert client.ping()
    os.kill(owner.pid, signal.SIGCONT)
    owner.communicate(timeout=PATIENCE)
    assert not answers(url)


@needs_redis
@pytest.mark.redis
def test_a_recorded_number_that_another_program_has_now_is_left_alone(home: Path) -> None:
    """Only the process that was recorded is stopped, not one that later got its number."""
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (home / "run").mkdir(parents=True)
    record = {"pid": bystander.pid, "created": time.time() - 3600}
    (home / "run" / "redis.json").write_text(json.dumps(record))
    with EmbeddedRedis(home):
        assert bystander.poll() is None
    bystander.kill()
    bystander.communicate(timeout=PATIENCE)


def test_a_program_that_is_no_redis_is_told(home: Path) -> None:
    """A program that ends at once gives one sentence with its last words and the log's place."""
    with pytest.raises(EmbeddedRedisError, match=r"did not start .*redis\.log"):
        EmbeddedRedis(home, Path(sys.executable)).start()


def test_a_program_that_cannot_be_run_is_told(home: Path) -> None:
    """A path without a program gives a sentence, not a traceback."""
    with pytest.raises(EmbeddedRedisError, match="could not be started"):
        EmbeddedRedis(home, home / "redis-server").start()


@pytest.mark.skipif(sys.platform == "win32", reason="programs have other names there")
def test_a_redis_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own redis-server is preferred to a packaged one, and valkey counts too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(mode=0o755)
        assert find_redis_server() == tmp_path / name
