"""From a file to a published version: parse, chunk, embed what is new, publish."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from core.errors import ConfigurationError
from ingestion.chunking import chunk
from ingestion.errors import printable
from ingestion.parse import parse
from retrieval.embeddings import Embedder, count_tokens
from retrieval.lexical import passage_weights
from store.documents import ParsedDocument
from store.publish import File, PassageTerms, Publication, chunk_hash, publish
from store.spaces import embedded_hashes, ensure_space

MEDIA_TYPES = {".md": "text/markdown", ".html": "text/html", ".htm": "text/html"}


@dataclass(frozen=True)
class Report:
    """What became of one file; `embedded` counts the chunks that had no vector before.

    `audience` is set only if a known document's changed.
    """

    file_name: str
    document: str
    title: str
    version: int
    is_new: bool
    chunks: int
    embedded: int
    effective_from: str
    hidden_characters: int = 0  # text a person could not see, left out
    warnings: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "file": self.file_name,
            "document": self.document,
            "title": self.title,
            "version": self.version,
            "new_version": self.is_new,
            "chunks": self.chunks,
            "embedded": self.embedded,
            "effective_from": self.effective_from,
            "hidden_characters": self.hidden_characters,
            "warnings": list(self.warnings),
            "audience_now": list(self.audience),
        }


class Ingester:
    """Publishes files in one workspace with one embedder."""

    def __init__(self, engine: Engine, workspace_id: int, embedder: Embedder) -> None:
        self.engine = engine
        self.workspace_id = workspace_id
        self._embedder = embedder

    def ingest(self, file: File, audience: Sequence[str] | None = None) -> Report:
        """Publish a file's words as its document's next version, if they changed.

        Raises a FootnoteError that says why a file is refused; nothing is stored then.
        """
        document = parse(file.name, file.data)
        space = ensure_space(
            self.engine, self.workspace_id, self._embedder.model, self._embedder.dimensions
        )
        if space.model != self._embedder.model:
            raise ConfigurationError(
                f"The documents here were embedded with {space.model}, but"
                f" {self._embedder.model} is configured; use one model for one FOOTNOTE_HOME."
            )
        passages = [
            PassageTerms(piece, chunk_hash(piece.content), passage_weights(piece.content))
            for piece in chunk(document, count_tokens)
        ]
        contents = {passage.sha256: passage.chunk.content for passage in passages}
        known = embedded_hashes(self.engine, self.workspace_id, space, list(contents))
        missing = [sha256 for sha256 in contents if sha256 not in known]
        vectors = self._embedder.embed([contents[sha256] for sha256 in missing])
        done = publish(
            self.engine,
            self.workspace_id,
            document,
            file,
            passages,
            space,
            dict(zip(missing, vectors, strict=True)),
            audience=audience,
        )
        return _report(file, document, done, len(missing))


def _report(file: File, document: ParsedDocument, done: Publication, embedded: int) -> Report:
    return Report(
        file_name=printable(file.name),
        document=done.document_key,
        title=document.title,
        version=done.number,
        is_new=done.is_new,
        chunks=done.chunk_count,
        embedded=embedded if done.is_new else 0,
        effective_from=done.effective_from.isoformat(),
        hidden_characters=document.hidden_characters,
        warnings=(*document.warnings, *_title_change(document, done)),
        audience=done.audience,
    )


def _title_change(document: ParsedDocument, done: Publication) -> Iterator[str]:
    """Tell of another title: it may be another document under the same name."""
    if done.previous_title is not None and done.previous_title != document.title:
        yield f"the title changed from “{done.previous_title}” to “{document.title}”"


def media_type(name: str) -> str:
    """Return the media type that a file's name suggests; its content decides how it is read."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return MEDIA_TYPES.get(suffix, "text/plain")
