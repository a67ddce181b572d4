"""What people see on the bot's home tab: what there is to ask, how it fares, what was asked."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from store.access import KNOWLEDGE_ADMIN, Access
from store.answers import Outcome
from store.search import PERMITTED, permitted
from store.source_items import FAILURES

QUESTIONS = 5  # of one's own
UPLOADS = 5
UNANSWERED_FOR = timedelta(days=7)
UNANSWERED = 30  # of which the words are read
SECTIONS = 4
ADMINS = 5  # that are named
CHOICES = 500  # documents that can be told apart where some are chosen


@dataclass(frozen=True)
class SourceHealth:
    """A place that documents come from. `documents` are those that the viewer may read.

    `checked_at` is the last look that succeeded, `failure` why the last one failed, `failures`
    how many items cannot be read; `every` is in seconds, None where nobody looks by itself.
    """

    id: int
    name: str
    watched: bool
    paused: bool
    documents: int
    checked_at: datetime | None
    failure: str | None
    failures: int
    every: int | None


@dataclass(frozen=True)
class OwnQuestion:
    """A question that the viewer asked, and how it ended; `cited` says that words were quoted."""

    answer_id: str
    question: str
    outcome: Outcome
    asked_at: datetime
    cited: bool
    superseded: bool


@dataclass(frozen=True)
class RecentUpload:
    """Files that somebody sent together; `documents` are titles that the viewer may read."""

    author: str
    sent_at: datetime
    files: int
    waiting: int
    refused: int
    documents: tuple[str, ...]


@dataclass(frozen=True)
class Unanswered:
    """A question, asked where others could read it, to which nothing was found."""

    question: str
    channel: str
    asked_at: datetime


@dataclass(frozen=True)
class Choice:
    """A source or a document that a place can be limited to; `key` is a document's own."""

    id: int
    name: str
    key: str = ""


READABLE = f"""
    SELECT v.id, v.title, d.id AS document_id, d.key, d.source_id
    FROM document_versions v JOIN documents d ON d.id = v.document_id
    WHERE {PERMITTED}
"""

SOURCES = f"""
WITH readable AS ({READABLE})
SELECT s.id, s.name, s.kind <> 'upload' AS watched, s.state = 'paused' AS paused,
       (SELECT count(*) FROM readable r WHERE r.source_id = s.id) AS documents,
       s.checked_at, s.failure, p.every,
       {FAILURES} AS failures
FROM sources s
LEFT JOIN schedules p ON p.workspace_id = s.workspace_id AND p.kind = 'sync_source'
    AND p.key = s.id::text
WHERE s.workspace_id = :workspace_id AND s.state <> 'removed'
ORDER BY s.kind = 'upload', lower(s.name), s.id
"""

SECTIONS_TO_ASK = f"""
WITH readable AS ({READABLE}),
cited AS (SELECT version_id, count(*) AS times FROM citations
          WHERE version_id IN (SELECT id FROM readable) GROUP BY version_id)
SELECT r.title, s.section
FROM readable r
LEFT JOIN cited c ON c.version_id = r.id
CROSS JOIN LATERAL (
    SELECT heading_path[cardinality(heading_path)] AS section FROM version_chunks
    WHERE version_id = r.id AND cardinality(heading_path) > 0
      AND lower(heading_path[cardinality(heading_path)]) <> lower(r.title)
    ORDER BY ordinal LIMIT 1
) s
ORDER BY c.times DESC NULLS LAST, r.document_id LIMIT :most
"""

OWN_QUESTIONS = """
SELECT a.id AS answer_id, a.question, a.outcome, a.created_at AS asked_at,
       EXISTS (SELECT FROM citations WHERE answer_id = a.id) AS cited,
       a.superseded_by IS NOT NULL AS superseded
FROM answers a
WHERE a.workspace_id = :workspace_id AND a.user_id = :user_id AND a.route <> 'small_talk'
  AND btrim(a.question) <> ''
  AND NOT EXISTS (SELECT FROM answers o
                  WHERE o.workspace_id = a.workspace_id AND o.superseded_by = a.id)
ORDER BY a.created_at DESC, a.id LIMIT :most
"""
"""An answer that a correction put in another's stead is no question of its own."""

RECENT_UPLOADS = """
SELECT u.author, u.created_at AS sent_at, coalesce(f.jobs, 0) + g.refused + g.wanted AS files,
       coalesce(f.waiting, 0) + g.wanted AS waiting, coalesce(f.failed, 0) + g.refused AS refused,
       coalesce(f.documents, '{}') AS documents
FROM uploads u
CROSS JOIN LATERAL (
    SELECT jsonb_array_length(u.refused) AS refused,
           coalesce(jsonb_array_length(u.reply -> 'wanted'), 0) AS wanted
) g
LEFT JOIN LATERAL (
    SELECT count(*) AS jobs, count(*) FILTER (WHERE j.state IN ('queued', 'running')) AS waiting,
           count(*) FILTER (WHERE j.state = 'failed') AS failed,
           array_agg(DISTINCT j.result ->> 'title') FILTER (
               WHERE EXISTS (SELECT FROM documents d WHERE d.workspace_id = u.workspace_id
                   AND d.key = j.result ->> 'document'
                   AND d.audience && CAST(:asker AS text[]))
           ) AS documents
    FROM jobs j WHERE j.upload_id = u.id
) f ON true
WHERE u.workspace_id = :workspace_id
ORDER BY u.created_at DESC, u.id LIMIT :most
"""

