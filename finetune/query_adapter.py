"""The backend *retriever*: turns questions towards the passages that answered such questions.

Contrastive learning (InfoNCE, van den Oord et al., 2018) of a linear turn Δ of the question's
vector alone: among all passages of the dataset, those that were cited are to be the nearest, and
the ones that the retriever ranked high and nobody cited are to be further. Δ begins at 0 and is
held near it; questions of conversations that are kept aside say when to stop, and where nothing
helps them Δ stays 0. It takes seconds on a CPU.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from core.settings import Settings, settings
from finetune.backends import Made, Report, TrainingError
from retrieval.artefacts import PROBE, save
from retrieval.embeddings import Embedder, Vectors, configured_model, open_embedder
from retrieval.query_adapter import KIND, QueryAdapter
from retrieval.router_head import in_conversation
from store.datasets import Dataset, DatasetRow
from store.runs import Run
from store.spaces import active_space

FEWEST_PAIRS = 20  # questions of the training split
BATCH = 256  # texts between two reports
LOOK_EVERY = 10  # steps between two looks at what is kept aside
PATIENCE = 5  # looks without anything better, after which it stops
FIRST_MOMENT, SECOND_MOMENT, TINY = 0.9, 0.999, 1e-8  # Adam's, as Kingma and Ba give them


@dataclass(frozen=True)
class Recipe:
    """How the turn is learned: `pull` towards no turn, `temperature` of the likeness."""

    steps: int = 200
    rate: float = 0.002
    temperature: float = 0.05
    pull: float = 0.001
    aside: float = 0.15
    seed: int = 7


@dataclass(frozen=True)
class Pairs:
    """Questions and passages as vectors, and which passages answer which question.

    `questions` [n, d], `passages` [m, d], `answers` [n, m] as shares that add up to 1, `groups`
    the questions' conversations.
    """

    questions: Vectors
    passages: Vectors
    answers: NDArray[np.float32]
    groups: tuple[str, ...]

    def of(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Return the chosen questions with all passages."""
        kept = tuple(g for g, taken in zip(self.groups, chosen, strict=True) if taken)
        return Pairs(self.questions[chosen], self.passages, self.answers[chosen], kept)


