"""A document through its versions: finding it, its past, deleting it, bringing words back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Insert,
    Table,
    func,
    insert,
    literal,
    select,
    text,
)

from core.errors import FootnoteError, NotFoundError
from store import tables
from store.audit import record
from store.publish import WatchedDocumentError, ensure_uploads, lock_publishing
from store.rechecks import recheck_quotes_of
from store.search import ALL_IN_FORCE


class NotDeletedError(FootnoteError):
    """Nothing needs bringing back: the document is not deleted."""


class DeletedError(FootnoteError):
    """The document is deleted already."""


class UnembeddedError(FootnoteError):
    """A version's passages have no vectors in the active embedding space any more."""


@dataclass(frozen=True)
class Held:
    """A document as the operator sees it, whoever may read it and whether it counts or not.

    Title, number and dates are those of the version in force; where there is none, of the next
    one to begin, else of the last one that was. `in_force` is False then.
    """

    id: int
    document_key: str
    title: str
    number: int
    effective_from: datetime
    effective_to: datetime | None
    in_force: bool
    characters: int
    versions: int
    audience: tuple[str, ...]
    source: str
    source_kind: str
    source_state: str
    deleted_at: datetime | None
    deleted_by: str | None

    @property
    def watched(self) -> bool:
        """Whether a source keeps it current, so that changes are made there."""
        return self.source_kind != "upload" and self.source_state != "removed"


@dataclass(frozen=True)
class PastVersion:
    """One version in a document's history, without its text."""

    id: int
    number: int
    title: str
    in_force: bool
    effective_from: datetime
    effective_to: datetime | None
    received_at: datetime
    author: str | None
    restored_from: int | None
    owner: str | None
    link: str | None
    file_name: str
    media_type: str
    hidden_characters: int
    characters: int
    passages: int
    before: int | None  # the id of the version that it follows in time
    replaced_at: datetime | None  # when the one that follows it begins, or will


@dataclass(frozen=True)
class Restored:
    """What restoring did: the number that the words now have, and from when they count."""

    number: int
    effective_from: datetime
    effective_to: datetime | None
    is_new: bool  # False where a deleted document was brought back as it was


MADE_BY_THE_DATABASE = frozenset({"id", "created_at"})

HELD = f"""
WITH in_force AS ({ALL_IN_FORCE})
SELECT d.id, d.key AS document_key, v.title, v.number, v.effective_from, v.effective_to,
       f.id IS NOT NULL AS in_force, length(v.text) AS characters,
       (SELECT count(*) FROM document_versions WHERE document_id = d.id) AS versions,
       d.audience, s.name AS source, s.kind AS source_kind, s.state AS source_state,
       d.deleted_at, d.deleted_by
FROM documents d
JOIN sources s ON s.id = d.source_id
LEFT JOIN in_force f ON f.document_id = d.id
JOIN LATERAL (
    SELECT * FROM document_versions WHERE document_id = d.id
    ORDER BY id = f.id DESC NULLS LAST, effective_from > :as_of DESC,
        CASE WHEN effective_from > :as_of THEN effective_from END,
        effective_from DESC, received_at DESC, number DESC LIMIT 1
) v ON true
WHERE d.workspace_id = :workspace_id
  AND (CAST(:name AS text) IS NULL OR d.key = :name OR lower(v.title) = lower(:name))
ORDER BY v.title, d.id
"""

HISTORY = f"""
WITH in_force AS ({ALL_IN_FORCE})
SELECT v.id, v.number, v.title, v.id IN (SELECT id FROM in_force) AS in_force,
       v.effective_from, v.effective_to, v.received_at, v.author, v.restored_from, v.owner,
       v.link, v.file_name, v.media_type, v.hidden_characters, length(v.text) AS characters,
       (SELECT count(*) FROM version_chunks WHERE version_id = v.id) AS passages,
       lag(v.id) OVER in_time AS before, lead(v.effective_from) OVER in_time AS replaced_at
FROM document_versions v
JOIN documents d ON d.id = v.document_id
WHERE d.workspace_id = :workspace_id AND d.id = :document_id
WINDOW in_time AS (ORDER BY v.effective_from, v.received_at, v.number)
ORDER BY v.number
"""


def list_documents(engine: Engine, workspace_id: int, as_of: datetime) -> list[Held]:
    """Return every document there is or was, by title."""
    return _held(engine, workspace_id, as_of, None)


