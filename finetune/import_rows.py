"""The rows of a file of transcripts, read one after the other within limits.

What a file is, its content tells, not its name: JSON lines, one piece of JSON, or CSV; each also
compressed by gzip.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import FootnoteError
from finetune.import_forms import PAIRS, RowError, exchange
from finetune.labels import LabelError
from store.transcripts import Imported

MIB = 2**20
MOST_BYTES = 512 * MIB  # of a file, also of what it inflates to
MOST_INFLATION = 200  # times its size; text is compressed some ten times
MOST_LINE = 4 * MIB
MOST_WHOLE = 64 * MIB  # of a file that is one piece of JSON, which is read at once
LISTS = ("conversations", "tickets", "transcripts", "rows", "data", "results", "items")
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
CONVERSATION = (
    "conversation_id", "conversation", "ticket_id", "ticket", "thread_id", "thread", "id",
    "dialogue_id",
)  # fmt: skip
ROLE = ("role", "author", "sender", "from", "speaker", "author_type")
TEXT = ("text", "content", "message", "body", "comment")


class TranscriptFileError(FootnoteError):
    """A file cannot be imported; nothing of it was kept."""


@dataclass(frozen=True)
class Problem:
    """A row that cannot be read, by its number in the file, and what mends it."""

    row: int
    reason: str

    def __str__(self) -> str:
        """Return the row with its reason."""
        return f"Row {self.row}: {self.reason}"


class Stream(Protocol):
    """Bytes that are read once, from their beginning."""

    def readline(self, size: int, /) -> bytes:
        """Return a line of at most `size` bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Open a file of transcripts, inflated if it is compressed. Raises TranscriptFileError."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if size > MOST_BYTES:
                raise TranscriptFileError(
                    f"{path.name} is larger than {MOST_BYTES // MIB} MiB; split it."
                )
            if head.startswith(ZIP):
                raise TranscriptFileError(f"{path.name} is a ZIP archive; unpack it first.")
            if head.startswith(GZIP):
                limit = min(MOST_BYTES, max(MIB, size * MOST_INFLATION))
                with gzip.open(stream) as inflated:
                    yield _Bounded(inflated, limit, path.name)
            else:
                yield stream
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is cut off or damaged"
        raise TranscriptFileError(f"{path.name} cannot be read ({reason}).") from error


class _Bounded:
    """Bytes as they are inflated, up to a limit: a small file may hold a thousandfold."""

    def __init__(self, inner: Stream, limit: int, name: str) -> None:
        self._inner, self._left, self._name = inner, limit, name

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise TranscriptFileError(
                f"{self._name} inflates to far more than it should; nothing was imported."
            )
        return data

    def readline(self, size: int, /) -> bytes:
        """Return a line of at most `size` bytes."""
        return self._counted(self._inner.readline(size))

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""
        return self._counted(self._inner.read(size))


def rows_of(
    stream: Stream, prefix: str, columns: Mapping[str, str]
) -> Iterator[Imported | Problem]:
    """Yield each exchange of a file, or what is wrong with a row."""
    first = stream.readline(MOST_LINE + 1)
    while first and not first.strip(b"\xef\xbb\xbf \t\r\n"):
        first = stream.readline(MOST_LINE + 1)
    start = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        return
    if start[:1] in (b"{", b"["):
        found = _json_rows(start, stream)
    else:
        found = _csv_rows(start, stream, columns)
    for number, row in found:
        if isinstance(row, Problem):
            yield row
            continue
        try:
            yield exchange(row, prefix)
        except (RowError, LabelError) as error:
            yield Problem(number, str(error))


