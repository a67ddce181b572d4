"""`footnote ingest`: files and folders into the knowledge base."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.audience import check_audience
from cli.following import JobFailedError, follow_job
from cli.runtime import Moment, Runtime, actor, open_runtime
from cli.show import counted, print_json
from core.errors import ConfigurationError, FootnoteError, NotFoundError
from ingestion.errors import display_name, printable
from ingestion.ingest import NOTHING_GIVEN, SANDBOX, Given, Ingester, media_type
from ingestion.jobs import NOBODY, Sender, run_file_job, submit_file
from ingestion.outcomes import outcome_of, refused
from ingestion.parse.visible import visible
from ingestion.sniff import refuse_size
from store.publish import File

MAX_NAME = 500  # characters, as of a value in front matter


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--audience",
    multiple=True,
    metavar="PRINCIPAL",
    help="Who may read: everyone, external, channel:<id> or group:<id>; repeatable."
    " Default: everyone, or as it was.",
)
@click.option(
    "--document", metavar="KEY", help="The document it is a version of. Default: from the file."
)
@click.option("--title", help="Its title. Default: from the file.")
@click.option(
    "--effective-from",
    type=Moment(day_ends=False),
    help="In force from then. Default: from the file, or now.",
)
@click.option(
    "--effective-to", type=Moment(day_ends=False), help="Until then. Default: from the file."
)
@click.option("--author", help="Who wrote or sends it. Default: you.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def ingest(
    paths: tuple[Path, ...],
    audience: tuple[str, ...],
    document: str | None,
    title: str | None,
    effective_from: datetime | None,
    effective_to: datetime | None,
    author: str | None,
    as_json: bool,
) -> None:
    """Add the files or folders at PATHS as versions of their documents.

    Markdown, HTML, text, PDF, DOCX, ODT, CSV and EML; PPTX and XLSX with the extra "formats".
    What a file holds tells how it is read, whatever its name.
    """
    check_audience(audience)
    document, title = read_name("--document", document), read_name("--title", title)
    given = Given(document, title, effective_from, effective_to)
    files = list(find_files(paths))
    refuse_one_name_for_many(given, files)
    sender = Sender(author=read_name("--author", author) or actor())
    with open_runtime() as runtime:
        outcomes = ingest_files(
            runtime, files, audience or None, given=given, sender=sender, quiet=as_json
        )
    failed = [outcome for outcome in outcomes if "error" in outcome]
    if as_json:
        print_json({"files": outcomes})
    else:
        click.echo(totals(outcomes))
    if failed:
        raise click.exceptions.Exit(1)


def read_name(option: str, value: str | None) -> str | None:
    """Return a name from the command line as a file's own would be read: visible, on one line.

    Raises ConfigurationError where nothing of it can be seen.
    """
    if value is None:
        return None
    name = visible(value)[:MAX_NAME]
    if not name:
        raise ConfigurationError(f"{option} is empty; leave it out, or write a name.")
    return name


def refuse_one_name_for_many(given: Given, files: Sequence[object]) -> None:
    """Keep files from becoming versions of one another. Raises ConfigurationError."""
    if len(files) > 1 and (given.document or given.title):
        option = "--document" if given.document else "--title"
        raise ConfigurationError(
            f"{option} names one document, and these are {len(files)} files; give one at a time."
        )


def find_files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Return each file with the name it is shown by: within its folder, never a whole path.

    Hidden files are left out; what cannot be read is refused by name when its turn comes.
    Raises NotFoundError for a path that is not there or a folder without files.
    """
    for path in paths:
        if path.is_dir():
            inside = [p for p in _visible(path) if p.is_file()]
            if not inside:
                raise NotFoundError(f"{path} holds no files; name another folder.")
            yield from ((p, printable(p.relative_to(path).as_posix())) for p in inside)
        elif path.is_file():
            yield path, printable(path.name)
        elif path.exists():
            raise NotFoundError(f"{path} is not a file or a folder; name one that is.")
        else:
            raise NotFoundError(f"{path} is not there; check the path.")


