"""Loose text through the same normaliser as documents, to compare it with canonical text."""

from ingestion.parse.markdown import parse_markdown
from ingestion.parse.visible import visible

__all__ = ["visible", "visible_markdown"]


def visible_markdown(text: str) -> str:
    """Return the canonical text of a Markdown fragment; blocks are joined as in documents."""
    writer, _ = parse_markdown("fragment", text)
    return writer.text
