"""From a file to a published version: parse, chunk, embed what is new, publish."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from core.errors import ConfigurationError
from ingestion.changes import SectionChange, Wording, kept, section_changes, stored_wording
from ingestion.chunking import chunk
from ingestion.errors import printable
from ingestion.sandbox import Sandbox
from ingestion.terms import suggest as terms_in
from retrieval.embeddings import Embedder, Named, count_tokens
from retrieval.lexical import passage_weights
from retrieval.wording import broken_pieces
from store.chunks import PassageTerms, chunk_hash
from store.documents import ParsedDocument, read_versions
from store.glossary import suggest as suggest_terms
from store.publish import HERE, File, Origin, Presence, Publication, SpaceChangedError, publish
from store.rechecks import quotes_of
from store.spaces import EmbeddingSpace, SpaceGoneError, embedded_hashes, ensure_space

MEDIA_TYPES = {
    ".md": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".csv": "text/csv",
    ".eml": "message/rfc822",
}
BATCH = 32  # chunks embedded between two reports of progress

Progress = Callable[[int, int], None]
"""Told how many chunks are embedded, and of how many."""


def _unheard(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Given:
    """What the sender says of a file; it counts more than what the file says of itself."""

    document: str | None = None  # the key: files with the same one are versions
    title: str | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    link: str | None = None

    def applied_to(self, document: ParsedDocument) -> ParsedDocument:
        """Return the document as the sender wants it known."""
        return replace(
            document,
            document_key=self.document or document.document_key,
            title=self.title or document.title,
            effective_from=self.effective_from or document.effective_from,
            effective_to=self.effective_to or document.effective_to,
            link=document.link or self.link,
        )

    def to_json(self) -> dict[str, str]:
        """Return what is given, as JSON types."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, str]) -> "Given":
        """Return what `to_json` wrote down."""
        dates = ("effective_from", "effective_to")
        moments = {name: datetime.fromisoformat(kept[name]) for name in dates if name in kept}
        return cls(**{**kept, **moments})  # type: ignore[arg-type]


NOTHING_GIVEN = Given()

SANDBOX = Sandbox()
"""Where this process has files read: a child of its own, started with the first file."""


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
    document_id: int = 0
    version_id: int = 0
    changes: tuple[SectionChange, ...] = ()  # against the version it replaces, if it does one
    answers_to_recheck: int = 0  # given in Slack, whose quotes the new wording breaks

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
            "version_id": self.version_id,
            "changes": kept(self.changes),
            "sections_changed": len(self.changes),
            "answers_to_recheck": self.answers_to_recheck,
        }


class Ingester:
    """Publishes files in one workspace.

    A new workspace is embedded with `embedder`; one that is embedded with another model goes on
    with that, as far as `named` opens it.
    """

    def __init__(
        self, engine: Engine, workspace_id: int, embedder: Embedder, named: Named | None = None
    ) -> None:
        self.engine = engine
        self.workspace_id = workspace_id
        self._embedder = embedder
        self._named = named

    def ingest(
        self,
        file: File,
        audience: Sequence[str] | None = None,
        *,
        given: Given = NOTHING_GIVEN,
        origin: Origin = HERE,
        progress: Progress = _unheard,
    ) -> Report:
        """Publish a file's words as its document's next version, if they changed.

        Raises a FootnoteError that says why a file is refused; nothing is stored then.
        """
        document = given.applied_to(SANDBOX.parse(file.name, file.data))
        passages = [
            PassageTerms(piece, chunk_hash(piece.content), passage_weights(piece.content))
            for piece in chunk(document, count_tokens)
        ]
        for last in (False, False, True):  # the embedding model may change under our hands
            space, embedder = self._space()
            try:
                vectors = self._embed_new(passages, space, embedder, progress)
                done = publish(
                    self.engine,
                    self.workspace_id,
                    document,
                    file,
                    passages,
                    space,
                    vectors,
                    audience=audience,
                    origin=origin,
                )
            except (SpaceChangedError, SpaceGoneError):
                if last:
                    raise
            else:
                break
        if done.is_new:
            suggest_terms(self.engine, self.workspace_id, done.document_id, terms_in(document))
        report = _report(file, document, done, len(vectors), self._changes(document, done))
        return replace(report, answers_to_recheck=self._answers_broken(document, done))

    def _space(self) -> tuple[EmbeddingSpace, Embedder]:
        """Return the space that answers now, and what embeds for it."""
        space = ensure_space(
            self.engine, self.workspace_id, self._embedder.model, self._embedder.dimensions
        )
        if space.model == self._embedder.model:
            return space, self._embedder
        if self._named is None:
            raise ConfigurationError(
                f"The documents here are embedded with {space.model}, but"
                f" {self._embedder.model} is configured; use one model for one FOOTNOTE_HOME."
            )
        return space, self._named(space.model)

    def _changes(self, document: ParsedDocument, done: Publication) -> tuple[SectionChange, ...]:
        """Return what changed against the version that this one replaces."""
        if done.replaces is None:
            return ()
        before = stored_wording(self.engine, self.workspace_id, done.replaces)
        return section_changes(before, Wording(document.text, document.blocks))

    def _answers_broken(self, document: ParsedDocument, done: Publication) -> int:
        """Return how many answers in Slack quote words that the new version no longer says."""
        if done.replaces is None or done.presence == "deleted":
            return 0
        quotes = quotes_of(self.engine, self.workspace_id, done.document_id)
        ids = {quote.version_id for quote in quotes} - {done.version_id}
        texts = {v.id: v.text for v in read_versions(self.engine, self.workspace_id, ids)}
        places = {(quote.version_id, quote.start, quote.end) for quote in quotes}
        broken = {
            place
            for place in places
            if place[0] in texts and broken_pieces(texts[place[0]], *place[1:], document.text)
        }
        return len({q.answer_id for q in quotes if (q.version_id, q.start, q.end) in broken})

    def _embed_new(
        self,
        passages: Sequence[PassageTerms],
        space: EmbeddingSpace,
        embedder: Embedder,
        progress: Progress,
    ) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of the chunks that have none yet, by hash."""
        contents = {passage.sha256: passage.chunk.content for passage in passages}
        known = embedded_hashes(self.engine, self.workspace_id, space, list(contents))
        missing = [sha256 for sha256 in contents if sha256 not in known]
        vectors: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            rows = embedder.embed([contents[sha256] for sha256 in batch])
            vectors |= dict(zip(batch, rows, strict=True))
            progress(len(vectors), len(missing))
        return vectors


def _report(
    file: File,
    document: ParsedDocument,
    done: Publication,
    embedded: int,
    changes: tuple[SectionChange, ...],
) -> Report:
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
        warnings=(*document.warnings, *_title_change(document, done), *PRESENCE[done.presence]),
        audience=done.audience,
        document_id=done.document_id,
        version_id=done.version_id,
        changes=changes,
    )


PRESENCE: dict[Presence, tuple[str, ...]] = {
    "present": (),
    "returned": ("it had been deleted and is answered from again",),
    "deleted": ("it was deleted after this file was sent, so it is not answered from",),
}


def _title_change(document: ParsedDocument, done: Publication) -> Iterator[str]:
    """Tell of another title: it may be another document under the same name."""
    if done.previous_title is not None and done.previous_title != document.title:
        yield f"the title changed from “{done.previous_title}” to “{document.title}”"


def media_type(name: str) -> str:
    """Return the media type that a file's name suggests; its content decides how it is read."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    return MEDIA_TYPES.get(suffix, "text/plain")
