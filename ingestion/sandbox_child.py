"""The child of a sandbox: reads one file after another, under limits that it sets for itself.

`python -P -m ingestion.sandbox_child PARSER PAINTER MEMORY PARENT`, where the first two are
functions as `module:name`, MEMORY is in bytes, and PARENT is the process with which this one
ends, or 0. It is started by `ingestion.sandbox`, never by hand.
"""

import ctypes
import importlib
import io
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestion.errors import DocumentError
from ingestion.sandbox_documents import document_to_json
from ingestion.sandbox_frames import (
    MAX_DOCUMENT,
    MAX_PICTURE,
    read_frame,
    write_frame,
)
from ingestion.sniff import MAX_FILE_SIZE

if sys.platform != "win32":
    import resource

MAX_OPEN_FILES = 64  # a file is in memory; only modules and fonts are opened
CPU_LIFE = 1_200  # seconds of work in a child's life; it is replaced after half of them
ALARM_DELAY = 2.0  # seconds after which a child ends itself whose parent did not
MAX_PLACES = 8  # places of a failure that are told to the log
_SET_DEATH_SIGNAL, _SET_NO_NEW_PRIVILEGES = 1, 38  # of Linux' prctl

Answer = tuple[dict[str, object], bytes]


def main(arguments: list[str]) -> None:
    """Answer request after request until the parent closes its end."""
    parser, painter, memory, parent = arguments
    reader, writer = _own_streams()
    _end_with(int(parent))
    reading = _Reading(_load(parser), painter)
    _set_limits(int(memory))
    write_frame(writer, {"outcome": "ready"})
    while (request := read_frame(reader, MAX_FILE_SIZE)) is not None:
        head, data = request
        _allow(float(head["seconds"]), float(head["cpu_seconds"]))
        answer = _answer(reading, head, data)
        _allow_waiting()
        del data, request
        write_frame(writer, *answer)
        del answer


@dataclass
class _Reading:
    """What the child can do; what draws pages is loaded when it is needed."""

    parse: Callable[[str, bytes], Any]
    painter: str

    def answer(self, head: dict[str, Any], data: bytes) -> Answer:
        """Return what the request's function makes of the data."""
        if head["task"] == "parse":
            body = document_to_json(self.parse(head["name"], data))
            limit = MAX_DOCUMENT
        else:
            spans = [(start, end) for start, end in head["spans"]]
            body = _load(self.painter)(data, head["page"], spans, **head["options"])
            limit = MAX_PICTURE
        if len(body) > limit:
            return {"outcome": "large"}, b""
        return {"outcome": "done"}, body


def _answer(reading: _Reading, head: dict[str, Any], data: bytes) -> Answer:
    try:
        return reading.answer(head, data)
    except DocumentError as error:
        kind, sentence = type(error).__name__, str(error)
        return {"outcome": "refused", "error": kind, "sentence": sentence}, b""
    except MemoryError:
        return {"outcome": "memory"}, b""
    except Exception as error:  # noqa: BLE001 - the boundary of this process
        return {"outcome": "failed", "error": type(error).__name__, "at": _places(error)}, b""


def _places(error: Exception) -> list[str]:
    """Return where an error was raised, without its words: they may be the file's."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_PLACES:]
    return [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames]  # noqa: PTH119


def _own_streams() -> tuple[io.BufferedReader, io.FileIO]:
    """Take the pipes out of reach of what prints or asks: their places lead nowhere."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for place in (0, 1, 2):
        os.dup2(nowhere, place)
    os.close(nowhere)
    return reader, writer


def _load(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return loaded


def _end_with(parent: int) -> None:
    """End with the parent even in the middle of a file; Linux alone offers that.

    Elsewhere, and with parent 0, this process ends at its next look at the pipe or by its alarm.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if parent:
        library.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the line above
            sys.exit(1)


def _set_limits(memory: int) -> None:
    """Bound what all files together may take. Windows has none of these."""
    sys.dont_write_bytecode = True
    if sys.platform == "win32":
        return
    _bound(resource.RLIMIT_CORE, 0)
    _bound(resource.RLIMIT_FSIZE, 0)
    _bound(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _bound(resource.RLIMIT_CPU, CPU_LIFE)
    if sys.platform == "linux":  # macOS does not hold to it
        _bound(resource.RLIMIT_AS, _address_space() + memory)


def _bound(limit: int, value: int) -> None:
    _, hardest = resource.getrlimit(limit)
    if hardest != resource.RLIM_INFINITY:
        value = min(value, hardest)
    resource.setrlimit(limit, (value, value))


def _address_space() -> int:
    """Return the bytes of addresses in use, most of them libraries and never touched."""
    with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - a path of Linux
        return int(stream.read().split()[0]) * resource.getpagesize()


def _allow(seconds: float, cpu_seconds: float) -> None:
    """Let the kernel end this process when the next file takes longer."""
    if sys.platform == "win32":
        return
    signal.setitimer(signal.ITIMER_REAL, seconds + ALARM_DELAY)
    _, hardest = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(time.process_time() + cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (min(until, hardest), hardest))


def _allow_waiting() -> None:
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
