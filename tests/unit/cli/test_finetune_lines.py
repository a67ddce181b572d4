"""Training runs as text."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest

from cli.finetune import parse_recipe
from cli.finetune_lines import (
    bar,
    costs,
    duration,
    run_lines,
    seconds_left,
    sparkline,
    status_lines,
)
from store.datasets import Dataset
from store.model_registry import Verdict
from store.runs import Point, Run, RunEvent

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(**changes: Any) -> Run:
    """A run in the middle of its steps."""
    values: dict[str, Any] = {
        "id": 12,
        "workspace_id": 1,
        "name": "style-2026-11",
        "kind": "style",
        "backend": "local",
        "dataset_id": 3,
        "base": "/models/base",
        "recipe": {"method": "lora", "learning_rate": 0.0002, "layers": ["q", "v"]},
        "key": "k",
        "state": "running",
        "reason": None,
        "job_id": 4,
        "remote": {},
        "step": 40,
        "total": 100,
        "result": {},
        "cost": {},
        "requested_by": "U1",
        "cancel_requested": False,
        "started_at": NOON,
        "ended_at": None,
        "created_at": NOON,
    }
    return Run(**(values | changes))


def points(count: int, seconds: float = 3.0) -> list[Point]:
    """Figures of every tenth step, so many seconds apart."""
    return [
        Point(10 * n, {"loss": 4 / n, "eval_loss": 5 / n}, NOON + timedelta(seconds=seconds * n))
        for n in range(1, count + 1)
    ]


DATASET = Dataset(
    id=3,
    workspace_id=1,
    name="tone",
    format="sft",
    sha256="s",
    manifest={"rows": {"train": 400, "validation": 12}, "redactions": {"email": 30, "phone": 8}},
    created_by="U1",
    withdrawn_at=None,
    created_at=NOON,
)

CURVES: list[tuple[list[float], str]] = [
    ([], ""),
    ([1.0], "▁"),
    ([2.0, 2.0], "▁▁"),
    ([0.0, 7.0], "▁█"),
    ([3.0, 2.0, 1.0, 0.0], "█▆▃▁"),
]


@pytest.mark.parametrize(("values", "shown"), CURVES)
def test_a_curve_spans_its_lowest_and_highest(values: list[float], shown: str) -> None:
    """Equal values lie low."""
    assert sparkline(values) == shown


def test_a_long_curve_is_averaged() -> None:
    """It keeps its shape in 24 letters."""
    shown = sparkline([float(n) for n in range(1000)])
    assert (len(shown), shown[0], shown[-1]) == (24, "▁", "█")
    assert list(shown) == sorted(shown)


TIMES = [(40, "40 s"), (90, "2 min"), (840, "14 min"), (12_600, "3.5 h")]


@pytest.mark.parametrize(("seconds", "said"), TIMES)
def test_times_are_said_as_people_do(seconds: float, said: str) -> None:
    """Seconds, minutes, hours."""
    assert duration(seconds) == said


def test_what_is_left_follows_the_pace_of_the_steps() -> None:
    """Ten steps take three seconds: sixty take eighteen, less what passed since the last."""
    known = points(4)
    now = known[-1].created_at + timedelta(seconds=5)
    assert seconds_left(run(), known, now) == pytest.approx(13.0)
    assert seconds_left(run(), known[:1], now) is None
    assert seconds_left(run(total=0), known, now) is None
    assert seconds_left(run(state="succeeded"), known, now) is None


def test_a_running_run_shows_bar_loss_and_time_left() -> None:
    """One line says how far it is."""
    known = points(4)
    (line,) = status_lines(run(), known, known[-1].created_at)
    assert line == (
        "12  style-2026-11 · local · running · ████████░░░░░░░░░░░░ 40/100 · loss 1"
        " · eval_loss 1.25 · 18 s left"
    )
    assert bar(5, 0) == "░" * 20


def test_a_failed_run_shows_its_reason_without_steering_the_terminal() -> None:
    """What a provider said is text."""
    lines = list(
        status_lines(run(state="failed", reason="Refused: \x1b[31mred", ended_at=NOON), [])
    )
    assert lines[1] == "    Refused: [31mred"


def test_all_about_a_run() -> None:
    """Curves with their lowest value, verdict, costs, recipe, dataset, the latest event."""
    verdict = Verdict(7, None, "gate", True, "voice +11.2 pp", {}, NOON)
    ended = run(
        state="succeeded",
        ended_at=NOON + timedelta(minutes=14),
        cost={"seconds": 840.0, "tokens": 123_456, "money": 3.7, "peak_gib": 11.5},
        result={"checkpoints": [1], "steps": 100},
    )
    lines = list(
        run_lines(
            ended,
            DATASET,
            points(3),
            [RunEvent("It began.", NOON), RunEvent("It ended.", NOON)],
            [verdict],
        )
    )
    assert lines == [
        "style-2026-11 · local on /models/base · 412 examples (38 redactions) · succeeded"
        " · 14 min",
        "loss    train █▃▁ 4 → 1.33 (lowest 1.33 at step 30)"
        "  eval █▃▁ 5 → 1.67 (lowest 1.67 at step 30)",
        "gate    passed: voice +11.2 pp",
        "result  steps 100",
        "cost    14 min · 123,456 tokens · 3.70 at the recipe's price · peak_gib 11.5",
        "recipe  method lora · learning_rate 0.0002",
        "dataset 3 (tone, sft)",
        "events  It ended.",
        "        2 events; finetune logs 12 shows all",
    ]


def test_costs_name_only_what_is_known() -> None:
    """No price, no money."""
    assert costs({"seconds": 3.2}) == "3 s"


def test_a_recipe_is_read_by_the_kind_of_its_values() -> None:
    """Numbers, truth and nothing are such; whatever else is a word."""
    given = ("epochs=3", "learning_rate=2e-4", "packing=true", "seed=null", "base=a=b", "x=NaN")
    assert parse_recipe(given) == {
        "epochs": 3,
        "learning_rate": 2e-4,
        "packing": True,
        "seed": None,
        "base": "a=b",
        "x": "NaN",
    }


@pytest.mark.parametrize("given", [("epochs",), ("=3",), ("a=1", "a=2")])
def test_a_recipe_that_cannot_be_read_is_refused(given: tuple[str, ...]) -> None:
    """It is KEY=VALUE, each key once."""
    with pytest.raises(click.BadParameter):
        parse_recipe(given)
