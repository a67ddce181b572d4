"""`footnote models`: which models there are, which answers whom, and how that is changed."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.models_export import export_model
from cli.runtime import Runtime, actor, open_runtime
from cli.show import print_json, printable
from evaluation.canary import STEPS
from evaluation.gate import verdict_line
from finetune.runs import GATE_MODEL
from store.audit import record
from store.evaluations import evaluate_weekly
from store.jobs import Job, latest_job
from store.model_registry import (
    Model,
    ModelKind,
    ModelStateError,
    Verdict,
    find_model,
    list_models,
    list_verdicts,
    promote_model,
    retire_model,
    roll_back,
    start_canary,
)

LEAST_REASON = 5  # characters of why a gate is overruled
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
model_argument = click.argument("model")
force_option = click.option(
    "--force", metavar="REASON", help="Do it without a passed gate, and say why; it is logged."
)


@click.group()
def models() -> None:
    """See which models answer; gate, try, promote, roll back and retire them."""


models.add_command(export_model)


@models.command("list")
@click.option("--kind", type=click.Choice(get_args(ModelKind)), help="Only models of this kind.")
@json_option
def list_all(kind: ModelKind | None, as_json: bool) -> None:
    """List the models, the newest first, with what answers now."""
    with open_runtime() as runtime:
        found = list_models(runtime.engine, runtime.workspace_id, kind)
    if as_json:
        print_json({"models": [model_json(one) for one in found]})
        return
    for one in found:
        click.echo(printable(line(one)))
    if not found:
        click.echo("There is no model yet; `footnote finetune start` trains one.")


@models.command("show")
@model_argument
@json_option
def show(model: str, as_json: bool) -> None:
    """Show a model: where it came from, what was decided of it, with the evidence."""
    with open_runtime() as runtime:
        found = find_model(runtime.engine, runtime.workspace_id, model)
        verdicts = list_verdicts(runtime.engine, found.id)
        key = f"model {found.id}"
        job = latest_job(runtime.engine, runtime.workspace_id, GATE_MODEL, key)
    if as_json:
        more = {
            "verdicts": [verdict_json(one) for one in verdicts],
            "gate_job": None if job is None else {"state": job.state, "error": job.error},
        }
        print_json(model_json(found) | more)
        return
    click.echo(printable("\n".join(model_lines(found, verdicts, job))))


@models.command("gate")
@model_argument
@click.option("--dataset", type=int, help="The dataset whose validation rows are asked.")
@json_option
def gate_model(model: str, dataset: int | None, as_json: bool) -> None:
    """Hold MODEL against what answers now; one that passes begins its trial."""
    from evaluation.gates import gate  # noqa: PLC0415 - the graph, for who measures

    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with open_runtime() as runtime, bar:
        found = find_model(runtime.engine, runtime.workspace_id, model)
        task = bar.add_task("Asking")
        gated = gate(
            runtime.engine,
            runtime.settings,
            runtime.embedder,
            found,
            dataset_id=dataset,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(gated.to_json())
        return
    click.echo(printable("\n".join(gate_lines(gated.decision.evidence))))
    outcome = "passed" if gated.decision.passed else "failed"
    click.echo(printable(f"{outcome}: {gated.decision.reason}"))
    click.echo(printable(f"{found.name}: {gated.told}"))


@models.command("canary")
@model_argument
@click.option(
    "--share", type=click.IntRange(1, 99), default=STEPS[0], show_default=True, help="Percent."
)
@force_option
@json_option
def canary(model: str, share: int, force: str | None, as_json: bool) -> None:
    """Let MODEL answer a share of the conversations; the watch takes it from there."""
    with open_runtime() as runtime:
        found = find_model(runtime.engine, runtime.workspace_id, model)
        allow(runtime, found, force)
        changed = start_canary(runtime.engine, runtime.workspace_id, found.id, share, actor())
    told(changed, f"{changed.name} answers {share} % of the conversations.", as_json)


@models.command("promote")
@model_argument
@force_option
@json_option
def promote(model: str, force: str | None, as_json: bool) -> None:
    """Let MODEL answer all conversations; the one before is kept for a return."""
    with open_runtime() as runtime:
        found = find_model(runtime.engine, runtime.workspace_id, model)
        allow(runtime, found, force)
        changed = promote_model(runtime.engine, runtime.workspace_id, found.id, actor())
        with runtime.engine.begin() as connection:
            evaluate_weekly(connection, runtime.workspace_id)
    told(changed, f"{changed.name} answers all conversations.", as_json)


@models.command("rollback")
@click.argument("kind", type=click.Choice(get_args(ModelKind)), default="style")
@click.option("--reason", default="asked for", show_default=True, help="Why; it is logged.")
@json_option
def rollback(kind: ModelKind, reason: str, as_json: bool) -> None:
    """Take the model on trial out, or else bring back the one before the active one."""
    with open_runtime() as runtime:
        began = time.perf_counter()
        out, now = roll_back(runtime.engine, runtime.workspace_id, kind, actor(), reason)
        seconds = time.perf_counter() - began
    if as_json:
        after = model_json(now) if now else None
        print_json({"out": model_json(out), "now": after, "seconds": round(seconds, 3)})
        return
    answers = f"{now.name} answers" if now else f"no {kind} model answers; plain words stand"
    click.echo(
        printable(
            f"{out.name} is {out.state}; {answers}, in every process within a second"
            f" ({seconds * 1000:.0f} ms)."
        )
    )


@models.command("retire")
@model_argument
@json_option
def retire(model: str, as_json: bool) -> None:
    """Take MODEL out of use without another in its place."""
    with open_runtime() as runtime:
        changed = retire_model(runtime.engine, runtime.workspace_id, model, actor())
    told(changed, f"{changed.name} is retired.", as_json)


def allow(runtime: Runtime, model: Model, force: str | None) -> None:
    """Refuse a model that did not pass its gate; `force` is why it may answer all the same.

    Raises ModelStateError also for a model that learned from words which were deleted since. The
    reason is kept in the audit log.
    """
    if force is not None:
        reason = " ".join(force.split())
        if len(reason) < LEAST_REASON:
            raise ModelStateError('Say why in a few words: --force "the gate\'s set is outdated".')
        with runtime.engine.begin() as connection:
            record(
                connection,
                runtime.workspace_id,
                actor(),
                "gate overruled",
                str(model.id),
                reason=reason,
            )
        return
    if model.tainted_at is not None:
        raise ModelStateError(
            f"Words that {model.name} learned from were deleted with somebody's data; train"
            ' another one, or say why it may answer all the same with --force "reason".'
        )
    gates = [one for one in list_verdicts(runtime.engine, model.id) if one.stage == "gate"]
    overrule = f'`footnote models promote {model.name} --force "reason"`'
    if not gates:
        raise ModelStateError(
            f"{model.name} was not gated yet. Run `footnote models gate {model.name}`, or say why"
            f" it may answer all the same: {overrule}."
        )
    if not gates[0].passed:
        raise ModelStateError(
            f"{model.name} did not pass its gate: {gates[0].reason} Train another on more rows, or"
            f" with more held out (--validation-share); or say why it may answer: {overrule}."
        )


def told(model: Model, sentence: str, as_json: bool) -> None:
    """Print what was done."""
    if as_json:
        print_json(model_json(model))
    else:
        click.echo(printable(sentence))


def line(model: Model) -> str:
    """Return a model on one line."""
    share = f"{model.share} %" if model.state == "canary" else ""
    notes = [
        f"ends {model.shutdown_at:%Y-%m-%d}" if model.shutdown_at else "",
        "learned from deleted words" if model.tainted_at else "",
    ]
    return (
        f"{model.id:>4}  {model.kind:<14}{model.state:<10}{share:<6}{model.name}"
        f"  {model.backend or ''}  {'; '.join(note for note in notes if note)}"
    ).rstrip()


def model_lines(model: Model, verdicts: Sequence[Verdict], job: Job | None) -> Iterator[str]:
    """Return a model and what was decided of it, a line each."""
    yield line(model).strip()
    yield (
        f"files   {model.artefact}"
        if model.artefact.startswith("/")
        else f"known as {model.artefact}"
    )
    if model.base:
        yield f"base    {model.base}"
    if model.endpoint:
        yield f"served  {model.endpoint}"
    if model.run_id is not None:
        yield f"run     {model.run_id}; `footnote finetune show {model.run_id}` tells of it"
    for verdict in verdicts:
        if verdict.stage == "gate":
            yield from gate_lines(verdict.evidence)
        outcome = "passed" if verdict.passed else "failed"
        yield f"{verdict.created_at:%Y-%m-%d %H:%M}  {verdict.stage} {outcome}: {verdict.reason}"
    if verdicts:
        return
    if job is not None and not job.ended:
        yield f"gate    {'is being measured' if job.state == 'running' else 'waits for a worker'}"
    elif job is not None and job.error:
        yield f"gate    could not be measured: {job.error}"
    else:
        yield f"gate    not measured yet; `footnote models gate {model.name}` does it"


def gate_lines(evidence: dict[str, Any]) -> Iterator[str]:
    """Return a gate's figures on a line, and the harmful replies below."""
    yield f"gate    {verdict_line(evidence)}"
    if "against" in evidence:
        yield f"        against {evidence['against']}, {evidence.get('cases', 0)} held-out cases"
    for one in evidence.get("harm", ()):
        yield f"        {one['harm']}: {one['why']}"
        for name in ("given", "reply"):
            if name in one:
                yield f"            {name}: {' '.join(one[name].split())}"


def model_json(model: Model) -> dict[str, Any]:
    """Return a model as JSON types."""
    return {
        "id": model.id,
        "kind": model.kind,
        "name": model.name,
        "state": model.state,
        "share": model.share,
        "backend": model.backend,
        "base": model.base,
        "artefact": model.artefact,
        "endpoint": model.endpoint,
        "run": model.run_id,
        "previous": model.previous_id,
        "learned_from_deleted_words_since": _moment(model.tainted_at),
        "ends_at": _moment(model.shutdown_at),
        "changed_at": _moment(model.changed_at),
        "created_at": _moment(model.created_at),
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON types."""
    return {
        "stage": verdict.stage,
        "passed": verdict.passed,
        "reason": verdict.reason,
        "against": verdict.against_id,
        "evidence": verdict.evidence,
        "created_at": _moment(verdict.created_at),
    }


def _moment(value: Any) -> str | None:
    return None if value is None else str(value.isoformat())
