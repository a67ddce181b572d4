"""The glossary: what people write for short, and what it stands for, in one workspace.

Only active entries change what is searched for. Suggested ones come from documents and wait for
a person; dismissed ones stay, so that the next version does not suggest them again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import NotFoundError
from store.audit import record

State = Literal["active", "suggested", "dismissed"]
Pair = tuple[str, str]
"""A term and one thing that it stands for: ("PTO", "paid time off")."""


@dataclass(frozen=True)
class Entry:
    """One meaning of a term. `document` is the key of the document that suggested it."""

    term: str
    expansion: str
    state: State
    document: str | None


ONE_TERM = """
    workspace_id = :workspace_id AND lower(term) = lower(:term)
    AND (CAST(:expansion AS text) IS NULL OR lower(expansion) = lower(:expansion))
"""


def list_entries(engine: Engine, workspace_id: int, state: State | None = None) -> list[Entry]:
    """Return the entries, or those in one state, by term and expansion."""
    statement = text(
        "SELECT g.term, g.expansion, g.state, d.key AS document FROM glossary g"
        " LEFT JOIN documents d ON d.id = g.document_id"
        " WHERE g.workspace_id = :workspace_id"
        " AND (CAST(:state AS text) IS NULL OR g.state = :state)"
        " ORDER BY lower(g.term), lower(g.expansion)"
    )
    with engine.connect() as connection:
        rows = connection.execute(statement, {"workspace_id": workspace_id, "state": state})
        return [Entry(**row._mapping) for row in rows]


def active_pairs(engine: Engine, workspace_id: int) -> list[Pair]:
    """Return what expands questions, oldest first."""
    statement = text(
        "SELECT term, expansion FROM glossary"
        " WHERE workspace_id = :workspace_id AND state = 'active' ORDER BY id"
    )
    with engine.connect() as connection:
        rows = connection.execute(statement, {"workspace_id": workspace_id})
        return [(row.term, row.expansion) for row in rows]


def active_mark(engine: Engine, workspace_id: int) -> str:
    """Return a mark that changes with the active entries: their number and a sum of hashes."""
    statement = text(
        "SELECT count(*) || ':' || coalesce("
        "sum(hashtextextended(id || ':' || term || ':' || expansion, 0)), 0)"
        " FROM glossary WHERE workspace_id = :workspace_id AND state = 'active'"
    )
    with engine.connect() as connection:
        return str(connection.execute(statement, {"workspace_id": workspace_id}).scalar_one())


def add_entries(
    engine: Engine, workspace_id: int, pairs: Sequence[Pair], actor: str
) -> list[Pair]:
    """Make pairs active, all or none, and return those that were not, or were written otherwise.

    A pair that differs from a kept one only in case takes its place.
    """
    with engine.begin() as connection:
        added = _insert(
            connection,
            workspace_id,
            pairs,
            "active",
            " DO UPDATE SET state = 'active', term = excluded.term,"
            " expansion = excluded.expansion"
            " WHERE (glossary.state, glossary.term, glossary.expansion)"
            " <> ('active', excluded.term, excluded.expansion)",
        )
        if added:
            _tell(connection, workspace_id, actor, "glossary entries added", added)
    return added


def suggest(
    engine: Engine, workspace_id: int, document_id: int, pairs: Iterable[Pair]
) -> list[Pair]:
    """Keep what a document suggests, and return what is new.

    A pair that is known stays as it is, whether active, suggested or dismissed.
    """
    found = list(pairs)
    if not found:
        return []
    with engine.begin() as connection:
        return _insert(
            connection, workspace_id, found, "suggested", " DO NOTHING", document_id=document_id
        )


def accept(
    engine: Engine, workspace_id: int, term: str, expansion: str | None, actor: str
) -> list[Pair]:
    """Make a term's suggestions active; with `expansion` that one, even if it was dismissed.

    Raises NotFoundError if there is none.
    """
    waiting = "state = 'suggested'" if expansion is None else "state <> 'active'"
    accepted = _change(
        engine,
        workspace_id,
        f"UPDATE glossary SET state = 'active' WHERE {ONE_TERM} AND {waiting}",
        (term, expansion),
        actor,
        "glossary entries accepted",
    )
    if not accepted:
        raise NotFoundError(
            f"Nothing suggested for {_named(term, expansion)} waits; glossary list shows what"
            " there is, and glossary add adds a meaning."
        )
    return accepted


def dismiss(
    engine: Engine, workspace_id: int, term: str, expansion: str | None, actor: str
) -> list[Pair]:
    """Let a term's meanings, or one of them, expand nothing and never be suggested again.

    Raises NotFoundError if there is none that is not dismissed.
    """
    dismissed = _change(
        engine,
        workspace_id,
        f"UPDATE glossary SET state = 'dismissed' WHERE {ONE_TERM} AND state <> 'dismissed'",
        (term, expansion),
        actor,
        "glossary entries dismissed",
    )
    if not dismissed:
        raise NotFoundError(
            f"The glossary holds no {_named(term, expansion)} to dismiss; glossary list shows"
            " what there is."
        )
    return dismissed


def remove(
    engine: Engine, workspace_id: int, term: str, expansion: str | None, actor: str
) -> list[Pair]:
    """Forget a term's meanings, or one of them; a document may suggest them again.

    Raises NotFoundError if there is none.
    """
    removed = _change(
        engine,
        workspace_id,
        f"DELETE FROM glossary WHERE {ONE_TERM}",
        (term, expansion),
        actor,
        "glossary entries removed",
    )
    if not removed:
        raise NotFoundError(
            f"The glossary holds no {_named(term, expansion)}; glossary list shows what there is."
        )
    return removed


def _insert(
    connection: Connection,
    workspace_id: int,
    pairs: Sequence[Pair],
    state: State,
    conflict: str,
    document_id: int | None = None,
) -> list[Pair]:
    """Insert pairs, the first of those that differ only in case, and return what changed."""
    # In one order, so that two who insert the same pairs at once do not wait for each other.
    rows = connection.execute(
        text(
            "INSERT INTO glossary (workspace_id, term, expansion, state, document_id)"
            " SELECT DISTINCT ON (lower(term), lower(expansion))"
            " :workspace_id, term, expansion, :state, CAST(:document_id AS bigint)"
            " FROM unnest(CAST(:terms AS text[]), CAST(:expansions AS text[]))"
            " WITH ORDINALITY AS given (term, expansion, place)"
            " ORDER BY lower(term), lower(expansion), place"
            f" ON CONFLICT (workspace_id, lower(term), lower(expansion)) {conflict}"
            " RETURNING term, expansion"
        ),
        {
            "workspace_id": workspace_id,
            "state": state,
            "document_id": document_id,
            "terms": [term for term, _ in pairs],
            "expansions": [expansion for _, expansion in pairs],
        },
    )
    return [(row.term, row.expansion) for row in rows]


def _change(
    engine: Engine,
    workspace_id: int,
    statement: str,
    named: tuple[str, str | None],
    actor: str,
    action: str,
) -> list[Pair]:
    """Change the rows of a term, or of one meaning, and tell of it in the audit log."""
    term, expansion = named
    given: dict[str, Any] = {"workspace_id": workspace_id, "term": term, "expansion": expansion}
    with engine.begin() as connection:
        rows = connection.execute(text(f"{statement} RETURNING term, expansion"), given)
        changed = sorted((row.term, row.expansion) for row in rows)
        if changed:
            _tell(connection, workspace_id, actor, action, changed)
    return changed


def _tell(
    connection: Connection, workspace_id: int, actor: str, action: str, pairs: Sequence[Pair]
) -> None:
    subject = pairs[0][0] if len(pairs) == 1 else f"{len(pairs)} entries"
    record(connection, workspace_id, actor, action, subject, pairs=[list(pair) for pair in pairs])


def _named(term: str, expansion: str | None) -> str:
    return f"“{term}”" if expansion is None else f"“{term}” meaning “{expansion}”"
