"""Loose text through the same normaliser as documents, to compare it with canonical text."""

import re

from ingestion.parse.markdown import parse_markdown
from ingestion.parse.visible import visible

__all__ = ["visible", "visible_markdown"]

_REFERENCE = re.compile(r"\]\[([^\[\]\n]{1,200})\]")


def visible_markdown(text: str) -> str:
    """Return the canonical text of a Markdown fragment; blocks are joined as in documents.

    A reference link ("[our team][support]") is read as one although its definition stands
    elsewhere in the document that the fragment was cut from.
    """
    defined = "".join(f"\n[{label}]: #" for label in dict.fromkeys(_REFERENCE.findall(text)))
    writer, _ = parse_markdown("fragment", f"{text}\n{defined}" if defined else text)
    return writer.text
