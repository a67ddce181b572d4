"""Shares and their intervals."""

import pytest

from evaluation.statistics import Share, percentile, share


def test_a_share_lies_within_its_interval() -> None:
    """Half of independent cases: 50 percent, with a width that their number explains."""
    found = share([str(n) for n in range(400)], [n % 2 == 0 for n in range(400)])

    assert (found.percent, found.count) == (50.0, 400)
    assert 44 < found.low < 47 < 53 < found.high < 56  # 50 ± 1.96 · √(.25 / 400) is 45.1 … 54.9


def test_turns_of_one_dialogue_count_as_one() -> None:
    """Where all turns of a dialogue agree, the interval is as wide as the dialogues are few."""
    groups = [str(n // 100) for n in range(400)]
    hits = [n // 100 % 2 == 0 for n in range(400)]
    few, many = share(groups, hits), share([str(n) for n in range(400)], hits)

    assert few.percent == many.percent == 50.0
    assert few.high - few.low > 3 * (many.high - many.low)


def test_a_share_is_the_same_each_time() -> None:
    """The bootstrap is seeded: two runs of one evaluation can be compared."""
    groups, hits = [str(n % 7) for n in range(50)], [n % 3 == 0 for n in range(50)]

    assert share(groups, hits) == share(groups, hits)


@pytest.mark.parametrize(("hits", "percent"), [([True] * 9, 100.0), ([False] * 9, 0.0)])
def test_all_or_nothing_has_no_width(hits: list[bool], percent: float) -> None:
    """Resampling cannot find what never happened."""
    assert share([str(n) for n in range(9)], hits) == Share(percent, percent, percent, 9)


def test_nothing_is_counted_as_nothing() -> None:
    """Without cases the count says that the zero means nothing."""
    assert share([], []) == Share(0.0, 0.0, 0.0, 0)
    assert percentile([], 50) == 0.0


def test_a_percentile_lies_between_its_neighbours() -> None:
    """The middle of one, two and nine is two."""
    assert percentile([9.0, 1.0, 2.0], 50) == 2.0


def test_a_share_reads_as_in_a_table() -> None:
    """One digit, the interval in brackets."""
    assert str(Share(54.06, 52.04, 56.15, 10)) == "54.1 (52.0 … 56.1)"
    assert Share(54.066, 52.0, 56.0, 10).to_json()["percent"] == 54.07
