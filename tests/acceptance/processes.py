"""Footnote's commands as people run them: real processes, with a home of their own."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from store.embedded import EmbeddedPostgres

COMMAND = (sys.executable, "-P", "-m", "cli")
PATIENCE = 60.0  # seconds until something that must happen is taken for missing
LOOK_EVERY = 0.05  # seconds
PORTS = range(20_000, 32_000)
LOG_LINES = 15
READY = "Ctrl-C stops everything"  # the last line of `up` once all runs

_port_numbers = itertools.count(os.getpid() * 97)


@dataclass(frozen=True)
class Finished:
    """What a command did: its exit status, both outputs, and the seconds it took."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        """Return standard output as JSON."""
        return json.loads(self.out)

    @property
    def told(self) -> str:
        """Both outputs together."""
        return self.out + self.err


@dataclass
class Footnote:
    """An installation with a home of its own; `environment` is added to every process's."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self, **changes: str) -> dict[str, str]:
        """Return the whole environment of a process."""
        own = {"FOOTNOTE_HOME": str(self.home), "FOOTNOTE_ENV_FILE": ""}
        return {**os.environ, **own, **self.environment, **changes}

    def run(
        self, *arguments: str | Path, stdin: str = "", folder: Path | None = None, **changes: str
    ) -> Finished:
        """Run one command to its end; `changes` are further environment variables."""
        began = time.monotonic()
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            env=self.variables(**changes),
            cwd=folder,
            timeout=PATIENCE,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def start(self, *arguments: str, **changes: str) -> "Running":
        """Start a command that goes on until it is told to stop."""
        return Running(arguments, self.variables(**changes))

    @contextmanager
    def up(self, *arguments: str, **changes: str) -> Iterator["Running"]:
        """Start everything, wait until it is ready, and stop it at the end of the block."""
        running = self.start("up", *arguments, **changes)
        try:
            running.wait_for(READY)
            yield running
        finally:
            running.stop()
            self.tell(running)

    def tell(self, running: "Running") -> None:
        """Print what was printed and logged: pytest shows it where a test fails."""
        sys.stdout.write(f"{running.told}\n")
        for log in sorted((self.home / "logs").glob("*.log")):
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            sys.stdout.write("\n".join([f"== {log.name}", *last, ""]))

    def processes(self) -> list[psutil.Process]:
        """Return every living process that belongs to this home, but for this test's own."""
        return [p for p in psutil.process_iter() if p.pid != os.getpid() and self._owns(p)]

    def _owns(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if any(str(self.home) in part for part in process.cmdline()):
                return True
            if Path(process.cwd()).is_relative_to(self.home):  # a server that hides its variables
                return True
            return bool(process.environ().get("FOOTNOTE_HOME") == str(self.home))
        return False

    def service(self, name: str) -> psutil.Process:
        """Return the first process of a service: the one that `up` itself started."""
        found = [p for p in self.processes() if p.cmdline()[1:5] == ["-P", "-m", "cli", name]]
        return min(found, key=lambda p: (p.create_time(), p.pid))

    def log(self, name: str) -> str:
        """Return a service's log."""
        return (self.home / "logs" / f"{name}.log").read_text(encoding="utf-8")

    def ask_page(self, question: str, port: int) -> Any:
        """Ask the page's own address for programs."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/ask",
            json.dumps({"question": question}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
            return json.load(response)


class Running:
    """A command that runs; what it prints is kept line by line."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self.began = time.monotonic()
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=environment,
            start_new_session=sys.platform != "win32",
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))

    @property
    def told(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def wait_for(self, words: str) -> float:
        """Wait until a line with these words is printed; return the seconds since the start."""
        wait_until(lambda: words in self.told or self.process.poll() is not None)
        assert words in self.told, self.told
        return time.monotonic() - self.began

    def send(self, number: int) -> None:
        """Send a signal as a terminal would: to the command and all in its process group."""
        if sys.platform == "win32":
            self.process.send_signal(number)
        else:
            os.killpg(self.process.pid, number)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal and wait for the end; return the exit status and the seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.send(number)
        code = self.join()
        return code, time.monotonic() - began

    def kill(self) -> None:
        """Kill the command alone, as an out-of-memory killer would."""
        self.process.kill()
        self.join()

    def join(self) -> int:
        """Wait for the end and for the last line; return the exit status."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(PATIENCE)
        return code


def wait_until(seen: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until `seen` is true; raises TimeoutError."""
    deadline = time.monotonic() + patience
    while not seen():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not seen within {patience:.0f} s")
        time.sleep(LOOK_EVERY)


def free_port() -> int:
    """Return a port that nothing listens on now, another each time.

    It is below those that systems give to connections, and each process begins elsewhere, so that
    nobody takes it between now and its use.
    """
    for number in _port_numbers:
        port = PORTS[number % len(PORTS)]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("counting has no end")


@contextmanager
def installation(embedder_cache: Path, **environment: str) -> Iterator[Footnote]:
    """Make a home that a database server's account can reach, and remove all of it after."""
    home = Path(tempfile.mkdtemp(prefix="footnote-"))
    home.chmod(0o711)
    # Else each home builds its own, for seconds. Another process may be building the exact graph.
    unfit = shutil.ignore_patterns("tmp*", "*-fp32-*")
    shutil.copytree(embedder_cache, home / "cache", ignore=unfit)
    footnote = Footnote(home, {"FOOTNOTE_PORT": str(free_port()), **environment})
    try:
        yield footnote
    finally:
        for process in footnote.processes():
            with suppress(psutil.Error):
                process.kill()
        if (home / "run").exists() or (home / "postgres").exists():
            EmbeddedPostgres(home).remove()
        shutil.rmtree(home, ignore_errors=True)
