"""`footnote finetune`: datasets, training runs and the rules by which they are started."""

import importlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.finetune_lines import (
    CURVES,
    events_json,
    points_json,
    run_json,
    run_lines,
    seconds_left,
    status_lines,
    verdict_json,
)
from cli.runtime import Runtime, actor, open_runtime
from cli.show import print_json, printable
from core.errors import FootnoteError, NotFoundError
from finetune.runs import carry_out, start
from store.datasets import find_dataset
from store.jobs import find_job, sweep
from store.model_registry import list_verdicts
from store.runs import (
    Backend,
    Point,
    Run,
    fail_abandoned,
    find_run,
    list_runs,
    model_of_run,
    request_cancel,
    run_events,
    run_points,
)

GRACE = 3.0  # seconds that a running worker gets to take the job
LOOK_EVERY = 0.5  # seconds
FAILED = 1
GROUPS = {"dataset": "cli.finetune_datasets", "schedule": "cli.finetune_schedule"}
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Finetune(click.Group):
    """A group that imports the groups in it only when one of them is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands, those of other modules last."""
        return [*super().list_commands(ctx), *GROUPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None if there is none of that name."""
        if cmd_name not in GROUPS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(importlib.import_module(GROUPS[cmd_name]), cmd_name)
        return found


class ChartError(FootnoteError):
    """A chart cannot be made."""


@click.group(cls=Finetune)
def finetune() -> None:
    """Build datasets, train models from them, and say when that is done again."""


@finetune.command("start")
@click.option("--backend", type=click.Choice(get_args(Backend)), required=True)
@click.option("--dataset", "dataset_id", type=int, required=True, help="Its number.")
@click.option("--base", help="The model to start from: a name, a folder or a hub's id.")
@click.option("--recipe", multiple=True, metavar="KEY=VALUE", help="A setting; may be repeated.")
@click.option("--name", help="What the run is called; its model as well.")
@click.option("--wait", is_flag=True, help="Follow it to its end; do it here if no worker does.")
@json_option
def start_one(
    backend: str,
    dataset_id: int,
    base: str | None,
    recipe: tuple[str, ...],
    name: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Start a training run; the same one again is the one that there is."""
    with open_runtime() as runtime:
        run, new = start(
            runtime.engine,
            runtime.settings,
            runtime.workspace_id,
            backend=backend,
            dataset_id=dataset_id,
            base=placed(base),
            recipe=parse_recipe(recipe),
            name=name,
            actor=actor(),
        )
        if not as_json:
            click.echo(printable(_started(run, new=new)))
            for event in run_events(runtime.engine, run.id) if new else ():
                click.echo(printable(f"    {event.message}"))
        if wait:
            run = follow(runtime, run, here=True, quiet=as_json)
            told = run_points(runtime.engine, run.id)
            if not as_json:
                click.echo("\n".join(status_lines(run, told)))
    if as_json:
        print_json(run_json(run) | {"new": new})
    if wait and run.state != "succeeded":
        raise click.exceptions.Exit(FAILED)


def placed(base: str | None) -> str | None:
    """Return a base so that a worker finds it too: a folder by its whole path."""
    if base is None or not Path(base).expanduser().is_dir():
        return base
    return str(Path(base).expanduser().resolve())


def _started(run: Run, *, new: bool) -> str:
    if not new:
        return f"Run {run.id} ({run.name}) was started before with the same rows: {run.state}."
    return (
        f"Run {run.id} ({run.name}) waits for a worker, which `python3 run.py up` has;"
        f" footnote finetune status {run.id} --follow shows how it goes."
    )


def parse_recipe(given: tuple[str, ...]) -> dict[str, Any]:
    """Return settings by their names; numbers, true, false and null are read as such."""
    recipe: dict[str, Any] = {}
    for pair in given:
        name, separator, written = pair.partition("=")
        name = name.strip()
        if not separator or not name:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--recipe")
        if name in recipe:
            raise click.BadParameter(f"{name} is given twice", param_hint="--recipe")
        try:
            recipe[name] = json.loads(written, parse_constant=str)  # no number is infinite
        except ValueError:
            recipe[name] = written
    return recipe


@finetune.command("status")
@click.argument("run_id", metavar="[RUN]", type=int, required=False)
@click.option("--follow", "follows", is_flag=True, help="Show it until it has ended.")
@json_option
def status(run_id: int | None, follows: bool, as_json: bool) -> None:
    """Show how far a run is: loss, pace and time left; without RUN the latest one."""
    with open_runtime() as runtime:
        fail_abandoned(runtime.engine)
        run = _named(runtime, run_id)
        if follows:
            run = follow(runtime, run, here=False, quiet=as_json)
        points = run_points(runtime.engine, run.id)
    if as_json:
        print_json(run_json(run) | {"seconds_left": seconds_left(run, points)} | _last(points))
    else:
        click.echo("\n".join(status_lines(run, points)))
    if follows and run.state != "succeeded":
        raise click.exceptions.Exit(FAILED)


def _last(points: list[Point]) -> dict[str, Any]:
    return {"figures": points[-1].figures if points else {}}


def _named(runtime: Runtime, run_id: int | None) -> Run:
    """Return a run by its number, or the latest; raises NotFoundError."""
    if run_id is not None:
        return find_run(runtime.engine, runtime.workspace_id, run_id)
    latest = list_runs(runtime.engine, runtime.workspace_id, limit=1)
    if not latest:
        raise NotFoundError("There is no run yet; footnote finetune start makes one.")
    return latest[0]


def follow(runtime: Runtime, run: Run, *, here: bool, quiet: bool) -> Run:
    """Show a run until it has ended and return it; do it here where no worker takes it."""
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    told = TextColumn("{task.fields[figures]}")
    alone_after = time.monotonic() + GRACE
    with Progress(*columns, told, TimeRemainingColumn(), console=console, transient=True) as shown:
        line = shown.add_task(printable(f"{run.name} · {run.state}"), total=None, figures="")

        def show(step: int, total: int, figures: Mapping[str, float]) -> None:
            shown.update(line, completed=step, total=total or None)
            known = [(word, figures[name]) for name, word in CURVES.items() if name in figures]
            if known:
                words = "  ".join(f"{word} {value:.3g}" for word, value in known)
                shown.update(line, figures=words)

        while not run.ended:
            points = run_points(runtime.engine, run.id)
            shown.update(line, description=printable(f"{run.name} · {run.state}"))
            show(run.step, run.total, points[-1].figures if points else {})
            sweep(runtime.engine)  # there may be no `up` that does
            fail_abandoned(runtime.engine)
            job = find_job(runtime.engine, run.job_id) if run.job_id else None
            waits = job is not None and job.state == "queued"
            if here and waits and job is not None and time.monotonic() > alone_after:
                shown.update(line, description=printable(f"{run.name} · running here"))
                try:
                    carry_out(
                        runtime.engine,
                        runtime.settings,
                        job.id,
                        lease=runtime.settings.job_lease,
                        told=show,
                    )
                except FootnoteError as error:
                    console.log(printable(str(error)))
            else:
                time.sleep(LOOK_EVERY)
            run = find_run(runtime.engine, runtime.workspace_id, run.id)
    return run


@finetune.command("cancel")
@click.argument("run_id", metavar="RUN", type=int)
@json_option
def cancel(run_id: int, as_json: bool) -> None:
    """Ask whoever carries a run out to stop it; its model is not registered."""
    with open_runtime() as runtime:
        find_run(runtime.engine, runtime.workspace_id, run_id)
        asked = request_cancel(runtime.engine, runtime.workspace_id, run_id, actor())
        run = find_run(runtime.engine, runtime.workspace_id, run_id)
    if as_json:
        print_json({"run": run_id, "cancelling": asked, "state": run.state})
    elif not asked:
        click.echo(f"Run {run_id} has ended already: {run.state}.")
    elif run.ended:
        click.echo(f"Run {run_id} is cancelled.")
    else:
        click.echo(f"Run {run_id} is being cancelled; footnote finetune status {run_id} shows it.")


@finetune.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def list_all(limit: int, as_json: bool) -> None:
    """List the runs, the latest first."""
    with open_runtime() as runtime:
        fail_abandoned(runtime.engine)
        runs = list_runs(runtime.engine, runtime.workspace_id, limit)
    if as_json:
        print_json({"runs": [run_json(run) for run in runs]})
        return
    for run in runs:
        click.echo("\n".join(status_lines(run, [])))
    if not runs:
        click.echo("There is no run yet; footnote finetune start makes one.")


@finetune.command("show")
@click.argument("run_id", metavar="RUN", type=int)
@click.option("--chart", type=click.Path(path_type=Path), help="Draw the loss into FILE.svg|png.")
@json_option
def show(run_id: int, chart: Path | None, as_json: bool) -> None:
    """Show a run: loss, figures, costs, recipe, dataset, and what its gate decided."""
    with open_runtime() as runtime:
        fail_abandoned(runtime.engine)
        run = find_run(runtime.engine, runtime.workspace_id, run_id)
        dataset = find_dataset(runtime.engine, runtime.workspace_id, run.dataset_id)
        points = run_points(runtime.engine, run.id)
        events = run_events(runtime.engine, run.id)
        model_id = model_of_run(runtime.engine, run.id)
        verdicts = list_verdicts(runtime.engine, model_id) if model_id else []
    if chart is not None:
        draw(points, run.name, chart)
    if as_json:
        more = {"model": model_id, "points": points_json(points), "events": events_json(events)}
        print_json(run_json(run) | more | {"verdicts": [verdict_json(one) for one in verdicts]})
        return
    click.echo("\n".join(run_lines(run, dataset, points, events, verdicts)))
    if chart is not None:
        click.echo(f"chart   {chart}")


def draw(points: list[Point], title: str, file: Path) -> None:
    """Write the losses of a run as a picture. Raises ChartError."""
    from evaluation import charts  # noqa: PLC0415 - for who wants a picture

    series = {
        word: [(point.step, point.figures[name]) for point in points if name in point.figures]
        for name, word in CURVES.items()
    }
    known = {word: values for word, values in series.items() if values}
    if not known:
        raise ChartError("The run has no figures to draw yet; try again once it is under way.")
    if file.suffix not in (".svg", ".png"):
        raise ChartError(f"{file} is neither .svg nor .png; name the chart's file so.")
    form: Literal["svg", "png"] = "svg" if file.suffix == ".svg" else "png"
    try:
        file.write_bytes(charts.draw(charts.line_chart(known, title), form))
    except OSError as error:
        raise ChartError(f"{file} cannot be written ({error.strerror}).") from error


@finetune.command("logs")
@click.argument("run_id", metavar="RUN", type=int)
@json_option
def logs(run_id: int, as_json: bool) -> None:
    """Show what happened in a run, in order."""
    with open_runtime() as runtime:
        run = find_run(runtime.engine, runtime.workspace_id, run_id)
        events = run_events(runtime.engine, run.id)
    if as_json:
        print_json({"run": run.id, "events": events_json(events)})
        return
    for event in events:
        click.echo(printable(f"{event.created_at:%Y-%m-%d %H:%M:%S}  {event.message}"))
    if not events:
        click.echo("Nothing was told of it yet.")
