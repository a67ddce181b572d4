"""Local fine-tuning from outside: what is checked before, and how a run is carried out.

Nothing here loads torch. The training itself is `finetune.local.train`, in a process of its own.
"""

import importlib.util
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.settings import Settings
from finetune.backends import Made, Report, TrainingError, need_rows
from finetune.bases import Base, find_base
from finetune.gpu_memory import GIB, Device, Estimate, estimate, find_device, what_would_fit
from finetune.local_process import PROGRESS, alone, command, end_process, follow, start_process
from finetune.local_recipe import LocalRecipe, read_recipe
from finetune.local_rows import PREFERENCES, fits_local, measure, write_rows
from store.datasets import Dataset, DatasetRow
from store.runs import Run

PACKAGES = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
BLOCK = 1024  # tokens of a packed block, unless a row is longer
ROUND = 64  # tokens; lengths are rounded up to a multiple
STEPS_WORTH_PACKING = 200  # below, packing leaves too few steps to learn from
EVALUATIONS = 10  # in a run, unless the recipe says every how many steps
CHECKPOINTS = 2  # that are kept: the best and the last
ONE_RUN = "local.lock"


def check(
    settings: Settings,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    base: str | None,
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """Look at what a run would be made of; return the recipe with what follows from it.

    A recipe that says how many `devices` is for another machine: memory, disk and packages are
    looked at there. Raises TrainingError with one sentence.
    """
    fits_local(dataset.format)
    need_rows(rows)
    wanted = read_recipe(recipe)
    found = find_base(base, wanted.revision)
    whole, longest = complete(wanted, found, dataset, rows)
    if wanted.devices is None:
        need_packages()
        need_room(settings.home, found, whole)
        need_memory(found, whole, find_device(), dataset.format == PREFERENCES, longest)
    return whole.model_dump()


def complete(
    recipe: LocalRecipe, base: Base, dataset: Dataset, rows: Sequence[DatasetRow]
) -> tuple[LocalRecipe, int]:
    """Return the recipe with every setting that follows, and the longest row's tokens.

    Raises TrainingError for a row that is too long, and where the base does not fit the recipe.
    """
    context = base.shape.context
    if recipe.max_length and context and recipe.max_length > context:
        raise TrainingError(
            f"The recipe's max_length is {recipe.max_length:,} and the base's context is"
            f" {context:,} tokens; set it lower."
        )
    preferences = dataset.format == PREFERENCES
    lengths = measure(base, dataset.format, rows, recipe.chat_template, recipe.max_length)
    count = sum(row.split == "train" for row in rows)
    longest = min(ceil(lengths.longest / ROUND) * ROUND, context or 10**9)
    block = recipe.max_length or max(longest, min(BLOCK, context or BLOCK))
    batch = recipe.batch_size * recipe.gradient_accumulation
    packed = ceil(ceil(lengths.total / block) / batch * recipe.epochs)
    packing = recipe.packing
    if packing is None:
        packing = packed >= STEPS_WORTH_PACKING
    packing = packing and not preferences
    steps = packed if packing else ceil(ceil(count / batch) * recipe.epochs)
    steps = min(steps, recipe.max_steps or steps)
    filled = {
        "learning_rate": recipe.rate(preferences),
        "packing": packing,
        "max_length": block if packing else recipe.max_length or longest,
        "eval_every": recipe.eval_every or max(1, ceil(steps / EVALUATIONS)),
        "revision": base.revision,
    }
    return recipe.model_copy(update=filled), longest


def need_packages() -> None:
    """Raise TrainingError where the packages of the `train` extra or torch are missing."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing == ["torch"]:
        raise TrainingError(
            "Local models need torch, in the build for this machine; install it into .venv as"
            " docs/howto/train-locally.md says."
        )
    if missing:
        raise TrainingError(
            "Local models need packages that are not installed; run `python3 run.py install"
            " train`."
        )


def need_room(home: Path, base: Base, recipe: LocalRecipe) -> None:
    """Raise TrainingError where the disk has too little room for checkpoints and the model."""
    needed = room(base, recipe)
    place = next(one for one in (home, *home.parents) if one.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise TrainingError(
            f"The run needs {needed / GIB:.1f} GiB of disk and {place} has {free / GIB:.1f} free;"
            " make room, or move FOOTNOTE_HOME to a larger disk."
        )


def room(base: Base, recipe: LocalRecipe) -> int:
    """Return the bytes of disk that a run takes at most: checkpoints and the merged model."""
    full = recipe.method == "full"
    trained = base.shape.parameters if full else recipe.rank * base.shape.edges
    merged = 4 * base.shape.parameters if full else base.weights
    fetched = base.weights if base.hub_id else 0
    return merged + fetched + (CHECKPOINTS + 1) * 12 * trained + 50 * 2**20


def need_memory(
    base: Base, recipe: LocalRecipe, device: Device, preferences: bool, longest: int | None = None
) -> Estimate:
    """Return what a run will hold on a device; raise TrainingError where that does not fit.

    `longest` are the tokens of the longest row, where they are known: blocks may be as short.
    """
    if recipe.method == "qlora":
        need_four_bits(device)
    half, length = uses_half(recipe, device), recipe.max_length or base.shape.context
    cuda = device.cards > 0
    needed = estimate(
        base.shape, recipe, max_length=length, half=half, preferences=preferences, cuda=cuda
    )
    if needed.total > device.free:
        advice = what_would_fit(
            base.shape,
            recipe,
            device.free,
            max_length=length,
            longest=longest or length,
            half=half,
            preferences=preferences,
            cuda=cuda,
        )
        raise TrainingError(
            f"The run would need about {needed.total / GIB:.1f} GiB and {device.name} has"
            f" {device.free / GIB:.1f} free; {advice}."
        )
    return needed


def need_four_bits(device: Device) -> None:
    """Raise TrainingError where a model cannot be held in four bits."""
    if device.cards == 0:
        raise TrainingError(
            "QLoRA needs a graphics card with CUDA and this machine has none; set method lora."
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingError(
            "QLoRA needs the package bitsandbytes, which is not installed; install it into .venv,"
            " or set method lora."
        )


def uses_half(recipe: LocalRecipe, device: Device) -> bool:
    """Whether a run computes with bfloat16: as the recipe says, else on graphics cards."""
    return device.cards > 0 if recipe.bf16 is None else recipe.bf16


def train(
    engine: Engine,
    run: Run,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Carry out a run in `folder`; called again for it, it goes on from the last checkpoint.

    Rows and checkpoints lie in the folder only while the run is under way; who called clears it
    when this raises TrainingError with the reason, or RunCancelledError.
    """
    del engine
    return train_in(folder, run, dataset, rows, report)


def train_in(
    folder: Path, run: Run, dataset: Dataset, rows: Sequence[DatasetRow], report: Report
) -> Made:
    """Carry out a run as `train` does; no database is asked."""
    recipe = read_recipe(run.recipe)
    need_packages()
    with alone(folder.parent / ONE_RUN, report):
        base = find_base(run.base, recipe.revision)
        device = find_device(recipe.devices)
        if recipe.devices and device.cards < recipe.devices:
            raise TrainingError(
                f"The recipe says {recipe.devices} graphics cards and this machine has"
                f" {device.cards}; correct devices, or start the worker where they are."
            )
        need_room(folder.parent, base, recipe)
        needed = need_memory(base, recipe, device, dataset.format == PREFERENCES)
        prepare(folder, run.id, dataset, base, recipe, device, needed)
        write_rows(folder, rows)
        started = command(device.cards, str(folder))
        process = start_process(started, folder, hub=base.hub_id is not None)
        try:
            done = follow(process, folder, report)
        finally:
            end_process(process)
    _clear(folder)
    return Made(done["artefact"], done["result"], done["cost"])


def prepare(
    folder: Path,
    run_id: int,
    dataset: Dataset,
    base: Base,
    recipe: LocalRecipe,
    device: Device,
    needed: Estimate,
) -> None:
    """Write what the process reads, and forget what an earlier one told."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    told = {
        "run": run_id,
        "format": dataset.format,
        "dataset_sha256": dataset.sha256,
        "base": base.hub_id or str(base.folder),
        "at_hub": base.hub_id is not None,
        "revision": base.revision,
        "recipe": recipe.model_dump(),
        "cards": device.cards,
        "half": uses_half(recipe, device),
        "memory_estimate": needed.total,
        "memory_parts": asdict(needed),
    }
    (folder / "run.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def _clear(folder: Path) -> None:
    """Remove the rows and the checkpoints: words of people stay in the database alone."""
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").unlink(missing_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    for path in folder.glob("*.partial"):
        shutil.rmtree(path, ignore_errors=True)
