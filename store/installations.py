"""Installations: the Slack teams that have the app, their tokens sealed; states of OAuth.

What is sealed is opened elsewhere: no statement here sees a token.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from store.audit import record

OURS = "slack"  # who acts, in the audit log, where Slack tells of it


@dataclass(frozen=True)
class KeptInstallation:
    """A team's installation as it is kept. `sealed` is empty once it is removed."""

    team_id: str
    enterprise_id: str | None
    workspace_id: int
    name: str
    sealed: bytes
    created_at: datetime
    updated_at: datetime
    removed_at: datetime | None


SELECT = """
    SELECT i.team_id, i.enterprise_id, i.workspace_id, w.name, i.sealed, i.created_at,
           i.updated_at, i.removed_at
    FROM installations i JOIN workspaces w ON w.id = i.workspace_id
"""


def _kept(row: Any) -> KeptInstallation:
    return KeptInstallation(**{**row._mapping, "sealed": bytes(row.sealed)})


def save_installation(
    engine: Engine,
    team_id: str,
    workspace_id: int,
    sealed: bytes,
    *,
    enterprise_id: str | None = None,
    actor: str = OURS,
) -> None:
    """Keep a team's installation in the place of an earlier one; `actor` is who installed it."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO installations (team_id, workspace_id, enterprise_id, sealed)"
                " VALUES (:team_id, :workspace_id, :enterprise_id, :sealed)"
                " ON CONFLICT (team_id) DO UPDATE SET workspace_id = excluded.workspace_id,"
                " enterprise_id = excluded.enterprise_id, sealed = excluded.sealed,"
                " removed_at = NULL, updated_at = clock_timestamp()"
            ),
            {
                "team_id": team_id,
                "workspace_id": workspace_id,
                "enterprise_id": enterprise_id,
                "sealed": sealed,
            },
        )
        record(connection, workspace_id, actor, "app installed", team_id)


def find_installation(engine: Engine, team_id: str) -> KeptInstallation | None:
    """Return a team's installation; None where the app is not installed, or no longer."""
    return _find(engine, "i.team_id = :asked", team_id)


def find_enterprise_installation(engine: Engine, enterprise_id: str) -> KeptInstallation | None:
    """Return the latest installation in a team of an enterprise."""
    return _find(engine, "i.enterprise_id = :asked", enterprise_id)


def find_workspace_installation(engine: Engine, workspace_id: int) -> KeptInstallation | None:
    """Return the latest installation that acts on a workspace."""
    return _find(engine, "i.workspace_id = :asked", workspace_id)


def _find(engine: Engine, condition: str, asked: str | int) -> KeptInstallation | None:
    statement = text(
        f"{SELECT} WHERE {condition} AND i.removed_at IS NULL ORDER BY i.updated_at DESC LIMIT 1"
    )
    with engine.connect() as connection:
        row = connection.execute(statement, {"asked": asked}).one_or_none()
    return _kept(row) if row else None


def list_installations(engine: Engine) -> list[KeptInstallation]:
    """Return every installation, removed ones too, by the names of their workspaces."""
    with engine.connect() as connection:
        rows = connection.execute(text(f"{SELECT} ORDER BY w.name, i.team_id"))
        return [_kept(row) for row in rows]


def remove_installation(engine: Engine, team_id: str, actor: str = OURS) -> bool:
    """End a team's installation and forget its tokens; False where there is none.

    What the workspace holds stays: documents, conversations and answers.
    """
    with engine.begin() as connection:
        workspace_id = connection.execute(
            text(
                "UPDATE installations SET removed_at = clock_timestamp(), sealed = '',"
                " updated_at = clock_timestamp()"
                " WHERE team_id = :team_id AND removed_at IS NULL RETURNING workspace_id"
            ),
            {"team_id": team_id},
        ).scalar_one_or_none()
        if workspace_id is not None:
            record(connection, workspace_id, actor, "app removed", team_id)
    return workspace_id is not None


def seal_anew(engine: Engine, team_id: str, before: bytes, sealed: bytes) -> bool:
    """Replace what is sealed by the same under another key; False where it changed meanwhile."""
    with engine.begin() as connection:
        changed = connection.execute(
            text(
                "UPDATE installations SET sealed = :sealed"
                " WHERE team_id = :team_id AND sealed = :before"
            ),
            {"team_id": team_id, "before": before, "sealed": sealed},
        )
    return changed.rowcount == 1


def keep_state(engine: Engine, state: str, seconds: float) -> None:
    """Keep the hash of a state for so many seconds, and forget those whose time is over."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM oauth_states WHERE expires_at < clock_timestamp()"))
        connection.execute(
            text(
                "INSERT INTO oauth_states (sha256, expires_at)"
                " VALUES (:sha256, clock_timestamp() + make_interval(secs => :seconds))"
            ),
            {"sha256": _hash(state), "seconds": seconds},
        )


def take_state(engine: Engine, state: str) -> bool:
    """Use a state up; False where it was never kept, was used already, or is too old."""
    statement = text(
        "DELETE FROM oauth_states WHERE sha256 = :sha256"
        " RETURNING expires_at >= clock_timestamp() AS fresh"
    )
    with engine.begin() as connection:
        row = connection.execute(statement, {"sha256": _hash(state)}).one_or_none()
    return bool(row and row.fresh)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
