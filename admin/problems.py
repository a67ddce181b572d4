"""Failures as a person sees them: one plain sentence, as a page, a fragment or JSON."""

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from admin.templating import Templates
from core.errors import FootnoteError, NotFoundError, ServiceUnavailableError, reference_id
from core.logs import logger
from finetune.import_rows import TranscriptFileError
from finetune.labels import LabelError
from finetune.review import EditError, QuarantinedError
from ingestion.errors import DocumentError, PagePictureError, printable
from ingestion.uploads import KeyReusedError, TooManyFilesError
from store.history import DeletedError
from store.publish import WatchedDocumentError
from store.reviews import ChangedMeanwhileError, DecidedError, NotReadYetError
from store.sources import SourceNameError

API = "/api/"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="footnote"'}  # RFC 6750, 3

SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that kind of request.",
}
OTHER_REFUSAL = "This request cannot be used."
MAX_NAMED = 40  # characters of a field's name in a sentence
UNREADABLE_REQUEST = "This request cannot be used: check its address and the form of its body."

log = logger(__name__)


class UnusableRequestError(FootnoteError):
    """What a browser or program sent cannot be used; the message says what to send instead."""


class TooLargeError(FootnoteError):
    """More was sent at once than is taken."""


class UnknownTokenError(FootnoteError):
    """A program did not show a token that is in use."""


class ForbiddenError(FootnoteError):
    """A token is known, and its bearer may not do this."""


STATUSES: tuple[tuple[type[FootnoteError], HTTPStatus], ...] = (
    (UnusableRequestError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (UnknownTokenError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (PagePictureError, HTTPStatus.NOT_FOUND),
    (DocumentError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (LabelError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (EditError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TranscriptFileError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ChangedMeanwhileError, HTTPStatus.CONFLICT),
    (DecidedError, HTTPStatus.CONFLICT),
    (NotReadYetError, HTTPStatus.CONFLICT),
    (QuarantinedError, HTTPStatus.CONFLICT),
    (KeyReusedError, HTTPStatus.CONFLICT),
    (DeletedError, HTTPStatus.CONFLICT),
    (SourceNameError, HTTPStatus.CONFLICT),
    (WatchedDocumentError, HTTPStatus.CONFLICT),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (TooManyFilesError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (ServiceUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def status_of(error: FootnoteError) -> HTTPStatus:
    """Return the HTTP status that fits an error."""
    fitting = (status for kind, status in STATUSES if isinstance(error, kind))
    return next(fitting, HTTPStatus.INTERNAL_SERVER_ERROR)


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks, and so a piece of a page is wanted."""
    return request.headers.get("hx-request") == "true"


def told(error: FootnoteError) -> tuple[HTTPStatus, str, str | None]:
    """Return status, sentence and reference of an expected failure.

    What the asker cannot mend by asking differently is logged, and the sentence names the
    reference under which it is.
    """
    status = status_of(error)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return status, str(error), None
    reference = reference_id()
    log.warning("page refused", reference=reference, kind=type(error).__name__, reason=str(error))
    return status, f"{error} (Reference {reference}.)", reference


class Problems:
    """Turns a failure into the response that its asker can read."""

    def __init__(self, templates: Templates) -> None:
        """Use the pages' own templates."""
        self._templates = templates

    def response(
        self, request: Request, status: int, sentence: str, reference: str | None = None
    ) -> Response:
        """Return JSON under /api, a fragment for htmx (shown by the composer), else a page."""
        if request.scope["path"].startswith(API):
            body = {"error": sentence} | ({"reference": reference} if reference else {})
            challenge = CHALLENGE if status == HTTPStatus.UNAUTHORIZED else None
            return JSONResponse(body, status, headers=challenge)
        if wants_fragment(request):
            html = self._templates.render("problem_fragment.html", sentence=sentence)
            return HTMLResponse(
                html, status, headers={"HX-Retarget": "#problem", "HX-Reswap": "innerHTML"}
            )
        return HTMLResponse(self._templates.render("problem.html", sentence=sentence), status)

    def install(self, app: FastAPI) -> None:
        """Answer the framework's own refusals and every FootnoteError in words."""
        app.add_exception_handler(HTTPException, self._refused)
        app.add_exception_handler(RequestValidationError, self._unreadable)
        app.add_exception_handler(FootnoteError, self._expected)

    def _refused(self, request: Request, error: Exception) -> Response:
        code = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else 400
        return self.response(request, code, SENTENCES.get(HTTPStatus(code), OTHER_REFUSAL))

    def _unreadable(self, request: Request, error: Exception) -> Response:
        """An address with a malformed id leads nowhere, and a page's with malformed offsets too.

        A program is told which of its parameters or fields cannot be used.
        """
        details = error.errors() if isinstance(error, RequestValidationError) else ()
        by_program = request.scope["path"].startswith(API)
        reading = request.method == "GET" and not by_program
        if reading or any(detail["loc"][0] == "path" for detail in details):
            return self.response(request, 404, SENTENCES[HTTPStatus.NOT_FOUND])
        named = [
            f"{printable(str(detail['loc'][-1]))[:MAX_NAMED]}: {detail['msg']}"
            for detail in details
            if len(detail["loc"]) > 1 and isinstance(detail["loc"][-1], str)
        ]
        if not by_program or not named:
            return self.response(request, 422, UNREADABLE_REQUEST)
        return self.response(request, 422, f"This request cannot be used ({'; '.join(named)}).")

    def _expected(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, FootnoteError):
            raise error
        return self.response(request, *told(error))
