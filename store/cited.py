"""Answers looked up again by their sources: who may, and what became of the words they quote."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from store.access import Access
from store.answers import Answer, Citation, find_answer
from store.documents import Version, read_versions


@dataclass(frozen=True)
class CitedWords:
    """A citation with the version that it quotes, and what became of the document since.

    `checked_at` is when the document was last known to be current: a source's last look, or for
    a file that was sent (not `watched`) when it came. `current` is the version in force at the
    moment asked for: the quoted one itself, another, or None. With `deleted_at` it does not count.
    `section` is where the quote's section begins and ends in the quoted text, without headings.
    """

    citation: Citation
    closest: bool  # words of a refusal, which support nothing
    quoted: Version
    watched: bool
    checked_at: datetime
    deleted_at: datetime | None
    current: Version | None
    section: tuple[int, int]

    @property
    def is_current(self) -> bool:
        """Whether the quoted version is the one in force."""
        return self.current is not None and self.current.id == self.citation.version_id


@dataclass(frozen=True)
class CitedAnswer:
    """A kept answer with each of its citations in order, the closest words of a refusal last."""

    answer: Answer
    asker: str | None
    as_of: datetime | None
    superseded_at: datetime | None
    words: tuple[CitedWords, ...]


MAY_CITE = """
SELECT a.user_id AS asker, a.as_of, a.superseded_at FROM answers a
WHERE a.workspace_id = :workspace_id AND a.id = :answer_id
  AND (a.user_id = :user_id OR EXISTS (
      SELECT FROM posts p
      WHERE p.workspace_id = a.workspace_id AND p.answer_id = a.id
        AND p.channel = ANY(CAST(:channels AS text[])) AND p.ts IS NOT NULL
        AND p.user_id IS NULL AND p.reply_url IS NULL AND p.state <> 'withdrawn'
  ))
  AND NOT EXISTS (
      SELECT FROM citations c
      JOIN document_versions v ON v.id = c.version_id
      JOIN documents d ON d.id = v.document_id
      WHERE c.answer_id = a.id
        AND NOT (d.audience && CAST(:asker AS text[]) AND d.audience && CAST(:place AS text[]))
  )
"""
"""An answer of one's own, or one that stands for all to see in one of these channels; and only
where everything that it quotes may be read."""

WORDS = """
SELECT c.number, c.claim_id IS NULL AS closest, c.version_id, d.deleted_at,
       s.kind <> 'upload' AND s.checked_at IS NOT NULL AS watched,
       CASE WHEN s.kind <> 'upload' AND s.checked_at IS NOT NULL THEN s.checked_at
            ELSE v.received_at END AS checked_at,
       now.id AS current_id,
       coalesce(section.begins, 0) AS section_begins,
       coalesce(section.ends, char_length(v.text)) AS section_ends
FROM citations c
JOIN document_versions v ON v.id = c.version_id
JOIN documents d ON d.id = v.document_id
JOIN sources s ON s.id = d.source_id
LEFT JOIN LATERAL (
    SELECT latest.id, latest.effective_to FROM document_versions latest
    WHERE latest.document_id = d.id AND latest.effective_from <= :at
    ORDER BY latest.effective_from DESC, latest.received_at DESC, latest.number DESC LIMIT 1
) now ON now.effective_to IS NULL OR now.effective_to > :at
LEFT JOIN LATERAL (
    SELECT b.heading_path FROM blocks b
    WHERE b.version_id = v.id AND b.start_offset <= c.start_offset
      AND b.end_offset > c.start_offset LIMIT 1
) own ON true
LEFT JOIN LATERAL (
    SELECT max(CASE WHEN b.end_offset <= c.start_offset THEN b.end_offset
                    WHEN b.start_offset <= c.start_offset THEN b.start_offset END) AS begins,
           min(CASE WHEN b.start_offset >= c.end_offset THEN b.start_offset END) AS ends
    FROM blocks b
    WHERE b.version_id = v.id AND (b.kind = 'heading' OR b.heading_path <> own.heading_path)
) section ON true
WHERE c.answer_id = :answer_id ORDER BY c.id
"""
"""A section is what stands between two headings, or between blocks under other headings."""

LAST = """
SELECT p.answer_id FROM posts p
WHERE p.workspace_id = :workspace_id AND p.channel = ANY(CAST(:channels AS text[]))
  AND p.state = 'posted' AND p.kind IN ('reply', 'correction', 'shared')
  AND (p.user_id = :user_id OR (p.user_id IS NULL AND p.reply_url IS NULL AND p.ts IS NOT NULL))
  AND EXISTS (SELECT FROM citations c WHERE c.answer_id = p.answer_id AND c.claim_id IS NOT NULL)
