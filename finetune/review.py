"""What curators do with transcripts, the same at the terminal and over HTTP."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Engine

from core.errors import FootnoteError
from finetune.curate import redacted_again
from finetune.labels import checked_labels
from store.names import read_names
from store.reviews import (
    Decision,
    delete_transcripts,
    edit_transcript,
    label_transcript,
    reopen_transcript,
    review_candidate,
)
from store.transcripts import (
    Said,
    Transcript,
    find_transcript,
    list_transcripts,
    read_transcript,
    said_json,
)

MOST_MESSAGES = 200  # of an edited transcript
MOST_CHARACTERS = 20_000  # of one message
PAGE = 200  # transcripts read at once
SPEAKER = re.compile(r"^(asker|team):[ \t]?", re.MULTILINE)
NOTE = re.compile(r"^#.*\n?", re.MULTILINE)


class QuarantinedError(FootnoteError):
    """A transcript was kept apart by the first pass and is not approved in passing."""


class EditError(FootnoteError):
    """An edit leaves no exchange; the message says what is missing."""


def approve(
    engine: Engine,
    workspace_id: int,
    transcript_id: int,
    actor: str,
    *,
    revision: int | None = None,
    anyway: bool = False,
) -> Transcript:
    """Make an example of a transcript; what is quarantined only `anyway`.

    Raises QuarantinedError with the reasons, and what `store.reviews.review_candidate` raises.
    """
    _let_in(find_transcript(engine, workspace_id, transcript_id), anyway=anyway)
    with engine.begin() as connection:
        return review_candidate(
            connection, workspace_id, transcript_id, "approved", actor, revision=revision
        )


def _let_in(kept: Transcript, *, anyway: bool) -> None:
    if kept.state == "quarantined" and not anyway:
        reasons = " ".join(finding.reason for finding in kept.findings)
        raise QuarantinedError(
            f"Transcript {kept.id} is kept apart: {reasons} Reject it, or approve it"
            " all the same (--anyway; over HTTP anyway: true)."
        )


def decide_all(
    engine: Engine,
    workspace_id: int,
    transcript_ids: Sequence[int],
    decision: Decision,
    actor: str,
    *,
    anyway: bool = False,
) -> list[int]:
    """Approve or reject several transcripts, all or none; a number named twice counts once.

    Returns their ids. Raises as `approve` and `reject` do, and then nothing was changed.
    """
    wanted = list(dict.fromkeys(transcript_ids))
    with engine.begin() as connection:
        for one in wanted:
            if decision == "approved":
                _let_in(read_transcript(connection, workspace_id, one), anyway=anyway)
            review_candidate(connection, workspace_id, one, decision, actor)
    return wanted


def delete_all(
    engine: Engine, workspace_id: int, transcript_ids: Sequence[int], actor: str
) -> list[int]:
    """Delete transcripts, all or none; return the ids of the datasets that are withdrawn by it."""
    with engine.begin() as connection:
        return delete_transcripts(connection, workspace_id, transcript_ids, actor)


def reject(
    engine: Engine,
    workspace_id: int,
    transcript_id: int,
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Keep a transcript from ever being an example."""
    with engine.begin() as connection:
        return review_candidate(
            connection, workspace_id, transcript_id, "rejected", actor, revision=revision
        )


def approve_clean(
    engine: Engine, workspace_id: int, actor: str, despite: Sequence[str] = ()
) -> list[int]:
    """Approve all candidates in which nothing was found, or only what is named in `despite`.

    Returns their ids. What was kept apart is not among them, whatever is named.
    """
    done: list[int] = []
    last = 0
    while batch := list_transcripts(engine, workspace_id, "candidate", PAGE, after=last):
        last = batch[-1].id
        fit = [
            one
            for one in batch
            if one.curated_at and {finding.kind for finding in one.findings} <= set(despite)
        ]
        with engine.begin() as connection:
            for one in fit:
                review_candidate(
                    connection, workspace_id, one.id, "approved", actor, revision=one.revision
                )
        done += [one.id for one in fit]
    return done


