"""Training again by rule: which are due, why, and what is then built and started."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from sqlalchemy import Engine

from core.errors import FootnoteError
from core.settings import Settings
from finetune.backends import TrainingError
from finetune.runs import MODULES, OpenBackend, open_backend, start
from store.datasets import Dataset, Format
from store.jobs import Job
from store.leases import LEASE, run_leased
from store.model_registry import ModelKind
from store.retraining import Rule, Standing, list_rules, note_run, read_standing

ACTOR = "schedule"
FORMATS: dict[ModelKind, Format] = {"style": "sft", "router": "routes", "query_adapter": "pairs"}

Build = Callable[[Engine, Settings, int, Format, str, str], Dataset]
"""Builds a dataset of a format under a name for an actor in a workspace."""


@dataclass(frozen=True)
class Decision:
    """Whether a rule is due, and the sentence that says why or why not."""

    rule: Rule
    due: bool
    why: str


@dataclass(frozen=True)
class Acted:
    """What came of a rule: the run that was started, or the sentence why there is none."""

    decision: Decision
    run_id: int | None = None
    told: str | None = None


def known_kind(named: str) -> ModelKind:
    """Return a kind of model that can be trained by rule; raises TrainingError with those."""
    for kind in get_args(ModelKind):
        if kind == named and kind in FORMATS:
            return kind  # type: ignore[no-any-return]
    raise TrainingError(f"There are no rules for {named}; there are for {', '.join(FORMATS)}.")


def check_rule(kind: ModelKind, backend: str, *, limits: tuple[float | None, ...]) -> None:
    """Refuse a rule that could not do anything: another kind's backend, or never due."""
    makes = {name: made for name, (_, made) in MODULES.items()}
    if makes.get(backend) != kind:  # type: ignore[call-overload]
        fits = ", ".join(name for name, made in makes.items() if made == kind)
        raise TrainingError(f"A {kind} model is not made by {backend}; use --backend {fits}.")
    if all(limit is None for limit in limits):
        raise TrainingError(
            "A rule needs to know when it is due: --every-days, --new-examples or --drift."
        )


def decide(rule: Rule, standing: Standing, now: datetime) -> Decision:
    """Say whether a rule is due. While a run of its kind is under way none is."""
    if not rule.enabled:
        return Decision(rule, due=False, why="it is off")
    if standing.run_state in ("queued", "running"):
        return Decision(rule, due=False, why=f"run {standing.run_id} is under way")
    verdicts = [
        verdict
        for verdict in (
            _age(rule, standing, now),
            _examples(rule, standing),
            _drift(rule, standing),
        )
        if verdict is not None
    ]
    due = [why for holds, why in verdicts if holds]
    return Decision(rule, due=bool(due), why="; ".join(due or [why for _, why in verdicts]))


def decisions(engine: Engine, workspace_id: int, now: datetime | None = None) -> list[Decision]:
    """Say of each rule of a workspace whether it is due now."""
    moment = now or datetime.now(UTC)
    return [
        decide(rule, read_standing(engine, workspace_id, rule.kind), moment)
        for rule in list_rules(engine, workspace_id)
    ]


def act(
    engine: Engine,
    config: Settings,
    workspace_id: int,
    build: Build,
    *,
    opened: OpenBackend = open_backend,
    now: datetime | None = None,
) -> list[Acted]:
    """Build a dataset and start a run for each rule that is due.

    Rows and a recipe that a run was made of already start none: the run that there is is named.
    A rule that cannot be carried out says why and leaves the others alone.
    """
    acted = []
    for decision in decisions(engine, workspace_id, now):
        rule = decision.rule
        if not decision.due:
            acted.append(Acted(decision))
            continue
        try:
            name = f"{rule.kind}-{datetime.now(UTC):%Y-%m-%d}"
            dataset = build(engine, config, workspace_id, format_of(rule), name, ACTOR)
            run, new = start(
                engine,
                config,
                workspace_id,
                backend=rule.backend,
                dataset_id=dataset.id,
                base=rule.base,
                recipe=rule.recipe,
                name=None,
                actor=ACTOR,
                opened=opened,
            )
        except FootnoteError as error:
            acted.append(Acted(decision, told=str(error)))
            continue
        if new:
            note_run(engine, workspace_id, rule.kind, run.id)
            acted.append(Acted(decision, run.id))
        else:
            told = f"The same rows were trained on already, in run {run.id}."
            acted.append(Acted(decision, told=told))
    return acted


def format_of(rule: Rule) -> Format:
    """Return which dataset a rule learns from; a recipe of the method dpo wants preferences."""
    return "dpo" if rule.recipe.get("method") == "dpo" else FORMATS[rule.kind]


def run_rules_job(
    engine: Engine,
    config: Settings,
    job_id: int,
    build: Build,
    *,
    lease: float = LEASE,
    opened: OpenBackend = open_backend,
) -> dict[str, Any] | None:
    """Do the daily job; None if another process has it. Its result says what was done and why."""

    def work(job: Job, _owner: str) -> dict[str, Any]:
        acted = act(engine, config, job.workspace_id, build, opened=opened)
        return {"rules": [as_json(one) for one in acted]}

    return run_leased(engine, job_id, work, "The look at the rules", lease=lease)


def as_json(one: Acted) -> dict[str, Any]:
    """Return what came of a rule as JSON types."""
    return {
        "kind": one.decision.rule.kind,
        "due": one.decision.due,
        "why": one.decision.why,
        "run": one.run_id,
        "told": one.told,
    }


def _age(rule: Rule, standing: Standing, now: datetime) -> tuple[bool, str] | None:
    if rule.every_days is None:
        return None
    if standing.trained_at is None:
        return True, "it was never trained"
    days = (now - standing.trained_at) / timedelta(days=1)
    return days >= rule.every_days, f"trained {days:.0f} of {rule.every_days} days ago"


def _examples(rule: Rule, standing: Standing) -> tuple[bool, str] | None:
    if rule.new_examples is None:
        return None
    enough = standing.new_examples >= rule.new_examples
    return enough, f"{standing.new_examples} of {rule.new_examples} new approved examples"


def _drift(rule: Rule, standing: Standing) -> tuple[bool, str] | None:
    if rule.drift is None:
        return None
    before, latest = standing.promoted_figure, standing.latest_figure
    if before is None or latest is None:
        return False, "no evaluation since the latest run to compare with its promotion"
    fall = (before - latest) * 100
    return fall >= rule.drift, f"the evaluation fell by {fall:.1f} of {rule.drift:g} points"
