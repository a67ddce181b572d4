"""A turn of questions towards the passages that answered them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.backends import RunCancelledError, TrainingError
from finetune.query_adapter import Pairs, Recipe, _aside, _loss, check, learn, train_with
from retrieval.artefacts import ArtefactError, save
from retrieval.query_adapter import KIND, QueryAdapter
from store.datasets import DatasetRow
from tests.unit.finetune.routes import THINGS, PlainEmbedder, Told, dataset

EMBEDDER = PlainEmbedder()
QUICK = Recipe(steps=120, rate=0.02)


def pairs(count: int = 120, size: int = 16) -> Pairs:
    """Questions whose passages are a fixed turn of them."""
    drawn = np.random.default_rng(3)
    asked = drawn.normal(size=(count, size))
    turn = np.linalg.qr(drawn.normal(size=(size, size)))[0]
    found = asked @ turn
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (asked, found)]
    groups = tuple(str(number // 2) for number in range(count))
    questions, passages = (np.asarray(x, dtype=np.float32) for x in unit)
    return Pairs(questions, passages, np.eye(count, dtype=np.float32), groups)


def rows(count: int = 30) -> list[DatasetRow]:
    """Questions with the passage that answers each."""
    return [
        DatasetRow(
            "train" if number % 6 else "validation",
            {
                "question": f"may i bring back the {THINGS[number % 10]} {number // 10}",
                "history": ["hello"],
                "positives": [f"returns of {THINGS[number % 10]} part {number // 10}"],
                "negatives": [f"cleaning of {THINGS[number % 10]}"],
            },
            f"c{number}",
        )
        for number in range(count)
    ]


def test_no_turn_changes_nothing() -> None:
    """An adapter that has learned nothing gives every vector back."""
    vectors = EMBEDDER.embed(["a lamp", "a sofa"])
    same = QueryAdapter(np.zeros((32, 32), dtype=np.float32)).apply(vectors)
    assert np.allclose(same, vectors, atol=1e-6)


def test_what_is_turned_has_length_one() -> None:
    """So that likeness stays a cosine."""
    delta = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    turned = QueryAdapter(delta).apply(EMBEDDER.embed(["a lamp", "a sofa"]))
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)


def test_a_turn_that_is_there_is_learned() -> None:
    """Questions of conversations that were kept aside find their passages better."""
    _, told = learn(pairs(), QUICK, Told())
    assert told["first_after"] > told["first_before"] + 0.3
    assert told["loss_after"] < told["loss_before"]
    assert told["best_step"] > 0


def test_where_a_turn_would_harm_what_is_kept_aside_nothing_is_turned() -> None:
    """Questions that find their passages as they are stay as they are."""
    made = pairs()
    aside = _aside(made.groups, QUICK)
    passages = np.where(aside[:, None], made.questions, made.passages)
    delta, told = learn(replace(made, passages=passages), QUICK, Told())
    assert told["best_step"] == 0
    assert not delta.any()


def test_the_same_pairs_make_the_same_turn() -> None:
    """Nothing is left to chance."""
    one, _ = learn(pairs(), QUICK, Told())
    other, _ = learn(pairs(), QUICK, Told())
    assert (one == other).all()


def test_the_slope_is_that_of_the_loss() -> None:
    """It equals the difference quotient."""
    some = pairs(count=8, size=5)
    delta = np.full((5, 5), 0.1, dtype=np.float32)
    recipe = Recipe(temperature=0.5)
    _, slope = _loss(some, delta, recipe)
    wider = [np.asarray(x, dtype=np.float64) for x in (some.questions, some.passages)]
    exact = Pairs(wider[0], wider[1], some.answers, some.groups)  # type: ignore[arg-type]
    still = delta.astype(np.float64)
    for place in ((0, 0), (2, 3)):
        moved = still.copy()
        moved[place] += 1e-5
        near = _loss(exact, moved, recipe)[0] - _loss(exact, still, recipe)[0]  # type: ignore[arg-type]
        assert slope[place] == pytest.approx(near / 1e-5, abs=1e-3)


def test_an_adapter_is_written_and_read_back(tmp_path: Path) -> None:
    """With its figures, on what was kept for that too."""
    told = Told()
    made = train_with(EMBEDDER, {"steps": 40}, rows(), tmp_path / "run", told)
    adapter = QueryAdapter.load(Path(made.artefact), EMBEDDER)
    assert adapter.delta.shape == (32, 32)
    assert made.result["questions"] == 25
    assert made.result["validation"]["questions"] == 5
    assert made.result["loss_after"] <= made.result["loss_before"]
    assert any("eval_loss" in figures for figures in told.figures)


def test_a_damaged_adapter_is_refused(tmp_path: Path) -> None:
    """One that holds no numbers, or of another shape, is never applied."""
    probe = EMBEDDER.embed(["May I return a lamp that I bought in a sale three weeks ago?"])[0]
    card = {"embedder": "plain", "dimensions": 32}
    for delta in (np.zeros((3, 3)), np.full((32, 32), np.nan)):
        save(tmp_path, KIND, card, {"delta": delta}, probe)
        with pytest.raises(ArtefactError, match="damaged"):
            QueryAdapter.load(tmp_path, EMBEDDER)


@pytest.mark.parametrize(
    ("given", "recipe", "reason"),
    [
        (rows(12), {}, "has 10 training questions"),
        ([replace(r, content=r.content | {"positives": []}) for r in rows()], {}, "Row 1 has no"),
        (rows(), {"depth": 1}, "has no depth"),
        (rows(), {"rate": "fast"}, "rate is to be a number"),
        (rows(), {"rate": 0}, "above 0"),
        (rows(), {"aside": 1}, "share between"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    plain_settings: Any, given: list[DatasetRow], recipe: dict[str, Any], reason: str
) -> None:
    """With the row or the setting that is wrong."""
    with pytest.raises(TrainingError, match=reason):
        check(plain_settings, dataset("pairs"), given, None, recipe)


def test_another_format_is_refused(plain_settings: Any) -> None:
    """An adapter learns from pairs alone."""
    with pytest.raises(TrainingError, match="of the format routes"):
        check(plain_settings, dataset("routes"), rows(), None, {})


def test_a_rate_that_breaks_the_loss_is_told(tmp_path: Path) -> None:
    """What is no number any more ends the run with what to do."""
    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="lower rate"):
        train_with(EMBEDDER, {"rate": 1e38, "steps": 30}, rows(), tmp_path, Told())


def test_a_cancelled_run_leaves_no_adapter(tmp_path: Path) -> None:
    """Whoever asked to cancel is heard."""
    with pytest.raises(RunCancelledError):
        train_with(EMBEDDER, {}, rows(), tmp_path, Told(cancel_at=2))
    assert list(tmp_path.iterdir()) == []
