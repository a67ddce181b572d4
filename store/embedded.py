"""An own small supervisor of the Postgres that comes with the installation.

Many processes share one server: each holds a locked file while it needs the server, and the last
holder to leave stops it. Children that are given the URL need not hold.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
from filelock import FileLock, Timeout
from psycopg import sql

from store.cluster import ROLE, Cluster, failure
from store.holders import Holders
from store.postgres_host import (
    SHARED_ROOT,
    Binaries,
    EmbeddedPostgresError,
    binaries_for,
    make_folder,
    packaged_binaries,
    require_fitting_cpu,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "EmbeddedStatus"]

START_TIMEOUT = 60.0  # seconds; crash recovery on a slow disk
STOP_TIMEOUT = 30.0  # seconds before a fast shutdown becomes an immediate one
CONNECT_TIMEOUT = 5  # seconds
LOCK_TIMEOUT = 120.0  # seconds; another process may be doing the first start
TOOL_GRACE = 10.0  # seconds beyond the time that pg_ctl was given
PAUSE = 0.2  # seconds between looks at a server that is starting or stopping
SMALL_SHARED_MEMORY = 1 << 30  # bytes; containers give 64 MB, too little to build an index
MAX_LOG = 10_000_000  # bytes of log before it is put aside at a start
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=128MB",
    "max_connections=120",
    "log_checkpoints=off",
    "timezone=UTC",
)
# Windows: a console of its own, so that no Ctrl-C reaches it. Elsewhere pg_ctl gives the server a
# session of its own.
APART = 0x08000000 | 0x00000200 if sys.platform == "win32" else 0


@dataclass(frozen=True)
class EmbeddedStatus:
    """What `footnote doctor` tells about the embedded Postgres; `port` is None while stopped."""

    version: str
    pgvector_version: str
    data_folder: Path
    log: Path
    account: str
    port: int | None

    @property
    def running(self) -> bool:
        """Whether a server runs for this home now."""
        return self.port is not None


@dataclass(frozen=True)
class Postmaster:
    """A server as its `postmaster.pid` tells it."""

    data: Path
    pid: int
    port: int

    @classmethod
    def of(cls, data: Path) -> Self | None:
        """Return what is written in `data`, or None where no server ran or wrote it yet."""
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return cls(data, int(lines[0]), int(lines[3]))
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def alive(self) -> bool:
        """Whether its process is a Postgres in that folder, and not another with its number."""
        try:
            process = psutil.Process(self.pid)
            if not process.name().startswith("postgres"):
                return False
            return Path(process.cwd()).samefile(self.data)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return False
        except (psutil.AccessDenied, OSError):
            return True  # it cannot be told: leave it to Postgres


class EmbeddedPostgres:
    """The Postgres of one home folder, started by whoever needs it first.

    `start` and `release` may be called by any number of processes; `with` does both and gives the
    URL. Raises EmbeddedPostgresError, whose message is one plain sentence. `shared` is where root
    keeps what the server's account could not reach in the home or the checkout.
    """

    def __init__(self, home: Path, shared: Path = SHARED_ROOT) -> None:
        self.home = home.expanduser().absolute()
        self.log = self.home / "logs" / "postgres.log"
        self._cluster = Cluster(self.home, shared)
        self._holders = Holders(self.home / "run" / "holders")

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def start(self) -> str:
        """Return the server's URL, after starting the server unless it runs already.

        Until `release` the server stays. Calling again while it is held changes nothing.
        """
        require_fitting_cpu()
        with self._alone():
            try:
                url = self._join() or self._launch()
                self._holders.join()
            finally:
                if not self._holders.joined and not self._holders.others():
                    self._stop()
        return url

    def release(self) -> None:
        """Let go of the server; when nobody else holds it, stop it with a fast shutdown."""
        if not self._holders.joined:
            return
        with self._alone():
            self._holders.leave()
            if not self._holders.others():
                self._stop()

    def remove(self) -> None:
        """Delete the cluster with all its data; refused while another process holds it."""
        self.release()
        with self._alone():
            if self._holders.others():
                raise EmbeddedPostgresError(
                    f"The database in {self._cluster.data} is in use; stop Footnote first."
                )
            self._stop()
            self._cluster.remove()

    def describe(self) -> EmbeddedStatus:
        """Tell what is there without starting or making anything."""
        binaries = packaged_binaries()
        try:
            data = self._cluster.data
            account = self._cluster.account
            postmaster = Postmaster.of(data)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"{error.filename} cannot be read ({error.strerror}); "
                "run Footnote as the account that made it."
            ) from error
        return EmbeddedStatus(
            version=binaries.version(),
            pgvector_version=binaries.pgvector_version(),
            data_folder=data,
            log=self.log,
            account=account.name,
            port=postmaster.port if postmaster and postmaster.alive() else None,
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process that starts or stops this home's server."""
        try:
            make_folder(self.home, 0o700 if self._cluster.account.uid is None else 0o711)
            for folder in ("run", "run/holders", "secrets", "logs"):
                make_folder(self.home / folder, 0o700)
            with FileLock(self.home / "run" / "postgres.lock", timeout=LOCK_TIMEOUT):
                yield
        except Timeout as error:
            raise EmbeddedPostgresError(
                f"Another process has been starting or stopping the database in {self.home} for "
                f"{LOCK_TIMEOUT:.0f} s; end it and try again."
            ) from error
        except OSError as error:
            raise EmbeddedPostgresError(
                f"Footnote cannot keep its data in {self.home} ({error.strerror or error}); "
                "choose a folder that it can write with FOOTNOTE_HOME."
            ) from error

    def _join(self) -> str | None:
        """Return the URL of a server that runs already, or None when there is none."""
        deadline = time.monotonic() + START_TIMEOUT
        while (postmaster := Postmaster.of(self._cluster.data)) and postmaster.alive():
            url = self._cluster.url(postmaster.port)
            try:
                psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or "authentication failed" in str(error):
                    raise EmbeddedPostgresError(
                        f"The database in {self._cluster.data} runs but does not let Footnote in "
                        f"({_first_line(error)}); see {self.log}."
                    ) from error
            else:
                return url
            time.sleep(PAUSE)
        return None

    def _launch(self) -> str:
        """Start a server where none runs, making the cluster first if there is none."""
        strangers = {host for host in self._holders.others() if host != socket.gethostname()}
        if strangers:
            raise EmbeddedPostgresError(
                f"The data in {self.home} is in use on {min(strangers)}; two machines or "
                "containers cannot share an embedded database: give both one DATABASE_URL."
            )
        binaries = binaries_for(self._cluster.account, self._cluster.shared)
        self._cluster.sweep()
        if not self._cluster.exists:
            self._cluster.make(binaries)
        if self._cluster.major != binaries.major:
            raise EmbeddedPostgresError(
                f"The database in {self._cluster.data} was made by Postgres {self._cluster.major} "
                f"and this is {binaries.major}; dump it with the Footnote that made it and load "
                "it into a new home."
            )
        port = self._start_server(binaries)
        self._prepare_database(port)
        return self._cluster.url(port)

    def _start_server(self, binaries: Binaries) -> int:
        """Start on a free port of 127.0.0.1 and return it."""
        data = self._cluster.data
        before = Postmaster.of(data)
        if before is not None and psutil.pid_exists(before.pid) and not before.alive():
            # After a crash the number may belong to another program, and Postgres would believe
            # that program to be its predecessor.
            (data / "postmaster.pid").unlink(missing_ok=True)
        # After a crash those who still hold the server know it by its old port.
        port = before.port if before is not None and _is_free(before.port) else _free_port()
        deadline = time.monotonic() + START_TIMEOUT
        while told := self._try_start(binaries, port):
            if "could not bind" in told:
                port = _free_port()  # taken between our choosing and its binding
            elif "shared memory block" not in told or time.monotonic() > deadline:
                raise failure(f"Postgres did not start (log: {self.log})", told, data)
            time.sleep(PAUSE)  # a killed server's children finish their statements first
        return port

    def _try_start(self, binaries: Binaries, port: int) -> str:
        """Return nothing when the server is up, else what its log says about this attempt."""
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, *_memory_settings()))
        command = [binaries.tool("pg_ctl"), "start", "-s", "-w", "-t", f"{START_TIMEOUT:.0f}"]
        command += ["-D", str(self._cluster.data), "-o", f"-p {port} {options}"]
        if sys.platform == "win32":  # no open file is passed on there
            command += ["-l", str(self.log)]
        if self.log.exists() and self.log.stat().st_size > MAX_LOG:
            self.log.replace(self.log.with_suffix(".log.old"))
        with self.log.open("ab") as log:
            already = log.tell()
            output = subprocess.DEVNULL if sys.platform == "win32" else log
            try:
                done = self._cluster.account.run(
                    command, START_TIMEOUT + TOOL_GRACE, output, APART
                )
            except subprocess.TimeoutExpired:
                return f"it was not ready within {START_TIMEOUT:.0f} s"
        if done.returncode == 0:
            return ""
        with self.log.open("rb") as log:
            log.seek(already)
            return log.read().decode(errors="replace") or "it left no word"

    def _prepare_database(self, port: int) -> None:
        """Make what a first start lacks: the database and the vector extension."""
        try:
            with _connect(self._cluster.url(port, "postgres")) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, (ROLE,)).fetchone() is None:
                    name = sql.Identifier(ROLE)
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
            with _connect(self._cluster.url(port)) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                connection.execute("ALTER EXTENSION vector UPDATE")
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"The embedded Postgres started but refused its set-up ({_first_line(error)}); "
                f"see {self.log}."
            ) from error

    def _stop(self) -> None:
        """Stop the server if one runs; connections are cut, what was committed stays."""
        postmaster = Postmaster.of(self._cluster.data)
        if postmaster is None or not postmaster.alive():
            return
        pg_ctl = binaries_for(self._cluster.account, self._cluster.shared).tool("pg_ctl")
        for mode in ("fast", "immediate"):
            command = [pg_ctl, "stop", "-s", "-w", "-m", mode, "-t", f"{STOP_TIMEOUT:.0f}"]
            command += ["-D", str(postmaster.data)]
            self._cluster.account.run(command, STOP_TIMEOUT + TOOL_GRACE)
            if not postmaster.alive():
                return


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT)


def _memory_settings() -> tuple[str, ...]:
    """Keep shared memory in files where /dev/shm is as small as containers have it."""
    folder = Path("/dev/shm")  # noqa: S108 - looked at, not written
    if folder.is_dir() and shutil.disk_usage(folder).total < SMALL_SHARED_MEMORY:
        return ("dynamic_shared_memory_type=mmap",)
    return ()


def _is_free(port: int) -> bool:
    """Whether Postgres could listen there; like it, we disregard a dead server's connections."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
