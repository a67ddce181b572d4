"""Who sends a request to the API: a program that shows a token, and what it may do."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from admin.api import Workspace
from admin.problems import ForbiddenError, UnknownTokenError
from store.access import CURATOR, KNOWLEDGE_ADMIN
from store.audit import record
from store.tokens import Token, find_token

READING = frozenset({"GET", "HEAD"})

Caller = Callable[..., Token]

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token from `footnote tokens create NAME`; it begins with fn_.",
)


def knowledge_admin(workspace: Workspace) -> Caller:
    """Return the dependency of what changes documents: the token of a knowledge admin.

    It raises UnknownTokenError for anybody else, ForbiddenError for a token without the role. A
    change that is refused for the role is kept in the audit log.
    """
    return _bearer_of(workspace, KNOWLEDGE_ADMIN)


def curator(workspace: Workspace) -> Caller:
    """Return the same for what changes transcripts: a curator's token, or a knowledge admin's."""
    return _bearer_of(workspace, CURATOR, KNOWLEDGE_ADMIN)


def _bearer_of(workspace: Workspace, *roles: str) -> Caller:

    def caller(
        request: Request,
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Token:
        if shown is None:
            raise UnknownTokenError(
                "Send a token: Authorization: Bearer fn_…; footnote tokens create makes one."
            )
        token = find_token(workspace.engine, workspace.id, shown.credentials)
        if token is None:
            raise UnknownTokenError(
                "This token is not known or was revoked; footnote tokens create makes another."
            )
        if not set(roles) & set(token.roles):
            _record_refusal(workspace, token, request, roles[0])
            raise ForbiddenError(
                f"The token {token.name} may not do this; it needs the role {roles[0]}."
            )
        return token

    return caller


def _record_refusal(workspace: Workspace, token: Token, request: Request, role: str) -> None:
    if request.method in READING:
        return
    path = request.scope["path"]
    upload = request.method == "POST" and path == "/api/documents"
    action = "upload refused" if upload else "change refused"
    with workspace.engine.begin() as connection:
        record(
            connection,
            workspace.id,
            token.bearer,
            action,
            f"{request.method} {path}".replace("\x00", ""),
            reason=f"no role {role}",
        )
