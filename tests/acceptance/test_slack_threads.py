"""Threads as people use them: follow-ups, talk between people, edits, deletions, leaving."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from store.answers import Claim
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import CLAIM, Answerer, cited, running, settle, words
from tests.fakes.slack import SlackServer

pytestmark = pytest.mark.timeout(60)
SENT_SLOWLY = 1.5  # seconds in which Slack says nothing of what it has posted


def begin(slack: SlackServer, question: str = "sale?") -> str:
    """Mention the bot and wait for its reply; return the thread."""
    ts = slack.say(slack.general, slack.alice, slack.mention(question))
    slack.wait_for_messages(slack.general, ts)
    return ts


def texts(answerer: Answerer) -> list[str]:
    """What was asked."""
    return [question.text for question in answerer.asked]


@pytest.mark.usefixtures("bot")
def test_a_follow_up_needs_no_mention(slack: SlackServer, answerer: Answerer) -> None:
    """After the first mention the thread goes on by itself, for others who ask something too."""
    ts = begin(slack)
    slack.say(slack.general, slack.alice, "and shoes", thread_ts=ts)
    slack.wait_for_messages(slack.general, ts, count=2)
    slack.say(slack.general, slack.bob, "what about hats?", thread_ts=ts)
    slack.wait_for_messages(slack.general, ts, count=3)

    assert texts(answerer) == ["sale?", "and shoes", "what about hats?"]
    assert len({question.conversation for question in answerer.asked}) == 1


@pytest.mark.usefixtures("bot")
def test_people_who_talk_to_each_other_are_left_alone(
    slack: SlackServer, answerer: Answerer, bot_engine: Engine
) -> None:
    """Who names another person, or only remarks on things, is not answered, nor remembered."""
    ts = begin(slack)
    slack.say(slack.general, slack.alice, f"<@{slack.bob}> do you know?", thread_ts=ts)
    slack.say(slack.general, slack.bob, "I had that last week, funny secret.", thread_ts=ts)
    slack.say(slack.general, slack.bob, "hello all")
    settle(slack)

    assert texts(answerer) == ["sale?"]
    with bot_engine.connect() as connection:
        kept = connection.execute(text("SELECT string_agg(text, '|') FROM events")).scalar_one()
    assert "secret" not in kept
    assert "hello all" not in kept


@pytest.mark.parametrize("word", ["stop", "Leave!", "please stop"])
@pytest.mark.usefixtures("bot")
def test_told_to_leave_it_stays_out_until_it_is_mentioned(
    slack: SlackServer, answerer: Answerer, word: str
) -> None:
    """It says so once, follows up no more, and comes back when it is spoken to."""
    ts = begin(slack)
    slack.say(slack.general, slack.alice, word, thread_ts=ts)
    replies = slack.wait_for_messages(slack.general, ts, count=2)
    assert "stay out of this thread" in words(replies[1])
    slack.say(slack.general, slack.alice, "and shoes?", thread_ts=ts)
    settle(slack)
    assert len(slack.replies(slack.general, ts)) == 2
    slack.say(slack.general, slack.alice, slack.mention("and hats?"), thread_ts=ts)
    slack.wait_for_messages(slack.general, ts, count=3)

    assert texts(answerer) == ["sale?", "and hats?"]


@pytest.mark.usefixtures("bot")
def test_an_edited_question_is_answered_again_in_place(
    slack: SlackServer, answerer: Answerer
) -> None:
    """The reply changes; there is no second one, and the old words are not remembered."""
    ts = begin(slack, "can I return sail items?")
    (before,) = slack.replies(slack.general, ts)
    slack.edit(slack.general, ts, slack.mention("can I return sale items?"))
    slack.wait_for_calls("chat.update")
    settle(slack)

    (after,) = slack.replies(slack.general, ts)
    assert after.ts == before.ts
    assert texts(answerer) == ["can I return sail items?", "can I return sale items?"]


@pytest.mark.usefixtures("bot")
def test_an_edit_that_names_the_bot_asks_it(slack: SlackServer, answerer: Answerer) -> None:
    """A mention that was forgotten and added counts like one written at once."""
    ts = slack.say(slack.general, slack.alice, "sale?")
    settle(slack)
    assert answerer.asked == []
    slack.edit(slack.general, ts, slack.mention("sale?"))

    slack.wait_for_messages(slack.general, ts)
    assert texts(answerer) == ["sale?"]


@pytest.mark.usefixtures("bot")
def test_an_edit_that_takes_the_mention_out_takes_the_answer_back(
    slack: SlackServer, answerer: Answerer
) -> None:
    """Whoever finds that they need not ask leaves no answer standing under what they say now."""
    ts = begin(slack)
    slack.edit(slack.general, ts, "never mind, all fine")
    slack.wait_for_calls("chat.delete")
    settle(slack)

    assert slack.replies(slack.general, ts) == []
    assert texts(answerer) == ["sale?"]


@pytest.mark.usefixtures("bot")
def test_a_deleted_question_takes_its_answer_along(slack: SlackServer, bot_engine: Engine) -> None:
    """The reply goes, and so does what was remembered of both."""
    ts = begin(slack, "my private sale question?")
    slack.delete(slack.general, ts)
    slack.wait_for_calls("chat.delete")
    settle(slack)

    assert slack.replies(slack.general, ts) == []
    with bot_engine.connect() as connection:
        for table in ("events", "turns"):
            kept = connection.execute(text(f"SELECT string_agg(text, '|') FROM {table}"))
            assert "private sale" not in (kept.scalar_one() or "")


@pytest.mark.usefixtures("bot")
def test_a_question_that_is_deleted_while_its_answer_is_sent_takes_it_along(
    slack: SlackServer,
) -> None:
    """Whoever sends the answer learns that it was taken back, and deletes it."""
    slack.fail("chat.postMessage", "hang", seconds=SENT_SLOWLY)
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general, ts)
    slack.delete(slack.general, ts)
    slack.wait_for_calls("chat.delete")
    settle(slack)

    assert slack.replies(slack.general, ts) == []


@pytest.mark.usefixtures("bot")
def test_a_question_that_is_edited_while_its_answer_is_sent_is_answered_in_place(
    slack: SlackServer, answerer: Answerer
) -> None:
    """The new answer is neither lost behind the old one nor posted beside it."""
    answerer.script = lambda question: replace(
        cited(question),
        text=f"About {question.text}",
        claims=(Claim(f"About {question.text}", CLAIM.citations),),
    )
    slack.fail("chat.postMessage", "hang", seconds=SENT_SLOWLY)
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general, ts)
    slack.edit(slack.general, ts, slack.mention("hats?"))
    slack.wait_for_calls("chat.update")
    settle(slack)

    (reply,) = slack.replies(slack.general, ts)
    assert "About hats?" in words(reply)


@pytest.mark.parametrize(
    ("setting", "value", "asked"),
    [
        pytest.param("mode", "all", ["is there a sale", "sale?"], id="all messages"),
        pytest.param("mode", "off", [], id="off"),
        pytest.param("mode", "mentions", ["sale?"], id="mentions"),
    ],
)
def test_a_channel_is_answered_as_it_is_set(
    slack: SlackServer,
    bot_engine: Engine,
    answerer: Answerer,
    setting: str,
    value: str,
    asked: list[str],
) -> None:
    """Only mentions, all that is written, or nothing; off is told to who asks, alone."""
    _set(bot_engine, slack.general, setting, value)
    with running(slack, bot_engine, answerer):
        slack.say(slack.general, slack.alice, "I'll be late today")
        slack.say(slack.general, slack.alice, "is there a sale")
        settle(slack)
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        if value == "off":
            (note,) = slack.wait_for_ephemerals(slack.general, slack.alice)
            assert "switched off in this channel" in words(note)
        else:
            slack.wait_for_messages(slack.general, count=len(asked))
        settle(slack)

    assert texts(answerer) == asked


def test_private_answers_are_seen_by_their_asker(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Where a channel wants them private, an answer to a mention is an ephemeral message."""
    _set(bot_engine, slack.general, "answers", "private")
    with running(slack, bot_engine, answerer):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        (seen,) = slack.wait_for_ephemerals(slack.general, slack.alice)
        settle(slack)

    assert "“Items bought in a sale" in words(seen)
    assert slack.replies(slack.general) == []


def test_follow_ups_can_be_switched_off(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Then every question needs its mention."""
    _set(bot_engine, slack.general, "follow_ups", value=False)
    with running(slack, bot_engine, answerer):
        ts = begin(slack)
        slack.say(slack.general, slack.alice, "and shoes?", thread_ts=ts)
        settle(slack)

    assert texts(answerer) == ["sale?"]


def _set(engine: Engine, channel: str, setting: str, value: object) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO channels (workspace_id, channel_id, {setting})"
                " VALUES (:workspace, :channel, :value)"
            ),
            {"workspace": ensure_workspace(engine), "channel": channel, "value": value},
        )
