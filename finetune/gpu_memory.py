"""How much memory a local run will take, told before it starts, and how much there is.

The estimate counts what must be held at once: weights, gradients, the optimiser's figures, what
the forward pass keeps for the backward one, and a tile of the output layer. It knows nothing of
fragments and of kernels' own buffers: `MARGIN` stands for them.
"""

import shutil
import subprocess
from dataclasses import dataclass
from math import ceil

import psutil

from finetune.local_recipe import LocalRecipe

GIB = 2**30
DRIVER = 0.6 * GIB  # CUDA's own context, and its libraries' workspaces
PROCESS = 0.7 * GIB  # Python with torch, transformers and trl loaded, on a CPU
MARGIN = 1.1
QUERY_PATIENCE = 10.0  # seconds for nvidia-smi
ADAM = 8  # bytes per trained weight: two moments in 32 bits
# NF4 keeps 4 bits a weight and, quantised twice, 0.127 bits of constants (QLoRA, Dettmers et al.
# 2023, section 3).
NF4 = (4 + 0.127) / 8  # bytes
SQUARES = 8  # of attention, on a processor; measured: packing 2,048 tokens held 6 to 8 more
TILE = (4096, 32_768)  # tokens and words of trl's output layer, which is computed in tiles


@dataclass(frozen=True)
class Shape:
    """What of a model decides its memory.

    `linear` counts the weights of all linear layers but the output's, `edges` the sum of their
    inputs and outputs (an adapter of rank r has r × edges weights), `other` all other weights.
    """

    layers: int
    hidden: int
    intermediate: int
    head_count: int
    heads: int  # width of all query heads together
    kv_heads: int  # width of all key heads together
    vocabulary: int
    context: int
    linear: int
    edges: int
    other: int

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear + self.other


@dataclass(frozen=True)
class Estimate:
    """Bytes that a device must have free, by what holds them."""

    weights: int
    training: int  # gradients, optimiser, copies of trained weights
    activations: int
    output: int
    fixed: int

    @property
    def total(self) -> int:
        """All of it, with a margin for what is not counted."""
        held = self.weights + self.training + self.activations + self.output
        return ceil(held * MARGIN + self.fixed)


@dataclass(frozen=True)
class Device:
    """What a run would use: graphics cards, each with so many bytes free, or the processor."""

    cards: int
    free: int
    name: str


def estimate(
    shape: Shape,
    recipe: LocalRecipe,
    *,
    max_length: int,
    half: bool,
    preferences: bool,
    cuda: bool,
) -> Estimate:
    """Return what one device holds at most in a run; several each hold all of it.

    `half` is training with bfloat16, `preferences` DPO, whose batches hold two answers a row.
    Per layer and token the forward pass keeps two normalised inputs, the adapters' copies of what
    linear layers read, queries, keys, values and what attention returns, and four of the feed-
    forward's width; with checkpointing a layer keeps its input, and one at a time the rest.
    On graphics cards attention is counted without its square matrix, which no kernel in use
    there keeps; on processors several are held at a time, over all rows of a step where they are
    packed into one.
    """
    size = 2 if half else 4
    tokens = recipe.batch_size * max_length * (2 if preferences else 1)
    trained, weights = _weights(shape, recipe, size)
    if not cuda:  # the file that they were read from is mapped beside them
        weights += shape.parameters * size
    layer = size * tokens * (11 * shape.hidden + 5 * (shape.heads + shape.kv_heads))
    layer += size * tokens * 6 * shape.intermediate
    if recipe.gradient_checkpointing:
        kept = shape.layers * size * tokens * shape.hidden + layer
    else:
        kept = shape.layers * layer
    if not cuda:
        square = tokens * (tokens if recipe.packing else max_length)
        kept += SQUARES * size * shape.head_count * square
    if preferences:
        output = tokens * shape.vocabulary * (size + 8)
    else:
        tile = min(tokens, TILE[0]) * min(shape.vocabulary, TILE[1])
        output = 2 * size * tile + tokens * shape.hidden * 4
    return Estimate(
        weights=weights,
        training=trained,
        activations=kept,
        output=output,
        fixed=ceil(DRIVER if cuda else PROCESS),
    )


def _weights(shape: Shape, recipe: LocalRecipe, size: int) -> tuple[int, int]:
    """Return the bytes that training adds, and those of the weights."""
    if recipe.method == "full":
        # The weights that are trained are kept in 32 bits; computing in 16 takes a copy.
        copy = 2 * shape.parameters if size == 2 else 0
        return shape.parameters * (4 + ADAM) + copy, shape.parameters * 4
    adapter = recipe.rank * shape.edges
    if recipe.method == "qlora":
        return adapter * (2 + 2 + ADAM // 2), ceil(shape.linear * NF4) + shape.other * 2
    return adapter * (4 + 4 + ADAM), shape.parameters * size


def find_device(cards: int | None = None) -> Device:
    """Return the graphics cards with the least free of them, else the processor's memory.

    `cards` says how many to use at most; 0 means the processor.
    """
    free = free_of_cards() if cards != 0 else []
    if not free:
        return Device(0, int(psutil.virtual_memory().available), "this machine's memory")
    used = free[: cards or len(free)]
    each = "each graphics card" if len(used) > 1 else "the graphics card"
    return Device(len(used), min(used), each)


def free_of_cards() -> list[int]:
    """Return the bytes free on each graphics card, none where nvidia-smi tells of none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "--query-gpu=memory.free", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=QUERY_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    words = done.stdout.split() if done.returncode == 0 else []
    return [int(word) * 2**20 for word in words if word.isdigit()]


def what_would_fit(
    shape: Shape,
    recipe: LocalRecipe,
    free: int,
    *,
    max_length: int,
    longest: int,
    half: bool,
    preferences: bool,
    cuda: bool,
) -> str:
    """Return a suggestion of settings with which the run would fit into `free` bytes.

    Tried in the order of what costs least: checkpointing, a smaller batch, a shorter length (not
    below the longest row), adapters instead of all weights, 4 bits (where there is CUDA).
    """
    tried: list[str] = []

    def fits() -> bool:
        needed = estimate(
            shape, recipe, max_length=max_length, half=half, preferences=preferences, cuda=cuda
        )
        return needed.total <= free

    if not recipe.gradient_checkpointing:
        recipe = recipe.model_copy(update={"gradient_checkpointing": True})
        tried.append("gradient_checkpointing true")
    if not fits() and recipe.batch_size > 1:
        whole = recipe.batch_size * recipe.gradient_accumulation
        recipe = recipe.model_copy(update={"batch_size": 1, "gradient_accumulation": whole})
        tried.append(f"batch_size 1 with gradient_accumulation {whole}")
    if not fits() and longest < max_length:
        max_length = longest
        tried.append(f"max_length {longest}")
    if not fits() and recipe.method == "full":
        recipe = recipe.model_copy(update={"method": "lora"})
        tried.append("method lora")
    if not fits() and recipe.method == "lora" and cuda:
        recipe = recipe.model_copy(update={"method": "qlora"})
        tried.append("method qlora")
    if tried and fits():
        return "set " + ", ".join(tried)
    return "choose a smaller base or a larger machine"
