"""Splits: whole conversations, near-duplicates together, the newest validate, always the same."""

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.dataset.likeness import ALIKE, jaccard, like_any, near, shingles
from finetune.dataset.splits import Placed, divide
from tests.unit.finetune.dataset.made import NOON

ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), min_size=1, max_size=40)
WORDS = "amber basalt cedar dune ember fjord grove heron islet jetty knoll larch moor".split()


def placed(rows: list[tuple[int, int]]) -> list[Placed]:
    """Rows of (conversation, day)."""
    return [
        Placed(f"c{conversation}", NOON + timedelta(days=day), f"key {place}")
        for place, (conversation, day) in enumerate(rows)
    ]


@given(ROWS, st.data(), st.floats(0, 0.9), st.integers(0, 3))
@settings(max_examples=150)
def test_no_group_is_divided(
    rows: list[tuple[int, int]], data: st.DataObject, share: float, seed: int
) -> None:
    """Neither a conversation nor rows that are alike, through any number of steps."""
    places = st.integers(0, len(rows) - 1)
    alike = data.draw(st.lists(st.tuples(places, places), max_size=10))

    splits = divide(placed(rows), alike, share, seed).splits

    assert all(splits[one] == splits[other] for one, other in alike)
    by_conversation: dict[int, set[str]] = {}
    for (conversation, _), split in zip(rows, splits, strict=True):
        by_conversation.setdefault(conversation, set()).add(split)
    assert all(len(found) == 1 for found in by_conversation.values())
    assert splits.count("validation") <= round(len(rows) * share)


@given(st.permutations(range(12)), st.integers(0, 100))
@settings(max_examples=40)
def test_the_order_in_which_rows_come_decides_nothing(order: list[int], seed: int) -> None:
    """The same rows are split the same way, and another seed may split those of one time anew."""
    rows = [Placed(f"c{number}", NOON, f"key {number}") for number in range(12)]
    straight = dict(zip(rows, divide(rows, [], 0.3, seed).splits, strict=True))
    mixed = [rows[number] for number in order]

    assert dict(zip(mixed, divide(mixed, [], 0.3, seed).splits, strict=True)) == straight


def test_the_newest_groups_validate() -> None:
    """By their earliest row; a group that is larger than what is wanted stays in training."""
    rows = placed([(0, 1), (1, 2), (2, 9), (2, 9), (2, 9), (3, 8), (4, 3), (5, 0), (6, 0), (7, 0)])

    divided = divide(rows, [], 0.2, 0)

    validating = [place for place, split in enumerate(divided.splits) if split == "validation"]
    assert validating == [5, 6]
    assert (divided.groups, divided.largest) == (8, 3)


def test_nearly_the_same_texts_are_found() -> None:
    """A word more or less joins two texts; likeness is judged by shared words, not by hashes."""
    text = "my laptop screen went dark again this morning while I was writing the report for you"
    texts = [text, text + " today", text.replace("laptop", "tablet"), "hello how are you", text]

    joined = {frozenset(pair) for pair in near(texts)}

    assert joined == {frozenset({0, other}) for other in (1, 2, 4)}
    assert jaccard(shingles(texts[0]), shingles(texts[2])) == 12 / 16 >= ALIKE
    assert list(like_any(["Hello, how are YOU?", "hm"], texts)) == [0]


def test_every_pair_that_is_alike_ends_in_one_group() -> None:
    """Of a hundred texts and a copy of each with one word changed, hardly one pair is missed."""
    dice = random.Random(1)
    texts = [" ".join(dice.choice(WORDS) for _ in range(40)) for _ in range(100)]
    copies = [f"{text} {WORDS[0]}" for text in texts]

    joined = {frozenset(pair) for pair in near([*texts, *copies])}

    assert sum(frozenset({place, place + 100}) in joined for place in range(100)) >= 99
