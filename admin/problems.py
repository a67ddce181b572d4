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

SENTENCES = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that kind of request.",
}
OTHER_REFUSAL = "This request cannot be used."
UNREADABLE_REQUEST = "This request cannot be used: check its address and the form of its body."

log = logger(__name__)


class UnusableRequestError(FootnoteError):
    """What a browser or program sent cannot be used; the message says what to send instead."""


def status_of(error: FootnoteError) -> HTTPStatus:
    """Return the HTTP status that fits an error."""
    if isinstance(error, UnusableRequestError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, NotFoundError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, ServiceUnavailableError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


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
        if request.url.path.startswith("/api/"):
            body = {"error": sentence} | ({"reference": reference} if reference else {})
            return JSONResponse(body, status)
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

    def _unreadable(self, request: Request, _error: Exception) -> Response:
        """A page's address with a malformed id or offset leads nowhere: that is a 404."""
        if request.method == "GET":
            return self.response(request, 404, SENTENCES[HTTPStatus.NOT_FOUND])
        return self.response(request, 422, UNREADABLE_REQUEST)

    def _expected(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, FootnoteError):
            raise error
        return self.response(request, *told(error))
