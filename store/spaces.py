"""Embedding spaces: one vector table for each, since models differ in dimensions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Connection, Engine, text

from core.errors import ConfigurationError

MAX_DIMENSIONS = 4000  # of a halfvec column under an HNSW index
SPACE_LOCK = 0xF009  # advisory: two processes make a workspace's space once


@dataclass(frozen=True)
class EmbeddingSpace:
    """A model with its dimensions, and the table that holds its vectors in one workspace."""

    id: int
    model: str
    dimensions: int

    @property
    def table(self) -> str:
        """Return the vector table's name; made of an integer, so safe in SQL."""
        return f"vectors_{int(self.id)}"


def active_space(engine: Engine, workspace_id: int) -> EmbeddingSpace | None:
    """Return the space that answers now, or None before the first ingestion."""
    with engine.connect() as connection:
        return _active(connection, workspace_id)


def _active(connection: Connection, workspace_id: int) -> EmbeddingSpace | None:
    row = connection.execute(
        text(
            "SELECT id, model, dimensions FROM embedding_spaces"
            " WHERE workspace_id = :workspace_id AND state = 'active'"
        ),
        {"workspace_id": workspace_id},
    ).one_or_none()
    return EmbeddingSpace(row.id, row.model, row.dimensions) if row else None


def ensure_space(engine: Engine, workspace_id: int, model: str, dimensions: int) -> EmbeddingSpace:
    """Return the workspace's active space, made for `model` if there is none yet.

    The caller compares the returned model with its own: a space is changed by a refresh only.
    Raises ConfigurationError for a model with more dimensions than can be indexed.
    """
    if dimensions > MAX_DIMENSIONS:
        raise ConfigurationError(
            f"{model} gives vectors of {dimensions} dimensions, and at most {MAX_DIMENSIONS} can"
            " be indexed; set OPENAI_EMBEDDING_MODEL to another model."
        )
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({SPACE_LOCK}, 0)"))
        space = _active(connection, workspace_id)
        return space or _create(connection, workspace_id, model, dimensions)


def _create(
    connection: Connection, workspace_id: int, model: str, dimensions: int
) -> EmbeddingSpace:
    space_id = connection.execute(
        text(
            "INSERT INTO embedding_spaces (workspace_id, model, dimensions, normalised, state)"
            " VALUES (:workspace_id, :model, :dimensions, true, 'active') RETURNING id"
        ),
        {"workspace_id": workspace_id, "model": model, "dimensions": dimensions},
    ).scalar_one()
    space = EmbeddingSpace(space_id, model, dimensions)
    connection.execute(
        text(
            f"CREATE TABLE {space.table} (chunk_id bigint PRIMARY KEY"
            f" REFERENCES chunks (id) ON DELETE CASCADE, embedding halfvec({int(dimensions)})"
            " NOT NULL)"
        )
    )
    connection.execute(
        text(
            f"CREATE INDEX ON {space.table} USING hnsw (embedding halfvec_cosine_ops)"
            " WITH (m = 16, ef_construction = 64)"
        )
    )
    return space


def embedded_hashes(
    engine: Engine, workspace_id: int, space: EmbeddingSpace, hashes: Sequence[str]
) -> set[str]:
    """Return those of the chunk hashes that already have a vector in the space."""
    statement = text(
        f"SELECT c.sha256 FROM chunks c JOIN {space.table} v ON v.chunk_id = c.id"
        " WHERE c.workspace_id = :workspace_id AND c.sha256 = ANY(:hashes)"
    )
    with engine.connect() as connection:
        rows = connection.execute(
            statement, {"workspace_id": workspace_id, "hashes": list(hashes)}
        )
        return set(rows.scalars())


def insert_vectors(
    connection: Connection,
    space: EmbeddingSpace,
    vectors: Mapping[int, NDArray[np.float32]],
) -> None:
    """Store vectors by chunk id; one that is there stays.

    Raises ConfigurationError where they have other dimensions than the space.
    """
    if not vectors:
        return
    lengths = {len(vector) for vector in vectors.values()}
    if lengths != {space.dimensions}:
        raise ConfigurationError(
            f"{space.model} gave vectors of {min(lengths)} dimensions where {space.dimensions}"
            " are kept; set OPENAI_EMBEDDING_MODEL back, or ingest into a new FOOTNOTE_HOME."
        )
    rows: list[dict[str, Any]] = [
        {"chunk_id": chunk_id, "embedding": HalfVector(vector)}
        for chunk_id, vector in vectors.items()
    ]
    connection.execute(
        text(
            f"INSERT INTO {space.table} (chunk_id, embedding)"
            " VALUES (:chunk_id, :embedding) ON CONFLICT DO NOTHING"
        ),
        rows,
    )
