"""A change of the embedding model: a second space is built beside the first, then takes over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from store.audit import record
from store.publish import lock_publishing
from store.spaces import (
    SPACE_LOCK,
    EmbeddingSpace,
    RefreshUnderWayError,
    create_space,
    index_space,
    insert_vectors,
    require_indexable,
)

LAST_CHUNKS = 64  # embedded while publications wait, at most

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True)
class SpaceStatus:
    """An embedding space and how many of the workspace's chunks have a vector in it."""

    space: EmbeddingSpace
    state: str
    vectors: int
    chunks: int


def list_spaces(engine: Engine, workspace_id: int) -> list[SpaceStatus]:
    """Return the workspace's spaces, the active one first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, model, dimensions, state FROM embedding_spaces"
                " WHERE workspace_id = :workspace_id ORDER BY state = 'active' DESC, id"
            ),
            {"workspace_id": workspace_id},
        ).all()
        found = []
        for row in rows:
            space = EmbeddingSpace(row.id, row.model, row.dimensions)
            counts = connection.execute(
                text(
                    f"SELECT (SELECT count(*) FROM {space.table}) AS vectors,"
                    " (SELECT count(*) FROM chunks WHERE workspace_id = :workspace_id) AS chunks"
                ),
                {"workspace_id": workspace_id},
            ).one()
            found.append(SpaceStatus(space, row.state, counts.vectors, counts.chunks))
        return found


def begin_space(
    engine: Engine, workspace_id: int, model: str, dimensions: int
) -> EmbeddingSpace | None:
    """Return the space of `model` that is being built, made if there is none.

    None if that model's space is the active one. Raises RefreshUnderWayError where another
    model's is being built, ConfigurationError for one that cannot be indexed.
    """
    require_indexable(model, dimensions)
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({SPACE_LOCK}, 0)"))
        for row in connection.execute(
            text(
                "SELECT id, model, dimensions, state FROM embedding_spaces"
                " WHERE workspace_id = :workspace_id AND state IN ('active', 'building')"
            ),
            {"workspace_id": workspace_id},
        ).all():
            same = (row.model, row.dimensions) == (model, dimensions)
            if same:
                if row.state == "active":
                    return None
                return EmbeddingSpace(row.id, row.model, row.dimensions)
            if row.state == "building":
                raise RefreshUnderWayError(
                    f"A change to {row.model} is under way; let it end, or stop it with"
                    " embeddings cancel."
                )
        return create_space(connection, workspace_id, model, dimensions, "building")


def chunks_without_vector(
    engine: Engine, workspace_id: int, space: EmbeddingSpace, limit: int, *, after: int = 0
) -> dict[int, str]:
    """Return contents of chunks, by id, that have no vector in the space yet; oldest first.

    Only those with ids above `after`, so that what is done need not be looked through again.
    """
    with engine.connect() as connection:
        return _missing(connection, workspace_id, space, limit, after)


def _missing(
    connection: Connection, workspace_id: int, space: EmbeddingSpace, limit: int, after: int = 0
) -> dict[int, str]:
    rows = connection.execute(
        text(
            "SELECT c.id, c.content FROM chunks c"
            " WHERE c.workspace_id = :workspace_id AND c.id > :after"
            f" AND NOT EXISTS (SELECT FROM {space.table} v WHERE v.chunk_id = c.id)"
            " ORDER BY c.id LIMIT :limit"
        ),
        {"workspace_id": workspace_id, "after": after, "limit": limit},
    )
    return {row.id: row.content for row in rows}


def save_vectors(
    engine: Engine, space: EmbeddingSpace, vectors: Mapping[int, NDArray[np.float32]]
) -> None:
    """Keep a batch of vectors by chunk id; what is kept need not be embedded again."""
    with engine.begin() as connection:
        insert_vectors(connection, space, vectors)


def index_built_space(engine: Engine, space: EmbeddingSpace) -> None:
    """Index what was built; this takes minutes for a million chunks and blocks nobody."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        index_space(connection, space)


def take_over(
    engine: Engine, workspace_id: int, space: EmbeddingSpace, embed: Embed, actor: str
) -> EmbeddingSpace | None:
    """Make a built space the active one; return the retired one, or None if chunks are missing.

    Publications wait meanwhile; the last few chunks, which came while it was built, are embedded
    in that time.
    """
    with engine.begin() as connection:
        lock_publishing(connection, workspace_id)
        missing = _missing(connection, workspace_id, space, LAST_CHUNKS + 1)
        if len(missing) > LAST_CHUNKS:
            return None
        if missing:
            rows = embed(list(missing.values()))
            insert_vectors(connection, space, dict(zip(missing, rows, strict=True)))
        retired = connection.execute(
            text(
                "UPDATE embedding_spaces SET state = 'retired'"
                " WHERE workspace_id = :workspace_id AND state = 'active'"
                " RETURNING id, model, dimensions"
            ),
            {"workspace_id": workspace_id},
        ).one()
        connection.execute(
            text("UPDATE embedding_spaces SET state = 'active' WHERE id = :id"), {"id": space.id}
        )
        record(
            connection,
            workspace_id,
            actor,
            "embedding model changed",
            space.model,
            before=retired.model,
        )
        return EmbeddingSpace(retired.id, retired.model, retired.dimensions)


def drop_spaces(engine: Engine, workspace_id: int, state: str) -> list[str]:
    """Drop the workspace's spaces that are in a state, with their tables; return their models."""
    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({SPACE_LOCK}, 0)"))
        rows = connection.execute(
            text(
                "DELETE FROM embedding_spaces"
                " WHERE workspace_id = :workspace_id AND state = :state AND state <> 'active'"
                " RETURNING id, model"
            ),
            {"workspace_id": workspace_id, "state": state},
        ).all()
        for row in rows:
            connection.execute(text(f"DROP TABLE vectors_{int(row.id)}"))
        return [row.model for row in rows]
