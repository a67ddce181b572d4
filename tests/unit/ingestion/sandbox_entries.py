"""What a sandbox's child calls in tests instead of a parser: it does what the file's words say."""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingestion.errors import TooComplexError
from store.documents import Block, ParsedDocument

if sys.platform != "win32":
    import resource

PNG = b"\x89PNG\r\n\x1a\n"

_read: list[bytes] = []
_kept: list[bytes] = []


def said(words: str) -> ParsedDocument:
    """Return a document of those words."""
    return ParsedDocument("Title", words, (Block("paragraph", 0, len(words)),), ())


def parse(name: str, data: bytes) -> ParsedDocument:
    """Do what the data name, if they name something; return a document of the words said."""
    first = not _read
    _read.append(data)
    action = data.decode()
    if action == "only as the first":
        if not first:
            os._exit(4)
        return said(f"first in {os.getpid()}")
    return said(_ACTIONS[action]() or "done" if action in _ACTIONS else f"{name}: {action}")


def page_picture(
    data: bytes,
    page: int,
    spans: Sequence[tuple[int, int]],
    *,
    width: int,
    crop: bool,
    name: str,
) -> bytes:
    """Return what was asked for as if it were a picture."""
    if data == b"refused":
        raise TooComplexError(f"Page {page} of {name} is too much; draw it by hand.")
    if data == b"script":
        return b"<svg onload='alert(1)'>"
    return PNG + f"{data.decode()} {page} {spans} {width} {crop} {name}".encode()


def _hang() -> None:
    time.sleep(60)


def _compute() -> None:
    while True:
        pass


def _allocate() -> None:
    while True:
        _kept.append(b"x" * 2**20)


def _allocate_at_once() -> None:
    _kept.append(b"x" * 2**33)


def _keep() -> None:
    _kept.append(b"x" * (150 * 2**20))


def _print() -> None:
    print("a library's print")  # noqa: T201
    os.write(1, b"a C library's print")
    os.write(2, b"a complaint")
    sys.stdout.flush()


def _crash() -> None:
    ctypes.string_at(0)


def _raise() -> None:
    raise KeyError("words of the file")


def _end() -> None:
    os._exit(3)


def _exit() -> None:
    sys.exit("enough")


def _environment() -> str:
    return " ".join(sorted(os.environ))


def _folder() -> str:
    return str(Path.cwd())


def _process() -> str:
    return str(os.getpid())


def _write() -> str:
    path = Path("/tmp") / f"footnote-{os.getpid()}"  # noqa: S108 - it is not written
    try:
        path.write_text("words")
    except OSError as error:
        return type(error).__name__
    finally:
        path.unlink(missing_ok=True)
    return "written"


def _limits() -> str:
    names = ("RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    return " ".join(str(resource.getrlimit(getattr(resource, name))[1]) for name in names)


def _open_files() -> str:
    return " ".join(sorted(os.listdir("/proc/self/fd")))  # noqa: PTH208


def _orphan() -> None:
    if os.fork():
        os._exit(3)
    time.sleep(60)


_ACTIONS: dict[str, Callable[[], str | None]] = {
    "hang": _hang, "compute": _compute, "allocate": _allocate,
    "allocate at once": _allocate_at_once, "keep": _keep, "print": _print, "crash": _crash,
    "raise": _raise, "end": _end, "exit": _exit,
    "environment": _environment, "folder": _folder, "process": _process, "write": _write,
    "limits": _limits, "open files": _open_files, "orphan": _orphan,
}  # fmt: skip
