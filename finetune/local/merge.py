"""An adapter laid into its base's weights, and whether the merged model says the same."""

import gc
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from finetune.local.loading import device, load_model

CHECKED_TOKENS = 24  # of each prompt's continuation are compared
CARD = "card.json"


def weights_sha256(folder: Path) -> str:
    """Return a hash of a folder's weights: names and contents, in order."""
    hashed = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as stream:
            hashed.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return hashed.hexdigest()


def keep_base(adapter: Path, base: Path, card: dict[str, Any]) -> None:
    """Let a saved adapter name its base by an absolute path, and keep the card beside it."""
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["base_model_name_or_path"] = str(base.resolve())
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
    write_card(adapter, card)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Keep beside weights what they were made of."""
    (folder / CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")


def merge(
    base: Path,
    adapter: Path,
    target: Path,
    tokenizer: Any,
    dtype: Any,
    prompts: Sequence[Sequence[dict[str, str]]],
) -> int:
    """Write the merged model to `target`; return for how many prompts it says the same.

    Both speak greedily, the merged one as it was read back from the disk.
    """
    model = PeftModel.from_pretrained(load_model(base, dtype).to(device()), str(adapter)).eval()
    before = [speak(model, tokenizer, prompt) for prompt in prompts]
    merged = model.merge_and_unload()
    write_model(merged, tokenizer, target)
    del model, merged
    free()
    model = load_model(target, dtype).to(device()).eval()
    after = [speak(model, tokenizer, prompt) for prompt in prompts]
    del model
    free()
    return sum(one == other for one, other in zip(before, after, strict=True))


def write_model(model: Any, tokenizer: Any, target: Path) -> None:
    """Write a model with its tokenizer, whole or not at all."""
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    settings = model.generation_config
    settings.pad_token_id = tokenizer.pad_token_id
    known = settings.eos_token_id
    ends = known if isinstance(known, list) else [] if known is None else [known]
    if tokenizer.eos_token_id not in ends:
        settings.eos_token_id = [tokenizer.eos_token_id, *ends]
    model.save_pretrained(partial, safe_serialization=True)
    tokenizer.save_pretrained(partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def speak(model: Any, tokenizer: Any, prompt: Sequence[dict[str, str]]) -> list[int]:
    """Return the ids that a model continues a prompt with, greedily."""
    text = tokenizer.apply_chat_template(
        [dict(one) for one in prompt], tokenize=False, add_generation_prompt=True
    )
    tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        said = model.generate(
            **tokens,
            max_new_tokens=CHECKED_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
    return [int(one) for one in said[0, tokens["input_ids"].shape[1] :]]


def free() -> None:
    """Give back what is held of models that are gone."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
