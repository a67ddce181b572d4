"""An own small supervisor of the Postgres that comes with the installation.

Many processes share one server: each holds a locked file while it needs the server, the kernel
drops the lock when the process ends in whatever way, and the last holder to leave stops it.
"""

import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from os import getpid
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import psycopg
from filelock import FileLock, Timeout
from psycopg import sql

from store.postgres_host import (
    SHARED_ROOT,
    Account,
    Binaries,
    EmbeddedPostgresError,
    binaries_for,
    make_folder,
    packaged_binaries,
    require_fitting_cpu,
    server_account,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "EmbeddedStatus"]

ROLE = "footnote"  # also the database; the only role of the cluster
START_TIMEOUT = 60.0  # seconds; crash recovery on a slow disk
STOP_TIMEOUT = 30.0  # seconds before a fast shutdown becomes an immediate one
CONNECT_TIMEOUT = 5  # seconds
LOCK_TIMEOUT = 120.0  # seconds; another process may be doing the first start
START_ATTEMPTS = 5  # a port may be taken between choosing it and binding it
PAUSE = 0.2  # seconds between looks at a server that is starting or stopping
SMALL_SHARED_MEMORY = 1 << 30  # bytes; containers give 64 MB, too little to build an index
# UTF-8 rules for letters come from the builtin provider; the text search parser still asks the
# C library, and under plain C it takes curly quotes and dashes for letters.
LETTER_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C")
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=128MB",
    "max_connections=50",
    "log_checkpoints=off",
    "timezone=UTC",
)
CREATE_NO_WINDOW = 0x08000000  # Windows: no console, so no Ctrl-C from it
CREATE_NEW_PROCESS_GROUP = 0x00000200


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
        """Whether a server answers for this home now."""
        return self.port is not None


@dataclass(frozen=True)
class Postmaster:
    """What a running server wrote into its `postmaster.pid`."""

    pid: int
    port: int

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """Return what `data` tells, or None where no server ran or it is not yet written."""
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return cls(int(lines[0]), int(lines[3]))
        except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
            return None

    def alive(self, data: Path) -> bool:
        """Whether its process still is a Postgres in `data`, and not another's with its number."""
        try:
            process = psutil.Process(self.pid)
            if not process.name().startswith("postgres"):
                return False
            return Path(process.cwd()).samefile(data)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return False
        except (psutil.AccessDenied, OSError):
            return True  # cannot be told: leave it to Postgres


