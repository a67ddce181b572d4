"""The process that trains: started with nothing of ours, followed, and ended with its group.

It tells how far it is in lines of JSON in `progress.jsonl`, and ends itself when the pipe to its
standard input closes: so it never outlives who started it, however that ended.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from finetune.backends import Report, TrainingError

POLL = 0.2  # seconds between two looks at what the process told
CANCEL_LOOK = 2.0  # seconds between two looks whether somebody asked to cancel
END_PATIENCE = 10.0  # seconds for a process that was asked to end
WAIT_LOOK = 2.0  # seconds between two tries to be the one run of this machine
PROGRESS, LOG = "progress.jsonl", "train.log"

_ROOT = Path(__file__).resolve().parents[1]
# What a process with torch may need; nothing that our settings or a provider's keys are named by.
_KEPT = (
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE",
    "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "TZ",
    "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "XDG_CACHE_HOME",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "CC", "CXX", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR",
)  # fmt: skip
_KEPT_BEGINNINGS = ("CUDA_", "NVIDIA_", "NCCL_", "PYTORCH_", "ROCR_", "HIP_")


def child_environment(*, hub: bool = False) -> dict[str, str]:
    """Return the variables of a process that trains or serves: no settings, no secrets.

    Only for a base at the `hub` may it be asked for anything.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }
    return {
        **kept,
        "PYTHONPATH": str(_ROOT),
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        **({} if hub else {"HF_HUB_OFFLINE": "1"}),
    }


def command(cards: int, *arguments: str) -> list[str]:
    """Return how to start `finetune.local.train`: once a card where there are several."""
    python = [sys.executable, "-P"]
    if cards > 1:
        python += ["-m", "accelerate.commands.launch", "--multi_gpu"]
        python += ["--num_processes", str(cards), "--num_machines", "1", "--mixed_precision", "no"]
        python += ["--dynamo_backend", "no", "--main_process_port", "0"]
    return [*python, "-m", "finetune.local.train", *arguments]


def start_process(
    arguments: Sequence[str], folder: Path, *, hub: bool = False
) -> "subprocess.Popen[bytes]":
    """Start a process in a group of its own; its outputs go to the folder's log."""
    log = folder / LOG
    log.touch(mode=0o600)
    with log.open("ab") as stream:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            env=child_environment(hub=hub),
            cwd=folder,
            start_new_session=True,
        )


def end_process(process: "subprocess.Popen[bytes]") -> None:
    """End a process and whatever it started; it has a while to end by itself."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_PATIENCE)
    if sys.platform != "win32":
        _signal(process, signal.SIGKILL)
    process.wait(END_PATIENCE)
    if process.stdin is not None:
        process.stdin.close()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def alone(place: Path, report: Report) -> Iterator[None]:
    """Be the one local run of this machine, waiting for another to end.

    Raises what `report` raises when somebody asks to cancel meanwhile.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report.event("Another run trains on this machine; this one waits for it.", key="waits")
        while True:
            report.step(0, 0)
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=WAIT_LOOK)
                break
    try:
        yield
    finally:
        lock.release()


def follow(process: "subprocess.Popen[bytes]", folder: Path, report: Report) -> dict[str, Any]:
    """Report what the process tells until it ends; return its last word.

    Raises TrainingError with the reason that it told, or what its end tells; and what `report`
    raises when somebody asked to cancel.
    """
    told = _Told(folder / PROGRESS)
    step = total = 0
    looked = 0.0
    last: dict[str, Any] = {}
    while True:
        ended = process.poll() is not None  # before reading: what comes after is complete
        for line in told.lines():
            if line["kind"] == "step":
                step, total = line["step"], line["total"]
                report.step(step, total, **line["figures"])
                looked = time.monotonic()
            elif line["kind"] == "event":
                report.event(line["message"], line.get("key"))
            else:
                last = line
        if ended:
            break
        if time.monotonic() - looked > CANCEL_LOOK:
            report.step(step, total)
            looked = time.monotonic()
        time.sleep(POLL)
    if last.get("kind") == "done" and process.returncode == 0:
        return last
    if last.get("kind") == "failed":
        raise TrainingError(last["reason"])
    raise TrainingError(_how_it_ended(process.returncode, folder))


def _how_it_ended(status: int, folder: Path) -> str:
    killed = 128 + signal.SIGTERM.value if sys.platform == "win32" else -signal.SIGKILL.value
    if status in (killed, 128 + 9):
        return (
            "The process that trains was killed, mostly because memory ran out; set a smaller"
            " batch_size or max_length, or choose a smaller base."
        )
    return (
        f"The process that trains ended with status {status} and gave no reason; its log is"
        f" {folder / LOG}."
    )


class _Told:
    """The complete lines that a process appended to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield what is new; a line that is not whole yet comes at the next look."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read)
                data = stream.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)
