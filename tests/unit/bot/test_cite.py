"""What `/cite` makes of a question that ends with a day."""

from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from slack_bolt import BoltContext

from bot.desk import Asked
from bot.listeners.cite import Dated, read, read_day, split_day

TODAY = date(2026, 11, 21)
JUNE = datetime.combine(date(2025, 6, 1), time.max, UTC)


def asked(text: str) -> Asked:
    """A `/cite` command as it is read."""
    body: dict[str, Any] = {
        "team_id": "T1",
        "channel_id": "C1",
        "trigger_id": "9",
        "user_id": "U1",
        "response_url": "https://hooks.slack.test/1",
        "text": text,
    }
    context = cast("BoltContext", SimpleNamespace(bot_user_id="U0", client=None))
    made = read(body, context)
    assert made is not None
    return made


@pytest.mark.parametrize(
    "ending",
    [
        "as of 2025-06-01",
        "as at 2025-06-01",
        "As Of 1 June 2025",
        "as of 1st June 2025",
        "as of 1st of June 2025",
        "as of 1 Jun 2025",
        "as of Jun. 1st, 2025",
        "as of June 1, 2025",
        "(as of 2025-06-01)",
        ", as of 2025-06-01.",
        "as of: 2025-06-01",
    ],
)
def test_a_day_at_the_end_is_no_part_of_the_question(ending: str) -> None:
    """However people write it; the whole of that day counts."""
    assert split_day(f"How much leave {ending}", TODAY) == Dated("How much leave", JUNE)


def test_a_question_mark_stays() -> None:
    """Whether it stands before the day or behind it, once."""
    for words in ("Any leave? as of 2025-06-01", "Any leave as of 2025-06-01?"):
        assert split_day(words, TODAY) == Dated("Any leave?", JUNE)


@pytest.mark.parametrize("day", ["today", "now", "2026-11-21", "21 November 2026"])
def test_today_means_now(day: str) -> None:
    """What takes effect tonight is not in force yet."""
    assert split_day(f"Any leave as of {day}?", TODAY) == Dated("Any leave?")


@pytest.mark.parametrize(
    "day", ["2025-13-01", "31 June 2025", "01/06/2025", "June 2025", "last Tuesday", "1 Juno 2025"]
)
def test_what_is_no_day_is_told(day: str) -> None:
    """Nothing is guessed: the question would be answered from the wrong day."""
    assert split_day(f"Any leave as of {day}", TODAY) == Dated("Any leave", unread=day)
    problem = asked(f"Any leave as of {day}").incoming.problem
    assert problem is not None
    assert f"“{day}”" in problem
    assert "as of 2025-06-01" in problem


@pytest.mark.parametrize(
    "question",
    [
        "Any leave?",
        "What counts as office equipment?",
        "As of my third year of work, how much leave do I get?",
        "Is parking the same as at the office?",
        "What is paid as of",
        "When was the atlas of 2025 printed?",
    ],
)
def test_a_question_without_a_day_stays_whole(question: str) -> None:
    """ "As of" may be part of what is asked."""
    assert split_day(question, TODAY) == Dated(question)


@pytest.mark.parametrize("text", ["as of 2025-06-01", "help", ""])
def test_a_day_alone_asks_for_help(text: str) -> None:
    """There is nothing to answer."""
    incoming = asked(text).incoming
    assert (incoming.text, incoming.problem) == ("", None)


def test_the_moment_goes_with_the_question() -> None:
    """Apart from the words, which are searched for without it."""
    incoming = asked("Any leave as of 1 June 2025?").incoming
    assert (incoming.text, incoming.as_of) == ("Any leave?", JUNE)


@pytest.mark.parametrize("number", range(1, 13))
def test_every_month_is_read(number: int) -> None:
    """By its name, by its first letters, and in any case of letters."""
    day = date(2025, number, 1)
    assert read_day(f"1 {day:%B} 2025") == read_day(f"{day:%b} 1, 2025") == day
    assert read_day(f"1 {day:%B} 2025".upper()) == day


def test_a_day_needs_all_of_its_parts() -> None:
    """A month or a year alone is none."""
    assert [read_day(written) for written in ("2025", "june", "june 2025", "")] == [None] * 4
