"""A process that trains, followed to its end; here small scripts stand for it."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from finetune.backends import RunCancelledError, TrainingError
from finetune.local_process import (
    PROGRESS,
    alone,
    child_environment,
    command,
    end_process,
    follow,
    start_process,
)

PATIENCE = 20.0  # seconds
TELLING = f"""
import json, sys, time
def tell(**line):
    with open({PROGRESS!r}, "a") as stream:
        stream.write(json.dumps(line) + "\\n")
"""


class Heard:
    """A report that keeps what it is told; `cancel` makes the next step end the run."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, dict[str, float]]] = []
        self.events: list[str] = []
        self.cancel = False

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep a step with figures."""
        if self.cancel:
            raise RunCancelledError("cancelled")
        if figures:
            self.steps.append((step, total, figures))

    def event(self, message: str, key: str | None = None) -> None:
        """Keep a line."""
        self.events.append(message)

    def remote(self, **ids: Any) -> None:
        """There are none here."""
        raise AssertionError(ids)


def started(folder: Path, script: str) -> "subprocess.Popen[bytes]":
    """Start a script as the process that trains."""
    code = TELLING + textwrap.dedent(script)
    return start_process([sys.executable, "-c", code], folder)


def test_what_a_process_tells_is_reported(tmp_path: Path) -> None:
    """Steps, events and the last word arrive in order."""
    heard = Heard()
    process = started(
        tmp_path,
        """
        tell(kind="event", message="begins")
        tell(kind="step", step=1, total=2, figures={"loss": 2.5})
        tell(kind="step", step=2, total=2, figures={"loss": 1.5})
        tell(kind="done", artefact="there", result={}, cost={})
        """,
    )
    assert follow(process, tmp_path, heard)["artefact"] == "there"
    end_process(process)
    assert heard.steps == [(1, 2, {"loss": 2.5}), (2, 2, {"loss": 1.5})]
    assert heard.events == ["begins"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        pytest.param('tell(kind="failed", reason="Too hot.")\nsys.exit(1)', "Too hot", id="told"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "memory ran out", id="killed"),
        pytest.param("raise SystemExit(3)", "status 3 and gave no reason", id="silent"),
        pytest.param('tell(kind="done")\nsys.exit(4)', "status 4", id="done and broken"),
    ],
)
def test_each_end_becomes_a_sentence(tmp_path: Path, script: str, told: str) -> None:
    """Whatever ends the process, the run's reason says so."""
    process = started(tmp_path, script)
    with pytest.raises(TrainingError, match=told):
        follow(process, tmp_path, Heard())
    end_process(process)


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_a_cancelled_run_leaves_no_process(tmp_path: Path) -> None:
    """Also what the process started is ended, even if it does not listen to signals."""
    heard = Heard()
    process = started(
        tmp_path,
        """
        import signal, subprocess
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        tell(kind="event", message=str(child.pid))
        time.sleep(600)
        """,
    )
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / PROGRESS).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    heard.cancel = True
    with pytest.raises(RunCancelledError):
        follow(process, tmp_path, heard)
    os.killpg(process.pid, signal.SIGKILL)  # what `end_process` would come to after its patience
    end_process(process)
    child = int(json.loads((tmp_path / PROGRESS).read_text().splitlines()[0])["message"])
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_secret_reaches_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, keys and tokens stay behind; what finds programs and cards goes along."""
    for name in ("DATABASE_URL", "OPENAI_API_KEY", "SLACK_BOT_TOKEN", "HF_TOKEN", "AWS_SECRET"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    given = child_environment()
    assert "secret" not in given.values()
    assert given["CUDA_VISIBLE_DEVICES"] == "0"
    assert not any(name.startswith("FOOTNOTE_") for name in given)
    assert given["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in child_environment(hub=True)


def test_several_cards_are_started_by_accelerate() -> None:
    """One process for each card; one card, or none, needs no launcher."""
    assert command(1, "folder")[1:] == ["-P", "-m", "finetune.local.train", "folder"]
    several = command(4, "folder")
    assert several[3] == "accelerate.commands.launch"
    assert several[several.index("--num_processes") + 1] == "4"
    assert several[-3:] == ["-m", "finetune.local.train", "folder"]


def test_runs_wait_for_each_other(tmp_path: Path) -> None:
    """A second run of a machine says that it waits, and can be cancelled while it does."""
    heard = Heard()
    heard.cancel = True
    waiting = alone(tmp_path / "lock", heard)
    with FileLock(tmp_path / "lock"), pytest.raises(RunCancelledError):
        waiting.__enter__()
    assert heard.events == ["Another run trains on this machine; this one waits for it."]
    heard.cancel = False
    with alone(tmp_path / "lock", heard):
        assert len(heard.events) == 1
