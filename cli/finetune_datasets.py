"""`footnote finetune dataset`: build datasets of what was approved, look at them, export them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import Engine

from cli.audience import check_audience
from cli.runtime import actor, open_runtime
from cli.show import print_json, printable
from core.errors import FootnoteError
from finetune.dataset.decontaminate import GateSet, gate_set_of, load_gate_set
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
from store.datasets import (
    Dataset,
    DatasetRow,
    Format,
    dataset_sha256,
    find_dataset,
    list_datasets,
    read_rows,
)

if TYPE_CHECKING:
    from finetune.dataset.build import Draft, Told

PRIVATE = 0o600
PEOPLE = frozenset({"user", "assistant", "question", "text", "chosen"})
CHANGED = 1  # exit status of `verify` for a dataset that is not what it was
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
number_argument = click.argument("number", type=int)


class ReportError(FootnoteError):
    """A report cannot be written."""


@click.group()
def dataset() -> None:
    """Build datasets of approved transcripts, look at them, and take them out."""


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
    from finetune.dataset.build import SEARCHING, build_dataset  # noqa: PLC0415
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
        gates += [_validating(runtime.engine, workspace_id, number) for number in gate_datasets]
        retriever = None
        if chosen in SEARCHING:
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
            _write_page(html, built, read_rows(engine, built.id))
    if as_json:
        print_json(dataset_json(built))
        return
    click.echo(printable(f"Dataset {built.id}: {built.name}, {built.format}"))
    click.echo(printable("\n".join(lines(built.manifest))))
    click.echo(f"\nTrain on it: footnote finetune start --dataset {built.id} --backend …")


def _tell_trial(tried: "Draft", name: str, html: Path | None, *, as_json: bool) -> None:
    """Print what a file would give."""
    if html is not None:
        _write(html, page(f"Trial: {title_of(name, tried.format)}", tried.manifest, tried.rows))
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
        _write_page(html, found, rows)
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
                "withdrawn_at": _moment(found),
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


def parse_labels(labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return labels as (name, value); raises a usage error for what has no equals sign."""
    found = []
    for label in labels:
        name, sign, value = label.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise click.BadParameter(f"{label!r}: write NAME=VALUE, such as route=policy.")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def dataset_json(found: Dataset) -> dict[str, Any]:
    """Return a dataset as JSON types."""
    return {
        "id": found.id,
        "name": found.name,
        "format": found.format,
        "sha256": found.sha256,
        "created_by": found.created_by,
        "created_at": found.created_at.isoformat(),
        "withdrawn_at": _moment(found),
        "manifest": found.manifest,
    }


def line(found: Dataset) -> str:
    """Return a dataset in one line."""
    rows = found.manifest.get("rows", {})
    told = f"{rows.get('train', 0):,} + {rows.get('validation', 0):,} rows"
    withdrawn = "  withdrawn" if found.withdrawn_at else ""
    return (
        f"{found.id:>4}  {found.name:<24.24}  {found.format:<6}  {told:<20}"
        f"  {found.created_at:%Y-%m-%d %H:%M}  {found.sha256[:12]}{withdrawn}"
    )


@contextmanager
def told(*, quiet: bool) -> "Iterator[Told]":
    """Show how far a build is, where somebody sees it."""
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("Reading", total=None)
        yield lambda doing, done, total: bar.update(
            task, description=doing, completed=done, total=total
        )


def _validating(engine: Engine, workspace_id: int, number: int) -> GateSet:
    """Return the words of people in a dataset's validation rows."""
    found = find_dataset(engine, workspace_id, number)
    rows = [
        [words for name, words in parts(row.content) if name in PEOPLE]
        for row in read_rows(engine, number)
        if row.split == "validation"
    ]
    return gate_set_of(f"dataset {number} ({found.name})", rows)


def _write_page(path: Path, found: Dataset, rows: Sequence[DatasetRow]) -> None:
    title = title_of(found.name, found.format, found.id)
    withdrawn = f"{found.withdrawn_at:%Y-%m-%d}" if found.withdrawn_at else None
    _write(path, page(title, found.manifest, rows, withdrawn))


def _write(path: Path, words: str) -> None:
    """Write a page that this account alone can read: it holds words of people."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=PRIVATE)
        path.chmod(PRIVATE)
        path.write_text(words, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"{path} cannot be written ({error.strerror}); name another file."
        ) from error


def _moment(found: Dataset) -> str | None:
    return found.withdrawn_at.isoformat() if found.withdrawn_at else None
