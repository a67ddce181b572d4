"""What people decide about transcripts: approve, reject, edit, label, and look again.

Each change names the revision that its maker saw. Where somebody else was quicker, nothing is
changed and they are told so. Everything is kept in the audit log, without words.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Connection, text

from core.errors import FootnoteError
from store.audit import record
from store.datasets import withdraw_datasets
from store.transcripts import Said, Transcript, read_transcript, written

Decision = Literal["approved", "rejected"]


class ChangedMeanwhileError(FootnoteError):
    """Somebody else changed a transcript since it was read."""


class NotReadYetError(FootnoteError):
    """A transcript cannot be approved or edited before the first pass has redacted it."""


class DecidedError(FootnoteError):
    """A transcript that was approved or rejected is not changed any more."""


def review_candidate(
    connection: Connection,
    workspace_id: int,
    transcript_id: int,
    decision: Decision,
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Approve or reject a transcript that waits, or that was quarantined.

    The words as they came go for good: the redacted ones take their place. Raises NotFoundError,
    ChangedMeanwhileError, DecidedError, NotReadYetError for an approval of what was not read.
    """
    kept = _open(connection, workspace_id, transcript_id, revision)
    if decision == "approved":
        _check_read(kept)
    connection.execute(
        text(
            "UPDATE transcripts SET state = :state, messages = coalesce(redacted, '[]'),"
            " disliked = CASE WHEN curated_at IS NULL THEN NULL ELSE disliked END,"
            " curated_at = coalesce(curated_at, now()), reviewed_by = :actor,"
            " reviewed_at = now(), revision = revision + 1 WHERE id = :id"
        ),
        {"id": kept.id, "state": decision, "actor": actor},
    )
    record(connection, workspace_id, actor, f"transcript {decision}", str(kept.id))
    return read_transcript(connection, workspace_id, kept.id)


def edit_transcript(
    connection: Connection,
    workspace_id: int,
    transcript_id: int,
    messages: Sequence[Said],
    redactions: Mapping[str, int],
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Keep what a curator made of the redacted words; `messages` are redacted again before.

    `redactions` counts the placeholders in them, by kind. Raises as `review_candidate` does.
    """
    kept = _open(connection, workspace_id, transcript_id, revision)
    _check_read(kept)
    edited = None if tuple(messages) == kept.redacted else written(messages)
    connection.execute(
        text(
            "UPDATE transcripts SET edited = CAST(:edited AS jsonb),"
            " redactions = CAST(:redactions AS jsonb), revision = revision + 1 WHERE id = :id"
        ),
        {"id": kept.id, "edited": edited, "redactions": json.dumps(dict(redactions))},
    )
    record(connection, workspace_id, actor, "transcript edited", str(kept.id))
    return read_transcript(connection, workspace_id, kept.id)


def label_transcript(
    connection: Connection,
    workspace_id: int,
    transcript_id: int,
    labels: Mapping[str, Any],
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Set labels; those that are named replace what was there, None takes one away.

    An approved transcript can be labelled too: datasets that hold it stay as they are.
    """
    kept = _locked(connection, workspace_id, transcript_id, revision)
    now = {name: value for name, value in {**kept.labels, **labels}.items() if value is not None}
    connection.execute(
        text(
            "UPDATE transcripts SET labels = CAST(:labels AS jsonb), revision = revision + 1"
            " WHERE id = :id"
        ),
        {"id": kept.id, "labels": json.dumps(now)},
    )
    record(connection, workspace_id, actor, "transcript labelled", str(kept.id), labels=now)
    return read_transcript(connection, workspace_id, kept.id)


def reopen_transcript(
    connection: Connection,
    workspace_id: int,
    transcript_id: int,
    actor: str,
    *,
    revision: int | None = None,
) -> tuple[Transcript, list[int]]:
    """Let a transcript wait again that was approved, rejected or quarantined.

    Datasets that hold it are withdrawn, since nothing unapproved is trained on; their ids are
    returned. Raises NotReadYetError for one that was rejected unread: its words are gone.
    """
    kept = _locked(connection, workspace_id, transcript_id, revision)
    _check_read(kept)
    withdrawn = withdraw_datasets(connection, workspace_id, [kept.id])
    connection.execute(
        text(
            "UPDATE transcripts SET state = 'candidate', reviewed_by = NULL, reviewed_at = NULL,"
            " revision = revision + 1 WHERE id = :id"
        ),
        {"id": kept.id},
    )
    told = {"datasets": withdrawn} if withdrawn else {}
    record(connection, workspace_id, actor, "transcript reopened", str(kept.id), **told)
    return read_transcript(connection, workspace_id, kept.id), withdrawn


def delete_transcripts(
    connection: Connection, workspace_id: int, transcript_ids: Sequence[int], actor: str
) -> list[int]:
    """Delete transcripts with their rows in datasets, whatever was decided of them.

    Returns the ids of the datasets that are withdrawn by it. Raises NotFoundError.
    """
    wanted = list(dict.fromkeys(transcript_ids))
    for one in wanted:
        read_transcript(connection, workspace_id, one, lock=True)
    withdrawn = withdraw_datasets(connection, workspace_id, wanted)
    connection.execute(
        text(
            "DELETE FROM transcripts WHERE workspace_id = :workspace_id AND id = ANY(:transcripts)"
        ),
        {"workspace_id": workspace_id, "transcripts": wanted},
    )
    for one in wanted:
        record(connection, workspace_id, actor, "transcript deleted", str(one))
    return withdrawn


def _open(
    connection: Connection, workspace_id: int, transcript_id: int, revision: int | None
) -> Transcript:
    kept = _locked(connection, workspace_id, transcript_id, revision)
    if kept.state not in ("candidate", "quarantined"):
        raise DecidedError(
            f"Transcript {kept.id} is {kept.state} already; reopen it to change that."
        )
    return kept


def _locked(
    connection: Connection, workspace_id: int, transcript_id: int, revision: int | None
) -> Transcript:
    kept = read_transcript(connection, workspace_id, transcript_id, lock=True)
    if revision is not None and revision != kept.revision:
        raise ChangedMeanwhileError(
            f"Somebody else changed transcript {kept.id} meanwhile; look at it again."
        )
    return kept


def _check_read(kept: Transcript) -> None:
    if kept.redacted is None:
        raise NotReadYetError(
            f"Transcript {kept.id} was not redacted yet; `footnote transcripts curate` does that."
        )
