"""Rechecks: answers in Slack whose quoted words may no longer be in force.

An answer is due while the version in force of a document that it quotes is neither the one it
quoted nor the one that the quote was held against last. So nothing needs to be told what changed
or when: a version published, a document deleted or brought back, a date that passed. It is live
as long as it is the latest answer to its question, people can see it in Slack, and it is not
older than 90 days.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.access import Access, Scope
from store.answers import Answer, find_answer, save_answer
from store.documents import VERSION_COLUMNS, Version
from store.jobs import submit
from store.search import ALL_IN_FORCE, PERMITTED

RECHECK_ANSWERS = "recheck_answers"  # the kind of the job, and the Celery task's name
JOB_KEY = "answers"  # one live job a workspace
KEPT_CURRENT = "90 days"  # for which an answer is asked again
BATCH = 200  # answers a scan
NOTHING = 0  # in force: nothing

LIVE = f"""
    a.outcome = 'answered' AND a.as_of IS NULL AND a.superseded_by IS NULL
    AND cardinality(a.asker) > 0 AND a.created_at > now() - interval '{KEPT_CURRENT}'
    AND (EXISTS (SELECT FROM posts p WHERE p.answer_id = a.id
                 AND p.state IN ('posted', 'posting', 'waiting')
                 AND p.kind IN ('reply', 'correction', 'shared'))
         OR EXISTS (SELECT FROM answers o WHERE o.superseded_by = a.id))
"""
"""Whether an answer `a` can be seen in Slack, or soon can, or corrects one that can, and is the
latest word on its question."""

DUE = f"""
WITH in_force AS MATERIALIZED ({ALL_IN_FORCE}),
replaced AS MATERIALIZED (
    SELECT v.id AS version_id, coalesce(f.id, {NOTHING}) AS now_id
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    LEFT JOIN in_force f ON f.document_id = d.id
    WHERE d.workspace_id = :workspace_id AND f.id IS DISTINCT FROM v.id
),
quoting AS (
    SELECT c.answer_id FROM replaced r
    JOIN citations c ON c.version_id = r.version_id
    WHERE c.checked_version_id IS DISTINCT FROM r.now_id
    UNION
    SELECT c.answer_id FROM citations c
    JOIN replaced r ON r.version_id = c.version_id
    WHERE c.moved_version_id IS NOT NULL
      AND c.moved_version_id NOT IN (SELECT id FROM in_force)
)
SELECT a.id FROM quoting q
JOIN answers a ON a.id = q.answer_id AND a.workspace_id = :workspace_id
WHERE {LIVE}
"""
"""The answers that are due: from the few versions that are not in force to what quotes them."""

CITED = f"""
SELECT c.id, c.number, c.quote, c.start_offset, c.end_offset, c.checked_version_id,
       c.moved_version_id, cl.ordinal, cl.text AS claim, c.version_id,
       coalesce(f.id, {NOTHING}) AS now_id,
       c.moved_version_id IS NULL OR m.id IS NOT NULL AS is_moved_there,
       d.audience && CAST(:asker AS text[]) AND d.audience && CAST(:place AS text[]) AS readable,
       coalesce(d.deleted_at, (
           SELECT max(e.effective_to) FROM document_versions e
           WHERE e.document_id = d.id AND e.effective_to <= :as_of)) AS ended_at
FROM citations c
JOIN claims cl ON cl.id = c.claim_id
JOIN document_versions v ON v.id = c.version_id
JOIN documents d ON d.id = v.document_id
LEFT JOIN ({ALL_IN_FORCE}) f ON f.document_id = d.id
LEFT JOIN ({ALL_IN_FORCE}) m ON m.id = c.moved_version_id
WHERE c.answer_id = :answer_id
ORDER BY c.id
"""


@dataclass(frozen=True)
class Quoted:
    """A citation and how it stands: `then` is the version quoted, `now` the one in force.

    `now` is None where nothing of the document is in force, since `ended_at`; `is_due` says that
    the quote was not held against this state yet. `readable` is whether the asker, and everybody
    in the place, may read the document today.
    """

    citation_id: int
    claim: str
    quote: str
    start: int
    end: int
    then: Version
    now: Version | None
    readable: bool
    is_due: bool
    ended_at: datetime | None

    @property
    def now_id(self) -> int:
        """The version in force, 0 where there is none."""
        return self.now.id if self.now is not None else NOTHING


@dataclass(frozen=True)
class Asked:
    """A live answer with what it is asked again with."""

    answer: Answer
    access: Access
    user_id: str | None
    turn_id: int | None
    conversation_id: int | None
    channel: str | None
    quoted: tuple[Quoted, ...]

    @property
    def due(self) -> tuple[Quoted, ...]:
        """The quotes that were not held against what is in force now."""
        return tuple(quoted for quoted in self.quoted if quoted.is_due)


@dataclass(frozen=True)
class Held:
    """That a quote was held against a version in force, and stands or does not matter.

    `moved_to` is the version of another document that says its words now.
    """

    citation_id: int
    now_id: int
    moved_to: int | None = None


def due_answers(
    engine: Engine, workspace_id: int, *, salt: str = "", limit: int = BATCH
) -> list[str]:
    """Return the ids of answers whose quoted words may have changed.

    They come in another order for each `salt`, so that some which cannot be asked again do not
    stand before the others for ever.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(f"{DUE} ORDER BY md5(a.id || :salt) LIMIT :limit"),
            {
                "workspace_id": workspace_id,
                "as_of": datetime.now(UTC),
                "salt": salt,
                "limit": limit,
            },
        )
        return list(rows.scalars())


