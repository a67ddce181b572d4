"""Watched sources: their rows, from the first look to their removal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import FootnoteError, NotFoundError
from store.audit import record
from store.publish import ensure_uploads
from store.rechecks import recheck_quotes_of
from store.schedules import enable_schedule, remove_schedule, set_schedule
from store.source_items import FAILURES

SYNC_SOURCE = "sync_source"  # the kind of the jobs and schedules of sources

SourceState = Literal["active", "paused"]


class SourceNameError(FootnoteError):
    """A source of that name is watched already."""


@dataclass(frozen=True)
class NewSource:
    """What is needed to watch a place. `every` is in seconds; None looks only when asked to."""

    kind: str
    name: str
    uri: str
    options: Mapping[str, str]
    audience: Sequence[str]
    owner: str | None = None
    trust: int = 0
    every: int | None = None


@dataclass(frozen=True)
class Source:
    """A watched place and how it fares.

    `checked_at` is the last look that succeeded, `changed_at` the last that found a change,
    `failure` why the last look failed; `documents` and `failures` count items.
    """

    id: int
    workspace_id: int
    kind: str
    name: str
    uri: str
    options: dict[str, str]
    audience: tuple[str, ...]
    owner: str | None
    trust: int
    state: SourceState
    checked_at: datetime | None
    changed_at: datetime | None
    failure: str | None
    every: int | None
    next_at: datetime | None
    documents: int
    failures: int


SELECT = f"""
    SELECT s.id, s.workspace_id, s.kind, s.name, s.uri, s.options, s.audience, s.owner, s.trust,
           s.state, s.checked_at, s.changed_at, s.failure, p.every, p.next_at,
           (SELECT count(DISTINCT i.document_id) FROM source_items i JOIN documents d
            ON d.id = i.document_id WHERE i.source_id = s.id AND d.deleted_at IS NULL)
               AS documents,
           {FAILURES} AS failures
    FROM sources s
    LEFT JOIN schedules p ON p.workspace_id = s.workspace_id AND p.kind = '{SYNC_SOURCE}'
        AND p.key = s.id::text
    WHERE s.kind <> 'upload' AND s.state <> 'removed'
"""


def _source(row: Any) -> Source:
    return Source(**{**row._mapping, "audience": tuple(row.audience)})


def list_sources(engine: Engine, workspace_id: int) -> list[Source]:
    """Return the watched sources by name."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"{SELECT} AND s.workspace_id = :workspace_id ORDER BY s.name"),
            {"workspace_id": workspace_id},
        )
        return [_source(row) for row in rows]


def find_source(engine: Engine, workspace_id: int, name: str) -> Source:
    """Return a watched source by its name. Raises NotFoundError, naming those there are."""
    sources = list_sources(engine, workspace_id)
    for source in sources:
        if source.name == name:
            return source
    there = ", ".join(source.name for source in sources) or "none yet"
    raise NotFoundError(f"There is no source {name}; there are: {there}.")


def source_by_id(engine: Engine, source_id: int) -> Source | None:
    """Return a watched source, None once it was removed."""
    with engine.connect() as connection:
        row = connection.execute(
            text(f"{SELECT} AND s.id = :source_id"), {"source_id": source_id}
        ).one_or_none()
    return _source(row) if row else None


def add_source(engine: Engine, workspace_id: int, new: NewSource, actor: str) -> Source:
    """Begin to watch a place. Raises SourceNameError where the name is taken.

    A source that was removed and is added again by its kind and name takes up its documents.
    """
    with engine.begin() as connection:
        _refuse_twice(connection, workspace_id, new)
        taken = connection.execute(
            text(
                "SELECT kind FROM sources WHERE workspace_id = :workspace_id AND name = :name"
                " AND state <> 'removed' AND kind <> 'upload'"
            ),
            {"workspace_id": workspace_id, "name": new.name},
        ).scalar_one_or_none()
        if taken is not None:
            raise SourceNameError(
                f"A source named {new.name} is watched already; remove it or choose another name."
            )
        source_id = connection.execute(
            text(
                "INSERT INTO sources (workspace_id, kind, name, uri, options, audience, owner,"
                " trust) VALUES (:workspace_id, :kind, :name, :uri, CAST(:options AS jsonb),"
                " :audience, :owner, :trust) ON CONFLICT (workspace_id, kind, name) DO UPDATE"
                " SET uri = excluded.uri, options = excluded.options, audience ="
                " excluded.audience, owner = excluded.owner, trust = excluded.trust,"
                " state = 'active', failure = NULL, checked_at = NULL, changed_at = NULL"
                " RETURNING id"
            ),
            {
                "workspace_id": workspace_id,
                "kind": new.kind,
                "name": new.name,
                "uri": new.uri,
                "options": json.dumps(dict(new.options)),
                "audience": list(new.audience),
                "owner": new.owner,
                "trust": new.trust,
            },
        ).scalar_one()
        _schedule(connection, workspace_id, source_id, new.every)
        record(connection, workspace_id, actor, "source added", new.name, kind=new.kind)
    return find_source(engine, workspace_id, new.name)


