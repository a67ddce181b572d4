"""Tokens: how programs prove who they are. Only a token's SHA-256 is kept."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from core.errors import FootnoteError, NotFoundError
from store.audit import record

PREFIX = "fn_"
TOKEN_BYTES = 32  # of randomness
USE_NOTED_EVERY = 60  # seconds between two notes that a token was used
TOKEN = re.compile(rf"{PREFIX}[\w-]{{43}}", re.ASCII)
"""43 letters of base64url hold 32 bytes."""


class TokenNameError(FootnoteError):
    """A token of that name is in use already."""


@dataclass(frozen=True)
class Token:
    """What is kept of a token. `roles` say what its bearer may do; a revoked one opens nothing."""

    id: int
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def bearer(self) -> str:
        """The name under which its bearer's deeds are kept."""
        return f"token {self.name}"


COLUMNS = "id, name, roles, created_at, last_used_at, revoked_at"


def _token(row: Any) -> Token:
    return Token(**{**row._mapping, "roles": tuple(row.roles)})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create_token(
    engine: Engine, workspace_id: int, name: str, roles: Sequence[str], actor: str
) -> tuple[Token, str]:
    """Return a new token and the secret its bearer shows, which cannot be had again.

    Raises TokenNameError if a live token has that name.
    """
    secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    statement = text(
        "INSERT INTO tokens (workspace_id, name, sha256, roles)"
        f" VALUES (:workspace_id, :name, :sha256, :roles) RETURNING {COLUMNS}"
    )
    try:
        with engine.begin() as connection:
            row = connection.execute(
                statement,
                {
                    "workspace_id": workspace_id,
                    "name": name,
                    "sha256": _hash(secret),
                    "roles": list(roles),
                },
            ).one()
            record(connection, workspace_id, actor, "token created", name, roles=list(roles))
    except IntegrityError as error:
        raise TokenNameError(
            f"There is a token named {name} already; revoke it or choose another name."
        ) from error
    return _token(row), secret


def list_tokens(engine: Engine, workspace_id: int) -> list[Token]:
    """Return every token, revoked ones too, by name and then by age."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM tokens WHERE workspace_id = :workspace_id"
                " ORDER BY name, id"
            ),
            {"workspace_id": workspace_id},
        )
        return [_token(row) for row in rows]


def revoke_token(engine: Engine, workspace_id: int, name: str, actor: str) -> Token:
    """End the live token of that name at once, and return it. Raises NotFoundError."""
    with engine.begin() as connection:
        row = connection.execute(
            text(
                "UPDATE tokens SET revoked_at = now() WHERE workspace_id = :workspace_id"
                f" AND name = :name AND revoked_at IS NULL RETURNING {COLUMNS}"
            ),
            {"workspace_id": workspace_id, "name": name},
        ).one_or_none()
        if row is None:
            raise NotFoundError(f"There is no token named {name} in use; tokens list names them.")
        record(connection, workspace_id, actor, "token revoked", name)
    return _token(row)


def find_token(engine: Engine, workspace_id: int, secret: str) -> Token | None:
    """Return the live token with that secret, and note its use at most once a minute.

    It is looked up by its hash, so the time this takes tells nothing of other secrets.
    """
    if not TOKEN.fullmatch(secret):
        return None
    with engine.begin() as connection:
        row = connection.execute(
            text(
                f"SELECT {COLUMNS}, last_used_at IS NULL OR last_used_at"
                " < now() - make_interval(secs => :seconds) AS unnoted FROM tokens"
                " WHERE workspace_id = :workspace_id AND sha256 = :sha256 AND revoked_at IS NULL"
            ),
            {
                "workspace_id": workspace_id,
                "sha256": _hash(secret),
                "seconds": USE_NOTED_EVERY,
            },
        ).one_or_none()
        if row is None:
            return None
        if row.unnoted:
            connection.execute(
                text("UPDATE tokens SET last_used_at = now() WHERE id = :id"), {"id": row.id}
            )
    return Token(row.id, row.name, tuple(row.roles), *row[3:6])