UNANSWERED_QUESTIONS = """
SELECT a.question, e.channel, a.created_at AS asked_at
FROM answers a
JOIN events e ON e.workspace_id = a.workspace_id AND e.user_id = a.user_id
    AND e.answer_id = a.id AND e.accepted_at > :since
WHERE a.workspace_id = :workspace_id AND a.created_at > :since AND a.outcome = 'refused'
  AND btrim(a.question) <> ''
  AND NOT coalesce((e.detail ->> 'private')::boolean, false)
ORDER BY a.created_at DESC, a.id LIMIT :most
"""


def source_health(engine: Engine, workspace_id: int, access: Access) -> list[SourceHealth]:
    """Return the places that documents come from, uploads last, whatever they hold."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(SOURCES), permitted(workspace_id, access, datetime.now(UTC))
        )
        return [SourceHealth(**row._mapping) for row in rows]


def sections_to_ask(
    engine: Engine, workspace_id: int, access: Access, most: int = SECTIONS
) -> list[tuple[str, str]]:
    """Return titles, each with a section of it, that `access` permits; the most quoted first."""
    values = permitted(workspace_id, access, datetime.now(UTC))
    with engine.connect() as connection:
        rows = connection.execute(text(SECTIONS_TO_ASK), {**values, "most": most})
        return [(row.title, row.section) for row in rows]


def own_questions(
    engine: Engine, workspace_id: int, user_id: str, most: int = QUESTIONS
) -> list[OwnQuestion]:
    """Return what a person asked last, the latest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(OWN_QUESTIONS),
            {"workspace_id": workspace_id, "user_id": user_id, "most": most},
        )
        return [OwnQuestion(**row._mapping) for row in rows]


def recent_uploads(
    engine: Engine, workspace_id: int, access: Access, most: int = UPLOADS
) -> list[RecentUpload]:
    """Return what was sent last, the latest first, with the titles that `access` permits."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(RECENT_UPLOADS),
            {"workspace_id": workspace_id, "asker": sorted(access.asker), "most": most},
        )
        return [
            RecentUpload(**{**row._mapping, "documents": tuple(row.documents)}) for row in rows
        ]


def unanswered(engine: Engine, workspace_id: int) -> tuple[int, list[Unanswered]]:
    """Return how many questions of the last days found nothing, and those asked in channels."""
    since = datetime.now(UTC) - UNANSWERED_FOR
    values = {"workspace_id": workspace_id, "since": since}
    with engine.connect() as connection:
        count = connection.execute(
            text(
                "SELECT count(*) FROM answers WHERE workspace_id = :workspace_id"
                " AND created_at > :since AND outcome = 'refused'"
            ),
            values,
        ).scalar_one()
        rows = connection.execute(text(UNANSWERED_QUESTIONS), {**values, "most": UNANSWERED})
        return int(count), [Unanswered(**row._mapping) for row in rows]


def pending_transcripts(engine: Engine, workspace_id: int) -> int:
    """Return how many transcripts wait for a curator."""
    with engine.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT count(*) FROM transcripts"
                    " WHERE workspace_id = :workspace_id AND state = 'candidate'"
                ),
                {"workspace_id": workspace_id},
            ).scalar_one()
        )


def scope_choices(
    engine: Engine, workspace_id: int, access: Access
) -> tuple[list[Choice], list[Choice]]:
    """Return the sources, and the documents that `access` permits, by name."""
    with engine.connect() as connection:
        sources = connection.execute(
            text(
                "SELECT id, name FROM sources WHERE workspace_id = :workspace_id"
                " AND state <> 'removed' ORDER BY lower(name), id"
            ),
            {"workspace_id": workspace_id},
        ).all()
        documents = connection.execute(
            text(
                "SELECT document_id AS id, title AS name, key"
                f" FROM ({READABLE}) r ORDER BY lower(title), document_id LIMIT :most"
            ),
            {**permitted(workspace_id, access, datetime.now(UTC)), "most": CHOICES},
        ).all()
    return (
        [Choice(row.id, row.name) for row in sources],
        [Choice(row.id, row.name, row.key) for row in documents],
    )


def knowledge_admins(engine: Engine, workspace_id: int) -> list[str]:
    """Return some of those who were made knowledge admins, by the ids that Slack has for them."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT user_id FROM members WHERE workspace_id = :workspace_id"
                " AND standing = 'member' AND :role = ANY(roles) ORDER BY user_id LIMIT :most"
            ),
            {"workspace_id": workspace_id, "role": KNOWLEDGE_ADMIN, "most": ADMINS},
        )
        return list(rows.scalars())
