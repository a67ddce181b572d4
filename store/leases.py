"""Doing a job under a lease: it is extended while the work goes on and ends with the process."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from core.errors import FootnoteError
from store.jobs import Job, claim, extend, fail, pause, succeed

LEASE = 30.0  # seconds; extended while the work goes on
EXTENSIONS = 3  # in the time of one lease

Work = Callable[[Job, str], dict[str, Any] | None]
"""Does a claimed job for the owner named; returns its result, or None to go on another time."""


class TooLongError(FootnoteError):
    """A job was not done within the time that a task may take."""


def lease_owner() -> str:
    """Return a name for this process, to own leases with."""
    return f"{socket.gethostname()}:{os.getpid()}"


def run_leased(
    engine: Engine, job_id: int, work: Work, what: str, *, lease: float = LEASE
) -> dict[str, Any] | None:
    """Claim a job and do it; None if another process has it, it is done, or it goes on later.

    The claim lasts `lease` seconds, is extended three times in each while this process works,
    and so runs out soon after it was killed. An error ends the job as failed and is raised for
    the caller to show; so does an interruption. `what` names the work in those sentences.
    """
    owner = lease_owner()
    job = claim(engine, job_id, owner, lease)
    if job is None:
        return None
    with lease_kept(engine, job_id, owner, lease):
        try:
            result = work(job, owner)
        except SoftTimeLimitExceeded as error:
            fail(engine, job_id, owner, f"{what} took too long; send it in smaller parts.")
            raise TooLongError(f"{what} took too long; send it in smaller parts.") from error
        except FootnoteError as error:
            fail(engine, job_id, owner, str(error))
            raise
        except KeyboardInterrupt:
            fail(engine, job_id, owner, f"{what} was interrupted.")
            raise
    if result is None:
        pause(engine, job_id, owner)
    else:
        succeed(engine, job_id, owner, result)
    return result


@contextmanager
def lease_kept(engine: Engine, job_id: int, owner: str, lease: float) -> Iterator[None]:
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
