"""`footnote eval intents`: what a router head is worth on labelled messages."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.runtime import threads
from cli.show import print_json
from core.settings import settings
from evaluation.intents import IntentReport, evaluate_intents, load_intents
from evaluation.vectors import KeptVectors
from retrieval.embeddings import open_embedder


@click.command("intents")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def eval_intents(path: Path, as_json: bool) -> None:
    """Train a router head on labelled messages (JSON lines) and measure it on others of them."""
    rows, config = load_intents(path), settings()
    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("Embedding", total=None)
        kept = KeptVectors(
            open_embedder(config, threads=threads()),
            config.home / "cache",
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        reports = evaluate_intents(rows, kept)
    if as_json:
        print_json([report.to_json() for report in reports])
    else:
        click.echo("\n".join(intent_lines(reports)))


def intent_lines(reports: Sequence[IntentReport]) -> Iterator[str]:
    """Return what was measured, a block a set."""
    for report in reports:
        yield f"{report.name}, {report.rows} rows, fitted in {report.fit_seconds:.1f} s"
        yield f"  right, in scope            {report.accuracy!s}"
        if report.auroc is not None:
            yield f"  out of scope, AUROC        {report.auroc:.4f}"
            yield f"  out of scope, recognised   {report.recall!s}"
            yield f"  right, all rows            {report.joint!s}"
            yield f"  the same, 2 of 11 foreign  {report.joint_even:.1f}"
        yield f"  calibration error          {report.calibration_error:.3f}"
