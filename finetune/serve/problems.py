"""Errors in OpenAI's form, and what a request may be at most: the same whoever speaks."""

from fastapi.responses import JSONResponse

LARGEST_BODY = 1_000_000  # bytes
KINDS = {400: "invalid_request_error", 401: "authentication_error", 404: "invalid_request_error"}


def problem(
    status: int, message: str, code: str | None = None, place: str | None = None
) -> JSONResponse:
    """Return an error as OpenAI's clients read it."""
    kind = KINDS.get(status, "server_error")
    told = {"message": message, "type": kind, "param": place or None, "code": code}
    return JSONResponse({"error": told}, status)
