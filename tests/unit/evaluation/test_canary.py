"""What becomes of a model on trial, decided from counts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.canary import judge
from evaluation.statistics import newcombe, wilson
from store.canaries import Trial

HOUR = timedelta(hours=1)
FINE = Trial(answers=40, conversations=30)


@pytest.mark.parametrize(
    ("its", "others", "at_step_for", "step"),
    [
        pytest.param(FINE, Trial(400, 300), HOUR, "on", id="nothing to say against it"),
        pytest.param(FINE, Trial(), HOUR, "on", id="the first model there is"),
        pytest.param(FINE, Trial(400, 300), timedelta(minutes=5), "wait", id="too early"),
        pytest.param(Trial(30, 19), Trial(400, 300), HOUR, "wait", id="too few conversations"),
        pytest.param(Trial(5, 5, failed=5), Trial(), HOUR, "back", id="nobody serves it"),
        pytest.param(Trial(4, 4, failed=4), Trial(), HOUR, "wait", id="maybe nobody serves it"),
        pytest.param(Trial(40, 30, failed=16), Trial(), HOUR, "back", id="it often fails"),
        pytest.param(Trial(40, 30, failed=10), Trial(), HOUR, "wait", id="it fails at times"),
        pytest.param(Trial(40, 30, facts_changed=10), Trial(), HOUR, "back", id="facts changed"),
        pytest.param(Trial(40, 30, facts_changed=3), Trial(), HOUR, "on", id="facts held mostly"),
        pytest.param(
            Trial(40, 30, rated=12, disliked=9),
            Trial(400, 300, rated=100, disliked=20),
            HOUR,
            "back",
            id="people dislike it",
        ),
        pytest.param(
            Trial(40, 30, rated=12, disliked=3),
            Trial(400, 300, rated=100, disliked=20),
            HOUR,
            "on",
            id="people dislike it no more than the others",
        ),
        pytest.param(
            Trial(40, 30, rated=4, disliked=4),
            Trial(400, 300, rated=100, disliked=20),
            HOUR,
            "on",
            id="too few thumbs to tell",
        ),
        pytest.param(
            Trial(60, 40, refused=30), Trial(400, 300, refused=40), HOUR, "back", id="it refuses"
        ),
        pytest.param(
            Trial(60, 40, handed_over=20),
            Trial(400, 300, handed_over=10),
            HOUR,
            "back",
            id="people have to take over",
        ),
    ],
)
def test_a_trial_goes_on_or_back(
    its: Trial, others: Trial, at_step_for: timedelta, step: str
) -> None:
    """Back only when it is surely worse, on only when enough was seen without a doubt."""
    judgement = judge(its, others, at_step_for)
    assert judgement.step == step
    assert judgement.reason


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_share(count: int, total: int) -> None:
    """Between 0 and 1, around the share, and narrower with more cases of the same."""
    count = min(count, total)
    low, high = wilson(count, total)
    assert 0 <= low <= count / total + 1e-12
    assert count / total - 1e-12 <= high <= 1
    narrower_low, narrower_high = wilson(count * 10, total * 10)
    assert narrower_high - narrower_low <= high - low + 1e-12


def test_intervals_are_those_of_the_textbook() -> None:
    """56 of 70 against 48 of 80, as Newcombe (1998) works it out: 0.0524 … 0.3339."""
    low, high = newcombe(56, 70, 48, 80, z=1.96)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    low, high = newcombe(48, 80, 48, 80)
    assert low < 0 < high
