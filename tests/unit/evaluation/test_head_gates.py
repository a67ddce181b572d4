"""Routers and query adapters at their gate: trained ones pass, others do not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from evaluation.adapter_gate import measure_adapter
from evaluation.gate import GateError
from evaluation.head_gates import measure_router
from finetune.query_adapter import train_with as train_adapter
from finetune.router_head import train_with as train_router
from retrieval.artefacts import PROBE, save
from retrieval.query_adapter import KIND
from store.datasets import DatasetRow, Split
from store.model_registry import Model, ModelKind
from tests.unit.finetune.routes import PlainEmbedder, Told, route_rows

EMBEDDER = PlainEmbedder()
NEW = "bench desk bed stool rug kettle frame basket fan curtain hook tray bowl cup fork".split()


def model(kind: ModelKind, folder: Path) -> Model:
    """A candidate whose files are in a folder."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    return Model(
        1, 1, kind, folder.name, "candidate", str(folder), None, None, None, None, 0, None, {},
        None, None, now, now,
    )  # fmt: skip


def held_routes() -> list[DatasetRow]:
    """Messages of three routes with words that no head learned, a conversation each."""
    made = [(f"can i return a {thing}", "policy") for thing in NEW]
    made += [(f"a {thing} to you my dear bot", "small_talk") for thing in NEW]
    made += [(f"put the {thing} boss on the line", "human") for thing in NEW]
    return [
        DatasetRow(
            "validation",
            {"head": "route", "text": text, "history": [], "label": label},
            f"held-{number}",
        )
        for number, (text, label) in enumerate(made)
    ]


def relabelled(rows: Sequence[DatasetRow]) -> list[DatasetRow]:
    """The same rows with small talk taken for a question and the other way round."""
    other = {"policy": "small_talk", "small_talk": "policy", "human": "policy"}
    return [
        DatasetRow(
            row.split,
            row.content | {"label": other[row.content["label"]]},
            row.conversation,
        )
        for row in rows
    ]


def router(folder: Path, rows: Sequence[DatasetRow]) -> Model:
    """A router trained on these rows."""
    train_router(EMBEDDER, {}, rows, folder, Told())
    return model("router", folder)


def test_a_trained_router_passes_against_the_rules(tmp_path: Path) -> None:
    """It hears small talk that no phrase announces, and loses nobody who wants a person."""
    candidate = router(tmp_path / "trained", route_rows())
    decided = measure_router(EMBEDDER, candidate, None, held_routes())

    assert decided.passed, decided.reason
    assert decided.evidence["main"]["name"] == "route"
    assert decided.evidence["against"] == "routing by rules"
    assert decided.evidence["guards"][-1]["name"] == "wants a person"


def test_a_router_that_learned_wrong_labels_is_rejected(tmp_path: Path) -> None:
    """It sends people elsewhere than the labels say."""
    candidate = router(tmp_path / "wrong", relabelled(route_rows()))

    assert not measure_router(EMBEDDER, candidate, None, held_routes()).passed


def test_the_same_router_does_not_take_its_own_place(tmp_path: Path) -> None:
    """Against itself nothing is gained."""
    candidate = router(tmp_path / "same", route_rows())

    assert not measure_router(EMBEDDER, candidate, candidate, held_routes()).passed


def test_a_router_without_files_stays_a_candidate(tmp_path: Path) -> None:
    """The sentence names it."""
    with pytest.raises(GateError, match="gone cannot be measured"):
        measure_router(EMBEDDER, model("router", tmp_path / "gone"), None, held_routes())


def test_a_router_is_not_measured_on_nothing(tmp_path: Path) -> None:
    """Without held-out labels the sentence says how to get some."""
    with pytest.raises(GateError, match="footnote transcripts review"):
        measure_router(EMBEDDER, router(tmp_path / "trained", route_rows()), None, [])


def pair_rows() -> list[DatasetRow]:
    """Questions whose words never stand in the passage that answers them."""
    kinds = {"bring back": "returns", "clean": "washing", "mend": "repairs"}
    rows = []
    for number, thing in enumerate([*NEW, *"lamp sofa chair table carpet mirror shelf".split()]):
        for asked, said in kinds.items():
            others = [f"{other} concerning a {thing}" for other in kinds.values() if other != said]
            content = {
                "question": f"may i {asked} the {thing}",
                "history": [],
                "positives": [f"{said} concerning a {thing}"],
                "negatives": others,
            }
            split: Split = "validation" if number % 2 else "train"
            rows.append(
                DatasetRow(
                    split,
                    content,
                    f"c{number}{asked}",
                )
            )
    return rows


def adapter(folder: Path, delta: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Model:
    """An adapter that turns questions in this way."""
    card = {"embedder": EMBEDDER.model, "dimensions": EMBEDDER.dimensions}
    save(folder, KIND, card, {"delta": delta.astype(np.float16)}, EMBEDDER.embed([PROBE])[0])
    return model("query_adapter", folder)


def test_a_trained_adapter_passes(tmp_path: Path) -> None:
    """It learned which passages questions mean by words that they do not share."""
    rows = pair_rows()
    train_adapter(EMBEDDER, {"rate": 0.02, "steps": 200}, rows, tmp_path / "trained", Told())
    decided = measure_adapter(EMBEDDER, model("query_adapter", tmp_path / "trained"), None, rows)

    assert decided.passed, decided.reason
    assert decided.evidence["main"]["name"] == "hit@1"
    assert decided.evidence["against"] == "no adapter"


@pytest.mark.parametrize("scale", [0.0, 3.0], ids=["turns nothing", "turns anywhere"])
def test_an_adapter_that_learned_nothing_is_rejected(tmp_path: Path, scale: float) -> None:
    """Neither no turn nor a random one surely finds more."""
    drawn = np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)
    candidate = adapter(tmp_path / "random", np.asarray(scale * drawn, dtype=np.float32))

    assert not measure_adapter(EMBEDDER, candidate, None, pair_rows()).passed


def test_an_adapter_is_not_measured_on_nothing(tmp_path: Path) -> None:
    """Without held-out questions the sentence says how to get some."""
    candidate = adapter(tmp_path / "none", np.zeros((32, 32), dtype=np.float32))
    with pytest.raises(GateError, match="dataset build --format pairs"):
        measure_adapter(EMBEDDER, candidate, None, [])
