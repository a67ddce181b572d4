"""Small trained models as folders: numbers in one `.npz`, and a card that says what they are.

Nothing in such a folder is code: `.npz` is read without pickle, the card is JSON. Each model was
made for one embedder, and its folder keeps the vector of a probe sentence: an embedder of the same
name whose vectors became others is refused as one of another name is.
"""

import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import FootnoteError
from retrieval.embeddings import Embedder, Vectors

NUMBERS = "numbers.npz"
CARD = "card.json"
FORMAT = 1  # raise when what a folder holds changes its meaning
PROBE = "May I return a lamp that I bought in a sale three weeks ago?"
PROBE_LIKENESS = 0.98  # cosine: int8 on another processor rounds a little differently
MOST_BYTES = 256 << 20  # of a folder's numbers; ours take a few MB

Numbers = Mapping[str, NDArray[Any]]


class ArtefactError(FootnoteError):
    """A trained model's folder is missing, damaged, or made for another embedder."""


def save(
    folder: Path, kind: str, card: Mapping[str, Any], numbers: Numbers, probe: Vectors
) -> None:
    """Write a folder whole or not at all; `probe` is the embedder's vector of `PROBE` [d]."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"format": FORMAT, "kind": kind, **card}
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / NUMBERS
        np.savez(path, allow_pickle=False, **{**numbers, "probe": probe})
        path.replace(folder / NUMBERS)
        words = Path(made) / CARD
        words.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
        words.replace(folder / CARD)  # last: a folder without its card is not finished


def load(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a folder's card and numbers. Raises ArtefactError."""
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        if (folder / NUMBERS).stat().st_size > MOST_BYTES:
            raise ArtefactError(f"{folder.name} is larger than any such model; train it again.")
        with (
            (folder / NUMBERS).open("rb") as stream,
            np.load(stream, allow_pickle=False) as file,
        ):
            numbers = {name: file[name] for name in file.files}
    except OSError as error:
        raise ArtefactError(
            f"its folder {folder} is not there or cannot be read; put it back or train again."
        ) from error
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise ArtefactError(f"its folder {folder} is damaged; train it again.") from error
    if not isinstance(card, dict) or card.get("kind") != kind or card.get("format") != FORMAT:
        raise ArtefactError(f"its folder {folder} holds no {kind} that this version reads.")
    return card, numbers


def check_embedder(card: Mapping[str, Any], numbers: Numbers, embedder: Embedder) -> None:
    """Raise ArtefactError where a model was made for vectors of another embedder."""
    made_for = card.get("embedder")
    if made_for != embedder.model or card.get("dimensions") != embedder.dimensions:
        raise ArtefactError(
            f"it was made for the embedding model {made_for}, and {embedder.model} is in use;"
            " train it again."
        )
    probe = np.asarray(numbers.get("probe", ()), dtype=np.float32)
    if probe.shape != (embedder.dimensions,) or not (
        float(probe @ embedder.embed([PROBE])[0]) >= PROBE_LIKENESS
    ):
        raise ArtefactError(
            f"{embedder.model} gives other vectors than when it was made; train it again."
        )
