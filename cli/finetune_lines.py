"""Training runs as text for a terminal, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cli.show import counted, printable
from store.datasets import Dataset
from store.model_registry import Verdict
from store.runs import Point, Run, RunEvent

BLOCKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 24  # letters of a curve
BAR_WIDTH = 20  # letters
MINUTE, HOUR = 60, 3_600  # seconds
CURVES = {"loss": "train", "eval_loss": "eval"}
LEFT_OUT = {"redactions": "redactions", "duplicates": "duplicates removed"}
LEFT_OUT |= {"quarantined": "quarantined"}


def sparkline(values: Sequence[float], width: int = SPARK_WIDTH) -> str:
    """Return a curve of block letters, its lowest value lowest; long ones are averaged."""
    shown = _thinned(values, width)
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if high == low:
        return BLOCKS[0] * len(shown)
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round((value - low) / (high - low) * top)] for value in shown)


def _thinned(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    edges = [len(values) * number // width for number in range(width + 1)]
    parts = (values[start:end] for start, end in pairwise(edges))
    return [sum(part) / len(part) for part in parts]


def duration(seconds: float) -> str:
    """Return a time as people say it: 40 s, 14 min, 3.5 h."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h"


def bar(step: int, total: int) -> str:
    """Return how far a run is as a bar; an empty one where its length is not known."""
    done = round(BAR_WIDTH * min(step, total) / total) if total else 0
    return "█" * done + "░" * (BAR_WIDTH - done)


def seconds_left(run: Run, points: Sequence[Point], now: datetime | None = None) -> float | None:
    """Return how long a run takes yet by the pace of its steps; None before that is known."""
    if run.state != "running" or not run.total or len(points) < 2:
        return None
    first, last = points[0], points[-1]
    steps = last.step - first.step
    pace = (last.created_at - first.created_at).total_seconds() / steps
    gone = ((now or datetime.now(UTC)) - last.created_at).total_seconds()
    return max(0.0, pace * (run.total - last.step) - gone)


def status_lines(run: Run, points: Sequence[Point], now: datetime | None = None) -> Iterator[str]:
    """Return where a run stands: one line, and its reason where it failed."""
    parts = [f"{run.id}  {run.name}", run.backend, run.state]
    if run.state == "running":
        parts.append(f"{bar(run.step, run.total)} {run.step}/{run.total or '?'}")
    figures = latest_figures(points)
    parts += [f"{name} {value:.4g}" for name, value in figures.items() if name in CURVES]
    left = seconds_left(run, points, now)
    if left is not None:
        parts.append(f"{duration(left)} left")
    if run.cancel_requested and not run.ended:
        parts.append("is being cancelled")
    if run.ended and run.started_at and run.ended_at:
        parts.append(duration((run.ended_at - run.started_at).total_seconds()))
    yield printable(" · ".join(parts))
    if run.reason:
        yield printable(f"    {run.reason}")


def latest_figures(points: Sequence[Point]) -> dict[str, float]:
    """Return the last value of each figure."""
    latest: dict[str, float] = {}
    for point in points:
        latest |= point.figures
    return latest


def run_lines(
    run: Run,
    dataset: Dataset,
    points: Sequence[Point],
    events: Sequence[RunEvent],
    verdicts: Sequence[Verdict],
) -> Iterator[str]:
    """Return all about a run: what of, how it went, what it took, what was decided of it."""
    base = f" on {run.base}" if run.base else ""
    head = [run.name, f"{run.backend}{base}", f"{rows_of(dataset)}", run.state]
    if run.started_at and run.ended_at:
        head.append(duration((run.ended_at - run.started_at).total_seconds()))
    yield printable(" · ".join(head))
    if run.reason:
        yield printable(f"reason  {run.reason}")
    curves = list(curve_lines(points))
    if curves:
        yield "loss    " + "  ".join(curves)
    for verdict in verdicts:
        outcome = "passed" if verdict.passed else "failed"
        yield printable(f"{verdict.stage:8}{outcome}: {verdict.reason}")
    if run.result:
        yield printable(f"result  {pairs(run.result)}")
    if run.cost:
        yield printable(f"cost    {costs(run.cost)}")
    if run.recipe:
        yield printable(f"recipe  {pairs(run.recipe)}")
    yield printable(f"dataset {dataset.id} ({dataset.name}, {dataset.format})")
    if events:
        yield "events  " + printable(events[-1].message)
        if len(events) > 1:
            yield f"        {counted(len(events), 'event')}; finetune logs {run.id} shows all"


def curve_lines(points: Sequence[Point]) -> Iterator[str]:
    """Return each loss as a curve with its first and last value, and where it was lowest."""
    for name, word in CURVES.items():
        known = [(point.step, point.figures[name]) for point in points if name in point.figures]
        if not known:
            continue
        values = [value for _, value in known]
        best = min(known, key=lambda pair: pair[1])
        yield (
            f"{word} {sparkline(values)} {values[0]:.3g} → {values[-1]:.3g}"
            f" (lowest {best[1]:.3g} at step {best[0]})"
        )


def rows_of(dataset: Dataset) -> str:
    """Return how many examples a dataset has, and how many were changed or left out."""
    told = [
        f"{_count(dataset.manifest[name])} {words}"
        for name, words in LEFT_OUT.items()
        if _count(dataset.manifest.get(name))
    ]
    more = f" ({', '.join(told)})" if told else ""
    return f"{_count(dataset.manifest.get('rows'))} examples{more}"


def _count(found: Any) -> int:
    """Return a number, or the sum of a table of numbers."""
    if isinstance(found, Mapping):
        return sum(_count(value) for value in found.values())
    return found if isinstance(found, int) else 0


def pairs(values: Mapping[str, Any]) -> str:
    """Return plain values by their names; lists and tables are left to --json."""
    return " · ".join(
        f"{name} {_short(value)}"
        for name, value in values.items()
        if not isinstance(value, list | dict) and value is not None
    )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def costs(cost: Mapping[str, Any]) -> str:
    """Return what a run took: time, tokens, money, and whatever else was counted."""
    told = []
    if "seconds" in cost:
        told.append(duration(cost["seconds"]))
    if "tokens" in cost:
        told.append(f"{cost['tokens']:,} tokens")
    if "money" in cost:
        told.append(f"{cost['money']:,.2f} at the recipe's price")
    rest = {n: v for n, v in cost.items() if n not in ("seconds", "tokens", "money")}
    return " · ".join([*told, *([pairs(rest)] if rest else [])])


def run_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON types."""
    times = {
        name: moment.isoformat() if moment else None
        for name, moment in (
            ("created_at", run.created_at),
            ("started_at", run.started_at),
            ("ended_at", run.ended_at),
        )
    }
    names = (
        "id", "name", "kind", "backend", "state", "reason", "dataset_id", "base", "recipe", "key",
        "remote", "step", "total", "result", "cost", "requested_by", "cancel_requested",
    )  # fmt: skip
    return {name: getattr(run, name) for name in names} | times


def points_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return figures as JSON types."""
    return [{"step": point.step, **point.figures} for point in points]


def events_json(events: Sequence[RunEvent]) -> list[dict[str, Any]]:
    """Return events as JSON types."""
    return [{"message": event.message, "at": event.created_at.isoformat()} for event in events]


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON types."""
    return {
        "stage": verdict.stage,
        "passed": verdict.passed,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
        "at": verdict.created_at.isoformat(),
    }
