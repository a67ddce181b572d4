"""What somebody wants of a dataset, and the sentences they read where it cannot be built."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import FootnoteError
from store.datasets import Format

RULES_VERSION = 1
"""Counts changes of how rows are made: the same transcripts may give other rows after one."""
LETTERS_A_TOKEN = 4  # of English, roughly (OpenAI's rule of thumb); backends count exactly
VALIDATION_SHARE = 0.1
DISTRACTORS = 4
"""Passages beside the cited ones: as many as RAFT has (Zhang et al. 2024, arXiv:2403.10131)."""
REFUSALS = 0.2
"""The share of RAFT rows without the cited passage, whose reply is that the passages do not say.

RAFT itself leaves the passage out of a share of rows and keeps the answer, so that the model
learns it by heart. Here facts must come from passages alone. A fifth, because a model that only
ever saw answers never learns to give none.
"""
CONTEXT = 8_192  # tokens that a row may have, by the estimate

Canned = Literal["keep", "drop", "only"]


class DatasetError(FootnoteError):
    """A dataset cannot be built of what there is; the message names the row and the fix."""


@dataclass(frozen=True)
class Wanted:
    """Which rows, and how they are split.

    `labels` are (name, value) that a transcript must have. `audience` keeps only transcripts that
    one of these principals may see; none keeps all that were approved. `canned` says what becomes
    of replies that were suggestions sent as they stood. `refusals` is a share of RAFT rows.
    `skip_bad` leaves out what cannot be a row instead of refusing to build.
    """

    format: Format
    seed: int = 0
    validation_share: float = VALIDATION_SHARE
    min_quality: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()
    audience: tuple[str, ...] = ()
    canned: Canned = "keep"
    distractors: int = DISTRACTORS
    refusals: float = REFUSALS
    context: int = CONTEXT
    skip_bad: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what was wanted as JSON types."""
        return asdict(self) | {"labels": dict(self.labels), "audience": list(self.audience)}


def tokens_of(letters: int) -> int:
    """Return about how many tokens a text of so many letters has, rounded up."""
    return -(-letters // LETTERS_A_TOKEN)
