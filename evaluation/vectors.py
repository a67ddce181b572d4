"""Vectors of evaluation sets, kept between measurements: embedding is most of their time.

Only texts of files that an operator measures on are kept, never what people asked or approved:
deleting somebody's words must not leave their vectors behind.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from retrieval.embeddings import Embedder, Vectors

BATCH = 256  # texts between two reports of progress


class KeptVectors:
    """An embedder whose vectors are kept in a folder, by the hash of model and text."""

    def __init__(
        self,
        embedder: Embedder,
        folder: Path,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """Keep vectors under `folder`, one file a model."""
        self.model = embedder.model
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._path = folder / f"vectors-{re.sub(r'[^A-Za-z0-9.-]+', '-', embedder.model)}.npz"
        self._progress = progress

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return vectors [len(texts), dimensions]; what is not kept yet is embedded and kept."""
        keys = [self._key(text) for text in texts]
        known = self._read()
        fresh = list(dict.fromkeys(k for k in keys if k not in known))
        by_key = dict(zip(keys, texts, strict=True))
        for start in range(0, len(fresh), BATCH):
            part = fresh[start : start + BATCH]
            known |= dict(
                zip(part, self._embedder.embed([by_key[key] for key in part]), strict=True)
            )
            self._progress(start + len(part), len(fresh))
        if fresh:
            self._write({key: known[key] for key in fresh})
        made = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, key in enumerate(keys):
            made[row] = known[key]
        return made

    def _key(self, text: str) -> str:
        return hashlib.sha256(f"{self.model}\n{text}".encode()).hexdigest()[:32]

    def _read(self) -> dict[str, Vectors]:
        if not self._path.exists():
            return {}
        with np.load(self._path, allow_pickle=False) as file:
            return dict(zip(file["keys"].tolist(), file["vectors"], strict=True))

    def _write(self, fresh: dict[str, Vectors]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_suffix(".lock")):
            together = self._read() | fresh
            with tempfile.TemporaryDirectory(dir=self._path.parent) as folder:
                made = Path(folder) / "made.npz"
                np.savez(
                    made, keys=np.array(list(together)), vectors=np.stack([*together.values()])
                )
                made.replace(self._path)
