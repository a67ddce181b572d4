"""Hybrid search: one SQL statement with permission and dates inside, before anything is ranked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from sqlalchemy import Engine, text

from store.access import Access
from store.documents import VERSION_COLUMNS, BlockKind, Version
from store.spaces import EmbeddingSpace, space_there
from store.tables import TERM_DIMENSIONS
from store.terms import TIER_BITS, WORKSPACE_SHIFT

BUDGET = 8_000  # chunks that a question's words may bring to be ranked exactly
POOL = 50  # candidates from each side; gold is among them for 98 % of measured questions

IN_FORCE = """
    v.effective_from <= :as_of AND (v.effective_to IS NULL OR v.effective_to > :as_of)
    AND d.workspace_id = :workspace_id AND d.deleted_at IS NULL
    AND NOT EXISTS (
        SELECT FROM document_versions later
        WHERE later.document_id = v.document_id AND later.effective_from <= :as_of
          AND (later.effective_from, later.received_at, later.number)
            > (v.effective_from, v.received_at, v.number)
    )
"""
"""Whether a version `v` of a document `d` is the one in force: it began last, then came last."""

PERMITTED = f"""{IN_FORCE}
    AND d.audience && CAST(:asker AS text[]) AND d.audience && CAST(:place AS text[])
    AND (NOT :scoped OR d.source_id = ANY(CAST(:sources AS bigint[]))
         OR d.key = ANY(CAST(:documents AS text[])))
"""
"""The same, where the asker may read it, everybody in the place, and the place answers from it."""

ALL_IN_FORCE = f"""
    SELECT v.id, v.document_id FROM document_versions v
    JOIN documents d ON d.id = v.document_id
    WHERE {IN_FORCE}
