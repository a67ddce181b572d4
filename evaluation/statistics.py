"""Shares and differences with intervals, taken over dialogues because their turns are alike.

Where only counts are known, intervals are those of single cases (`wilson`, `newcombe`).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 1000
PAIRED_RESAMPLES = 2000
SEED = 7
ONE_SIDED = 1.645  # standard deviations: one-sided 95 %


@dataclass(frozen=True)
class Share:
    """A share of cases in percent with its 95 % interval (bootstrap over groups)."""

    percent: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, float]:
        """Return the share as JSON types."""
        return {
            "percent": round(self.percent, 2),
            "low": round(self.low, 2),
            "high": round(self.high, 2),
            "count": self.count,
        }

    def __str__(self) -> str:
        """Write it as in a table: 54.1 (52.0 … 56.1)."""
        return f"{self.percent:.1f} ({self.low:.1f} … {self.high:.1f})"


def share(groups: Sequence[str], hits: Sequence[bool]) -> Share:
    """Return the share of hits; groups are resampled with replacement 1,000 times."""
    if not hits:
        return Share(0.0, 0.0, 0.0, 0)
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for group, hit in zip(groups, hits, strict=True):
        totals[group][0] += hit
        totals[group][1] += 1
    table = np.array(list(totals.values()))
    drawn = np.random.default_rng(SEED).integers(len(table), size=(RESAMPLES, len(table)))
    sums = table[drawn].sum(axis=1)
    low, high = np.percentile(100 * sums[:, 0] / sums[:, 1], [2.5, 97.5])
    return Share(100 * sum(hits) / len(hits), float(low), float(high), len(hits))


@dataclass(frozen=True)
class Difference:
    """Ours less theirs on the same cases, with its 95 % interval (bootstrap over groups)."""

    value: float
    low: float
    high: float
    count: int
    groups: int

    def to_json(self) -> dict[str, float]:
        """Return the difference as JSON types."""
        return {
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "count": self.count,
            "groups": self.groups,
        }


def difference(
    groups: Sequence[str],
    ours: Sequence[float],
    theirs: Sequence[float],
    resamples: int = PAIRED_RESAMPLES,
) -> Difference:
    """Return the mean of `ours` less `theirs`, paired case by case.

    Whole groups are drawn with replacement (Efron's percentile interval, seeded), so a long
    dialogue does not count as many. Raises ValueError where the three are not of one length.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for group, mine, other in zip(groups, ours, theirs, strict=True):
        sums[group][0] += mine - other
        sums[group][1] += 1
    if not sums:
        return Difference(0.0, 0.0, 0.0, 0, 0)
    table = np.array(list(sums.values()))
    drawn = np.random.default_rng(SEED).integers(len(table), size=(resamples, len(table)))
    totals = table[drawn].sum(axis=1)
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [2.5, 97.5])
    value = table[:, 0].sum() / table[:, 1].sum()
    return Difference(float(value), float(low), float(high), len(groups), len(table))


def wilson(count: int, total: int, z: float = ONE_SIDED) -> tuple[float, float]:
    """Return the Wilson score interval of a share (Wilson 1927); (0, 1) for no cases."""
    if total == 0:
        return 0.0, 1.0
    part, square = count / total, z * z
    centre = part + square / (2 * total)
    spread = z * math.sqrt(part * (1 - part) / total + square / (4 * total * total))
    whole = 1 + square / total
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


def newcombe(
    count: int, total: int, other: int, other_total: int, z: float = ONE_SIDED
) -> tuple[float, float]:
    """Return the interval of a difference of two shares (Newcombe 1998, method 10)."""
    part, other_part = count / total, other / other_total
    low, high = wilson(count, total, z)
    other_low, other_high = wilson(other, other_total, z)
    apart = part - other_part
    below = math.hypot(part - low, other_high - other_part)
    above = math.hypot(high - part, other_part - other_low)
    return apart - below, apart + above


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the chance that a positive scores above another, a tie as a half.

    One half where all are positive or none is.
    """
    if len(np.unique(positive)) < 2:
        return 0.5
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - two seconds, for who measures

    return float(roc_auc_score(positive, scores))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of values, 0 if there are none."""
    return float(np.percentile(values, percent)) if values else 0.0