class EmbeddedPostgres:
    """The Postgres of one home folder, started by whoever needs it first.

    `start` and `release` may be called by any number of processes; `with` does both. Raises
    EmbeddedPostgresError, whose message is one plain sentence.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().absolute()
        self.log = self.home / "logs" / "postgres.log"
        self._holders = self.home / "run" / "holders"
        self._location = self.home / "postgres.location"
        self._password_file = self.home / "secrets" / "postgres-password"
        self._account = server_account()
        self._holder: FileLock | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    @property
    def data(self) -> Path:
        """The cluster's folder: in the home, or where `postgres.location` says."""
        try:
            return Path(self._location.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return self.home / "postgres"

    def start(self) -> str:
        """Return the server's URL, after starting the server unless it runs already.

        Until `release` the server stays. Calling again while it is held changes nothing.
        """
        require_fitting_cpu()
        with self._alone():
            try:
                url = self._join() or self._launch()
                self._hold()
            finally:
                if self._holder is None and not self._held_by_others():
                    self._stop()
        return url

    def release(self) -> None:
        """Let go of the server; when nobody else holds it, stop it with a fast shutdown."""
        if self._holder is None:
            return
        with self._alone():
            self._holder.release()
            Path(self._holder.lock_file).unlink(missing_ok=True)
            self._holder = None
            if not self._held_by_others():
                self._stop()

    def remove(self) -> None:
        """Delete the cluster with all its data; refused while another process holds it."""
        self.release()
        with self._alone():
            if self._held_by_others():
                raise EmbeddedPostgresError(
                    f"The database in {self.data} is in use; stop Footnote first."
                )
            self._stop()
            shutil.rmtree(self.data, ignore_errors=True)
            self._location.unlink(missing_ok=True)

    def describe(self) -> EmbeddedStatus:
        """Tell what is there without starting anything."""
        binaries = packaged_binaries()
        postmaster = Postmaster.read(self.data)
        alive = postmaster is not None and postmaster.alive(self.data)
        return EmbeddedStatus(
            version=binaries.version(),
            pgvector_version=binaries.pgvector_version(),
            data_folder=self.data,
            log=self.log,
            account=self._account.name,
            port=postmaster.port if postmaster and alive else None,
        )

    # Who needs the server

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only process that starts or stops this home's server."""
        try:
            make_folder(self.home, 0o711 if self._account.uid is not None else 0o700)
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
                f"Footnote cannot keep its data in {self.home} ({error.strerror}); "
                "choose a folder that you can write with FOOTNOTE_HOME."
            ) from error

    def _hold(self) -> None:
        if self._holder is not None:
            return
        name = f"{socket.gethostname()}~{getpid()}~{secrets.token_hex(4)}.lock"
        holder = FileLock(self._holders / name, timeout=0, thread_local=False)
        holder.acquire()
        self._holder = holder

    def _held_by_others(self) -> bool:
        return bool(self._other_hosts())

    def _other_hosts(self) -> list[str]:
        """Return the host of each living holder but ourselves; sweep the files of dead ones."""
        hosts = []
        for path in self._holders.glob("*.lock"):
            if self._holder is not None and path == Path(self._holder.lock_file):
                continue
            probe = FileLock(path, timeout=0, thread_local=False)
            try:
                probe.acquire()
            except Timeout:
                hosts.append(path.name.partition("~")[0])
            else:
                probe.release()
                path.unlink(missing_ok=True)
        return hosts

    # Running it

    def _url(self, port: int, database: str = ROLE) -> str:
        try:
            password = self._password_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(
                f"The password of the database in {self.data} is gone from "
                f"{self._password_file}; restore that file, or move the database away to begin "
                "with an empty one."
            ) from error
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{port}/{database}"

    def _join(self) -> str | None:
        """Return the URL of a server that runs already, or None when there is none."""
        deadline = time.monotonic() + START_TIMEOUT
        problem = ""
        while (postmaster := Postmaster.read(self.data)) and postmaster.alive(self.data):
            url = self._url(postmaster.port)
            try:
                psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT).close()
            except psycopg.OperationalError as error:
                problem = _first_line(str(error))
            else:
                return url
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The database in {self.data} runs but does not let Footnote in ({problem}); "
                    f"see {self.log}."
                )
            time.sleep(PAUSE)
        return None

    def _launch(self) -> str:
        """Start a server where none runs, making the cluster first if there is none."""
        strangers = {host for host in self._other_hosts() if host != socket.gethostname()}
        if strangers:
            raise EmbeddedPostgresError(
                f"The data in {self.home} is in use on {min(strangers)}; two machines or "
                "containers cannot share an embedded database: give both one DATABASE_URL."
            )
        binaries = binaries_for(self._account)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries)
        self._check_version(binaries)
        port = self._start_server(binaries)
        self._prepare_database(port)
        return self._url(port)

    def _check_version(self, binaries: Binaries) -> None:
        made_by = (self.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        version = binaries.version()
        if made_by != version.partition(".")[0]:
            raise EmbeddedPostgresError(
                f"The database in {self.data} was made by Postgres {made_by}, and this is "
                f"{version}; dump it with the Footnote that made it and load it into a new home."
            )

    def _start_server(self, binaries: Binaries) -> int:
        """Start on a free port of 127.0.0.1 and return it."""
        before = Postmaster.read(self.data)
        if before is not None and psutil.pid_exists(before.pid) and not before.alive(self.data):
            # After a crash the number may belong to another program, and Postgres would believe
            # that program to be its predecessor.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
        # After a crash those who still hold the server know it by its old port.
        port = before.port if before is not None and _is_free(before.port) else _free_port()
        told = ""
        for _ in range(START_ATTEMPTS):
            told = self._try_start(binaries, port)
            if not told:
                return port
            if "could not bind" in told or "could not create any TCP/IP sockets" in told:
                port = _free_port()
            elif "shared memory block" not in told and "lock file" not in told:
                break
            time.sleep(PAUSE)  # the children of a killed server need a moment to go
        raise EmbeddedPostgresError(
            _full_disk(told, self.data)
            or f"Postgres did not start: {_last_complaint(told)} (log: {self.log})."
        )

    def _try_start(self, binaries: Binaries, port: int) -> str:
        """Return nothing when the server is up, else what its log says about this attempt."""
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, *_memory_settings()))
        command = [binaries.tool("pg_ctl"), "start", "-w", "-t", f"{START_TIMEOUT:.0f}"]
        command += ["-D", str(self.data), "-o", f"-p {port} {options}"]
        with self.log.open("ab") as log:
            already = log.tell()
            if sys.platform == "win32":  # pg_ctl passes no handles on there
                command += ["-l", str(self.log)]
            try:
                # Elsewhere pg_ctl gives the server a session of its own, away from Ctrl-C.
                flags = (
                    CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
                )
                output = subprocess.DEVNULL if sys.platform == "win32" else log
                done = self._account.run(command, START_TIMEOUT + 10, output, flags)
            except subprocess.TimeoutExpired:
                return f"it was not ready within {START_TIMEOUT:.0f} s"
        if done.returncode == 0:
            return ""
        with self.log.open("rb") as log:
            log.seek(already)
            return log.read().decode(errors="replace") or "it left no word"

    def _prepare_database(self, port: int) -> None:
        """Make what a first start lacks: the database and the vector extension."""
        options = {"connect_timeout": CONNECT_TIMEOUT, "autocommit": True}
        try:
            with psycopg.connect(self._url(port, "postgres"), **options) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, (ROLE,)).fetchone() is None:
                    connection.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(
                            sql.Identifier(ROLE), sql.Identifier(ROLE)
                        )
                    )
            with psycopg.connect(self._url(port), **options) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                connection.execute("ALTER EXTENSION vector UPDATE")
        except psycopg.Error as error:
            raise EmbeddedPostgresError(
                f"The embedded Postgres started but refused its set-up "
                f"({_first_line(str(error))}); see {self.log}."
            ) from error

    def _stop(self) -> None:
        data = self.data
        postmaster = Postmaster.read(data)
        if postmaster is None or not postmaster.alive(data):
            return
        pg_ctl = binaries_for(self._account).tool("pg_ctl")
        for mode in ("fast", "immediate"):
            command = [pg_ctl, "stop", "-w", "-m", mode, "-t", f"{STOP_TIMEOUT:.0f}"]
            done = self._account.run([*command, "-D", str(data)], STOP_TIMEOUT + 10)
            if done.returncode == 0 or not postmaster.alive(data):
                return

    # Making it

    def _initialise(self, binaries: Binaries) -> None:
        """Make the cluster beside its place and move it there when it is whole."""
        if self._location.exists():
            raise EmbeddedPostgresError(
                f"The database of this home was kept in {self.data}, which is gone; put it back, "
                f"or delete {self._location} to begin with an empty one."
            )
        place = self._choose_place()
        for leftover in place.parent.glob(".postgres-new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=".postgres-new-", dir=place.parent))
        try:
            self._account.own(staging)
            self._run_initdb(binaries, staging)
            (staging / "data").rename(place)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        if place.parent != self.home:
            self._location.write_text(f"{place}\n", encoding="utf-8")

    def _choose_place(self) -> Path:
        """Return a folder for the cluster that the server's account can reach."""
        if self._account.uid is None or self._account.may_enter(self.home):
            return self.home / "postgres"
        clusters = SHARED_ROOT / "clusters"
        make_folder(SHARED_ROOT, 0o711)
        make_folder(clusters, 0o711)
        # A token beside the hash: a home that was deleted and made again begins empty.
        name = sha256(str(self.home).encode()).hexdigest()[:10]
        return clusters / f"{name}-{secrets.token_hex(3)}"

    def _run_initdb(self, binaries: Binaries, staging: Path) -> None:
        password_file = staging / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._make_password(), encoding="utf-8")
        self._account.own(password_file)
        command = [binaries.tool("initdb"), "-D", str(staging / "data"), "-U", ROLE, "-E", "UTF8"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        told = ""
        for letters in LETTER_LOCALES:
            done = self._account.run([*command, f"--lc-ctype={letters}"], START_TIMEOUT)
            if done.returncode == 0:
                return
            told = done.stdout.decode(errors="replace")
            if "locale" not in told:
                break
        raise EmbeddedPostgresError(
            _full_disk(told, staging.parent)
            or f"The embedded Postgres could not be set up: {_last_complaint(told)}."
        )

    def _make_password(self) -> str:
        """Return the password, making it once; readable by this account only."""
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(32), encoding="utf-8")
        return self._password_file.read_text(encoding="utf-8")


def _memory_settings() -> tuple[str, ...]:
    """Keep shared memory in files where /dev/shm is as small as containers have it."""
    folder = Path("/dev/shm")  # noqa: S108 - looked at, not written
    if folder.is_dir() and shutil.disk_usage(folder).total < SMALL_SHARED_MEMORY:
        return ("dynamic_shared_memory_type=mmap",)
    return ()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _full_disk(told: str, place: Path) -> str:
    if "No space left on device" not in told:
        return ""
    return f"The disk of {place} is full; free some space and try again."


def _last_complaint(told: str) -> str:
    """Return the log's last line that says what went wrong, without its time and process."""
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["no output"]
    marked = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error):", line)]
    line = (marked or lines)[-1]
    return re.sub(r"^.*?\b(FATAL|PANIC|ERROR|error):\s*", "", line).rstrip(".")