def edit(
    engine: Engine,
    workspace_id: int,
    transcript_id: int,
    messages: Sequence[Said],
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Keep other words in place of the redacted ones; personal data in them is replaced too.

    Raises EditError, and what `store.reviews.edit_transcript` raises.
    """
    names = read_names(engine, workspace_id)
    again, counts = redacted_again(checked_messages(messages), names)
    with engine.begin() as connection:
        return edit_transcript(
            connection, workspace_id, transcript_id, again, counts, actor, revision=revision
        )


def label(
    engine: Engine,
    workspace_id: int,
    transcript_id: int,
    labels: Mapping[str, Any],
    actor: str,
    *,
    revision: int | None = None,
) -> Transcript:
    """Set labels of a transcript; None takes one away. Raises LabelError."""
    checked = checked_labels(labels)
    with engine.begin() as connection:
        return label_transcript(
            connection, workspace_id, transcript_id, checked, actor, revision=revision
        )


def reopen(
    engine: Engine,
    workspace_id: int,
    transcript_id: int,
    actor: str,
    *,
    revision: int | None = None,
) -> tuple[Transcript, list[int]]:
    """Let a transcript wait again; return it with the datasets that are withdrawn for it."""
    with engine.begin() as connection:
        return reopen_transcript(connection, workspace_id, transcript_id, actor, revision=revision)


def checked_messages(messages: Sequence[Said]) -> tuple[Said, ...]:
    """Return an edit's messages without blank ones. Raises EditError."""
    kept = tuple(
        replace(said, text=said.text.replace("\x00", "").strip())
        for said in messages
        if said.text.strip()
    )
    for role, name in (("asker", "the asker"), ("team", "the team")):
        if not any(said.role == role for said in kept):
            raise EditError(f"Leave at least one message of {name}; or reject the transcript.")
    if len(kept) > MOST_MESSAGES or any(len(said.text) > MOST_CHARACTERS for said in kept):
        raise EditError(
            f"Keep it to {MOST_MESSAGES} messages of {MOST_CHARACTERS} characters each."
        )
    return kept


def as_text(messages: Sequence[Said]) -> str:
    """Return messages as the text that an editor shows: each begins with who speaks."""
    return "\n".join(f"{said.role}: {said.text}" for said in messages) + "\n"


def from_text(written: str, before: Sequence[Said]) -> tuple[Said, ...]:
    """Read what an editor left; a message that stands as it was stays a canned one.

    Lines that begin with # are notes. Raises EditError.
    """
    plain = NOTE.sub("", written)
    places = [*SPEAKER.finditer(plain)]
    if not places or plain[: places[0].start()].strip():
        raise EditError('Begin each message with "asker:" or "team:".')
    canned = {(said.role, said.text) for said in before if said.canned}
    ends = [*(place.start() for place in places[1:]), len(plain)]
    made = []
    for place, end in zip(places, ends, strict=True):
        role: Literal["asker", "team"] = "asker" if place[1] == "asker" else "team"
        words = plain[place.end() : end].strip()
        made.append(Said(role, words, (role, words) in canned))
    return checked_messages(made)


def trains(transcript: Transcript) -> list[str]:
    """Return what a transcript would teach once it is approved, in words."""
    replies = sum(said.role == "team" and not said.canned for said in transcript.words)
    told = []
    if replies:
        told.append("the voice: 1 reply" if replies == 1 else f"the voice: {replies} replies")
    if transcript.edited or transcript.disliked:
        told.append("preferences: the better words against the others")
    for name in ("route", "sentiment", "intent"):
        if name in transcript.labels:
            told.append(f"the router: {name} {transcript.labels[name]}")
    return told


def to_json(transcript: Transcript, *, original: bool = False) -> dict[str, Any]:
    """Return a transcript as JSON types; the words as they came only where `original` asks."""

    def said(messages: Sequence[Said] | None) -> list[dict[str, Any]] | None:
        return None if messages is None else [said_json(one) for one in messages]

    moments = {
        name: moment.isoformat() if moment else None
        for name, moment in (
            ("happened_at", transcript.happened_at),
            ("curated_at", transcript.curated_at),
            ("reviewed_at", transcript.reviewed_at),
        )
    }
    told = {
        "id": transcript.id,
        "revision": transcript.revision,
        "state": transcript.state,
        "origin": transcript.origin,
        "origin_key": transcript.origin_key,
        "audience": list(transcript.audience),
        "words": said(transcript.words),
        "edited": transcript.edited is not None,
        "disliked": transcript.disliked if transcript.curated_at else None,
        "labels": transcript.labels,
        "findings": [vars(finding) for finding in transcript.findings],
        "redactions": transcript.redactions,
        "language": transcript.language,
        "quality": transcript.quality,
        "duplicate_of": transcript.duplicate_of,
        "trains": trains(transcript),
        "reviewed_by": transcript.reviewed_by,
    }
    return told | moments | ({"original": said(transcript.messages)} if original else {})
