"""Glossaries as files: CSV, tab separated or JSON in, CSV out."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import FootnoteError
from retrieval.glossary import GlossaryEntryError, checked_pair
from store.glossary import Pair

FILE_LIMIT = 5 * 1024 * 1024  # bytes: tens of thousands of entries
TERM_HEADERS = frozenset({"term", "acronym", "abbreviation", "short"})
EXPANSION_HEADERS = frozenset({"expansion", "meaning", "definition", "stands for", "long"})
JSON_SHAPE = 'write {"PTO": "paid time off"}'


class GlossaryFileError(FootnoteError):
    """A file that should hold a glossary cannot be read as one."""


def read_pairs(path: Path) -> list[Pair]:
    """Read a file of terms and what they stand for.

    A name that ends in .json holds an object, {"PTO": "paid time off"} or {"PTO": ["…", "…"]};
    any other has two columns, with tabs, commas or semicolons between, with or without a header.
    Raises GlossaryFileError, which names the line, so that nothing is taken from a bad file.
    """
    words = _decoded(path)
    rows = _json_rows(path.name, words) if path.suffix.lower() == ".json" else _rows(path, words)
    pairs = []
    for where, term, expansion in rows:
        try:
            pairs.append(checked_pair(term, expansion))
        except GlossaryEntryError as error:
            raise GlossaryFileError(f"{path.name}, {where}: {error}") from error
    if not pairs:
        raise GlossaryFileError(f"{path.name} holds no entries; write a term and what it means.")
    return pairs


def _decoded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise GlossaryFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(data) > FILE_LIMIT:
        raise GlossaryFileError(
            f"{path.name} is larger than {FILE_LIMIT // 1024**2} MiB; split it into several files."
        )
    # Excel saves "Unicode text" as UTF-16.
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise GlossaryFileError(
            f"{path.name}, line {line}: this is no UTF-8; save the file as UTF-8."
        ) from error


def _rows(path: Path, words: str) -> Iterator[tuple[str, str, str]]:
    """Give (line, term, expansion) of a file with two columns."""
    reader = csv.reader(io.StringIO(words, newline=""), delimiter=_delimiter(words), strict=True)
    is_first = True
    try:
        for cells in reader:
            row = [cell.strip() for cell in cells]
            while len(row) > 2 and not row[-1]:  # a spreadsheet's empty columns
                row.pop()
            if any(row):
                if len(row) != 2:
                    raise GlossaryFileError(_wrong_columns(path, reader.line_num, len(row)))
                if not (is_first and _is_header(row)):
                    yield f"line {reader.line_num}", row[0], row[1]
                is_first = False
    except csv.Error as error:
        raise GlossaryFileError(
            f"{path.name}, line {reader.line_num}: this is no CSV; write a quotation mark inside"
            " quotes twice, and keep texts short."
        ) from error


def _wrong_columns(path: Path, line: int, found: int) -> str:
    has = "1 column" if found == 1 else f"{found} columns"
    return (
        f"{path.name}, line {line}: there must be a term and what it stands for, and it has {has};"
        " put quotes around text with commas."
    )


def _delimiter(words: str) -> str:
    first = next((line for line in words.splitlines() if line.strip()), "")
    return next((sign for sign in "\t;" if sign in first and "," not in first), ",")


def _is_header(row: Sequence[str]) -> bool:
    return row[0].casefold() in TERM_HEADERS and row[1].casefold() in EXPANSION_HEADERS


def _json_rows(name: str, words: str) -> Iterator[tuple[str, str, str]]:
    """Give (place, term, expansion) of a JSON object."""
    try:
        held = json.loads(words)
    except json.JSONDecodeError as error:
        raise GlossaryFileError(f"{name}, line {error.lineno}: this is no JSON.") from error
    except RecursionError as error:
        raise GlossaryFileError(f"{name} is nested too deeply; {JSON_SHAPE}.") from error
    if not isinstance(held, dict):
        raise GlossaryFileError(f"{name} is no JSON object; {JSON_SHAPE}.")
    for term, meanings in held.items():
        for meaning in meanings if isinstance(meanings, list) else [meanings]:
            if not isinstance(meaning, str):
                raise GlossaryFileError(f"{name}, at “{term}”: this is no text; {JSON_SHAPE}.")
            yield f"at “{term}”", term, meaning


def as_csv(pairs: Sequence[Pair]) -> str:
    """Return pairs as CSV with a header, which `read_pairs` reads."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerows([("term", "expansion"), *pairs])
    return written.getvalue()
