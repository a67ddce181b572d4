"""`/api/jobs`: how far an upload is."""

import time
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request

from admin.api import Workspace
from admin.api.shapes import NOT_FOUND, JobShape
from ingestion.uploads import Progress, upload_progress

LONGEST_WAIT = 25  # seconds; what stands between often gives up after 30
LOOK_EVERY = 0.25  # seconds

JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The upload's id.")]
Wait = Annotated[
    int,
    Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the end before answering."),
]


def job_address(upload_id: str) -> str:
    """Return where an upload is followed."""
    return f"/api/jobs/{upload_id}"


def job_shape(progress: Progress) -> dict[str, Any]:
    """Return an upload's progress with its address, as JSON types."""
    return progress.to_json() | {"href": job_address(progress.upload.id)}


def router(workspace: Workspace) -> APIRouter:
    """Return the routes of jobs."""
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"])

    # Not synchronous as all else: who waits must not hold one of the few threads that serve.
    @routes.get("/{job_id}", responses=NOT_FOUND, response_model=JobShape)
    async def follow(request: Request, job_id: JobId, wait: Wait = 0) -> dict[str, Any]:
        """Tell how far an upload is, at once or when it has ended, at most `wait` seconds on."""
        deadline = time.monotonic() + wait
        while True:
            progress = await run_sync(upload_progress, workspace.engine, workspace.id, job_id)
            late = time.monotonic() + LOOK_EVERY > deadline
            if progress.ended or late or await request.is_disconnected():
                return job_shape(progress)
            await anyio.sleep(LOOK_EVERY)

    return routes
