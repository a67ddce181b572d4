"""The API's routes together, behind the token that each asks for; and the schema of them all."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi

from admin.api import Workspace, documents, jobs, sources, transcripts
from admin.api.auth import curator, knowledge_admin
from admin.api.shapes import REFUSALS, UNUSABLE
from admin.problems import API

API_VERSION = "1"
ABOUT = (
    "Ask questions, add documents and follow what becomes of them, curate transcripts. All but"
    ' `/api/ask` and this schema need a token. Every refusal is `{"error": sentence}`.'
)


def router(workspace: Workspace) -> APIRouter:
    """Return every route that asks for a token."""
    caller = knowledge_admin(workspace)
    routes = APIRouter(dependencies=[Depends(caller)], responses={**REFUSALS, **UNUSABLE})
    routes.include_router(documents.router(workspace, caller))
    routes.include_router(jobs.router(workspace))
    if workspace.places is not None:
        routes.include_router(sources.router(workspace, workspace.places, caller))
    curating = curator(workspace)
    curated = APIRouter(dependencies=[Depends(curating)], responses={**REFUSALS, **UNUSABLE})
    curated.include_router(transcripts.router(workspace, curating))
    every = APIRouter()
    every.include_router(routes)
    every.include_router(curated)
    return every


def add_schema(app: FastAPI) -> None:
    """Serve the OpenAPI schema of what stands under /api at /api/openapi.json."""

    def schema() -> dict[str, Any]:
        whole = get_openapi(
            title="Footnote", version=API_VERSION, description=ABOUT, routes=app.routes
        )
        paths = whole["paths"]
        return whole | {"paths": {path: paths[path] for path in paths if path.startswith(API)}}

    app.add_api_route(f"{API}openapi.json", schema, methods=["GET"], include_in_schema=False)
