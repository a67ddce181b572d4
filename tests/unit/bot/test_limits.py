"""What people over a limit are told."""

import pytest

from bot.limits import limits_of, span, told
from core.settings import load_settings
from store.usage import Excess, Limits


@pytest.mark.parametrize(
    ("excess", "note"),
    [
        pytest.param(
            Excess("person", "messages", "minute", 20, 39.2),
            "You have asked 20 questions in a minute; I can take the next one in 40 seconds.",
            id="a person's minute",
        ),
        pytest.param(
            Excess("person", "messages", "day", 500, 3 * 3600 - 5),
            "You have asked 500 questions in a day; I can take the next one in 3 hours."
            " An operator of Footnote can raise the limit.",
            id="a person's day",
        ),
        pytest.param(
            Excess("workspace", "messages", "minute", 600, 0.4),
            "This workspace has asked 600 questions in a minute, which is as many as I may take;"
            " please ask again in 1 second.",
            id="a workspace's minute",
        ),
        pytest.param(
            Excess("workspace", "messages", "day", 1, 61),
            "This workspace has asked 1 question in a day, which is as many as I may take;"
            " please ask again in 2 minutes. An operator of Footnote can raise the limit.",
            id="a workspace's day",
        ),
        pytest.param(
            Excess("person", "tokens", "day", 9, 86_400),
            "For today your share of the language model is used up; I can take the next question"
            " in 1 day. An operator of Footnote can raise the limit.",
            id="a person's tokens",
        ),
        pytest.param(
            Excess("workspace", "tokens", "day", 9, 7_000),
            "For today this workspace's share of the language model is used up; I can take the"
            " next question in 2 hours. An operator of Footnote can raise the limit.",
            id="a workspace's tokens",
        ),
    ],
)
def test_the_note_says_what_was_reached_and_when_to_go_on(excess: Excess, note: str) -> None:
    """One plain sentence; where waiting is long, also who can change it."""
    assert told(excess) == note


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 second"), (59.1, "1 minute"), (60, "1 minute"), (3_601, "2 hours")],
)
def test_a_wait_is_rounded_up(seconds: float, words: str) -> None:
    """Whoever waits as long as is said does not come too early."""
    assert span(seconds) == words


def test_the_operator_s_settings_are_the_limits() -> None:
    """There are limits without any setting, and 0 switches one off."""
    usual = load_settings()
    assert limits_of(usual) == Limits(20, 500, 600, 20_000)
    changed = usual.model_copy(
        update={
            "limit_person_minute": 0,
            "limit_tokens_person_day": 7,
            "limit_tokens_workspace_day": 8,
        }
    )
    assert limits_of(changed) == Limits(0, 500, 600, 20_000, 7, 8)
