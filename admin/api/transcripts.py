"""`/api/transcripts`: what curators do with transcripts, for a page or program of theirs.

Every change names the revision that its maker saw; where somebody else was quicker it is refused
with 409 and nothing is changed.
"""

import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from admin.api import Workspace
from admin.api.auth import Caller
from admin.api.form import audience_of
from admin.api.shapes import CONFLICT, NOT_FOUND
from admin.gate import TRANSCRIPTS, UPLOAD_LIMIT
from admin.problems import TooLargeError, UnusableRequestError
from finetune.imports import import_file
from finetune.review import approve, edit, label, reject, reopen, to_json
from store.curation import curation_stats
from store.tokens import Token
from store.transcripts import (
    Origin,
    Said,
    Transcript,
    TranscriptState,
    find_transcript,
    list_transcripts,
)

MOST_MESSAGES = 200  # of an edit
MIB = 2**20
PAGE, LARGEST_PAGE = 50, 200  # transcripts

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="The transcript's number.")]
CHANGED = {**NOT_FOUND, **CONFLICT}


class SaidShape(BaseModel):
    """One message."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["asker", "team"]
    text: str = Field(max_length=20_000)
    canned: bool = Field(False, description="A suggestion that was sent as it stood.")


class FindingShape(BaseModel):
    """What the first pass noticed."""

    kind: str
    reason: str


class TranscriptShape(BaseModel):
    """A transcript as curators see it."""

    id: int
    revision: int = Field(description="To be sent along with a change.")
    state: TranscriptState
    origin: Origin
    origin_key: str
    audience: list[str]
    words: list[SaidShape] = Field(description="What would be learned; empty until it was read.")
    edited: bool
    disliked: str | None = Field(description="The bot's reply that these words are better than.")
    labels: dict[str, Any]
    findings: list[FindingShape]
    redactions: dict[str, int] = Field(description="Placeholders by kind.")
    language: str | None
    quality: float | None
    duplicate_of: int | None
    trains: list[str] = Field(description="What it would teach, in words.")
    reviewed_by: str | None
    happened_at: str | None
    curated_at: str | None
    reviewed_at: str | None
    original: list[SaidShape] | None = Field(
        None, description="The words as they came, where asked for and while they are kept."
    )


class TranscriptsShape(BaseModel):
    """A page of transcripts, the oldest first."""

    transcripts: list[TranscriptShape]
    next_after: int | None = Field(description="Send as `after` for the next page; null: no more.")


class StatsShape(BaseModel):
    """How many transcripts there are, counted in several ways."""

    states: dict[str, int]
    origins: dict[str, int]
    findings: dict[str, int]
    redactions: dict[str, int]
    labels: dict[str, int]


class ReopenedShape(BaseModel):
    """A transcript that waits again, and the datasets that are withdrawn for it."""

    transcript: TranscriptShape
    withdrawn_datasets: list[int]


class BadRowShape(BaseModel):
    """A row that could not be read."""

    row: int
    reason: str


class ImportShape(BaseModel):
    """What became of a file; a worker reads the new ones soon."""

    file: str
    read: int
    added: int
    known: int
    bad: int
    problems: list[BadRowShape]


class RevisionBody(BaseModel):
    """Which revision a change is for."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=0)


class ApproveBody(RevisionBody):
    """An approval."""

    anyway: bool = Field(False, description="Also what was kept apart.")


class WordsBody(RevisionBody):
    """Other words; personal data in them is replaced."""

    messages: list[SaidShape] = Field(max_length=MOST_MESSAGES)


class LabelsBody(RevisionBody):
    """Labels to set; null takes one away."""

    labels: dict[str, Any] = Field(
        max_length=10, description="route, sentiment, urgency, intent; tone is a list."
    )


@dataclass(frozen=True)
class Sent:
    """A file that came as a request's body."""

    path: FilePath


async def sent(request: Request) -> AsyncGenerator[Sent, None]:
    """Keep a body on disk for the time of the request. Raises TooLargeError."""
    with tempfile.NamedTemporaryFile(prefix="transcripts-") as file:
        received = 0
        try:
            async for chunk in request.stream():
                received += len(chunk)
                if received > UPLOAD_LIMIT:
                    raise TooLargeError(
                        f"This is larger than {UPLOAD_LIMIT // MIB} MiB; split it. Nothing was"
                        " kept."
                    )
                await run_in_threadpool(file.write, chunk)
        except ClientDisconnect as error:
            raise UnusableRequestError("The upload broke off; nothing was kept.") from error
        file.flush()
        yield Sent(FilePath(file.name))


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in (
                "application/x-ndjson",
                "application/json",
                "text/csv",
                "application/gzip",
            )
        },
    }
}