def check(
    config: Settings,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    base: str | None,
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the whole recipe; raises TrainingError with what is wrong with rows or recipe."""
    if dataset.format != "pairs":
        raise TrainingError(
            f"Dataset {dataset.id} is of the format {dataset.format}; a query adapter is trained"
            " on pairs. Build one with `footnote finetune dataset build --format pairs`."
        )
    whole = recipe_of(recipe)
    count = sum(row.split == "train" for row in rows)
    if count < FEWEST_PAIRS:
        raise TrainingError(
            f"The dataset has {count} training questions; a query adapter needs at least"
            f" {FEWEST_PAIRS}. Approve more answers with citations and build it again."
        )
    for number, row in enumerate(rows, start=1):
        if not row.content.get("positives"):
            raise TrainingError(f"Row {number} has no passage that answers it; leave it out.")
    return asdict(whole) | {"embedder": base or configured_model(config)}


def recipe_of(given: Mapping[str, Any]) -> Recipe:
    """Return a recipe with its defaults filled in. Raises TrainingError for what it lacks."""
    known = {field.name: type(getattr(Recipe(), field.name)) for field in fields(Recipe)}
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name == "embedder":
            continue
        if name not in known:
            raise TrainingError(
                f"A query adapter's recipe has no {name}; it has {', '.join(sorted(known))}."
            )
        try:
            made[name] = known[name](value)
        except (TypeError, ValueError) as error:
            raise TrainingError(f"{name} is to be a number, not {value!r}.") from error
    whole = Recipe(**made)
    if min(whole.rate, whole.temperature) <= 0 or min(whole.steps, whole.pull) < 0:
        raise TrainingError("rate and temperature are to be above 0, steps and pull at least 0.")
    if not 0 < whole.aside < 1:
        raise TrainingError("aside is to be a share between 0 and 1.")
    return whole


def train(
    engine: Engine,
    run: Run,
    dataset: Dataset,
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Train an adapter for the space that is active; raises TrainingError, RunCancelledError."""
    del dataset
    named = run.recipe.get("embedder")
    space = active_space(engine, run.workspace_id)
    if space is not None and space.model != named:
        raise TrainingError(
            f"The documents are embedded with {space.model}, and the run is for {named}; start"
            f" it with --base {space.model}."
        )
    return train_with(open_embedder(settings(), named), run.recipe, rows, folder, report)


def train_with(
    embedder: Embedder,
    recipe: Mapping[str, Any],
    rows: Sequence[DatasetRow],
    folder: Path,
    report: Report,
) -> Made:
    """Train an adapter on an embedder's vectors and write its folder."""
    started, whole = time.perf_counter(), recipe_of(recipe)
    pairs = embed_pairs(embedder, [row for row in rows if row.split == "train"], report)
    delta, told = learn(pairs, whole, report)
    held = [row for row in rows if row.split == "validation"]
    if held:
        kept = embed_pairs(embedder, held, report)
        told["validation"] = {
            "questions": len(held),
            "first_before": round(hits(kept, np.zeros_like(delta)), 4),
            "first_after": round(hits(kept, delta), 4),
        }
    card = {"embedder": embedder.model, "dimensions": embedder.dimensions, "result": told}
    save(folder, KIND, card, {"delta": delta.astype(np.float16)}, embedder.embed([PROBE])[0])
    return Made(str(folder), told, {"seconds": round(time.perf_counter() - started, 2)})


def embed_pairs(embedder: Embedder, rows: Sequence[DatasetRow], report: Report) -> Pairs:
    """Return rows of the format `pairs` as vectors; the same passage is one."""
    contents = [row.content for row in rows]
    asked = [
        in_conversation(str(one["question"]), [str(turn) for turn in one.get("history") or ()])
        for one in contents
    ]
    passages: dict[str, int] = {}
    for one in contents:
        for text in (*one["positives"], *(one.get("negatives") or ())):
            passages.setdefault(str(text), len(passages))
    answers = np.zeros((len(rows), len(passages)), dtype=np.float32)
    for number, one in enumerate(contents):
        for text in one["positives"]:
            answers[number, passages[str(text)]] = 1 / len(set(one["positives"]))
    return Pairs(
        _embedded(embedder, asked, report),
        _embedded(embedder, list(passages), report),
        answers,
        tuple(row.conversation for row in rows),
    )


def learn(
    pairs: Pairs, recipe: Recipe, report: Report
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the turn Δ [d, d] that serves the conversations kept aside best, and its figures."""
    aside = _aside(pairs.groups, recipe)
    learned, kept = pairs.of(~aside), pairs.of(aside)
    delta = np.zeros((pairs.questions.shape[1],) * 2, dtype=np.float32)
    first, second = np.zeros_like(delta), np.zeros_like(delta)
    best = np.zeros_like(delta)
    before = lowest = _loss(kept, delta, recipe)[0]
    stopped, waited = 0, 0
    for step in range(1, recipe.steps + 1):
        loss, slope = _loss(learned, delta, recipe)
        if not np.isfinite(loss):
            raise TrainingError("The loss is no number any more; start again with a lower rate.")
        slope += recipe.pull * delta
        first += (1 - FIRST_MOMENT) * (slope - first)
        second += (1 - SECOND_MOMENT) * (slope * slope - second)
        grown = np.sqrt(second / (1 - SECOND_MOMENT**step)) + TINY
        delta = delta - recipe.rate * (first / (1 - FIRST_MOMENT**step)) / grown
        if step % LOOK_EVERY:
            continue
        aside_loss = _loss(kept, delta, recipe)[0]
        report.step(step, recipe.steps, loss=loss, eval_loss=aside_loss)
        if aside_loss < lowest:
            lowest, best, stopped, waited = aside_loss, delta.copy(), step, 0
        else:
            waited += 1
        if waited >= PATIENCE:
            break
    report.event(f"best at step {stopped} of {recipe.steps}", "stopped")
    return best.astype(np.float16).astype(np.float32), {
        "questions": len(pairs.questions),
        "passages": len(pairs.passages),
        "kept_aside": int(aside.sum()),
        "best_step": stopped,
        "loss_before": round(before, 4),
        "loss_after": round(lowest, 4),
        "first_before": round(hits(kept, np.zeros_like(delta)), 4),
        "first_after": round(hits(kept, best), 4),
    }


def hits(pairs: Pairs, delta: NDArray[np.float32]) -> float:
    """Return the share of questions whose nearest passage answers them."""
    turned = QueryAdapter(delta).apply(pairs.questions)
    nearest = (turned @ pairs.passages.T).argmax(axis=1)
    return float((pairs.answers[np.arange(len(nearest)), nearest] > 0).mean())


def _loss(
    pairs: Pairs, delta: NDArray[np.float32], recipe: Recipe
) -> tuple[float, NDArray[np.float32]]:
    """Return the mean cross entropy of the nearest passages, and its slope by Δ."""
    turned = pairs.questions + pairs.questions @ delta
    lengths = np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    unit = turned / lengths
    scores = unit @ pairs.passages.T / recipe.temperature
    scores -= scores.max(axis=1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -float((pairs.answers * logs).sum(axis=1).mean())
    towards = (np.exp(logs) - pairs.answers) @ pairs.passages / recipe.temperature
    across = (towards - (towards * unit).sum(axis=1, keepdims=True) * unit) / lengths
    slope = pairs.questions.T @ across / len(pairs.questions)
    return loss, np.asarray(slope, dtype=np.float32)


def _aside(groups: Sequence[str], recipe: Recipe) -> NDArray[np.bool_]:
    """Choose whole conversations to keep aside, by a hash, and at least one question each way."""
    drawn = {
        group: int.from_bytes(hashlib.sha256(f"{recipe.seed} {group}".encode()).digest()[:4])
        for group in set(groups)
    }
    if len(drawn) < 2:
        raise TrainingError(
            "All questions are of one conversation; a query adapter needs several of them."
        )
    order = sorted(drawn, key=lambda group: (drawn[group], group))
    kept = set(order[: max(1, round(recipe.aside * len(order)))])
    return np.array([group in kept for group in groups])


def _embedded(embedder: Embedder, texts: Sequence[str], report: Report) -> Vectors:
    parts = []
    for start in range(0, len(texts), BATCH):
        parts.append(embedder.embed(texts[start : start + BATCH]))
        report.step(0, 0)  # hears of a cancellation
    return np.concatenate(parts)
