"""The backend *router*: trains a head on the embedder from messages whose label people gave.

It takes seconds on a CPU and needs no language model. Vectors are made anew for each run and
nothing of them is kept: somebody's words that are deleted leave none behind.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
from sqlalchemy import Engine

from core.settings import Settings, settings
from finetune.backends import Made, Report, TrainingError
from finetune.head_fit import Fitted, Recipe, fit
from retrieval.artefacts import PROBE, save
from retrieval.embeddings import Embedder, configured_model, open_embedder
from retrieval.router_head import KIND, NOWHERE, Part, in_conversation, side_by_side
from store.answers import Route
from store.datasets import Dataset, DatasetRow
from store.runs import Run

PARTS = ("route", "sentiment", "intent")
FEWEST_PER_LABEL = 8  # rows of the training split
SENTIMENTS = ("upset", "worried", "neutral", "pleased")
BATCH = 256  # texts between two reports
ABOVE_ZERO = ("waves", "buckets", "width", "reach", "rate", "epochs", "ridge")
BINS = 10  # of the expected calibration error


@dataclass(frozen=True)
class Examples:
    """The rows of one part: texts with the turns before them, labels and conversations."""

    texts: list[str]
    histories: list[tuple[str, ...]]
    labels: list[str]
    groups: list[str]

    @classmethod
    def of(cls, rows: Sequence[DatasetRow], part: str, split: str) -> "Examples":
        """Choose the rows of a part and a split."""
        chosen = [r for r in rows if r.split == split and r.content["head"] == part]
        return cls(
            [str(r.content["text"]) for r in chosen],
            [tuple(map(str, r.content.get("history") or ())) for r in chosen],
            [str(r.content["label"]) for r in chosen],
            [r.conversation for r in chosen],
        )

    def inputs(self, *, contextual: bool) -> list[list[str]]:
        """Return the texts to embed: the messages, and with them their conversations."""
        if not contextual:
            return [self.texts]
        pairs = zip(self.texts, self.histories, strict=True)
        return [self.texts, [in_conversation(text, history) for text, history in pairs]]


def check(
    config: Settings,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    base: str | None,
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the whole recipe; raises TrainingError with what is wrong with rows or recipe."""
    if dataset.format != "routes":
        raise TrainingError(
            f"Dataset {dataset.id} is of the format {dataset.format}; a router is trained on"
            " routes. Build one with `footnote finetune dataset build --format routes`."
        )
    whole = recipe_of(recipe)
    parts = sorted({str(row.content["head"]) for row in rows})
    for part in parts:
        _check_part(part, Examples.of(rows, part, "train"))
    if not parts:
        raise TrainingError("The dataset has no rows; label transcripts and build it again.")
    model = base or configured_model(config)
    return asdict(whole) | {"embedder": model}


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """Return a recipe with its defaults filled in. Raises TrainingError for what it lacks."""
    known = {field.name: type(getattr(Recipe(), field.name)) for field in fields(Recipe)}
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name == "embedder":
            continue
        if name not in known:
            raise TrainingError(
                f"A router's recipe has no {name}; it has {', '.join(sorted(known))}."
            )
        try:
            made[name] = known[name](value)
        except (TypeError, ValueError) as error:
            raise TrainingError(f"{name} is to be a number, not {value!r}.") from error
    whole = Recipe(**made)
    above = {name: getattr(whole, name) for name in ABOVE_ZERO}
    if min(above.values()) <= 0 or min(whole.share, whole.decay) < 0:
        raise TrainingError(f"{', '.join(above)} are to be above 0, share and decay at least 0.")
    if max(whole.waves, whole.buckets) > 8192:
        raise TrainingError("waves and buckets are to be 8,192 at most: more would not fit.")
    if not 0 <= whole.threshold <= 1:
        raise TrainingError("threshold is to be a probability, from 0 to 1.")
    return whole


