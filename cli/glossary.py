"""`footnote glossary`: acronyms and what they stand for, which questions are searched with."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from cli.glossary_files import as_csv, read_pairs
from cli.runtime import actor, open_runtime
from cli.show import print_json, printable
from retrieval.glossary import checked_pair
from store.glossary import (
    Entry,
    Pair,
    State,
    accept,
    active_pairs,
    add_entries,
    dismiss,
    list_entries,
    remove,
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
term_argument = click.argument("term")
expansion_argument = click.argument("expansion", required=False)


@click.group()
def glossary() -> None:
    """Keep the acronyms and other words that questions are searched with."""


@glossary.command("list")
@click.option("--state", type=click.Choice(get_args(State)), help="Only those in this state.")
@json_option
def list_all(state: State | None, as_json: bool) -> None:
    """List the entries: active, suggested by documents, dismissed."""
    with open_runtime() as runtime:
        entries = list_entries(runtime.engine, runtime.workspace_id, state)
    if as_json:
        print_json({"entries": [row(entry) for entry in entries]})
        return
    for entry in entries:
        click.echo(line(entry))
    if not entries:
        what = f"{state} entries" if state else "entries"
        click.echo(f"There are no {what}; glossary add TERM EXPANSION makes one.")


@glossary.command("add")
@term_argument
@click.argument("expansion")
@json_option
def add_one(term: str, expansion: str, as_json: bool) -> None:
    """Search for EXPANSION too where a question says TERM, and the other way round."""
    pair = checked_pair(term, expansion)
    with open_runtime() as runtime:
        added = add_entries(runtime.engine, runtime.workspace_id, [pair], actor())
    tell("Added", added or [pair], as_json)


@glossary.command("accept")
@term_argument
@expansion_argument
@json_option
def accept_one(term: str, expansion: str | None, as_json: bool) -> None:
    """Use what documents suggest for TERM: all its meanings, or the one in EXPANSION."""
    with open_runtime() as runtime:
        pairs = accept(runtime.engine, runtime.workspace_id, term, expansion, actor())
    tell("Accepted", pairs, as_json)


@glossary.command("dismiss")
@term_argument
@expansion_argument
@json_option
def dismiss_one(term: str, expansion: str | None, as_json: bool) -> None:
    """Stop using TERM, or its meaning EXPANSION, and never suggest it again."""
    with open_runtime() as runtime:
        pairs = dismiss(runtime.engine, runtime.workspace_id, term, expansion, actor())
    tell("Dismissed", pairs, as_json)


@glossary.command("remove")
@term_argument
@expansion_argument
@json_option
def remove_one(term: str, expansion: str | None, as_json: bool) -> None:
    """Forget TERM, or its meaning EXPANSION; a document may suggest it again."""
    with open_runtime() as runtime:
        pairs = remove(runtime.engine, runtime.workspace_id, term, expansion, actor())
    tell("Removed", pairs, as_json)


@glossary.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_file(file: Path, as_json: bool) -> None:
    """Add all of FILE: CSV or tabs with two columns, or a JSON object."""
    pairs = read_pairs(file)
    with open_runtime() as runtime:
        added = add_entries(runtime.engine, runtime.workspace_id, pairs, actor())
    if as_json:
        print_json({"read": len(pairs), "added": len(added)})
    else:
        read = "1 entry" if len(pairs) == 1 else f"{len(pairs)} entries"
        click.echo(f"Read {read}; {len(added)} new or written otherwise.")


@glossary.command("export")
@json_option
def export(as_json: bool) -> None:
    """Print what is active as CSV that glossary import reads."""
    with open_runtime() as runtime:
        pairs = active_pairs(runtime.engine, runtime.workspace_id)
    if as_json:
        held: dict[str, list[str]] = {}
        for term, expansion in pairs:
            held.setdefault(term, []).append(expansion)
        print_json(held)
    else:
        click.echo(as_csv(pairs), nl=False)


def tell(done: str, pairs: Sequence[Pair], as_json: bool) -> None:
    """Print which entries were changed."""
    if as_json:
        entries = [{"term": term, "expansion": expansion} for term, expansion in pairs]
        print_json({done.lower(): entries})
        return
    for term, expansion in pairs:
        click.echo(printable(f"{done}: {term} – {expansion}"))


def row(entry: Entry) -> dict[str, str | None]:
    """Return an entry as JSON types."""
    return {
        "term": entry.term,
        "expansion": entry.expansion,
        "state": entry.state,
        "document": entry.document,
    }


def line(entry: Entry) -> str:
    """Return the line about one entry."""
    found = f", found in {entry.document}" if entry.document else ""
    return printable(f"{entry.term:12}  {entry.expansion}  ({entry.state}{found})")
