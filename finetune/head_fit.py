"""Fits a head's part in closed form, and judges each row by a fit that never saw it.

Ridge regression onto the labels (least squares with a penalty, Rifkin and Lippert, 2007) on the
features of `retrieval.router_head`. Of its hat matrix H follows, without another fit, what rows
would have scored had they been left out: for a group g, Y_g − (I − H_gg)⁻¹ (Y_g − Ŷ_g). So the
temperature, the threshold and all figures are out of sample, by conversation. Leaving out a whole
label the same way shows what a message scores whose label was never seen: with many labels, that
teaches the part what is foreign without one example of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.embeddings import Vectors
from retrieval.router_head import NOWHERE, Features, Floats, Part, grams, signs, softmax

PSEUDO_LABELS = 20  # labels from which leaving out each teaches what is foreign
FOREIGN_SHARE = 0.1  # of messages that are taken to be foreign, whatever the rows hold of them
FEWEST_FOREIGN = 20  # rows that belong nowhere, from which they alone teach it
LEAST_SEEN = 2  # rows that hold a word that is kept
NEWTON_STEPS = 50
TEMPERATURES = np.geomspace(0.01, 2.0, 80)


@dataclass(frozen=True)
class Recipe:
    """How a part is fitted; one setting serves every set that was measured.

    `width` is γ of exp(−γ‖a − b‖²), which the waves approximate; `share` the weight of words
    beside the embedding's 1; `ridge` the penalty; `words` how many words and pairs of words are
    known at most. `threshold` is the probability from which a part is trusted in use.
    """

    waves: int = 1024
    words: int = 3072
    width: float = 1.5
    share: float = 0.5
    ridge: float = 0.3
    threshold: float = 0.7
    seed: int = 7


@dataclass(frozen=True)
class Fitted:
    """A part, and what it says of its own rows when each row's group is left out [n, labels]."""

    part: Part
    held_out: Floats


def fit(
    vectors: Vectors,
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    recipe: Recipe,
    *,
    contextual: bool = False,
) -> Fitted:
    """Fit a part to rows; those of one group are judged by a fit without it."""
    names = tuple(sorted(set(labels)))
    wanted = np.array([names.index(label) for label in labels])
    features = Features(
        waves(vectors.shape[1], recipe), *known_words(texts, recipe.words), recipe.share
    )
    rows = features.of(vectors, texts)
    targets = np.eye(len(names), dtype=np.float32)[wanted]
    weights, hat = _ridge(rows, targets, recipe.ridge)
    fitted = rows @ weights
    scores = _left_out(hat, fitted, targets, groups)
    nowhere = next((i for i, name in enumerate(names) if name in NOWHERE), None)
    temperature = _temperature(scores, wanted)
    novelty = _novelty(hat, fitted, targets, scores, wanted, names, nowhere, temperature)
    part = Part(names, features, weights, temperature, recipe.threshold, novelty, contextual)
    return Fitted(part, scores)