def find_documents(engine: Engine, workspace_id: int, name: str, as_of: datetime) -> list[Held]:
    """Return the document with that key, else those with that title, in any case of letters."""
    found = _held(engine, workspace_id, as_of, name)
    return [held for held in found if held.document_key == name] or found


def _held(engine: Engine, workspace_id: int, as_of: datetime, name: str | None) -> list[Held]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(HELD), {"workspace_id": workspace_id, "as_of": as_of, "name": name}
        )
        return [Held(**{**row._mapping, "audience": tuple(row.audience)}) for row in rows]


def read_history(
    engine: Engine, workspace_id: int, document_id: int, as_of: datetime
) -> list[PastVersion]:
    """Return a document's versions in the order of their numbers."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(HISTORY),
            {"workspace_id": workspace_id, "document_id": document_id, "as_of": as_of},
        )
        return [PastVersion(**row._mapping) for row in rows]


def read_warnings(engine: Engine, workspace_id: int, version_id: int) -> list[str]:
    """Return what was said of a version's file when it was read, as long as its job is kept."""
    with engine.connect() as connection:
        kept = connection.execute(
            text(
                "SELECT result -> 'warnings' FROM jobs WHERE workspace_id = :workspace_id"
                " AND kind = 'ingest_file' AND result @> jsonb_build_object("
                "   'version_id', CAST(:version_id AS bigint), 'new_version', true)"
                " ORDER BY id LIMIT 1"
            ),
            {"workspace_id": workspace_id, "version_id": version_id},
        ).scalar_one_or_none()
    return list(kept or ())


# --- changes -------------------------------------------------------------------------------


def delete_document(engine: Engine, workspace_id: int, document_id: int, actor: str) -> None:
    """Let nothing be answered from a document any more; what quoted it can still be opened.

    Raises NotFoundError, DeletedError, WatchedDocumentError where a source would bring it back.
    """
    with engine.begin() as connection:
        lock_publishing(connection, workspace_id)
        document = _document(connection, workspace_id, document_id)
        if document.deleted_at is not None:
            raise DeletedError(f"{document.key} is deleted already; restore brings it back.")
        _require_unwatched(document, "would bring it back")
        connection.execute(
            text(
                "UPDATE documents SET deleted_at = clock_timestamp(), deleted_by = :actor"
                " WHERE id = :id"
            ),
            {"id": document_id, "actor": actor},
        )
        record(connection, workspace_id, actor, "document deleted", document.key)
        recheck_quotes_of(connection, document_id)


def undelete_document(engine: Engine, workspace_id: int, document_id: int, actor: str) -> Restored:
    """Let a deleted document count again as it was; return its last version.

    One that a source withdrew belongs to the uploads from then on. Raises NotFoundError,
    NotDeletedError, UnembeddedError.
    """
    with engine.begin() as connection:
        lock_publishing(connection, workspace_id)
        document = _document(connection, workspace_id, document_id)
        if document.deleted_at is None:
            raise NotDeletedError(
                f"{document.key} is not deleted; name the version to restore (--version)."
            )
        last = connection.execute(
            text(
                "SELECT id, number, effective_from, effective_to FROM document_versions"
                " WHERE document_id = :id"
                " ORDER BY effective_from DESC, received_at DESC, number DESC LIMIT 1"
            ),
            {"id": document_id},
        ).one()
        _require_vectors(connection, workspace_id, last.id, document.key)
        _undelete(connection, workspace_id, document_id)
        record(connection, workspace_id, actor, "document restored", document.key)
        recheck_quotes_of(connection, document_id)
        return Restored(last.number, last.effective_from, last.effective_to, is_new=False)


def restore_version(
    engine: Engine,
    workspace_id: int,
    document_id: int,
    number: int,
    actor: str,
    *,
    effective_from: datetime | None = None,
) -> Restored:
    """Publish an earlier version's very words as the next version, without embedding anything.

    It is in force from now unless a date is given; an end that has passed by then is dropped.
    A deleted document comes back with it.

    Raises NotFoundError, WatchedDocumentError, UnembeddedError.
    """
    with engine.begin() as connection:
        lock_publishing(connection, workspace_id)
        document = _document(connection, workspace_id, document_id)
        if document.deleted_at is None:
            _require_unwatched(document, "would replace it again")
        version_id = _version_id(connection, document_id, number, document.key)
        _require_vectors(connection, workspace_id, version_id, document.key)
        made = _copied(connection, document_id, version_id, number, actor, effective_from)
        if document.deleted_at is not None:
            _undelete(connection, workspace_id, document_id)
        record(
            connection,
            workspace_id,
            actor,
            "version restored",
            document.key,
            version=number,
            as_version=made.number,
        )
        recheck_quotes_of(connection, document_id)
        return Restored(made.number, made.effective_from, made.effective_to, is_new=True)


