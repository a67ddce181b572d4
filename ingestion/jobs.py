"""Ingestion as jobs: a file is kept with its job before work begins, so nothing can be lost."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from core.errors import FootnoteError, NotFoundError
from ingestion.errors import printable
from ingestion.ingest import NOTHING_GIVEN, Given, Ingester, Progress, Report
from store.blobs import read_blob, save_blob
from store.jobs import Job, claim, extend, fail, report_progress, submit, succeed
from store.publish import File, Origin

INGEST_FILE = "ingest_file"
LEASE = 30.0  # seconds; extended while the work goes on
EXTENSIONS = 3  # in the time of one lease
PROGRESS_EVERY = 1.0  # seconds between two notes of how far a job is


@dataclass(frozen=True)
class Sender:
    """Who sends a file, as part of which upload or which item of a source."""

    author: str | None = None
    upload_id: str | None = None
    source_id: int | None = None
    item: str | None = None  # the item's key within the source


NOBODY = Sender()


def lease_owner() -> str:
    """Return a name for this process, to own leases with."""
    return f"{socket.gethostname()}:{os.getpid()}"


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
    }
    written = json.dumps([payload, sender.upload_id], sort_keys=True)
    key = f"{file.name}:{hashlib.sha256(written.encode()).hexdigest()}"
    return submit(connection, workspace_id, INGEST_FILE, key, payload, upload_id=sender.upload_id)


def run_file_job(ingester: Ingester, job_id: int, *, lease: float = LEASE) -> Report | None:
    """Claim a job and ingest its file; None if another process has it or it is done.

    The claim lasts `lease` seconds, is extended three times in each while this process works,
    and so runs out soon after it was killed. A refused file ends its job as failed, and the
    error is raised for the caller to show; so does an interruption.
    """
    owner = lease_owner()
    job = claim(ingester.engine, job_id, owner, lease)
    if job is None:
        return None
    with _lease_kept(ingester.engine, job_id, owner, lease):
        try:
            report = ingester.ingest(
                _file(ingester, job),
                job.payload["audience"],
                given=Given.from_json(job.payload.get("given", {})),
                origin=_origin(job),
                progress=_noting(ingester.engine, job_id, owner),
            )
        except FootnoteError as error:
            fail(ingester.engine, job_id, owner, str(error))
            raise
        except KeyboardInterrupt:
            fail(
                ingester.engine,
                job_id,
                owner,
                f"{printable(job.payload['name'])} was interrupted.",
            )
            raise
    succeed(ingester.engine, job_id, owner, report.to_json())
    return report


def _origin(job: Job) -> Origin:
    """Return where the job's file came from, and when: what was sent later counts later."""
    return Origin(
        author=job.payload.get("author"),
        source_id=job.payload.get("source_id"),
        received_at=job.created_at,
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


@contextmanager
def _lease_kept(engine: Engine, job_id: int, owner: str, lease: float) -> Iterator[None]:
    """Extend the lease from a thread while the block runs; it ends with the process."""
    done = Event()

    def keep() -> None:
        while not done.wait(lease / EXTENSIONS):
            with suppress(DBAPIError):  # a database that is away for a moment: the next one counts
                extend(engine, job_id, owner, lease)

    thread = Thread(target=keep, name=f"lease-{job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
