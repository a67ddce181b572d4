"""`/api/documents`: what is there, and files that are added to it."""

from datetime import UTC, datetime
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from admin.api import Workspace
from admin.api.auth import Caller
from admin.api.form import Received, received
from admin.api.jobs import job_address, job_shape
from admin.api.shapes import (
    CONFLICT,
    NOT_FOUND,
    DeletedShape,
    DocumentShape,
    DocumentsShape,
    HistoryShape,
    JobShape,
    Problem,
    VersionShape,
)
from admin.asked import moment_asked
from admin.layout import Span
from admin.pages.documents import Offset, PageNumber, picture_of, quoted
from admin.problems import UnusableRequestError
from core.errors import NotFoundError, ServiceUnavailableError
from ingestion.changes import section_changes, stored_wording
from ingestion.errors import display_name
from ingestion.uploads import submit_upload, upload_progress
from store.documents import read_versions
from store.history import (
    Held,
    PastVersion,
    delete_document,
    find_documents,
    list_documents,
    read_history,
)
from store.tokens import Token

KEY_LENGTH = 200  # characters of an idempotency key
TURN = 60.0  # seconds that an upload waits for another to be stored

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
Key = Annotated[str, Path(description="The document's key, slashes and all.")]

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

    @routes.get("")
    def list_all(
        as_of: Annotated[
            str, Query(description="As it was then, or will be; a day counts to its end.")
        ] = "",
        everything: Annotated[
            bool, Query(alias="all", description="Also what is not in force or deleted.")
        ] = False,
    ) -> DocumentsShape:
        """List the documents in force, whoever may read them."""
        now = moment_asked(as_of) or datetime.now(UTC)
        found = list_documents(workspace.engine, workspace.id, now)
        shown = [held for held in found if everything or held.in_force]
        return DocumentsShape(documents=[DocumentShape.of(held) for held in shown])

    @routes.get(
        "/{key:path}/versions/{number}/page/{page}.png",
        responses={**NOT_FOUND, 200: {"content": {"image/png": {}}, "description": "A PNG."}},
        response_class=Response,
    )
    def picture(
        key: Key, number: VersionNumber, page: PageNumber, start: Offset = None, end: Offset = None
    ) -> Response:
        """Draw a page of a PDF, the words from `start` to `end` of the version's text marked."""
        held = _held(workspace, key, datetime.now(UTC))
        past = read_history(workspace.engine, workspace.id, held.id, datetime.now(UTC))
        ids = [one.id for one in past if one.number == number]
        for version in read_versions(workspace.engine, workspace.id, ids):
            quote = quoted(version, start, end) or Span(0, 0)
            return picture_of(workspace.pictures, version.id, page, quote)
        raise NotFoundError(f"{display_name(key)} has no version {number}.")

    @routes.get("/{key:path}", responses=NOT_FOUND)
    def history(key: Key) -> HistoryShape:
        """Show a document with all its versions and what each changed, newest first."""
        now = datetime.now(UTC)
        held = _held(workspace, key, now)
        past = read_history(workspace.engine, workspace.id, held.id, now)
        versions = [VersionShape.of(one, _changes(workspace, one)) for one in reversed(past)]
        return HistoryShape(**dict(DocumentShape.of(held)), history=versions)

    @routes.delete("/{key:path}", responses={**NOT_FOUND, **CONFLICT})
    def delete(key: Key, token: Annotated[Token, Depends(caller)]) -> DeletedShape:
        """Answer nothing from a document any more; old citations still open what they quoted."""
        held = _held(workspace, key, datetime.now(UTC))
        delete_document(workspace.engine, workspace.id, held.id, token.bearer)
        return DeletedShape(document=held.document_key, title=held.title)

    return routes


def _held(workspace: Workspace, key: str, now: datetime) -> Held:
    """Return the document with that key. Raises NotFoundError."""
    found = [] if "\x00" in key else find_documents(workspace.engine, workspace.id, key, now)
    for held in found:  # others may have that title
        if held.document_key == key:
            return held
    raise NotFoundError(f"There is no document {display_name(key)} here.")


def _changes(workspace: Workspace, version: PastVersion) -> list[str]:
    """Return what a version changed in the one before it in time."""
    if version.before is None:
        return []
    old, new = (
        stored_wording(workspace.engine, workspace.id, one) for one in (version.before, version.id)
    )
    return [change.summary for change in section_changes(old, new)]


def _checked(key: str | None) -> str | None:
    if key is None:
        return None
    if not key or len(key) > KEY_LENGTH or not key.isprintable():
        raise UnusableRequestError(
            f"An Idempotency-Key has 1 to {KEY_LENGTH} printable characters; send a new UUID."
        )
    return key
