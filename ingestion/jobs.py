"""Ingestion as jobs: a file is kept with its job before work begins, so nothing can be lost."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from core.errors import FootnoteError, NotFoundError
from ingestion.errors import DocumentError, MissingFormatError, printable
from ingestion.ingest import NOTHING_GIVEN, Given, Ingester, Progress, Report
from store.access import EVERYONE
from store.blobs import read_blob, save_blob
from store.jobs import Job, find_job, report_progress, submit
from store.leases import LEASE, run_leased
from store.publish import File, Origin
from store.source_items import item_ended

INGEST_FILE = "ingest_file"
PROGRESS_EVERY = 1.0  # seconds between two notes of how far a job is


@dataclass(frozen=True)
class Sender:
    """Who sends a file, as part of which upload or which item of a source."""

    author: str | None = None
    upload_id: str | None = None
    source_id: int | None = None
    item: str | None = None  # the item's key within the source
    audience: tuple[str, ...] | None = None  # of a document that is new; None: everyone


NOBODY = Sender()


def submit_file(
    engine: Engine,
    workspace_id: int,
    file: File,
    audience: Sequence[str] | None = None,
    *,
    given: Given = NOTHING_GIVEN,
    sender: Sender = NOBODY,
) -> int:
    """Keep a file and a job to ingest it in one transaction; return the job's id."""
    with engine.begin() as connection:
        return submit_with(connection, workspace_id, file, audience, given=given, sender=sender)


def submit_with(
    connection: Connection,
    workspace_id: int,
    file: File,
    audience: Sequence[str] | None = None,
    *,
    given: Given = NOTHING_GIVEN,
    sender: Sender = NOBODY,
) -> int:
    """Do the same within a transaction of the caller's.

    The same file from the same sender is one job as long as that one lives.
    """
    payload = {
        "name": file.name,
        "media_type": file.media_type,
        "sha256": save_blob(connection, workspace_id, file.data),
        "audience": None if audience is None else list(audience),
        "given": given.to_json(),
        "author": sender.author,
        "source_id": sender.source_id,
        "item": sender.item,
        "new_audience": None if sender.audience is None else list(sender.audience),
    }
    written = json.dumps([payload, sender.upload_id], sort_keys=True)
    key = f"{file.name}:{hashlib.sha256(written.encode()).hexdigest()}"
    return submit(connection, workspace_id, INGEST_FILE, key, payload, upload_id=sender.upload_id)


def run_file_job(ingester: Ingester, job_id: int, *, lease: float = LEASE) -> Report | None:
    """Claim a job and ingest its file; None if another process has it or it is done.

    A refused file ends its job as failed, and the error is raised for the caller to show; so
    does an interruption. What became of an item of a source is written down with it.
    """
    done: list[Report] = []

    def work(job: Job, owner: str) -> dict[str, Any]:
        try:
            report = ingester.ingest(
                _file(ingester, job),
                job.payload["audience"],
                given=Given.from_json(job.payload.get("given", {})),
                origin=_origin(job),
                progress=_noting(ingester.engine, job_id, owner),
            )
        except FootnoteError as error:
            lasting = isinstance(error, DocumentError) and not isinstance(
                error, MissingFormatError
            )
            _tell_source(ingester.engine, job, failure=str(error), lasting=lasting)
            raise
        _tell_source(ingester.engine, job, document_id=report.document_id)
        done.append(report)
        return report.to_json()

    job = find_job(ingester.engine, job_id)
    name = printable(job.payload["name"]) if job is not None else ""
    run_leased(ingester.engine, job_id, work, name, lease=lease)
    return done[0] if done else None


def _tell_source(
    engine: Engine,
    job: Job,
    *,
    document_id: int | None = None,
    failure: str | None = None,
    lasting: bool = False,
) -> None:
    source_id, item = job.payload.get("source_id"), job.payload.get("item")
    if source_id is not None and item is not None:
        item_ended(
            engine,
            source_id,
            item,
            job.id,
            document_id=document_id,
            failure=failure,
            lasting=lasting,
        )


def _origin(job: Job) -> Origin:
    """Return where the job's file came from, and when: what was sent later counts later."""
    return Origin(
        author=job.payload.get("author"),
        source_id=job.payload.get("source_id"),
        received_at=job.created_at,
        audience=tuple(job.payload.get("new_audience") or (EVERYONE,)),
    )


def _noting(engine: Engine, job_id: int, owner: str) -> Progress:
    """Return what writes progress into the job's row, at most once a second."""
    noted = 0.0

    def note(done: int, total: int) -> None:
        nonlocal noted
        if time.monotonic() - noted >= PROGRESS_EVERY:
            noted = time.monotonic()
            report_progress(engine, job_id, owner, done, total)

    return note


def _file(ingester: Ingester, job: Job) -> File:
    data = read_blob(ingester.engine, ingester.workspace_id, job.payload["sha256"])
    if data is None:
        raise NotFoundError(
            f"The file {printable(job.payload['name'])} is no longer kept; send it again."
        )
    return File(job.payload["name"], job.payload["media_type"], data)
