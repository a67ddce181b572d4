"""A sandbox's child as a process: started with nothing of ours, asked, watched and ended."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, Literal, cast

import psutil

from ingestion.sandbox_frames import FrameError, read_frame, write_frame

POLL = 0.05  # seconds between two looks at a child's memory
START_PATIENCE = 60.0  # seconds for a child to be ready; usually half of one
END_PATIENCE = 2.0  # seconds for a child that closed its pipe, or was killed, to be gone
CPU_SHARE = 0.85  # of the seconds for a file: one that computes all the time ends by this

_ROOT = Path(__file__).resolve().parents[1]
_KEPT_VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH")  # without them some Pythons do not start
_VARIABLES = {
    "PYTHONPATH": str(_ROOT),
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",  # each thread would take addresses from the limit
    "MALLOC_ARENA_MAX": "1",
}
_NEW_GROUP, _NO_WINDOW = 0x00000200, 0x08000000  # of Windows' CreateProcess

Reason = Literal["memory", "time", "crash"]
Answer = tuple[dict[str, Any], bytes]
Request = tuple[Mapping[str, object], bytes]


class EndedError(Exception):
    """The child is of no more use; the words are for the log."""

    def __init__(self, reason: Reason, how: str) -> None:
        super().__init__(how)
        self.reason = reason


class Child:
    """A process that answers one request after another; for one thread at a time.

    `functions` are what it calls to read a file and to draw a page, as `module:name`. `memory`,
    in bytes, is what it may hold.
    """

    def __init__(self, functions: tuple[str, str], memory: int) -> None:
        self.served = 0
        self._memory = memory
        self._peak = 0
        self._process = _start(functions, memory)
        # Without a buffer: after a fork nothing waits here to be written a second time.
        self._to = cast("RawIOBase", self._process.stdin)
        self._from = BufferedReader(cast("RawIOBase", self._process.stdout))
        self._watched = psutil.Process(self._process.pid)
        self._talk: threading.Thread | None = None

    def await_start(self) -> None:
        """Wait until the child can be asked; raises EndedError if it cannot."""
        head, _ = self._receive(None, START_PATIENCE, 0)
        if head.get("outcome") != "ready":
            raise EndedError("crash", "it did not begin as it should")

    @property
    def lives(self) -> bool:
        """Whether the process is there."""
        if sys.platform == "win32" or self._process.returncode is not None:
            return self._process.poll() is None
        # Without waiting for it: its number must stay its own until its group is killed.
        with contextlib.suppress(psutil.Error):
            return bool(self._watched.status() != psutil.STATUS_ZOMBIE)
        return False

    @property
    def memory(self) -> int:
        """The bytes of memory that the process holds now; 0 when it is gone."""
        with contextlib.suppress(psutil.Error):
            return int(self._watched.memory_info().rss)
        return 0

    @property
    def worked(self) -> float:
        """The seconds that the process has computed."""
        with contextlib.suppress(psutil.Error):
            times = self._watched.cpu_times()
            return float(times.user + times.system)
        return 0.0

    def ask(self, head: Mapping[str, object], data: bytes, seconds: float, most: int) -> Answer:
        """Return the answer to a request, at most `most` bytes beside its head.

        Raises `EndedError` when the child holds too much, takes more than `seconds`, or ends.
        """
        self.served += 1
        limits = {"seconds": seconds, "cpu_seconds": CPU_SHARE * seconds}
        return self._receive(({**head, **limits}, data), seconds, most)

    def end(self) -> None:
        """Kill the process: it holds nothing that would be lost."""
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_PATIENCE)
        if self._talk is not None:
            self._talk.join(END_PATIENCE)
            if self._talk.is_alive():  # something that outlived even the group holds the pipe
                return
        self._to.close()
        self._from.close()

    def leave(self) -> None:
        """Close this process's ends; for a process that was forked from the child's parent."""
        self._to.close()
        self._from.raw.close()
        self._process.returncode = 0  # it is not this one's to wait for

    def _kill(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        elif self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # with whatever it may have started

    def _receive(self, request: Request | None, seconds: float, most: int) -> Answer:
        """Talk in a thread of its own, since a pipe cannot be waited for everywhere."""
        answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._talk = threading.Thread(
            target=_talk, args=(self._to, self._from, request, most, answers), daemon=True
        )
        self._talk.start()
        until = time.monotonic() + seconds
        while True:
            try:
                answer = answers.get(timeout=max(min(POLL, until - time.monotonic()), 0.001))
            except queue.Empty:
                self._hold_to_limits(until)
            else:
                break
        if answer is None:
            raise self._ended()
        return answer

    def _hold_to_limits(self, until: float) -> None:
        held = self.memory
        self._peak = max(self._peak, held)
        if held > self._memory:
            raise EndedError("memory", f"it held {held // 2**20} MB")
        if time.monotonic() >= until:
            raise EndedError("time", "it took too long")
        if not self.lives:  # and what it started keeps the pipe open
            raise self._ended()

    def _ended(self) -> EndedError:
        """Say why the process ended, as far as its status tells."""
        until = time.monotonic() + END_PATIENCE
        while self.lives:
            if time.monotonic() > until:
                return EndedError("crash", "it said nothing that can be understood")
            time.sleep(0.01)
        self._kill()
        status = self._process.wait(END_PATIENCE)
        if sys.platform != "win32":
            if status in (-signal.SIGXCPU, -signal.SIGALRM):
                return EndedError("time", "it computed for too long")
            # PDFium ends the process when it is refused memory.
            if status < 0 and self._peak > self._memory / 2:
                return EndedError("memory", f"signal {-status} at {self._peak // 2**20} MB")
        return EndedError("crash", f"it ended with status {status}")


def _talk(
    to: RawIOBase,
    back: BufferedReader,
    request: Request | None,
    most: int,
    answers: "queue.SimpleQueue[Answer | None]",
) -> None:
    """Send a request, and put the answer into `answers`: None where the child failed."""
    answer = None
    # A closed pipe, a frame that is none, an answer that this process has no memory for.
    with contextlib.suppress(OSError, FrameError, MemoryError):
        if request is not None:
            write_frame(to, *request)
        answer = read_frame(back, most)
    answers.put(answer)


def _start(functions: tuple[str, str], memory: int) -> "subprocess.Popen[bytes]":
    # Linux counts the starting thread as the parent: others end before the child's work does.
    in_main = threading.current_thread() is threading.main_thread()
    arguments = [*functions, str(memory), str(os.getpid() if in_main else 0)]
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "ingestion.sandbox_child", *arguments],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a library's complaint may hold a file's words
        env={**kept, **_VARIABLES},
        cwd=Path(sys.executable).anchor,
        # A terminal's Ctrl-C is for the parent, which ends the child.
        start_new_session=sys.platform != "win32",
        creationflags=_NEW_GROUP | _NO_WINDOW if sys.platform == "win32" else 0,
    )
