"""`footnote eval`: measures on a set of questions with gold quotes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.eval_adapter import adapter_command
from cli.eval_compare import eval_compare
from cli.eval_intents import eval_intents
from cli.eval_redaction import eval_redaction
from cli.eval_style import eval_style
from cli.runtime import Runtime, open_runtime
from cli.show import print_json
from evaluation.answers import AnswerReport, evaluate_answers
from evaluation.cases import Dataset, load_dataset
from evaluation.corpus import ingest_dataset
from evaluation.corrections import QUESTIONS, CorrectionsReport, evaluate_corrections
from evaluation.retrieval import DEPTHS, RetrievalReport, evaluate_retrieval
from evaluation.revisions import (
    RevisionsReport,
    evaluate_revisions,
    load_revisions,
    reader,
    workspace_key,
)
from evaluation.statistics import Share
from graph.graph import open_agent
from ingestion.ingest import Ingester
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.documents import Version
from store.search import versions_in_force
from store.workspaces import delete_workspace, ensure_workspace


@dataclass(frozen=True)
class Bench:
    """A set that is ingested and ready to be asked."""

    runtime: Runtime
    dataset: Dataset
    workspace_id: int
    versions: dict[str, Version]
    progress: Callable[[int, int], None]


@click.group("eval")
def evaluate() -> None:
    """Measure on a folder with docs/ and questions*.jsonl of your own."""


evaluate.add_command(eval_redaction)
evaluate.add_command(eval_style)
evaluate.add_command(eval_compare)
evaluate.add_command(eval_intents)

path_argument = click.argument("path", type=click.Path(path_type=Path))
limit_option = click.option("--limit", type=click.IntRange(1), help="Only the first questions.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@evaluate.command("retrieval")
@path_argument
@limit_option
@json_option
def eval_retrieval(path: Path, limit: int | None, as_json: bool) -> None:
    """Hit rates of documents and passages, with the turns in `history`."""
    with bench(path, limit, quiet=as_json) as ready:
        retriever = Retriever(ready.runtime.engine, ready.workspace_id, ready.runtime.embedder)
        report = evaluate_retrieval(ready.dataset, retriever, ready.versions, ready.progress)
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(table(report)))


@evaluate.command("answers")
@path_argument
@limit_option
@json_option
def eval_answers(path: Path, limit: int | None, as_json: bool) -> None:
    """Shares of verified quotes, of answers on the gold words, of refusals; time a question."""
    with bench(path, limit, quiet=as_json) as ready:
        runtime = ready.runtime
        agent = open_agent(runtime.settings, runtime.engine, ready.workspace_id, runtime.embedder)
        report = evaluate_answers(
            ready.dataset,
            agent,
            runtime.engine,
            ready.workspace_id,
            ready.versions,
            ready.progress,
        )
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(lines(report)))


@evaluate.command("revisions")
@path_argument
@json_option
def eval_revisions(path: Path, as_json: bool) -> None:
    """Whether the new wording is answered and never the old, revision after revision."""
    revisions, changes = load_revisions(path)
    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with open_runtime() as runtime, bar:
        key = workspace_key(path)
        delete_workspace(runtime.engine, key)
        workspace_id = ensure_workspace(runtime.engine, key, f"revisions of {path.name}")
        task = bar.add_task("Ingesting and asking", total=len(revisions))
        report = evaluate_revisions(
            revisions,
            changes,
            Ingester(runtime.engine, workspace_id, runtime.embedder),
            open_agent(runtime.settings, runtime.engine, workspace_id, runtime.embedder),
            reader(runtime.engine, workspace_id),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(revision_lines(report)))


@evaluate.command("corrections")
@path_argument
@click.option(
    "--questions",
    type=click.IntRange(1),
    default=QUESTIONS,
    show_default=True,
    help="Asked halfway through the revisions.",
)
@json_option
def eval_corrections(path: Path, questions: int, as_json: bool) -> None:
    """Whether answers are corrected when their words change, and only then."""
    revisions, _ = load_revisions(path)
    console = Console(stderr=True, quiet=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with open_runtime() as runtime, bar:
        key = workspace_key(path).replace("revisions", "corrections")
        delete_workspace(runtime.engine, key)
        workspace_id = ensure_workspace(runtime.engine, key, f"corrections of {path.name}")
        task = bar.add_task("Publishing and rechecking", total=len(revisions))
        report = evaluate_corrections(
            revisions,
            Ingester(runtime.engine, workspace_id, runtime.embedder),
            open_agent(runtime.settings, runtime.engine, workspace_id, runtime.embedder),
            questions=questions,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(report.to_json())
    else:
        click.echo("\n".join(correction_lines(report)))


def correction_lines(report: CorrectionsReport) -> Iterator[str]:
    """Return what was done, the shares, and each judgement that went against us."""
    yield f"{report.revisions} revisions, {report.answered} of {report.asked} questions answered"
    yield (
        f"{len(report.judged)} rechecks, {report.asked_again} asked again,"
        f" {len(report.alarms)} corrections"
    )
    for name, value in report.shares().items():
        yield f"{name:<32}{value!s:<26} n {value.count}"
    for one in report.judged:
        if not one.right:
            yield f"{'wrong' if one.told else 'missed'}: {one.document}: {one.question}"
            yield from (f"    {old} → {new or '(nothing)'}" for old, new in one.changes)
            yield from (f"    {quote}" for quote in one.broken if not one.told)


def revision_lines(report: RevisionsReport) -> Iterator[str]:
    """Return what each revision cost, then the shares."""
    for one in report.published:
        new = (
            f"{one.embedded} of {one.chunks} passages embedded" if one.is_new else "reads the same"
        )
        yield f"{one.revision.at:%Y-%m-%d}  {one.revision.document:24.24}  {new}"
    if not report.documents:
        return
    yield f"{len(report.documents)} changed sentences asked about, {report.skipped} skipped"
    for name, value in report.shares().items():
        yield f"{name:<36}{value!s}"


@contextmanager
def bench(path: Path, limit: int | None, *, quiet: bool) -> Iterator[Bench]:
    """Load a set, ingest its documents into a workspace of their own, show progress."""
    dataset = load_dataset(path)
    if limit is not None:
        dataset = replace(dataset, cases=dataset.cases[:limit])
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with open_runtime() as runtime, bar:
        ingesting, asking = bar.add_task("Ingesting"), bar.add_task("Asking")
        workspace_id, refused = ingest_dataset(
            runtime.engine,
            dataset,
            runtime.embedder,
            lambda done, total: bar.update(ingesting, completed=done, total=total),
        )
        for sentence in refused:
            console.print(f"  ✗ {sentence}", markup=False)
        now = datetime.now(UTC)
        versions = versions_in_force(runtime.engine, workspace_id, OPERATOR_ACCESS, now)
        yield Bench(
            runtime,
            dataset,
            workspace_id,
            {version.document_key: version for version in versions},
            lambda done, total: bar.update(asking, completed=done, total=total),
        )


def table(report: RetrievalReport) -> Iterator[str]:
    """Return the hit rates as a table, percent with 95 % intervals over dialogues."""
    yield "percent (95 %)   " + "".join(f"@{depth:<24}" for depth in DEPTHS)
    rows: tuple[tuple[str, dict[int, Share]], ...] = (
        ("document", report.document),
        ("passage", report.passage),
        ("strict", report.strict),
    )
    for name, rates in rows:
        yield f"{name:<17}" + "".join(f"{rates[depth]!s:<25}" for depth in DEPTHS)
    yield f"{report.document[1].count} questions, gold words not found for {report.missing}"
    yield f"{report.seconds_p50 * 1000:.1f} ms p50, {report.seconds_p99 * 1000:.1f} ms p99"


def lines(report: AnswerReport) -> Iterator[str]:
    """Return the shares, a line each."""
    rows = (
        ("quotes that verify", report.quotes_verified),
        ("answered, of answerable", report.answered_answerable),
        ("overlaps the gold quote", report.overlaps_gold),
        ("covers half of it", report.covers_gold),
        ("refused, of answerable", report.refused_answerable),
        ("not answered, of unanswerable", report.refused_unanswerable),
    )
    for name, value in rows:
        yield f"{name:<32}{value!s:<26} n {value.count}"
    yield "  ".join(f"{name} {count}" for name, count in sorted(report.outcomes.items()))
    yield f"{report.seconds_p50 * 1000:.1f} ms p50, {report.seconds_p99 * 1000:.1f} ms p99"


evaluate.add_command(adapter_command(bench))
