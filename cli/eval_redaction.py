"""`footnote eval redaction`: identifiers planted into dialogues, and what is left of them."""

from collections.abc import Iterator
from pathlib import Path

import click

from cli.show import print_json, printable
from core.errors import NotFoundError
from evaluation.redaction import PLANTED, RedactionReport, evaluate_redaction
from finetune.import_rows import Problem, opened, rows_of


@click.command("redaction")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--seed", type=int, default=1, show_default=True, help="Which are planted where.")
@click.option(
    "--planted",
    type=click.IntRange(1, 100_000),
    default=PLANTED,
    show_default=True,
    help="How many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def eval_redaction(path: Path, seed: int, planted: int, as_json: bool) -> None:
    """Whether redaction leaves any of the made-up identifiers planted into a transcripts file."""
    with opened(path) as stream:
        rows = list(rows_of(stream, path.name, {}))
    dialogues = [
        [said.text for said in row.messages] for row in rows if not isinstance(row, Problem)
    ]
    if not dialogues:
        raise NotFoundError(f"{path.name} holds no exchange to plant anything in.")
    report = evaluate_redaction(dialogues, seed, planted)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(lines(report)))


def lines(report: RedactionReport) -> Iterator[str]:
    """Return what was planted and left by kind, and what was replaced where nothing was."""
    yield f"{'kind':<16}{'planted':>8}{'left':>6}"
    for kind, count in report.planted.items():
        yield f"{kind:<16}{count:>8}{report.left[kind]:>6}"
    yield f"{'all':<16}{sum(report.planted.values()):>8}{sum(report.left.values()):>6}"
    yield from (printable(f"  left: {' '.join(one.split())}") for one in report.examples)
    replaced = ", ".join(f"{count} {kind}" for kind, count in report.alarms.items())
    yield (
        f"As they came, {report.dialogues} dialogues had {report.alarm_rate:.2%} of"
        f" {report.words} words replaced: {replaced or 'none'}."
    )
    yield "Not looked for is what `finetune/redact.py` names as not found."
