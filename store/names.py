"""What the people of a workspace are called: what redaction looks for in examples.

Slack's list of people is where the names come from, while a bot is connected; an operator can
add others by hand. They are used for nothing else.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, text

BY_HAND = "by hand"  # in place of a person's id: the names that an operator gave


def save_names(engine: Engine, workspace_id: int, names: Mapping[str, Sequence[str]]) -> None:
    """Keep what people are called, by their ids; who is not named keeps the names they have."""
    rows = [
        {"workspace_id": workspace_id, "user_id": user_id, "names": sorted(set(called))}
        for user_id, called in names.items()
        if called
    ]
    if not rows:
        return
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO people_names (workspace_id, user_id, names)"
                " VALUES (:workspace_id, :user_id, :names) ON CONFLICT (workspace_id, user_id)"
                " DO UPDATE SET names = excluded.names, updated_at = now()"
                " WHERE people_names.names <> excluded.names"
            ),
            rows,
        )


def read_names(engine: Engine, workspace_id: int) -> tuple[str, ...]:
    """Return every name that is known in a workspace, each once."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT DISTINCT unnest(names) AS name FROM people_names"
                " WHERE workspace_id = :id ORDER BY name"
            ),
            {"id": workspace_id},
        )
        return tuple(rows.scalars())
