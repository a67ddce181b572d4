"""Publishing a version: one transaction, so that readers see the old one or the new one, whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, insert, text

from core.errors import FootnoteError
from store import tables
from store.access import EVERYONE
from store.blobs import save_blob
from store.chunks import PassageTerms, chunk_hash, insert_chunks, insert_places
from store.documents import ParsedDocument
from store.rechecks import recheck_quotes_of
from store.spaces import EmbeddingSpace, insert_vectors

PUBLISH_LOCK = 0xF007  # advisory, with the workspace's id: publications take turns


class DatesError(FootnoteError):
    """A version's dates leave it no time to be in force."""


class WatchedDocumentError(FootnoteError):
    """The document belongs to a watched source, and this file comes from elsewhere."""


class SpaceChangedError(FootnoteError):
    """Another embedding space became active while a file was read; embed it for that one."""


@dataclass(frozen=True)
class File:
    """The file a version was read from; `name` is display text, never a path to open."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Origin:
    """Where a file comes from: who sent it or which source it was found in, and when."""

    author: str | None = None  # a person, a token, "source handbook"
    source_id: int | None = None  # None: the uploads
    received_at: datetime | None = None  # None: now
    restored_from: int | None = None  # the version whose words it brings back
    audience: tuple[str, ...] = (EVERYONE,)  # of a document that is new, unless another is given


HERE = Origin()
"""Somebody at this machine, now."""


Presence = Literal["present", "returned", "deleted"]
"""Whether a document is answered from: a file brings a deleted one back, but not one that was
deleted after the file was sent."""


@dataclass(frozen=True)
class _Before:
    """What a document was: its last title, the audience if it is to be another, its presence."""

    title: str | None
    audience: tuple[str, ...]
    presence: Presence


@dataclass(frozen=True)
class Publication:
    """What publishing did: `number` is the version's; `is_new` is False if its words are the same.

    `previous_title` is that of the version numbered before, None for a document's first;
    `audience` is set only if a known document's changed; `replaces` is the version that was in
    force until this one is.
    """

    version_id: int
    document_key: str
    number: int
    is_new: bool
    effective_from: datetime
    chunk_count: int
    new_chunk_count: int
    previous_title: str | None = None
    audience: tuple[str, ...] = ()
    document_id: int = 0
    replaces: int | None = None
    presence: Presence = "present"


def publish(
    engine: Engine,
    workspace_id: int,
    document: ParsedDocument,
    file: File,
    passages: Sequence[PassageTerms],
    space: EmbeddingSpace,
    vectors: Mapping[str, NDArray[np.float32]],
    *,
    audience: Sequence[str] | None = None,
    origin: Origin = HERE,
) -> Publication:
    """Publish what was read from a file as its document's next version, unless it reads the same.

    `vectors` holds one row for each chunk hash that had no vector yet. `audience` replaces the
    document's principals; None keeps them, and a new document gets its origin's. What was found
    in a watched source has that source's audience as it is now, whatever it was when the file
    was found. Without a date of its own a version is in force from when its file came, so that
    of two files the later sent wins, whichever is published first.

    Raises DatesError where it ends before it begins, WatchedDocumentError where the document is
    another source's, SpaceChangedError where `space` is no longer the active one.
    """
    with engine.begin() as connection:
        lock_publishing(connection, workspace_id)
        _require_active(connection, space)
        received = origin.received_at or datetime.now(UTC)
        key = document.document_key or file.name
        if origin.source_id is not None:
            audience = _source_audience(connection, origin.source_id)
        before = _before(connection, workspace_id, key, audience, origin, received)
        document_id = _ensure_document(connection, workspace_id, key, audience, origin, received)
        same = _same_version(connection, document_id, document, received)
        if same is not None:
            if before.presence == "returned":
                recheck_quotes_of(connection, document_id)
            return Publication(
                version_id=same.id,
                document_key=key,
                number=same.number,
                is_new=False,
                effective_from=same.effective_from,
                chunk_count=len(passages),
                new_chunk_count=0,
                audience=before.audience,
                document_id=document_id,
                presence=before.presence,
            )
        chunk_ids, new = insert_chunks(connection, workspace_id, passages)
        insert_vectors(
            connection, space, {chunk_ids[sha256]: row for sha256, row in vectors.items()}
        )
        dated = replace(document, effective_from=_begin(document, key, received))
        version = _insert_version(
            connection, workspace_id, document_id, dated, file, origin, received
        )
        insert_places(connection, version.id, document, passages, chunk_ids)
        recheck_quotes_of(connection, document_id)
        return Publication(
            version_id=version.id,
            document_key=key,
            number=version.number,
            is_new=True,
            effective_from=version.effective_from,
            chunk_count=len(passages),
            new_chunk_count=new,
            previous_title=before.title,
            audience=before.audience,
            document_id=document_id,
            presence=before.presence,
            replaces=_replaced(connection, version.id),
        )


def lock_publishing(connection: Connection, workspace_id: int) -> None:
    """Let this transaction be the only one that changes what the workspace answers from."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:lock, (:workspace_id % 2147483647)::int)"),
        {"lock": PUBLISH_LOCK, "workspace_id": workspace_id},
    )


