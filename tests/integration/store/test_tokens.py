"""Tokens: shown once, kept as a hash, ended at once."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from core.errors import NotFoundError
from store.access import KNOWLEDGE_ADMIN
from store.audit import read_audit
from store.tokens import TokenNameError, create_token, find_token, list_tokens, revoke_token
from store.workspaces import ensure_workspace


def made(engine: Engine, workspace_id: int, name: str = "ci") -> str:
    """Create a token and return its secret."""
    return create_token(engine, workspace_id, name, [KNOWLEDGE_ADMIN], "operator")[1]


def test_a_token_is_found_by_its_secret_alone(engine: Engine, workspace_id: int) -> None:
    """The secret opens; anything like it does not, nor does what the table holds."""
    secret = made(engine, workspace_id)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT sha256 FROM tokens")).scalar_one()

    token = find_token(engine, workspace_id, secret)
    assert token is not None
    assert (token.name, token.roles, token.bearer) == ("ci", (KNOWLEDGE_ADMIN,), "token ci")
    assert secret.startswith("fn_")
    assert secret not in kept
    for other in (secret[:-1], secret + "x", kept, "", "fn_\x00", secret.swapcase()):
        assert find_token(engine, workspace_id, other) is None


def test_a_token_belongs_to_its_workspace(engine: Engine, workspace_id: int) -> None:
    """In another workspace it opens nothing."""
    secret = made(engine, workspace_id)
    assert find_token(engine, ensure_workspace(engine, "other"), secret) is None


def test_a_revoked_token_opens_nothing_and_frees_its_name(
    engine: Engine, workspace_id: int
) -> None:
    """The name may be given again; both stay in the list."""
    first = made(engine, workspace_id)
    with pytest.raises(TokenNameError, match="named ci already"):
        made(engine, workspace_id)

    assert revoke_token(engine, workspace_id, "ci", "operator").revoked_at is not None
    second = made(engine, workspace_id)

    assert find_token(engine, workspace_id, first) is None
    assert find_token(engine, workspace_id, second) is not None
    assert [token.revoked_at is None for token in list_tokens(engine, workspace_id)] == [
        False,
        True,
    ]
    with pytest.raises(NotFoundError, match="no token named other"):
        revoke_token(engine, workspace_id, "other", "operator")


def test_use_is_noted_at_most_once_a_minute(engine: Engine, workspace_id: int) -> None:
    """A busy program does not write a row with each request."""
    secret = made(engine, workspace_id)

    def last_used() -> datetime | None:
        find_token(engine, workspace_id, secret)
        return list_tokens(engine, workspace_id)[0].last_used_at

    first = last_used()
    assert first is not None
    assert last_used() == first
    with engine.begin() as connection:
        connection.execute(text("UPDATE tokens SET last_used_at = '2026-01-01T00:00Z'"))
    again = last_used()
    assert again is not None
    assert again > datetime(2026, 1, 1, tzinfo=UTC)


def test_tokens_leave_an_audit_entry_without_the_secret(engine: Engine, workspace_id: int) -> None:
    """Who created and who revoked is kept; the secret is not."""
    secret = made(engine, workspace_id)
    revoke_token(engine, workspace_id, "ci", "operator")

    entries = read_audit(engine, workspace_id)
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("operator", "token revoked", "ci"),
        ("operator", "token created", "ci"),
    ]
    assert secret not in repr(entries)