def waves(dimensions: int, recipe: Recipe) -> Floats:
    """Return directions [d, w] of waves, orthogonal within a block: less noise for as many.

    Yu et al., "Orthogonal random features", 2016.
    """
    drawn = np.random.default_rng(recipe.seed)
    blocks = []
    for _ in range(-(-recipe.waves // dimensions)):
        turned, _ = np.linalg.qr(drawn.normal(size=(dimensions, dimensions)))
        blocks.append(turned * np.sqrt(drawn.chisquare(dimensions, size=dimensions)))
    made = np.concatenate(blocks, axis=1)[:, : recipe.waves] * np.sqrt(2 * recipe.width)
    return np.asarray(made, dtype=np.float16).astype(np.float32)  # as it will be kept


def known_words(texts: Sequence[str], most: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the hashes of the words and pairs that most texts hold, in order, and their rarity.

    Rarity is log((n + 1) / (count + 1)) + 1. What one text alone holds is left out: it says
    nothing of others, and might be somebody's name.
    """
    found = [grams(text) for text in texts]
    words, counts = np.unique(np.concatenate(found), return_counts=True)
    kept = np.sort(np.argsort(-counts, kind="stable")[:most])
    kept = kept[counts[kept] >= LEAST_SEEN]
    rarity = np.log((len(texts) + 1) / (counts[kept] + 1)) + 1
    return words[kept], rarity.astype(np.float16).astype(np.float32)


def _ridge(rows: Floats, targets: Floats, penalty: float) -> tuple[Floats, Floats]:
    """Return weights, and Z [n, features] with Z Zᵀ = H, the hat matrix."""
    from scipy.linalg import cho_solve, cholesky, solve_triangular  # noqa: PLC0415 - slow

    gram = rows.T @ rows
    gram[np.diag_indices_from(gram)] += np.float32(penalty)
    lower = cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    weights = cho_solve((lower, True), rows.T @ targets, check_finite=False)
    half = solve_triangular(lower, rows.T, lower=True, check_finite=False)
    return np.asarray(weights, np.float32), np.asarray(half.T, np.float32)


def _left_out(half: Floats, fitted: Floats, targets: Floats, groups: Sequence[str]) -> Floats:
    """Return what rows score where their whole group was left out of the fit."""
    made = np.empty_like(fitted)
    for places in _places(groups):
        made[places] = _without(half[places], fitted[places], targets[places])
    return made


def _without(half: Floats, fitted: Floats, targets: Floats) -> Floats:
    """Return what some rows score had they been left out, from their rows of Z, Ŷ and Y."""
    rest = np.eye(len(half), dtype=np.float64) - half.astype(np.float64) @ half.T
    return np.asarray(targets - np.linalg.solve(rest, targets - fitted), np.float32)


def _places(groups: Sequence[str]) -> list[NDArray[np.intp]]:
    named = np.unique(np.asarray(groups), return_inverse=True)[1]
    order = np.argsort(named, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(named[order])) + 1)


def _temperature(scores: Floats, wanted: NDArray[np.intp]) -> float:
    """Return the temperature at which held-out probabilities have the least log loss.

    Each label is taken to have been wrong once more than it was: few rows that are all right do
    not make a part certain.
    """
    rows, doubt = np.arange(len(wanted)), scores.shape[1] / (len(wanted) + scores.shape[1])
    losses = []
    for temperature in TEMPERATURES:
        logs = np.log(softmax(scores / temperature) + 1e-9)
        losses.append(-((1 - doubt) * logs[rows, wanted] + doubt * logs.mean(axis=1)).mean())
    return float(TEMPERATURES[int(np.argmin(losses))])


def _novelty(
    half: Floats,
    fitted: Floats,
    targets: Floats,
    scores: Floats,
    wanted: NDArray[np.intp],
    names: Sequence[str],
    nowhere: int | None,
    temperature: float,
) -> Floats | None:
    """Return weights of the signs of a foreign message, None where nothing can teach them."""
    inside = [c for c in range(len(names)) if c != nowhere]
    kinds = []
    if nowhere is not None and (wanted == nowhere).sum() >= FEWEST_FOREIGN:
        kinds.append(signs(scores[wanted == nowhere], temperature, nowhere))
    if len(inside) >= PSEUDO_LABELS:
        unseen = []
        for label in inside:
            places = np.flatnonzero(wanted == label)
            left = _without(half[places], fitted[places], targets[places])
            shifted = nowhere if nowhere is None or nowhere < label else nowhere - 1
            unseen.append(signs(np.delete(left, label, axis=1), temperature, shifted))
        kinds.append(np.concatenate(unseen))
    if not kinds or len(inside) < 2:
        return None
    known = signs(
        scores[wanted != nowhere] if nowhere is not None else scores, temperature, nowhere
    )
    weights = [np.full(len(known), (1 - FOREIGN_SHARE) / len(known))]
    weights += [np.full(len(kind), FOREIGN_SHARE / len(kinds) / len(kind)) for kind in kinds]
    rows = np.concatenate([known, *kinds])
    foreign = np.arange(len(rows)) >= len(known)
    return logistic(rows, foreign, np.concatenate(weights))


def logistic(rows: Floats, positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> Floats:
    """Return weights of the columns, and the bias last, by Newton's method on weighted rows."""
    center, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    whole = np.column_stack([(rows - center) / scale, np.ones(len(rows))]).astype(np.float64)
    found = np.zeros(whole.shape[1])
    penalty = np.full(whole.shape[1], 1e-4)
    penalty[-1] = 0.0
    for _ in range(NEWTON_STEPS):
        said = 1 / (1 + np.exp(-np.clip(whole @ found, -30, 30)))
        slope = whole.T @ (weights * (said - positive)) + penalty * found
        bend = (whole * (weights * said * (1 - said))[:, None]).T @ whole
        step = np.linalg.solve(bend + np.diag(penalty + 1e-9), slope)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    plain = found[:-1] / scale
    return np.append(plain, found[-1] - plain @ center).astype(np.float32)
