"""Ingestion as jobs: a file is kept with its job before work begins, so nothing can be lost."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from core.errors import FootnoteError, NotFoundError
from ingestion.errors import printable
from ingestion.ingest import Ingester, Report
from store.blobs import read_blob, save_blob
from store.jobs import Job, claim, extend, fail, submit, succeed
from store.publish import File

INGEST_FILE = "ingest_file"
LEASE = 30.0  # seconds; extended while the work goes on
EXTENSIONS = 3  # in the time of one lease


def lease_owner() -> str:
    """Return a name for this process, to own leases with."""
    return f"{socket.gethostname()}:{os.getpid()}"


def submit_file(
    engine: Engine, workspace_id: int, file: File, audience: Sequence[str] | None = None
) -> int:
    """Keep a file and a job to ingest it in one transaction; return the job's id."""
    with engine.begin() as connection:
        sha256 = save_blob(connection, workspace_id, file.data)
        payload = {
            "name": file.name,
            "media_type": file.media_type,
            "sha256": sha256,
            "audience": None if audience is None else list(audience),
        }
        key = f"{file.name}:{sha256}"
        return submit(connection, workspace_id, INGEST_FILE, key, payload)


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
            report = ingester.ingest(_file(ingester, job), job.payload["audience"])
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
