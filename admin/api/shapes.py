"""What the API answers with, as its schema tells it."""

from typing import Any, Literal

from pydantic import BaseModel, Field

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
    """A document in force."""

    document: str
    title: str
    version: int
    effective_from: str
    characters: int
    audience: list[str]


class DocumentsShape(BaseModel):
    """All documents in force."""

    documents: list[DocumentShape]


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
