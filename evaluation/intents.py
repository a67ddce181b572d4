"""Measures the router head on a file of labelled messages: how right, how sure, how fast to fit.

The file has rows of text, label and split, JSON lines, and may have the turns before a message in
`history`. With rows of `train` and of others, it is trained on the one and measured on the others;
with one split alone, five stratified folds are measured. Labels that mean "none of these" are told
by their names (`oos`, `out_of_scope`).
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from evaluation.statistics import Share, auroc, share
from finetune.head_fit import Recipe, fit
from finetune.router_head import measured
from retrieval.embeddings import Embedder, Vectors
from retrieval.router_head import NOWHERE, Part, in_conversation, side_by_side

FOLDS = 5
SEED = 7


@dataclass(frozen=True)
class Labelled:
    """A message with its label; `history` are the turns before it, oldest first."""

    text: str
    label: str
    split: str
    history: tuple[str, ...]


@dataclass(frozen=True)
class IntentReport:
    """What a head is worth on rows that it did not learn from.

    `accuracy` is over rows that belong somewhere, among the labels of such rows. `joint` is over
    all rows, where one that belongs nowhere has to be recognised as such; it and the rest about
    them are None in a set without them. `joint_even` weighs both kinds as in a set of which
    `NOWHERE_SHARE` belongs nowhere. `auroc` is the chance that such a row seems more foreign than
    another. `fit_seconds` are those of the slowest fit, without embedding.
    """

    name: str
    rows: int
    accuracy: Share
    auroc: float | None
    joint: Share | None
    joint_even: float | None
    recall: Share | None
    calibration_error: float
    fit_seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "set": self.name,
            "rows": self.rows,
            "accuracy": self.accuracy.to_json(),
            "auroc": None if self.auroc is None else round(self.auroc, 4),
            "joint": self.joint.to_json() if self.joint else None,
            "joint_even": None if self.joint_even is None else round(self.joint_even, 2),
            "out_of_scope_recognised": self.recall.to_json() if self.recall else None,
            "calibration_error": round(self.calibration_error, 4),
            "fit_seconds": round(self.fit_seconds, 2),
        }


NOWHERE_SHARE = 2 / 11  # as in CLINC150's test split: 1,000 of 5,500


def load_intents(path: Path) -> list[Labelled]:
    """Read a file. Raises ConfigurationError naming the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text.") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_labelled(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"Line {number} of {path.name} is no labelled message: it needs text and label,"
                " and may have split and history."
            ) from error
    if len({row.label for row in rows}) < 2:
        raise ConfigurationError(f"{path.name} needs messages with at least two labels.")
    return rows


def evaluate_intents(
    rows: Sequence[Labelled], embedder: Embedder, recipe: Recipe | None = None
) -> list[IntentReport]:
    """Return a report for each split that is measured, or one over five folds.

    Where messages have histories, those with them read follow those without.
    """
    recipe = recipe or Recipe()
    alone = embedder.embed([row.text for row in rows])
    made = list(_measure(rows, alone, recipe, contextual=False))
    if any(row.history for row in rows):
        together = embedder.embed([in_conversation(row.text, row.history) for row in rows])
        both = side_by_side([alone, together])
        made += _measure(rows, both, recipe, contextual=True)
    return made


def folds(labels: Sequence[str], count: int = FOLDS) -> NDArray[np.intp]:
    """Return each row's fold: every label is dealt out evenly, in an order drawn by a seed."""
    made = np.zeros(len(labels), dtype=np.intp)
    by_label: dict[str, list[int]] = defaultdict(list)
    for place in np.random.default_rng(SEED).permutation(len(labels)):
        by_label[labels[place]].append(int(place))
    dealt = 0
    for label in sorted(by_label):
        for place in by_label[label]:
            made[place] = dealt % count
            dealt += 1
    return made


