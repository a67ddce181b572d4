"""Embedding spaces: one vector table for each, since models differ in dimensions."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from core.errors import ConfigurationError, FootnoteError
from store.copying import copy_rows

MAX_DIMENSIONS = 4000  # of a halfvec column under an HNSW index
SPACE_LOCK = 0xF009  # advisory: two processes make a workspace's space once


class RefreshUnderWayError(FootnoteError):
    """Another embedding space is being built."""


class SpaceGoneError(FootnoteError):
    """An embedding space was dropped after another had taken its place; ask again."""


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
    require_indexable(model, dimensions)
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({SPACE_LOCK}, 0)"))
        space = _active(connection, workspace_id)
        if space is None:
            space = create_space(connection, workspace_id, model, dimensions, "active")
            index_space(connection, space)
        return space


def require_indexable(model: str, dimensions: int) -> None:
    """Raise ConfigurationError for a model with more dimensions than an index takes."""
    if dimensions > MAX_DIMENSIONS:
        raise ConfigurationError(
            f"{model} gives vectors of {dimensions} dimensions, and at most {MAX_DIMENSIONS} can"
            " be indexed; set OPENAI_EMBEDDING_MODEL to another model."
        )


def create_space(
    connection: Connection, workspace_id: int, model: str, dimensions: int, state: str
) -> EmbeddingSpace:
    """Make a space with its table, without an index."""
    space_id = connection.execute(
        text(
            "INSERT INTO embedding_spaces (workspace_id, model, dimensions, normalised, state)"
            " VALUES (:workspace_id, :model, :dimensions, true, :state) RETURNING id"
        ),
        {
            "workspace_id": workspace_id,
            "model": model,
            "dimensions": dimensions,
            "state": state,
        },
    ).scalar_one()
    space = EmbeddingSpace(space_id, model, dimensions)
    connection.execute(
        text(
            f"CREATE TABLE {space.table} (chunk_id bigint PRIMARY KEY"
            f" REFERENCES chunks (id) ON DELETE CASCADE, embedding halfvec({int(dimensions)})"
            " NOT NULL)"
        )
    )
    return space


def index_space(connection: Connection, space: EmbeddingSpace) -> None:
    """Index a space's vectors, those that are there and those to come."""
    connection.execute(
        text(
            f"CREATE INDEX IF NOT EXISTS {space.table}_nearest ON {space.table}"
            " USING hnsw (embedding halfvec_cosine_ops) WITH (m = 16, ef_construction = 64)"
        )
    )


def embedded_hashes(
    engine: Engine, workspace_id: int, space: EmbeddingSpace, hashes: Sequence[str]
) -> set[str]:
    """Return those of the chunk hashes that already have a vector in the space."""
    statement = text(
        f"SELECT c.sha256 FROM chunks c JOIN {space.table} v ON v.chunk_id = c.id"
        " WHERE c.workspace_id = :workspace_id AND c.sha256 = ANY(:hashes)"
    )
    with space_there(space), engine.connect() as connection:
        rows = connection.execute(
            statement, {"workspace_id": workspace_id, "hashes": list(hashes)}
        )
        return set(rows.scalars())


@contextmanager
def space_there(space: EmbeddingSpace) -> Iterator[None]:
    """Turn the database's word that a space's table is gone into SpaceGoneError."""
    try:
        yield
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            raise SpaceGoneError(
                f"The documents are no longer embedded with {space.model}; try again."
            ) from error
        raise


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
    there = connection.execute(
        text(f"SELECT chunk_id FROM {space.table} WHERE chunk_id = ANY(:ids)"),
        {"ids": list(vectors)},
    ).scalars()
    kept = set(there)
    copy_rows(
        connection,
        space.table,
        {"chunk_id": "int8", "embedding": "halfvec"},
        ((number, HalfVector(row)) for number, row in vectors.items() if number not in kept),
    )
