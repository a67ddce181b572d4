"""What the first pass reads of transcripts, and what it says of them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from store.transcripts import COLUMNS, Finding, Said, Transcript, transcript_of, written

CURATION_LOCK = 0xF00B  # advisory, with the workspace's id


@dataclass(frozen=True)
class FirstPass:
    """What the first pass says of one transcript. `signature` is the MinHash of its words."""

    redacted: tuple[Said, ...]
    redactions: Mapping[str, int]
    findings: tuple[Finding, ...]
    quarantined: bool
    disliked: str | None
    language: str | None
    quality: float
    signature: bytes
    duplicate_of: int | None = None


@contextmanager
def one_at_a_time(engine: Engine, workspace_id: int) -> Iterator[None]:
    """Hold the first pass over a workspace for this block; another waits until it ends."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        held = {"lock": CURATION_LOCK, "id": workspace_id}
        connection.execute(text("SELECT pg_advisory_lock(:lock, CAST(:id AS int))"), held)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock, CAST(:id AS int))"), held)


def unread_transcripts(engine: Engine, workspace_id: int, limit: int) -> list[Transcript]:
    """Return what the first pass has not read yet, the oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM transcripts WHERE workspace_id = :workspace_id"
                " AND curated_at IS NULL AND state = 'candidate' ORDER BY id LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "limit": limit},
        )
        return [transcript_of(row) for row in rows]


def save_first_pass(connection: Connection, read: Transcript, found: FirstPass) -> bool:
    """Keep what the first pass says of a transcript; False where its words changed meanwhile."""
    kept = connection.execute(
        text(
            "UPDATE transcripts SET redacted = CAST(:redacted AS jsonb), disliked = :disliked,"
            " redactions = CAST(:redactions AS jsonb), findings = CAST(:findings AS jsonb),"
            " language = :language, quality = :quality, signature = :signature,"
            " duplicate_of = (SELECT id FROM transcripts WHERE id = :duplicate_of),"
            " state = :state, curated_at = now()"
            " WHERE id = :id AND revision = :revision AND curated_at IS NULL"
            " AND state = 'candidate'"
        ),
        {
            "id": read.id,
            "revision": read.revision,
            "redacted": written(found.redacted),
            "disliked": found.disliked,
            "redactions": json.dumps(dict(found.redactions)),
            "findings": json.dumps([vars(finding) for finding in found.findings]),
            "language": found.language,
            "quality": found.quality,
            "signature": found.signature,
            "duplicate_of": found.duplicate_of,
            "state": "quarantined" if found.quarantined else "candidate",
        },
    )
    return kept.rowcount == 1


def read_signatures(engine: Engine, workspace_id: int) -> list[tuple[int, bytes]]:
    """Return the signatures of all that were read and are nobody's duplicate, by their ids."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, signature FROM transcripts WHERE workspace_id = :workspace_id"
                " AND signature IS NOT NULL AND duplicate_of IS NULL ORDER BY id"
            ),
            {"workspace_id": workspace_id},
        )
        return [(row.id, bytes(row.signature)) for row in rows]


def count_unread(engine: Engine, workspace_id: int) -> int:
    """Return how many transcripts the first pass has not read yet."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT count(*) FROM transcripts WHERE workspace_id = :id"
                    " AND curated_at IS NULL AND state = 'candidate'"
                ),
                {"id": workspace_id},
            ).scalar_one()
        )


@dataclass(frozen=True)
class CurationStats:
    """How many transcripts there are: by state, by origin, by what was found in them.

    `redactions` counts placeholders by kind, `labels` rows by label and value, both over all
    transcripts but rejected ones.
    """

    states: dict[str, int]
    origins: dict[str, int]
    findings: dict[str, int]
    redactions: dict[str, int]
    labels: dict[str, int]


COUNTED = {
    "states": "SELECT state AS name, count(*) AS number FROM ours GROUP BY 1",
    "origins": "SELECT origin AS name, count(*) AS number FROM ours GROUP BY 1",
    "findings": (
        "SELECT found ->> 'kind' AS name, count(DISTINCT id) AS number"
        " FROM ours, jsonb_array_elements(findings) AS found GROUP BY 1"
    ),
    "redactions": (
        "SELECT kind AS name, sum(CAST(placed AS int)) AS number"
        " FROM ours, jsonb_each_text(redactions) AS r (kind, placed)"
        " WHERE state <> 'rejected' GROUP BY 1"
    ),
    "labels": (
        "SELECT label || '=' || value AS name, count(*) AS number"
        " FROM ours, jsonb_each_text(labels) AS l (label, value)"
        " WHERE state <> 'rejected' GROUP BY 1"
    ),
}


def curation_stats(engine: Engine, workspace_id: int) -> CurationStats:
    """Return how a workspace's transcripts stand."""
    ours = "WITH ours AS (SELECT * FROM transcripts WHERE workspace_id = :id) "
    counted: dict[str, dict[str, int]] = {}
    with engine.connect() as connection:
        for name, statement in COUNTED.items():
            rows = connection.execute(
                text(f"{ours}{statement} ORDER BY number DESC, name"), {"id": workspace_id}
            )
            counted[name] = {row.name: int(row.number) for row in rows}
    return CurationStats(**counted)
