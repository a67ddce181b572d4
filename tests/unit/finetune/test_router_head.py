"""A head on the embedder: fitted in closed form, calibrated, read back by numpy alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetune.backends import RunCancelledError, TrainingError
from finetune.head_fit import Fitted, Recipe, fit, logistic, softmax_regression
from finetune.router_head import check, measured, save_head, train_with
from retrieval.artefacts import CARD, NUMBERS, ArtefactError
from retrieval.embeddings import Vectors
from retrieval.router_head import RouterHead, in_conversation, softmax
from store.datasets import Dataset, DatasetRow
from tests.unit.finetune.routes import ROUTES, PlainEmbedder, Told, dataset, route_rows

SMALL = Recipe(waves=48, buckets=256)
EMBEDDER = PlainEmbedder()


def fitted(
    labels: Sequence[str], texts: Sequence[str], recipe: Recipe = SMALL, **more: Any
) -> Fitted:
    """Fit a part on texts, each a group of its own."""
    groups = more.pop("groups", [str(i) for i in range(len(texts))])
    return fit(EMBEDDER.embed(texts), texts, labels, groups, recipe, **more)


def test_what_is_left_out_scores_as_in_a_fit_without_it() -> None:
    """The closed form equals fitting again without a conversation, row by row."""
    texts, labels = ROUTES
    groups = [str(i // 3) for i in range(len(texts))]
    whole = fitted(labels, texts, groups=groups)
    near = dict(zip(whole.held.tolist(), whole.near, strict=True))
    assert sorted(near) == list(range(len(texts)))
    features = whole.part.features
    rows = features.of(EMBEDDER.embed(texts), texts)[:, : features.near].astype(np.float64)
    targets = np.eye(len(whole.part.labels))[[whole.part.labels.index(label) for label in labels]]
    for group in ("0", "4", "9"):
        out = np.array([g == group for g in groups])
        kept = rows[~out]
        penalty = SMALL.ridge * np.eye(rows.shape[1])
        weights = np.linalg.solve(kept.T @ kept + penalty, kept.T @ targets[~out])
        left = np.stack([near[place] for place in np.flatnonzero(out).tolist()])
        assert np.allclose(left, rows[out] @ weights, atol=2e-3)


def test_nearness_is_ridge_regression() -> None:
    """Its weights equal scikit-learn's to rounding."""
    from sklearn.linear_model import Ridge  # noqa: PLC0415 - slow to load

    texts, labels = ROUTES
    part = fitted(labels, texts).part
    rows = part.features.of(EMBEDDER.embed(texts), texts)[:, : part.features.near]
    targets = np.eye(len(part.labels))[[part.labels.index(label) for label in labels]]
    theirs = Ridge(alpha=SMALL.ridge, fit_intercept=False, solver="cholesky").fit(
        rows.astype(np.float64), targets
    )
    ours = rows @ part.nearness
    assert np.allclose(ours, theirs.predict(rows.astype(np.float64)), atol=1e-3)


def test_labels_are_as_likely_as_scikit_learn_has_them() -> None:
    """Softmax regression ends where scikit-learn's does, from the same rows."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to load

    drawn = np.random.default_rng(5)
    wanted = drawn.integers(3, size=300)
    rows = (np.eye(3)[wanted] @ drawn.normal(size=(3, 6)) + drawn.normal(size=(300, 6))) * 0.7
    decay = 0.01
    ours = softmax_regression(
        rows.astype(np.float32), wanted, 3, Recipe(decay=decay, epochs=1500, rate=0.02)
    )
    theirs = LogisticRegression(C=1 / (decay * 300), fit_intercept=False, tol=1e-8).fit(
        rows, wanted
    )
    assert np.allclose(
        softmax(rows.astype(np.float32) @ ours), theirs.predict_proba(rows), atol=5e-3
    )


def test_waves_are_nearly_the_gaussian_kernel() -> None:
    """The inner product of two messages' waves is exp(-γ‖a - b‖²), up to a little noise."""
    texts = ["return a lamp", "return the lamp", "how are you"]
    part = fitted(ROUTES[1], ROUTES[0], replace(SMALL, waves=512, reach=1.0)).part
    vectors = EMBEDDER.embed(texts)
    rows = part.features.of(vectors, texts)[:, :1024]
    expected = np.exp(-SMALL.width * (2 - 2 * vectors @ vectors.T))
    assert np.allclose(rows @ rows.T, expected, atol=0.12)


