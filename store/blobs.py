"""Files as they came, kept by the hash of their bytes."""

import hashlib

from sqlalchemy import Connection, Engine, text


def save_blob(connection: Connection, workspace_id: int, data: bytes) -> str:
    """Keep a file's bytes once and return their SHA-256."""
    sha256 = hashlib.sha256(data).hexdigest()
    connection.execute(
        text(
            "INSERT INTO blobs (workspace_id, sha256, data)"
            " VALUES (:workspace_id, :sha256, :data) ON CONFLICT DO NOTHING"
        ),
        {"workspace_id": workspace_id, "sha256": sha256, "data": data},
    )
    return sha256


def read_blob(engine: Engine, workspace_id: int, sha256: str) -> bytes | None:
    """Return the bytes with that hash, or None."""
    with engine.connect() as connection:
        data = connection.execute(
            text("SELECT data FROM blobs WHERE workspace_id = :workspace_id AND sha256 = :sha256"),
            {"workspace_id": workspace_id, "sha256": sha256},
        ).scalar_one_or_none()
    return None if data is None else bytes(data)
