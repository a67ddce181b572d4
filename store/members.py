"""Members of a workspace: their standing, the groups and channels they are in, their roles."""

from collections.abc import Iterable

from sqlalchemy import Engine, text

from store.access import Member
from store.audit import record


def find_member(engine: Engine, workspace_id: int, user_id: str) -> Member | None:
    """Return what is kept about a person, or None if they are unknown here."""
    statement = text(
        "SELECT standing, principals FROM members"
        " WHERE workspace_id = :workspace_id AND user_id = :user_id"
    )
    with engine.connect() as connection:
        row = connection.execute(
            statement, {"workspace_id": workspace_id, "user_id": user_id}
        ).one_or_none()
    return Member(user_id, row.standing, frozenset(row.principals)) if row else None


def save_member(engine: Engine, workspace_id: int, member: Member) -> None:
    """Insert or replace what is kept about a person."""
    statement = text(
        "INSERT INTO members (workspace_id, user_id, standing, principals)"
        " VALUES (:workspace_id, :user_id, :standing, :principals)"
        " ON CONFLICT (workspace_id, user_id) DO UPDATE"
        " SET standing = excluded.standing, principals = excluded.principals, updated_at = now()"
    )
    with engine.begin() as connection:
        connection.execute(
            statement,
            {
                "workspace_id": workspace_id,
                "user_id": member.user_id,
                "standing": member.standing,
                "principals": sorted(member.principals),
            },
        )


def read_roles(engine: Engine, workspace_id: int, user_id: str) -> frozenset[str]:
    """Return the roles that an operator gave a person; unknown people have none."""
    with engine.connect() as connection:
        roles = connection.execute(
            text("SELECT roles FROM members WHERE workspace_id = :workspace_id AND user_id = :id"),
            {"workspace_id": workspace_id, "id": user_id},
        ).scalar_one_or_none()
    return frozenset(roles or ())


def set_roles(
    engine: Engine, workspace_id: int, user_id: str, roles: Iterable[str], actor: str
) -> None:
    """Give a known person these roles and no others; a change is kept in the audit log."""
    given = sorted(set(roles))
    with engine.begin() as connection:
        changed = connection.execute(
            text(
                "UPDATE members SET roles = :roles, updated_at = now()"
                " WHERE workspace_id = :workspace_id AND user_id = :id AND roles <> :roles"
            ),
            {"workspace_id": workspace_id, "id": user_id, "roles": given},
        )
        if changed.rowcount:
            record(connection, workspace_id, actor, "roles changed", user_id, roles=given)