ORDER BY p.posted_at DESC, p.id DESC LIMIT 1
"""

OF_MESSAGE = """
SELECT answer_id FROM (
    SELECT p.answer_id, 0 AS behind, p.id FROM posts p
    WHERE p.workspace_id = :workspace_id AND p.channel = ANY(CAST(:channels AS text[]))
      AND p.ts = :ts
    UNION ALL
    SELECT e.answer_id, 1, e.id FROM events e
    WHERE e.workspace_id = :workspace_id AND e.message_key = :message_key
) found
WHERE answer_id IS NOT NULL ORDER BY behind, id DESC LIMIT 1
"""

CHECKED = """
SELECT min(CASE WHEN s.kind <> 'upload' AND s.checked_at IS NOT NULL THEN s.checked_at
                ELSE v.received_at END)
FROM document_versions v
JOIN documents d ON d.id = v.document_id
JOIN sources s ON s.id = d.source_id
WHERE v.workspace_id = :workspace_id AND v.id = ANY(:ids)
"""


def find_cited(
    engine: Engine,
    workspace_id: int,
    answer_id: str,
    user_id: str,
    channels: Collection[str],
    access: Access,
    at: datetime,
) -> CitedAnswer | None:
    """Return an answer with its sources as they are at a moment; None where that is not to be.

    It is for who asked it, and for those who see one of the `channels` in which it stands for
    all to see; and only where `access` permits every document that it quotes.
    """
    with engine.connect() as connection:
        kept = connection.execute(
            text(MAY_CITE),
            {
                "workspace_id": workspace_id,
                "answer_id": answer_id,
                "user_id": user_id,
                "channels": list(channels),
                "asker": sorted(access.asker),
                "place": sorted(access.place),
            },
        ).one_or_none()
        answer = find_answer(connection, workspace_id, answer_id) if kept else None
        if kept is None or answer is None:
            return None
        rows = connection.execute(text(WORDS), {"answer_id": answer_id, "at": at}).all()
    ids = {id_ for row in rows for id_ in (row.version_id, row.current_id) if id_ is not None}
    versions = {version.id: version for version in read_versions(engine, workspace_id, ids)}
    words = _words(answer, rows, versions)
    return CitedAnswer(answer, kept.asker, kept.as_of, kept.superseded_at, words)


def _words(
    answer: Answer, rows: Collection[Any], versions: dict[int, Version]
) -> tuple[CitedWords, ...]:
    """Return each distinct citation, in the order of the footnotes, with what is known of it."""
    cited = {(row.closest, row.number): row for row in rows}
    citations = [(False, citation) for citation in answer.citations]
    if answer.closest is not None:
        citations.append((True, answer.closest))
    found = ((citation, cited[closest, citation.number]) for closest, citation in citations)
    return tuple(
        CitedWords(
            citation=citation,
            closest=row.closest,
            quoted=versions[row.version_id],
            watched=row.watched,
            checked_at=row.checked_at,
            deleted_at=row.deleted_at,
            current=versions.get(row.current_id),
            section=(row.section_begins, row.section_ends),
        )
        for citation, row in found
    )


def public_channels(engine: Engine, workspace_id: int, answer_id: str) -> list[str]:
    """Return the channels in which an answer stands for all who are in them."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                text(
                    "SELECT DISTINCT channel FROM posts WHERE workspace_id = :workspace_id"
                    " AND answer_id = :answer_id AND ts IS NOT NULL AND user_id IS NULL"
                    " AND reply_url IS NULL AND state <> 'withdrawn' ORDER BY channel"
                ),
                {"workspace_id": workspace_id, "answer_id": answer_id},
            ).scalars()
        )


def last_cited_in(engine: Engine, workspace_id: int, channel: str, user_id: str) -> str | None:
    """Return the id of the last answer with sources in a channel that this person sees there."""
    with engine.connect() as connection:
        return connection.execute(
            text(LAST),
            {
                "workspace_id": workspace_id,
                "channels": [channel, user_id] if channel.startswith("D") else [channel],
                "user_id": user_id,
            },
        ).scalar_one_or_none()


def answer_of_message(
    engine: Engine, workspace_id: int, team: str, channel: str, ts: str, user_id: str
) -> str | None:
    """Return the id of the answer that a message shows, or that was given to it."""
    with engine.connect() as connection:
        return connection.execute(
            text(OF_MESSAGE),
            {
                "workspace_id": workspace_id,
                "channels": [channel, user_id] if channel.startswith("D") else [channel],
                "ts": ts,
                "message_key": f"{team}:{channel}:{ts}",
            },
        ).scalar_one_or_none()


def checked_at(
    connection: Connection, workspace_id: int, version_ids: Collection[int]
) -> datetime | None:
    """Return since when the least fresh of these versions is known to be current.

    None where there are none.
    """
    found: datetime | None = connection.execute(
        text(CHECKED), {"workspace_id": workspace_id, "ids": sorted(set(version_ids))}
    ).scalar_one()
    return found
