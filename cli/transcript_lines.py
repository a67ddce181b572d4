"""Transcripts as text for a terminal."""

import re
import textwrap
from collections.abc import Iterator, Sequence

import click

from cli.show import WIDTH, printable
from finetune.review import trains
from finetune.spans import PLACEHOLDER
from store.curation import CurationStats
from store.transcripts import Said, Transcript

FIRST_WORDS = 60  # characters of a list's line
INDENT = "         "


def list_line(one: Transcript) -> str:
    """Return the line about one transcript."""
    found = ", ".join(dict.fromkeys(finding.kind for finding in one.findings))
    quality = "-" if one.quality is None else f"{one.quality:.2f}"
    said = " ".join(one.words[0].text.split()) if one.words else "(not read yet)"
    told = f"{one.id:>5}  {one.state:<11}  {one.origin:<10}  {one.language or '-':<3}"
    told += f" {quality:<5}"
    return printable(f"{told} {said[:FIRST_WORDS]}" + (f"  ({found})" if found else ""))


def detail_lines(one: Transcript, *, original: bool = False) -> Iterator[str]:
    """Return a transcript with what was found, what it says and what it would teach."""
    quality = "not read yet" if one.quality is None else f"quality {one.quality:.2f}"
    seen = ", ".join(one.audience) or "curators only"
    came = f"{one.origin} {one.origin_key}"
    head = [
        f"Transcript {one.id}",
        one.state,
        came,
        one.language or "",
        quality,
        f"seen by {seen}",
    ]
    yield printable(" · ".join(part for part in head if part))
    if one.redactions:
        placed = ", ".join(f"{count} {kind}" for kind, count in one.redactions.items())
        yield f"  replaced: {placed}"
    for finding in one.findings:
        yield click.style(printable(f"  ! {finding.kind}: {finding.reason}"), fg="yellow")
    if one.labels:
        yield printable(f"  labels: {label_words(one)}")
    yield ""
    messages = one.messages if original else one.words
    if original:
        yield "  As it came:"
    yield from message_lines(messages)
    if not messages:
        yield "  (no words yet: transcripts curate reads them)"
    if one.disliked and one.curated_at and not original:
        yield from _wrapped("instead", one.disliked, dim=True)
    taught = "; ".join(trains(one)) or "nothing: every reply was sent as it was suggested"
    yield ""
    yield printable(f"  would teach {taught}")


def message_lines(messages: Sequence[Said]) -> Iterator[str]:
    """Return messages with who says them; placeholders stand out."""
    for said in messages:
        yield from _wrapped(said.role + ("*" if said.canned else ""), said.text)


def _wrapped(name: str, words: str, *, dim: bool = False) -> Iterator[str]:
    lead = f"{name:>8} "
    for line in printable(words).splitlines() or [""]:
        for part in textwrap.wrap(line, WIDTH - len(INDENT)) or [""]:
            shown = PLACEHOLDER.sub(
                lambda found: click.style(found[0], bold=True, fg="cyan"), part
            )
            yield click.style(lead, dim=True) + (click.style(shown, dim=True) if dim else shown)
            lead = INDENT


def label_words(one: Transcript) -> str:
    """Return labels as `label` takes them."""
    return " ".join(
        f"{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in sorted(one.labels.items())
    )


def stat_lines(stats: CurationStats) -> Iterator[str]:
    """Return how transcripts stand, a line each count."""
    for title, counts in (
        ("state", stats.states),
        ("origin", stats.origins),
        ("found", stats.findings),
        ("replaced", stats.redactions),
        ("labelled", stats.labels),
    ):
        for name, count in counts.items():
            yield printable(f"{title:<10}{re.sub(chr(10), ' ', name):<32}{count:>7}")