def _refuse_twice(connection: Connection, workspace_id: int, new: NewSource) -> None:
    """Refuse a place that is watched already: its documents would stand beside one another."""
    known = connection.execute(
        text(
            "SELECT name FROM sources WHERE workspace_id = :workspace_id AND kind = :kind"
            " AND regexp_replace(uri, '^file://', '') = regexp_replace(:uri, '^file://', '')"
            " AND options = CAST(:options AS jsonb) AND state <> 'removed' AND name <> :name"
        ),
        {
            "workspace_id": workspace_id,
            "kind": new.kind,
            "uri": new.uri,
            "options": json.dumps(dict(new.options)),
            "name": new.name,
        },
    ).scalar_one_or_none()
    if known is not None:
        raise SourceNameError(f"This place is watched already, as {known}.")


def _schedule(
    connection: Connection, workspace_id: int, source_id: int, every: int | None
) -> None:
    if every is None:
        remove_schedule(connection, workspace_id, SYNC_SOURCE, str(source_id))
        return
    payload = {"source_id": source_id}
    set_schedule(connection, workspace_id, SYNC_SOURCE, str(source_id), every, payload)


def change_source(
    engine: Engine,
    source: Source,
    actor: str,
    *,
    every: int | None,
    audience: Sequence[str],
    owner: str | None,
    trust: int,
) -> None:
    """Change how often a source is looked at, who may read what it holds, and whose it is.

    Its documents get the new audience in the same transaction.
    """
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sources SET audience = :audience, owner = :owner, trust = :trust"
                " WHERE id = :id"
            ),
            {"id": source.id, "audience": list(audience), "owner": owner, "trust": trust},
        )
        connection.execute(
            text("UPDATE documents SET audience = :audience WHERE source_id = :id"),
            {"id": source.id, "audience": list(audience)},
        )
        _schedule(connection, source.workspace_id, source.id, every)
        if source.state == "paused":
            enable_schedule(
                connection, source.workspace_id, SYNC_SOURCE, str(source.id), enabled=False
            )
        record(
            connection,
            source.workspace_id,
            actor,
            "source changed",
            source.name,
            every=every,
            audience=list(audience),
            owner=owner,
            trust=trust,
        )


def set_source_state(engine: Engine, source: Source, state: SourceState, actor: str) -> None:
    """Let a source rest, or go on; its documents stay."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE sources SET state = :state WHERE id = :id"),
            {"id": source.id, "state": state},
        )
        enable_schedule(
            connection,
            source.workspace_id,
            SYNC_SOURCE,
            str(source.id),
            enabled=state == "active",
        )
        action = "source resumed" if state == "active" else "source paused"
        record(connection, source.workspace_id, actor, action, source.name)


def remove_source(engine: Engine, source: Source, actor: str, *, keep_documents: bool) -> int:
    """Stop watching a source; return how many documents were withdrawn with it.

    With `keep_documents` they stay, as if somebody had sent them.
    """
    with engine.begin() as connection:
        gone = 0
        if keep_documents:
            uploads = ensure_uploads(connection, source.workspace_id)
            connection.execute(
                text("UPDATE documents SET source_id = :uploads WHERE source_id = :id"),
                {"id": source.id, "uploads": uploads},
            )
        else:
            withdrawn = connection.execute(
                text(
                    "UPDATE documents SET deleted_at = now(), deleted_by = :actor"
                    " WHERE source_id = :id AND deleted_at IS NULL RETURNING id"
                ),
                {"id": source.id, "actor": actor},
            ).scalars()
            ids = withdrawn.all()
            gone = len(ids)
            recheck_quotes_of(connection, *ids)
        connection.execute(
            text("DELETE FROM source_items WHERE source_id = :id"), {"id": source.id}
        )
        connection.execute(
            text("UPDATE sources SET state = 'removed' WHERE id = :id"), {"id": source.id}
        )
        remove_schedule(connection, source.workspace_id, SYNC_SOURCE, str(source.id))
        record(
            connection,
            source.workspace_id,
            actor,
            "source removed",
            source.name,
            documents_withdrawn=gone,
        )
        return gone


def note_look(
    engine: Engine, source_id: int, *, changed: bool = False, failure: str | None = None
) -> None:
    """Write down how a look at a source went as a whole."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE sources SET failure = :failure,"
                " checked_at = CASE WHEN :failed THEN checked_at ELSE now() END,"
                " changed_at = CASE WHEN :changed THEN now() ELSE changed_at END"
                " WHERE id = :id"
            ),
            {
                "id": source_id,
                "failure": failure,
                "failed": failure is not None,
                "changed": changed,
            },
        )