def train(
    engine: Engine,
    run: Run,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Train a head in a few seconds; raises TrainingError, RunCancelledError."""
    del engine, dataset
    config = settings()
    embedder = open_embedder(config, run.recipe.get("embedder"))
    return train_with(embedder, run.recipe, rows, folder, report)


def train_with(
    embedder: Embedder,
    recipe: Mapping[str, Any],
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Train a head on an embedder's vectors and write its folder."""
    started, whole = time.perf_counter(), recipe_of(recipe)
    names = [name for name in PARTS if any(row.content["head"] == name for row in rows)]
    steps = len(names) + 1
    report.step(0, steps)
    fitted: dict[str, Fitted] = {}
    result: dict[str, Any] = {}
    for number, name in enumerate(names, start=1):
        examples = Examples.of(rows, name, "train")
        contextual = any(examples.histories)
        vectors = _embed(embedder, examples.inputs(contextual=contextual), report, steps)
        made = fit(
            vectors,
            examples.texts,
            examples.labels,
            examples.groups,
            whole,
            contextual=contextual,
        )
        fitted[name] = made
        told = figures(made, examples.labels)
        result[name] = told | {"rows": len(examples.texts), "labels": list(made.part.labels)}
        held = Examples.of(rows, name, "validation")
        if held.texts:
            result[name]["validation"] = _measured(embedder, made.part, held)
        report.step(number, steps, accuracy=told["accuracy"], loss=told["log_loss"])
        report.event(
            f"{name}: {told['accuracy']:.1%} of {len(examples.texts)} rows right when their"
            " conversation is left out",
            f"part {name}",
        )
    save_head(folder, {name: one.part for name, one in fitted.items()}, embedder, result)
    report.step(steps, steps)
    return Made(str(folder), result, {"seconds": round(time.perf_counter() - started, 2)})


def save_head(
    folder: Path, parts: Mapping[str, Part], embedder: Embedder, result: Mapping[str, Any]
) -> None:
    """Write the folder of a head, its numbers in half precision."""
    numbers: dict[str, Any] = {}
    told = {}
    for name, part in parts.items():
        numbers[f"{name}.waves"] = part.features.waves.astype(np.float16)
        numbers[f"{name}.rarity"] = part.features.rarity.astype(np.float16)
        numbers[f"{name}.weights"] = part.weights.astype(np.float16)
        numbers[f"{name}.nearness"] = part.nearness.astype(np.float16)
        if part.novelty is not None:
            numbers[f"{name}.novelty"] = part.novelty
        told[name] = {
            "labels": list(part.labels),
            "buckets": part.features.buckets,
            "reach": part.features.reach,
            "share": part.features.share,
            "temperature": part.temperature,
            "threshold": part.threshold,
            "novelty": part.novelty is not None,
            "contextual": part.contextual,
        }
    card = {"embedder": embedder.model, "dimensions": embedder.dimensions, "parts": told}
    save(folder, KIND, card | {"result": dict(result)}, numbers, embedder.embed([PROBE])[0])


def figures(made: Fitted, labels: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, log loss and calibration error of the rows that were held out."""
    probabilities, _ = made.part.calibrated(made.scores, made.near)
    return measured(made.part.labels, probabilities, [labels[place] for place in made.held])


def measured(names: Sequence[str], probabilities: Any, labels: Sequence[str]) -> dict[str, Any]:
    """Return what probabilities [n, names] are worth where the true labels are known.

    A label that the part never saw counts as wrong. The calibration error is the mean distance
    of sureness and accuracy over ten bins of sureness, weighed by their rows (Guo et al., 2017).
    """
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    places = np.array([names.index(label) if label in names else -1 for label in labels])
    right = best == places
    of_true = np.where(places < 0, 0.0, probabilities[np.arange(len(places)), places])
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = sum(
        abs(float(right[bins == b].mean() - sure[bins == b].mean())) * float((bins == b).mean())
        for b in np.unique(bins)
    )
    return {
        "accuracy": round(float(right.mean()), 4),
        "log_loss": round(float(-np.log(of_true + 1e-9).mean()), 4),
        "calibration_error": round(error, 4),
    }


def _embed(embedder: Embedder, inputs: Sequence[Sequence[str]], report: Report, steps: int) -> Any:
    columns = []
    for texts in inputs:
        parts = []
        for start in range(0, len(texts), BATCH):
            parts.append(embedder.embed(texts[start : start + BATCH]))
            report.step(0, steps)  # hears of a cancellation
        columns.append(np.concatenate(parts))
    return side_by_side(columns)


def _measured(embedder: Embedder, part: Part, held: Examples) -> dict[str, Any]:
    columns = [embedder.embed(texts) for texts in held.inputs(contextual=part.contextual)]
    probabilities, _ = part.predict(side_by_side(columns), held.texts)
    return measured(part.labels, probabilities, held.labels) | {"rows": len(held.texts)}


def _check_part(part: str, examples: Examples) -> None:
    if part not in PARTS:
        raise TrainingError(
            f"The dataset has rows for a head {part}; there are {', '.join(PARTS)}."
        )
    counts = Counter(examples.labels)
    if len(counts) < 2:
        only = f"only the label {next(iter(counts))}" if counts else "no rows"
        raise TrainingError(
            f"The head {part} has {only} in its training split; label at least one other and"
            " build the dataset again."
        )
    allowed = {"route": get_args(Route), "sentiment": SENTIMENTS}.get(part)
    unknown = sorted(set(counts) - set(allowed) - NOWHERE) if allowed is not None else []
    if allowed is not None and unknown:
        raise TrainingError(
            f"{unknown[0]} is no {part}; there are {', '.join(allowed)}. Label those rows anew."
        )
    label, count = min(counts.items(), key=lambda counted: counted[1])
    if count < FEWEST_PER_LABEL:
        raise TrainingError(
            f"The label {label} of the head {part} has {count} training rows; it needs at"
            f" least {FEWEST_PER_LABEL}. Label more, or leave it out."
        )
