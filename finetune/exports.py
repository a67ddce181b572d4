"""Other forms of a local model: made by tools that exist, and candidates of their own.

What changes weights changes what a model says. So each form but a plain copy is registered as a
candidate, and answers nobody before its gate. Nothing here loads torch.
"""

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Engine

from core.errors import FootnoteError
from finetune.gpu_memory import GIB, free_of_cards
from finetune.local_process import child_environment
from finetune.local_runs import need_packages
from finetune.serving import is_local
from store.model_registry import Model, find_model, register_model

Format = Literal["merged", "gguf", "quantised", "pruned"]

CONVERTER = "convert_hf_to_gguf.py"  # llama.cpp's
LONGEST = 3600.0  # seconds for one export
TOLD = 300  # characters of a tool's last line that are shown
PRUNED_SHARE = 0.2  # of the weights of linear layers, the smallest of each


class ExportError(FootnoteError):
    """A model cannot be brought into another form; the message says why and what to do."""


@dataclass(frozen=True)
class Exported:
    """What an export made: where it lies, and the candidate that it became (None for a copy)."""

    place: Path
    candidate: Model | None


def export(
    engine: Engine,
    model: Model,
    chosen: Format,
    target: Path,
    *,
    share: float = PRUNED_SHARE,
    tool: Path | None = None,
    endpoint: str | None = None,
) -> Exported:
    """Write a local model to `target` in another form.

    `share` is how much is pruned, `tool` where llama.cpp's converter is, `endpoint` the address
    that will serve a GGUF file. Raises ExportError, TrainingError for missing packages; nothing
    is registered then, and nothing is left at `target`.
    """
    if not is_local(model):
        raise ExportError(
            f"{model.name} is no model of this machine; only such ones are exported."
        )
    target = target.expanduser().absolute()
    _need_place(target, Path(model.artefact))
    if chosen == "merged":
        _copy(Path(model.artefact), target)
        return Exported(target, None)
    command = _command(chosen, Path(model.artefact), target, share, tool)
    try:
        _run(command, chosen)
    except ExportError:
        _remove(target)
        raise
    made = register_model(
        engine,
        model.workspace_id,
        "style",
        f"{model.name}-{chosen}",
        str(target),
        endpoint=endpoint,
        base=model.name,
        backend="local",
    )
    return Exported(target, find_model(engine, model.workspace_id, made))


def _need_place(target: Path, source: Path) -> None:
    if target.exists():
        raise ExportError(f"{target} is there already; name a place where nothing is.")
    if not target.parent.is_dir():
        raise ExportError(f"There is no folder {target.parent}; make it first.")
    needed = sum(path.stat().st_size for path in source.iterdir())
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise ExportError(
            f"The export may need {needed / GIB:.1f} GiB and {target.parent} has"
            f" {free / GIB:.1f} free; make room or name another place."
        )


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target)
    except OSError as error:
        _remove(target)
        raise ExportError(f"{target} cannot be written ({error.strerror}).") from error


def _command(
    chosen: Format, source: Path, target: Path, share: float, tool: Path | None
) -> list[str]:
    """Return what makes a form; raises ExportError where the tool for it is missing."""
    if chosen == "gguf":
        found = tool or shutil.which(CONVERTER)
        if found is None or not Path(found).is_file():
            raise ExportError(
                f"GGUF is written by llama.cpp's {CONVERTER}, which is not on PATH; fetch"
                " llama.cpp and name the file with --tool."
            )
        return [sys.executable, str(found), str(source), "--outfile", str(target)]
    need_packages()
    if chosen == "quantised":
        if importlib.util.find_spec("bitsandbytes") is None:
            raise ExportError(
                "Quantising needs the package bitsandbytes, which is not installed; install it"
                " into .venv, or export gguf."
            )
        if not free_of_cards():
            raise ExportError(
                "Quantising needs a graphics card with CUDA and this machine has none; do it"
                " where there is one, or export gguf."
            )
    arguments = [str(source), str(target), chosen, str(share)]
    return [sys.executable, "-P", "-m", "finetune.local.export", *arguments]


def _run(command: list[str], chosen: Format) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=child_environment(),
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"The export was not done after {LONGEST / 60:.0f} minutes.") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise ExportError(f"The tool for {chosen} failed: {lines[-1][:TOLD]}")


def _remove(target: Path) -> None:
    for place in (target, target.with_name(f"{target.name}.partial")):
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
