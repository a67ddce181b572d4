"""Slack acts and says that it failed, refuses, or is slow: one reply, and never none."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from graph.state import Question
from store.answers import Answer
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import Answerer, cited, running, settle, words
from tests.fakes.slack import SlackServer

pytestmark = pytest.mark.timeout(60)


def ask(slack: SlackServer, question: str = "sale?") -> str:
    """Mention the bot in a channel and return the question's ts."""
    return slack.say(slack.general, slack.alice, slack.mention(question))


@pytest.mark.usefixtures("bot")
def test_a_reply_that_slack_never_takes_is_one_that_says_so(slack: SlackServer) -> None:
    """Whoever asked reads a reference instead of nothing."""
    slack.fail("chat.postMessage", "invalid_blocks")
    ts = ask(slack)
    (reply,) = slack.wait_for_messages(slack.general, ts)

    assert "reference" in words(reply).lower()


@pytest.mark.usefixtures("bot")
def test_where_slack_may_not_be_asked_a_doubtful_reply_is_sent_again(slack: SlackServer) -> None:
    """Better once too often than never."""
    slack.fail("chat.postMessage", "500")
    slack.fail("conversations.replies", "missing_scope", times=20)
    ts = ask(slack)
    (reply,) = slack.wait_for_messages(slack.general, ts)

    assert "Sale items can be returned" in words(reply)


@pytest.mark.usefixtures("bot")
def test_slack_is_asked_for_a_reply_that_it_failed_at_somewhere(slack: SlackServer) -> None:
    """Its fatal errors may come after the message was posted."""
    slack.fail("chat.postMessage", "fatal_error")
    ts = ask(slack)
    slack.wait_for_messages(slack.general, ts)

    names = [call.method for call in slack.calls()]
    assert "conversations.replies" in names[names.index("chat.postMessage") :]


@pytest.mark.usefixtures("bot")
def test_a_reply_is_found_though_our_clock_is_wrong(
    slack: SlackServer, bot_engine: Engine
) -> None:
    """Slack's own time of the question says from where on to look."""
    slack.fail("chat.postMessage", "lose_reply")
    ts = ask(slack)
    slack.wait_for_calls("chat.postMessage")
    with bot_engine.begin() as connection:
        connection.execute(text("UPDATE posts SET created_at = created_at + interval '1 hour'"))
    slack.wait_for_calls("chat.update")
    settle(slack)

    assert len(slack.replies(slack.general, ts)) == 1


@pytest.mark.parametrize("fault", ["429", "500", "fatal_error", "drop"])
@pytest.mark.usefixtures("bot")
def test_an_answer_is_deleted_however_often_slack_refuses(slack: SlackServer, fault: str) -> None:
    """It is tried until it is gone."""
    ts = ask(slack)
    slack.wait_for_messages(slack.general, ts)
    slack.fail("chat.delete", fault, times=3)
    slack.delete(slack.general, ts)
    slack.wait_for_calls("chat.delete", count=4, timeout=20)
    settle(slack)

    assert slack.replies(slack.general, ts) == []


