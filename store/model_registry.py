"""The model registry: which model is active for each kind; at most one a workspace and kind."""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, text

from core.errors import NotFoundError


@dataclass(frozen=True)
class Model:
    """A registered model: `artefact` is a folder, or the name an endpoint knows it by."""

    id: int
    kind: str
    name: str
    state: Literal["candidate", "active", "retired"]
    artefact: str
    evidence: dict[str, Any]


def active_model(engine: Engine, workspace_id: int, kind: str) -> Model | None:
    """Return the workspace's active model of a kind ("style", "router", …), or None."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT id, kind, name, state, artefact, evidence FROM models"
                " WHERE workspace_id = :workspace_id AND kind = :kind AND state = 'active'"
            ),
            {"workspace_id": workspace_id, "kind": kind},
        ).one_or_none()
    return Model(**row._mapping) if row else None


def register_model(engine: Engine, workspace_id: int, kind: str, name: str, artefact: str) -> int:
    """Add a candidate and return its id; only promotion makes it active."""
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "INSERT INTO models (workspace_id, kind, name, state, artefact)"
                    " VALUES (:workspace_id, :kind, :name, 'candidate', :artefact) RETURNING id"
                ),
                {"workspace_id": workspace_id, "kind": kind, "name": name, "artefact": artefact},
            ).scalar_one()
        )


def promote_model(engine: Engine, workspace_id: int, model_id: int) -> None:
    """Make a model the active one of its kind and retire the one before it.

    Raises NotFoundError where the workspace has no such model.
    """
    parameters = {"workspace_id": workspace_id, "id": model_id}
    with engine.begin() as connection:
        kind = connection.execute(
            text("SELECT kind FROM models WHERE workspace_id = :workspace_id AND id = :id"),
            parameters,
        ).scalar_one_or_none()
        if kind is None:
            raise NotFoundError(f"There is no model {model_id}; list the models and choose one.")
        connection.execute(
            text(
                "UPDATE models SET state = 'retired' WHERE workspace_id = :workspace_id"
                " AND state = 'active' AND kind = :kind"
            ),
            {"workspace_id": workspace_id, "kind": kind},
        )
        connection.execute(
            text(
                "UPDATE models SET state = 'active' WHERE workspace_id = :workspace_id"
                " AND id = :id"
            ),
            parameters,
        )
