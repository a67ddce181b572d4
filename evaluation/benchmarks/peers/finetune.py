"""Plain trl beside ours: `model FOLDER SIZE` writes a base, `train FOLDER` trains by run.json.

Run with the packages of the `train` extra and torch. The base is shaped like a Llama, with random
weights: it is for speed and memory, and says nothing of quality.
"""

import json
import resource
import sys
import time
from pathlib import Path

SHAPES = {  # hidden, layers, heads, key heads, intermediate, vocabulary
    "tiny": (128, 4, 4, 2, 352, 4_096),
    "100m": (640, 12, 10, 5, 1_792, 32_000),
    "1b": (2_048, 16, 32, 8, 8_192, 32_000),
    "3b": (3_072, 28, 24, 8, 8_192, 32_000),
}
CONTEXT = 4_096
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def write_base(folder: Path, size: str) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    hidden, layers, heads, kv_heads, intermediate, vocabulary = SHAPES[size]
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE({one: at for at, one in enumerate(special + letters)}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=special[2:],
    )
    wrapped.chat_template = TEMPLATE
    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=intermediate,
        vocab_size=vocabulary,
        max_position_embeddings=CONTEXT,
        eos_token_id=wrapped.eos_token_id,
        pad_token_id=wrapped.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)


def train(folder: Path) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    told = json.loads((folder / "run.json").read_text("utf-8"))
    recipe, half, cuda = told["recipe"], told["half"], told["cards"] > 0
    lines = (folder / "train.jsonl").read_text("utf-8").splitlines()
    rows = [{"messages": json.loads(line)["messages"]} for line in lines]
    marks: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_log(self, _args, _state, _control, logs=None, **_):
            if logs and "num_tokens" in logs and "loss" in logs:  # at every tenth step
                if cuda:
                    torch.cuda.synchronize()
                marks.append((logs["num_tokens"], time.monotonic()))

    adapter = LoraConfig(
        r=recipe["rank"],
        lora_alpha=recipe["alpha"],
        lora_dropout=recipe["dropout"],
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    full = recipe["method"] == "full"
    options = {"dtype": "bfloat16" if half and not full else "float32"}
    if recipe["method"] == "qlora":
        options |= {"quantization_config": quantised, "device_map": {"": 0}}
    trainer = SFTTrainer(
        model=told["base"],
        args=SFTConfig(
            output_dir=str(folder / "plain"),
            model_init_kwargs=options,
            max_steps=recipe["max_steps"],
            per_device_train_batch_size=recipe["batch_size"],
            gradient_accumulation_steps=recipe["gradient_accumulation"],
            gradient_checkpointing=recipe["gradient_checkpointing"],
            gradient_checkpointing_kwargs={"use_reentrant": False},
            learning_rate=recipe["learning_rate"],
            max_length=recipe["max_length"],
            packing=recipe["packing"],
            assistant_only_loss=True,
            bf16=half,
            use_cpu=not cuda,
            dataloader_pin_memory=cuda,
            seed=recipe["seed"],
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        processing_class=AutoTokenizer.from_pretrained(told["base"]),
        train_dataset=Dataset.from_list(rows),
        peft_config=None if full else adapter,
        callbacks=[Clock()],
    )
    trainer.train()
    (first, began), (last, ended) = marks[0], marks[-1]
    if cuda:
        peak = torch.cuda.max_memory_reserved()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens_per_second": (last - first) / (ended - began), "peak_memory": peak}))


if __name__ == "__main__":
    if sys.argv[1] == "model":
        write_base(Path(sys.argv[2]), sys.argv[3])
    else:
        train(Path(sys.argv[2]))
