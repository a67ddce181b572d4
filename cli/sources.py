"""`footnote sources`: places that are watched for documents."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cli.audience import check_audience
from cli.following import follow_job
from cli.ingest import run_or_follow, summary
from cli.runtime import Runtime, actor, open_runtime
from cli.show import counted, print_json, printable
from core.errors import FootnoteError
from ingestion.places import KINDS, kind_of, scanner_at, scanner_of
from ingestion.watch import run_sync_job, submit_sync
from store.access import EVERYONE
from store.jobs import find_job
from store.source_items import item_failures
from store.sources import (
    NewSource,
    Source,
    add_source,
    change_source,
    find_source,
    list_sources,
    remove_source,
    set_source_state,
)

DEFAULT_EVERY = 900  # seconds
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHORTEST = 10  # seconds
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class NotWatchedError(FootnoteError):
    """A place could not be read when it was to be added."""


class Interval(click.ParamType[int | None]):
    """How often: a number with s, m, h or d, or "manual" for only when asked."""

    name = "interval"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Return seconds, None for manual."""
        if isinstance(value, int) or value is None:
            return value
        written = str(value).strip().lower()
        if written == "manual":
            return None
        found = re.fullmatch(r"(\d{1,6})\s*([smhd])", written)
        if found is None or int(found[1]) * UNITS[found[2]] < SHORTEST:
            self.fail(f"{value!r}: write 30s, 15m, 6h, 1d or manual (10s at least).", param, ctx)
        return int(found[1]) * UNITS[found[2]]


def shown_interval(seconds: int | None) -> str:
    """Return an interval as it is written on the command line."""
    if seconds is None:
        return "manual"
    for unit, size in reversed(UNITS.items()):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


@click.group()
def sources() -> None:
    """Watch folders, pages, git repositories, buckets and Slack channels."""


@sources.command("add")
@click.argument("uri")
@click.option("--name", help="What it is called; default: made from the address.")
@click.option("--kind", type=click.Choice(KINDS), help="Default: told from the address.")
@click.option("--every", type=Interval(), default=DEFAULT_EVERY, help="15m, 6h, 1d, manual …")
@click.option("--owner", help="Who answers for its documents.")
@click.option("--trust", type=click.IntRange(-10, 10), default=0, show_default=True,
              help="Which of two documents leads where they disagree.")  # fmt: skip
@click.option("--audience", multiple=True, metavar="PRINCIPAL", help="Who may read; repeatable.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE",
              help="glob=…, branch=…, include=…, limit=…; repeatable.")  # fmt: skip
@click.option("--sync/--no-sync", "sync_now", default=True, help="Look at it at once.")
@json_option
def add(
    uri: str,
    name: str | None,
    kind: str | None,
    every: int | None,
    owner: str | None,
    trust: int,
    audience: tuple[str, ...],
    options: tuple[str, ...],
    sync_now: bool,
    as_json: bool,
) -> None:
    """Watch the place at URI: a folder, https://…, a git address, s3://…, slack://C… and so on."""
    check_audience(audience)
    kind = kind or kind_of(uri)
    place = str(Path(uri).expanduser().absolute()) if kind == "folder" else uri
    chosen = read_options(options)
    with open_runtime() as runtime:
        scanner_at(kind, place, chosen, runtime.settings)  # refuses what can never be read
        new = NewSource(
            kind=kind,
            name=name or name_of(uri),
            uri=place,
            options=chosen,
            audience=audience or default_audience(kind, uri),
            owner=owner,
            trust=trust,
            every=every,
        )
        source = add_source(runtime.engine, runtime.workspace_id, new, actor())
        outcome = first_look(runtime, source, quiet=as_json) if sync_now else None
        source = find_source(runtime.engine, runtime.workspace_id, source.name)
    if as_json:
        print_json({"source": to_json(source), "look": outcome})
    else:
        click.echo(source_line(source))


def first_look(runtime: Runtime, source: Source, *, quiet: bool) -> dict[str, Any]:
    """Look at a source that was just added; one that cannot be read is not kept."""
    try:
        return sync(runtime, source, quiet=quiet)
    except FootnoteError as error:
        remove_source(runtime.engine, source, actor(), keep_documents=False)
        raise NotWatchedError(
            f"{str(error).rstrip('.')}; {source.uri} was not added (--no-sync adds it anyhow)."
        ) from error


