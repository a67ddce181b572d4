"""What every backend is given and gives back: the contract between runs and those who train.

A backend is a module with two plain functions. `check(settings, dataset, rows, base, recipe)`
looks at what a run would be made of and returns the recipe with its defaults filled in: it is
what is kept and hashed. `train(engine, run, dataset, rows, folder, report)` does the work and may
be called again for the same run after its process was killed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from core.errors import FootnoteError
from core.settings import Settings
from store.datasets import Dataset, DatasetRow
from store.runs import Run

FEWEST_ROWS = 50  # rows of the training split; a language model is not tuned on fewer
ADVISED_ROWS = 200  # rows; below, it is tuned with a warning


class TrainingError(FootnoteError):
    """A model cannot be trained; the message is the run's reason, one sentence with the fix."""


class GoesOnLaterError(FootnoteError):
    """A run that only waits lets others have its worker; it is taken up again at once."""


class RunCancelledError(FootnoteError):
    """Somebody asked to cancel the run that is being carried out."""


@dataclass(frozen=True)
class Made:
    """What a backend made: a folder, or a provider's name for it; what it measured and took.

    `cost` holds `seconds`, `tokens` and `money` where they are known; the time that the run took
    is added by whoever called the backend.
    """

    artefact: str
    result: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)


class Report(Protocol):
    """How a backend tells how far it is. What is told again is kept once."""

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep that `step` of `total` are done (0: not known), with what was measured there.

        Figures are `loss`, `eval_loss`, `learning_rate` and the like; those that are not finite
        are a backend's to refuse. Raises RunCancelledError when somebody asked to cancel.
        """

    def event(self, message: str, key: str | None = None) -> None:
        """Keep a line of what happened, without words of rows; the same key is kept once."""

    def remote(self, **ids: Any) -> None:
        """Keep a provider's ids before anything is done that must not be done twice."""


Check = Callable[
    [Settings, Dataset, Sequence[DatasetRow], str | None, Mapping[str, Any]], dict[str, Any]
]
"""Looks at dataset, rows, base and recipe before a run is kept, and returns the whole recipe.

Raises TrainingError with one sentence.
"""
Train = Callable[[Engine, Run, Dataset, Sequence[DatasetRow], Path, Report], Made]
"""Carries out a run in its folder; raises TrainingError, RunCancelledError, GoesOnLaterError."""


def need_rows(rows: Sequence[DatasetRow]) -> int:
    """Return how many rows a language model would learn from; refuse fewer than 50."""
    count = sum(row.split == "train" for row in rows)
    if count < FEWEST_ROWS:
        raise TrainingError(
            f"The dataset has {count} training rows; tuning a language model needs at least"
            f" {FEWEST_ROWS}. Approve more with `footnote transcripts review` and build again."
        )
    return count
