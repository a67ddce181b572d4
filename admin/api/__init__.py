"""The API for programs of knowledge admins."""

from dataclasses import dataclass

from sqlalchemy import Engine


@dataclass(frozen=True)
class Workspace:
    """The workspace whose documents the API changes."""

    engine: Engine
    id: int
