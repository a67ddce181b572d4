"""`footnote documents`: what there is to answer from, and each document through its versions."""

import sys
from datetime import UTC, datetime
from typing import Any

import click
from rapidfuzz import process

from cli.document_lines import (
    change_lines,
    document_line,
    document_row,
    history_lines,
    shown_lines,
    version_row,
)
from cli.runtime import Moment, Runtime, actor, open_runtime
from cli.show import counted, day, print_json, printable
from core.errors import ConfigurationError, FootnoteError, NotFoundError
from ingestion.changes import SectionChange, in_one_line, section_changes, stored_wording
from store.documents import read_versions
from store.history import (
    Held,
    PastVersion,
    delete_document,
    find_documents,
    list_documents,
    read_history,
    read_warnings,
    restore_version,
    undelete_document,
)

NEARLY = 60.0  # percent alike, from which on a name was meant for another

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
as_of_option = click.option("--as-of", type=Moment(), help="As it was then, or will be.")


class AmbiguousNameError(FootnoteError):
    """A title that several documents have was given where one is meant."""


@click.group(invoke_without_command=True)
@as_of_option
@json_option
@click.pass_context
def documents(context: click.Context, as_of: datetime | None, as_json: bool) -> None:
    """List documents; show, compare, restore and delete versions. Alone: what is in force."""
    if context.invoked_subcommand is None:
        print_list(as_of, everything=False, as_json=as_json)
    elif as_of is not None or as_json:
        raise click.UsageError(f"put the options behind {context.invoked_subcommand}", context)


@documents.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what is not in force or deleted.")
@as_of_option
@json_option
def list_command(everything: bool, as_of: datetime | None, as_json: bool) -> None:
    """List documents with version, date, source and who may read them."""
    print_list(as_of, everything=everything, as_json=as_json)


def print_list(as_of: datetime | None, *, everything: bool, as_json: bool) -> None:
    """Print the documents in force, or all there are."""
    now = as_of or datetime.now(UTC)
    with open_runtime() as runtime:
        found = list_documents(runtime.engine, runtime.workspace_id, now)
    shown = [held for held in found if everything or held.in_force]
    if as_json:
        print_json({"documents": [document_row(held) for held in shown]})
        return
    for held in shown:
        click.echo(document_line(held, now, full=everything))
    in_force = sum(held.in_force for held in shown)
    rest = f", {len(shown) - in_force} not" if len(shown) > in_force else ""
    click.echo(f"{counted(in_force, 'document')} in force{rest}")


@documents.command("show")
@click.argument("name", metavar="KEY")
@click.option("--version", "number", type=int, help="This version. Default: the one in force.")
@click.option("--text", "with_text", is_flag=True, help="Print its words too.")
@as_of_option
@json_option
def show(
    name: str, number: int | None, with_text: bool, as_of: datetime | None, as_json: bool
) -> None:
    """Show a document and one of its versions. KEY is its key or its title."""
    now = as_of or datetime.now(UTC)
    with open_runtime() as runtime:
        held, past = opened(runtime, name, now)
        version = numbered(held, past, held.number if number is None else number)
        warnings = read_warnings(runtime.engine, runtime.workspace_id, version.id)
        (words,) = read_versions(runtime.engine, runtime.workspace_id, [version.id])
    if as_json:
        row = version_row(version) | {"warnings": warnings}
        told = row | ({"text": words.text} if with_text else {})
        print_json(document_row(held) | {"shown": told})
        return
    click.echo("\n".join(shown_lines(held, version, warnings, now)))
    if with_text:
        click.echo(f"\n{printable(words.text)}")


@documents.command("history")
@click.argument("name", metavar="KEY")
@json_option
def history(name: str, as_json: bool) -> None:
    """List every version of a document, newest first, and what each changed."""
    now = datetime.now(UTC)
    with open_runtime() as runtime:
        held, past = opened(runtime, name, now)
        changes = {version.id: changes_of(runtime, version) for version in past}
    if as_json:
        rows = [version_row(one) | {"changes": summaries(changes[one.id])} for one in past[::-1]]
        print_json(document_row(held) | {"history": rows})
        return
    told = {one: in_one_line(summaries(found)) for one, found in changes.items()}
    click.echo("\n".join(history_lines(held, past, told, now)))


def summaries(changes: tuple[SectionChange, ...]) -> list[str]:
    """Return what changed in each section, a few words each."""
    return [change.summary for change in changes]


def changes_of(runtime: Runtime, version: PastVersion) -> tuple[SectionChange, ...]:
    """Return what a version changed in the one before it in time."""
    if version.before is None:
        return ()
    return compared(runtime, version.before, version.id)


def compared(runtime: Runtime, before: int, after: int) -> tuple[SectionChange, ...]:
    """Return what differs between two versions, by their ids."""
    old, new = (
        stored_wording(runtime.engine, runtime.workspace_id, version_id)
        for version_id in (before, after)
    )
    return section_changes(old, new)


@documents.command("diff")
@click.argument("name", metavar="KEY")
@click.option("--from", "older", type=int, metavar="N", help="The version to compare with.")
@click.option("--to", "newer", type=int, metavar="N", help="The version to compare.")
@json_option
def diff(name: str, older: int | None, newer: int | None, as_json: bool) -> None:
    """Show what changed, section by section.

    Without versions: what the one in force changed, and what each that is to come will.
    """
    now = datetime.now(UTC)
    with open_runtime() as runtime:
        held, past = opened(runtime, name, now)
        pairs = chosen_pairs(held, past, older, newer, now)
        found = [(old, new, compared(runtime, old.id, new.id)) for old, new in pairs]
    if as_json:
        rows = [comparison(old, new, changes) for old, new, changes in found]
        print_json({"document": held.document_key, "comparisons": rows})
        return
    if not found:
        click.echo(f"{printable(held.title)} has one version: there is nothing to compare.")
    for place, (old, new, changes) in enumerate(found):
        click.echo("\n" * bool(place) + "\n".join(change_lines(old, new, changes, now)))


