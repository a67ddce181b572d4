"""A language model that is small enough for tests: random weights, a tokenizer of its own.

It can be trained, merged, served and asked within seconds. What it says is of no quality, and
nothing is claimed from it. `python -m tests.fakes.tiny_model FOLDER [seed]` writes one; that
needs torch and transformers, which the tests' own process does not load.
"""

import sys
from pathlib import Path
from typing import Any

LINES = (
    "You answer as a member of the support team, in the team's voice.",
    "Rewrite the numbered sentences in the team's voice: same facts, same order.",
    "1. Sale items can be returned within 30 days. [1]",
    "2. Refunds are paid to the card that was used. [2]",
    "Sure thing! Sale items can come back within 30 days.",
    "Thanks so much, that made our day!",
    "user system assistant",
)
CONTEXT = 512
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def write_model(folder: Path, seed: int = 7) -> None:
    """Write a Llama of some 100,000 weights to `folder`, in safetensors."""
    import torch  # noqa: PLC0415 - in a process of its own only, as what follows
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415
    from transformers import (  # noqa: PLC0415
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
    )

    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=512, special_tokens=special, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(LINES * 4, trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=special[2:],
        model_max_length=CONTEXT,
    )
    wrapped.chat_template = TEMPLATE
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(wrapped),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=CONTEXT,
            eos_token_id=wrapped.eos_token_id,
            pad_token_id=wrapped.pad_token_id,
            bos_token_id=None,
            tie_word_embeddings=False,
        )
    )
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)


if __name__ == "__main__":
    write_model(Path(sys.argv[1]), *(int(one) for one in sys.argv[2:]))
