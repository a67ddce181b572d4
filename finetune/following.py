"""Following a job at a tuning service until it ends: events, figures, outages, cancelling."""

import math
import re
import time
from dataclasses import dataclass, field

from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

from finetune.backends import GoesOnLaterError, Report, TrainingError
from finetune.provider import Provider, UnreachableError, expect, explained, short
from store.runs import Run

ENDED = frozenset({"succeeded", "failed", "cancelled"})
PAGE = 100  # events of one request
MOST_EVENTS = 20_000  # of one job that are read
STEP = re.compile(r"\bStep (\d+)/(\d+)")
FIGURES = {
    "train_loss": "loss",
    "full_valid_loss": "eval_loss",
    "valid_loss": "eval_loss",
    "train_mean_token_accuracy": "accuracy",
    "full_valid_mean_token_accuracy": "eval_accuracy",
    "valid_mean_token_accuracy": "eval_accuracy",
}
"""A provider's figures by our names; of two for one name, the one over all rows is kept."""


class AstrayError(TrainingError):
    """A job computes nonsense, and is to be ended."""


@dataclass(frozen=True)
class Pauses:
    """How long to wait between looks, in seconds: from `first`, half as long again, to `most`.

    `slice` is how often a cancellation is looked for meanwhile; `outage` for how long a service
    that does not answer is asked again. A `turn` is how long a job is followed before others that
    wait for the same worker may go on.
    """

    first: float = 1.0
    most: float = 30.0
    slice: float = 2.0
    outage: float = 3_600.0
    turn: float = 60.0


@dataclass
class Followed:
    """How far a job came: step, and the last figures by our names; its state once it was seen."""

    step: int = 0
    total: int = 0
    figures: dict[str, float] = field(default_factory=dict)
    job: FineTuningJob | None = None


def follow(
    provider: Provider, run: Run, job_id: str, report: Report, pauses: Pauses
) -> tuple[FineTuningJob, Followed]:
    """Return once the job has ended. What was told in an earlier attempt is kept once.

    After a turn it goes on later: a service takes hours, in which others may train. Raises
    GoesOnLaterError then, RunCancelledError as the report does, and TrainingError where the
    service no longer answers or the job went astray.
    """
    followed = Followed(run.step, run.total, dict(run.remote.get("figures") or {}))
    seen = {str(run.remote["last_event"])} if "last_event" in run.remote else set[str]()
    pause, away_since, until = pauses.first, None, time.monotonic() + pauses.turn
    while True:
        report.step(followed.step, followed.total)
        news: list[FineTuningJobEvent] = []
        try:
            with explained(provider):
                # The state first: whatever happened before its end is among the events then.
                found = provider.client.fine_tuning.jobs.retrieve(job_id)
                followed.job = expect(found, FineTuningJob, provider)
                news = _news(provider, job_id, seen)
            away_since = None
        except UnreachableError:
            now = time.monotonic()
            if away_since is None:
                away_since = now
                report.event(f"{provider.name} does not answer; it is asked again.")
            if now - away_since > pauses.outage:
                raise
        for event in news:
            _take(event, followed, report)
        if news:
            report.remote(last_event=news[-1].id, figures=followed.figures)
        if away_since is None:
            if followed.job is not None and followed.job.status in ENDED:
                return followed.job, followed
            if time.monotonic() > until:
                raise GoesOnLaterError(f"Run {run.id} goes on in another turn.")
        pause = pauses.first if news else min(pause * 1.5, pauses.most)
        _wait(pause, pauses, followed, report)


def _news(provider: Provider, job_id: str, seen: set[str]) -> list[FineTuningJobEvent]:
    """Return the events that were not seen yet, the oldest first."""
    news: list[FineTuningJobEvent] = []
    for event in provider.client.fine_tuning.jobs.list_events(job_id, limit=PAGE):
        if event.id in seen or len(news) == MOST_EVENTS:
            break
        news.append(event)
    seen.update(event.id for event in news)
    return news[::-1]


def _take(event: FineTuningJobEvent, followed: Followed, report: Report) -> None:
    """Keep an event: as figures where it has some, else as a line."""
    data = event.data if isinstance(event.data, dict) else {}
    figures: dict[str, float] = {}
    for theirs, ours in FIGURES.items():
        value = data.get(theirs)
        if isinstance(value, int | float) and not isinstance(value, bool):
            figures.setdefault(ours, float(value))
    step, total = data.get("step"), data.get("total_steps")
    told = STEP.search(event.message)
    if told is not None:
        step, total = step or int(told[1]), total or int(told[2])
    if isinstance(step, int | float) and figures:
        _check(figures, int(step))
        followed.step = max(followed.step, int(step))
        followed.total = int(total) if isinstance(total, int | float) else followed.total
        followed.figures |= figures
        report.step(int(step), followed.total, **figures)
    else:
        level = "" if event.level == "info" else f"{event.level}: "
        report.event(f"{level}{short(event.message)}", key=event.id)


def _check(figures: dict[str, float], step: int) -> None:
    for name, value in figures.items():
        if not math.isfinite(value):
            raise AstrayError(
                f"Training went astray: {name} is {value} at step {step}. Start again with a lower"
                " learning_rate_multiplier."
            )


def _wait(seconds: float, pauses: Pauses, followed: Followed, report: Report) -> None:
    """Wait, and hear meanwhile whether somebody cancels."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, pauses.slice))
        report.step(followed.step, followed.total)