def test_an_answer_that_is_late_is_withdrawn_late(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """A deletion that waited longer than an answer may take is done all the same."""
    release = threading.Event()

    def slowly(question: Question) -> Answer:
        if "slow" in question.text:
            release.wait(10)
        return cited(question)

    answerer.script = slowly
    with running(slack, bot_engine, answerer, deadline=1.5):
        ts = ask(slack)
        slack.wait_for_messages(slack.general, ts)
        slack.say(slack.general, slack.alice, slack.mention("slow?"), thread_ts=ts)
        slack.delete(slack.general, ts)
        slack.wait_for_calls("chat.delete", timeout=20)
        release.set()
        settle(slack)
        assert all("Sale items" not in words(m) for m in slack.replies(slack.general, ts))


@pytest.mark.usefixtures("bot")
def test_an_edit_that_asks_nothing_more_takes_the_answer_back(
    slack: SlackServer, bot_engine: Engine
) -> None:
    """What is left is a remark between people, and an answer to nothing."""
    ts = ask(slack)
    slack.wait_for_messages(slack.general, ts)
    asked = slack.say(slack.general, slack.bob, "what about hats?", thread_ts=ts)
    slack.wait_for_messages(slack.general, ts, count=2)
    with bot_engine.begin() as connection:
        connection.execute(
            text("UPDATE channels SET mode = 'off' WHERE workspace_id = :w AND channel_id = :c"),
            {"w": ensure_workspace(bot_engine), "c": slack.general},
        )
    threading.Event().wait(2.5)  # settings are known for two seconds
    slack.edit(slack.general, asked, "never mind the hats")
    slack.wait_for_calls("chat.delete")
    settle(slack)

    assert len(slack.replies(slack.general, ts)) == 1


def test_an_edit_does_not_show_all_what_is_private_by_now(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """A channel that was set to private answers meanwhile: the public one goes."""
    answerer.script = lambda question: replace(cited(question), text=f"About {question.text}")
    with running(slack, bot_engine, answerer):
        ts = ask(slack)
        slack.wait_for_messages(slack.general, ts)
        with bot_engine.begin() as connection:
            connection.execute(text("UPDATE channels SET answers = 'private'"))
        threading.Event().wait(2.5)
        slack.edit(slack.general, ts, slack.mention("my pay?"))
        slack.wait_for_calls("chat.postEphemeral")
        slack.wait_for_calls("chat.delete")
        settle(slack)

    assert [m for m in slack.replies(slack.general, ts) if not m.visible_to] == []


def test_an_apology_and_a_stream_that_begins_are_one_message(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Whichever reaches Slack first, one message stands in the end, and is finished."""
    answerer.script = lambda question: (threading.Event().wait(4), cited(question))[1]
    slack.fail("chat.startStream", "hang", seconds=2.0)
    with running(slack, bot_engine, answerer, deadline=1.0, FOOTNOTE_STREAM_AFTER="0.2"):
        ts = ask(slack)
        slack.wait_for_calls("chat.update", timeout=20)
        settle(slack)
        threading.Event().wait(3)
    (reply,) = [m for m in slack.messages(slack.general, ts) if m.by_app]

    assert reply.finished
    assert "reference" in words(reply).lower()


def test_a_choice_taken_up_again_ends_its_stream(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """It goes with its question, but what it begun to say is its own."""
    with running(slack, bot_engine, answerer):
        ts = ask(slack)
        slack.wait_for_messages(slack.general, ts)
        with bot_engine.begin() as connection:
            # As a process leaves it that was killed while it streamed the answer to a choice.
            connection.execute(
                text(
                    "WITH chosen AS (INSERT INTO events (workspace_id, conversation_id, kind, key,"
                    " message_key, team, channel, ts, thread_ts, user_id, text, attempts, state,"
                    " lease_until) SELECT workspace_id, conversation_id, kind, key || '-choice',"
                    " message_key, team, channel, ts || '1', ts, user_id, 'sale? (all)', 1,"
                    " 'working', now() FROM events RETURNING *)"
                    " INSERT INTO posts (workspace_id, key, kind, event_id, channel, thread_ts,"
                    " message, state, attempts, lease_until) SELECT workspace_id, 'reply:' || id,"
                    " 'reply', id, channel, thread_ts, '{}', 'posting', 1, now() FROM chosen"
                )
            )
        replies = slack.wait_for_messages(slack.general, ts, count=2)
        settle(slack)

    assert len(replies) == 2
    assert "Sale items can be returned" in words(replies[1])


@pytest.mark.usefixtures("bot")
def test_a_message_marked_as_superseded_is_not_posted_anew(
    slack: SlackServer, bot_engine: Engine
) -> None:
    """Somebody deleted it in Slack: there is nothing to mark."""
    ts = ask(slack)
    (reply,) = slack.wait_for_messages(slack.general, ts)
    settle(slack)
    slack.fail("chat.update", "message_not_found")
    with bot_engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE posts SET state = 'waiting', message = message || CAST(:more AS jsonb)"
                " WHERE ts = :ts"
            ),
            {"more": '{"only_changed": true}', "ts": reply.ts},
        )
    slack.wait_for_calls("chat.update")
    settle(slack)

    assert len(slack.replies(slack.general, ts)) == 1
