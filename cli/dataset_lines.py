"""Datasets as text for a terminal, as JSON and as pages; how far a build is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import Engine

from core.errors import FootnoteError
from finetune.dataset.decontaminate import GateSet, gate_set_of
from finetune.dataset.report import page, parts, title_of
from store.datasets import Dataset, DatasetRow, find_dataset, read_rows

if TYPE_CHECKING:
    from finetune.dataset.build import Told

PRIVATE = 0o600
PEOPLE = frozenset({"user", "assistant", "question", "text", "chosen"})


class ReportError(FootnoteError):
    """A report cannot be written."""


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
        "withdrawn_at": moment_of(found),
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


def validating(engine: Engine, workspace_id: int, number: int) -> GateSet:
    """Return the words of people in a dataset's validation rows."""
    found = find_dataset(engine, workspace_id, number)
    rows = [
        [words for name, words in parts(row.content) if name in PEOPLE]
        for row in read_rows(engine, number)
        if row.split == "validation"
    ]
    return gate_set_of(f"dataset {number} ({found.name})", rows)


def write_page(path: Path, found: Dataset, rows: Sequence[DatasetRow]) -> None:
    title = title_of(found.name, found.format, found.id)
    withdrawn = f"{found.withdrawn_at:%Y-%m-%d}" if found.withdrawn_at else None
    write(path, page(title, found.manifest, rows, withdrawn))


def write(path: Path, words: str) -> None:
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


def moment_of(found: Dataset) -> str | None:
    return found.withdrawn_at.isoformat() if found.withdrawn_at else None
