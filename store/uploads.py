"""Uploads: files that somebody sent together, each of which becomes a job."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, text


@dataclass(frozen=True)
class Upload:
    """What was sent in one go. `refused` are files that became no job, each with its reason.

    `reply` says where in Slack the outcome is told, and under "wanted" which files are still to
    be fetched from there; `told_at` is when the outcome was told.
    """

    id: str
    workspace_id: int
    author: str
    content_sha256: str
    refused: tuple[dict[str, Any], ...]
    reply: dict[str, Any] | None
    told_at: datetime | None
    created_at: datetime


COLUMNS = "id, workspace_id, author, content_sha256, refused, reply, told_at, created_at"


def _upload(row: Any) -> Upload:
    return Upload(**{**row._mapping, "refused": tuple(row.refused)})


def open_upload(
    connection: Connection,
    workspace_id: int,
    author: str,
    content_sha256: str,
    *,
    refused: Sequence[dict[str, Any]] = (),
    idempotency_key: str | None = None,
    reply: dict[str, Any] | None = None,
) -> tuple[Upload, bool]:
    """Return a new upload and True, or the one its author sent under the same key and False."""
    row = connection.execute(
        text(
            "INSERT INTO uploads (id, workspace_id, author, content_sha256, refused,"
            " idempotency_key, reply) VALUES (:id, :workspace_id, :author, :content_sha256,"
            " CAST(:refused AS jsonb), :idempotency_key, CAST(:reply AS jsonb))"
            " ON CONFLICT (workspace_id, author, idempotency_key) DO NOTHING"
            f" RETURNING {COLUMNS}"
        ),
        {
            "id": uuid4().hex,
            "workspace_id": workspace_id,
            "author": author,
            "content_sha256": content_sha256,
            "refused": json.dumps(list(refused)),
            "idempotency_key": idempotency_key,
            "reply": None if reply is None else json.dumps(reply),
        },
    ).one_or_none()
    if row is not None:
        return _upload(row), True
    known = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM uploads WHERE workspace_id = :workspace_id"
            " AND author = :author AND idempotency_key = :idempotency_key"
        ),
        {
            "workspace_id": workspace_id,
            "author": author,
            "idempotency_key": idempotency_key,
        },
    ).one()
    return _upload(known), False


def find_upload(engine: Engine, workspace_id: int, upload_id: str) -> Upload | None:
    """Return an upload of the workspace by its id."""
    with engine.connect() as connection:
        row = connection.execute(
            text(f"SELECT {COLUMNS} FROM uploads WHERE workspace_id = :workspace_id AND id = :id"),
            {"workspace_id": workspace_id, "id": upload_id},
        ).one_or_none()
    return _upload(row) if row else None


def untold_uploads(engine: Engine, workspace_id: int) -> list[Upload]:
    """Return what came through Slack and whose outcome nobody was told yet, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM uploads WHERE workspace_id = :workspace_id"
                " AND reply IS NOT NULL AND told_at IS NULL ORDER BY created_at"
            ),
            {"workspace_id": workspace_id},
        )
        return [_upload(row) for row in rows]


def hold_reply(engine: Engine, upload_id: str, owner: str, seconds: float) -> bool:
    """Be the one who tells an upload's outcome, for so long; False if another process is."""
    with engine.begin() as connection:
        held = connection.execute(
            text(
                "UPDATE uploads SET reply = reply || jsonb_build_object("
                " 'owner', CAST(:owner AS text),"
                " 'until', extract(epoch FROM now()) + CAST(:seconds AS float))"
                " WHERE id = :id AND told_at IS NULL AND (NOT reply ? 'owner'"
                " OR reply->>'owner' = :owner"
                " OR (reply->>'until')::float < extract(epoch FROM now()))"
            ),
            {"id": upload_id, "owner": owner, "seconds": seconds},
        )
        return held.rowcount == 1


def take_wanted(
    connection: Connection, upload_id: str, file_id: str, *, error: dict[str, Any] | None = None
) -> bool:
    """Take a file off those still to be fetched; False if another process has done so.

    `error` is kept as the reason why it became no job.
    """
    taken = connection.execute(
        text(
            "UPDATE uploads SET refused = refused || CAST(:refused AS jsonb),"
            " reply = jsonb_set(reply, '{wanted}', coalesce((SELECT jsonb_agg(one)"
            " FROM jsonb_array_elements(reply->'wanted') one WHERE one->>'id' <> :file_id),"
            " '[]')) WHERE id = :id AND EXISTS (SELECT FROM"
            " jsonb_array_elements(reply->'wanted') one WHERE one->>'id' = :file_id)"
        ),
        {
            "id": upload_id,
            "file_id": file_id,
            "refused": json.dumps([] if error is None else [error]),
        },
    )
    return taken.rowcount == 1


def mark_told(connection: Connection, upload_id: str) -> bool:
    """Write down that the outcome is told; False if another process has done so."""
    marked = connection.execute(
        text("UPDATE uploads SET told_at = now() WHERE id = :id AND told_at IS NULL"),
        {"id": upload_id},
    )
    return marked.rowcount == 1
