"""What datasets are built from, beside the words: the answers that transcripts speak of.

A dataset is read in one moment and kept in another. What was approved is held in between, so that
nothing that somebody took back in the meantime is kept.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Engine, text

from store.answers import Answer, find_answer


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
