"""A living answer: its status, its steps and words as they come, and whole whatever fails."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from graph.state import Question
from store.answers import Answer
from tests.acceptance.slack_face import Answerer, cited, running, settle, words
from tests.fakes.slack import Message, SlackServer

pytestmark = pytest.mark.timeout(60)
SLOWLY = 0.8  # seconds that each step of a slow answer takes


def stepping(question: Question) -> Answer:
    """Answer as the graph does with a language model that takes its time."""
    for name in ("route", "retrieve", "weigh", "answer", "verify", "style", "finish"):
        if question.progress is not None:
            question.progress(name)
        if name in ("retrieve", "answer"):
            threading.Event().wait(SLOWLY)
    return cited(question)


@pytest.fixture
def slow(slack: SlackServer, bot_engine: Engine, answerer: Answerer) -> Iterator[None]:
    """A bot whose answers take their time, and are shown as they come."""
    answerer.script = stepping
    with running(slack, bot_engine, answerer, FOOTNOTE_STREAM_AFTER="0.2"):
        yield


def ask(slack: SlackServer) -> tuple[str, Message]:
    """Ask in a channel; return the question's ts and the one reply once nothing more comes."""
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general, ts)
    settle(slack)
    (reply,) = slack.replies(slack.general, ts)
    return ts, reply


@pytest.mark.usefixtures("slow")
def test_steps_and_words_are_streamed_and_end_in_the_answer(slack: SlackServer) -> None:
    """A status at once, then a stream with steps that get done, the words, and the footnotes."""
    ts, reply = ask(slack)

    (status, *_) = slack.calls("assistant.threads.setStatus")
    assert status.params["status"] == "Searching 0 policies…"
    assert status.params["thread_ts"] == ts
    assert reply.streamed
    assert "Sale items can be returned within 14 days" in reply.text
    assert "“Items bought in a sale can be returned within 14 days of delivery.”" in words(reply)
    tasks = [chunk for chunk in reply.chunks if chunk["type"] == "task_update"]
    assert [(task["title"], task["status"]) for task in tasks] == [
        ("Searching 0 policies", "in_progress"),
        ("Searching 0 policies", "complete"),
        ("Reading what was found", "in_progress"),
        ("Reading what was found", "complete"),
        ("Checking every quote", "in_progress"),
        ("Checking every quote", "complete"),
    ]
    assert slack.calls("chat.postMessage") == []
    (started,) = slack.calls("chat.startStream")
    assert started.params["recipient_user_id"] == slack.alice
    assert started.params["recipient_team_id"]
    assert slack.status(slack.general, ts) is None


@pytest.mark.parametrize("fault", ["429", "500", "hang", "lose_reply"])
@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
@pytest.mark.usefixtures("slow")
def test_a_stream_that_fails_leaves_the_whole_answer_once(
    slack: SlackServer, method: str, fault: str
) -> None:
    """Wherever a stream breaks, one message says the answer with its footnotes."""
    slack.fail(method, fault, times=2, seconds=1.0)
    _, reply = ask(slack)

    assert reply.finished
    assert "Sale items can be returned within 14 days" in reply.text + words(reply)
    assert "“Items bought in a sale" in words(reply)


@pytest.mark.usefixtures("slow")
def test_a_stream_that_dies_leaves_the_whole_answer_once(slack: SlackServer) -> None:
    """Slack ends streams that take too long: the message is then changed to say it all."""
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_calls("chat.startStream")
    slack.end_streams()
    slack.wait_for_calls("chat.update")
    settle(slack)

    (reply,) = slack.replies(slack.general, ts)
    assert "Sale items can be returned within 14 days" in words(reply)


@pytest.mark.usefixtures("slow")
def test_who_stops_an_answer_gets_no_more_of_it(slack: SlackServer) -> None:
    """Stop means stop: the message stays as it was, and none follows."""
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_calls("chat.appendStream")
    (streaming,) = [m for m in slack.messages(slack.general, ts) if m.by_app]
    slack.stop_stream(slack.general, streaming.ts, slack.alice)
    settle(slack)
    threading.Event().wait(3 * SLOWLY)

    (reply,) = [m for m in slack.messages(slack.general, ts) if m.by_app]
    assert reply.stopped_by_user
    assert reply.blocks == ()
    assert slack.calls("chat.postMessage") == slack.calls("chat.update") == []


@pytest.mark.usefixtures("slow")
def test_a_status_that_fails_keeps_nobody_waiting(slack: SlackServer) -> None:
    """What surrounds an answer is nothing it depends on."""
    slack.fail("assistant.threads.setStatus", "500", times=3)
    _, reply = ask(slack)

    assert "“Items bought in a sale" in words(reply)


@pytest.mark.usefixtures("bot")
def test_a_quick_answer_is_posted_at_once(slack: SlackServer) -> None:
    """There is nothing to wait for, and so nothing to stream."""
    _, reply = ask(slack)

    assert not reply.streamed
    assert slack.calls("chat.startStream") == []
