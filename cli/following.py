"""Following a job: done here, or waited for where a worker has taken it."""

import time
from collections.abc import Callable
from typing import Any

from cli.runtime import Runtime
from core.errors import FootnoteError, ServiceUnavailableError
from store.jobs import find_job, sweep

FOLLOW_TIMEOUT = 300.0  # seconds to wait for a worker that took a job
FOLLOW_EVERY = 0.1  # seconds


class JobFailedError(FootnoteError):
    """A job that a worker took has failed; the message is its reason."""


def follow_job(
    runtime: Runtime,
    job_id: int,
    run: Callable[[], dict[str, Any] | None],
    what: str,
    *,
    timeout: float = FOLLOW_TIMEOUT,
) -> dict[str, Any]:
    """Return a job's result: `run` does it here unless a worker has it.

    A job whose worker was killed is taken over once its lease has run out. Raises JobFailedError
    with the sentence that the job ended with, ServiceUnavailableError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        result = run()
        if result is not None:
            return result
        job = find_job(runtime.engine, job_id)
        if job is not None and job.state == "succeeded" and job.result is not None:
            return job.result
        if job is not None and job.state == "failed":
            raise JobFailedError(job.error or f"{what} failed.")
        sweep(runtime.engine)  # there may be no `up` that does
        time.sleep(FOLLOW_EVERY)
    raise ServiceUnavailableError(
        f"{what} is still being worked on by a worker (job {job_id}); look again later."
    )
