"""Files that somebody sends together: checked, kept, and followed until each has an outcome."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine

from core.errors import FootnoteError, NotFoundError
from ingestion.errors import DocumentError, display_name
from ingestion.ingest import NOTHING_GIVEN, Given
from ingestion.jobs import Sender, submit_with
from ingestion.sniff import refuse_size
from store.audit import record
from store.jobs import Job, jobs_of_upload
from store.publish import File
from store.uploads import Upload, find_upload, open_upload

MAX_FILES = 100  # in one upload

UploadState = Literal["queued", "running", "succeeded", "failed"]


class KeyReusedError(FootnoteError):
    """An idempotency key came again with other files."""


class TooManyFilesError(FootnoteError):
    """More files were sent at once than one upload may have."""


@dataclass(frozen=True)
class FileState:
    """How far one file of an upload is: its job's state, then its report or its refusal."""

    name: str
    state: UploadState
    job_id: int | None = None
    done: int = 0  # chunks embedded
    total: int = 0  # of so many; 0: not known yet
    report: dict[str, Any] | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON types."""
        return {
            "file": self.name,
            "state": self.state,
            "job": self.job_id,
            "embedded": self.done,
            "to_embed": self.total,
            "report": self.report,
            "error": self.error,
        }


@dataclass(frozen=True)
class Progress:
    """How far an upload is. It has succeeded if each file has, and failed if any was refused."""

    upload: Upload
    files: tuple[FileState, ...]

    @property
    def ended(self) -> bool:
        """Whether every file has its outcome."""
        return all(file.state in ("succeeded", "failed") for file in self.files)

    @property
    def state(self) -> UploadState:
        """The upload as one job."""
        states = {file.state for file in self.files}
        if self.ended:
            return "failed" if "failed" in states else "succeeded"
        return "queued" if states == {"queued"} else "running"

    def to_json(self) -> dict[str, Any]:
        """Return the progress as JSON types."""
        ended = sum(file.state in ("succeeded", "failed") for file in self.files)
        return {
            "job": self.upload.id,
            "state": self.state,
            "done": ended,
            "total": len(self.files),
            "files": [file.to_json() for file in self.files],
        }


def submit_upload(
    engine: Engine,
    workspace_id: int,
    files: Sequence[File],
    author: str,
    *,
    audience: Sequence[str] | None = None,
    given: Given = NOTHING_GIVEN,
    idempotency_key: str | None = None,
    reply: dict[str, Any] | None = None,
    refused: Sequence[dict[str, Any]] = (),
) -> str:
    """Keep the files and a job for each in one transaction; return the upload's id.

    The same files under the same key again are the same upload. A file that is empty or too
    large is refused at once; `refused` names those that the caller refused before.

    Raises KeyReusedError for other files under a known key, TooManyFilesError.
    """
    if len(files) > MAX_FILES:
        raise TooManyFilesError(f"Send at most {MAX_FILES} files at once; these are {len(files)}.")
    fitting, unfit = _by_size(files)
    content = hashlib.sha256(
        repr([(f.name, hashlib.sha256(f.data).hexdigest()) for f in files]).encode()
        + repr((given.to_json(), audience)).encode()
    ).hexdigest()
    with engine.begin() as connection:
        upload, is_new = open_upload(
            connection,
            workspace_id,
            author,
            content,
            refused=[*refused, *unfit],
            idempotency_key=idempotency_key,
            reply=reply,
        )
        if not is_new and upload.content_sha256 != content:
            raise KeyReusedError(
                "This idempotency key was used for other files; use a new key for each upload."
            )
        if is_new:
            sender = Sender(author=author, upload_id=upload.id)
            for file in fitting:
                submit_with(connection, workspace_id, file, audience, given=given, sender=sender)
            counts = {"files": len(fitting), "refused": len(upload.refused)}
            record(connection, workspace_id, author, "documents uploaded", upload.id, **counts)
    return upload.id


def _by_size(files: Sequence[File]) -> tuple[list[File], list[dict[str, Any]]]:
    fitting, unfit = [], []
    for file in files:
        try:
            refuse_size(display_name(file.name), len(file.data))
            fitting.append(file)
        except DocumentError as error:
            unfit.append({"file": file.name, "error": str(error)})
    return fitting, unfit


def upload_progress(engine: Engine, workspace_id: int, upload_id: str) -> Progress:
    """Return how far an upload is. Raises NotFoundError."""
    upload = find_upload(engine, workspace_id, upload_id)
    if upload is None:
        raise NotFoundError("There is no such job here.")
    return Progress(upload, tuple(_states(upload, jobs_of_upload(engine, upload_id))))


def _states(upload: Upload, jobs: Sequence[Job]) -> Iterator[FileState]:
    for job in jobs:
        yield FileState(
            name=display_name(job.payload["name"]),
            state=job.state,
            job_id=job.id,
            done=job.done,
            total=job.total,
            report=job.result,
            error=job.error,
        )
    for refusal in upload.refused:
        yield FileState(display_name(refusal["file"]), "failed", error=refusal["error"])
