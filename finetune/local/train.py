"""`python -m finetune.local.train FOLDER`: trains as the folder's `run.json` says.

Run as a process of its own by `finetune.local_runs`, once for each graphics card. It needs the
packages of the `train` extra and torch, and no settings and no database.
"""

import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import EarlyStoppingCallback, set_seed
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from core.errors import FootnoteError
from finetune.bases import ends_of, read_tokenizer
from finetune.local.callbacks import Teller, last_checkpoint, peak_memory
from finetune.local.loading import Job, fetch_base, load_model, load_tokenizer, trained_dtype
from finetune.local.merge import free, keep_base, merge, weights_sha256, write_card, write_model
from finetune.local.progress import Progress, end_with_parent
from finetune.local.rows import encode, preferences, prompts
from finetune.local_recipe import read_recipe

CHECKED_PROMPTS = 3
ADAPTER, MERGED, CHECKPOINTS = "adapter", "merged", "checkpoints"
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_cpu", "not enough memory")
DISK_FULL = ("no space left", "os error 28", "disk quota", "pytorchstreamwriter failed writing")


def read_job(folder: Path) -> Job:
    """Return what the parent wrote."""
    told = json.loads((folder / "run.json").read_text("utf-8"))
    return Job(
        folder=folder,
        run=told["run"],
        format=told["format"],
        dataset_sha256=told["dataset_sha256"],
        base=told["base"],
        at_hub=told["at_hub"],
        revision=told["revision"],
        recipe=read_recipe(told["recipe"]),
        cards=told["cards"],
        half=told["half"],
        memory_estimate=told["memory_estimate"],
    )


def carry_out(job: Job, progress: Progress) -> dict[str, Any]:
    """Train, merge and check; return the artefact with what was measured."""
    began = time.monotonic()
    set_seed(job.recipe.seed)
    base = fetch_base(job)
    tokenizer = load_tokenizer(base, job.recipe.chat_template)
    model = load_model(base, trained_dtype(job), four_bits=job.recipe.method == "qlora")
    teller = Teller(progress)
    trainer = make_trainer(job, model, tokenizer, ends_of(base, read_tokenizer(base)), teller)
    tell_learned(job, trainer, progress)
    resumed = last_checkpoint(job.folder / CHECKPOINTS)
    if resumed is not None:
        step = resumed.name.rpartition("-")[2]
        progress.event(f"Goes on from the checkpoint of step {step}.", f"resumed {step}")
    outcome = trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))
    result = figures(job, trainer, outcome, teller)
    if resumed is not None:
        result["resumed_from"] = int(resumed.name.rpartition("-")[2])
    card = {
        "run": job.run,
        "base": str(base),
        "base_sha256": weights_sha256(base),
        "base_revision": job.revision,
        "dataset_sha256": job.dataset_sha256,
        "recipe": job.recipe.model_dump(),
    }
    result["base_sha256"] = card["base_sha256"]
    if trainer.accelerator.is_main_process:
        trained = trainer.accelerator.unwrap_model(trainer.model)
        keep(job, trained, tokenizer, base, card, result, progress)
    trainer.accelerator.wait_for_everyone()
    return {
        "artefact": str(job.folder / MERGED),
        "result": result,
        "cost": {"seconds": round(time.monotonic() - began, 1), "tokens": int(teller.tokens)},
    }


def make_trainer(job: Job, model: Any, tokenizer: Any, ends: Sequence[str], teller: Teller) -> Any:
    """Return trl's trainer for the run."""
    recipe, folder = job.recipe, job.folder
    validated = (folder / "validation.jsonl").stat().st_size > 0
    options = common_options(job, validated)
    adapter = None
    if recipe.method != "full":
        adapter = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    made: Any
    if job.preferences:
        made = DPOTrainer(
            model=model,
            args=DPOConfig(**options, max_length=recipe.max_length, beta=recipe.beta),
            processing_class=tokenizer,
            train_dataset=preferences(folder / "train.jsonl"),
            eval_dataset=preferences(folder / "validation.jsonl") if validated else None,
            peft_config=adapter,
        )
    else:
        kept = {"max_length": recipe.max_length, "packing": recipe.packing, "eval_packing": False}
        made = SFTTrainer(
            model=model,
            args=SFTConfig(**options, **kept),
            processing_class=tokenizer,
            train_dataset=encode(folder / "train.jsonl", job.format, tokenizer, ends),
            eval_dataset=(
                encode(folder / "validation.jsonl", job.format, tokenizer, ends)
                if validated
                else None
            ),
            peft_config=adapter,
        )
    made.add_callback(teller)
    if validated and recipe.patience:
        made.add_callback(EarlyStoppingCallback(early_stopping_patience=recipe.patience))
    return made


