"""The audit log: who did what, when, to what."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text


@dataclass(frozen=True)
class Entry:
    """One thing that somebody did, or was refused: "U1 · upload refused · plan.pdf"."""

    id: int
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    created_at: datetime


def record(
    connection: Connection,
    workspace_id: int,
    actor: str,
    action: str,
    subject: str,
    **detail: Any,
) -> None:
    """Write an entry in the transaction of what it tells of. `detail` holds JSON types."""
    connection.execute(
        text(
            "INSERT INTO audit_log (workspace_id, actor, action, subject, detail)"
            " VALUES (:workspace_id, :actor, :action, :subject, CAST(:detail AS jsonb))"
        ),
        {
            "workspace_id": workspace_id,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail),
        },
    )


def read_audit(engine: Engine, workspace_id: int, limit: int = 100) -> list[Entry]:
    """Return the latest entries, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT id, actor, action, subject, detail, created_at FROM audit_log"
                " WHERE workspace_id = :workspace_id ORDER BY id DESC LIMIT :limit"
            ),
            {"workspace_id": workspace_id, "limit": limit},
        )
        return [Entry(**row._mapping) for row in rows]
