"""Vectors without a model: hashed words, so that texts which share words are near each other."""

import base64
import hashlib
import math
import re
import struct
from typing import Any

DIMENSIONS = 64  # of a vector, unless the request names another number
WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return a unit vector that depends on the words alone: the more shared, the nearer."""
    vector = [0.0] * dimensions
    for word in WORD.findall(text.lower()) or [""]:
        digest = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        vector[digest % dimensions] += 1.0 if digest >> 63 else -1.0
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector] if length else [1.0, *vector[1:]]


def packed(vector: list[float]) -> str:
    """Return little-endian 32-bit floats in base64, as the client asks by default."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def texts_of(given: Any) -> list[str]:
    """Return the texts of an `input`; lists of token numbers count as words."""
    if isinstance(given, str):
        return [given]
    items = given if isinstance(given, list) else []
    if items and all(isinstance(item, int) for item in items):
        return [" ".join(map(str, items))]
    return [item if isinstance(item, str) else " ".join(map(str, item)) for item in items]
