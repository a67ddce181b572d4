"""A workspace whose documents are published without parsing or a model: small, quick, exact."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, func, select
from sqlalchemy import table as table_named

from retrieval.lexical import passage_weights, question_terms
from store import tables
from store.access import OPERATOR_ACCESS, Access
from store.chunks import PassageTerms, chunk_hash
from store.documents import Block, Chunk, ParsedDocument, SourceRun
from store.publish import File, Publication, publish
from store.search import POOL, Candidate, search
from store.spaces import EmbeddingSpace, embedded_hashes, ensure_space

DIMENSIONS = 16


@cache
def vector_of(words: str) -> NDArray[np.float32]:
    """Return a vector [16] of length 1 that depends on the words alone."""
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def day(written: str) -> datetime:
    """Return the start of a day in UTC."""
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def read(
    key: str,
    paragraphs: Sequence[str],
    *,
    title: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> ParsedDocument:
    """Return a document of paragraphs as a parser would."""
    words = "\n".join(paragraphs)
    starts = [sum(len(p) + 1 for p in paragraphs[:n]) for n in range(len(paragraphs))]
    return ParsedDocument(
        title=title or key.title(),
        text=words,
        blocks=tuple(
            Block("paragraph", start, start + len(paragraph))
            for start, paragraph in zip(starts, paragraphs, strict=True)
        ),
        source_map=(SourceRun(0, 0, len(words)),),
        document_key=key,
        effective_from=day(since) if since else None,
        effective_to=day(until) if until else None,
    )


def passages_of(document: ParsedDocument) -> list[PassageTerms]:
    """Return one chunk for each paragraph, with its terms."""
    made = []
    for ordinal, block in enumerate(document.blocks):
        words = document.text[block.start : block.end]
        content = f"{document.title}\n{words}"
        chunk = Chunk(ordinal, block.start, block.end, content, len(words.split()))
        made.append(PassageTerms(chunk, chunk_hash(content), passage_weights(content)))
    return made


class Shelf:
    """One workspace with one embedding space; publishes and searches as the product does."""

    def __init__(self, engine: Engine, workspace_id: int) -> None:
        self.engine = engine
        self.workspace_id = workspace_id
        self.space: EmbeddingSpace = ensure_space(engine, workspace_id, "words", DIMENSIONS)

    def publish(
        self,
        key: str,
        paragraphs: Sequence[str],
        *,
        title: str | None = None,
        since: str | None = None,
        until: str | None = None,
        audience: Sequence[str] | None = None,
    ) -> Publication:
        """Publish paragraphs; vectors are made for chunks that have none, as ingestion does."""
        document = read(key, paragraphs, title=title, since=since, until=until)
        passages = passages_of(document)
        contents = {passage.sha256: passage.chunk.content for passage in passages}
        known = embedded_hashes(self.engine, self.workspace_id, self.space, list(contents))
        return publish(
            self.engine,
            self.workspace_id,
            document,
            File(f"{key}.txt", "text/plain", document.text.encode()),
            passages,
            self.space,
            {sha: vector_of(words) for sha, words in contents.items() if sha not in known},
            audience=audience,
        )

    def search(
        self,
        question: str = "",
        *,
        access: Access = OPERATOR_ACCESS,
        as_of: datetime | None = None,
        pool: int = POOL,
    ) -> list[Candidate]:
        """Search for a question's words, now unless another moment is given."""
        return search(
            self.engine,
            self.workspace_id,
            self.space,
            access,
            as_of or datetime.now(UTC),
            vector_of(question),
            question_terms(question),
            pool=pool,
        )

    def found(self, *, access: Access = OPERATOR_ACCESS, as_of: str | None = None) -> list[str]:
        """Return the passages that can be found at all, in order of their words."""
        moment = day(as_of) if as_of else None
        return sorted(candidate.text for candidate in self.search(access=access, as_of=moment))

    def rows(self) -> dict[str, int]:
        """Return how many rows each table holds for this workspace, empty ones left out."""
        counted = {}
        with self.engine.connect() as connection:
            for table in tables.metadata.sorted_tables:
                if "workspace_id" in table.c:
                    mine = table.c.workspace_id == self.workspace_id
                    statement = select(func.count()).select_from(table).where(mine)
                    counted[table.name] = connection.execute(statement).scalar_one()
            vectors = select(func.count()).select_from(table_named(self.space.table))
            counted["vectors"] = connection.execute(vectors).scalar_one()
        return {name: count for name, count in counted.items() if count}
