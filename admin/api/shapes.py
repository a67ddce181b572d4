"""What the API answers with, as its schema tells it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from store.history import Held, PastVersion
from store.source_items import KnownItem
from store.sources import Source

State = Literal["queued", "running", "succeeded", "failed"]


class Problem(BaseModel):
    """Why something was not done."""

    error: str = Field(description="One sentence for a person.")
    reference: str | None = Field(None, description="The id of this failure in the log.")


class FileShape(BaseModel):
    """How far one file of an upload is."""

    file: str
    state: State
    job: int | None
    embedded: int = Field(description="Chunks embedded so far.")
    to_embed: int = Field(description="Of so many; 0 while that is not known.")
    report: dict[str, Any] | None = Field(
        description="Of a file that succeeded: document, version, whether it is new, chunks,"
        " warnings."
    )
    error: str | None = Field(description="Of a file that was refused: why, in a sentence.")


class JobShape(BaseModel):
    """How far an upload is: it has failed if any of its files was refused."""

    job: str
    href: str = Field(description="Where to ask again.")
    state: State
    done: int = Field(description="Files that have their outcome.")
    total: int
    files: list[FileShape]


class DocumentShape(BaseModel):
    """A document; its title, version and dates are those of the version in force.

    Where none is, they are those of the next to begin, else of the last that was.
    """

    document: str = Field(description="Its key.")
    title: str
    version: int
    effective_from: datetime
    effective_to: datetime | None
    in_force: bool
    characters: int
    versions: int = Field(description="How many there are.")
    audience: list[str]
    source: str = Field(description="The source that keeps it current, or uploads.")
    deleted_at: datetime | None
    deleted_by: str | None

    @classmethod
    def of(cls, held: Held) -> Self:
        """Return what is told of a document."""
        return cls(
            document=held.document_key,
            title=held.title,
            version=held.number,
            effective_from=held.effective_from,
            effective_to=held.effective_to,
            in_force=held.in_force,
            characters=held.characters,
            versions=held.versions,
            audience=list(held.audience),
            source=held.source,
            deleted_at=held.deleted_at,
            deleted_by=held.deleted_by,
        )


class DocumentsShape(BaseModel):
    """Documents by title."""

    documents: list[DocumentShape]


class VersionShape(BaseModel):
    """One wording of a document."""

    version: int
    title: str
    in_force: bool
    effective_from: datetime
    effective_to: datetime | None
    received_at: datetime
    author: str | None
    restored_from: int | None
    owner: str | None
    link: str | None
    file: str
    media_type: str
    characters: int
    hidden_characters: int
    passages: int
    href: str = Field(description="The page with its words.")
    changes: list[str] = Field(description="What it changed, a few words for each section.")

    @classmethod
    def of(cls, past: PastVersion, changes: list[str]) -> Self:
        """Return what is told of a version."""
        return cls(
            version=past.number,
            title=past.title,
            in_force=past.in_force,
            effective_from=past.effective_from,
            effective_to=past.effective_to,
            received_at=past.received_at,
            author=past.author,
            restored_from=past.restored_from,
            owner=past.owner,
            link=past.link,
            file=past.file_name,
            media_type=past.media_type,
            characters=past.characters,
            hidden_characters=past.hidden_characters,
            passages=past.passages,
            href=f"/documents/{past.id}",
            changes=changes,
        )


class HistoryShape(DocumentShape):
    """A document with all its versions, newest first."""

    history: list[VersionShape]


class DeletedShape(BaseModel):
    """A document from which nothing is answered any more."""

    document: str
    title: str
    deleted: bool = True


class SourceShape(BaseModel):
    """A watched place and how it fares."""

    name: str
    kind: str
    uri: str
    options: dict[str, str]
    audience: list[str]
    owner: str | None
    trust: int
    state: str
    every: int | None = Field(description="Seconds between looks; null: when asked to.")
    next_at: datetime | None
    checked_at: datetime | None = Field(description="The last look that succeeded.")
    changed_at: datetime | None = Field(description="The last look that found a change.")
    documents: int
    failures: int = Field(description="Items that could not be read.")
    failure: str | None = Field(description="Why the last look failed as a whole.")

    @classmethod
    def of(cls, source: Source) -> Self:
        """Return what is told of a source."""
        return cls(**_told(source))


class FailedItemShape(BaseModel):
    """An item of a source that could not be read."""

    item: str
    reason: str | None


class SourceDetailsShape(SourceShape):
    """A source with what could not be read."""

    failed_items: list[FailedItemShape]

    @classmethod
    def with_items(cls, source: Source, failed: Sequence[KnownItem]) -> Self:
        """Return what is told of a source and its failures."""
        items = [FailedItemShape(item=item.key, reason=item.reason) for item in failed]
        return cls(**_told(source), failed_items=items)


class SourcesShape(BaseModel):
    """The watched sources by name."""

    sources: list[SourceShape]


class LookShape(BaseModel):
    """A look at a source that was asked for."""

    job: int
    href: str = Field(description="The source, which tells how it went.")


class RemovedShape(BaseModel):
    """A source that is no longer watched."""

    removed: str
    documents_withdrawn: int


def _told(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in SourceShape.model_fields}


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token, or one that is not in use."},
    403: {"model": Problem, "description": "The token's role does not allow this."},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such thing in this workspace."}
}
UNUSABLE: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "What was sent cannot be used, and why."}
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "It stands otherwise than this would need, and how."}
}
