"""What happens between steps: progress is told, a loss that is no number stops the run."""

import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from finetune.backends import TrainingError
from finetune.local.progress import Progress

if sys.platform == "win32":
    import psutil
else:
    import resource

COMPLETE = "complete"  # a file in each checkpoint that was written to its end
WARMING = 10  # steps before the clock of the overall speed runs
FIGURES = ("loss", "eval_loss", "learning_rate", "grad_norm")


def peak_memory() -> int:
    """Return the bytes that were held at most: on the graphics card, else by this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(held if sys.platform == "darwin" else held * 1024)


class Teller(TrainerCallback):  # type: ignore[misc]  # transformers is not typed here
    """Tells each step; raises TrainingError when a loss is no number any more.

    `tokens` counts those of all steps together, prompts included; `speed` is by the time of the
    steps alone, from the second on, since the first warms up; `overall_speed` by the clock, with
    evaluations and checkpoints.
    """

    def __init__(self, progress: Progress) -> None:
        self.tokens = 0.0
        self.seconds = 0.0
        self.counted = 0.0
        self._progress = progress
        self._began = 0.0
        self._steps = 0
        self._last = 0.0
        self._marks: list[tuple[float, float]] = []  # tokens so far, and when

    def on_step_begin(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Note when a step begins."""
        _synchronise()
        self._began = time.monotonic()

    def on_step_end(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Note how long a step took."""
        _synchronise()
        self._last = time.monotonic() - self._began
        self._steps += 1

    def on_log(
        self, _args: Any, state: Any, _control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Tell what was logged."""
        logged = logs or {}
        figures = {name: float(logged[name]) for name in FIGURES if name in logged}
        for name in ("loss", "eval_loss"):
            if name in figures and not math.isfinite(figures[name]):
                raise TrainingError(
                    f"The {name.replace('_', ' ')} was no number any more after step"
                    f" {state.global_step}; set a lower learning_rate, or look for broken rows."
                )
        if not math.isfinite(figures.get("grad_norm", 0.0)):
            del figures["grad_norm"]
        if "loss" in figures and "num_tokens" in logged:
            self._count(float(logged["num_tokens"]), figures)
        if figures:
            figures["peak_memory"] = float(peak_memory())
            self._progress.step(state.global_step, state.max_steps, figures)

    def _count(self, tokens: float, figures: dict[str, float]) -> None:
        new, self.tokens = tokens - self.tokens, tokens
        self._marks.append((tokens, time.monotonic()))
        if self._steps > 1 and self._last > 0:
            self.counted += new
            self.seconds += self._last
            figures["tokens_per_second"] = new / self._last

    @property
    def speed(self) -> float | None:
        """Tokens a second, None before a second step."""
        return self.counted / self.seconds if self.seconds else None

    @property
    def overall_speed(self) -> float | None:
        """Tokens a second by the clock, once warm; None for a run of few steps."""
        if len(self._marks) < 2 * WARMING:
            return None
        (first, began), (last, ended) = self._marks[WARMING - 1], self._marks[-1]
        return (last - first) / (ended - began)

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Mark a checkpoint that was written to its end: only such a one is resumed from."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            (folder / COMPLETE).touch()


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint that was written to its end, None where there is none."""
    found = [path.parent for path in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
