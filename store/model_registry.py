"""The model registry: which models there are, and which answers whom.

A model begins as a candidate. A gate lets it become the canary of its kind, which answers a
share of the conversations, and then the active one; the one before it is retired and kept for a
return. At most one of a kind is active, and one is canary.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, text

from core.errors import FootnoteError, NotFoundError
from store.audit import record
from store.schedules import remove_schedule, set_schedule

ModelKind = Literal["style", "router", "query_adapter", "ranker"]
ModelState = Literal["candidate", "canary", "active", "retired", "rejected"]
Stage = Literal["gate", "canary"]

WATCH_CANARY = "watch_canary"
"""The kind of the job that judges a trial, and the name of its Celery task."""
WATCH_EVERY = 60  # seconds
IN_USE_FRESH = 1.0  # seconds; a model that was rolled back answers no longer than that


class ModelStateError(FootnoteError):
    """A model cannot do this step from the state that it is in."""


@dataclass(frozen=True)
class Model:
    """A registered model: `artefact` is a folder, or the name an endpoint knows it by.

    `endpoint` is the address that serves it, None for the configured one. `share` is the
    percentage of conversations that a canary answers. `tainted_at` is since when words that it
    learned from are deleted.
    """

    id: int
    workspace_id: int
    kind: ModelKind
    name: str
    state: ModelState
    artefact: str
    run_id: int | None
    backend: str | None
    base: str | None
    endpoint: str | None
    share: int
    previous_id: int | None
    evidence: dict[str, Any]
    tainted_at: datetime | None
    shutdown_at: datetime | None
    changed_at: datetime
    created_at: datetime


@dataclass(frozen=True)
class Verdict:
    """What a gate, or the watch over a canary, decided of a model, with its evidence."""

    model_id: int
    against_id: int | None
    stage: Stage
    passed: bool
    reason: str
    evidence: dict[str, Any]
    created_at: datetime


COLUMNS = (
    "id, workspace_id, kind, name, state, artefact, run_id, backend, base, endpoint, share,"
    " previous_id, evidence, tainted_at, shutdown_at, changed_at, created_at"
)


def find_model(engine: Engine, workspace_id: int, named: str | int) -> Model:
    """Return a model by its id or name; raises NotFoundError where the workspace has none."""
    with engine.connect() as connection:
        return _find(connection, workspace_id, named)


def list_models(engine: Engine, workspace_id: int, kind: ModelKind | None = None) -> list[Model]:
    """Return a workspace's models, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM models WHERE workspace_id = :workspace_id"
                " AND (CAST(:kind AS text) IS NULL OR kind = :kind) ORDER BY id DESC"
            ),
            {"workspace_id": workspace_id, "kind": kind},
        )
        return [Model(**row._mapping) for row in rows]


def active_model(engine: Engine, workspace_id: int, kind: ModelKind) -> Model | None:
    """Return the workspace's active model of a kind, or None."""
    return _used(engine, workspace_id).get((kind, "active"))


def serving_model(
    engine: Engine, workspace_id: int, kind: ModelKind, conversation: str | None
) -> Model | None:
    """Return the model of a kind that answers in a conversation: the canary, or the active one."""
    return _chosen(_used(engine, workspace_id), kind, conversation)


class ModelsInUse:
    """The models that answer in one workspace, as they were a second ago; for several threads."""

    def __init__(self, engine: Engine, workspace_id: int, fresh: float = IN_USE_FRESH) -> None:
        """Read them again once they are older than `fresh` seconds."""
        self._engine = engine
        self._workspace_id = workspace_id
        self._fresh = fresh
        self._used: dict[tuple[ModelKind, ModelState], Model] = {}
        self._read_at = float("-inf")

    def model(self, kind: ModelKind, conversation: str | None) -> Model | None:
        """Return the model of a kind that answers in a conversation."""
        if time.monotonic() - self._read_at >= self._fresh:
            # Two threads may read at once, and either reading is as good.
            self._used = _used(self._engine, self._workspace_id)
            self._read_at = time.monotonic()
        return _chosen(self._used, kind, conversation)


