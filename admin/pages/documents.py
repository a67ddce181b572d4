"""A version of a document as it was read, with the quoted words marked."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import HTMLResponse, Response

from admin.layout import Span, lay_out, top_level
from admin.pictures import Pictures
from admin.site import LaidOut, Site
from core.errors import NotFoundError
from store.documents import Version

LARGEST_ID = 2**63 - 1  # PostgreSQL's bigint
LARGEST_PAGE = 100_000

VersionId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
PageNumber = Annotated[int, Path(ge=1, le=LARGEST_PAGE)]
Offset = Annotated[int | None, Query(ge=0, le=LARGEST_ID)]


@dataclass(frozen=True)
class PagePicture:
    """A page of the file with the quoted words marked."""

    page: int
    address: str


def router(site: Site) -> APIRouter:
    """Return the routes of the document viewer."""
    routes = APIRouter()

    @routes.get("/documents/{version_id}")
    def show(version_id: VersionId, start: Offset = None, end: Offset = None) -> Response:
        version = _version(site, version_id)
        quote = quoted(version, start, end)
        blocks = site.documents.blocks(version_id) if isinstance(site.documents, LaidOut) else ()
        groups = lay_out(version, blocks, quote)
        return HTMLResponse(
            site.templates.render(
                "document.html",
                version=version,
                groups=groups,
                top_level=top_level(groups),
                quote=quote,
                pictures=_pictures(site, version, quote),
            )
        )

    @routes.get("/documents/{version_id}/page/{page}.png")
    def picture(
        version_id: VersionId, page: PageNumber, start: Offset = None, end: Offset = None
    ) -> Response:
        version = _version(site, version_id)
        quote = quoted(version, start, end) or Span(0, 0)
        return picture_of(site.pictures, version_id, page, quote)

    return routes


def _version(site: Site, version_id: int) -> Version:
    version = site.documents.version(version_id)
    if version is None:
        raise NotFoundError("There is no such document here.")
    return version


def _pictures(site: Site, version: Version, quote: Span | None) -> list[PagePicture]:
    """Return the pages on which the quoted words stand, with their addresses."""
    if site.pictures is None or quote is None:
        return []
    asked = f"start={quote.start}&end={quote.end}"
    return [
        PagePicture(page, f"/documents/{version.id}/page/{page}.png?{asked}")
        for page in site.pictures.pages(version.id, quote.start, quote.end)
    ]


def picture_of(pictures: Pictures | None, version_id: int, page: int, quote: Span) -> Response:
    """Return a page as a picture with the quoted words marked. Raises NotFoundError."""
    if pictures is None:
        raise NotFoundError("No pictures of pages are made here; open the text instead.")
    png = pictures.draw(version_id, page, quote.start, quote.end)
    return Response(png, media_type="image/png")


def quoted(version: Version, start: int | None, end: int | None) -> Span | None:
    """Return the words asked for; raises NotFoundError if the version has no such place."""
    if start is None and end is None:
        return None
    if start is None or end is None or not start < end <= len(version.text):
        raise NotFoundError(
            f"This version has no words at that place; open the whole text at /documents/"
            f"{version.id}."
        )
    return Span(start, end)