def shape_of(one: Transcript, *, original: bool = False) -> TranscriptShape:
    """Return what is told of a transcript."""
    return TranscriptShape(**to_json(one, original=original))


def router(workspace: Workspace, caller: Caller) -> APIRouter:
    """Return the routes of transcripts."""
    routes = APIRouter(prefix=TRANSCRIPTS, tags=["transcripts"])
    engine, workspace_id = workspace.engine, workspace.id
    Curator = Annotated[Token, Depends(caller)]  # noqa: N806 - a type

    @routes.get("")
    def list_some(
        state: Annotated[TranscriptState | None, Query()] = None,
        origin: Annotated[Origin | None, Query()] = None,
        finding: Annotated[str | None, Query(max_length=40)] = None,
        clean: Annotated[bool, Query(description="Only those without findings.")] = False,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
    ) -> TranscriptsShape:
        """List transcripts, the oldest first, a page at a time."""
        found = list_transcripts(
            engine,
            workspace_id,
            state,
            limit + 1,
            after=after,
            origin=origin,
            finding=(finding or "").replace("\x00", "") or None,
            clean=clean,
        )
        page = found[:limit]
        return TranscriptsShape(
            transcripts=[shape_of(one) for one in page],
            next_after=page[-1].id if len(found) > limit else None,
        )

    @routes.get("/stats")
    def stats() -> StatsShape:
        """Count transcripts by state, origin, findings, replaced data and labels."""
        return StatsShape(**vars(curation_stats(engine, workspace_id)))

    @routes.post("/import", status_code=201, openapi_extra=BODY)
    def import_sent(
        token: Curator,
        file: Annotated[Sent, Depends(sent)],
        name: Annotated[
            str, Query(min_length=1, max_length=200, description="Of the file; its rows keep it.")
        ],
        audience: Annotated[
            list[str], Query(description="Who may see them; none: curators only.")
        ] = [],  # noqa: B006 - FastAPI copies it
        skip_bad: Annotated[bool, Query(description="Take the rows that can be read.")] = False,
    ) -> ImportShape:
        """Add the exchanges of a file: JSONL, JSON or CSV, also compressed by gzip."""
        report = import_file(
            engine,
            workspace_id,
            file.path,
            actor=token.bearer,
            audience=audience_of(audience) or (),
            skip_bad=skip_bad,
            name=name,
        )
        return ImportShape(**report.to_json())

    @routes.get("/{number}", responses=NOT_FOUND)
    def show(
        number: Number,
        original: Annotated[bool, Query(description="With the words as they came.")] = False,
    ) -> TranscriptShape:
        """Show a transcript with what was found in it."""
        return shape_of(find_transcript(engine, workspace_id, number), original=original)

    @routes.post("/{number}/approve", responses=CHANGED)
    def approve_one(number: Number, body: ApproveBody, token: Curator) -> TranscriptShape:
        """Make an example of it."""
        return shape_of(
            approve(
                engine,
                workspace_id,
                number,
                token.bearer,
                revision=body.revision,
                anyway=body.anyway,
            )
        )

    @routes.post("/{number}/reject", responses=CHANGED)
    def reject_one(number: Number, body: RevisionBody, token: Curator) -> TranscriptShape:
        """Keep it from being an example."""
        return shape_of(reject(engine, workspace_id, number, token.bearer, revision=body.revision))

    @routes.post("/{number}/reopen", responses=CHANGED)
    def reopen_one(number: Number, body: RevisionBody, token: Curator) -> ReopenedShape:
        """Let it wait again; datasets that hold it are withdrawn."""
        again, withdrawn = reopen(
            engine, workspace_id, number, token.bearer, revision=body.revision
        )
        return ReopenedShape(transcript=shape_of(again), withdrawn_datasets=withdrawn)

    @routes.put("/{number}/words", responses=CHANGED)
    def edit_one(number: Number, body: WordsBody, token: Curator) -> TranscriptShape:
        """Put other words in place of the redacted ones."""
        messages = [Said(said.role, said.text, said.canned) for said in body.messages]
        return shape_of(
            edit(engine, workspace_id, number, messages, token.bearer, revision=body.revision)
        )

    @routes.put("/{number}/labels", responses=CHANGED)
    def label_one(number: Number, body: LabelsBody, token: Curator) -> TranscriptShape:
        """Set or take away labels."""
        return shape_of(
            label(engine, workspace_id, number, body.labels, token.bearer, revision=body.revision)
        )

    return routes
