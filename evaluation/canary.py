"""The trial of a model in real conversations: a larger share step by step, or the way back.

A canary answers 5 % of the conversations, then 25 %, then all. At each step it is held against
what answers the others in the same time. It goes back at once when it is surely worse, and on
when enough conversations passed without a doubt; until then it waits.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine

from core.logs import logger
from evaluation.statistics import newcombe, wilson
from store.canaries import Trial, trial_figures
from store.jobs import Job
from store.leases import LEASE, run_leased
from store.model_registry import (
    Model,
    ModelKind,
    active_model,
    end_watch,
    list_models,
    promote_model,
    roll_back,
    save_verdict,
    start_canary,
)

STEPS = (5, 25, 100)  # percent of conversations
LEAST_CONVERSATIONS = 20  # at a step before the next
LEAST_TIME = timedelta(minutes=15)  # at a step before the next
MOST_FACTS_CHANGED = 0.10  # share of its answers; none of them was shown, but nothing is won
MOST_FAILED = 0.20  # share of its answers that it did not style in time or at all
LEAST_ANSWERS = 5  # before anything is said of them
LEAST_RATED = 10  # thumbs on either side before they are compared
WATCHER = "canary watch"  # as the audit log names who did it

Step = Literal["on", "back", "wait"]

log = logger(__name__)


@dataclass(frozen=True)
class Judgement:
    """What is to be done with a canary, and why, in a sentence."""

    step: Step
    reason: str


def judge(its: Trial, others: Trial, at_step_for: timedelta) -> Judgement:
    """Decide from what a canary and the others did since its step began."""
    if its.answers >= LEAST_ANSWERS and its.failed == its.answers:
        return Judgement("back", f"all of its {its.answers} answers failed; it is not served")
    for name, count, most in (
        ("changed facts", its.facts_changed, MOST_FACTS_CHANGED),
        ("failed", its.failed, MOST_FAILED),
    ):
        if its.answers >= LEAST_ANSWERS and wilson(count, its.answers)[0] > most:
            return Judgement("back", f"it {name} in {count} of {its.answers} answers")
    worse = _surely_worse(its, others)
    if worse is not None:
        return Judgement("back", worse)
    if its.conversations < LEAST_CONVERSATIONS or at_step_for < LEAST_TIME:
        return Judgement(
            "wait", f"{its.conversations} of {LEAST_CONVERSATIONS} conversations at this share"
        )
    if its.facts_changed > its.answers * MOST_FACTS_CHANGED:
        return Judgement("wait", f"it changed facts in {its.facts_changed} of {its.answers}")
    if its.failed > its.answers * MOST_FAILED:
        return Judgement("wait", f"{its.failed} of {its.answers} failed")
    return Judgement("on", f"{its.conversations} conversations without a doubt")


def _surely_worse(its: Trial, others: Trial) -> str | None:
    """Return what the canary does surely more often that nobody wants, or None."""
    pairs = (
        ("thumbs down", (its.disliked, its.rated), (others.disliked, others.rated), LEAST_RATED),
        (
            "refusals",
            (its.refused, its.answers),
            (others.refused, others.answers),
            LEAST_CONVERSATIONS,
        ),
        (
            "hand-overs",
            (its.handed_over, its.answers),
            (others.handed_over, others.answers),
            LEAST_CONVERSATIONS,
        ),
    )
    for name, (count, total), (other_count, other_total), least in pairs:
        if total >= least and other_total >= least:
            low, _ = newcombe(count, total, other_count, other_total)
            if low > 0:
                return (
                    f"{name}: {count} of {total}, against {other_count} of {other_total} elsewhere"
                )
    return None


def watch(engine: Engine, workspace_id: int, kind: ModelKind, now: datetime) -> Judgement | None:
    """Judge the canary of a kind and do what follows; None where nothing is on trial.

    Each step on or back is a verdict, kept with its figures.
    """
    canary = next(
        (one for one in list_models(engine, workspace_id, kind) if one.state == "canary"), None
    )
    if canary is None:
        end_watch(engine, workspace_id, kind)
        return None
    active = active_model(engine, workspace_id, kind)
    its, others = trial_figures(
        engine, workspace_id, kind, canary.id, active.id if active else None, canary.changed_at
    )
    judgement = judge(its, others, now - canary.changed_at)
    if judgement.step == "wait":
        return judgement
    save_verdict(
        engine,
        canary,
        stage="canary",
        passed=judgement.step == "on",
        reason=judgement.reason,
        evidence={"share": canary.share, "its": its.to_json(), "others": others.to_json()},
        against_id=active.id if active else None,
    )
    if judgement.step == "back":
        roll_back(engine, workspace_id, kind, WATCHER, judgement.reason)
    else:
        _step_on(engine, canary)
    log.info("canary judged", model=canary.id, step=judgement.step, share=canary.share)
    return judgement


def _step_on(engine: Engine, canary: Model) -> None:
    share = next(step for step in STEPS if step > canary.share)
    if share == STEPS[-1]:
        promote_model(engine, canary.workspace_id, canary.id, WATCHER)
    else:
        start_canary(engine, canary.workspace_id, canary.id, share, WATCHER)


def run_canary_watch(engine: Engine, job_id: int, lease: float = LEASE) -> None:
    """Claim a job and judge the trial that it names."""

    def work(job: Job, _owner: str) -> dict[str, Any]:
        judged = watch(engine, job.workspace_id, job.payload["kind"], datetime.now(UTC))
        return {"step": judged.step, "reason": judged.reason} if judged else {}

    run_leased(engine, job_id, work, "Watching a model on trial", lease=lease)
