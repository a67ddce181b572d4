"""Measuring a router head on labelled messages."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ConfigurationError
from evaluation.intents import (
    Labelled,
    evaluate_intents,
    folds,
    load_intents,
)
from evaluation.statistics import auroc
from evaluation.vectors import KeptVectors
from finetune.head_fit import Recipe
from tests.unit.finetune.routes import ROUTES, PlainEmbedder

SMALL = Recipe(waves=48, buckets=256)


def labelled(split: str = "train", **more: Any) -> list[Labelled]:
    """The small routes as rows."""
    return [
        Labelled(text, label, split, more.get("history", ()))
        for text, label in zip(*ROUTES, strict=True)
    ]


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    """Write rows as JSON lines."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_each_label_is_in_every_fold() -> None:
    """Folds are stratified, and the same each time."""
    labels = ["a"] * 10 + ["b"] * 15
    dealt = folds(labels)
    assert [int((dealt[:10] == fold).sum()) for fold in range(5)] == [2] * 5
    assert [int((dealt[10:] == fold).sum()) for fold in range(5)] == [3] * 5
    assert (dealt == folds(labels)).all()


def test_auroc_counts_pairs() -> None:
    """It is the share of pairs in the right order, a tie as a half."""
    scores = np.array([0.9, 0.5, 0.5, 0.1])
    positive = np.array([True, True, False, False])
    assert auroc(scores, positive) == pytest.approx(3.5 / 4)


def test_one_split_is_measured_in_folds() -> None:
    """All rows are measured once, by fits without them."""
    (report,) = evaluate_intents(labelled(), PlainEmbedder(), SMALL)
    assert (report.name, report.rows) == ("5 folds", 30)
    assert report.accuracy.percent > 80
    assert report.joint is None
    assert report.to_json()["auroc"] is None


def test_rows_that_belong_nowhere_are_measured_apart() -> None:
    """Accuracy is over the rest; recognising them counts in the joint share."""
    odd = "lunar solar stellar polar tidal global local vocal social royal rural final".split()
    foreign = [f"what is the {word} weight of the moon today" for word in odd]
    train = [*labelled(), *[Labelled(text, "oos", "train", ()) for text in foreign * 2]]
    asked = [*labelled("val"), *[Labelled(text + " then", "oos", "val", ()) for text in foreign]]
    (report,) = evaluate_intents([*train, *asked], PlainEmbedder(), SMALL)
    assert (report.name, report.rows) == ("train → val", 42)
    assert report.accuracy.count == 30
    assert report.auroc == 1.0
    assert report.recall is not None
    assert report.recall.count == 12
    assert report.joint is not None
    even = 2 / 11 * report.recall.percent
    hits_inside = report.joint.percent * 42 - report.recall.percent * 12
    assert report.joint_even == pytest.approx(even + 9 / 11 * hits_inside / 30)


def test_histories_are_measured_with_and_without() -> None:
    """A set of turns gets a report for each."""
    rows = [
        Labelled("yes please", label, "train", (said,))
        for label, said in (("a", "may i return the lamp"), ("b", "shall i ask a person"))
        for _ in range(10)
    ]
    without, together = evaluate_intents(rows, PlainEmbedder(), SMALL)
    assert together.name == "5 folds, with history"
    assert together.accuracy.percent == 100
    assert without.accuracy.percent <= 60


def test_a_file_is_read_in_both_forms_of_history(tmp_path: Path) -> None:
    """Turns may be texts, or have a role."""
    path = write(
        tmp_path / "rows.jsonl",
        {"text": "x", "label": "a", "history": [{"role": "customer", "text": "before"}]},
        {"text": "y", "label": "b", "split": "val", "history": ["earlier"]},
        "",
    )
    assert load_intents(path) == [
        Labelled("x", "a", "train", ("before",)),
        Labelled("y", "b", "val", ("earlier",)),
    ]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["{"], "Line 1 of rows.jsonl"),
        ([{"text": "x"}], "Line 1 of rows.jsonl"),
        ([{"text": "x", "label": "a"}, {"text": 3, "label": "b"}], "Line 2 of rows.jsonl"),
        ([{"text": "x", "label": "a"}], "at least two labels"),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, rows: list[dict[str, Any] | str], reason: str
) -> None:
    """With its line."""
    with pytest.raises(ConfigurationError, match=reason):
        load_intents(write(tmp_path / "rows.jsonl", *rows))


def test_vectors_are_kept_between_measurements(tmp_path: Path) -> None:
    """What was embedded once is read, the rest is embedded."""

    class Counting(PlainEmbedder):
        asked: list[str] = []  # noqa: RUF012 - one test's

        def embed(self, texts: Any) -> Any:
            self.asked += texts
            return super().embed(texts)

    first = KeptVectors(Counting(), tmp_path)
    made = first.embed(["a lamp", "a sofa", "a lamp"])
    again = KeptVectors(Counting(), tmp_path).embed(["a sofa", "a chair"])
    assert Counting.asked == ["a lamp", "a sofa", "a chair"]
    assert (made[0] == made[2]).all()
    assert (again[0] == made[1]).all()
