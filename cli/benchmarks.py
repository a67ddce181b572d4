"""`footnote benchmarks`: speed and cost as ratios, each pair measured in the same run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.runtime import Runtime, open_runtime
from cli.show import print_json
from core.errors import NotFoundError
from core.settings import ROOT, settings
from evaluation.benchmarks.measure import (
    Figure,
    Tell,
    change_cost,
    embed_speed,
    ingest_speed,
    store_speed,
)
from evaluation.benchmarks.seed import Material, gather
from ingestion.chunking import chunk
from ingestion.parse import parse
from retrieval.embeddings import MiniLMEmbedder, count_tokens

if TYPE_CHECKING:
    from finetune.local_recipe import Method

SAMPLES = ROOT / "samples" / "policies"
TEXTS = 200  # embedded by each embedder
SIZES = (1_000, 10_000, 100_000)  # chunks

path_option = click.option(
    "--documents",
    type=click.Path(path_type=Path),
    default=SAMPLES,
    help="A folder of Markdown or text to measure with; default: the samples.",
)
peers_option = click.option(
    "--peers",
    type=click.Path(path_type=Path),
    help="The Python of an environment that has the peers (docs/howto/benchmark.md).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True)
@path_option
@peers_option
@json_option
@click.pass_context
def benchmarks(ctx: click.Context, documents: Path, peers: Path | None, as_json: bool) -> None:
    """Measure speed and cost; ratios count, since machines differ.

    Without a command: all but `finetune`.
    """
    if ctx.invoked_subcommand is not None:
        return
    with open_runtime() as runtime, progress_bar(as_json) as tell:
        figures = [
            *measure_ingest(runtime, documents),
            *measure_store(runtime, documents, peers),
            *measure_embed(runtime, documents, peers),
            *measure_change(runtime, documents, SIZES, tell),
        ]
    tell_figures(figures, as_json)


@benchmarks.command("ingest")
@path_option
@json_option
def ingest(documents: Path, as_json: bool) -> None:
    """Ingestion from file to published version, against the bare embedder."""
    with open_runtime() as runtime:
        tell_figures(measure_ingest(runtime, documents), as_json)


def measure_ingest(runtime: Runtime, documents: Path) -> list[Figure]:
    """Ingest a folder's files, and embed the same passages bare."""
    embedder = MiniLMEmbedder(runtime.settings.home / "cache")
    return ingest_speed(runtime.engine, embedder, files_in(documents))


@benchmarks.command("store")
@path_option
@peers_option
@json_option
def store(documents: Path, peers: Path | None, as_json: bool) -> None:
    """Storing chunks whose vectors are given, against langchain-postgres."""
    with open_runtime() as runtime:
        tell_figures(measure_store(runtime, documents, peers), as_json)


def measure_store(runtime: Runtime, documents: Path, peers: Path | None) -> list[Figure]:
    """Store seeded chunks here and with the peer, on the same server."""
    url = runtime.engine.url.render_as_string(hide_password=False)
    made = material(runtime, documents)
    return store_speed(runtime.engine, made, made.vectors.shape[1], url, peers)


@benchmarks.command("embed")
@path_option
@peers_option
@json_option
def embed(documents: Path, peers: Path | None, as_json: bool) -> None:
    """The embedder on one thread, against sentence-transformers on torch."""
    with open_runtime() as runtime:
        tell_figures(measure_embed(runtime, documents, peers), as_json)


def measure_embed(runtime: Runtime, documents: Path, peers: Path | None) -> list[Figure]:
    """Embed the same passages with both forms of the model and with the peer."""
    cache = runtime.settings.home / "cache"
    embedders = (
        ("MiniLM int8", MiniLMEmbedder(cache)),
        ("MiniLM fp32", MiniLMEmbedder(cache, quantised=False)),
    )
    return embed_speed(embedders, passages_in(documents)[:TEXTS], peers)


@benchmarks.command("change")
@path_option
@click.option("--size", "sizes", multiple=True, type=int, help="Chunks; repeatable.")
@json_option
def change(documents: Path, sizes: tuple[int, ...], as_json: bool) -> None:
    """One changed paragraph in corpora of 1,000, 10,000 and 100,000 seeded chunks."""
    with open_runtime() as runtime, progress_bar(as_json) as tell:
        figures = measure_change(runtime, documents, sizes or SIZES, tell)
    tell_figures(figures, as_json)
    if not as_json:
        click.echo(
            "  The corpora are seeded: real sentences recombined, real vectors perturbed; they"
            " are kept for the next run."
        )


def measure_change(
    runtime: Runtime, documents: Path, sizes: Sequence[int], tell: Tell
) -> list[Figure]:
    """Change one paragraph in seeded corpora of these sizes."""
    made = material(runtime, documents)
    return change_cost(runtime.engine, made, runtime.embedder, sizes, tell)


@benchmarks.command("finetune")
@click.option("--model-size", type=click.Choice(["tiny", "100m", "1b", "3b"]), default="1b")
@click.option("--method", type=click.Choice(["lora", "qlora", "full"]), default="lora")
@click.option("--steps", type=click.IntRange(30, 1000), default=60, show_default=True)
@click.option("--length", type=click.IntRange(32, 2048), default=512, help="Tokens of a row.")
@click.option("--packing", is_flag=True, help="Lay rows into blocks of twice their length.")
@json_option
def finetune(
    model_size: str, method: "Method", steps: int, length: int, packing: bool, as_json: bool
) -> None:
    """A local run against plain trl with the same settings, with random weights."""
    from evaluation.benchmarks.finetune import finetune_speed  # noqa: PLC0415 - rarely asked for

    figures = finetune_speed(
        settings(),
        size=model_size,
        method=method,
        steps=steps,
        length=length,
        packing=packing,
        say=lambda line: click.echo(f"  {line}", err=True),
    )
    tell_figures(figures, as_json)


def files_in(folder: Path) -> list[Path]:
    """Return a folder's Markdown and text files. Raises NotFoundError where there are none."""
    found = [p for p in sorted(folder.rglob("*")) if p.suffix in (".md", ".txt", ".html")]
    if not found:
        raise NotFoundError(f"{folder} holds no Markdown, HTML or text files; name another.")
    return found


def passages_in(folder: Path) -> list[str]:
    """Return the contents of a folder's chunks."""
    parsed = (parse(path.name, path.read_bytes()) for path in files_in(folder))
    return [piece.content for document in parsed for piece in chunk(document, count_tokens)]


def material(runtime: Runtime, folder: Path) -> Material:
    """Return real sentences and vectors to seed corpora with."""
    texts = [parse(path.name, path.read_bytes()).text for path in files_in(folder)]
    return gather(texts, runtime.embedder)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Tell]:
    """Show how many seeded documents are stored."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True, quiet=quiet)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Seeding", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def tell_figures(figures: Sequence[Figure], as_json: bool) -> None:
    """Print figures, each beside its rival."""
    if as_json:
        print_json({"figures": [figure.to_json() for figure in figures]})
        return
    for figure in figures:
        line = f"  {figure.name:44} {figure.ours:12,.2f} {figure.unit:16}"
        if figure.ratio is not None:
            line += f" {figure.ratio:5.2f} × {figure.rival_name} ({figure.rival:,.2f})"
        click.echo(f"{line}  aim: {figure.aim}".rstrip())
