"""From a file's bytes to a `ParsedDocument`: pure functions, no network, no database."""

import re

from ingestion.errors import EmptyFileError, display_name
from ingestion.parse.html import parse_html
from ingestion.parse.markdown import parse_markdown
from ingestion.parse.plain import parse_plain
from ingestion.parse.writer import shorten
from ingestion.sniff import read
from store.documents import ParsedDocument

_ENDING = re.compile(r"(?<=.)\.\w{1,10}$")


def parse(name: str, data: bytes) -> ParsedDocument:
    """Read one file. `name` is display text and a hint of the type; `data` decides.

    Raises a subclass of `ingestion.errors.DocumentError` with one sentence for a person.
    """
    decoded = read(name, data)
    if decoded.kind == "html":
        writer, head = parse_html(name, decoded.text)
    elif decoded.kind == "markdown":
        writer, head = parse_markdown(name, decoded.text)
    else:
        writer, head = parse_plain(decoded.text)
    if writer.empty:
        raise EmptyFileError(
            f"{display_name(name)} holds no visible words; send a file with text in it."
        )
    heading = writer.first_heading()
    title = head.title or (shorten(heading) if heading else None) or title_from_name(name)
    return writer.finish(title, head, decoded.warnings)


def title_from_name(name: str) -> str:
    """Return a title made of a file's name: "returns-policy_2026.md" → "Returns policy 2026"."""
    stem = _ENDING.sub("", display_name(name))
    words = re.sub(r"[-_+\s]+", " ", stem).strip() or stem
    return words[:1].upper() + words[1:]
