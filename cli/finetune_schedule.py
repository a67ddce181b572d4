"""`footnote finetune schedule`: rules by which models are trained again."""

from typing import Any, get_args

import click
from sqlalchemy import Engine

from cli.finetune import json_option, parse_recipe
from cli.runtime import actor, open_runtime
from cli.show import print_json, printable
from finetune.rules import FORMATS, Decision, check_rule, decisions, known_kind
from store.model_registry import ModelKind
from store.retraining import Rule, last_look, list_rules, rest_rule, set_rule
from store.runs import Backend

kind_argument = click.argument("kind", type=click.Choice(list(FORMATS)))
UNTIL_THEN = "Nothing is trained by rule; footnote finetune schedule set makes one."


@click.group()
def schedule() -> None:
    """Say when models are trained again by themselves; no rule counts until it is set."""


@schedule.command("show")
@json_option
def show(as_json: bool) -> None:
    """Show the rules, those that are off too, and what came of them last."""
    with open_runtime() as runtime:
        rules = list_rules(runtime.engine, runtime.workspace_id)
        look = last_look(runtime.engine, runtime.workspace_id)
    if as_json:
        at = look[0].isoformat() if look else None
        last = {"at": at, "rules": look[1] if look else []}
        print_json({"rules": [rule_json(rule) for rule in rules], "last_look": last})
        return
    came = {one["kind"]: one for one in look[1]} if look else {}
    for rule in rules:
        click.echo(printable(rule_line(rule)))
        if look is not None and rule.kind in came:
            click.echo(
                printable(f"    looked at {look[0]:%Y-%m-%d %H:%M}: {came_of(came[rule.kind])}")
            )
    if not rules:
        click.echo(UNTIL_THEN)


@schedule.command("set")
@kind_argument
@click.option("--backend", type=click.Choice(get_args(Backend)), required=True)
@click.option("--base", help="The model to start from, for hosted and local.")
@click.option("--recipe", multiple=True, metavar="KEY=VALUE", help="A setting; may be repeated.")
@click.option("--every-days", type=click.IntRange(1, 3_650), help="So long after the last run.")
@click.option("--new-examples", type=click.IntRange(1), help="Approved since the last run.")
@click.option("--drift", type=click.FloatRange(0.1, 100), help="Points that its evaluation fell.")
@json_option
def set_one(
    kind: str,
    backend: Backend,
    base: str | None,
    recipe: tuple[str, ...],
    every_days: int | None,
    new_examples: int | None,
    drift: float | None,
    as_json: bool,
) -> None:
    """Set the rule of a KIND of model; it is due by whichever limit is reached first."""
    chosen = known_kind(kind)
    check_rule(chosen, backend, limits=(every_days, new_examples, drift))
    with open_runtime() as runtime:
        set_rule(
            runtime.engine,
            runtime.workspace_id,
            chosen,
            backend=backend,
            base=base,
            recipe=parse_recipe(recipe),
            every_days=every_days,
            new_examples=new_examples,
            drift=drift,
            actor=actor(),
        )
        told = _decision(runtime.engine, runtime.workspace_id, chosen)
    if as_json:
        print_json(decision_json(told))
    else:
        click.echo(printable(rule_line(told.rule)))
        click.echo(printable(f"    {_now(told)}. It is looked at daily while `up` runs."))


@schedule.command("off")
@kind_argument
@json_option
def off(kind: str, as_json: bool) -> None:
    """Let the rule of a KIND rest; its settings stay."""
    with open_runtime() as runtime:
        changed = rest_rule(runtime.engine, runtime.workspace_id, known_kind(kind), actor())
    if as_json:
        print_json({"kind": kind, "changed": changed})
    else:
        click.echo(f"The rule for {kind} is off." if changed else f"No rule for {kind} was on.")


@schedule.command("dry-run")
@json_option
def dry_run(as_json: bool) -> None:
    """Say what the rules would start now, and why or why not; nothing is started."""
    with open_runtime() as runtime:
        told = decisions(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"rules": [decision_json(one) for one in told]})
        return
    for one in told:
        click.echo(printable(f"{one.rule.kind:14} {_now(one)}."))
    if not told:
        click.echo(UNTIL_THEN)


def _decision(engine: Engine, workspace_id: int, kind: ModelKind) -> Decision:
    return next(one for one in decisions(engine, workspace_id) if one.rule.kind == kind)


def _now(one: Decision) -> str:
    if one.due:
        return f"would build a dataset and start a {one.rule.backend} run now: {one.why}"
    return f"would start nothing now: {one.why}"


def came_of(one: dict[str, Any]) -> str:
    """Return what came of a rule when it was last looked at."""
    if one["run"] is not None:
        return f"run {one['run']} was started, since {one['why']}."
    return str(one["told"] or f"nothing was started: {one['why']}.")


def rule_line(rule: Rule) -> str:
    """Return a rule as people read it."""
    limits = [
        (rule.every_days, f"{rule.every_days} days after the last run"),
        (rule.new_examples, f"with {rule.new_examples} new approved examples"),
        (rule.drift, f"when its evaluation fell by {rule.drift or 0:g} points"),
    ]
    when = " or ".join(words for limit, words in limits if limit is not None)
    base = f" on {rule.base}" if rule.base else ""
    state = "" if rule.enabled else " (off)"
    return f"{rule.kind}{state}: {rule.backend}{base}, {when}"


def rule_json(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON types."""
    names = (
        "kind", "enabled", "backend", "base", "recipe", "every_days", "new_examples", "drift",
        "last_run_id", "updated_by",
    )  # fmt: skip
    return {name: getattr(rule, name) for name in names} | {
        "updated_at": rule.updated_at.isoformat()
    }


def decision_json(one: Decision) -> dict[str, Any]:
    """Return what a rule would do now as JSON types."""
    return {"rule": rule_json(one.rule), "due": one.due, "why": one.why}
