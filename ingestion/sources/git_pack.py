"""Looks through a pack before dulwich unpacks it: objects are unpacked in memory, whole.

The layout is that of git's documentation, gitformat-pack: a header, then objects, each with its
type and size in a few bytes, what it builds on, and its content under zlib.
"""

import zlib
from collections.abc import Iterator
from typing import IO

HEADER = 12  # bytes: PACK, version, number of objects
OFFSET_DELTA, REFERENCE_DELTA = 6, 7
ID = 20  # bytes of a base's name
PIECE = 64 * 1024  # bytes
DELTA_HEAD = 20  # bytes of a delta that hold the sizes of its base and of its result


def largest_object(pack: IO[bytes]) -> int:
    """Return the size of the largest object in a pack, or of what a delta says it makes.

    Raises ValueError, zlib.error or EOFError for a file that is no pack.
    """
    head = pack.read(HEADER)
    if len(head) < HEADER or not head.startswith(b"PACK"):
        raise ValueError("not a pack")
    stream = _Stream(pack)
    sizes = (_object_size(stream) for _ in range(int.from_bytes(head[8:])))
    return max(sizes, default=0)


class _Stream:
    """Reads bytes one by one and contents under zlib, which do not say where they end."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rest = b""

    def byte(self) -> int:
        """Return the next byte."""
        if not self._rest:
            self._fill()
        first, self._rest = self._rest[0], self._rest[1:]
        return first

    def _fill(self) -> None:
        self._rest = self._file.read(PIECE)
        if not self._rest:
            raise EOFError("the pack breaks off")

    def unpacked_start(self) -> bytes:
        """Pass over a content; return its first bytes."""
        unpacking = zlib.decompressobj()
        start = b""
        while not unpacking.eof:
            packed = unpacking.unconsumed_tail
            if not packed:
                if not self._rest:
                    self._fill()
                packed, self._rest = self._rest, b""
            piece = unpacking.decompress(packed, PIECE)
            start += piece[: DELTA_HEAD - len(start)]
        self._rest = unpacking.unused_data + self._rest
        return start


def _object_size(stream: _Stream) -> int:
    first = stream.byte()
    kind, size, shift = (first >> 4) & 7, first & 15, 4
    while first & 0x80:
        first = stream.byte()
        size |= (first & 0x7F) << shift
        shift += 7
    if kind == OFFSET_DELTA:
        while stream.byte() & 0x80:
            pass
    elif kind == REFERENCE_DELTA:
        for _ in range(ID):
            stream.byte()
    start = stream.unpacked_start()
    if kind in (OFFSET_DELTA, REFERENCE_DELTA):
        numbers = _numbers(start)
        return max(size, next(numbers, 0), next(numbers, 0))
    return size


def _numbers(data: bytes) -> Iterator[int]:
    """Return the numbers that data begins with, seven bits a byte, the lowest first."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield value
            value = shift = 0
