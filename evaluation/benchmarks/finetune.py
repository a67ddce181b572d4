"""Speed and memory of a local run, beside plain trl with the same settings in the same session.

Both train the same base, shaped like a Llama with random weights, on the same rows, each in a
process of its own, by turns. Ours is the whole path that a run takes.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import ServiceUnavailableError
from core.settings import Settings
from evaluation.benchmarks.measure import PEERS, Figure
from finetune.gpu_memory import GIB
from finetune.local_process import child_environment
from finetune.local_recipe import Method
from finetune.local_rows import write_rows
from finetune.local_runs import check, train_in
from store.datasets import Dataset, DatasetRow
from store.runs import Run

PEER_TIMEOUT = 3_600.0  # seconds
BATCH = 4  # rows a step
ROWS = 400
SPEED_AIM, TURNS = "0.95 ×", 2


@dataclass
class _Told:
    """Passes on what a run tells."""

    say: Callable[[str], None]
    last: dict[str, float] = field(default_factory=dict)

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep the latest figures."""
        del step, total
        self.last |= figures

    def event(self, message: str, key: str | None = None) -> None:
        """Say what happened."""
        del key
        self.say(message)

    def remote(self, **ids: Any) -> None:
        """There is no provider."""
        del ids


def finetune_speed(
    settings: Settings,
    *,
    size: str,
    method: Method,
    steps: int,
    length: int,
    packing: bool,
    say: Callable[[str], None],
) -> list[Figure]:
    """Train with ours and with plain trl; return speed and memory of both, and the estimate's.

    Raises TrainingError where the packages, the memory or a graphics card are missing,
    ServiceUnavailableError where plain trl fails.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix="benchmark-") as made:
        folder, base = Path(made), Path(made) / "base"
        say(f"Writing a base of the size {size} with random weights")
        _peer("model", str(base), size)
        home = settings.model_copy(update={"home": folder})
        rows = _rows(ROWS, length)
        dataset = Dataset(0, 0, "benchmark", "sft", "", {}, "", None, datetime.now(UTC))
        wanted = {
            "method": method,
            "max_steps": steps,
            "batch_size": BATCH,
            "packing": packing,
            "eval_every": 10 * steps,  # no evaluation and no checkpoint within the time
        } | ({"max_length": 2 * length} if packing else {})
        recipe = check(home, dataset, rows, str(base), wanted)
        run = _run(recipe, base)
        ours: list[dict[str, Any]] = []
        plain: list[dict[str, Any]] = []
        for turn in range(TURNS):
            place = folder / "models" / f"run-{turn}"
            say(f"Ours, {method}, {steps} steps")
            ours.append(train_in(place, run, dataset, rows, _Told(say)).result)
            write_rows(place, rows)
            say(f"Plain trl, {method}, {steps} steps")
            plain.append(_peer("train", str(place)))
    return _figures(ours, plain, f"{method} of {size}")


def _figures(
    ours: Sequence[dict[str, Any]], plain: Sequence[dict[str, Any]], what: str
) -> list[Figure]:
    """Return the better speed and the median memory of each side's turns."""
    memory = statistics.median(one["peak_memory"] for one in ours) / GIB
    return [
        Figure(
            f"{what} on {ours[0]['device']}",
            max(one["overall_tokens_per_second"] for one in ours),
            "tokens/s",
            max(one["tokens_per_second"] for one in plain),
            "plain trl",
            SPEED_AIM,
        ),
        Figure(
            "peak memory",
            memory,
            "GiB",
            statistics.median(one["peak_memory"] for one in plain) / GIB,
            "plain trl",
        ),
        Figure("peak memory", memory, "GiB", ours[0]["memory_estimate"] / GIB, "our estimate"),
    ]


def _peer(*arguments: str) -> dict[str, Any]:
    """Run the peer's script; return what it printed last."""
    done = subprocess.run(
        [sys.executable, "-P", str(PEERS / "finetune.py"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=child_environment(),
        timeout=PEER_TIMEOUT,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ServiceUnavailableError(f"The peer failed: {last[:300]}")
    lines = done.stdout.strip().splitlines()
    told: dict[str, Any] = json.loads(lines[-1]) if lines and arguments[0] == "train" else {}
    return told


def _rows(count: int, length: int) -> list[DatasetRow]:
    """Return conversations of about `length` tokens, which are letters here; half are learned."""
    drawn = random.Random(0)  # noqa: S311 - rows to measure with, no secrets

    def words(letters: int) -> str:
        return "".join(drawn.choice("abcdefgh ijkl mnop") for _ in range(letters)) or "a"

    half = max(1, length // 2 - 8)
    return [
        DatasetRow(
            "train",
            {
                "messages": [
                    {"role": "user", "content": "a" + words(half)},
                    {"role": "assistant", "content": "a" + words(half)},
                ]
            },
            str(number),
        )
        for number in range(count)
    ]


def _run(recipe: dict[str, Any], base: Path) -> Run:
    return Run(
        id=0,
        workspace_id=0,
        name="benchmark",
        kind="style",
        backend="local",
        dataset_id=0,
        base=str(base),
        recipe=recipe,
        key="",
        state="running",
        reason=None,
        job_id=None,
        remote={},
        step=0,
        total=0,
        result={},
        cost={},
        requested_by="",
        cancel_requested=False,
        started_at=None,
        ended_at=None,
        created_at=datetime.now(UTC),
    )
