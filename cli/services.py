"""The processes that `up` runs: each in a session of its own, restarted if it dies."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STOP_PATIENCE = 10.0  # seconds for a service to end by itself
MAX_RESTARTS = 5
RESTART_PAUSE = 1.0  # seconds, doubled with each restart
STEADY_AFTER = 60.0  # seconds of life after which earlier restarts are forgotten
MAX_LOG = 10_000_000  # bytes of log before it is put aside at a start


@dataclass
class Service:
    """One `footnote` command run as a process of its own.

    `command` is the command where two services run the same one under names of their own.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(repr=False)
    command: str | None = None
    process: "subprocess.Popen[bytes] | None" = None
    restarts: int = 0
    started: float = 0.0

    def start(self) -> None:
        """Start the process; what it prints goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "cli", self.command or self.name, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **self.environment},
                # A terminal's Ctrl-C goes to `up` alone, which then stops these in order.
                start_new_session=sys.platform != "win32",
                creationflags=0x00000200 if sys.platform == "win32" else 0,
            )
        self.started = time.monotonic()

    @property
    def exit_code(self) -> int | None:
        """The status of an ended process, None while it runs."""
        return self.process.poll() if self.process else None

    def last_words(self) -> str:
        """Return the last sentence the process printed, or the event that it logged last."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        last = lines[-1] if lines else "it left no word"
        with contextlib.suppress(ValueError, KeyError, TypeError):
            last = str(json.loads(last)["event"])
        return last.removeprefix("Error: ").rstrip(".")

    def restart(self) -> bool:
        """Start again after a pause; False once it has died too often."""
        if time.monotonic() - self.started > STEADY_AFTER:
            self.restarts = 0
        if self.restarts >= MAX_RESTARTS:
            return False
        time.sleep(RESTART_PAUSE * 2**self.restarts)
        self.restarts += 1
        self.start()
        return True


def stop_all(services: list[Service]) -> None:
    """Ask every process to end, wait, and end what is left with everything it started."""
    trees = [tree for service in services for tree in _tree(service)]
    for service in services:
        if service.process and service.exit_code is None:
            service.process.terminate()
    psutil.wait_procs(trees, timeout=STOP_PATIENCE)
    for process in trees:
        if process.is_running():
            process.kill()
    for service in services:
        if service.process:
            service.process.wait(timeout=STOP_PATIENCE)


def _tree(service: Service) -> list[psutil.Process]:
    if service.process is None or service.exit_code is not None:
        return []
    try:
        root = psutil.Process(service.process.pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
