"""From a file's bytes to a `ParsedDocument`: pure functions, no network, no database."""

import importlib
import re
from collections.abc import Callable

from ingestion.errors import EmptyFileError, MissingFormatError, display_name
from ingestion.parse.csv_table import parse_csv
from ingestion.parse.email_message import parse_email
from ingestion.parse.html import parse_html
from ingestion.parse.markdown import parse_markdown
from ingestion.parse.plain import parse_plain
from ingestion.parse.writer import CanonicalWriter, Head, shorten
from ingestion.sniff import BinaryKind, Decoded, binary_kind, read
from store.documents import ParsedDocument

BINARY_PARSERS: dict[BinaryKind, str] = {
    "pdf": "ingestion.parse.pdf:parse_pdf",
    "docx": "ingestion.parse.docx:parse_docx",
    "pptx": "ingestion.parse.pptx:parse_pptx",
    "xlsx": "ingestion.parse.xlsx:parse_xlsx",
    "odt": "ingestion.parse.odt:parse_odt",
}
"""The function `(name, data) -> (CanonicalWriter, Head)` of each format; loaded when needed."""

_OPTIONAL = {"pptx": "presentations", "openpyxl": "workbooks"}
"""What is read with a library of the extra `formats`."""

Parser = Callable[[str, bytes], tuple[CanonicalWriter, Head]]

_ENDING = re.compile(r"(?<=.)\.\w{1,10}$")


def parse(name: str, data: bytes) -> ParsedDocument:
    """Read one file. `name` is display text and a hint of the type; `data` decides.

    Raises a subclass of `ingestion.errors.DocumentError` with one sentence for a person.
    """
    kind = binary_kind(name, data)
    if kind is not None:
        writer, head = _load(BINARY_PARSERS[kind])(name, data)
        warnings: tuple[str, ...] = ()
    else:
        decoded = read(name, data)
        writer, head = _parse_text(name, decoded)
        warnings = decoded.warnings
    if writer.empty:
        raise EmptyFileError(
            f"{display_name(name)} holds no visible words; send a file with text in it."
        )
    heading = writer.first_heading()
    title = head.title or (shorten(heading) if heading else None) or title_from_name(name)
    return writer.finish(title, head, warnings)


def _load(place: str) -> Parser:
    module, _, function = place.partition(":")
    try:
        parser: Parser = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        if (what := _OPTIONAL.get(error.name or "")) is None:
            raise
        raise MissingFormatError(
            f"Reading {what} needs python3 run.py install formats."
        ) from error
    return parser


def _parse_text(name: str, decoded: Decoded) -> tuple[CanonicalWriter, Head]:
    if decoded.kind == "html":
        return parse_html(name, decoded.text)
    if decoded.kind == "markdown":
        return parse_markdown(name, decoded.text)
    if decoded.kind == "csv":
        return parse_csv(name, decoded.text)
    if decoded.kind == "email":
        return parse_email(name, decoded.text)
    return parse_plain(decoded.text)


def title_from_name(name: str) -> str:
    """Return a title made of a file's name: "returns-policy_2026.md" → "Returns policy 2026"."""
    stem = _ENDING.sub("", display_name(name))
    words = re.sub(r"[-_+\s]+", " ", stem).strip() or stem
    return words[:1].upper() + words[1:]
