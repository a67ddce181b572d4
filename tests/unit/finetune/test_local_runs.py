"""What is checked before a local run is kept; nothing here needs torch."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.settings import Settings
from finetune.backends import TrainingError
from finetune.bases import find_base
from finetune.gpu_memory import GIB, Device, Shape, estimate
from finetune.local_recipe import read_recipe
from finetune.local_runs import check, complete, need_memory, need_room
from store.datasets import Dataset, DatasetRow, Format
from tests.unit.finetune.bases import write_base

ELSEWHERE = {"devices": 1}  # memory, disk and packages are looked at where the run will be


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that can be trained."""
    return write_base(tmp_path_factory.mktemp("bases") / "base")


def dataset(chosen: Format = "sft") -> Dataset:
    """A dataset of a format."""
    return Dataset(1, 1, "voice", chosen, "0" * 64, {}, "test", None, datetime.now(UTC))


def rows(count: int = 60, said: str = "Sure!", **content: Any) -> list[DatasetRow]:
    """Rows of conversations, or of `content`."""
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": said}]
    return [DatasetRow("train", content or {"messages": messages}, str(n)) for n in range(count)]


def test_the_recipe_is_completed(base: Path, plain_settings: Settings) -> None:
    """Rate, lengths, evaluations and the weights' hash follow from method, rows and base."""
    recipe = check(plain_settings, dataset(), rows(), str(base), ELSEWHERE)
    assert recipe["learning_rate"] == pytest.approx(2e-4)
    assert recipe["max_length"] == 64
    assert recipe["packing"] is False
    assert recipe["eval_every"] == 5  # of 45 steps: 60 rows, 4 at a time, 3 times
    assert recipe["revision"] == find_base(str(base)).revision


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        pytest.param({"method": "full"}, 2e-5, id="all weights"),
        pytest.param({"method": "lora", "learning_rate": 0.001}, 0.001, id="given"),
    ],
)
def test_adapters_learn_ten_times_as_fast(
    base: Path, plain_settings: Settings, given: dict[str, Any], rate: float
) -> None:
    """The rate follows from the method, unless it is given."""
    recipe = check(plain_settings, dataset(), rows(), str(base), {**ELSEWHERE, **given})
    assert recipe["learning_rate"] == pytest.approx(rate)


def test_many_rows_are_packed(base: Path, plain_settings: Settings) -> None:
    """Where enough steps remain, rows are laid into blocks of the base's context."""
    many = rows(600, "Sure! " * 20)
    recipe = check(plain_settings, dataset(), many, str(base), ELSEWHERE)
    assert (recipe["packing"], recipe["max_length"]) == (True, 256)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"methods": "lora"}, "no setting methods; there are: method", id="unknown"),
        pytest.param({"method": "magic"}, "method cannot be used", id="no such method"),
        pytest.param({"epochs": 0}, "epochs cannot be used", id="no epochs"),
        pytest.param({"learning_rate": float("nan")}, "learning_rate", id="no number"),
        pytest.param({"max_length": 1024}, "context is 256", id="over the context"),
        pytest.param({"revision": "0"}, "changed since", id="other weights"),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused(
    base: Path, plain_settings: Settings, given: dict[str, Any], told: str
) -> None:
    """A sentence names the setting."""
    with pytest.raises(TrainingError, match=told):
        check(plain_settings, dataset(), rows(), str(base), {**ELSEWHERE, **given})


@pytest.mark.parametrize(
    ("chosen", "given", "told"),
    [
        pytest.param("routes", rows(text="a"), "sft, raft and dpo", id="a router's rows"),
        pytest.param("sft", rows(49), "at least 50", id="too few"),
        pytest.param("sft", rows(said="x" * 300), "Row 1 of the train split has", id="too long"),
        pytest.param("sft", rows(messages=[]), "Row 1 of the train split", id="no messages"),
        pytest.param("sft", rows(said=" "), "needs a role", id="no words"),
        pytest.param("sft", rows(messages=[{"role": "bot", "content": "x"}]), "role", id="role"),
        pytest.param("dpo", rows(prompt=[], chosen="x"), "'rejected'", id="half a pair"),
    ],
)
def test_rows_that_cannot_be_learned_are_refused(
    base: Path, plain_settings: Settings, chosen: Format, given: list[DatasetRow], told: str
) -> None:
    """A sentence names the row and what to do."""
    with pytest.raises(TrainingError, match=told):
        check(plain_settings, dataset(chosen), given, str(base), ELSEWHERE)


def _without(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


def _with(name: str, content: str) -> Any:
    return lambda folder: (folder / name).write_text(content)


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(_pickled, "convert it to safetensors", id="pickled"),
        pytest.param(_without("model.safetensors"), "holds no weights", id="no weights"),
        pytest.param(_with("model.safetensors", "x" * 99), "download it again", id="torn weights"),
        pytest.param(_without("config.json"), "has no config.json", id="no configuration"),
        pytest.param(_with("config.json", "{}"), "no hidden_size", id="an empty one"),
        pytest.param(_with("config.json", "{"), "not readable JSON", id="a torn one"),
        pytest.param(_without("tokenizer.json"), "no tokenizer", id="no tokenizer"),
        pytest.param(_with("tokenizer.json", "{}"), "tokenizer cannot be read", id="torn"),
        pytest.param(_with("tokenizer_config.json", "{}"), "no chat template", id="no template"),
    ],
)
def test_a_base_that_cannot_be_trained_is_refused(
    tmp_path: Path, plain_settings: Settings, change: Any, told: str
) -> None:
    """A sentence says what is wrong with the base and what to do."""
    folder = write_base(tmp_path / "base")
    change(folder)
    with pytest.raises(TrainingError, match=told):
        check(plain_settings, dataset(), rows(), str(folder), ELSEWHERE)


