"""A dataset as a person reads it: in a terminal, and as a page with a few of its rows."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finetune.redact
from store.datasets import DatasetRow, Format

TEMPLATE = Path(__file__).with_name("report.html")
EXAMPLES = 5  # rows on a page
SHOWN = 12  # lines of a table in a terminal
WIDTH = 96  # letters of a line there
NAMES: dict[str, str] = {
    "source": "How rows were made",
    "origin": "Where they come from",
    "language": "Languages",
    "label": "Labels",
    "audience": "Who may see the transcripts",
}
STATES = {"approved": "read", "candidate": "wait for review", "quarantined": "quarantined",
          "rejected": "rejected"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A line of a table; `percent` is its share of the table's rows, None where it has none."""

    name: str
    shown: str
    percent: float | None = None


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    title: str
    table: tuple[Entry, ...] = ()
    told: str = ""
    lines: tuple[str, ...] = ()


def summary(manifest: Mapping[str, Any]) -> str:
    """Return the first sentence: how many rows, of how many transcripts, of when."""
    rows, used = manifest["rows"], manifest["transcripts"]["used"]
    since, until = (str(manifest["time"][name] or "")[:10] for name in ("from", "to"))
    when = f"of {since}" if since == until else f"from {since} to {until}"
    return (
        f"{rows['train']:,} rows to train on and {rows['validation']:,} to validate with, made of"
        f" {used:,} approved transcripts {when}; about {manifest['tokens']['train']:,} tokens to"
        f" train on, {manifest['tokens']['longest']:,} in the longest row."
    )


def sections(manifest: Mapping[str, Any]) -> Iterator[Section]:
    """Return what a manifest tells, in the order in which people ask."""
    for key, title in NAMES.items():
        if manifest["by"][key]:
            yield Section(title, tuple(_table(manifest["by"][key])))
    yield Section("Transcripts", tuple(_states(manifest)))
    yield Section(
        "Left out",
        tuple(_table(manifest["left_out"], shares=False)),
        "" if manifest["left_out"] else "Nothing.",
    )
    yield Section("Personal data", tuple(_table(manifest["redactions"], shares=False)),
                  f"{sum(manifest['redactions'].values()):,} values were replaced by placeholders"
                  " in these transcripts. Every one was read once more while the dataset was"
                  f" built. {not_covered()}")  # fmt: skip
    near = manifest["near_duplicates"]
    yield Section(
        "Splits",
        told=(
            f"{manifest['duplicates']:,} rows were there twice and are there once. Rows of one"
            f" conversation and near-duplicates ({manifest['rules']['near_duplicates']}) are on"
            f" one side: {near['groups']:,} groups, {near['largest_group']:,} rows in the largest."
            f" The newest validate{_since(manifest)}; seed {manifest['wanted']['seed']}."
        ),
    )
    yield Section("Decontamination", tuple(_gates(manifest)), _looked_for(manifest))
    problems = manifest["problems"]
    if problems["all"]:
        yield Section("Problems", (), f"{problems['all']:,} were left out.",
                      tuple(problems["named"]))  # fmt: skip


def lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Return the report for a terminal, a line each."""
    yield from textwrap.wrap(summary(manifest), WIDTH)
    for section in sections(manifest):
        yield ""
        yield section.title
        yield from _wrapped(section.told)
        for entry in section.table[:SHOWN]:
            share = "" if entry.percent is None else f"{entry.percent:5.1f} %"
            yield f"  {entry.name:<60.60}{entry.shown:>10}  {share}".rstrip()
        if len(section.table) > SHOWN:
            yield f"  and {len(section.table) - SHOWN} more"
        for line in section.lines[:SHOWN]:
            yield from _wrapped(line)


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, WIDTH, initial_indent="  ", subsequent_indent="  ")


def page(
    title: str,
    manifest: Mapping[str, Any],
    rows: Sequence[DatasetRow],
    withdrawn: str | None = None,
) -> str:
    """Return the report as a page of its own, with rows from its beginning to its end.

    Words of transcripts and documents are escaped, and the page loads nothing.
    """
    from jinja2 import Environment  # noqa: PLC0415 - few commands make a page

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text(encoding="utf-8")
    )
    step = max(1, len(rows) // EXAMPLES)
    chosen = list(enumerate(rows, start=1))[::step][:EXAMPLES]
    return template.render(
        title=title,
        summary=summary(manifest),
        sha256=manifest["sha256"],
        withdrawn=withdrawn,
        sections=list(sections(manifest)),
        examples=[
            {"name": f"Row {number}, {row.split}", "parts": list(parts(row.content))}
            for number, row in chosen
        ],
    )


def parts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return a row as (what it is, words), in the order in which it is read."""
    for name in ("messages", "prompt"):
        for message in content.get(name, ()):
            yield message["role"], message["content"]
    for name in ("question", "text", "chosen", "rejected", "head", "label"):
        if name in content:
            yield name, str(content[name])
    for name in ("history", "positives", "negatives"):
        for text in content.get(name, ()):
            yield name, text


def not_covered() -> str:
    """Return what redaction does not find, in its own words."""
    said = (finetune.redact.__doc__ or "").split("\n\n")
    found = next((part for part in said if part.startswith("Not found are")), "")
    return " ".join(found.split())


def title_of(name: str, chosen: Format, number: int | None = None) -> str:
    """Return what a report is headed with."""
    return f"Dataset {number}: {name} ({chosen})" if number else f"{name} ({chosen})"


def _table(counts: Mapping[str, int], *, shares: bool = True) -> Iterator[Entry]:
    whole = sum(counts.values())
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        percent = round(100 * count / whole, 1) if shares and whole else None
        yield Entry(name, f"{count:,}", percent)


def _states(manifest: Mapping[str, Any]) -> Iterator[Entry]:
    told = manifest["transcripts"]
    for state, words in STATES.items():
        if told["by_state"].get(state):
            yield Entry(words, f"{told['by_state'][state]:,}")
    yield Entry("wanted of those", f"{told['wanted']:,}")
    yield Entry("in a row", f"{told['used']:,}")


def _gates(manifest: Mapping[str, Any]) -> Iterator[Entry]:
    for gate in manifest["decontaminated"]:
        yield Entry(f"{gate['set']}: rows taken out", f"{gate['rows']:,}")
        for how, count in gate["by"].items():
            yield Entry(f"{gate['set']}: by {how}", f"{count:,}")


def _looked_for(manifest: Mapping[str, Any]) -> str:
    if not manifest["decontaminated"]:
        return "No row validates and no set was given with --gate-set: none was kept apart."
    return (
        f"Taken out of training is what shares {manifest['rules']['decontamination']}, holds a"
        " whole message of these sets, or is nearly the same."
    )


def _since(manifest: Mapping[str, Any]) -> str:
    moment = manifest["time"]["validation_from"]
    return f", from {moment[:10]} on" if moment else ": none, every group is too large"
