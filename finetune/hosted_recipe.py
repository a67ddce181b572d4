"""The settings of a run at a tuning service, checked and filled in."""

import re
from collections.abc import Mapping
from typing import Any

from finetune.backends import TrainingError

DEFAULTS: dict[str, Any] = {
    "epochs": "auto",
    "batch_size": "auto",
    "learning_rate_multiplier": "auto",
    "seed": 0,
    "suffix": "footnote",
    "context": 65_536,  # tokens of a row, as OpenAI's models take them for training
    "keep_files": False,
    "price_per_million": None,  # of trained tokens, in whatever currency somebody pays
}
OPTIONS = frozenset({*DEFAULTS, "beta"})
SUFFIX = re.compile(r"[A-Za-z0-9_-]{1,64}")


def options(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with the defaults filled in; raises TrainingError for what cannot be."""
    unknown = sorted(set(recipe) - OPTIONS - {"method"})
    if unknown:
        raise TrainingError(
            f"The hosted backend knows no {unknown[0]}; it knows {', '.join(sorted(OPTIONS))}."
        )
    whole = DEFAULTS | dict(recipe)
    for name in ("epochs", "batch_size"):
        _need(whole, name, "auto or a whole number above 0", _is_count)
    for name in ("learning_rate_multiplier", "beta"):
        _need(whole, name, "auto or a number above 0", _is_positive)
    _need(whole, "seed", "a whole number", lambda value: type(value) is int)
    _need(whole, "context", "a whole number above 0", lambda v: type(v) is int and v > 0)
    _need(whole, "keep_files", "true or false", lambda value: isinstance(value, bool))
    _need(whole, "price_per_million", "a number above 0", lambda v: v is None or _is_price(v))
    _need(whole, "suffix", "1 to 64 letters, digits, - or _", _is_suffix)
    return whole


def _need(whole: Mapping[str, Any], name: str, what: str, fits: Any) -> None:
    if name in whole and not fits(whole[name]):
        raise TrainingError(f"{name} must be {what}, not {whole[name]!r}.")


def _is_count(value: object) -> bool:
    return value == "auto" or (type(value) is int and value > 0)


def _is_positive(value: object) -> bool:
    return value == "auto" or _is_price(value)


def _is_price(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_suffix(value: object) -> bool:
    return isinstance(value, str) and SUFFIX.fullmatch(value) is not None
