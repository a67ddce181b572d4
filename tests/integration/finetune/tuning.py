"""Runs in a workspace of their own: rows, datasets, a tuning service, and a worker's steps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from core.settings import Settings
from finetune import hosted
from finetune.backends import Made, Report
from finetune.following import Pauses
from finetune.provider import open_provider
from finetune.runs import OpenedBackend, carry_out, start
from store.datasets import Dataset, DatasetRow, Format, Split, save_dataset
from store.runs import Backend, Run, find_run

QUICK = Pauses(first=0.01, most=0.02, slice=0.01, outage=0.05)
BASE = "gpt-4.1-mini-2025-04-14"


def sft_rows(train: int = 60, validation: int = 5) -> list[DatasetRow]:
    """Return rows of the format sft, each of a conversation of its own."""
    splits: tuple[tuple[Split, int], ...] = (("train", train), ("validation", validation))
    return [
        DatasetRow(
            split,
            {
                "messages": [
                    {"role": "system", "content": "Reply warmly."},
                    {"role": "user", "content": f"Thanks for case {split} {number}"},
                    {"role": "assistant", "content": f"You are welcome, number {number}!"},
                ],
                "task": "tone",
            },
            f"{split} {number}",
        )
        for split, count in splits
        for number in range(count)
    ]


def dpo_rows(train: int = 60) -> list[DatasetRow]:
    """Return rows of the format dpo."""
    return [
        DatasetRow(
            "train",
            {
                "prompt": [{"role": "user", "content": f"Thanks, {number}"}],
                "chosen": f"You are so welcome, {number}!",
                "rejected": "Noted.",
                "task": "tone",
            },
            str(number),
        )
        for number in range(train)
    ]


class KilledError(BaseException):
    """The end of a process: nothing catches it, and what it held stays held."""


@dataclass
class DyingReport:
    """A report whose process is killed before it can note a job's id."""

    kept: Report

    def step(self, step: int, total: int, **figures: float) -> None:
        """Keep a step."""
        self.kept.step(step, total, **figures)

    def event(self, message: str, key: str | None = None) -> None:
        """Keep an event."""
        self.kept.event(message, key)

    def remote(self, **ids: Any) -> None:
        """Keep ids, but for a job's."""
        if "job_id" in ids:
            raise KilledError
        self.kept.remote(**ids)


@dataclass
class Bench:
    """A workspace in which runs are started and carried out as workers do."""

    engine: Engine
    settings: Settings
    workspace_id: int
    retries: int = 3
    on_step: Callable[[], object] | None = None
    pauses: Pauses = QUICK
    dies_noting: bool = False  # as if killed between a job's creation and its note here

    def dataset(self, rows: list[DatasetRow] | None = None, kind: Format = "sft") -> Dataset:
        """Keep a dataset of rows."""
        with self.engine.begin() as connection:
            return save_dataset(
                connection,
                self.workspace_id,
                "tone",
                kind,
                sft_rows() if rows is None else rows,
                {"rows": len(rows or ())},
                "U1",
            )[0]

    def opened(self, named: Backend) -> OpenedBackend:
        """Open the hosted backend with short pauses."""
        assert named == "hosted"
        return OpenedBackend(hosted.check, self._train)

    def _train(
        self,
        engine: Engine,
        run: Run,
        dataset: Dataset,
        rows: Any,
        folder: Path,
        report: Report,
    ) -> Made:
        told = DyingReport(report) if self.dies_noting else report
        with open_provider(self.settings, retries=self.retries) as provider:
            return hosted.tune(provider, run, dataset, rows, folder, told, self.pauses)

    def start(
        self, dataset: Dataset | None = None, *, base: str | None = BASE, **recipe: Any
    ) -> Run:
        """Keep a hosted run."""
        return start(
            self.engine,
            self.settings,
            self.workspace_id,
            backend="hosted",
            dataset_id=(dataset or self.dataset()).id,
            base=base,
            recipe=recipe,
            name=None,
            actor="U1",
            opened=self.opened,
        )[0]

    def work(self, run: Run) -> dict[str, Any] | None:
        """Carry a run out."""
        assert run.job_id is not None
        return carry_out(
            self.engine,
            self.settings,
            run.job_id,
            opened=self.opened,
            told=lambda *_: self.on_step() if self.on_step else None,
        )

    def let_lease_run_out(self, run: Run) -> None:
        """Let another process take a run's job up, as if the one that had it were gone."""
        with self.engine.begin() as connection:
            connection.execute(
                text("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = :id"),
                {"id": run.job_id},
            )

    def find(self, run: Run) -> Run:
        """Return a run as it is now."""
        return find_run(self.engine, self.workspace_id, run.id)
