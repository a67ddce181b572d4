"""Members of a workspace: their standing and the groups and channels they are in."""

from sqlalchemy import Engine, text

from store.access import Member


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