def _document(connection: Connection, workspace_id: int, document_id: int) -> Any:
    row = connection.execute(
        text(
            "SELECT d.key, d.deleted_at, s.name AS source, s.kind, s.state FROM documents d"
            " JOIN sources s ON s.id = d.source_id"
            " WHERE d.workspace_id = :workspace_id AND d.id = :id"
        ),
        {"workspace_id": workspace_id, "id": document_id},
    ).one_or_none()
    if row is None:
        raise NotFoundError("There is no such document here.")
    return row


def _require_unwatched(document: Any, consequence: str) -> None:
    if document.kind != "upload" and document.state != "removed":
        raise WatchedDocumentError(
            f"{document.key} is kept current from the source {document.source}, which"
            f" {consequence}; change it there, or exclude it from the source."
        )


def _version_id(connection: Connection, document_id: int, number: int, key: str) -> int:
    found = connection.execute(
        text("SELECT id FROM document_versions WHERE document_id = :id AND number = :number"),
        {"id": document_id, "number": number},
    ).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"{key} has no version {number}; history shows those there are.")
    return int(found)


def _require_vectors(connection: Connection, workspace_id: int, version_id: int, key: str) -> None:
    """Refuse words that a search could not find: their vectors went with an earlier model."""
    space_id = connection.execute(
        text(
            "SELECT id FROM embedding_spaces"
            " WHERE workspace_id = :workspace_id AND state = 'active'"
        ),
        {"workspace_id": workspace_id},
    ).scalar_one_or_none()
    missing = (
        space_id is None
        or connection.execute(
            text(
                "SELECT EXISTS (SELECT FROM version_chunks vc WHERE vc.version_id = :version_id"
                f" AND NOT EXISTS (SELECT FROM vectors_{int(space_id)} e"
                " WHERE e.chunk_id = vc.chunk_id))"
            ),
            {"version_id": version_id},
        ).scalar_one()
    )
    if missing:
        raise UnembeddedError(
            f"This version of {key} is not embedded with the model in use; ingest its file again."
        )


def _undelete(connection: Connection, workspace_id: int, document_id: int) -> None:
    """Let a document count again, as one that somebody sent: no source has it any more."""
    connection.execute(
        text(
            "UPDATE documents SET deleted_at = NULL, deleted_by = NULL, source_id = :uploads"
            " WHERE id = :id"
        ),
        {"id": document_id, "uploads": ensure_uploads(connection, workspace_id)},
    )


def _copied(
    connection: Connection,
    document_id: int,
    version_id: int,
    number: int,
    actor: str,
    effective_from: datetime | None,
) -> Any:
    """Insert a version with another's words; return its row."""
    versions = tables.document_versions
    now = connection.execute(select(func.clock_timestamp())).scalar_one()
    last, end = connection.execute(
        select(
            func.max(versions.c.number),
            func.max(versions.c.effective_to).filter(versions.c.id == version_id),
        ).where(versions.c.document_id == document_id)
    ).one()
    begin = effective_from or now
    anew = {
        "number": last + 1,
        "effective_from": begin,
        "effective_to": end if end is not None and end > begin else None,
        "author": actor,
        "received_at": now,
        "restored_from": number,
    }
    made = connection.execute(
        _copy(versions, anew, versions.c.id == version_id).returning(
            versions.c.id, versions.c.number, versions.c.effective_from, versions.c.effective_to
        )
    ).one()
    for parts in (tables.blocks, tables.version_chunks):
        connection.execute(_copy(parts, {"version_id": made.id}, parts.c.version_id == version_id))
    return made


def _copy(table: Table, anew: Mapping[str, object], where: ColumnElement[bool]) -> Insert:
    """Return what inserts rows as they are, but for the columns given anew."""
    columns = [column for column in table.c if column.name not in MADE_BY_THE_DATABASE]
    values = [
        literal(anew[column.name], column.type) if column.name in anew else column
        for column in columns
    ]
    return insert(table).from_select([c.name for c in columns], select(*values).where(where))
