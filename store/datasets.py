"""Datasets: immutable, hashed selections of examples that models are trained on.

Rows are never changed. They go when the transcript that they were made of is deleted, and the
dataset is withdrawn then: nothing more is trained on it, and models that were are marked.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import NotFoundError
from store.audit import record

Format = Literal["sft", "dpo", "raft", "routes", "pairs"]
"""`sft`, `dpo` and `raft` teach a language model, `routes` a router, `pairs` a query adapter."""
Split = Literal["train", "validation"]


@dataclass(frozen=True)
class DatasetRow:
    """One row: what a trainer reads, and what it was made of.

    Rows with the same `conversation` are in one split. `transcript_id` is None for a row that
    was made of documents or feedback alone.
    """

    split: Split
    content: dict[str, Any]
    conversation: str
    transcript_id: int | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset without its rows; `withdrawn_at` is since when some of them are gone."""

    id: int
    workspace_id: int
    name: str
    format: Format
    sha256: str
    manifest: dict[str, Any]
    created_by: str
    withdrawn_at: datetime | None
    created_at: datetime


COLUMNS = "id, workspace_id, name, format, sha256, manifest, created_by, withdrawn_at, created_at"


def dataset_sha256(chosen: Format, rows: Sequence[DatasetRow]) -> str:
    """Return the hash of a format and of rows in their order, each with its split."""
    hashed = hashlib.sha256(chosen.encode())
    for row in rows:
        line = json.dumps([row.split, row.content], sort_keys=True, ensure_ascii=False)
        hashed.update(b"\n" + line.encode())
    return hashed.hexdigest()


def save_dataset(
    connection: Connection,
    workspace_id: int,
    name: str,
    chosen: Format,
    rows: Sequence[DatasetRow],
    manifest: dict[str, Any],
    created_by: str,
) -> tuple[Dataset, bool]:
    """Keep a dataset and say whether it is new: the same rows again are the same dataset."""
    sha256 = dataset_sha256(chosen, rows)
    made = connection.execute(
        text(
            "INSERT INTO datasets (workspace_id, name, format, sha256, manifest, created_by)"
            " VALUES (:workspace_id, :name, :format, :sha256, CAST(:manifest AS jsonb),"
            " :created_by) ON CONFLICT (workspace_id, sha256) DO NOTHING"
            f" RETURNING {COLUMNS}"
        ),
        {
            "workspace_id": workspace_id,
            "name": name,
            "format": chosen,
            "sha256": sha256,
            "manifest": json.dumps(manifest),
            "created_by": created_by,
        },
    ).one_or_none()
    if made is None:
        known = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM datasets WHERE workspace_id = :workspace_id"
                " AND sha256 = :sha256"
            ),
            {"workspace_id": workspace_id, "sha256": sha256},
        ).one()
        return Dataset(**known._mapping), False
    dataset = Dataset(**made._mapping)
    _insert_rows(connection, dataset.id, rows)
    told = {"name": name, "rows": len(rows), "sha256": sha256}
    record(connection, workspace_id, created_by, "dataset built", str(dataset.id), **told)
    return dataset, True


def renew_dataset(
    connection: Connection,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    manifest: dict[str, Any],
    actor: str,
) -> Dataset:
    """Let a withdrawn dataset be trained on again: the same rows were approved anew.

    They take the place of what is left of the old ones. Models that were trained on those stay
    marked. Raises ValueError for other rows than the dataset's own.
    """
    if dataset_sha256(dataset.format, rows) != dataset.sha256:
        raise ValueError("other rows are another dataset")
    connection.execute(text("DELETE FROM dataset_rows WHERE dataset_id = :id"), {"id": dataset.id})
    _insert_rows(connection, dataset.id, rows)
    row = connection.execute(
        text(
            "UPDATE datasets SET withdrawn_at = NULL, manifest = CAST(:manifest AS jsonb)"
            f" WHERE id = :id RETURNING {COLUMNS}"
        ),
        {"id": dataset.id, "manifest": json.dumps(manifest)},
    ).one()
    told = {"name": dataset.name, "rows": len(rows), "sha256": dataset.sha256}
    record(
        connection, dataset.workspace_id, actor, "dataset approved anew", str(dataset.id), **told
    )
    return Dataset(**row._mapping)


def _insert_rows(connection: Connection, dataset_id: int, rows: Sequence[DatasetRow]) -> None:
    if not rows:
        return
    connection.execute(
        text(
            "INSERT INTO dataset_rows"
            " (dataset_id, ordinal, split, content, conversation, transcript_id)"
            " VALUES (:dataset_id, :ordinal, :split, CAST(:content AS jsonb), :conversation,"
            " :transcript_id)"
        ),
        [
            {
                "dataset_id": dataset_id,
                "ordinal": ordinal,
                "split": row.split,
                "content": json.dumps(row.content, ensure_ascii=False),
                "conversation": row.conversation,
                "transcript_id": row.transcript_id,
            }
            for ordinal, row in enumerate(rows)
        ],
    )


def find_dataset(engine: Engine, workspace_id: int, dataset_id: int) -> Dataset:
    """Return a dataset; raises NotFoundError where the workspace has none of that number."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM datasets WHERE workspace_id = :workspace_id AND id = :id"
            ),
            {"workspace_id": workspace_id, "id": dataset_id},
        ).one_or_none()
    if row is None:
        raise NotFoundError(
            f"There is no dataset {dataset_id}; `footnote finetune dataset list` shows them."
        )
    return Dataset(**row._mapping)


def list_datasets(engine: Engine, workspace_id: int) -> list[Dataset]:
    """Return a workspace's datasets, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM datasets WHERE workspace_id = :workspace_id"
                " ORDER BY id DESC"
            ),
            {"workspace_id": workspace_id},
        )
        return [Dataset(**row._mapping) for row in rows]


def read_rows(engine: Engine, dataset_id: int) -> list[DatasetRow]:
    """Return a dataset's rows in their order."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT split, content, conversation, transcript_id FROM dataset_rows"
                " WHERE dataset_id = :id ORDER BY ordinal"
            ),
            {"id": dataset_id},
        )
        return [DatasetRow(**row._mapping) for row in rows]


def withdraw_datasets(
    connection: Connection, workspace_id: int, transcript_ids: Sequence[int]
) -> list[int]:
    """Withdraw the datasets that hold these transcripts, before they are deleted.

    Models that were trained on one are marked as tainted. Returns the datasets' ids.
    """
    withdrawn = list(
        connection.execute(
            text(
                "UPDATE datasets SET withdrawn_at = coalesce(withdrawn_at, now())"
                " WHERE workspace_id = :workspace_id AND id IN (SELECT dataset_id"
                " FROM dataset_rows WHERE transcript_id = ANY(:transcripts)) RETURNING id"
            ),
            {"workspace_id": workspace_id, "transcripts": list(transcript_ids)},
        ).scalars()
    )
    if withdrawn:
        connection.execute(
            text(
                "UPDATE models SET tainted_at = coalesce(tainted_at, now())"
                " WHERE workspace_id = :workspace_id AND run_id IN"
                " (SELECT id FROM training_runs WHERE dataset_id = ANY(:datasets))"
            ),
            {"workspace_id": workspace_id, "datasets": withdrawn},
        )
    return sorted(withdrawn)