"""
"""The version in force of each document, whoever may read it."""

READABLE = f"""(
    SELECT true FROM version_chunks p
    JOIN document_versions v ON v.id = p.version_id
    JOIN documents d ON d.id = v.document_id
    WHERE p.chunk_id = {{chunk}} AND {PERMITTED} LIMIT 1
)"""
"""Whether a chunk stands in a version in force that the asker may read: asked of each chunk as
an index brings it, nearest first, until there are enough."""

SEARCH = """
WITH asked AS MATERIALIZED (
    SELECT q.term_id, q.weight
        * ln(1 + (w.chunk_count - least(t.n, w.chunk_count) + 0.5)
                 / (least(t.n, w.chunk_count) + 0.5)) AS weight
    FROM unnest(CAST(:term_ids AS int[]), CAST(:term_weights AS real[])) AS q (term_id, weight)
    JOIN workspaces w ON w.id = :workspace_id
    CROSS JOIN LATERAL (
        SELECT sum(f.chunk_count) AS n FROM term_frequencies f
        WHERE f.workspace_id = w.id AND f.term_id = q.term_id
    ) t
    WHERE t.n > 0
),
question AS MATERIALIZED (
    SELECT coalesce(sum(weight), 0) AS total,
           CAST('{{' || coalesce(string_agg(term_id || ':' || weight, ',' ORDER BY term_id), '')
                || '}}/{dimensions}' AS sparsevec) AS weights
    FROM asked
),
keys AS MATERIALIZED (
    SELECT (CAST(:workspace_id AS bigint) << {workspace_shift})
               | (CAST(t.term_id AS bigint) << {tier_bits}) | t.tier AS key,
           sum(t.chunk_count) OVER (ORDER BY a.weight * (t.tier + 1) DESC, t.term_id, t.tier)
               - t.chunk_count AS before
    FROM asked a
    JOIN term_frequencies t ON t.workspace_id = :workspace_id AND t.term_id = a.term_id
),
chosen AS MATERIALIZED (
    SELECT coalesce(array_agg(key) FILTER (WHERE before < :budget), '{{}}') AS keys,
           coalesce(bool_and(before < :budget), true) AS is_all
    FROM keys
),
nearest AS MATERIALIZED (
    SELECT e.chunk_id FROM {vectors} e
    WHERE {readable_vector}
    ORDER BY e.embedding <=> :vector LIMIT :pool
),
weightiest AS MATERIALIZED (
    SELECT c.id AS chunk_id FROM chunks c CROSS JOIN question q
    WHERE c.term_keys && (SELECT keys FROM chosen)
    ORDER BY c.term_weights <#> q.weights, c.id
),
lexical AS MATERIALIZED (
    -- A scan of a materialised table keeps its order; another sort would ask of every chunk.
    SELECT w.chunk_id FROM weightiest w WHERE {readable_term} LIMIT :pool
),
permitted AS (
    -- Where few of many chunks may be read, the indexes bring too few of them: then, and only
    -- then, all that may be read are ranked.
    SELECT DISTINCT vc.chunk_id FROM version_chunks vc
    JOIN document_versions v ON v.id = vc.version_id
    JOIN documents d ON d.id = v.document_id
    WHERE {readable}
),
rest AS (
    (SELECT e.chunk_id FROM {vectors} e JOIN permitted USING (chunk_id)
     WHERE (SELECT count(*) FROM nearest) < :pool
     ORDER BY e.embedding <=> :vector LIMIT :pool)
    UNION
    (SELECT c.id FROM chunks c JOIN permitted ON permitted.chunk_id = c.id CROSS JOIN question q
     WHERE (SELECT count(*) FROM lexical) < :pool AND NOT (SELECT is_all FROM chosen)
       AND c.term_weights <#> q.weights < 0
     ORDER BY c.term_weights <#> q.weights LIMIT :pool)
),
scored AS MATERIALIZED (
    SELECT c.id AS chunk_id, c.content, 1 - (e.embedding <=> :vector) AS similarity,
           1 - (e.embedding <=> :plain) AS cosine,
           greatest(0, - (c.term_weights <#> q.weights)) AS bm25, q.total
    FROM (SELECT chunk_id FROM nearest UNION SELECT chunk_id FROM lexical
          UNION SELECT chunk_id FROM rest) found
    JOIN chunks c ON c.id = found.chunk_id
    JOIN {vectors} e ON e.chunk_id = c.id
    CROSS JOIN question q
)
SELECT s.chunk_id, s.content, s.similarity, s.cosine, s.bm25, s.total, v.id AS version_id,
       d.key AS document_key, v.title, v.number, v.effective_from, v.effective_to, v.link, o.trust,
       vc.ordinal, vc.start_offset, vc.end_offset, vc.heading_path, vc.page,
       ARRAY(SELECT b.start_offset || ':' || b.kind FROM blocks b
             WHERE b.version_id = vc.version_id AND b.end_offset > vc.start_offset
               AND b.start_offset < vc.end_offset ORDER BY b.ordinal) AS blocks
FROM scored s
JOIN version_chunks vc ON vc.chunk_id = s.chunk_id
JOIN document_versions v ON v.id = vc.version_id
JOIN documents d ON d.id = v.document_id
JOIN sources o ON o.id = d.source_id
WHERE {readable}
ORDER BY s.similarity DESC, vc.version_id, vc.ordinal
"""


@dataclass(frozen=True)
class Candidate:
    """A passage in its place in a version, with its raw scores for one question.

    `similarity` is the cosine (-1 … 1) to what was searched for, `cosine` to the question as it
    was embedded: the same, unless an adapter turned it. `bm25` is at least 0; `bm25_total` is the
    sum of the question's term weights, the scale of `bm25`.
    """

    chunk_id: int
    version_id: int
    document_key: str
    title: str
    version: int
    effective_from: datetime
    effective_to: datetime | None
    link: str | None
    trust: int
    ordinal: int
    start: int
    end: int
    section: tuple[str, ...]
    page: int | None
    content: str
    similarity: float
    cosine: float
    bm25: float
    bm25_total: float
    blocks: tuple[tuple[int, BlockKind], ...] = ()  # where its blocks start in the text

    @property
    def text(self) -> str:
        """Return the passage: the content without its line of title and headings."""
        return self.content.partition("\n")[2]


def _block_start(entry: str) -> tuple[int, BlockKind]:
    start, _, kind = entry.partition(":")
    return int(start), cast("BlockKind", kind)


def search(
    engine: Engine,
    workspace_id: int,
    space: EmbeddingSpace,
    access: Access,
    as_of: datetime,
    vector: NDArray[np.float32],
    term_weights: Mapping[int, float],
    *,
    plain: NDArray[np.float32] | None = None,
    pool: int = POOL,
) -> list[Candidate]:
    """Return the passages nearest by vector and by BM25, each with both scores.

    `vector` has the space's dimensions, `plain` is the same before an adapter turned it, None
    where none did; `term_weights` are the question's, without inverse frequency, which the
    statement adds. At most 2 × `pool` chunks, unranked. Raises SpaceGoneError where the space was
    dropped meanwhile.
    """
    statement = text(
        SEARCH.format(
            readable=PERMITTED,
            readable_vector=READABLE.format(chunk="e.chunk_id"),
            readable_term=READABLE.format(chunk="w.chunk_id"),
            vectors=space.table,
            dimensions=TERM_DIMENSIONS,
            workspace_shift=WORKSPACE_SHIFT,
            tier_bits=TIER_BITS,
        )
    )
    with space_there(space), engine.connect() as connection:
        rows = connection.execute(
            statement,
            {
                **permitted(workspace_id, access, as_of),
                "vector": HalfVector(vector),
                "plain": HalfVector(vector if plain is None else plain),
                "term_ids": list(term_weights),
                "term_weights": list(term_weights.values()),
                "pool": pool,
                "budget": BUDGET,
            },
        ).all()
    return [
        Candidate(
            chunk_id=row.chunk_id,
            version_id=row.version_id,
            document_key=row.document_key,
            title=row.title,
            version=row.number,
            effective_from=row.effective_from,
            effective_to=row.effective_to,
            link=row.link,
            trust=row.trust,
            ordinal=row.ordinal,
            start=row.start_offset,
            end=row.end_offset,
            section=tuple(row.heading_path),
            page=row.page,
            content=row.content,
            similarity=float(row.similarity),
            cosine=float(row.cosine),
            bm25=float(row.bm25),
            bm25_total=float(row.total),
            blocks=tuple(_block_start(entry) for entry in row.blocks),
        )
        for row in rows
    ]


def versions_in_force(
    engine: Engine, workspace_id: int, access: Access, as_of: datetime
) -> list[Version]:
    """Return the version in force of each document that `access` permits, by title."""
    statement = text(
        f"SELECT {VERSION_COLUMNS} FROM document_versions v"
        f" JOIN documents d ON d.id = v.document_id WHERE {PERMITTED} ORDER BY v.title, v.id"
    )
    with engine.connect() as connection:
        rows = connection.execute(statement, permitted(workspace_id, access, as_of))
        return [Version(**row._mapping) for row in rows]


def count_in_force(engine: Engine, workspace_id: int, access: Access) -> int:
    """Return how many documents `access` permits that have a version in force now."""
    statement = text(
        "SELECT count(*) FROM document_versions v"
        f" JOIN documents d ON d.id = v.document_id WHERE {PERMITTED}"
    )
    with engine.connect() as connection:
        values = permitted(workspace_id, access, datetime.now(UTC))
        return int(connection.execute(statement, values).scalar_one())


def permitted(workspace_id: int, access: Access, as_of: datetime) -> dict[str, Any]:
    """Return the parameters of `PERMITTED`."""
    scope = access.scope
    return {
        "workspace_id": workspace_id,
        "as_of": as_of,
        "asker": sorted(access.asker),
        "place": sorted(access.place),
        "scoped": scope is not None,
        "sources": sorted(scope.sources) if scope else [],
        "documents": sorted(scope.documents) if scope else [],
    }