def comparison(
    old: PastVersion, new: PastVersion, changes: tuple[SectionChange, ...]
) -> dict[str, Any]:
    """Return what differs between two versions as JSON types."""
    return {
        "from": old.number,
        "to": new.number,
        "title_before": old.title,
        "title": new.title,
        "effective_from": new.effective_from.isoformat(),
        "changes": [change.to_json() for change in changes],
    }


def chosen_pairs(
    held: Held,
    past: list[PastVersion],
    older: int | None,
    newer: int | None,
    now: datetime,
) -> list[tuple[PastVersion, PastVersion]]:
    """Return the versions to compare: those named, else each that counts with the one before."""
    by_id = {version.id: version for version in past}
    if older is not None or newer is not None:
        new = numbered(held, past, held.number if newer is None else newer)
        if older is not None:
            return [(numbered(held, past, older), new)]
        if new.before is None:
            raise NotFoundError(
                f"Version {new.number} has none before it; name another one with --from."
            )
        return [(by_id[new.before], new)]
    shown = numbered(held, past, held.number)
    later = [version for version in past if version.effective_from > now and version != shown]
    ordered = [shown, *sorted(later, key=lambda one: (one.effective_from, one.number))]
    return [(by_id[one.before], one) for one in ordered if one.before is not None]


@documents.command("restore")
@click.argument("name", metavar="KEY")
@click.option("--version", "number", type=int, metavar="N", help="The version to bring back.")
@click.option("--effective-from", type=Moment(day_ends=False), help="Default: now.")
@json_option
def restore(name: str, number: int | None, effective_from: datetime | None, as_json: bool) -> None:
    """Publish a version's words again as a new version; or bring a deleted document back."""
    if number is None and effective_from is not None:
        raise ConfigurationError("Name the version to restore from that date (--version N).")
    with open_runtime() as runtime:
        engine, workspace_id = runtime.engine, runtime.workspace_id
        held = named(runtime, name, datetime.now(UTC))
        if number is None:
            done = undelete_document(engine, workspace_id, held.id, actor())
        else:
            done = restore_version(
                engine, workspace_id, held.id, number, actor(), effective_from=effective_from
            )
        now = datetime.now(UTC)
        (held,) = find_documents(engine, workspace_id, held.document_key, now)
    if as_json:
        print_json(document_row(held) | {"restored_as": done.number, "restored_from": number})
        return
    back = f"has the words of version {number}" if number is not None else "is back"
    begin = f", in force from {day(done.effective_from)}" if done.is_new else ""
    click.echo(f"Version {done.number} of {printable(held.title)} {back}{begin}.")
    if not held.in_force:
        click.echo("No version is in force now.")
    elif held.number != done.number:
        click.echo(f"Version {held.number} is in force now.")


@documents.command("delete")
@click.argument("name", metavar="KEY")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Answer nothing from a document any more. Old citations still open; restore undoes it."""
    with open_runtime() as runtime:
        held = named(runtime, name, datetime.now(UTC))
        title = f"{printable(held.title)} ({printable(held.document_key)})"
        if not yes and held.deleted_at is None and not held.watched:
            confirm(f"Delete {title}, {counted(held.versions, 'version')}?")
        delete_document(runtime.engine, runtime.workspace_id, held.id, actor())
    if as_json:
        print_json({"document": held.document_key, "title": held.title, "deleted": True})
        return
    click.echo(f"{title} is deleted: nothing is answered from it, and old citations still open.")


def confirm(question: str) -> None:
    """Ask whoever is at the terminal. Raises ConfigurationError where nobody is."""
    if not sys.stdin.isatty():
        raise ConfigurationError("Nobody is here to confirm this; add --yes.")
    click.confirm(question, abort=True, err=True)


# --- which one is meant --------------------------------------------------------------------


def named(runtime: Runtime, name: str, now: datetime) -> Held:
    """Return the one document with that key or title. Raises NotFoundError, AmbiguousNameError."""
    found = find_documents(runtime.engine, runtime.workspace_id, name, now)
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(printable(held.document_key) for held in found)
        raise AmbiguousNameError(
            f"{len(found)} documents have the title {printable(found[0].title)}; name one by its"
            f" key: {keys}."
        )
    there = list_documents(runtime.engine, runtime.workspace_id, now)
    names = [one for held in there for one in (held.document_key, held.title)]
    near = process.extractOne(name, names, score_cutoff=NEARLY)
    hint = f"did you mean {printable(near[0])}?" if near else "documents list --all shows them."
    raise NotFoundError(f"There is no document {printable(name)}; {hint}")


def opened(runtime: Runtime, name: str, now: datetime) -> tuple[Held, list[PastVersion]]:
    """Return the document with that key or title, and its versions by number."""
    held = named(runtime, name, now)
    return held, read_history(runtime.engine, runtime.workspace_id, held.id, now)


def numbered(held: Held, past: list[PastVersion], number: int) -> PastVersion:
    """Return a version by its number. Raises NotFoundError saying which there are."""
    for version in past:
        if version.number == number:
            return version
    numbers = ", ".join(str(version.number) for version in past)
    raise NotFoundError(f"{printable(held.title)} has no version {number}; there is {numbers}.")