def _require_active(connection: Connection, space: EmbeddingSpace) -> None:
    state = connection.execute(
        text("SELECT state FROM embedding_spaces WHERE id = :id"), {"id": space.id}
    ).scalar_one_or_none()
    if state != "active":
        raise SpaceChangedError(
            f"The documents are no longer embedded with {space.model}; ingest the file again."
        )


def _source_audience(connection: Connection, source_id: int) -> list[str]:
    """Return who may read what a source holds; nobody changes it before this transaction ends."""
    return list(
        connection.execute(
            text("SELECT audience FROM sources WHERE id = :id FOR SHARE"), {"id": source_id}
        ).scalar_one()
    )


def _replaced(connection: Connection, version_id: int) -> int | None:
    """Return the version of the same document that comes just before this one in time."""
    return connection.execute(
        text(
            "SELECT o.id FROM document_versions v JOIN document_versions o"
            " ON o.document_id = v.document_id AND o.id <> v.id"
            " AND (o.effective_from, o.received_at, o.number)"
            "   < (v.effective_from, v.received_at, v.number)"
            " WHERE v.id = :id ORDER BY o.effective_from DESC, o.received_at DESC,"
            " o.number DESC LIMIT 1"
        ),
        {"id": version_id},
    ).scalar_one_or_none()


def _before(
    connection: Connection,
    workspace_id: int,
    key: str,
    audience: Sequence[str] | None,
    origin: Origin,
    received: datetime,
) -> _Before:
    row = connection.execute(
        text(
            "SELECT d.audience, d.deleted_at, (SELECT title FROM document_versions"
            " WHERE document_id = d.id ORDER BY number DESC LIMIT 1) AS title"
            " FROM documents d WHERE d.workspace_id = :workspace_id AND d.key = :key"
        ),
        {"workspace_id": workspace_id, "key": key},
    ).one_or_none()
    if row is None:
        first = tuple(audience or origin.audience)
        return _Before(None, () if first == (EVERYONE,) else first, "present")
    kept = audience is None or set(audience) == set(row.audience)
    presence: Presence = "present"
    if row.deleted_at is not None:
        presence = "returned" if row.deleted_at <= received else "deleted"
    return _Before(row.title, () if kept else tuple(audience or ()), presence)


def _ensure_document(
    connection: Connection,
    workspace_id: int,
    key: str,
    audience: Sequence[str] | None,
    origin: Origin,
    received: datetime,
) -> int:
    """Return the document's id; one that was deleted after the file came stays deleted."""
    source_id = origin.source_id or ensure_uploads(connection, workspace_id)
    _require_ours(connection, workspace_id, key, source_id)
    return int(
        connection.execute(
            text(
                "INSERT INTO documents (workspace_id, source_id, key, audience)"
                " VALUES (:workspace_id, :source_id, :key,"
                " coalesce(CAST(:audience AS text[]), :everyone))"
                " ON CONFLICT (workspace_id, key) DO UPDATE SET"
                " deleted_at = CASE WHEN documents.deleted_at > :received"
                "   THEN documents.deleted_at END,"
                " deleted_by = CASE WHEN documents.deleted_at > :received"
                "   THEN documents.deleted_by END,"
                " source_id = excluded.source_id,"
                " audience = coalesce(CAST(:audience AS text[]), documents.audience)"
                " RETURNING id"
            ),
            {
                "workspace_id": workspace_id,
                "source_id": source_id,
                "key": key,
                "audience": None if audience is None else list(audience),
                "everyone": list(origin.audience),
                "received": received,
            },
        ).scalar_one()
    )


