"""Fits a head's part: softmax regression for labels, ridge regression for what is foreign.

Labels come from softmax regression on all features of `retrieval.router_head`, by Adam (Kingma
and Ba, 2015) from a seed. Its temperature and all figures are of rows that were held out, whole
conversations at a time: five folds, or one of the five where rows are many.

How near a message is to what was learned comes from ridge regression onto the labels on the
embedding and its waves. Of its hat matrix H follows, without another fit, what rows would have
scored had they been left out: for a group g, Y_g − (I − H_gg)⁻¹ (Y_g − Ŷ_g). Leaving out a whole
label that way shows what a message scores whose label was never seen: with many labels, that
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
LEAST_SEEN = 2  # rows that hold a word that counts
RARITY = 1 << 16  # places for the rarity of words; collisions cost little
FOLDS = 5
MANY = 3_000  # rows from which one fold alone is held out
BATCH = 512  # rows a step
LEAST_STEPS = 200
FIRST_MOMENT, SECOND_MOMENT, TINY = 0.9, 0.99, 1e-7  # Adam's
NEWTON_STEPS = 50
TEMPERATURES = np.geomspace(0.2, 20.0, 80)


@dataclass(frozen=True)
class Recipe:
    """How a part is fitted; one setting serves every set that was measured.

    `width` is γ of exp(−γ‖a − b‖²), which the waves approximate; `reach` and `share` scale the
    embedding and the words; `decay` holds the weights small, `ridge` is the penalty of nearness.
    `threshold` is the probability from which a part is trusted in use.
    """

    waves: int = 512
    buckets: int = 3072
    width: float = 1.5
    reach: float = 8.0
    share: float = 5.0
    decay: float = 3e-4
    rate: float = 0.03
    epochs: int = 8
    ridge: float = 20.0
    threshold: float = 0.7
    seed: int = 7


@dataclass(frozen=True)
class Fitted:
    """A part, and what it says of rows that a fit never saw.

    `held` are their places, `scores` and `near` [held, labels] what they score.
    """

    part: Part
    held: NDArray[np.intp]
    scores: Floats
    near: Floats


def fit(
    vectors: Vectors,
    texts: Sequence[str],
    labels: Sequence[str],
    groups: Sequence[str],
    recipe: Recipe,
    *,
    contextual: bool = False,
) -> Fitted:
    """Fit a part to rows; those of one group are held out together."""
    names = tuple(sorted(set(labels)))
    wanted = np.array([names.index(label) for label in labels])
    hashes = [grams(text) for text in texts]
    features = Features(
        waves(vectors.shape[1], recipe),
        rarity(hashes),
        recipe.buckets,
        recipe.reach,
        recipe.share,
    )
    rows = features.of_grams(vectors, hashes)
    nowhere = next((i for i, name in enumerate(names) if name in NOWHERE), None)
    nearness, novelty, near = _nearness(
        rows[:, : features.near], wanted, names, groups, nowhere, recipe
    )
    folds = _folds(groups, recipe)
    kept, scores = [], []
    for fold in range(FOLDS if len(rows) <= MANY else 1):
        out = folds == fold
        if out.any() and not out.all():
            weights = softmax_regression(rows[~out], wanted[~out], len(names), recipe)
            kept.append(np.flatnonzero(out))
            scores.append(rows[out] @ weights)
    held, said = np.concatenate(kept), np.concatenate(scores)
    part = Part(
        labels=names,
        features=features,
        weights=softmax_regression(rows, wanted, len(names), recipe),
        nearness=nearness,
        temperature=_temperature(said, wanted[held]),
        threshold=recipe.threshold,
        novelty=novelty,
        contextual=contextual,
    )
    return Fitted(part, held, said, near[held])


def softmax_regression(
    rows: Floats, wanted: NDArray[np.intp], labels: int, recipe: Recipe
) -> Floats:
    """Return weights [features, labels] that make the wanted labels likely, by Adam."""
    drawn = np.random.default_rng(recipe.seed)
    weights = np.zeros((rows.shape[1], labels), dtype=np.float32)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    each = -(-len(rows) // BATCH)
    epochs = max(recipe.epochs, -(-LEAST_STEPS // each))
    step = 0
    for _ in range(epochs):
        order = drawn.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            taken = order[start : start + BATCH]
            some = rows[taken]
            off = softmax(some @ weights)
            off[np.arange(len(taken)), wanted[taken]] -= 1
            slope = some.T @ off / np.float32(len(taken)) + np.float32(recipe.decay) * weights
            step += 1
            first += np.float32(1 - FIRST_MOMENT) * (slope - first)
            second += np.float32(1 - SECOND_MOMENT) * (slope * slope - second)
            rate = recipe.rate * (0.5 + 0.5 * np.cos(np.pi * step / (epochs * each)))
            grown = np.sqrt(second / np.float32(1 - SECOND_MOMENT**step)) + np.float32(TINY)
            weights -= np.float32(rate / (1 - FIRST_MOMENT**step)) * first / grown
    return weights


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


def rarity(texts: Sequence[NDArray[np.int64]]) -> Floats:
    """Return log((n + 1) / (count + 1)) + 1 of each gram's place, from the grams of each text.

    What one text alone holds counts as nothing: it says nothing of others, and might be
    somebody's name.
    """
    counts = np.zeros(RARITY)
    for text in texts:
        counts[np.unique(text % RARITY)] += 1
    made = np.where(counts >= LEAST_SEEN, np.log((len(texts) + 1) / (counts + 1)) + 1, 0.0)
    return np.asarray(made, dtype=np.float16).astype(np.float32)  # as it will be kept


def _nearness(
    rows: Floats,
    wanted: NDArray[np.intp],
    names: Sequence[str],
    groups: Sequence[str],
    nowhere: int | None,
    recipe: Recipe,
) -> tuple[Floats, Floats | None, Floats]:
    """Return weights of nearness, those of novelty, and what rows score when left out."""
    targets = np.eye(len(names), dtype=np.float32)[wanted]
    weights, half = _ridge(rows, targets, recipe.ridge)
    fitted = rows @ weights
    near = _left_out(half, fitted, targets, groups)
    return weights, _novelty(half, fitted, targets, near, wanted, names, nowhere), near


def _folds(groups: Sequence[str], recipe: Recipe) -> NDArray[np.intp]:
    """Return each row's fold: groups are dealt out in an order drawn by the seed."""
    named = np.unique(np.asarray(groups), return_inverse=True)[1]
    order = np.random.default_rng(recipe.seed).permutation(int(named.max()) + 1)
    return np.asarray((order % FOLDS)[named], dtype=np.intp)


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
    alone = 1 - (half * half).sum(axis=1)  # of rows that are a group by themselves
    made = np.asarray(targets - (targets - fitted) / alone[:, None], np.float32)
    for places in _places(groups):
        if len(places) > 1:
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

    One row more is taken to have been wrong (as in Laplace's rule of succession): few rows that
    are all right do not make a part certain.
    """
    rows, doubt = np.arange(len(wanted)), 1 / (len(wanted) + 2)
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
) -> Floats | None:
    """Return weights of the signs of a foreign message, None where nothing can teach them."""
    inside = [c for c in range(len(names)) if c != nowhere]
    kinds = []
    if nowhere is not None and (wanted == nowhere).sum() >= FEWEST_FOREIGN:
        kinds.append(signs(scores[wanted == nowhere], nowhere))
    if len(inside) >= PSEUDO_LABELS:
        unseen = []
        for label in inside:
            places = np.flatnonzero(wanted == label)
            left = _without(half[places], fitted[places], targets[places])
            shifted = nowhere if nowhere is None or nowhere < label else nowhere - 1
            unseen.append(signs(np.delete(left, label, axis=1), shifted))
        kinds.append(np.concatenate(unseen))
    if not kinds or len(inside) < 2:
        return None
    known = signs(scores[wanted != nowhere] if nowhere is not None else scores, nowhere)
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
