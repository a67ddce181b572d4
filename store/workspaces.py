"""Workspaces: everything belongs to one."""

from sqlalchemy import Engine, text

LOCAL_WORKSPACE = "local"


def ensure_workspace(engine: Engine, key: str = LOCAL_WORKSPACE, name: str = "") -> int:
    """Return the id of the workspace with `key`, made at first use."""
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "INSERT INTO workspaces (key, name) VALUES (:key, :name)"
                    " ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING id"
                ),
                {"key": key, "name": name or key},
            ).scalar_one()
        )


def find_workspace(engine: Engine, key: str) -> int | None:
    """Return the id of the workspace with `key`; None where there is none."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM workspaces WHERE key = :key"), {"key": key}
        ).scalar_one_or_none()
    return None if found is None else int(found)


def team_keys(engine: Engine) -> list[str]:
    """Return the keys of the workspaces of Slack teams, installed now or once."""
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT key FROM workspaces WHERE id IN (SELECT workspace_id FROM installations)"
                " ORDER BY key"
            )
        )
        return list(found.scalars())


def workspace_keys(engine: Engine, name: str) -> list[str]:
    """Return the keys of all workspaces with that name."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT key FROM workspaces WHERE name = :name"), {"name": name}
        )
        return list(found.scalars())


def delete_workspace(engine: Engine, key: str) -> None:
    """Remove a workspace with everything in it; used for workspaces of evaluations."""
    with engine.begin() as connection:
        spaces = connection.execute(
            text(
                "SELECT s.id FROM embedding_spaces s JOIN workspaces w ON w.id = s.workspace_id"
                " WHERE w.key = :key"
            ),
            {"key": key},
        ).scalars()
        for space in spaces.all():
            connection.execute(text(f"DROP TABLE IF EXISTS vectors_{int(space)}"))
        connection.execute(
            text(
                "DELETE FROM outbox USING jobs j, workspaces w"
                " WHERE CAST(outbox.arguments ->> 'job_id' AS bigint) = j.id"
                " AND j.workspace_id = w.id AND w.key = :key"
            ),
            {"key": key},
        )
        connection.execute(
            text(
                "DELETE FROM citations USING answers a, workspaces w"
                " WHERE citations.answer_id = a.id AND a.workspace_id = w.id AND w.key = :key"
            ),
            {"key": key},
        )
        connection.execute(
            text(
                "DELETE FROM version_chunks USING chunks c, workspaces w"
                " WHERE version_chunks.chunk_id = c.id AND c.workspace_id = w.id"
                " AND w.key = :key"
            ),
            {"key": key},
        )
        connection.execute(text("DELETE FROM workspaces WHERE key = :key"), {"key": key})
