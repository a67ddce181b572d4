"""Chunks and their places, written as a version is published; the caller holds the lock."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgvector import SparseVector
from sqlalchemy import Connection, text

from store.copying import copy_rows
from store.documents import Chunk, ParsedDocument
from store.tables import TERM_DIMENSIONS
from store.terms import term_keys, tier_of

CHUNK_COLUMNS = {
    "id": "int8",
    "workspace_id": "int8",
    "sha256": "text",
    "content": "text",
    "token_count": "int4",
    "term_keys": "int8[]",
    "term_weights": "sparsevec",
}
BLOCK_COLUMNS = {
    "version_id": "int8",
    "ordinal": "int4",
    "kind": "text",
    "level": "int2",
    "start_offset": "int4",
    "end_offset": "int4",
    "heading_path": "text[]",
    "page": "int4",
}
PLACE_COLUMNS = {
    "version_id": "int8",
    "ordinal": "int4",
    "chunk_id": "int8",
    "start_offset": "int4",
    "end_offset": "int4",
    "heading_path": "text[]",
    "page": "int4",
}


@dataclass(frozen=True)
class PassageTerms:
    """A chunk ready to store: its hash, and the BM25 weights of its term ids."""

    chunk: Chunk
    sha256: str
    weights: Mapping[int, float]


def chunk_hash(content: str) -> str:
    """Return the key of a chunk: the SHA-256 of its content."""
    return hashlib.sha256(content.encode()).hexdigest()


def insert_chunks(
    connection: Connection, workspace_id: int, passages: Sequence[PassageTerms]
) -> tuple[dict[str, int], int]:
    """Return the id of every chunk by its hash, and how many had not been stored before."""
    unique = {passage.sha256: passage for passage in passages}
    found = connection.execute(
        text(
            "SELECT sha256, id FROM chunks"
            " WHERE workspace_id = :workspace_id AND sha256 = ANY(:hashes)"
        ),
        {"workspace_id": workspace_id, "hashes": list(unique)},
    )
    ids: dict[str, int] = {row.sha256: row.id for row in found}
    new = [passage for sha256, passage in unique.items() if sha256 not in ids]
    if not new:
        return ids, 0
    numbers = connection.execute(
        text(
            "SELECT nextval(pg_get_serial_sequence('chunks', 'id'))"
            " FROM generate_series(1, :count)"
        ),
        {"count": len(new)},
    ).scalars()
    numbered = list(zip(numbers, new, strict=True))
    copy_rows(
        connection,
        "chunks",
        CHUNK_COLUMNS,
        (
            (
                number,
                workspace_id,
                passage.sha256,
                passage.chunk.content,
                passage.chunk.token_count,
                term_keys(workspace_id, passage.weights),
                SparseVector(
                    {term - 1: weight for term, weight in passage.weights.items()},
                    TERM_DIMENSIONS,
                ),
            )
            for number, passage in numbered
        ),
    )
    _count_terms(connection, workspace_id, new)
    return ids | {passage.sha256: number for number, passage in numbered}, len(new)


def _count_terms(
    connection: Connection, workspace_id: int, passages: Sequence[PassageTerms]
) -> None:
    """Add new chunks to the document frequencies that inverse frequencies are made of."""
    connection.execute(
        text("UPDATE workspaces SET chunk_count = chunk_count + :count WHERE id = :workspace_id"),
        {"count": len(passages), "workspace_id": workspace_id},
    )
    connection.execute(
        text(
            "INSERT INTO term_frequencies (workspace_id, term_id, tier, chunk_count)"
            " SELECT :workspace_id, term_id, tier, count(*)"
            " FROM unnest(CAST(:term_ids AS int[]), CAST(:tiers AS int[])) AS t (term_id, tier)"
            " GROUP BY term_id, tier ORDER BY term_id, tier"
            " ON CONFLICT (workspace_id, term_id, tier) DO UPDATE"
            " SET chunk_count = term_frequencies.chunk_count + excluded.chunk_count"
        ),
        {
            "workspace_id": workspace_id,
            "term_ids": [term for passage in passages for term in passage.weights],
            "tiers": [
                tier_of(weight) for passage in passages for weight in passage.weights.values()
            ],
        },
    )


def insert_places(
    connection: Connection,
    version_id: int,
    document: ParsedDocument,
    passages: Sequence[PassageTerms],
    chunk_ids: Mapping[str, int],
) -> None:
    """Write a version's blocks, and where it has its chunks."""
    copy_rows(
        connection,
        "blocks",
        BLOCK_COLUMNS,
        (
            (
                version_id,
                ordinal,
                block.kind,
                block.level,
                block.start,
                block.end,
                list(block.heading_path),
                block.page,
            )
            for ordinal, block in enumerate(document.blocks)
        ),
    )
    copy_rows(
        connection,
        "version_chunks",
        PLACE_COLUMNS,
        (
            (
                version_id,
                passage.chunk.ordinal,
                chunk_ids[passage.sha256],
                passage.chunk.start,
                passage.chunk.end,
                list(passage.chunk.heading_path),
                passage.chunk.page,
            )
            for passage in passages
        ),
    )