def ensure_uploads(connection: Connection, workspace_id: int) -> int:
    """Return the source of files that people send, made at first use."""
    return int(
        connection.execute(
            text(
                "INSERT INTO sources (workspace_id, kind, name) VALUES (:workspace_id, 'upload',"
                " 'Uploads') ON CONFLICT (workspace_id, kind, name) DO UPDATE SET name ="
                " excluded.name RETURNING id"
            ),
            {"workspace_id": workspace_id},
        ).scalar_one()
    )


def _require_ours(connection: Connection, workspace_id: int, key: str, source_id: int) -> None:
    """Keep a source's documents from being replaced from elsewhere, to be reverted at its turn."""
    owner = connection.execute(
        text(
            "SELECT s.name FROM documents d JOIN sources s ON s.id = d.source_id"
            " WHERE d.workspace_id = :workspace_id AND d.key = :key AND d.deleted_at IS NULL"
            " AND s.kind <> 'upload' AND s.state <> 'removed' AND s.id <> :source_id"
        ),
        {"workspace_id": workspace_id, "key": key, "source_id": source_id},
    ).scalar_one_or_none()
    if owner is not None:
        raise WatchedDocumentError(
            f"{key} is kept current from the source {owner}; change it there, or name another"
            " document in the file's front matter (document: …)."
        )


def _same_version(
    connection: Connection, document_id: int, document: ParsedDocument, received: datetime
) -> Any:
    """Return the version that this one would replace, if it reads the same and ends with it.

    That is the last one sent of those that begin on the same date; without a date of its own,
    the one that held when it came. So going back to older words is a change.
    """
    return connection.execute(
        text(
            "SELECT id, number, effective_from FROM ("
            " SELECT * FROM document_versions WHERE document_id = :document_id"
            " AND CASE WHEN CAST(:effective_from AS timestamptz) IS NULL"
            "     THEN effective_from <= :received ELSE effective_from = :effective_from END"
            " ORDER BY effective_from DESC, received_at DESC, number DESC LIMIT 1) replaced"
            " WHERE sha256 = :sha256 AND title = :title"
            " AND effective_to IS NOT DISTINCT FROM :effective_to"
        ),
        {
            "document_id": document_id,
            "sha256": chunk_hash(document.text),
            "title": document.title,
            "effective_from": document.effective_from,
            "effective_to": document.effective_to,
            "received": received,
        },
    ).one_or_none()


def _begin(document: ParsedDocument, key: str, received: datetime) -> datetime:
    begin = document.effective_from or received
    if document.effective_to is not None and document.effective_to <= begin:
        raise DatesError(
            f"{key} would end on {document.effective_to:%Y-%m-%d}, before it begins"
            f" ({begin:%Y-%m-%d}); correct effective_from or effective_to."
        )
    return begin


def _insert_version(
    connection: Connection,
    workspace_id: int,
    document_id: int,
    document: ParsedDocument,
    file: File,
    origin: Origin,
    received: datetime,
) -> Any:
    blob_sha256 = save_blob(connection, workspace_id, file.data)
    number = connection.execute(
        text(
            "SELECT coalesce(max(number), 0) + 1 FROM document_versions"
            " WHERE document_id = :document_id"
        ),
        {"document_id": document_id},
    ).scalar_one()
    versions = tables.document_versions
    return connection.execute(
        insert(versions)
        .values(
            workspace_id=workspace_id,
            document_id=document_id,
            number=number,
            title=document.title,
            text=document.text,
            sha256=chunk_hash(document.text),
            effective_from=document.effective_from,
            effective_to=document.effective_to,
            owner=document.owner,
            link=document.link,
            file_name=file.name,
            media_type=file.media_type,
            blob_sha256=blob_sha256,
            source_map=[[run.start, run.source_start, run.length] for run in document.source_map],
            hidden_characters=document.hidden_characters,
            author=origin.author,
            received_at=received,
            restored_from=origin.restored_from,
        )
        .returning(versions.c.id, versions.c.number, versions.c.effective_from)
    ).one()
