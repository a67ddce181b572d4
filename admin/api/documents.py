"""`/api/documents`: what is there, and files that are added to it."""

from datetime import UTC, datetime
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Response

from admin.api import Workspace
from admin.api.auth import Caller
from admin.api.form import Received, received
from admin.api.jobs import job_address, job_shape
from admin.api.shapes import DocumentsShape, JobShape, Problem
from admin.problems import UnusableRequestError
from core.errors import ServiceUnavailableError
from ingestion.uploads import submit_upload, upload_progress
from store.search import Listed, list_in_force
from store.tokens import Token

KEY_LENGTH = 200  # characters of an idempotency key
TURN = 60.0  # seconds that an upload waits for another to be stored

FORM = {
    "type": "object",
    "properties": {
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": "One or several files; a file is taken under any other name too.",
        },
        "document": {
            "type": "string",
            "description": "The stable name of the one file's document.",
        },
        "title": {"type": "string", "description": "What footnotes call the one file's document."},
        "effective_from": {
            "type": "string",
            "description": "The first day the files count, such as 2026-09-01 (UTC).",
        },
        "effective_to": {
            "type": "string",
            "description": "The day from which they no longer count.",
        },
        "audience": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Who may read: everyone, external, channel:<id>, group:<id>.",
        },
        "link": {
            "type": "string",
            "description": "Where people read it, if the file names no other.",
        },
    },
    "required": ["file"],
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": FORM,
                "encoding": {"audience": {"style": "form", "explode": True}},
            }
        },
    }
}
REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "The key was used for other files."},
    413: {"model": Problem, "description": "A file, or all together, is too large."},
}


def router(workspace: Workspace, caller: Caller) -> APIRouter:
    """Return the routes of documents."""
    routes = APIRouter(prefix="/api/documents", tags=["documents"])
    storing = Lock()  # the files of one upload at a time are in memory

    @routes.post(
        "",
        status_code=202,
        response_model=JobShape,
        responses=REFUSED,
        openapi_extra=BODY,
    )
    def upload(
        response: Response,
        token: Annotated[Token, Depends(caller)],
        form: Annotated[Received, Depends(received)],
        idempotency_key: Annotated[
            str | None,
            Header(description="The same files under the same key again are the same upload."),
        ] = None,
    ) -> dict[str, Any]:
        """Keep files and begin to read them; what becomes of each is told at `href`."""
        key = _checked(idempotency_key)
        if not storing.acquire(timeout=TURN):
            raise ServiceUnavailableError(
                "Other files are being stored; send these again in a minute."
            )
        try:
            upload_id = submit_upload(
                workspace.engine,
                workspace.id,
                form.files(),
                token.bearer,
                audience=form.audience,
                given=form.given,
                idempotency_key=key,
            )
        finally:
            storing.release()
        response.headers["Location"] = job_address(upload_id)
        return job_shape(upload_progress(workspace.engine, workspace.id, upload_id))

    @routes.get("", response_model=DocumentsShape)
    def in_force() -> dict[str, Any]:
        """List every document in force, whoever may read it."""
        found = list_in_force(workspace.engine, workspace.id, datetime.now(UTC))
        return {"documents": [_listed(version) for version in found]}

    return routes


def _checked(key: str | None) -> str | None:
    if key is None:
        return None
    if not key or len(key) > KEY_LENGTH or not key.isprintable():
        raise UnusableRequestError(
            f"An Idempotency-Key has 1 to {KEY_LENGTH} printable characters; send a new UUID."
        )
    return key


def _listed(version: Listed) -> dict[str, Any]:
    return {
        "document": version.document_key,
        "title": version.title,
        "version": version.number,
        "effective_from": version.effective_from.isoformat(),
        "characters": version.characters,
        "audience": list(version.audience),
    }
