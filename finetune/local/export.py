"""`python -m finetune.local.export SOURCE TARGET FORMAT SHARE`: writes another form of a model.

Run as a process of its own by `finetune.exports`. Quantised is NF4 by bitsandbytes, pruned is
torch's pruning of the smallest weights: those stay in the file, as zeros.
"""

import json
import sys
from pathlib import Path

import torch
from torch.nn.utils import prune

from finetune.local.loading import load_model, load_tokenizer
from finetune.local.merge import CARD, write_card, write_model


def pruned(source: Path, target: Path, share: float) -> None:
    """Set the smallest weights of each linear layer but the output's to zero."""
    model = load_model(source, "auto")
    output = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not output:
            prune.l1_unstructured(module, "weight", amount=share)
            prune.remove(module, "weight")
    write_model(model, load_tokenizer(source), target)


def quantised(source: Path, target: Path) -> None:
    """Hold the linear layers in four bits."""
    model = load_model(source, torch.bfloat16, four_bits=True)
    write_model(model, load_tokenizer(source), target)


def main(source: Path, target: Path, chosen: str, share: float) -> None:
    """Write one form, with a card that says what it was made of."""
    if chosen == "pruned":
        pruned(source, target, share)
    else:
        quantised(source, target)
    path = source / CARD
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    form = {"form": chosen} | ({"pruned_share": share} if chosen == "pruned" else {})
    write_card(target, {**known, **form, "made_of": str(source)})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
