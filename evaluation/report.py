"""A comparison as a person reads it: in a terminal, and as one page that needs nothing else."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.advice import Advice
from evaluation.arms import ARMS, Arm
from evaluation.charts import Bar, bar_chart, draw
from evaluation.compare import FIGURES, Comparison
from evaluation.statistics import Difference

HERE = Path(__file__).resolve().parent
CHARTED = {
    "What they answer": ("answered", "refused", "f1", "chrf"),
    "What stands behind it": ("verified", "proven", "other facts", "facts kept"),
    "How it sounds": ("voice", "length", "copied"),
}


def ran(found: Comparison) -> list[Arm]:
    """Return the arms that were tried, in order."""
    return [arm for arm in ARMS if arm in found.arms]


def summary(found: Comparison) -> str:
    """Return in a sentence what was asked and in how many ways."""
    tried = ran(found)
    asked = f"{found.questions} question{'' if found.questions == 1 else 's'}"
    ways = f"{len(tried)} way{'' if len(tried) == 1 else 's'}"
    return f"{asked} of {found.name}, asked in {ways}: {', '.join(tried)}."


def notes(found: Comparison) -> Iterator[str]:
    """Return what a reader has to know beside the figures."""
    for arm, why in found.missing.items():
        yield f"{arm} was not tried: {why}."
    yield f"The team's voice: {found.voice_note}."
    for arm in ran(found):
        report = found.arms[arm]
        rewritten = report.styled + report.facts_changed
        if rewritten:
            yield (
                f"{arm}: {report.facts_changed} of {rewritten} rewritings changed a fact; the"
                " plain words were shown instead."
            )
        if report.failed:
            yield f"{arm}: {report.failed} questions failed; they count as not answered."


def comparison_lines(found: Comparison, advice: Advice) -> Iterator[str]:
    """Return the comparison for a terminal, a line each."""
    arms = ran(found)
    yield summary(found)
    yield f"{'percent (95 %)':<50}" + "".join(f"{arm:<24}" for arm in arms)
    for row in table(found):
        cells = (f"{cell['value']} {cell['interval']}".strip() for cell in row["cells"])
        yield f"{row['name']:<50}" + "".join(f"{cell:<24}" for cell in cells)
    yield ""
    yield from notes(found)
    yield ""
    for reason in advice.reasons:
        yield f"→ {reason}"
    for rule, marks in advice.table.items():
        told = ", ".join(
            f"{arm}: {marks[arm].mark} ({marks[arm].figure})" for arm in arms if arm in marks
        )
        if told:
            yield f"  {rule}: {told}"


def table(found: Comparison) -> list[dict[str, Any]]:
    """Return the figures by row, a cell for each arm that was tried."""
    arms = ran(found)
    rows = []
    for name, told in FIGURES.items():
        figures = [found.arms[arm].figures.get(name) for arm in arms]
        if any(figure is not None for figure in figures):
            rows.append({"name": told, "cells": [_cell(figure) for figure in figures]})
    reports = [found.arms[arm] for arm in arms]
    rows.append(
        {
            "name": "seconds p50 / p95",
            "cells": [_plain(f"{r.seconds_p50:.2f} / {r.seconds_p95:.2f}") for r in reports],
        }
    )
    rows.append(
        {
            "name": "tokens a question",
            "cells": [_plain(f"{r.tokens:.0f}") for r in reports],
        }
    )
    return rows


def _cell(figure: Difference | None) -> dict[str, str]:
    if figure is None:
        return _plain("–")
    return {
        "value": f"{100 * figure.value:.1f}",
        "interval": f"({100 * figure.low:.1f} … {100 * figure.high:.1f})",
    }


def _plain(value: str) -> dict[str, str]:
    return {"value": value, "interval": ""}


def charts(found: Comparison) -> Iterator[tuple[str, bytes]]:
    """Return title and SVG of each chart that there are figures for."""
    for title, names in CHARTED.items():
        bars = [
            Bar(FIGURES[name], arm, 100 * figure.value, 100 * figure.low, 100 * figure.high)
            for name in names
            for arm in ran(found)
            for figure in [found.arms[arm].figures.get(name)]
            if figure is not None
        ]
        if bars:
            yield title, draw(bar_chart(bars, title, groups=ran(found)))


def page(found: Comparison, advice: Advice) -> str:
    """Return the comparison as one HTML page: every word escaped, nothing fetched, no script."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - for pages

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    arms = ran(found)
    return environment.get_template("comparison.html").render(
        title=f"Four ways to answer: {found.name}",
        summary=summary(found),
        arms=arms,
        advice={
            "reasons": advice.reasons,
            "table": {
                rule: {arm: cells.get(arm) for arm in arms} for rule, cells in advice.table.items()
            },
        },
        rows=table(found),
        notes=list(notes(found)),
        charts=[
            {"alt": title, "data": b64encode(drawn).decode()} for title, drawn in charts(found)
        ],
        examples=found.examples,
    )
