"""A version of a document as it was read, with the quoted words marked."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import HTMLResponse, Response

from admin.layout import Span, lay_out, top_level
from admin.site import LaidOut, Site
from core.errors import NotFoundError
from store.documents import Version

LARGEST_ID = 2**63 - 1  # PostgreSQL's bigint

VersionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Offset = Annotated[int | None, Query(ge=0, le=LARGEST_ID)]


def router(site: Site) -> APIRouter:
    """Return the routes of the document viewer."""
    routes = APIRouter()

    @routes.get("/documents/{version_id}")
    def show(version_id: VersionId, start: Offset = None, end: Offset = None) -> Response:
        version = site.documents.version(version_id)
        if version is None:
            raise NotFoundError("There is no such document here.")
        quote = _quote(version, start, end)
        blocks = site.documents.blocks(version_id) if isinstance(site.documents, LaidOut) else ()
        groups = lay_out(version, blocks, quote)
        return HTMLResponse(
            site.templates.render(
                "document.html",
                version=version,
                groups=groups,
                top_level=top_level(groups),
                quote=quote,
            )
        )

    return routes


def _quote(version: Version, start: int | None, end: int | None) -> Span | None:
    """Return the words asked for; raises NotFoundError if the version has no such place."""
    if start is None and end is None:
        return None
    if start is None or end is None or not start < end <= len(version.text):
        raise NotFoundError(
            f"This version has no words at that place; open the whole text at /documents/"
            f"{version.id}."
        )
    return Span(start, end)
