"""Bases as folders, made without torch: a configuration, a tokenizer, weights of zeros."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.fakes.tiny_model import TEMPLATE

HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY = 16, 2, 32, 261


def write_base(folder: Path, *, template: str | None = TEMPLATE, context: int = 256) -> Path:
    """Write a base whose tokens are bytes, so that a row's length can be counted by hand."""
    folder.mkdir(parents=True)
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE({one: at for at, one in enumerate(special + alphabet)}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    told: dict[str, Any] = {"eos_token": "<|end|>", "pad_token": "<|pad|>"}
    if template is not None:
        told["chat_template"] = template
    _write(folder / "tokenizer_config.json", told)
    _write(
        folder / "config.json",
        {
            "model_type": "llama",
            "hidden_size": HIDDEN,
            "num_hidden_layers": LAYERS,
            "intermediate_size": INTERMEDIATE,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": context,
        },
    )
    weights = {
        "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
        "lm_head.weight": (VOCABULARY, HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        weights |= {
            f"{name}.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
            f"{name}.self_attn.k_proj.weight": (HIDDEN // 2, HIDDEN),
            f"{name}.self_attn.v_proj.weight": (HIDDEN // 2, HIDDEN),
            f"{name}.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
            f"{name}.mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{name}.mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
            f"{name}.mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
            f"{name}.input_layernorm.weight": (HIDDEN,),
        }
    save_file(
        {name: np.zeros(shape, np.float32) for name, shape in weights.items()},
        folder / "model.safetensors",
    )
    return folder


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