def test_probabilities_keep_the_order_of_scores() -> None:
    """Calibration changes how sure a part is, never what it says, and sureness grows with lead."""
    scores = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.6], [0.1, 0.2, 0.9]], dtype=np.float32)
    texts, labels = ROUTES
    plain = fitted(labels, texts).part
    for temperature in (0.05, 0.5, 2.0):
        part = replace(plain, temperature=temperature, novelty=None)
        said, foreign = part.calibrated(scores, scores)
        assert np.allclose(said.sum(axis=1), 1)
        assert (np.diff(said[:, 2]) > 0).all()
        assert (said.argmax(axis=1) == 2).all()
        assert (foreign == 0).all()


def test_few_rows_do_not_make_a_part_certain() -> None:
    """Thirty messages that are all told apart leave doubt about the next."""
    texts, labels = ROUTES
    made = fitted(labels, texts)
    said, _ = made.part.calibrated(made.scores, made.near)
    assert 0.7 < said.max(axis=1).mean() < 0.99


def test_the_same_rows_make_the_same_head() -> None:
    """Nothing of a fit is left to chance."""
    texts, labels = ROUTES
    one, other = fitted(labels, texts), fitted(labels, texts)
    assert (one.part.weights == other.part.weights).all()
    assert one.part.temperature == other.part.temperature


def test_a_row_that_belongs_nowhere_is_known_by_its_label() -> None:
    """With enough such rows a foreign message is told from the rest."""
    texts, labels = ROUTES
    odd = [f"what is the {thing} of the moon today" for thing in WORDS]
    part = fitted([*labels, *["oos"] * len(odd)], [*texts, *odd]).part
    asked = ["what is the weight of the moon today", "can i return a chair"]
    said, foreign = part.predict(EMBEDDER.embed(asked), asked)
    assert foreign[0] > 0.5 > foreign[1]
    assert np.allclose(said.sum(axis=1), 1, atol=1e-5)
    assert part.labels[int(said[0].argmax())] == "oos"


def test_many_labels_teach_what_is_foreign_without_an_example() -> None:
    """Each label in turn is left out, so that a message of none of them is told."""
    texts = [f"{verb} the {noun} now" for noun in WORDS for verb in VERBS]
    part = fitted([noun for noun in WORDS for _ in VERBS], texts).part
    assert part.novelty is not None
    asked = ["lift the lamp now", "zebras dream quietly under purple oceans"]
    _, foreign = part.predict(EMBEDDER.embed(asked), asked)
    assert foreign[1] > foreign[0]


def test_logistic_regression_finds_the_odds() -> None:
    """With one column of 0 and 1 the weights are the log odds."""
    rows = np.array([[0.0]] * 40 + [[1.0]] * 40, dtype=np.float32)
    positive = np.array([True] * 10 + [False] * 30 + [True] * 30 + [False] * 10)
    found = logistic(rows, positive, np.ones(80))
    assert found == pytest.approx([2 * np.log(3), -np.log(3)], abs=0.01)


def test_a_head_is_written_and_read_back(tmp_path: Path) -> None:
    """What is read back says the same, part by part, and the figures are told."""
    told = Told()
    made = train_with(
        EMBEDDER, {"waves": 48, "buckets": 256}, route_rows(), tmp_path / "run", told
    )
    head = RouterHead.load(Path(made.artefact), EMBEDDER)
    judged = head.judge("route", EMBEDDER, "can i return a sofa")
    assert (judged.label, judged.threshold) == ("policy", 0.7)
    assert judged.probability > 0.5
    assert made.result["route"]["accuracy"] > 0.8
    assert made.result["route"]["validation"]["rows"] == 4
    assert told.steps[-1] == (2, 2)
    assert (tmp_path / "run" / NUMBERS).stat().st_size < 400_000


def test_a_part_that_reads_conversations_uses_them(tmp_path: Path) -> None:
    """The same words after other turns are another message."""
    rows = [
        DatasetRow(
            "train",
            {"head": "route", "text": "yes please", "history": [said], "label": label},
            f"{label}{i}",
        )
        for label, said in (("policy", "may i return the lamp"), ("human", "shall i ask a person"))
        for i in range(10)
    ]
    made = train_with(EMBEDDER, {"waves": 48}, rows, tmp_path, Told())
    head = RouterHead.load(Path(made.artefact), EMBEDDER)
    for label, said in (("policy", "may i return the lamp"), ("human", "shall i ask a person")):
        assert head.judge("route", EMBEDDER, "yes please", [said]).label == label
    assert in_conversation("b", ["x", "a"]) == "b\na\nx"


class Renamed(PlainEmbedder):
    """Another model."""

    model = "another"


class Turned(PlainEmbedder):
    """The same name, and other vectors."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return them in another order."""
        return super().embed(texts)[:, ::-1]


