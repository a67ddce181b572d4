"""Rules of retraining on a real database: looked at, due, carried out, and never twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from cli.finetune_schedule import came_of
from core.settings import Settings
from finetune.backends import Made, Report, TrainingError
from finetune.dataset.build import build_dataset
from finetune.router_head import check as check_router
from finetune.router_head import train_with
from finetune.rules import Acted, act, check_rule, decisions, known_kind, run_rules_job
from finetune.runs import OpenedBackend, carry_out
from retrieval.embeddings import Embedder
from store.audit import read_audit
from store.datasets import Dataset, DatasetRow, Format
from store.model_registry import ModelKind, find_model, promote_model
from store.retraining import last_look, list_rules, rest_rule, set_rule
from store.runs import Run, find_run, list_runs
from store.schedules import list_schedules, tick
from store.transcripts import Said, add_candidate
from tests.integration.finetune.approved import approve, said
from tests.integration.finetune.test_runs import Scripted, begun, made, worked
from tests.integration.finetune.tuning import Bench, sft_rows


def rule(bench: Bench, kind: ModelKind = "router", **limits: Any) -> None:
    """Set a rule of the router's backend, or of another kind's."""
    set_rule(
        bench.engine,
        bench.workspace_id,
        kind,
        backend="router",
        base=None,
        recipe={},
        actor="U1",
        **({"every_days": None, "new_examples": None, "drift": None} | limits),
    )


def acted(bench: Bench, scripted: Scripted, rows: int = 60) -> list[Acted]:
    """Do what is due; the dataset that is built has so many rows."""

    def build(
        engine: Engine, config: Settings, workspace_id: int, kind: Format, name: str, actor: str
    ) -> Dataset:
        assert (engine, config, workspace_id) == (
            bench.engine, bench.settings, bench.workspace_id
        )  # fmt: skip
        assert (kind, actor) == ("routes", "schedule")
        assert name.startswith("router-")
        return bench.dataset(sft_rows(rows), kind)

    return act(bench.engine, bench.settings, bench.workspace_id, build, opened=scripted)


def why(bench: Bench, days: int = 0) -> tuple[bool, str]:
    """Return what the only rule says now, or so many days from now."""
    (one,) = decisions(bench.engine, bench.workspace_id, datetime.now(UTC) + timedelta(days=days))
    return one.due, one.why


def approve_one(bench: Bench, number: int) -> None:
    """Have a transcript approved now."""
    with bench.engine.begin() as connection:
        add_candidate(
            connection,
            bench.workspace_id,
            "import",
            f"t{number}",
            [Said("asker", f"Where is it? {number}"), Said("team", "On its way!")],
            added_by="U1",
        )
        connection.execute(
            text(
                "UPDATE transcripts SET state = 'approved', reviewed_at = clock_timestamp()"
                " WHERE workspace_id = :id AND state = 'candidate'"
            ),
            {"id": bench.workspace_id},
        )


def measured(bench: Bench, figure: float) -> None:
    """Keep the main figure of an evaluation of the router."""
    with bench.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO evaluations (workspace_id, kind, name, figures, created_at) VALUES"
                " (:id, 'router', 'weekly', jsonb_build_object('main', CAST(:figure AS float)),"
                " clock_timestamp())"
            ),
            {"id": bench.workspace_id, "figure": figure},
        )


def test_no_rule_counts_until_it_is_set(bench: Bench) -> None:
    """There are none at first, and so nothing is scheduled."""
    assert decisions(bench.engine, bench.workspace_id) == []
    assert acted(bench, Scripted(made)) == []
    assert list_schedules(bench.engine, bench.workspace_id) == []


def test_a_rule_by_age_is_due_again_after_its_days(bench: Bench) -> None:
    """First because it was never trained; then so many days after its latest run."""
    scripted = Scripted(made)
    rule(bench, every_days=30)
    assert why(bench) == (True, "it was never trained")

    (first,) = acted(bench, scripted)
    (run,) = list_runs(bench.engine, bench.workspace_id)
    assert first.run_id == run.id
    assert run.requested_by == "schedule"
    assert list_rules(bench.engine, bench.workspace_id)[0].last_run_id == run.id
    assert why(bench, days=60) == (False, f"run {run.id} is under way")

    worked(bench, scripted, run)
    assert why(bench, days=29) == (False, "trained 29 of 30 days ago")
    assert why(bench, days=30)[0]


def test_a_rule_by_examples_counts_those_since_the_latest_dataset(bench: Bench) -> None:
    """Approved transcripts count until a run has learned from a dataset that is younger."""
    scripted = Scripted(made)
    rule(bench, new_examples=2)
    approve_one(bench, 1)
    assert why(bench) == (False, "1 of 2 new approved examples")
    approve_one(bench, 2)
    assert why(bench)[0]
    (first,) = acted(bench, scripted)
    assert first.run_id is not None
    worked(bench, scripted, list_runs(bench.engine, bench.workspace_id)[0])
    assert why(bench) == (False, "0 of 2 new approved examples")
    approve_one(bench, 3)
    assert why(bench) == (False, "1 of 2 new approved examples")


def test_a_rule_by_drift_holds_the_latest_figure_against_the_promotions(bench: Bench) -> None:
    """It is due once the figure fell by so many points since the model was promoted."""
    scripted = Scripted(made)
    run = begun(bench, scripted)
    outcome = worked(bench, scripted, run)
    assert outcome is not None
    rule(bench, drift=5.0)
    assert not why(bench)[0]
    measured(bench, 0.92)
    promote_model(bench.engine, bench.workspace_id, outcome["model_id"])
    measured(bench, 0.90)
    assert why(bench) == (False, "the evaluation fell by 2.0 of 5 points")
    measured(bench, 0.86)
    assert why(bench) == (True, "the evaluation fell by 6.0 of 5 points")


def test_the_same_rows_start_nothing_twice(bench: Bench) -> None:
    """A rule that is due while nothing is new names the run that there is."""
    scripted = Scripted(made)
    rule(bench, every_days=1)
    (first,) = acted(bench, scripted)
    worked(bench, scripted, list_runs(bench.engine, bench.workspace_id)[0])
    with bench.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE training_runs SET created_at = now() - interval '2 days'"
                " WHERE workspace_id = :id"
            ),
            {"id": bench.workspace_id},
        )
    (again,) = acted(bench, scripted)

    assert again.decision.due
    assert again.run_id is None
    assert again.told == f"The same rows were trained on already, in run {first.run_id}."
    assert acted(bench, scripted, rows=61)[0].run_id is not None


def test_a_rule_that_cannot_be_carried_out_says_why(bench: Bench) -> None:
    """The sentence is the job's result; nothing is kept."""

    class Refusing(Scripted):
        """A backend that takes no dataset."""

        @staticmethod
        def _check(*given: Any) -> dict[str, Any]:
            del given
            raise TrainingError("The dataset has 3 training rows; at least 50 are needed.")

    rule(bench, every_days=1)
    (one,) = acted(bench, Refusing(made))
    assert one.told == "The dataset has 3 training rows; at least 50 are needed."
    assert list_runs(bench.engine, bench.workspace_id) == []