def read_options(options: Sequence[str]) -> dict[str, str]:
    """Return NAME=VALUE pairs. Raises a usage error for anything else."""
    pairs = [option.partition("=") for option in options]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter("write NAME=VALUE.", param_hint="--option")
    return {name: value for name, _, value in pairs}


def name_of(uri: str) -> str:
    """Return a name for an address: its last telling part."""
    parts = [part for part in re.split(r"[/\\?#:]+", uri.removesuffix(".git")) if part]
    telling = [part for part in parts if part not in (".", "..", "index.html", "sitemap.xml")]
    return printable(telling[-1] if telling else uri)[:60] or "source"


def default_audience(kind: str, uri: str) -> tuple[str, ...]:
    """Return who may read what a source holds: what a Slack channel says stays in it."""
    if kind == "slack":
        return (f"channel:{uri.removeprefix('slack://')}",)
    return (EVERYONE,)


@sources.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List the watched sources and how they fare."""
    with open_runtime() as runtime:
        found = list_sources(runtime.engine, runtime.workspace_id)
    if as_json:
        print_json({"sources": [to_json(source) for source in found]})
        return
    for source in found:
        click.echo(source_line(source))
    click.echo(f"{counted(len(found), 'source')} watched")


@sources.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one source with the items that could not be read, and why."""
    with open_runtime() as runtime:
        source = find_source(runtime.engine, runtime.workspace_id, name)
        failures = item_failures(runtime.engine, source.id)
    if as_json:
        told = [{"item": item.key, "reason": item.reason} for item in failures]
        print_json({**to_json(source), "failed_items": told})
        return
    click.echo(source_line(source))
    for label, value in details(source):
        click.echo(f"  {label:<10} {value}")
    for item in failures:
        click.echo(f"  ✗ {printable(item.key)}: {printable(item.reason or '')}")


@sources.command("sync")
@click.argument("name")
@click.option("--accept-empty", is_flag=True, help="Withdraw everything if nothing is left.")
@json_option
def sync_now(name: str, accept_empty: bool, as_json: bool) -> None:
    """Look at the source NAME now and wait until what changed is indexed."""
    with open_runtime() as runtime:
        source = find_source(runtime.engine, runtime.workspace_id, name)
        outcome = sync(runtime, source, accept_empty=accept_empty, quiet=as_json)
    if as_json:
        print_json(outcome)
    if any("error" in file for file in outcome["files"]):
        raise click.exceptions.Exit(1)