def _json_rows(start: bytes, stream: Stream) -> Iterator[tuple[int, Any]]:
    if start[:1] == b"{":
        first = _parsed(start)
        in_list = isinstance(first, dict) and any(
            isinstance(first.get(name), list) for name in LISTS
        )
        damaged = first is None and start.rstrip().endswith(b"}")
        if damaged or (first is not None and not in_list):
            yield from _lines(start, stream)
            return
    data = start + stream.read(MOST_WHOLE + 1)
    if len(data) > MOST_WHOLE:
        raise TranscriptFileError(
            f"One piece of JSON may have {MOST_WHOLE // MIB} MiB; write an object a line (JSONL)."
        )
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TranscriptFileError(
            "This is neither JSON lines nor one piece of JSON; write an object a line (JSONL)."
        ) from error
    if isinstance(whole, dict):
        held = next((whole[name] for name in LISTS if isinstance(whole.get(name), list)), [whole])
        yield from enumerate(held, 1)
    else:
        yield from enumerate(whole, 1)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _lines(start: bytes, stream: Stream) -> Iterator[tuple[int, Any]]:
    line, number = start, 1
    while line:
        if len(line) > MOST_LINE:
            raise TranscriptFileError(
                f"Row {number} is longer than {MOST_LINE // MIB} MiB; split it."
            )
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, Problem(number, "It is no JSON; write one object on one line.")
        line, number = stream.readline(MOST_LINE + 1), number + 1


def _csv_rows(
    start: bytes, stream: Stream, columns: Mapping[str, str]
) -> Iterator[tuple[int, Any]]:
    header = _decoded(start, 1)
    dialect = max(",;\t|", key=header.count)
    reader = csv.reader(_text_lines(header, stream), delimiter=dialect)
    csv.field_size_limit(MOST_LINE)
    try:
        names = [name.strip() for name in next(reader, [])]
        known = _columns(names, columns)
        if "role" in known:
            yield from _grouped(reader, known)
        else:
            for row in reader:
                yield reader.line_num, _record(row, known)
    except csv.Error as error:
        raise TranscriptFileError(
            f"Row {reader.line_num} is no CSV ({error}); quote its text."
        ) from error


def _columns(names: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Return which column holds what. Raises TranscriptFileError with what is missing."""
    plain = [name.casefold().replace(" ", "_") for name in names]
    places = {name: place for place, name in reversed(list(enumerate(plain)))}
    known: dict[str, int] = {}
    for ours, theirs in columns.items():
        key = theirs.casefold().replace(" ", "_")
        if key not in places:
            raise TranscriptFileError(
                f"There is no column {theirs}; there are: {', '.join(names)}."
            )
        known[ours] = places[key]
    if not {"question", "answer"} <= set(known):
        for ours, options in (("role", ROLE), ("text", TEXT), ("id", CONVERSATION)):
            found = next((places[name] for name in options if name in places), None)
            if ours not in known and found is not None:
                known[ours] = found
    if {"role", "text", "id"} <= set(known):
        return known
    known.pop("role", None)
    for asked, answered in PAIRS:
        if asked in places and answered in places and "question" not in known:
            known |= {"question": places[asked], "answer": places[answered]}
    if not {"question", "answer"} <= set(known):
        raise TranscriptFileError(
            f"The columns {', '.join(names[:12])} do not tell who says what. Name them: --column"
            " question=… --column answer=…, or --column id=… --column role=… --column text=…."
        )
    return known


def _record(row: Sequence[str], known: Mapping[str, int]) -> Any:
    held = {name: row[place] for name, place in known.items() if place < len(row)}
    held.pop("text", None)
    return held


def _grouped(
    reader: Iterable[Sequence[str]], known: Mapping[str, int]
) -> Iterator[tuple[int, Any]]:
    """Yield rows of one message each as conversations; those of one follow each other."""
    current: dict[str, Any] | None = None
    began = 2
    done: set[str] = set()
    for number, row in enumerate(reader, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(known.values()):
            yield number, Problem(number, "It has fewer columns than the header; quote its text.")
            continue
        key = row[known["id"]]
        if current is None or current["id"] != key:
            if current is not None:
                done.add(current["id"])
                yield began, current
            if key in done:
                raise TranscriptFileError(
                    f"Row {number} goes on with {key[:40]}, which ended before; sort it."
                )
            current, began = {"id": key, "messages": []}, number
        role = row[known["role"]].casefold().strip()
        current["messages"].append({"role": role, "text": row[known["text"]]})
    if current is not None:
        yield began, current


def _text_lines(header: str, stream: Stream) -> Iterator[str]:
    yield header
    number = 1
    while line := stream.readline(MOST_LINE + 1):
        number += 1
        yield _decoded(line, number)


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TranscriptFileError(f"Row {number} is not UTF-8; save the file as UTF-8.") from error