def test_a_set_rule_is_looked_at_daily_until_the_last_one_rests(bench: Bench) -> None:
    """Setting one makes the schedule, whose tick is a job that does what is due."""
    scripted = Scripted(made)
    rule(bench, every_days=1)
    (schedule,) = list_schedules(bench.engine, bench.workspace_id)
    assert (schedule.kind, schedule.every, schedule.enabled) == ("check_retraining", 86_400, True)
    while tick(bench.engine):
        pass
    with bench.engine.connect() as connection:
        job_id = connection.execute(
            text("SELECT id FROM jobs WHERE workspace_id = :id AND kind = 'check_retraining'"),
            {"id": bench.workspace_id},
        ).scalar_one()
    result = run_rules_job(
        bench.engine,
        bench.settings,
        job_id,
        lambda *_: bench.dataset(kind="routes"),
        opened=scripted,
    )
    (run,) = list_runs(bench.engine, bench.workspace_id)
    assert result == {
        "rules": [
            {
                "kind": "router",
                "due": True,
                "why": "it was never trained",
                "run": run.id,
                "told": None,
            }
        ]
    }

    look = last_look(bench.engine, bench.workspace_id)
    assert look is not None
    assert look[1] == result["rules"]
    assert came_of(look[1][0]) == f"run {run.id} was started, since it was never trained."

    assert rest_rule(bench.engine, bench.workspace_id, "router", "U2")
    assert not rest_rule(bench.engine, bench.workspace_id, "router", "U2")
    assert not list_schedules(bench.engine, bench.workspace_id)[0].enabled
    assert why(bench, days=9) == (False, "it is off")
    actions = [entry.action for entry in read_audit(bench.engine, bench.workspace_id)]
    assert {"retraining rule set", "retraining rule off"} <= set(actions)


def test_a_rule_that_could_do_nothing_is_refused() -> None:
    """Another kind's backend, no limit at all, a kind that nothing trains."""
    with pytest.raises(TrainingError, match="use --backend router"):
        check_rule("router", "hosted", limits=(1, None, None))
    with pytest.raises(TrainingError, match="--every-days, --new-examples or --drift"):
        check_rule("style", "hosted", limits=(None, None, None))
    with pytest.raises(TrainingError, match="There are no rules for ranker"):
        known_kind("ranker")


ROUTES = {
    "policy": "How many days do I have to return {}?",
    "small_talk": "Thanks so much, {} made my day!",
    "human": "Can I talk to a real person about {}?",
}
THINGS = "lamps shoes boots gifts sofas shirts phones books cameras tickets chairs kettles".split()


def test_a_rule_makes_a_router_of_what_was_approved(bench: Bench, embedder: Embedder) -> None:
    """From approved, labelled transcripts to a candidate: nothing in between is scripted."""

    def train(
        _engine: Engine,
        run: Run,
        _dataset: Dataset,
        rows: Sequence[DatasetRow],
        folder: Path,
        report: Report,
    ) -> Made:
        return train_with(embedder, run.recipe, rows, folder, report)

    def opened(_named: str) -> OpenedBackend:
        return OpenedBackend(check_router, train)

    rule(bench, new_examples=30)
    for day, (route, words) in enumerate(ROUTES.items()):
        for thing in THINGS:
            exchange = said(words.format(thing), "Let me look that up for you.")
            labels = {"route": route}
            key = f"{route} {thing}"
            approve(bench.engine, bench.workspace_id, key, exchange, day=day, labels=labels)

    (one,) = act(bench.engine, bench.settings, bench.workspace_id, build_dataset, opened=opened)
    assert one.told is None
    assert one.run_id is not None
    run = find_run(bench.engine, bench.workspace_id, one.run_id)
    assert run.job_id is not None
    outcome = carry_out(bench.engine, bench.settings, run.job_id, opened=opened)

    assert outcome is not None
    assert outcome["state"] == "succeeded"
    model = find_model(bench.engine, bench.workspace_id, outcome["model_id"])
    assert (model.kind, model.state, model.backend) == ("router", "candidate", "router")
    assert why(bench) == (False, "0 of 30 new approved examples")
