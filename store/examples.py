"""What datasets are built from, beside the words: the answers that transcripts speak of.

A dataset is read in one moment and kept in another. What was approved is held in between, so that
nothing that somebody took back in the meantime is kept.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Engine, text

from store.answers import Answer, find_answer
from store.audit import record
from store.transcripts import submit_curation


def changed_since(
    connection: Connection, workspace_id: int, revisions: Mapping[int, int]
) -> list[int]:
    """Return which transcripts are gone, unapproved or of another revision by now.

    `revisions` maps ids to the revisions that were read. The others cannot be changed before
    this transaction ends.
    """
    held = connection.execute(
        text(
            "SELECT id, revision FROM transcripts WHERE workspace_id = :workspace_id"
            " AND id = ANY(:ids) AND state = 'approved' ORDER BY id FOR SHARE"
        ),
        {"workspace_id": workspace_id, "ids": sorted(revisions)},
    )
    same = {row.id for row in held if revisions[row.id] == row.revision}
    return sorted(set(revisions) - same)


def conversations_of(engine: Engine, workspace_id: int, answers: Iterable[str]) -> dict[str, int]:
    """Return the conversation in which each answer was given; none for what was forgotten."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT a.id, t.conversation_id FROM answers a JOIN turns t ON t.id = a.turn_id"
                " WHERE a.workspace_id = :workspace_id AND a.id = ANY(:ids)"
            ),
            {"workspace_id": workspace_id, "ids": sorted(set(answers))},
        )
        return {row.id: int(row.conversation_id) for row in rows}


def known_answers(engine: Engine, workspace_id: int, answers: Iterable[str]) -> dict[str, Answer]:
    """Return kept answers with what they quoted; none for what was forgotten."""
    with engine.connect() as connection:
        found = (find_answer(connection, workspace_id, one) for one in sorted(set(answers)))
        return {answer.id: answer for answer in found if answer is not None}


# Whoever liked an answer did not say that its question may be learned from: a curator does.
LIKED = """
INSERT INTO transcripts (workspace_id, origin, origin_key, messages, audience, user_id, added_by,
                         answer_id, happened_at)
SELECT a.workspace_id, 'feedback', concat_ws(':', a.id, 'liked'),
       jsonb_build_array(jsonb_build_object('role', 'asker', 'text', a.question),
                         jsonb_build_object('role', 'team', 'text', a.text)),
       '{}', a.user_id, :actor, a.id, a.created_at
FROM answers a
WHERE a.workspace_id = :workspace_id AND a.route = 'policy' AND a.outcome = 'answered'
  AND a.superseded_by IS NULL
  AND EXISTS (SELECT FROM feedback f WHERE f.answer_id = a.id AND f.rating = 1)
  AND NOT EXISTS (SELECT FROM feedback f WHERE f.answer_id = a.id AND f.rating = -1)
  AND EXISTS (SELECT FROM citations c WHERE c.answer_id = a.id AND c.claim_id IS NOT NULL)
  AND NOT EXISTS (SELECT FROM transcripts t WHERE t.answer_id = a.id)
ORDER BY a.created_at, a.id
ON CONFLICT (workspace_id, origin, origin_key) DO NOTHING
"""


def propose_liked(connection: Connection, workspace_id: int, actor: str) -> int:
    """Let answers that people liked wait for review, seen by curators alone; return how many.

    Left out are those that anybody disliked, that a correction took the place of, that quote
    nothing, and those about which there is a transcript already.
    """
    added = connection.execute(
        text(LIKED), {"workspace_id": workspace_id, "actor": actor}
    ).rowcount
    if added:
        submit_curation(connection, workspace_id)
        record(connection, workspace_id, actor, "liked answers proposed", str(added))
    return added
