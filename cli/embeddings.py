"""`footnote embeddings`: which model finds passages, and changing it while it answers."""

import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.following import follow_job
from cli.runtime import Runtime, actor, open_runtime
from cli.show import print_json
from ingestion.refresh import cancel_refresh, run_refresh_job, submit_refresh
from store.jobs import find_job
from store.refresh import SpaceStatus, begin_space, list_spaces
from store.spaces import ensure_space

GRACE = 3.0  # seconds that a running worker gets to take the job
FOLLOW_TIMEOUT = 86_400.0  # seconds
SHOWN_EVERY = 0.5  # seconds
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def embeddings() -> None:
    """Show and change the model that embeds passages and questions."""


@embeddings.command("show")
@json_option
def show(as_json: bool) -> None:
    """Show the model in use, and how far a change of it is."""
    with open_runtime() as runtime:
        spaces = list_spaces(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"spaces": [to_json(status) for status in spaces]})
        return
    for status in spaces:
        click.echo(
            f"{status.space.model:32} {status.space.dimensions} dimensions  {status.state:8}"
            f"  {status.vectors} of {status.chunks} passages"
        )
    if not spaces:
        click.echo("Nothing is embedded yet; ingest documents first.")


@embeddings.command("refresh")
@click.option("--model", required=True, help="all-MiniLM-L6-v2, …-fp32, or an endpoint's model.")
@click.option("--background", is_flag=True, help="Leave it to the worker and return at once.")
@json_option
def refresh(model: str, background: bool, as_json: bool) -> None:
    """Embed everything with another model while the present one answers, then switch."""
    with open_runtime() as runtime:
        embedder = runtime.embedders.named(model)
        ensure_space(
            runtime.engine,
            runtime.workspace_id,
            runtime.embedder.model,
            runtime.embedder.dimensions,
        )
        if not begin_space(
            runtime.engine, runtime.workspace_id, embedder.model, embedder.dimensions
        ):
            if as_json:
                print_json({"model": model, "embedded": 0, "dropped": []})
            else:
                click.echo(f"The documents are embedded with {model} already.")
            return
        job_id = submit_refresh(runtime.engine, runtime.workspace_id, model, actor())
        if background:
            outcome: dict[str, Any] = {"job": job_id, "state": "queued"}
        else:
            outcome = follow(runtime, job_id, model, quiet=as_json)
    if as_json:
        print_json(outcome)
    elif background:
        click.echo(f"The worker embeds everything with {model}; embeddings show says how far.")
    else:
        click.echo(f"{outcome['embedded']} passages are embedded with {model}, which answers now.")


def follow(runtime: Runtime, job_id: int, model: str, *, quiet: bool) -> dict[str, Any]:
    """Show progress until the change is made: by a worker, or here where none takes it."""
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    alone_after = time.monotonic() + GRACE
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        bar = progress.add_task(f"Embedding with {model}", total=None)

        def run() -> dict[str, Any] | None:
            job = find_job(runtime.engine, job_id)
            if job is not None:
                progress.update(bar, completed=job.done, total=job.total or None)
            if time.monotonic() < alone_after or (job is not None and job.state != "queued"):
                time.sleep(SHOWN_EVERY)
                return None
            return run_refresh_job(
                runtime.engine, job_id, runtime.embedders.named, turn=SHOWN_EVERY * 4
            )

        return follow_job(runtime, job_id, run, f"The change to {model}", timeout=FOLLOW_TIMEOUT)


@embeddings.command("cancel")
@json_option
def cancel(as_json: bool) -> None:
    """Give up a change that is under way; the present model goes on answering."""
    with open_runtime() as runtime:
        dropped = cancel_refresh(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"cancelled": dropped})
    else:
        click.echo(
            f"Gave up the change to {dropped[0]}." if dropped else "No change is under way."
        )


def to_json(status: SpaceStatus) -> dict[str, Any]:
    """Return a space's state as JSON types."""
    return {
        "model": status.space.model,
        "dimensions": status.space.dimensions,
        "state": status.state,
        "vectors": status.vectors,
        "chunks": status.chunks,
    }
