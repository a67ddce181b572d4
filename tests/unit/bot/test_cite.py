"""What `/cite` makes of the words behind it."""

from datetime import UTC, date, datetime, time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from slack_bolt import BoltContext

from bot.incoming import Incoming
from bot.listeners.cite import (
    Ask,
    Command,
    Dated,
    Forget,
    Help,
    Last,
    Lookup,
    Settings,
    command_of,
    parse,
    read,
    read_day,
    split_day,
)
from store.answers import new_answer_id

TODAY = date(2026, 11, 21)
JUNE = datetime.combine(date(2025, 6, 1), time.max, UTC)


LINK = "https://acme.slack.com/archives/C0HELP/p1763628000123456"
TS = "1763628000.123456"


def body(text: str) -> dict[str, Any]:
    """A `/cite` command as Slack sends it."""
    return {
        "team_id": "T1",
        "channel_id": "C1",
        "trigger_id": "9",
        "user_id": "U1",
        "response_url": "https://hooks.slack.test/1",
        "text": text,
    }


def asked(text: str) -> Incoming | None:
    """The question of a command."""
    return read(body(text), cast("BoltContext", SimpleNamespace(bot_user_id="U0")))


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param("", Last(), id="alone"),
        pytest.param("as of 2025-06-01", Last(JUNE), id="a day alone"),
        pytest.param("as of today", Last(), id="today alone"),
        pytest.param("help", Help(), id="help"),
        pytest.param("HELP", Help(), id="in any case"),
        pytest.param("help as of 1 June 2025", Help(), id="help and a day"),
        pytest.param(f"settings {LINK}", Settings(), id="settings and a link"),
        pytest.param("settings", Settings(), id="settings"),
        pytest.param("forget me", Forget(), id="forget me"),
        pytest.param("Forget  me", Forget(), id="spaces"),
        pytest.param("help me move house", Ask("help me move house"), id="help with something"),
        pytest.param("settings of the alarm", Ask("settings of the alarm"), id="settings of"),
        pytest.param("forget me not flowers?", Ask("forget me not flowers?"), id="flowers"),
        pytest.param("forget", Ask("forget"), id="half of it"),
        pytest.param("help?", Ask("help?"), id="help with a mark"),
        pytest.param("7f3a09c41b2e", Lookup("7f3a09c41b2e"), id="id"),
        pytest.param(
            "7f3a09c41b2e as of 1 June 2025", Lookup("7f3a09c41b2e", as_of=JUNE), id="id, day"
        ),
        pytest.param("7f3a09c41b2", Ask("7f3a09c41b2"), id="too short for an id"),
        pytest.param("what is 7f3a09c41b2e", Ask("what is 7f3a09c41b2e"), id="about an id"),
        pytest.param(LINK, Lookup(channel="C0HELP", ts=TS), id="link"),
        pytest.param(
            f"{LINK}?thread_ts=1763620000.000100&cid=C0HELP as of 2025-06-01",
            Lookup(channel="C0HELP", ts=TS, as_of=JUNE),
            id="link into a thread, day",
        ),
        pytest.param(f"what does {LINK} say", Ask(f"what does {LINK} say"), id="about a link"),
        pytest.param(
            "https://acme.example/policies", Ask("https://acme.example/policies"), id="elsewhere"
        ),
        pytest.param("Any leave as of 2025-06-01?", Ask("Any leave?", JUNE), id="question, day"),
    ],
)
def test_a_word_is_a_subcommand_only_alone_or_before_a_day_or_link(
    words: str, command: Command
) -> None:
    """Whatever else is written is a question."""
    assert parse(words, TODAY) == command


def test_every_answer_id_is_one() -> None:
    """As it is made and told."""
    made = new_answer_id()
    assert parse(made, TODAY) == Lookup(made)


def test_slacks_markup_is_undone_first() -> None:
    """A link may come in angle brackets."""
    assert command_of(body(f"<{LINK}>"), "U0") == Lookup(channel="C0HELP", ts=TS)


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
    for words in (f"Any leave as of {day}", f"as of {day}"):
        incoming = asked(words)
        assert incoming is not None
        assert incoming.problem is not None
        assert f"“{day}”" in incoming.problem
        assert "as of 2025-06-01" in incoming.problem


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


@pytest.mark.parametrize("text", ["as of 2025-06-01", "help", "", "settings", LINK])
def test_only_questions_are_answered(text: str) -> None:
    """The rest is done without asking the policies."""
    assert asked(text) is None


def test_the_moment_goes_with_the_question() -> None:
    """Apart from the words, which are searched for without it."""
    incoming = asked("Any leave as of 1 June 2025?")
    assert incoming is not None
    assert (incoming.text, incoming.as_of) == ("Any leave?", JUNE)
    assert (incoming.private, incoming.command, incoming.reply_url) == (
        True,
        True,
        "https://hooks.slack.test/1",
    )


@pytest.mark.parametrize("number", range(1, 13))
def test_every_month_is_read(number: int) -> None:
    """By its name, by its first letters, and in any case of letters."""
    day = date(2025, number, 1)
    assert read_day(f"1 {day:%B} 2025") == read_day(f"{day:%b} 1, 2025") == day
    assert read_day(f"1 {day:%B} 2025".upper()) == day


def test_a_day_needs_all_of_its_parts() -> None:
    """A month or a year alone is none."""
    assert [read_day(written) for written in ("2025", "june", "june 2025", "")] == [None] * 4