def test_a_head_of_another_embedder_is_refused(tmp_path: Path) -> None:
    """By its name, and by its vectors where the name stayed."""
    train_with(EMBEDDER, {"waves": 16}, route_rows(), tmp_path, Told())
    with pytest.raises(ArtefactError, match="made for the embedding model plain, and another"):
        RouterHead.load(tmp_path, Renamed())
    with pytest.raises(ArtefactError, match="gives other vectors"):
        RouterHead.load(tmp_path, Turned())


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (CARD, None, "is not there"),
        (NUMBERS, None, "is not there"),
        (CARD, b"{", "damaged"),
        (CARD, b'{"format": 1, "kind": "query adapter"}', "holds no router head"),
        (NUMBERS, b"PK\x03\x04 cut off", "damaged"),
    ],
)
def test_a_broken_folder_is_refused(
    tmp_path: Path, file: str, content: bytes | None, reason: str
) -> None:
    """With a sentence that says what to do."""
    train_with(EMBEDDER, {"waves": 16}, route_rows(), tmp_path, Told())
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtefactError, match=reason):
        RouterHead.load(tmp_path, EMBEDDER)


def test_a_head_whose_numbers_do_not_fit_is_refused(tmp_path: Path) -> None:
    """Weights of another shape than the card says are never multiplied."""
    texts, labels = ROUTES
    part = fitted(labels, texts).part
    save_head(tmp_path, {"route": replace(part, labels=part.labels[:2])}, EMBEDDER, {})
    with pytest.raises(ArtefactError, match="damaged"):
        RouterHead.load(tmp_path, EMBEDDER)


def without(rows: list[DatasetRow], label: str, keep: int) -> list[DatasetRow]:
    """Leave only some rows of a label."""
    named = [row for row in rows if row.content["label"] == label]
    return [row for row in rows if row not in named[keep:]]


@pytest.mark.parametrize(
    ("rows", "recipe", "reason"),
    [
        (without(route_rows(), "human", 5), {}, "human of the head route has 5 training rows"),
        (
            [row for row in route_rows() if row.content["label"] == "policy"],
            {},
            "only the label policy",
        ),
        ([], {}, "no rows"),
        (
            [replace(r, content=r.content | {"label": "sales"}) for r in route_rows()[:9]]
            + route_rows()[9:],
            {},
            "sales is no route",
        ),
        (
            [replace(r, content=r.content | {"head": "mood"}) for r in route_rows()],
            {},
            "rows for a head mood",
        ),
        (route_rows(), {"depth": 3}, "has no depth"),
        (route_rows(), {"ridge": "much"}, "ridge is to be a number"),
        (route_rows(), {"waves": 10**6}, "8,192 at most"),
        (route_rows(), {"ridge": 0}, "above 0"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(
    plain_settings: Any, rows: list[DatasetRow], recipe: dict[str, Any], reason: str
) -> None:
    """Before anything is kept, with the label or the setting that is wrong."""
    with pytest.raises(TrainingError, match=reason):
        check(plain_settings, dataset("routes"), rows, None, recipe)


def test_the_recipe_is_filled_in(plain_settings: Any) -> None:
    """What is kept says everything that the head depends on."""
    whole = check(plain_settings, dataset("routes"), route_rows(), None, {"ridge": 1})
    assert whole["ridge"] == 1.0
    assert whole["embedder"] == "all-MiniLM-L6-v2"
    assert check(plain_settings, dataset("routes"), route_rows(), None, whole) == whole


def test_another_format_is_refused(plain_settings: Any) -> None:
    """A router learns from routes alone."""
    wrong: Dataset = dataset("sft")
    with pytest.raises(TrainingError, match="of the format sft"):
        check(plain_settings, wrong, route_rows(), None, {})


def test_a_cancelled_run_leaves_no_head(tmp_path: Path) -> None:
    """Whoever asked to cancel is heard between two batches."""
    with pytest.raises(RunCancelledError):
        train_with(EMBEDDER, {}, route_rows(), tmp_path / "run", Told(cancel_at=1))
    assert not (tmp_path / "run" / CARD).exists()


def test_calibration_error_is_the_distance_of_sureness_and_accuracy() -> None:
    """Half right at a sureness of 0.9 is 0.4 off; a label never seen is wrong."""
    said = np.array([[0.9, 0.1]] * 4, dtype=np.float32)
    told = measured(["a", "b"], said, ["a", "a", "b", "c"])
    assert told["accuracy"] == 0.5
    assert told["calibration_error"] == pytest.approx(0.4, abs=1e-3)


VERBS = ("lift", "paint", "sell", "wash", "carry", "mend")
WORDS = (
    "lamp sofa chair table carpet mirror shelf clock vase stove basket candle drawer ladder"
    " pillow kettle bucket hammer needle ribbon saddle window"
).split()
