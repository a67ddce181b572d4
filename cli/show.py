"""Answers as text for a terminal, as in print: superscript marks and footnotes below."""

import json
import sys
import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from graph.footnotes import marked, place
from store.answers import Answer, Citation

WIDTH = 96


def print_json(value: Any) -> None:
    """Print JSON for another program; letters are escaped where the output has no UTF-8."""
    plain = (sys.stdout.encoding or "ascii").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(value, ensure_ascii=plain, indent=2))


def counted(number: int, thing: str) -> str:
    """Return a number with its noun: `1 file`, `2 files`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def printable(text: str) -> str:
    """Return text from documents without what would steer the terminal.

    White space that does not break, or is thin, does not count as printable; it becomes a space.
    """
    return "".join(
        letter if letter == "\n" or letter.isprintable() else " " if letter.isspace() else ""
        for letter in text
    )


def answer_lines(answer: Answer) -> Iterator[str]:
    """Return the answer, its footnotes and what it took, a line each."""
    for line in printable(marked(answer)).splitlines():
        yield from textwrap.wrap(line, WIDTH)
    for choice in answer.choices:
        yield f"  · {printable(choice)}"
    if answer.closest is not None:
        yield ""
        yield "The closest I have:"
        yield from footnote_lines(answer.closest, bullet="·")
    if answer.citations:
        yield ""
    for citation in answer.citations:
        yield from footnote_lines(citation, bullet=str(citation.number))
    if answer.note:
        yield ""
        yield from textwrap.wrap(printable(answer.note), WIDTH)
    yield _footer(answer)


def footnote_lines(citation: Citation, *, bullet: str) -> Iterator[str]:
    """Return a footnote: where the words stand, the words, a link."""
    where = place(citation)
    if citation.page is not None:
        where += f", page {citation.page}"
    facts = f"v{citation.version}, in force since {day(citation.effective_from)}"
    if citation.effective_to is not None:
        facts += f" until {day(citation.effective_to)}"
    yield f" {bullet}  {printable(where)}    {facts}"
    quote = printable(" ".join(citation.quote.split()))
    yield from textwrap.wrap(f"“{quote}”", WIDTH, initial_indent="    ", subsequent_indent="    ")
    if citation.link:
        yield f"    {printable(citation.link)}"


def day(moment: datetime) -> str:
    """Return the date of a moment, as people write it in policies: 2026-09-01."""
    return moment.date().isoformat()


def _footer(answer: Answer) -> str:
    drafted = answer.trace.get("claims_drafted", len(answer.claims))
    parts = [f"answered in {answer.seconds * 1000:.0f} ms"]
    if drafted:
        parts.append(f"{len(answer.claims)} of {drafted} claims verified")
    kept = answer.outcome != "error"  # what could not be finished has no trace
    parts.append(f"trace {answer.id}" if kept else f"reference {answer.reference}")
    return " " + " · ".join(parts)
