"""`footnote eval style`: how well the style panel tells two voices apart."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.show import print_json
from evaluation.said import read_said
from evaluation.separation import GATES, Separation, separate


@click.command("style")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def eval_style(path: Path, as_json: bool) -> None:
    """How well the style panel tells a team's voice from another, on transcripts (JSONL)."""
    said = read_said(path)
    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("Learning and judging")
        found = separate(said, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        print_json(found.to_json())
    else:
        click.echo("\n".join(lines(found)))


def lines(found: Separation) -> Iterator[str]:
    """Return the areas under the curve, a line for each part of the panel."""
    ours, theirs = found.voices
    yield f"{found.counts[0]} messages of {ours}, {found.counts[1]} of {theirs}"
    yield "area under the ROC curve, five folds of whole conversations; 0.5 tells nothing"
    yield f"{'':<20}{'a message':>12}{'a conversation':>17}"
    for name, value in found.messages.items():
        yield f"{name:<20}{value:>12.3f}{found.conversations[name]:>17.3f}"
    fresh = f"{found.unseen_counts[0]} + {found.unseen_counts[1]}"
    if found.unseen is None:
        yield f"too few wordings that were never learned from ({fresh}) for a figure of their own"
    else:
        yield f"judge of voices on wordings it never learned from ({fresh}): {found.unseen:.3f}"
    for kind, share in found.promoted.items():
        yield f"gates passed by a candidate in {kind} voice: {100 * share:.1f} % of {GATES}"
