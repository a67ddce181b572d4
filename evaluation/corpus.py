"""Ingests a set's documents into a workspace of its own, once, and finds the gold words there."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.fuzz import partial_ratio_alignment
from sqlalchemy import Engine, text

from core.errors import FootnoteError
from evaluation.cases import Case, Dataset
from ingestion.canonical import visible, visible_markdown
from ingestion.ingest import Ingester, media_type
from retrieval.embeddings import Embedder
from retrieval.quotes import Span, locate
from store.documents import Version
from store.publish import File
from store.workspaces import delete_workspace, ensure_workspace, workspace_keys

ROOT = Path(__file__).resolve().parent.parent
READERS = ("ingestion", "retrieval")  # packages whose code decides what is stored


@dataclass(frozen=True)
class Gold:
    """Where a case's words stand: a document's key, offsets in its text, and the words."""

    document: str
    span: Span
    words: str


def workspace_key(dataset: Dataset, embedder: Embedder) -> str:
    """Return the key of the set's workspace: a hash of documents, embedder and reading code."""
    digest = hashlib.sha256(embedder.model.encode())
    for package in READERS:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.read_bytes())
    for path in document_files(dataset):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return f"eval:{digest.hexdigest()[:16]}"


def document_files(dataset: Dataset) -> list[Path]:
    """Return the set's documents in order."""
    return sorted(path for path in dataset.documents.rglob("*") if path.is_file())


def ingest_dataset(
    engine: Engine,
    dataset: Dataset,
    embedder: Embedder,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[int, list[str]]:
    """Return the workspace with the set's documents and what was refused; resumes if cut off.

    Workspaces that older code made for a set of this name are removed.
    """
    key, name = workspace_key(dataset, embedder), f"evaluation of {dataset.path.name}"
    for stale in workspace_keys(engine, name):
        if stale != key:
            delete_workspace(engine, stale)
    workspace_id = ensure_workspace(engine, key, name)
    ingester = Ingester(engine, workspace_id, embedder)
    present = set(_file_names(engine, workspace_id))
    files = document_files(dataset)
    refused = []
    for number, path in enumerate(files, start=1):
        file_name = path.relative_to(dataset.documents).as_posix()
        if file_name not in present:
            try:
                ingester.ingest(File(file_name, media_type(file_name), path.read_bytes()))
            except FootnoteError as error:
                refused.append(str(error))
        progress(number, len(files))
    return workspace_id, refused


def _file_names(engine: Engine, workspace_id: int) -> Iterator[str]:
    with engine.connect() as connection:
        yield from connection.execute(
            text("SELECT file_name FROM document_versions WHERE workspace_id = :id"),
            {"id": workspace_id},
        ).scalars()


def find_gold(case: Case, versions: dict[str, Version]) -> Gold | None:
    """Return where a case's quote stands, sent through the documents' own normaliser."""
    version = versions.get(case.document or "")
    if version is None or not case.quote:
        return None
    for normalise in (visible, visible_markdown):
        span = locate(normalise(case.quote), version.text)
        if span is not None:
            return Gold(version.document_key, span, version.text[span.start : span.end])
    alignment = partial_ratio_alignment(visible(case.quote), version.text)
    if alignment is None:
        return None
    span = Span(alignment.dest_start, alignment.dest_end)
    return Gold(version.document_key, span, version.text[span.start : span.end])
