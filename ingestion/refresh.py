"""A change of the embedding model as a job: batches that resume, one switch, one drop."""

import time
from typing import Any

from sqlalchemy import Engine

from retrieval.embeddings import Embedder, Named
from store.jobs import Job, cancel_jobs, report_progress, submit
from store.leases import LEASE, run_leased
from store.refresh import (
    SpaceStatus,
    begin_space,
    chunks_without_vector,
    drop_spaces,
    index_built_space,
    list_spaces,
    save_vectors,
    take_over,
)
from store.spaces import EmbeddingSpace, space_there

REFRESH_EMBEDDINGS = "refresh_embeddings"
BATCH = 64  # chunks embedded and kept at a time
TURN = 120.0  # seconds of work before others get the worker


def submit_refresh(engine: Engine, workspace_id: int, model: str, actor: str) -> int:
    """Have all chunks embedded with another model; return the job's id, also of a live one."""
    payload = {"model": model, "actor": actor}
    with engine.begin() as connection:
        return submit(connection, workspace_id, REFRESH_EMBEDDINGS, model, payload)


def cancel_refresh(engine: Engine, workspace_id: int) -> list[str]:
    """Give up what is being built; return the models it was built for."""
    cancel_jobs(engine, workspace_id, REFRESH_EMBEDDINGS, "The change was given up.")
    return drop_spaces(engine, workspace_id, "building")


def run_refresh_job(
    engine: Engine, job_id: int, named: Named, *, lease: float = LEASE, turn: float = TURN
) -> dict[str, Any] | None:
    """Claim a job and work on it for `turn` seconds; None if it goes on later or is another's.

    Every batch is kept as soon as it is embedded, so a killed process costs one batch.
    """

    def work(job: Job, owner: str) -> dict[str, Any] | None:
        embedder = named(job.payload["model"])
        space = begin_space(engine, job.workspace_id, embedder.model, embedder.dimensions)
        if space is None:  # the switch was made, and its process killed before the drop
            dropped = drop_spaces(engine, job.workspace_id, "retired")
            return {"model": embedder.model, "embedded": 0, "dropped": dropped}
        refresh = _Refresh(engine, job, owner, embedder, space, time.monotonic() + turn)
        with space_there(space):  # it may be given up meanwhile
            return refresh.go_on()

    return run_leased(engine, job_id, work, "The change of the embedding model", lease=lease)


class _Refresh:
    """One turn of building a space."""

    def __init__(
        self,
        engine: Engine,
        job: Job,
        owner: str,
        embedder: Embedder,
        space: EmbeddingSpace,
        until: float,
    ) -> None:
        self._engine = engine
        self._job = job
        self._owner = owner
        self._embedder = embedder
        self._space = space
        self._until = until

    def go_on(self) -> dict[str, Any] | None:
        """Embed what is missing, then switch; None when the turn is over before."""
        while True:
            if not self._embed_missing():
                return None
            index_built_space(self._engine, self._space)
            retired = take_over(
                self._engine,
                self._job.workspace_id,
                self._space,
                self._embedder.embed,
                self._job.payload["actor"],
            )
            if retired is not None:
                break
        status = self._status()
        dropped = drop_spaces(self._engine, self._job.workspace_id, "retired")
        return {"model": self._space.model, "embedded": status.vectors, "dropped": dropped}

    def _embed_missing(self) -> bool:
        """Embed batch after batch; False when the turn is over before all is done."""
        status = self._status()
        done, total, after = status.vectors, status.chunks, 0
        report_progress(self._engine, self._job.id, self._owner, done, total)
        while True:
            missing = chunks_without_vector(
                self._engine, self._job.workspace_id, self._space, BATCH, after=after
            )
            if not missing and after == 0:
                return True
            # Once more from the start at the end: a chunk may have come with a lower id.
            after = max(missing, default=0)
            if not missing:
                continue
            rows = self._embedder.embed(list(missing.values()))
            save_vectors(self._engine, self._space, dict(zip(missing, rows, strict=True)))
            done += len(missing)
            report_progress(self._engine, self._job.id, self._owner, done, total)
            if time.monotonic() > self._until:
                return False

    def _status(self) -> SpaceStatus:
        spaces = list_spaces(self._engine, self._job.workspace_id)
        return next(status for status in spaces if status.space.id == self._space.id)
