"""Loads a base: weights from safetensors alone, in the precision that the run computes with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from finetune.bases import SMALL_FILES, chat_template_of
from finetune.local_recipe import LocalRecipe

FETCHED = (*SMALL_FILES, "*.safetensors", "*.safetensors.index.json", "tokenizer.model", "*.txt")


@dataclass(frozen=True)
class Job:
    """What the parent wrote into `run.json`, and the folder that it lies in."""

    folder: Path
    run: int
    format: str
    dataset_sha256: str
    base: str
    at_hub: bool
    revision: str
    recipe: LocalRecipe
    cards: int
    half: bool
    memory_estimate: int

    @property
    def preferences(self) -> bool:
        """Whether it learns from pairs of answers."""
        return self.format == "dpo"


def fetch_base(job: Job) -> Path:
    """Return the folder with the base's files, fetched from the hub where it is there."""
    if not job.at_hub:
        return Path(job.base)
    return Path(
        snapshot_download(job.base, revision=job.revision, allow_patterns=list(FETCHED))
    ).resolve()


def load_tokenizer(folder: Path, chosen_template: str | None = None) -> Any:
    """Return a tokenizer with a chat template and a token to pad with."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    tokenizer.chat_template = chat_template_of(folder, chosen_template)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, dtype: Any, *, four_bits: bool = False) -> Any:
    """Return a language model in a precision; `four_bits` holds its linear layers in NF4."""
    quantised = None
    if four_bits:
        quantised = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation="sdpa",
        quantization_config=quantised,
        device_map={"": torch.cuda.current_device()} if four_bits else None,
    )


def trained_dtype(job: Job) -> Any:
    """Return the precision that weights are loaded in: what is trained whole stays at 32 bits."""
    return torch.bfloat16 if job.half and job.recipe.method != "full" else torch.float32


def device() -> Any:
    """Return where to compute: the graphics card, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