def is_due(connection: Connection, workspace_id: int, answer_id: str) -> bool:
    """Whether an answer is about to be asked again."""
    return bool(
        connection.execute(
            text(f"SELECT EXISTS ({DUE} AND a.id = :answer_id)"),
            {"workspace_id": workspace_id, "as_of": datetime.now(UTC), "answer_id": answer_id},
        ).scalar_one()
    )


def submit_recheck(connection: Connection, workspace_id: int) -> int:
    """Have a workspace's answers rechecked; return the job's id, also of one under way."""
    return submit(connection, workspace_id, RECHECK_ANSWERS, JOB_KEY, {})


def recheck_quotes_of(connection: Connection, *document_ids: int) -> None:
    """Have answers rechecked in the transaction that changes documents, if any quote them."""
    workspaces = connection.execute(
        text(
            "SELECT d.workspace_id FROM documents d WHERE d.id = ANY(:ids) AND EXISTS ("
            " SELECT FROM document_versions v"
            " JOIN citations c ON c.version_id = v.id OR c.moved_version_id = v.id"
            f" JOIN answers a ON a.id = c.answer_id WHERE v.document_id = d.id AND {LIVE}"
            ") GROUP BY d.workspace_id"
        ),
        {"ids": list(document_ids)},
    ).scalars()
    for workspace_id in workspaces.all():
        submit_recheck(connection, workspace_id)


def submit_due_rechecks(engine: Engine) -> int:
    """Have answers rechecked wherever some are due, for dates that passed; return how many jobs.

    Any number of processes may do so: one live job a workspace.
    """
    with engine.connect() as connection:
        workspaces = connection.execute(
            text(
                "SELECT w.id FROM workspaces w WHERE EXISTS"
                " (SELECT FROM posts p WHERE p.workspace_id = w.id) ORDER BY w.id"
            )
        ).scalars()
        due = [one for one in workspaces.all() if due_answers(engine, one, limit=1)]
    for workspace_id in due:
        with engine.begin() as connection:
            submit_recheck(connection, workspace_id)
    return len(due)


# --- one answer ----------------------------------------------------------------------------


def read_asked(engine: Engine, workspace_id: int, answer_id: str) -> Asked | None:
    """Return an answer with its quotes as they stand now; None where it is not live any more."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT a.asker, a.place, a.scope, a.user_id, a.turn_id, t.conversation_id,"
                " (SELECT p.channel FROM posts p WHERE p.answer_id = a.id"
                "  AND p.kind IN ('reply', 'correction') ORDER BY p.id LIMIT 1) AS channel"
                " FROM answers a LEFT JOIN turns t ON t.id = a.turn_id"
                f" WHERE a.workspace_id = :workspace_id AND a.id = :id AND {LIVE}"
            ),
            {"workspace_id": workspace_id, "id": answer_id},
        ).one_or_none()
        answer = find_answer(connection, workspace_id, answer_id)
        if row is None or answer is None:
            return None
        access = Access(
            frozenset(row.asker),
            frozenset(row.place),
            Scope.of(row.scope) if row.scope else None,
        )
        return Asked(
            answer,
            access,
            row.user_id,
            row.turn_id,
            row.conversation_id,
            row.channel,
            tuple(_read_quoted(connection, workspace_id, answer_id, access)),
        )


def _read_quoted(
    connection: Connection, workspace_id: int, answer_id: str, access: Access
) -> list[Quoted]:
    rows = _cited(connection, workspace_id, answer_id, access)
    wanted = {row.version_id for row in rows} | {row.now_id for row in rows}
    versions = _versions(connection, workspace_id, wanted)
    return [
        Quoted(
            citation_id=row.id,
            claim=row.claim,
            quote=row.quote,
            start=row.start_offset,
            end=row.end_offset,
            then=versions[row.version_id],
            now=versions.get(row.now_id),
            readable=row.readable,
            is_due=_is_due(row),
            ended_at=row.ended_at,
        )
        for row in rows
    ]


def _cited(
    connection: Connection, workspace_id: int, answer_id: str, access: Access
) -> Sequence[Any]:
    return connection.execute(
        text(CITED),
        {
            "workspace_id": workspace_id,
            "answer_id": answer_id,
            "as_of": datetime.now(UTC),
            "asker": sorted(access.asker),
            "place": sorted(access.place),
        },
    ).all()


def _is_due(row: Any) -> bool:
    if row.now_id == row.version_id:
        return False
    return row.checked_version_id != row.now_id or not row.is_moved_there


def _versions(
    connection: Connection, workspace_id: int, version_ids: Iterable[int]
) -> dict[int, Version]:
    rows = connection.execute(
        text(
            f"SELECT {VERSION_COLUMNS} FROM document_versions v"
            " JOIN documents d ON d.id = v.document_id"
            " WHERE v.workspace_id = :workspace_id AND v.id = ANY(:ids)"
        ),
        {"workspace_id": workspace_id, "ids": sorted(version_ids)},
    )
    return {row.id: Version(**row._mapping) for row in rows}


def versions_saying(
    engine: Engine, workspace_id: int, access: Access, words: str
) -> list[Version]:
    """Return the versions in force that `access` permits and that hold these words, in any case.

    The words are compared as they are written: leave out what typography may change.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {VERSION_COLUMNS} FROM document_versions v"
                " JOIN documents d ON d.id = v.document_id"
                f" WHERE {PERMITTED} AND strpos(lower(v.text), lower(:words)) > 0 ORDER BY v.id"
            ),
            {
                "workspace_id": workspace_id,
                "as_of": datetime.now(UTC),
                "asker": sorted(access.asker),
                "place": sorted(access.place),
                "scoped": access.scope is not None,
                "sources": sorted(access.scope.sources) if access.scope else [],
                "documents": sorted(access.scope.documents) if access.scope else [],
                "words": words,
            },
        )
        return [Version(**row._mapping) for row in rows]