def common_options(job: Job, validated: bool) -> dict[str, Any]:
    """Return the options that both trainers share.

    Without rows to validate on there is no best step: the last one is kept.
    """
    recipe = job.recipe
    return {
        "output_dir": str(job.folder / CHECKPOINTS),
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "per_device_train_batch_size": recipe.batch_size,
        "per_device_eval_batch_size": recipe.batch_size,
        "gradient_accumulation_steps": recipe.gradient_accumulation,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "bf16": job.half,
        "use_cpu": job.cards == 0,
        "dataloader_pin_memory": job.cards > 0,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # else a loss that is no number would be told as zero
        "eval_strategy": "steps" if validated else "no",
        "eval_steps": recipe.eval_every,
        "save_strategy": "steps",
        "save_steps": recipe.eval_every,
        "save_total_limit": 2,
        "load_best_model_at_end": validated,
        "metric_for_best_model": "eval_loss" if validated else None,
        "greater_is_better": False if validated else None,
        "report_to": "none",
        "disable_tqdm": True,
    }


def tell_learned(job: Job, trainer: Any, progress: Progress) -> None:
    """Tell how large the run is, before its first step."""
    rows = len(trainer.train_dataset)
    what = "blocks" if job.recipe.packing else "rows"
    weights = sum(one.numel() for one in trainer.model.parameters() if one.requires_grad)
    where = f"{job.cards} graphics cards" if job.cards > 1 else str(trainer.args.device)
    progress.event(
        f"Trains {weights:,} weights ({job.recipe.method}) on {rows:,} {what}, on {where}.",
        "begins",
    )


def figures(job: Job, trainer: Any, outcome: Any, teller: Teller) -> dict[str, Any]:
    """Return what the run measured."""
    state = trainer.state
    found: dict[str, Any] = {
        "steps": int(state.global_step),
        "train_loss": round(float(outcome.training_loss), 4),
        "peak_memory": peak_memory(),
        "memory_estimate": job.memory_estimate,
        "device": str(trainer.args.device),
        "method": job.recipe.method,
        "packing": bool(job.recipe.packing),
    }
    if teller.speed is not None:
        found["tokens_per_second"] = round(teller.speed, 1)
    if teller.overall_speed is not None:
        found["overall_tokens_per_second"] = round(teller.overall_speed, 1)
    if state.best_metric is not None:
        found["eval_loss"] = round(float(state.best_metric), 4)
        found["best_step"] = int(state.best_global_step)
    return found


def keep(
    job: Job,
    trained: Any,
    tokenizer: Any,
    base: Path,
    card: dict[str, Any],
    result: dict[str, Any],
    progress: Progress,
) -> None:
    """Write what was trained: all weights, or the adapter and the base merged with it."""
    merged = job.folder / MERGED
    if job.recipe.method == "full":
        dtype = torch.bfloat16 if job.half else torch.float32
        write_model(trained.to(dtype), tokenizer, merged)
        write_card(merged, card)
        return
    adapter = job.folder / ADAPTER
    trained.save_pretrained(adapter, safe_serialization=True)
    keep_base(adapter, base, card)
    dtype = torch.bfloat16 if job.half else torch.float32
    del trained
    free()
    asked = prompts(job.folder, CHECKED_PROMPTS)
    same = merge(base, adapter, merged, tokenizer, dtype, asked)
    write_card(merged, card)
    result["merged_equals_adapter"] = f"{same}/{len(asked)}"
    if same < len(asked):
        progress.event(
            f"The merged model continues {len(asked) - same} of {len(asked)} prompts in other"
            " words than base and adapter apart, since its weights are rounded."
        )


def reason(error: Exception, job: Job) -> str | None:
    """Return in a sentence why a run failed, None where that is not known."""
    if isinstance(error, FootnoteError):
        return str(error)
    told = str(error).lower()
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        part in told for part in OUT_OF_MEMORY
    ):
        estimated = job.memory_estimate / 2**30
        return (
            f"Memory ran out (estimated were {estimated:.1f} GiB); set a smaller batch_size or"
            " max_length, gradient_checkpointing true, or method qlora on a graphics card."
        )
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(part in told for part in DISK_FULL):
        return "The disk is full; make room where FOOTNOTE_HOME is and start the run again."
    return None


def main(folder: Path) -> int:
    """Carry out the folder's run; return the exit status."""
    end_with_parent()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    progress = Progress(folder)
    job = read_job(folder)
    try:
        done = carry_out(job, progress)
    except Exception as error:
        told = reason(error, job)
        if told is None:
            raise
        progress.tell("failed", reason=told)
        return 1
    progress.tell("done", **done)
    return 0


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(status)  # nothing is left to do, and taking torch down takes seconds
