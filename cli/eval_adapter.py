"""`footnote eval adapter`: what a query adapter gains on a set."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.show import print_json
from evaluation.adapter import DEPTHS, AdapterReport, evaluate_adapter

if TYPE_CHECKING:
    from cli.eval import Bench

Open = Callable[..., "AbstractContextManager[Bench]"]
"""Opens a set that is ingested, with progress."""


def adapter_command(bench: Open) -> click.Command:
    """Return the command on sets that `bench` opens."""

    @click.command("adapter")
    @click.argument("path", type=click.Path(path_type=Path))
    @click.option("--limit", type=click.IntRange(1), help="Only the first questions.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    def eval_adapter(path: Path, limit: int | None, as_json: bool) -> None:
        """Train a query adapter on half of the dialogues and measure it on the other half."""
        with bench(path, limit, quiet=as_json) as ready:
            runtime = ready.runtime
            report = evaluate_adapter(
                ready.dataset,
                runtime.engine,
                ready.workspace_id,
                runtime.embedder,
                ready.versions,
                progress=ready.progress,
            )
        if as_json:
            print_json(report.to_json())
        else:
            click.echo("\n".join(adapter_lines(report)))

    return eval_adapter


def adapter_lines(report: AdapterReport) -> Iterator[str]:
    """Return the hit rates, percent with 95 % intervals over dialogues."""
    yield f"{report.without[1].count} questions; passage found among the first, percent (95 %)"
    for depth in DEPTHS:
        gain = report.gain[depth]
        points = f"{100 * gain.value:+.1f} ({100 * gain.low:+.1f} … {100 * gain.high:+.1f})"
        without, adapted = report.without[depth], report.adapted[depth]
        yield f"@{depth:<4}without {without!s:<22} with {adapted!s:<22}"
        yield f"     gain {points}"
    for told in report.learned:
        yield f"learned from {told['questions']} questions, best at step {told['best_step']}"
    before, after = report.nearest
    yield f"nearest passage's cosine {before:.3f} without, {after:.3f} with"