def _visible(root: Path) -> Iterator[Path]:
    """Return what a folder shows, sorted, and tell of links that lead out of it."""
    home = root.resolve()
    for path in sorted(root.rglob("*")):
        if _hidden(path, root) or not path.exists():
            continue
        if path.resolve().is_relative_to(home):
            yield path
        elif path.is_symlink():
            click.echo(f"  – {path} is a link that leads out of {root}: left out", err=True)


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def ingest_files(
    runtime: Runtime,
    files: Sequence[tuple[Path, str]],
    audience: Sequence[str] | None,
    *,
    given: Given = NOTHING_GIVEN,
    sender: Sender = NOBODY,
    quiet: bool = False,
    lines: bool = True,
) -> list[dict[str, Any]]:
    """Ingest each file as a job of its own, with a bar and a line for each; return outcomes."""
    console = Console(stderr=True, quiet=quiet)
    outcomes = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("Ingesting", total=len(files))
        twins = unnamed_twins(files)
        for path, name in files:
            progress.update(task, description=name[-40:])
            outcome = twins.get(path) or _ingest_one(runtime, path, name, audience, given, sender)
            outcomes.append(outcome)
            if lines or "error" in outcome:
                console.print(summary(outcome), markup=False, highlight=False, soft_wrap=True)
            progress.advance(task)
    return outcomes


def unnamed_twins(files: Sequence[tuple[Path, str]]) -> dict[Path, dict[str, Any]]:
    """Return refusals for files that would become versions of another by their name alone.

    That is each file, but for the first, whose display name others have too and that names no
    document itself. The same file given twice is no twin of its own.
    """
    named: dict[str, list[Path]] = {}
    for path, name in files:
        named.setdefault(name, []).append(path)
    refused = {}
    for name, paths in named.items():
        if len({path.resolve() for path in paths}) == 1:
            continue
        first, *others = [path for path in paths if _names_no_document(path, name)] or paths[:1]
        for path in others:
            if path.resolve() != first.resolve():
                refused[path] = {"file": name, "error": _twin_error(path, first, name)}
    return refused


def _twin_error(path: Path, first: Path, name: str) -> str:
    return (
        f"{path} would become a version of {first}, as both go by the name {name}; name the"
        " document in its front matter (document: …), or give the files separate names."
    )


def _names_no_document(path: Path, name: str) -> bool:
    """Whether a file that can be read goes by its name alone."""
    try:
        refuse_size(display_name(name), path.stat().st_size)
        return SANDBOX.parse(name, path.read_bytes()).document_key is None
    except (FootnoteError, OSError):
        return False  # it will be refused for that


def _ingest_one(
    runtime: Runtime,
    path: Path,
    name: str,
    audience: Sequence[str] | None,
    given: Given,
    sender: Sender,
) -> dict[str, Any]:
    try:
        refuse_size(display_name(name), path.stat().st_size)
        file = File(name, media_type(name), path.read_bytes())
        job_id = submit_file(
            runtime.engine, runtime.workspace_id, file, audience, given=given, sender=sender
        )
        return run_or_follow(runtime, name, job_id)
    except FootnoteError as error:
        return {"file": name, "error": str(error)}
    except OSError as error:
        return {"file": name, "error": f"{name} cannot be read: {error.strerror}."}


def run_or_follow(runtime: Runtime, name: str, job_id: int) -> dict[str, Any]:
    """Do a job here, or wait for the worker that took it; return its outcome.

    A job whose worker was killed is taken over once its lease has run out.
    """
    ingester = Ingester(
        runtime.engine, runtime.workspace_id, runtime.embedder, runtime.embedders.named
    )

    def run() -> dict[str, Any] | None:
        report = run_file_job(ingester, job_id)
        return report.to_json() if report is not None else None

    try:
        return follow_job(runtime, job_id, run, name)
    except JobFailedError as error:
        return {"file": name, "error": str(error)}


def summary(outcome: dict[str, Any]) -> str:
    """Return the lines a person reads about one file."""
    told = refused(outcome["error"]) if "error" in outcome else outcome_of(outcome)
    return "\n".join([f"  {told.marked}", *(f"      {note}" for note in told.notes)])


def totals(outcomes: Sequence[dict[str, Any]]) -> str:
    """Return the last line: what came of all files."""
    failed = sum("error" in outcome for outcome in outcomes)
    new = sum(bool(outcome.get("new_version")) for outcome in outcomes)
    same = len(outcomes) - failed - new
    parts = [f"{new} new", f"{same} unchanged"] + ([f"{failed} refused"] if failed else [])
    return f"{counted(len(outcomes), 'file')}: " + ", ".join(parts)