def test_a_base_is_needed(plain_settings: Settings) -> None:
    """Without one a sentence says how to name it."""
    with pytest.raises(TrainingError, match="--base"):
        check(plain_settings, dataset(), rows(), None, ELSEWHERE)


def test_a_template_can_be_given(tmp_path: Path, plain_settings: Settings) -> None:
    """A base without one is trained with the template that the recipe names."""
    folder = write_base(tmp_path / "base", template=None)
    given = {**ELSEWHERE, "chat_template": "chatml"}
    assert check(plain_settings, dataset(), rows(), str(folder), given)["max_length"] == 64


def test_weights_are_counted_from_their_headers(base: Path) -> None:
    """Linear layers, what adapters would have, and the rest add up to all weights."""
    shape = find_base(str(base)).shape
    layer = 16 * 16 * 2 + 8 * 16 * 2 + 32 * 16 * 3
    assert shape.linear == 2 * layer
    assert shape.edges == 2 * (32 + 24 + 24 + 32 + 3 * 48)
    assert shape.parameters == 2 * layer + 2 * 261 * 16 + 16 + 2 * 16
    assert (shape.heads, shape.kv_heads) == (16, 8)


def test_what_does_not_fit_is_refused_with_what_would(base: Path) -> None:
    """The sentence names the need, what is free, and settings with which it fits."""
    found = find_base(str(base))
    recipe = read_recipe(
        {"batch_size": 64, "gradient_checkpointing": False, "max_length": 256, "method": "full"}
    )
    card = Device(1, int(0.61 * GIB), "the graphics card")
    with pytest.raises(TrainingError) as told:
        need_memory(found, recipe, card, preferences=False)
    assert "GiB and the graphics card has 0.6 free; set gradient_checkpointing true" in str(
        told.value
    )
    with pytest.raises(TrainingError, match="choose a smaller base"):
        need_memory(found, recipe, Device(1, 2**20, "the graphics card"), preferences=False)


def test_four_bits_need_a_graphics_card(base: Path) -> None:
    """QLoRA on a processor is refused with the method that works there."""
    with pytest.raises(TrainingError, match="set method lora"):
        need_memory(
            find_base(str(base)),
            read_recipe({"method": "qlora", "max_length": 64}),
            Device(0, 2**40, "this machine's memory"),
            preferences=False,
        )


def test_a_full_disk_is_told_before_the_run(base: Path, tmp_path: Path) -> None:
    """A run that cannot be stored is refused with what it needs."""
    found = find_base(str(base))
    whole, _ = complete(read_recipe({"rank": 512}), found, dataset(), rows())
    need_room(tmp_path / "not" / "there", found, whole)
    huge = found.__class__(found.folder, None, found.revision, 2**60, found.shape)
    with pytest.raises(TrainingError, match="GiB of disk"):
        need_room(tmp_path, huge, whole)


def test_a_base_says_what_ends_a_turn(base: Path) -> None:
    """The tokenizer's own sign, and those that the generation config adds."""
    found = find_base(str(base))
    assert found.ends == ["<|end|>"]
    assert json.loads((base / "tokenizer_config.json").read_text())["eos_token"] == "<|end|>"


LARGE = Shape(
    layers=16,
    hidden=2_048,
    intermediate=8_192,
    head_count=32,
    heads=2_048,
    kv_heads=512,
    vocabulary=128_000,
    context=8_192,
    linear=973_078_528,
    edges=16 * (2 * 4_096 + 2 * 2_560 + 3 * 10_240),
    other=262_144_000,
)
"""A model of 1.2 billion weights."""


@pytest.mark.parametrize(
    ("less", "more"),
    [
        pytest.param({"method": "qlora"}, {"method": "lora"}, id="four bits"),
        pytest.param({"method": "lora"}, {"method": "full"}, id="adapters"),
        pytest.param({"batch_size": 1}, {"batch_size": 8}, id="a smaller batch"),
        pytest.param({"rank": 8}, {"rank": 256}, id="a smaller rank"),
        pytest.param({}, {"gradient_checkpointing": False}, id="checkpointing"),
    ],
)
def test_an_estimate_follows_the_recipe(less: dict[str, Any], more: dict[str, Any]) -> None:
    """What saves memory in training saves it in the estimate."""

    def needed(given: dict[str, Any]) -> int:
        recipe = read_recipe(given)
        parts = estimate(LARGE, recipe, max_length=1_024, half=True, preferences=False, cuda=True)
        return parts.total

    assert needed(less) < needed(more)


def test_an_estimate_is_no_less_than_the_weights_and_no_multiple_of_all() -> None:
    """LoRA holds the weights in 16 bits; training all takes 18 bytes of each weight, and more."""

    def needed(method: str) -> float:
        recipe = read_recipe({"method": method, "batch_size": 1})
        parts = estimate(LARGE, recipe, max_length=256, half=True, preferences=False, cuda=True)
        return parts.total / LARGE.parameters

    assert 2 < needed("lora") < 4
    assert 18 < needed("full") < 22
