"""Transcripts that somebody approved, put into a workspace without waiting for a first pass."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from store.curation import FirstPass, save_first_pass
from store.reviews import edit_transcript, label_transcript, review_candidate
from store.transcripts import (
    Imported,
    Origin,
    Said,
    Transcript,
    add_candidate,
    add_imported,
    find_transcript,
    list_transcripts,
)

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


def said(*texts: str) -> list[Said]:
    """Return messages by the asker and the team in turn, the asker's first."""
    return [Said("team" if place % 2 else "asker", text) for place, text in enumerate(texts)]


def approve(
    engine: Engine,
    workspace_id: int,
    key: str,
    messages: Sequence[Said],
    *,
    day: int = 0,
    labels: Mapping[str, Any] | None = None,
    edited: Sequence[Said] | None = None,
    origin: Origin = "import",
    disliked: str | None = None,
    answer_id: str | None = None,
    quality: float = 1.0,
    audience: Sequence[str] = ("everyone",),
    user_id: str | None = None,
    redactions: Mapping[str, int] | None = None,
    decided: bool = True,
) -> Transcript:
    """Keep an exchange as it would be after its first pass, and approve it unless told not to."""
    with engine.begin() as connection:
        if origin == "import":
            at = MONDAY + timedelta(days=day)
            one = Imported(key, tuple(messages), dict(labels or {}), at)
            add_imported(connection, workspace_id, [one], audience=audience, added_by="U1")
        else:
            add_candidate(
                connection,
                workspace_id,
                origin,
                key,
                messages,
                audience=audience,
                user_id=user_id,
                added_by="U1",
                answer_id=answer_id,
                disliked=disliked,
            )
    (read,) = [
        one
        for one in list_transcripts(engine, workspace_id, None, None)
        if (one.origin, one.origin_key) == (origin, key)
    ]
    with engine.begin() as connection:
        save_first_pass(
            connection,
            read,
            FirstPass(
                tuple(messages), dict(redactions or {}), (), False, disliked, "en", quality, b""
            ),
        )
        if labels and origin != "import":
            label_transcript(connection, workspace_id, read.id, labels, "U1")
        if edited is not None:
            edit_transcript(connection, workspace_id, read.id, edited, {}, "U1")
        if decided:
            review_candidate(connection, workspace_id, read.id, "approved", "U1")
    return find_transcript(engine, workspace_id, read.id)
