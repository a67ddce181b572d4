"""`footnote finetune dataset`: build datasets of what was approved, look at them, export them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from cli.audience import check_audience
from cli.dataset_lines import (
    dataset_json,
    line,
    moment_of,
    parse_labels,
    told,
    validating,
    write,
    write_page,
)
from cli.runtime import actor, open_runtime
from cli.show import counted, print_json, printable
from finetune.dataset.decontaminate import load_gate_set
from finetune.dataset.export import Form, export_dataset
from finetune.dataset.report import lines, page, parts, title_of
from finetune.dataset.wanted import (
    CONTEXT,
    DISTRACTORS,
    REFUSALS,
    VALIDATION_SHARE,
    Canned,
    Wanted,
)
from store.datasets import Format, dataset_sha256, find_dataset, list_datasets, read_rows
from store.examples import propose_liked

if TYPE_CHECKING:
    from finetune.dataset.build import Draft

CHANGED = 1  # exit status of `verify` for a dataset that is not what it was
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
number_argument = click.argument("number", type=int)


@click.group()
def dataset() -> None:
    """Build datasets of approved transcripts, look at them, and export them."""


@dataset.command("build")
@click.option(
    "--format",
    "chosen",
    type=click.Choice(get_args(Format)),
    default="sft",
    show_default=True,
    help="sft: the voice; dpo: what is preferred; raft: answers from passages; routes,"
    " pairs: for the router and the retriever.",
)
@click.option("--name", help="What it is called; by default its format and the month.")
@click.option(
    "--gate-set",
    "gate_sets",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A JSONL file or folder that nothing may be trained on; may be repeated.",
)
@click.option(
    "--gate-dataset",
    "gate_datasets",
    type=int,
    multiple=True,
    help="The number of a dataset whose validation rows are kept apart as well.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what chance would.")
@click.option(
    "--validation-share",
    type=click.FloatRange(0, 0.9),
    default=VALIDATION_SHARE,
    show_default=True,
    help="Of the rows; the newest conversations.",
)
@click.option(
    "--min-quality",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Leave transcripts below it out.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only transcripts with this label; may be repeated.",
)
@click.option("--audience", multiple=True, help="Only transcripts that one of these may see.")
@click.option(
    "--canned",
    type=click.Choice(get_args(Canned)),
    default="keep",
    show_default=True,
    help="What becomes of replies that were suggestions sent as they stood.",
)
@click.option(
    "--distractors",
    type=click.IntRange(1, 20),
    default=DISTRACTORS,
    show_default=True,
    help="Of raft: passages beside the cited ones.",
)
@click.option(
    "--refusals",
    type=click.FloatRange(0, 0.9),
    default=REFUSALS,
    show_default=True,
    help="Of raft: the share of rows without the cited passage.",
)
@click.option(
    "--context",
    type=click.IntRange(128),
    default=CONTEXT,
    show_default=True,
    help="Tokens that a row may have, by an estimate.",
)
@click.option(
    "--transcripts",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Try a file instead of what is approved: shown and counted, kept nowhere.",
)
@click.option("--skip-bad", is_flag=True, help="Leave out what cannot be a row, and say so.")
@click.option(
    "--html",
    "html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as a page as well.",
)
@json_option
def build(
    chosen: Format,
    name: str | None,
    gate_sets: tuple[Path, ...],
    gate_datasets: tuple[int, ...],
    seed: int,
    validation_share: float,
    min_quality: float,
    labels: tuple[str, ...],
    audience: tuple[str, ...],
    canned: Canned,
    distractors: int,
    refusals: float,
    context: int,
    file: Path | None,
    skip_bad: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Build a dataset of approved transcripts; the same rows again are the same dataset."""
    # What builds takes a second to load, and the other commands do without it.
    from finetune.dataset.build import build_dataset, searches  # noqa: PLC0415
    from finetune.dataset.trial import try_file  # noqa: PLC0415
    from retrieval.retriever import Retriever  # noqa: PLC0415

    check_audience(audience)
    wanted = Wanted(
        chosen,
        seed=seed,
        validation_share=validation_share,
        min_quality=min_quality,
        labels=parse_labels(labels),
        audience=audience,
        canned=canned,
        distractors=distractors,
        refusals=refusals,
        context=context,
        skip_bad=skip_bad,
    )
    gates = [load_gate_set(path) for path in gate_sets]
    with open_runtime() as runtime, told(quiet=as_json) as hear:
        engine, workspace_id = runtime.engine, runtime.workspace_id
        gates += [validating(runtime.engine, workspace_id, number) for number in gate_datasets]
        retriever = None
        if searches(engine, workspace_id, chosen):
            retriever = Retriever(engine, workspace_id, runtime.embedder, runtime.embedders.named)
        if file is not None:
            tried = try_file(
                engine,
                workspace_id,
                file,
                wanted,
                hosts=runtime.settings.shown_hosts,
                gates=gates,
                retriever=retriever,
                told=hear,
            )
            _tell_trial(tried, name or file.name, html, as_json=as_json)
            return
        built = build_dataset(
            engine,
            runtime.settings,
            workspace_id,
            chosen,
            name or f"{chosen}-{datetime.now(UTC):%Y-%m}",
            actor(),
            wanted=wanted,
            gates=gates,
            retriever=retriever,
            told=hear,
        )
        if html is not None:
            write_page(html, built, read_rows(engine, built.id))
    if as_json:
        print_json(dataset_json(built))
        return
    click.echo(printable(f"Dataset {built.id}: {built.name}, {built.format}"))
    click.echo(printable("\n".join(lines(built.manifest))))
    click.echo(f"\nTrain on it: footnote finetune start --dataset {built.id} --backend …")


