"""MiniLM's graph against a forward pass written again in numpy from the same weights."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from retrieval import minilm
from retrieval.embeddings import MAX_TOKENS, MiniLMEmbedder, count_tokens

Array = NDArray[np.float64]

TEXTS = [
    "Items bought in a sale can be returned within 14 days of delivery.",
    "leave",
    "Employees who have worked here for a year get 25 working days of paid leave. " * 3,
    "Crème brûlée — 70 % off! 👩‍👩‍👧",
]


@pytest.fixture(scope="module")
def folder(embedder_cache: Path) -> Path:
    """Where built graphs are kept between runs."""
    return embedder_cache


@pytest.fixture(scope="module")
def exact(folder: Path) -> MiniLMEmbedder:
    return MiniLMEmbedder(folder, quantised=False)


@pytest.fixture(scope="module")
def rounded(folder: Path) -> MiniLMEmbedder:
    return MiniLMEmbedder(folder)


def forward(weights: Mapping[str, Array], ids: Sequence[int]) -> Array:
    """Return the vector of one text: BERT's layers and a mean, one matrix after the other."""

    def linear(value: Array, name: str) -> Array:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(value: Array, name: str) -> Array:
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])

    def attend(value: Array, name: str) -> Array:
        query, key, content = (linear(value, f"{name}.{p}") for p in ("query", "key", "value"))
        heads = []
        for head in range(12):
            part = slice(head * 32, head * 32 + 32)
            scores = np.exp(query[:, part] @ key[:, part].T / math.sqrt(32))
            heads.append(scores / scores.sum(-1, keepdims=True) @ content[:, part])
        return np.concatenate(heads, axis=1)

    value = weights["embeddings.word_embeddings.weight"][list(ids)]
    value = value + weights["embeddings.position_embeddings.weight"][: len(ids)]
    value = value + weights["embeddings.token_type_embeddings.weight"][0]
    value = norm(value, "embeddings.LayerNorm")
    for number in range(6):
        layer = f"encoder.layer.{number}"
        attended = linear(
            attend(value, f"{layer}.attention.self"), f"{layer}.attention.output.dense"
        )
        value = norm(value + attended, f"{layer}.attention.output.LayerNorm")
        inner = linear(value, f"{layer}.intermediate.dense")
        inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
        value = norm(value + linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    mean = value.mean(0)
    return np.asarray(mean / np.linalg.norm(mean))


@pytest.fixture(scope="module")
def expected() -> Array:
    """The vectors of TEXTS by numpy alone."""
    model = minilm.package_folder()
    weights = {k: v.astype(np.float64) for k, v in load_file(model / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    return np.stack([forward(weights, tokenizer.encode(text).ids) for text in TEXTS])


def test_the_exact_graph_is_the_model(exact: MiniLMEmbedder, expected: Array) -> None:
    """In full precision the graph's vectors are numpy's."""
    vectors = exact.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), minilm.HIDDEN)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - expected).max() < 2e-6


def test_the_rounded_graph_is_near_the_model(rounded: MiniLMEmbedder, expected: Array) -> None:
    """With int8 weights the vectors lie within a cosine of 0.98 of the model's."""
    cosines = (rounded.embed(TEXTS) * expected).sum(1)
    assert cosines.min() > 0.98
    assert np.median(cosines) > 0.99


@pytest.mark.parametrize("quantised", [False, True], ids=["exact", "rounded"])
def test_vectors_have_length_one(
    quantised: bool, exact: MiniLMEmbedder, rounded: MiniLMEmbedder
) -> None:
    """Every text's vector is scaled, also that of no words at all."""
    vectors = (rounded if quantised else exact).embed([*TEXTS, "", " \n", "�\x00"])
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("quantised", [False, True], ids=["exact", "rounded"])
def test_a_text_s_vector_does_not_depend_on_its_company(
    quantised: bool, exact: MiniLMEmbedder, rounded: MiniLMEmbedder
) -> None:
    """Alone, among longer ones and in any order a text has the very same vector."""
    embedder = rounded if quantised else exact
    many = [f"{text} {number}" for number in range(3) for text in TEXTS]
    alone = np.concatenate([embedder.embed([text]) for text in many])
    assert np.array_equal(embedder.embed(many), alone)
    assert np.array_equal(embedder.embed(many[::-1])[::-1], alone)


def test_masked_tokens_change_nothing(folder: Path, exact: MiniLMEmbedder) -> None:
    """The graph takes batches too: what the mask hides has no part in a vector."""
    session = onnxruntime.InferenceSession(str(minilm.build(folder, quantised=False)))
    ids = np.array([[101, 2681, 102, 0, 0], [101, 2681, 2681, 2681, 102]], dtype=np.int64)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=np.int64)
    (vectors,) = session.run(["vectors"], {"input_ids": ids, "attention_mask": mask})
    expected = exact.embed(["leave", "leave leave leave"])
    assert np.abs(np.asarray(vectors) - expected).max() < 1e-5


def test_long_texts_are_cut_at_the_model_s_limit(exact: MiniLMEmbedder) -> None:
    """What stands after 254 word pieces (and the two special ones) changes nothing."""
    kept = "leave " * (MAX_TOKENS - 2)
    assert count_tokens(kept) == MAX_TOKENS - 2
    short, long, longer = exact.embed([kept, kept + "sale " * 300, kept[:-6]])
    assert np.abs(short - long).max() < 1e-6
    assert np.abs(short - longer).max() > 1e-6


def test_no_texts_have_no_vectors(exact: MiniLMEmbedder) -> None:
    """An empty list gives an empty array of the right width."""
    assert exact.embed([]).shape == (0, minilm.HIDDEN)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("", 0), ("leave", 1), ("unforeseeable", 5), ("a b\nc", 3), ("x" * 300, 1)],
    ids=["empty", "a word", "a rare word", "white space", "no word at all"],
)
def test_tokens_are_word_pieces(text: str, pieces: int) -> None:
    """Chunks are measured in the model's pieces without the two special ones."""
    assert count_tokens(text) == pieces


def test_a_graph_is_built_once_and_whole(folder: Path, tmp_path: Path) -> None:
    """The file is named by the weights, found again, and nothing half-built is left beside it."""
    built = minilm.build(tmp_path / "new", quantised=False)
    assert [path.name for path in built.parent.iterdir()] == [built.name]
    written = built.stat().st_mtime_ns
    assert minilm.build(tmp_path / "new", quantised=False) == built
    assert built.stat().st_mtime_ns == written
    assert minilm.build(folder, quantised=False).name == built.name
    assert minilm.build(folder, quantised=True).name != built.name
