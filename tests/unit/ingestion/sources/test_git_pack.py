"""What a pack says of its objects before they are unpacked."""

import zlib
from io import BytesIO
from random import Random

import pytest
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob
from dulwich.pack import write_pack_objects

from ingestion.sources.git_pack import largest_object

HUGE = 10**10  # bytes


def pack_of(*objects: bytes) -> BytesIO:
    """Return a pack with these objects as they are written in one."""
    return BytesIO(b"PACK" + (2).to_bytes(4) + len(objects).to_bytes(4) + b"".join(objects))


def head(kind: int, size: int) -> bytes:
    """Return type and size as a pack writes them."""
    written = bytearray([kind << 4 | size & 15])
    size >>= 4
    while size:
        written[-1] |= 0x80
        written.append(size & 0x7F)
        size >>= 7
    return bytes(written)


def number(value: int) -> bytes:
    """Return a size as a delta writes it."""
    written = bytearray([value & 0x7F])
    while value := value >> 7:
        written[-1] |= 0x80
        written.append(value & 0x7F)
    return bytes(written)


def test_the_largest_object_is_found_among_others() -> None:
    """Packs of dulwich itself are read, whatever lies where in their pieces."""
    random = Random(1)
    sizes = [random.randrange(200_000) for _ in range(50)]
    objects = [Blob.from_string(random.randbytes(size)) for size in sizes]
    file = BytesIO()
    write_pack_objects(
        file, [(blob, None) for blob in objects], DEFAULT_OBJECT_FORMAT, deltify=False
    )
    file.seek(0)
    assert largest_object(file) == max(sizes)


def test_a_small_object_may_say_that_it_is_huge() -> None:
    """The size stands before the content."""
    assert largest_object(pack_of(head(3, HUGE) + zlib.compress(b"x"))) == HUGE


@pytest.mark.parametrize("base", [b"\x81\x05", b"b" * 20])
def test_a_delta_says_how_large_its_result_is(base: bytes) -> None:
    """A few bytes may copy a base a thousand times."""
    delta = number(10) + number(HUGE) + b"..."
    kind = 6 if len(base) == 2 else 7
    plain = head(3, 5) + zlib.compress(b"plain")
    file = pack_of(head(kind, len(delta)) + base + zlib.compress(delta), plain)
    assert largest_object(file) == HUGE


def test_an_empty_pack_has_none() -> None:
    """A fetch without news brings one."""
    assert largest_object(pack_of()) == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>" * 9, id="a page"),
        pytest.param(pack_of(head(3, 5)).getvalue() + b"\x00\x01not zlib", id="no content"),
        pytest.param(pack_of(head(3, 5) + zlib.compress(b"hello")).getvalue()[:-6],
                     id="broken off"),
        pytest.param(b"PACK\0\0\0\2\xff\xff\xff\xff", id="fewer than it says"),
    ],
)  # fmt: skip
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    """It is refused by errors that the scan expects."""
    with pytest.raises((ValueError, EOFError, zlib.error)):
        largest_object(BytesIO(data))