def _measure(
    rows: Sequence[Labelled], vectors: Vectors, recipe: Recipe, *, contextual: bool
) -> Iterator[IntentReport]:
    splits = sorted({row.split for row in rows})
    with_history = ", with history" if contextual else ""
    if "train" in splits and len(splits) > 1:
        known = np.array([row.split == "train" for row in rows])
        part, seconds = _fitted(rows, vectors, known, recipe, contextual)
        for split in splits:
            if split != "train":
                asked = np.array([row.split == split for row in rows])
                told = [_Told.by(part, rows, vectors, asked)]
                yield _report(f"train → {split}{with_history}", told, seconds)
        return
    dealt, told, slowest = folds([row.label for row in rows]), [], 0.0
    for fold in range(FOLDS):
        part, seconds = _fitted(rows, vectors, dealt != fold, recipe, contextual)
        told.append(_Told.by(part, rows, vectors, dealt == fold))
        slowest = max(slowest, seconds)
    yield _report(f"{FOLDS} folds{with_history}", told, slowest)


def _fitted(
    rows: Sequence[Labelled],
    vectors: Vectors,
    chosen: NDArray[np.bool_],
    recipe: Recipe,
    contextual: bool,
) -> tuple[Part, float]:
    learned = [row for row, taken in zip(rows, chosen, strict=True) if taken]
    groups = [str(number) for number in range(len(learned))]
    texts, labels = [row.text for row in learned], [row.label for row in learned]
    started = time.perf_counter()
    made = fit(vectors[chosen], texts, labels, groups, recipe, contextual=contextual)
    return made.part, time.perf_counter() - started


@dataclass(frozen=True)
class _Told:
    """What a part says of rows that it did not learn from."""

    right: list[bool]  # of rows that belong somewhere
    whole: list[bool]  # of all rows
    nowhere: NDArray[np.bool_]
    foreign: NDArray[Any]
    calibration_error: float

    @classmethod
    def by(
        cls, part: Part, rows: Sequence[Labelled], vectors: Vectors, asked: NDArray[np.bool_]
    ) -> "_Told":
        held = [row for row, taken in zip(rows, asked, strict=True) if taken]
        said, foreign = part.predict(vectors[asked], [row.text for row in held])
        nowhere = np.array([row.label in NOWHERE for row in held])
        inside = said if part.nowhere is None else np.delete(said, part.nowhere, axis=1)
        names = [label for label in part.labels if label not in NOWHERE]
        right = [
            names[place] == row.label for place, row in zip(inside.argmax(1), held, strict=True)
        ]
        best = [part.labels[place] for place in said.argmax(1)]
        whole = [
            label in NOWHERE if row.label in NOWHERE else label == row.label
            for label, row in zip(best, held, strict=True)
        ]
        kept = [hit for hit, out in zip(right, nowhere, strict=True) if not out]
        error = measured(part.labels, said, [row.label for row in held])["calibration_error"]
        return cls(kept, whole, nowhere, foreign, error)


def _report(name: str, told: Sequence[_Told], seconds: float) -> IntentReport:
    right = [hit for one in told for hit in one.right]
    whole = np.array([hit for one in told for hit in one.whole])
    nowhere = np.concatenate([one.nowhere for one in told])
    foreign = np.concatenate([one.foreign for one in told])
    rows = len(whole)
    has_both = bool(nowhere.any()) and not bool(nowhere.all())
    recalled = whole[nowhere] if has_both else whole[:0]
    even = None
    if has_both:
        even = 100 * float(
            NOWHERE_SHARE * recalled.mean() + (1 - NOWHERE_SHARE) * whole[~nowhere].mean()
        )
    return IntentReport(
        name=name,
        rows=rows,
        accuracy=_share(right),
        auroc=auroc(foreign, nowhere) if has_both else None,
        joint=_share(whole.tolist()) if has_both else None,
        joint_even=even,
        recall=_share(recalled.tolist()) if has_both else None,
        calibration_error=float(np.mean([one.calibration_error for one in told])),
        fit_seconds=seconds,
    )


def _share(hits: Sequence[bool]) -> Share:
    return share([str(number) for number in range(len(hits))], hits)


def _labelled(row: dict[str, Any]) -> Labelled:
    turns = row.get("history") or ()
    said = [turn["text"] if isinstance(turn, dict) else turn for turn in turns]
    if not all(isinstance(one, str) for one in (*said, row["text"], row["label"])):
        raise TypeError
    return Labelled(row["text"], row["label"], str(row.get("split") or "train"), tuple(said))
