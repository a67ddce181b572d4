"""The gate lets through what surely gained and harmed nothing, and hardly anything else."""

import numpy as np
import pytest

from evaluation.gate import Figure, Safety, decide, verdict_line
from evaluation.statistics import difference

CLEAN = (Safety("facts changed", 0, 312), Safety("leaks", 0, 312))
CONVERSATIONS = [f"c{number // 3}" for number in range(120)]  # 40 of three turns each


def figure(gain: float, name: str = "voice", margin: float | None = None) -> Figure:
    """A figure in which the candidate gained as much in each conversation, with some noise."""
    noise = np.random.default_rng(1).normal(0, 0.05, len(CONVERSATIONS))
    before = np.full(len(CONVERSATIONS), 0.5)
    return Figure(name, CONVERSATIONS, list(before + gain + noise), list(before), margin)


def test_a_candidate_that_gained_and_harmed_nothing_passes() -> None:
    """The lower bound of its main figure is above zero."""
    decided = decide(figure(0.1), [figure(0.0, "answers", 0.02)], CLEAN)

    assert decided.passed
    assert decided.evidence["main"]["gain"]["low"] > 0


def test_the_verdict_is_told_on_one_line() -> None:
    """The gain with its interval, what was guarded with its margin, what was counted."""
    line = verdict_line(decide(figure(0.1), [figure(-0.003, "answers", 0.02)], CLEAN).evidence)

    assert line.startswith("voice +9.7 pp (95 % CI +8.9 … +10.5)")
    assert "(margin −2)" in line
    assert line.endswith("facts changed 0 of 312   leaks 0 of 312")


@pytest.mark.parametrize(
    ("main", "guard", "safety", "told"),
    [
        (figure(0.0), figure(0.0, "answers", 0.02), CLEAN, "did not surely gain"),
        (figure(-0.1), figure(0.0, "answers", 0.02), CLEAN, "did not surely gain"),
        (figure(0.1), figure(-0.02, "answers", 0.02), CLEAN, "answers may have fallen"),
        (figure(0.1), figure(0.0, "answers", 0.02), (Safety("leaks", 1, 312),), "leaks: 1 of 312"),
        (figure(0.1), figure(0.0, "answers", 0.02), (Safety("leaks", 0, 30),), "too small"),
    ],
    ids=["same", "worse", "a guard fell", "one leak of many", "small safety set"],
)
def test_what_speaks_against_a_candidate_is_named(
    main: Figure, guard: Figure, safety: tuple[Safety, ...], told: str
) -> None:
    """Each reason is enough, and the sentence says which it was."""
    decided = decide(main, [guard], safety)

    assert not decided.passed
    assert told in decided.reason


def test_few_conversations_do_not_pass_however_well_they_went() -> None:
    """Nineteen conversations are not enough for an interval that holds."""
    groups = [f"c{number}" for number in range(19)]
    decided = decide(Figure("voice", groups, [1.0] * 19, [0.0] * 19), [], CLEAN)

    assert not decided.passed
    assert "19 held-out conversations" in decided.reason


def test_the_same_model_twice_never_passes() -> None:
    """Where both sides say the very same, nothing was gained."""
    same = list(np.random.default_rng(2).random(len(CONVERSATIONS)))

    assert not decide(Figure("voice", CONVERSATIONS, same, same), [], CLEAN).passed


@pytest.mark.parametrize("conversations", [20, 60])
def test_models_that_are_equally_good_pass_one_time_in_twenty_at_most(conversations: int) -> None:
    """Two models of one quality, sampled anew each time: 300 gates, at most 5 % promoted."""
    random = np.random.default_rng(conversations)
    groups = [f"c{number // 4}" for number in range(conversations * 4)]
    promoted = 0
    for _ in range(300):
        topic = np.repeat(random.normal(0, 0.1, conversations), 4)  # shared by both sides
        ours, theirs = (
            topic
            + np.repeat(random.normal(0, 0.05, conversations), 4)
            + random.normal(0, 0.2, 4 * conversations)
            for _ in range(2)
        )
        promoted += decide(Figure("voice", groups, list(ours), list(theirs)), [], CLEAN).passed

    assert promoted <= 0.05 * 300


def test_a_difference_is_taken_over_groups() -> None:
    """A long dialogue that went well does not narrow the interval as many short ones would."""
    one_long = difference(["a"] * 50 + ["b"] * 50, [1.0] * 50 + [0.0] * 50, [0.0] * 100)
    many = difference([str(n) for n in range(100)], [1.0] * 50 + [0.0] * 50, [0.0] * 100)

    assert one_long.value == many.value == 0.5
    assert (one_long.low, one_long.high) == (0.0, 1.0)
    assert many.low > 0.35


def test_no_cases_make_no_difference() -> None:
    """An empty set is zero with nothing behind it."""
    assert difference([], [], []).groups == 0
