"""`/api/sources`: places that are watched for documents."""

from contextlib import suppress
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from admin.api import Places, Workspace
from admin.api.auth import Caller
from admin.api.form import audience_of
from admin.api.shapes import (
    CONFLICT,
    NOT_FOUND,
    LookShape,
    RemovedShape,
    SourceDetailsShape,
    SourceShape,
    SourcesShape,
)
from admin.problems import ForbiddenError, UnusableRequestError
from core.errors import FootnoteError
from ingestion.errors import printable
from ingestion.places import kind_of
from ingestion.watch import submit_sync
from store.access import PRINCIPALS
from store.source_items import item_failures
from store.sources import (
    NewSource,
    Source,
    SourceState,
    add_source,
    find_source,
    list_sources,
    remove_source,
    set_source_state,
)
from store.tokens import Token

SHORTEST = 10  # seconds between two looks
LONGEST = 366 * 86_400  # seconds
MAX_URI = 2_000  # characters
MAX_NAME = 60  # characters
MAX_OPTIONS = 20
REMOTE = frozenset({"abfs", "abfss", "az", "dav", "davs", "ftp", "gcs", "git", "github", "gs",
                    "http", "https", "s3", "s3a", "sftp", "slack", "ssh", "webdav",
                    "webdavs"})  # fmt: skip
"""Schemes of addresses that lead to no file of this server."""

Name = Annotated[str, Path(description="The source's name.")]


class SourceBody(BaseModel):
    """A place to watch from now on."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        max_length=MAX_NAME, pattern=r"^[^\s/][^/]*$", description="No slashes in it."
    )
    uri: str = Field(
        min_length=1,
        max_length=MAX_URI,
        description="https://…, a git address, s3://…, slack://C…, or a folder of the server that"
        " its operator opened for this.",
    )
    audience: list[str] = Field(
        min_length=1,
        max_length=100,
        description="Who may read: everyone, external, channel:<id>, group:<id>.",
    )
    kind: Literal["folder", "web", "git", "address", "slack"] | None = Field(
        None, description="Told from the address without it."
    )
    every: int | None = Field(
        900, ge=SHORTEST, le=LONGEST, description="Seconds between looks; null: when asked to."
    )
    owner: str | None = Field(None, max_length=200)
    trust: int = Field(0, ge=-10, le=10)
    options: dict[str, str] = Field(
        {}, max_length=MAX_OPTIONS, description="glob, branch, include, limit …"
    )


def router(workspace: Workspace, places: Places, caller: Caller) -> APIRouter:
    """Return the routes of sources."""
    routes = APIRouter(prefix="/api/sources", tags=["sources"])
    engine = workspace.engine

    def found(name: str) -> Source:
        return find_source(engine, workspace.id, name.replace("\x00", ""))

    @routes.get("")
    def list_all() -> SourcesShape:
        """List the watched sources and how they fare."""
        sources = list_sources(engine, workspace.id)
        return SourcesShape(sources=[SourceShape.of(source) for source in sources])

    @routes.post("", status_code=201, responses=CONFLICT)
    def add(
        body: SourceBody, response: Response, token: Annotated[Token, Depends(caller)]
    ) -> SourceShape:
        """Watch a place from now on; the first look begins at once."""
        source = add_source(engine, workspace.id, _checked(body, places), token.bearer)
        submit_sync(engine, source)
        response.headers["Location"] = f"/api/sources/{source.name}"
        return SourceShape.of(source)

    @routes.post("/{name:path}/sync", status_code=202, responses=NOT_FOUND)
    def sync(
        name: Name,
        accept_empty: Annotated[
            bool, Query(description="Withdraw everything if nothing is left.")
        ] = False,
    ) -> LookShape:
        """Have a source looked at now; GET it to see what came of it."""
        source = found(name)
        job_id = submit_sync(engine, source, accept_empty=accept_empty)
        return LookShape(job=job_id, href=f"/api/sources/{source.name}")

    @routes.post("/{name:path}/pause", responses=NOT_FOUND)
    def pause(name: Name, token: Annotated[Token, Depends(caller)]) -> SourceShape:
        """Let a source rest; its documents stay."""
        return put(name, "paused", token)

    @routes.post("/{name:path}/resume", responses=NOT_FOUND)
    def resume(name: Name, token: Annotated[Token, Depends(caller)]) -> SourceShape:
        """Watch a source again."""
        return put(name, "active", token)

    def put(name: str, state: SourceState, token: Token) -> SourceShape:
        set_source_state(engine, found(name), state, token.bearer)
        return SourceShape.of(found(name))

    @routes.get("/{name:path}", responses=NOT_FOUND)
    def show(name: Name) -> SourceDetailsShape:
        """Show a source with the items that could not be read, and why."""
        source = found(name)
        failed = item_failures(engine, source.id)
        return SourceDetailsShape.with_items(source, failed)

    @routes.delete("/{name:path}", responses=NOT_FOUND)
    def remove(
        name: Name,
        token: Annotated[Token, Depends(caller)],
        keep_documents: Annotated[
            bool, Query(description="Keep answering from its documents.")
        ] = False,
    ) -> RemovedShape:
        """Stop watching a source and withdraw its documents."""
        source = found(name)
        gone = remove_source(engine, source, token.bearer, keep_documents=keep_documents)
        return RemovedShape(removed=source.name, documents_withdrawn=gone)

    return routes


def _checked(body: SourceBody, places: Places) -> NewSource:
    """Return the source that a program asks for.

    Raises ForbiddenError for a place of this server that is not opened for programs,
    UnusableRequestError for one that can never be read.
    """
    if not all(map(str.isprintable, (body.name, body.uri, body.owner or "", *body.options))):
        raise UnusableRequestError("Write name, uri, owner and options in printable characters.")
    audience = audience_of(body.audience)
    if audience is None:
        raise UnusableRequestError(f"Say in audience who may read: {PRINCIPALS}.")
    kind = body.kind or kind_of(body.uri)
    uri = _folder(body.uri, places) if kind == "folder" else _remote(body.uri)
    options = {name: printable(value) for name, value in body.options.items()}
    try:
        places.check(kind, uri, options)
    except FootnoteError as error:
        raise UnusableRequestError(str(error)) from error
    return NewSource(
        kind=kind,
        name=body.name.strip(),
        uri=uri,
        options=options,
        audience=audience,
        owner=body.owner,
        trust=body.trust,
        every=body.every,
    )


def _folder(uri: str, places: Places) -> str:
    with suppress(OSError, RuntimeError):  # a link that leads to itself
        real = FilePath(uri).resolve()
        if FilePath(uri).is_absolute() and any(
            real.is_relative_to(opened.resolve()) for opened in places.open_folders
        ):
            return str(real)
    raise ForbiddenError(
        "A folder of the server can be watched over HTTP only below those that its setting"
        " FOOTNOTE_SOURCE_FOLDERS names; add it there, or on the server with sources add."
    )


def _remote(uri: str) -> str:
    """Return an address that leads to no file of this server, also not by way of another."""
    scheme, found, _ = uri.partition("://")
    by_ssh = not found and "@" in uri.partition(":")[0] and ":" in uri  # git@host:path
    schemes = set(scheme.lower().split("+"))
    if "::" in uri or not (by_ssh or (found and schemes <= REMOTE)):
        raise UnusableRequestError(
            "This address cannot be watched over HTTP; write https://…, a git address, or one that"
            " begins with s3://, gs://, abfs://, sftp://, webdav://, github:// or slack://."
        )
    return uri
