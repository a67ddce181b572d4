"""How a sandbox and its child talk: frames of a JSON head and bytes, never anything that runs."""

import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol

MAX_HEAD = 2**20  # bytes of a frame's head
MAX_DOCUMENT = 64 * 2**20  # bytes of a parsed document as JSON
MAX_PICTURE = 32 * 2**20  # bytes of a picture of a page

_SIZES = struct.Struct(">IQ")  # bytes of the head, bytes of what follows it


class FrameError(ValueError):
    """The other side sent what it may not send; its words are for the log."""


class Readable(Protocol):
    """A stream whose `read` returns fewer bytes only at its end."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes."""


class Writable(Protocol):
    """A stream without a buffer, so that nothing is written twice after a fork."""

    def write(self, data: memoryview, /) -> int | None:
        """Write some of `data` and return how many bytes."""


def write_frame(stream: Writable, head: Mapping[str, object], body: bytes = b"") -> None:
    """Write a head and, after it, bytes as they are."""
    told = json.dumps(head).encode()
    for part in (_SIZES.pack(len(told), len(body)) + told, body):
        rest = memoryview(part)
        while rest:
            rest = rest[stream.write(rest) or 0 :]


def read_frame(stream: Readable, most: int) -> tuple[dict[str, Any], bytes] | None:
    """Return a head and what follows it, at most `most` bytes; None at the end of the stream.

    Raises `FrameError`.
    """
    sizes = stream.read(_SIZES.size)
    if not sizes:
        return None
    if len(sizes) < _SIZES.size:
        raise FrameError("a frame that ends early")
    head_size, size = _SIZES.unpack(sizes)
    if head_size > MAX_HEAD or size > most:
        raise FrameError("a frame that is too large")
    told, body = stream.read(head_size), stream.read(size)
    if len(told) + len(body) < head_size + size:
        raise FrameError("a frame that ends early")
    try:
        head = json.loads(told)
    except (ValueError, RecursionError):
        raise FrameError("a head that is not JSON") from None
    if not isinstance(head, dict):
        raise FrameError("a head that is no object")
    return head, body