def _tell_trial(tried: "Draft", name: str, html: Path | None, *, as_json: bool) -> None:
    """Print what a file would give."""
    if html is not None:
        write(html, page(f"Trial: {title_of(name, tried.format)}", tried.manifest, tried.rows))
    if as_json:
        print_json({"kept": False, "format": tried.format, "manifest": tried.manifest})
        return
    click.echo(printable(f"A trial with {name}, {tried.format}: kept nowhere. To train on it,"))
    click.echo("import the file with footnote transcripts import, review it and build again.\n")
    click.echo(printable("\n".join(lines(tried.manifest))))


@dataset.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the datasets, the newest first."""
    with open_runtime() as runtime:
        found = list_datasets(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"datasets": [dataset_json(one) for one in found]})
        return
    for one in found:
        click.echo(printable(line(one)))
    if not found:
        click.echo("No dataset is built yet; footnote finetune dataset build makes one.")


@dataset.command("show")
@number_argument
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page with tables and a few rows.",
)
@click.option(
    "--rows",
    "count",
    type=click.IntRange(0, 1_000),
    default=0,
    show_default=True,
    help="Print so many rows as well.",
)
@json_option
def show(number: int, html: Path | None, count: int, as_json: bool) -> None:
    """Show where a dataset's rows come from, what was left out and how it is split."""
    with open_runtime() as runtime:
        found = find_dataset(runtime.engine, runtime.workspace_id, number)
        rows = read_rows(runtime.engine, number) if html or count else []
    if html is not None:
        write_page(html, found, rows)
    if as_json:
        contents = [{"split": row.split, **row.content} for row in rows[:count]]
        print_json(dataset_json(found) | ({"examples": contents} if count else {}))
        return
    click.echo(printable(line(found)))
    click.echo(printable("\n".join(lines(found.manifest))))
    for place, row in enumerate(rows[:count], start=1):
        click.echo(f"\nRow {place}, {row.split}")
        for role, words in parts(row.content):
            click.echo(printable(f"  {role}: {' '.join(words.split())}"))
    if html is not None:
        click.echo(f"\nThe page is {html}.")


@dataset.command("export")
@number_argument
@click.option(
    "--form",
    type=click.Choice(get_args(Form)),
    default="openai",
    show_default=True,
    help="openai and trl: as they read it; rows: as it is kept.",
)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder for train.jsonl and validation.jsonl.",
)
@json_option
def export(number: int, form: Form, folder: Path, as_json: bool) -> None:
    """Write a dataset's rows as JSONL, readable by your account alone."""
    with open_runtime() as runtime:
        found = find_dataset(runtime.engine, runtime.workspace_id, number)
        paths = export_dataset(found, read_rows(runtime.engine, number), form, folder)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
        return
    for path in paths:
        click.echo(str(path))


@dataset.command("verify")
@number_argument
@json_option
def verify(number: int, as_json: bool) -> None:
    """Compute a dataset's hash from its rows and compare it with the one that was kept."""
    with open_runtime() as runtime:
        found = find_dataset(runtime.engine, runtime.workspace_id, number)
        rows = read_rows(runtime.engine, number)
    computed = dataset_sha256(found.format, rows)
    same = computed == found.sha256 == found.manifest.get("sha256")
    if as_json:
        print_json(
            {
                "dataset": number,
                "kept": found.sha256,
                "computed": computed,
                "same": same,
                "withdrawn_at": moment_of(found),
            }
        )
    elif same:
        click.echo(f"Dataset {number} is what was built: {len(rows):,} rows, sha256 {computed}.")
    else:
        why = (
            "rows went with their transcripts, and it is withdrawn"
            if found.withdrawn_at
            else "its rows were changed in the database"
        )
        click.echo(f"Dataset {number} is not what was built: {why}.")
    if not same:
        raise click.exceptions.Exit(CHANGED)


@dataset.command("propose")
@json_option
def propose(as_json: bool) -> None:
    """Let answers that people liked wait for review: approved, they teach to find and to cite."""
    with open_runtime() as runtime, runtime.engine.begin() as connection:
        added = propose_liked(connection, runtime.workspace_id, actor())
    if as_json:
        print_json({"proposed": added})
    elif added:
        answers = counted(added, "answer")
        click.echo(f"{answers} to review: footnote transcripts curate, then review.")
    else:
        click.echo("No other answer was liked that quotes a document.")