def sync(
    runtime: Runtime, source: Source, *, accept_empty: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Look at a source, here or by the worker that takes the job; return what came of it.

    Raises the FootnoteError for which the look failed.
    """
    console = Console(stderr=True, quiet=quiet)
    job_id = submit_sync(runtime.engine, source, accept_empty=accept_empty)
    found = look_or_follow(runtime, source, job_id)
    files = []
    for number in found["jobs"]:
        job = find_job(runtime.engine, number)
        name = str(job.payload["name"]) if job else source.name
        try:
            outcome = run_or_follow(runtime, name, number)
        except FootnoteError as error:
            outcome = {"file": name, "error": str(error)}
        files.append(outcome)
        console.print(summary(outcome), markup=False, highlight=False, soft_wrap=True)
    console.print(look_line(source, found), markup=False, highlight=False, soft_wrap=True)
    return {**found, "files": files}


def look_or_follow(runtime: Runtime, source: Source, job_id: int) -> dict[str, Any]:
    """Do the look here, or wait for the worker that took it."""

    def run() -> dict[str, Any] | None:
        return run_sync_job(runtime.engine, job_id, lambda one: scanner_of(one, runtime.settings))

    return follow_job(runtime, job_id, run, f"the look at {source.name}")


def look_line(source: Source, found: dict[str, Any]) -> str:
    """Return what a look found as a line."""
    parts = [
        f"{found['changed']} new or changed",
        f"{found['unchanged']} unchanged",
        f"{found['withdrawn']} withdrawn",
    ]
    if found["failures"]:
        parts.append(f"{found['failures']} not read (sources show {source.name} says why)")
    return f"{source.name}: {counted(found['items'], 'item')}: " + ", ".join(parts)


@sources.command("pause")
@click.argument("name")
@json_option
def pause(name: str, as_json: bool) -> None:
    """Let the source NAME rest; its documents stay."""
    set_state(name, "paused", as_json)


@sources.command("resume")
@click.argument("name")
@json_option
def resume(name: str, as_json: bool) -> None:
    """Watch the source NAME again."""
    set_state(name, "active", as_json)


def set_state(name: str, state: Any, as_json: bool) -> None:
    """Pause or resume a source and print it."""
    with open_runtime() as runtime:
        source = find_source(runtime.engine, runtime.workspace_id, name)
        set_source_state(runtime.engine, source, state, actor())
        source = find_source(runtime.engine, runtime.workspace_id, name)
    tell(source, as_json)


@sources.command("set")
@click.argument("name")
@click.option("--every", type=Interval(), default=-1, help="15m, 6h, 1d, manual …")
@click.option("--owner", help="Who answers for its documents.")
@click.option("--trust", type=click.IntRange(-10, 10))
@click.option("--audience", multiple=True, metavar="PRINCIPAL", help="Who may read; repeatable.")
@json_option
def set_source(
    name: str,
    every: int | None,
    owner: str | None,
    trust: int | None,
    audience: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change how often the source NAME is looked at, its owner, trust or audience."""
    check_audience(audience)
    with open_runtime() as runtime:
        source = find_source(runtime.engine, runtime.workspace_id, name)
        change_source(
            runtime.engine,
            source,
            actor(),
            every=source.every if every == -1 else every,
            audience=audience or source.audience,
            owner=owner if owner is not None else source.owner,
            trust=trust if trust is not None else source.trust,
        )
        source = find_source(runtime.engine, runtime.workspace_id, name)
    tell(source, as_json)


@sources.command("remove")
@click.argument("name")
@click.option("--keep-documents", is_flag=True, help="Keep answering from them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def remove(name: str, keep_documents: bool, yes: bool, as_json: bool) -> None:
    """Stop watching the source NAME and withdraw its documents."""
    with open_runtime() as runtime:
        source = find_source(runtime.engine, runtime.workspace_id, name)
        if source.documents and not (keep_documents or yes) and sys.stdin.isatty():
            held = counted(source.documents, "document")
            click.confirm(f"Withdraw {held} of {printable(name)}?", abort=True, err=True)
        gone = remove_source(runtime.engine, source, actor(), keep_documents=keep_documents)
    if as_json:
        print_json({"removed": name, "documents_withdrawn": gone})
    elif keep_documents:
        click.echo(f"{name} is no longer watched; its documents stay.")
    else:
        click.echo(f"{name} is no longer watched; {counted(gone, 'document')} withdrawn.")


def tell(source: Source, as_json: bool) -> None:
    """Print one source."""
    if as_json:
        print_json(to_json(source))
    else:
        click.echo(source_line(source))


def to_json(source: Source) -> dict[str, Any]:
    """Return a source as JSON types."""
    moments = ("checked_at", "changed_at", "next_at")
    told = {name: getattr(source, name) for name in moments}
    return {
        "name": source.name,
        "kind": source.kind,
        "uri": source.uri,
        "options": source.options,
        "audience": list(source.audience),
        "owner": source.owner,
        "trust": source.trust,
        "state": source.state,
        "every": shown_interval(source.every),
        **{name: moment.isoformat() if moment else None for name, moment in told.items()},
        "documents": source.documents,
        "failures": source.failures,
        "failure": source.failure,
    }


def details(source: Source) -> list[tuple[str, str]]:
    """Return what `show` tells beside the line."""
    rows = [
        ("place", source.uri),
        ("options", ", ".join(f"{k}={v}" for k, v in source.options.items()) or "none"),
        ("audience", ", ".join(source.audience)),
        ("owner", source.owner or "nobody is named"),
        ("trust", str(source.trust)),
        ("changed", moment(source.changed_at)),
        ("next look", moment(source.next_at) if source.state == "active" else "paused"),
    ]
    return [(label, printable(value)) for label, value in rows]


def source_line(source: Source) -> str:
    """Return the line about one source."""
    mark = "✗" if source.failure else "–" if source.state == "paused" else "✓"
    state = "paused" if source.state == "paused" else f"every {shown_interval(source.every)}"
    if source.every is None and source.state != "paused":
        state = "when asked"
    parts = [
        f"{mark} {printable(source.name):24.24} {source.kind:8} {state}",
        f"checked {moment(source.checked_at)}, {counted(source.documents, 'document')}",
    ]
    if source.failures:
        parts.append(f"{source.failures} not read")
    if source.failure:
        parts.append(
            f"the last look failed: {printable(source.failure)} ({printable(source.uri)})"
        )
    return "; ".join(parts)


def moment(when: Any) -> str:
    """Return a moment to the minute, in UTC."""
    return f"{when:%Y-%m-%d %H:%M}" if when else "never"