@dataclass(frozen=True)
class Quote:
    """Where a live answer's quote stands: offsets into the text of a version."""

    answer_id: str
    version_id: int
    start: int
    end: int


def quotes_of(engine: Engine, workspace_id: int, document_id: int) -> list[Quote]:
    """Return what live answers quote of a document."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT a.id, v.id, c.start_offset, c.end_offset FROM document_versions v"
                " JOIN citations c ON c.version_id = v.id JOIN answers a ON a.id = c.answer_id"
                " WHERE v.workspace_id = :workspace_id AND v.document_id = :document_id"
                f" AND {LIVE} ORDER BY a.id, c.id"
            ),
            {"workspace_id": workspace_id, "document_id": document_id},
        )
        return [Quote(*row) for row in rows]


# --- what came of it -----------------------------------------------------------------------


def mark_held(connection: Connection, held: Iterable[Held]) -> None:
    """Note against which versions quotes were held, so that they are due at the next change."""
    for one in held:
        connection.execute(
            text(
                "UPDATE citations SET checked_version_id = :now_id, moved_version_id = :moved_to"
                " WHERE id = :id"
            ),
            {"id": one.citation_id, "now_id": one.now_id, "moved_to": one.moved_to},
        )


def supersede(engine: Engine, workspace_id: int, asked: Asked, new: Answer) -> bool:
    """Put a new answer in an old one's stead, for the record and in the conversation's memory.

    One transaction, and once: False where another process was first, where the message was
    forgotten, or where what is in force changed since the answer was read. Then nothing is kept.
    """
    old = asked.answer
    with engine.begin() as connection:
        held = connection.execute(
            text(
                "SELECT turn_id FROM answers WHERE workspace_id = :workspace_id AND id = :id"
                " AND superseded_by IS NULL FOR UPDATE"
            ),
            {"workspace_id": workspace_id, "id": old.id},
        ).one_or_none()
        if held is None or held.turn_id != asked.turn_id:
            return False
        judged = {quoted.citation_id: quoted.now_id for quoted in asked.quoted}
        rows = _cited(connection, workspace_id, old.id, asked.access)
        if {row.id: row.now_id for row in rows} != judged:
            return False
        save_answer(
            connection,
            workspace_id,
            new,
            turn_id=asked.turn_id,
            as_of=None,
            user_id=asked.user_id,
            access=asked.access,
        )
        connection.execute(
            text(
                "UPDATE answers SET superseded_by = :new, superseded_at = clock_timestamp()"
                " WHERE id = :old"
            ),
            {"old": old.id, "new": new.id},
        )
        _remember(connection, asked, new)
    return True


def _remember(connection: Connection, asked: Asked, new: Answer) -> None:
    """Let what is asked next in the conversation build on the new words."""
    connection.execute(
        text(
            "UPDATE turns SET text = :new WHERE id = (SELECT id FROM turns"
            " WHERE conversation_id = :conversation_id AND id > :turn_id AND role = 'footnote'"
            " AND text = :old ORDER BY id LIMIT 1)"
        ),
        {
            "conversation_id": asked.conversation_id,
            "turn_id": asked.turn_id,
            "old": asked.answer.text,
            "new": new.text,
        },
    )