def _chosen(
    used: Mapping[tuple[ModelKind, ModelState], Model],
    kind: ModelKind,
    conversation: str | None,
) -> Model | None:
    """Choose between canary and active model.

    Which conversations are a canary's is decided by a hash of its id and the conversation's key:
    the same at each message, other ones for another canary. A message without one is never.
    """
    canary = used.get((kind, "canary"))
    if canary is not None and conversation is not None:
        drawn = hashlib.sha256(f"{canary.id} {conversation}".encode()).digest()
        if int.from_bytes(drawn[:8]) % 100 < canary.share:
            return canary
    return used.get((kind, "active"))


def register_model(
    engine: Engine,
    workspace_id: int,
    kind: ModelKind,
    name: str,
    artefact: str,
    *,
    endpoint: str | None = None,
    base: str | None = None,
    backend: str | None = None,
) -> int:
    """Add a candidate and return its id; only promotion makes it active."""
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "INSERT INTO models (workspace_id, kind, name, state, artefact, endpoint,"
                    " base, backend) VALUES (:workspace_id, :kind, :name, 'candidate', :artefact,"
                    " :endpoint, :base, :backend) RETURNING id"
                ),
                {
                    "workspace_id": workspace_id,
                    "kind": kind,
                    "name": name,
                    "artefact": artefact,
                    "endpoint": endpoint,
                    "base": base,
                    "backend": backend,
                },
            ).scalar_one()
        )


def start_canary(
    engine: Engine, workspace_id: int, named: str | int, share: int, actor: str
) -> Model:
    """Let a candidate answer `share` % of the conversations, or a canary another share.

    Raises NotFoundError; ModelStateError where another model of the kind is on trial already, or
    the model is neither a candidate nor the canary.
    """
    with engine.begin() as connection:
        model = _locked(connection, workspace_id, named)
        if model.state not in ("candidate", "canary"):
            raise ModelStateError(
                f"{model.name} is {model.state}; only a candidate or the canary can be on trial."
            )
        other = _one_in(connection, workspace_id, model.kind, "canary")
        if other is not None and other.id != model.id:
            raise ModelStateError(
                f"{other.name} is on trial already; promote it or roll it back first."
            )
        changed = _change(connection, model, "canary", share=share)
        set_schedule(
            connection, workspace_id, WATCH_CANARY, model.kind, WATCH_EVERY, {"kind": model.kind}
        )
        record(connection, workspace_id, actor, "model on trial", str(model.id), share=share)
        return changed


def promote_model(
    engine: Engine, workspace_id: int, named: str | int, actor: str = "operator"
) -> Model:
    """Make a model the active one of its kind and retire the one before it.

    Raises NotFoundError where the workspace has no such model.
    """
    with engine.begin() as connection:
        model = _locked(connection, workspace_id, named)
        if model.state == "active":
            return model
        before = _one_in(connection, workspace_id, model.kind, "active")
        if before is not None:
            _change(connection, before, "retired")
        changed = _change(
            connection, model, "active", share=100, previous_id=before.id if before else None
        )
        record(
            connection,
            workspace_id,
            actor,
            "model promoted",
            str(model.id),
            before=before.id if before else None,
        )
        return changed


def roll_back(
    engine: Engine, workspace_id: int, kind: ModelKind, actor: str, reason: str
) -> tuple[Model, Model | None]:
    """Take the canary out, or else bring back the model before the active one.

    Returns what was taken out, and what answers now (None for none). Raises ModelStateError
    where neither is there.
    """
    with engine.begin() as connection:
        _lock_kind(connection, workspace_id, kind)
        canary = _one_in(connection, workspace_id, kind, "canary")
        active = _one_in(connection, workspace_id, kind, "active")
        if canary is not None:
            out, now = _change(connection, canary, "rejected"), active
        elif active is not None:
            out = _change(connection, active, "retired")
            before = None
            if active.previous_id is not None:
                before = _find(connection, workspace_id, active.previous_id)
            now = None
            if before is not None and before.state == "retired":
                now = _change(connection, before, "active", share=100)
        else:
            raise ModelStateError(f"No {kind} model is in use: there is nothing to roll back.")
        record(
            connection,
            workspace_id,
            actor,
            "model rolled back",
            str(out.id),
            to=now.id if now else None,
            reason=reason,
        )
        return out, now


def retire_model(engine: Engine, workspace_id: int, named: str | int, actor: str) -> Model:
    """Take a model out of use without another in its place."""
    with engine.begin() as connection:
        model = _locked(connection, workspace_id, named)
        changed = _change(connection, model, "retired")
        record(connection, workspace_id, actor, "model retired", str(model.id))
        return changed


