"""Documents, versions and what they changed, as lines for a terminal and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rapidfuzz import fuzz, process

from cli.show import counted, day, printable
from ingestion.changes import SectionChange
from store.access import EVERYONE
from store.history import Held, PastVersion

ALIKE = 50.0  # percent of the letters, from which on a sentence is another one's new wording
MAX_COMPARED = 10_000  # pairs of sentences in one section
COLOURS = {"-": "red", "+": "green"}


def document_row(held: Held) -> dict[str, Any]:
    """Return a document as JSON types."""
    return {
        "document": held.document_key,
        "title": held.title,
        "version": held.number,
        "effective_from": held.effective_from.isoformat(),
        "effective_to": held.effective_to.isoformat() if held.effective_to else None,
        "in_force": held.in_force,
        "characters": held.characters,
        "versions": held.versions,
        "audience": list(held.audience),
        "source": held.source,
        "deleted_at": held.deleted_at.isoformat() if held.deleted_at else None,
        "deleted_by": held.deleted_by,
    }


def version_row(version: PastVersion) -> dict[str, Any]:
    """Return a version as JSON types."""
    return {
        "version": version.number,
        "title": version.title,
        "in_force": version.in_force,
        "effective_from": version.effective_from.isoformat(),
        "effective_to": version.effective_to.isoformat() if version.effective_to else None,
        "received_at": version.received_at.isoformat(),
        "author": version.author,
        "restored_from": version.restored_from,
        "owner": version.owner,
        "link": version.link,
        "file": version.file_name,
        "media_type": version.media_type,
        "characters": version.characters,
        "hidden_characters": version.hidden_characters,
        "passages": version.passages,
        "version_id": version.id,
    }


def document_line(held: Held, now: datetime, *, full: bool = False) -> str:
    """Return the line about one document; its audience only where that is not every member."""
    line = (
        f"{printable(held.title):40.40}  v{held.number}, {state(held, now)}"
        f"  ({printable(held.document_key)})"
    )
    if full:
        line += f"  {counted(held.versions, 'version')}, {printable(held.source)}"
    if held.audience == (EVERYONE,):
        return line
    return f"{line}  for {', '.join(map(printable, held.audience))}"


def state(held: Held, now: datetime) -> str:
    """Say whether a document counts, and since when."""
    if held.deleted_at is not None:
        return f"deleted {day(held.deleted_at)} by {printable(held.deleted_by or 'unknown')}"
    return _standing(held, held.effective_to, now)


def standing(version: PastVersion, now: datetime) -> str:
    """Say when a version counts, or counted until it ended or the next one began."""
    ends = [end for end in (version.effective_to, version.replaced_at) if end is not None]
    return _standing(version, min(ends, default=None), now)


def _standing(version: Held | PastVersion, end: datetime | None, now: datetime) -> str:
    until = f" until {day(end)}" if end is not None else ""
    if version.in_force:
        return f"in force since {day(version.effective_from)}{until}"
    if version.effective_from > now:
        return f"in force from {day(version.effective_from)}{until}"
    if end is None or end > now:  # its document is deleted
        return f"from {day(version.effective_from)}{until}"
    if end == version.effective_from:
        return f"from {day(end)}, replaced for the same day"
    return f"was in force from {day(version.effective_from)}{until}"


def shown_lines(
    held: Held, version: PastVersion, warnings: Sequence[str], now: datetime
) -> Iterator[str]:
    """Return what is known of a document and of one of its versions, a line each."""
    yield f"{printable(version.title)} v{version.number}"
    rows = {
        "document": held.document_key,
        "state": state(held, now),
        "versions": str(held.versions),
        "readers": ", ".join(held.audience),
        "source": held.source,
        f"v{version.number}": standing(version, now),
        "received": f"{version.received_at:%Y-%m-%d %H:%M} UTC",
        "author": version.author,
        "restored": f"from v{version.restored_from}" if version.restored_from else None,
        "owner": version.owner,
        "link": version.link,
        "file": f"{version.file_name} ({version.media_type})",
        "size": f"{version.characters:,} characters in {counted(version.passages, 'passage')}",
        "hidden": f"{counted(version.hidden_characters, 'character')} left out"
        if version.hidden_characters
        else None,
    }
    yield from (f"  {name:9} {printable(told)}" for name, told in rows.items() if told)
    yield from (f"  {'warning':9} {printable(warning)}" for warning in warnings)


def history_lines(
    held: Held, past: Sequence[PastVersion], changes: Mapping[int, str], now: datetime
) -> Iterator[str]:
    """Return two lines about each version, newest first: when it counts, what it changed."""
    yield f"{printable(held.title)} ({printable(held.document_key)}), {state(held, now)}"
    for version in reversed(past):
        came = f"received {day(version.received_at)}"
        if version.author:
            came += f" from {printable(version.author)}"
        counts = standing(version, now)
        again = f", words of v{version.restored_from}" if version.restored_from else ""
        yield f"  v{version.number}  {counts}; {came}{again}"
        if version.before is None:
            yield "      the first wording"
        else:
            yield f"      {printable(changes[version.id]) or 'the same words'}"


def change_lines(
    old: PastVersion, new: PastVersion, changes: Sequence[SectionChange], now: datetime
) -> Iterator[str]:
    """Return what changed between two versions, section by section; colours mark which is new."""
    counts = standing(new, now)
    yield click.style(
        f"{printable(new.title)}: v{old.number} → v{new.number}, {counts}", bold=True
    )
    if old.title != new.title:
        yield f"  the title was “{printable(old.title)}”"
    if not changes:
        yield "  the same words"
    for change in changes:
        yield ""
        yield click.style(printable(change.summary), fg="cyan")
        for sign, sentence in in_pairs(change.removed, change.added):
            yield click.style(f"  {sign} {printable(sentence)}", fg=COLOURS[sign])


def in_pairs(removed: Sequence[str], added: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Return old sentences (-) and new ones (+), each new one behind the one it resembles.

    Both keep their order; very many are not compared, and the old ones come first.
    """
    begin = 0
    comparable = len(removed) * len(added) <= MAX_COMPARED
    for sentence in added:
        near = (
            process.extractOne(sentence, removed[begin:], scorer=fuzz.ratio, score_cutoff=ALIKE)
            if comparable
            else None
        )
        end = begin + near[2] + 1 if near else begin if comparable else len(removed)
        yield from (("-", old) for old in removed[begin:end])
        yield "+", sentence
        begin = end
    yield from (("-", old) for old in removed[begin:])
