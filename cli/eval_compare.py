"""`footnote eval compare`: the same questions answered in four ways, in one report."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.runtime import Runtime, open_runtime
from cli.show import print_json, printable
from core.errors import ConfigurationError
from evaluation.advice import advise
from evaluation.arms import open_arms
from evaluation.cases import load_dataset
from evaluation.compare import compare
from evaluation.corpus import ingest_dataset
from evaluation.report import comparison_lines, page
from evaluation.said import read_said, two_voices
from evaluation.style import Panel, learn_panel
from store.access import OPERATOR_ACCESS
from store.model_registry import Model, active_model, find_model
from store.search import versions_in_force

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command("compare")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--voice",
    type=click.Path(path_type=Path),
    help="Transcripts of the team (JSONL), to judge who sounds like it.",
)
@click.option("--style-model", metavar="MODEL", help="A tuned model; the active one otherwise.")
@click.option(
    "--style-endpoint",
    metavar="URL",
    help="The address that knows MODEL, for one that is not in the registry.",
)
@click.option("--limit", type=click.IntRange(1), help="Only the first questions.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as a page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def eval_compare(
    path: Path,
    voice: Path | None,
    style_model: str | None,
    style_endpoint: str | None,
    limit: int | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Compare a model alone, retrieval, a tuned model and both on the same questions.

    What cannot run here is named with the reason. Without any model, retrieval answers by
    quoting.
    """
    dataset = load_dataset(path)
    if limit is not None:
        dataset = replace(dataset, cases=dataset.cases[:limit])
    panel = _panel(voice) if voice is not None else None
    now = datetime.now(UTC)
    with open_runtime() as runtime, _bar(quiet=as_json) as bar:
        tuned = _tuned(runtime, style_model, style_endpoint)
        ingesting = bar.add_task("Ingesting")
        workspace_id, refused = ingest_dataset(
            runtime.engine,
            dataset,
            runtime.embedder,
            lambda done, total: bar.update(ingesting, completed=done, total=total),
        )
        for sentence in refused:
            bar.console.print(f"  ✗ {sentence}", markup=False)
        asking = bar.add_task("Asking")
        known = versions_in_force(runtime.engine, workspace_id, OPERATOR_ACCESS, now)
        with open_arms(
            runtime.engine, runtime.settings, workspace_id, runtime.embedder, now, tuned
        ) as (arms, missing):
            found = compare(
                dataset,
                arms,
                missing,
                runtime.engine,
                workspace_id,
                {version.document_key: version for version in known},
                panel,
                lambda done, total: bar.update(asking, completed=done, total=total),
            )
    advice = advise(found)
    if html is not None:
        try:
            html.write_text(page(found, advice), encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{html} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json(found.to_json() | {"advice": advice.to_json()})
        return
    click.echo(printable("\n".join(comparison_lines(found, advice))))
    if html is not None:
        click.echo(f"report  {html}")


@contextmanager
def _bar(*, quiet: bool) -> "Iterator[Progress]":
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        yield bar


def _panel(path: Path) -> Panel:
    ours, theirs, _ = two_voices(read_said(path))
    return learn_panel(
        [(one.text, one.conversation) for one in ours],
        [(one.text, one.conversation) for one in theirs],
    )


def _tuned(runtime: Runtime, named: str | None, endpoint: str | None) -> Model | None:
    """Return the style model to compare: of the registry, or one that an address knows."""
    if endpoint is not None:
        if named is None:
            raise ConfigurationError("--style-endpoint needs the model's name in --style-model.")
        moment = datetime.now(UTC)
        return Model(
            id=0,
            workspace_id=runtime.workspace_id,
            kind="style",
            name=named,
            state="candidate",
            artefact=named,
            run_id=None,
            backend=None,
            base=None,
            endpoint=endpoint,
            share=0,
            previous_id=None,
            evidence={},
            tainted_at=None,
            shutdown_at=None,
            changed_at=moment,
            created_at=moment,
        )
    if named is not None:
        return find_model(runtime.engine, runtime.workspace_id, named)
    return active_model(runtime.engine, runtime.workspace_id, "style")