def set_endpoint(engine: Engine, model_id: int, endpoint: str | None) -> None:
    """Say at which address a model is served, or with None that it no longer is."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE models SET endpoint = :endpoint WHERE id = :id"),
            {"id": model_id, "endpoint": endpoint},
        )


def save_verdict(
    engine: Engine,
    model: Model,
    *,
    stage: Stage,
    passed: bool,
    reason: str,
    evidence: Mapping[str, Any],
    against_id: int | None = None,
) -> None:
    """Keep what was decided of a model and why; a candidate that fails its gate is rejected."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO verdicts"
                " (workspace_id, model_id, against_id, stage, passed, reason, evidence)"
                " VALUES (:workspace_id, :model_id, :against_id, :stage, :passed, :reason,"
                " CAST(:evidence AS jsonb))"
            ),
            {
                "workspace_id": model.workspace_id,
                "model_id": model.id,
                "against_id": against_id,
                "stage": stage,
                "passed": passed,
                "reason": reason,
                "evidence": json.dumps(dict(evidence)),
            },
        )
        if stage == "gate" and not passed:
            connection.execute(
                text(
                    "UPDATE models SET state = 'rejected', changed_at = now()"
                    " WHERE id = :id AND state = 'candidate'"
                ),
                {"id": model.id},
            )


def end_watch(engine: Engine, workspace_id: int, kind: ModelKind) -> None:
    """Judge no more trials of a kind: nothing of it is on trial."""
    with engine.begin() as connection:
        _lock_kind(connection, workspace_id, kind)
        if _one_in(connection, workspace_id, kind, "canary") is None:
            remove_schedule(connection, workspace_id, WATCH_CANARY, kind)


def list_verdicts(engine: Engine, model_id: int) -> list[Verdict]:
    """Return what was decided of a model, the latest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT model_id, against_id, stage, passed, reason, evidence, created_at"
                " FROM verdicts WHERE model_id = :id ORDER BY id DESC"
            ),
            {"id": model_id},
        )
        return [Verdict(**row._mapping) for row in rows]


def _used(engine: Engine, workspace_id: int) -> dict[tuple[ModelKind, ModelState], Model]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                f"SELECT {COLUMNS} FROM models WHERE workspace_id = :workspace_id"
                " AND state IN ('active', 'canary')"
            ),
            {"workspace_id": workspace_id},
        )
        return {(row.kind, row.state): Model(**row._mapping) for row in rows}


def _find(connection: Connection, workspace_id: int, named: str | int) -> Model:
    row = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM models WHERE workspace_id = :workspace_id"
            " AND (CAST(id AS text) = :named OR name = :named)"
            " ORDER BY CAST(id AS text) = :named DESC, id DESC LIMIT 1"
        ),
        {"workspace_id": workspace_id, "named": str(named)},
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no model {named}; `footnote models list` shows them.")
    return Model(**row._mapping)


def _locked(connection: Connection, workspace_id: int, named: str | int) -> Model:
    """Return a model as it is while nobody else changes one of its kind."""
    _lock_kind(connection, workspace_id, _find(connection, workspace_id, named).kind)
    return _find(connection, workspace_id, named)


def _lock_kind(connection: Connection, workspace_id: int, kind: ModelKind) -> None:
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:named, 0))"),
        {"named": f"models {workspace_id} {kind}"},
    )


def _one_in(
    connection: Connection, workspace_id: int, kind: ModelKind, state: ModelState
) -> Model | None:
    row = connection.execute(
        text(
            f"SELECT {COLUMNS} FROM models WHERE workspace_id = :workspace_id AND kind = :kind"
            " AND state = :state"
        ),
        {"workspace_id": workspace_id, "kind": kind, "state": state},
    ).one_or_none()
    return Model(**row._mapping) if row else None


def _change(
    connection: Connection,
    model: Model,
    state: ModelState,
    *,
    share: int = 0,
    previous_id: int | None = None,
) -> Model:
    row = connection.execute(
        text(
            "UPDATE models SET state = :state, share = :share, changed_at = now(),"
            " previous_id = coalesce(:previous_id, previous_id)"
            f" WHERE id = :id RETURNING {COLUMNS}"
        ),
        {"id": model.id, "state": state, "share": share, "previous_id": previous_id},
    ).one()
    return Model(**row._mapping)
