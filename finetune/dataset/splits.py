"""Which rows validate: whole conversations, the newest, and never near-duplicates of trained ones.

Rows that share a conversation or are nearly the same form a group, through any number of steps,
and a group is on one side. The groups whose earliest row is latest validate, until their share is
reached. Where times are the same, as after an import without dates, the seed decides.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from finetune.dataset.likeness import Groups
from store.datasets import Split


@dataclass(frozen=True)
class Placed:
    """What is split of a row: its conversation, when that was, and a hash of its content."""

    conversation: str
    at: datetime
    key: str


@dataclass(frozen=True)
class Divided:
    """The split of each row in order, and the number of groups and of the largest one's rows."""

    splits: tuple[Split, ...]
    groups: int
    largest: int


def divide(
    rows: Sequence[Placed], alike: Iterable[tuple[int, int]], share: float, seed: int
) -> Divided:
    """Split rows; `alike` are pairs of places that must not be divided.

    Validation gets at most `share` of the rows, rounded, and none where every group is larger
    than that: a dataset of one conversation has nothing to validate with.
    """
    groups = Groups(len(rows))
    first: dict[str, int] = {}
    for place, row in enumerate(rows):
        groups.join(place, first.setdefault(row.conversation, place))
    for one, other in alike:
        groups.join(one, other)
    members: dict[int, list[int]] = defaultdict(list)
    for place in range(len(rows)):
        members[groups.of(place)].append(place)
    left = round(len(rows) * share)
    splits: list[Split] = ["train"] * len(rows)
    for group in sorted(members.values(), key=lambda group: _newness(rows, group, seed)):
        if len(group) <= left:
            left -= len(group)
            for place in group:
                splits[place] = "validation"
    largest = max((len(group) for group in members.values()), default=0)
    return Divided(tuple(splits), len(members), largest)


def _newness(rows: Sequence[Placed], group: Sequence[int], seed: int) -> tuple[float, str]:
    """Order groups: the latest first, chance by the seed among those of one time."""
    earliest = min(rows[place].at for place in group)
    key = min(rows[place].key for place in group)
    return -earliest.timestamp(), hashlib.sha256(f"{seed}\n{key}".encode()).hexdigest()
