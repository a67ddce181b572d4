"""`footnote transcripts`: exchanges of people, from which the voice is learned."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from cli.audience import check_audience
from cli.runtime import Runtime, actor, open_runtime
from cli.show import counted, print_json
from store.access import EVERYONE
from store.curation import count_unread, curation_stats
from store.names import BY_HAND, save_names
from store.transcripts import (
    Origin,
    TranscriptState,
    find_transcript,
    list_transcripts,
    said_json,
)

# What redacts and reads files is imported where it is used: this module is imported for help too.
if TYPE_CHECKING:
    from finetune.curate import CurationReport

FLAGS = ("policy_fact", "secret", "poor")  # findings that keep nothing apart
COLUMNS = ("id", "role", "text", "question", "answer")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
number_argument = click.argument("number", type=click.IntRange(1))
numbers_argument = click.argument("numbers", type=click.IntRange(1), nargs=-1)
state_option = click.option(
    "--state", type=click.Choice(get_args(TranscriptState)), help="Only those in this state."
)


@click.group()
def transcripts() -> None:
    """Collect exchanges, look at them, and keep the good ones as examples of the voice."""


@transcripts.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--audience", multiple=True, help="Who may see them; repeatable. Default: everyone.")
@click.option("--skip-bad", is_flag=True, help="Import the other rows where some are bad.")
@click.option("--column", "columns", multiple=True, help="Of CSV: question=Frage; repeatable.")
@click.option("--later", is_flag=True, help="Leave the first pass to a worker.")
@json_option
def import_file(
    file: Path,
    audience: tuple[str, ...],
    skip_bad: bool,
    columns: tuple[str, ...],
    later: bool,
    as_json: bool,
) -> None:
    """Add the exchanges in FILE: JSONL, JSON or CSV, also compressed by gzip.

    Read are chat messages (OpenAI's form), role and text, question and answer, tickets with
    comments, and conversations with parts. The same file again adds nothing.
    """
    from finetune.imports import import_file as read_in  # noqa: PLC0415 - see above

    check_audience(audience)
    with open_runtime() as runtime:
        report = read_in(
            runtime.engine,
            runtime.workspace_id,
            file,
            actor=actor(),
            audience=audience or (EVERYONE,),
            columns=_columns(columns),
            skip_bad=skip_bad,
        )
        read = None if later else _first_pass(runtime, quiet=as_json)
    if as_json:
        print_json(report.to_json() | {"first_pass": read.to_json() if read else None})
        return
    known = report.read - report.added
    told = [f"{counted(report.added, 'new transcript')} from {report.file}"]
    told += [f"{known} known already"] if known else []
    told += [f"{counted(report.bad, 'bad row')} skipped"] if report.bad else []
    click.echo(", ".join(told))
    for problem in report.problems:
        click.echo(f"  {problem}")
    if read is not None:
        click.echo(_told(read))


def _columns(written: tuple[str, ...]) -> dict[str, str]:
    named = {}
    for one in written:
        ours, _, theirs = one.partition("=")
        if ours not in COLUMNS or not theirs:
            raise click.BadParameter(
                f"{one!r}: write one of {', '.join(COLUMNS)}, = and the column's name.",
                param_hint="--column",
            )
        named[ours] = theirs
    return named


@transcripts.command("curate")
@json_option
def curate_now(as_json: bool) -> None:
    """Do the first pass now: redact, find duplicates and what must not be learned."""
    with open_runtime() as runtime:
        report = _first_pass(runtime, quiet=as_json)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo(_told(report))


def _first_pass(runtime: Runtime, *, quiet: bool = False) -> "CurationReport":
    from finetune.curate import curate  # noqa: PLC0415 - see above

    unread = count_unread(runtime.engine, runtime.workspace_id)
    shown = unread > 1 and not quiet
    with click.progressbar(length=unread, label="First pass", hidden=not shown) as bar:
        return curate(
            runtime.engine,
            runtime.workspace_id,
            runtime.settings.shown_hosts,
            lambda done, total: bar.update(min(done, total) - bar.pos),
        )


def _told(report: "CurationReport") -> str:
    replaced = sum(report.redactions.values())
    return (
        f"{counted(report.read, 'transcript')} read: {counted(replaced, 'placeholder')} put in,"
        f" {counted(report.duplicates, 'duplicate')}, {report.quarantined} kept apart"
    )


@transcripts.command("list")
@state_option
@click.option("--origin", type=click.Choice(get_args(Origin)), help="Only those from there.")
@click.option("--finding", help="Only those in which this was found: link, policy_fact …")
@click.option("--clean", is_flag=True, help="Only those in which nothing was found.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only those behind this number.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def list_all(
    state: TranscriptState | None,
    origin: Origin | None,
    finding: str | None,
    clean: bool,
    after: int,
    limit: int,
    as_json: bool,
) -> None:
    """List transcripts, the oldest first, with what was found in them."""
    from cli.transcript_lines import list_line  # noqa: PLC0415 - see above
    from finetune.review import to_json  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        found = list_transcripts(
            runtime.engine,
            runtime.workspace_id,
            state,
            limit,
            after=after,
            origin=origin,
            finding=finding,
            clean=clean,
        )
    if as_json:
        print_json({"transcripts": [to_json(one) for one in found]})
        return
    for one in found:
        click.echo(list_line(one))
    if len(found) == limit:
        click.echo(
            f"There may be more: --after {found[-1].id} goes on, --limit shows more at once."
        )
    if not found:
        click.echo("There are none; transcripts import FILE adds some.")


@transcripts.command("show")
@number_argument
@click.option("--original", is_flag=True, help="The words as they came, while they are kept.")
@json_option
def show(number: int, original: bool, as_json: bool) -> None:
    """Show transcript NUMBER with what was found in it and what it would teach."""
    from cli.transcript_lines import detail_lines  # noqa: PLC0415 - see above
    from finetune.review import to_json  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        one = find_transcript(runtime.engine, runtime.workspace_id, number)
    if as_json:
        print_json(to_json(one, original=original))
        return
    for line in detail_lines(one, original=original):
        click.echo(line)


@transcripts.command("review")
@click.option("--quarantined", is_flag=True, help="Look at what was kept apart.")
@json_option
def review(quarantined: bool, as_json: bool) -> None:
    """Look at what waits, one after the other; a key for each decision, ? tells them."""
    from cli.transcript_review import Review  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        if count_unread(runtime.engine, runtime.workspace_id):
            click.echo(_told(_first_pass(runtime)), err=as_json)
        sitting = Review(runtime.engine, runtime.workspace_id, actor(), quarantined=quarantined)
        sitting.run()
        summary = sitting.summary()
    if as_json:
        print_json({"decided": dict(sitting.done)})
    else:
        click.echo(summary)


@transcripts.command("approve")
@numbers_argument
@click.option("--all-clean", is_flag=True, help="All that wait in which nothing was found.")
@click.option(
    "--despite",
    multiple=True,
    type=click.Choice(FLAGS),
    help="With --all-clean: this finding does no harm; repeatable.",
)
@click.option("--anyway", is_flag=True, help="Also what was kept apart.")
@json_option
def approve_some(
    numbers: tuple[int, ...],
    all_clean: bool,
    despite: tuple[str, ...],
    anyway: bool,
    as_json: bool,
) -> None:
    """Make examples of transcripts NUMBERS, or of all that are clean."""
    from finetune.review import approve_clean, decide_all  # noqa: PLC0415 - see above

    if bool(numbers) == all_clean:
        raise click.UsageError("name transcripts by their numbers, or take --all-clean")
    with open_runtime() as runtime:
        place = (runtime.engine, runtime.workspace_id)
        if all_clean:
            done = approve_clean(*place, actor(), despite)
        else:
            done = decide_all(*place, numbers, "approved", actor(), anyway=anyway)
    _print_done("approved", done, as_json)


@transcripts.command("reject")
@numbers_argument
@json_option
def reject_some(numbers: tuple[int, ...], as_json: bool) -> None:
    """Keep transcripts NUMBERS from being examples, for good."""
    from finetune.review import decide_all  # noqa: PLC0415 - see above

    if not numbers:
        raise click.UsageError("name transcripts by their numbers")
    with open_runtime() as runtime:
        done = decide_all(runtime.engine, runtime.workspace_id, numbers, "rejected", actor())
    _print_done("rejected", done, as_json)


@transcripts.command("delete")
@numbers_argument
@json_option
def delete_some(numbers: tuple[int, ...], as_json: bool) -> None:
    """Delete transcripts NUMBERS for good; datasets that hold them are withdrawn."""
    from finetune.review import delete_all  # noqa: PLC0415 - see above

    if not numbers:
        raise click.UsageError("name transcripts by their numbers")
    with open_runtime() as runtime:
        withdrawn = delete_all(runtime.engine, runtime.workspace_id, numbers, actor())
    if as_json:
        print_json({"deleted": sorted(set(numbers)), "withdrawn_datasets": withdrawn})
        return
    click.echo(f"{counted(len(set(numbers)), 'transcript')} deleted.")
    if withdrawn:
        told = ", ".join(map(str, withdrawn))
        click.echo(f"Withdrawn, since they held them: datasets {told}.")


@transcripts.command("reopen")
@number_argument
@json_option
def reopen_one(number: int, as_json: bool) -> None:
    """Let transcript NUMBER wait again; datasets that hold it are withdrawn."""
    from finetune.review import reopen  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        _, withdrawn = reopen(runtime.engine, runtime.workspace_id, number, actor())
    if as_json:
        print_json({"reopened": number, "withdrawn_datasets": withdrawn})
        return
    click.echo(f"Transcript {number} waits again.")
    if withdrawn:
        told = ", ".join(map(str, withdrawn))
        click.echo(
            f"Withdrawn, since they hold it: {counted(len(withdrawn), 'dataset')} ({told})."
        )


@transcripts.command("edit")
@number_argument
@click.option(
    "--words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the messages, each beginning with asker: or team:. Default: $EDITOR.",
)
@json_option
def edit_one(number: int, words: Path | None, as_json: bool) -> None:
    """Change the words of transcript NUMBER; personal data in them is replaced too."""
    from cli.transcript_lines import detail_lines  # noqa: PLC0415 - see above
    from cli.transcript_review import NOTE  # noqa: PLC0415 - see above
    from finetune.review import as_text, edit, from_text, to_json  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        one = find_transcript(runtime.engine, runtime.workspace_id, number)
        if words is not None:
            written: str | None = words.read_text(encoding="utf-8", errors="replace")
        else:
            written = click.edit(NOTE + as_text(one.words))
        if written is not None:
            messages = from_text(written, one.words)
            one = edit(
                runtime.engine,
                runtime.workspace_id,
                number,
                messages,
                actor(),
                revision=one.revision,
            )
    if as_json:
        print_json(to_json(one))
        return
    for line in detail_lines(one):
        click.echo(line)


@transcripts.command("label")
@number_argument
@click.argument("labels", nargs=-1, required=True)
@json_option
def label_one(number: int, labels: tuple[str, ...], as_json: bool) -> None:
    """Label transcript NUMBER, such as route=policy tone=warm,short; `route=` takes one away."""
    from cli.transcript_lines import label_words  # noqa: PLC0415 - see above
    from finetune.labels import parse_labels  # noqa: PLC0415 - see above
    from finetune.review import label, to_json  # noqa: PLC0415 - see above

    parsed = parse_labels(" ".join(labels))
    with open_runtime() as runtime:
        one = label(runtime.engine, runtime.workspace_id, number, parsed, actor())
    if as_json:
        print_json(to_json(one))
    else:
        click.echo(f"Transcript {number}: {label_words(one) or 'no labels'}")


@transcripts.command("export")
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list in place of lines.")
def export(state: TranscriptState | None, as_json: bool) -> None:
    """Print redacted words and labels as JSONL, of examples unless told otherwise."""
    with open_runtime() as runtime:
        found = list_transcripts(runtime.engine, runtime.workspace_id, state or "approved", None)
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "messages": [said_json(said) for said in one.words],
            "labels": one.labels,
            "origin": one.origin,
        }
        for one in found
        if one.words
    ]
    if as_json:
        print_json({"transcripts": rows})
        return
    for row in rows:
        click.echo(json.dumps(row, ensure_ascii=False))


@transcripts.command("stats")
@json_option
def stats(as_json: bool) -> None:
    """Count transcripts by state, origin, findings, replaced data and labels."""
    from cli.transcript_lines import stat_lines  # noqa: PLC0415 - see above

    with open_runtime() as runtime:
        counts = curation_stats(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json(vars(counts))
        return
    for line in stat_lines(counts):
        click.echo(line)
    if not counts.states:
        click.echo("There are no transcripts; transcripts import FILE adds some.")


@transcripts.command("names")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def names(file: Path, as_json: bool) -> None:
    """Have the names in FILE replaced from now on, one on each line, beside those Slack tells.

    What was read before is not read again.
    """
    lines = file.read_text(encoding="utf-8", errors="replace").replace("\x00", "").splitlines()
    named = sorted({" ".join(line.split())[:200] for line in lines if line.strip()})
    with open_runtime() as runtime:
        save_names(runtime.engine, runtime.workspace_id, {BY_HAND: named})
    if as_json:
        print_json({"names": len(named)})
    else:
        click.echo(f"{counted(len(named), 'name')} given by hand.")


def _print_done(what: str, numbers: list[int], as_json: bool) -> None:
    if as_json:
        print_json({what: numbers})
    else:
        click.echo(f"{counted(len(numbers), 'transcript')} {what}.")
