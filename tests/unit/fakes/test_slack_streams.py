"""What a bot finds again of its own messages: metadata, and streams under way or broken off."""

import urllib.error
from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.fakes.slack import SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import client_of, code

NOTE = {"event_type": "answer", "event_payload": {"key": "q-7"}}


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A server whose streams live as long as Slack's."""
    with SlackServer() as server:
        yield server


@pytest.fixture
def root(slack: SlackServer) -> str:
    """The ts of a question."""
    return slack.say(slack.general, slack.alice, "question")


def start(slack: SlackServer, client: WebClient, root: str, text: str = "Hello") -> Json:
    """Begin a stream under the question and return its place."""
    who: Json = {"recipient_team_id": slack.workspace.team_id, "recipient_user_id": slack.alice}
    here: Json = {"channel": slack.general}
    begun = client.chat_startStream(markdown_text=text, thread_ts=root, **here, **who)
    return here | {"ts": begun["ts"]}


def thread(slack: SlackServer, client: WebClient, root: str) -> list[Json]:
    """What the bot reads of its own in a thread, with metadata."""
    read = client.conversations_replies(channel=slack.general, ts=root, include_all_metadata=True)
    return [message for message in read["messages"] if message.get("bot_id")]


def test_metadata_is_read_back_however_it_was_given(
    slack: SlackServer, client: WebClient, root: str
) -> None:
    """A post, an update and the end of a stream all keep it; an update without keeps the old."""
    here: Json = {"channel": slack.general}
    posted = client.chat_postMessage(text="a", thread_ts=root, metadata=NOTE, **here)["ts"]
    bare = client.chat_postMessage(text="b", thread_ts=root, **here)["ts"]
    client.chat_update(ts=posted, text="a2", **here)
    client.chat_update(ts=bare, text="b2", metadata=NOTE, **here)
    client.chat_stopStream(metadata=NOTE, **start(slack, client, root))
    found = [(m["text"], m["metadata"]) for m in thread(slack, client, root)]
    assert found == [("a2", NOTE), ("b2", NOTE), ("Hello", NOTE)]
    alone = client.chat_postMessage(text="c", metadata=NOTE, **here)["ts"]
    top = client.conversations_history(
        include_all_metadata=True, oldest=alone, inclusive=True, **here
    )
    assert [m["metadata"] for m in top["messages"]] == [NOTE]
    client.chat_update(ts=alone, text="c", metadata={}, **here)
    top = client.conversations_history(
        include_all_metadata=True, oldest=alone, inclusive=True, **here
    )
    assert "metadata" not in top["messages"][0]


def test_a_direct_message_keeps_metadata(slack: SlackServer, client: WebClient) -> None:
    """Posting to a person opens the conversation, in which the note is found again."""
    sent = client.chat_postMessage(channel=slack.bob, text="psst", metadata=NOTE)
    read = client.conversations_history(channel=sent["channel"], include_all_metadata=True)
    assert (sent["channel"], read["messages"][0]["metadata"]) == (slack.dm(slack.bob), NOTE)


def test_a_running_stream_is_seen_and_says_so(
    slack: SlackServer, client: WebClient, root: str
) -> None:
    """It stands in the thread with its words so far, without metadata, marked as unfinished."""
    here = start(slack, client, root)
    client.chat_appendStream(markdown_text=" world", **here)
    running = thread(slack, client, root)[0]
    assert (running["text"], running["streaming_state"]) == ("Hello world", "in_progress")
    assert "metadata" not in running
    assert code(client.chat_update, text="whole", **here) == "streaming_state_conflict"
    client.chat_stopStream(metadata=NOTE, **here)
    ended = thread(slack, client, root)[0]
    assert (ended["streaming_state"], ended["metadata"]) == ("completed", NOTE)
    client.chat_update(text="whole", **here)
    assert thread(slack, client, root)[0]["text"] == "whole"


def test_streams_are_let_die(slack: SlackServer, client: WebClient, root: str) -> None:
    """The running ones end where they are; those begun after it run."""
    here = start(slack, client, root)
    other = slack.add_channel("other", [slack.alice]).id
    assert (slack.end_streams(other), slack.end_streams()) == (0, 1)
    append, stop = client.chat_appendStream, client.chat_stopStream
    assert code(append, markdown_text="!", **here) == "message_not_in_streaming_state"
    assert code(stop, **here) == "message_not_in_streaming_state"
    assert [m.text for m in slack.replies(slack.general)] == ["Hello"]
    client.chat_update(text="Hello, whole", metadata=NOTE, **here)
    assert thread(slack, client, root)[0]["metadata"] == NOTE
    assert append(markdown_text="!", **start(slack, client, root))["ok"]


@pytest.mark.parametrize("kind", ["429", "500", "fatal_error", "lose_reply"])
@pytest.mark.parametrize("step", ["startStream", "appendStream", "stopStream"])
def test_each_step_of_a_stream_goes_wrong(
    slack: SlackServer, client: WebClient, root: str, step: str, kind: str
) -> None:
    """Each fault meets one call; only a lost reply has done its work."""
    slack.fail(f"chat.{step}", kind)
    failed = pytest.raises((SlackApiError, urllib.error.URLError, ConnectionError))
    if step == "startStream":
        with failed:
            start(slack, client, root)
        assert len(thread(slack, client, root)) == (kind == "lose_reply")
        return
    here = start(slack, client, root)
    with failed:
        client.api_call(f"chat.{step}", params=here | {"markdown_text": "!"})
    message = slack.messages(slack.general, root)[-1]
    assert message.text == ("Hello!" if kind == "lose_reply" else "Hello")
    assert message.finished == (kind == "lose_reply" and step == "stopStream")


def test_a_private_message_needs_scope_place_and_person(slack: SlackServer, root: str) -> None:
    """Ephemeral words need the scope, the bot in the place, and the person in it."""
    client, lounge = client_of(slack), slack.add_channel("lounge", [slack.alice], with_bot=False)
    whisper = client.chat_postEphemeral
    carol = slack.add_user("carol").id
    assert code(whisper, channel=lounge.id, user=slack.alice, text="x") == "not_in_channel"
    assert code(whisper, channel=slack.general, user=carol, text="x") == "user_not_in_channel"
    whisper(channel=slack.general, user=slack.alice, text="here", thread_ts=root)
    assert slack.ephemerals(slack.general, slack.alice)[0].thread_ts == root
    with SlackServer(scopes=["commands"]) as bare:
        whisper = client_of(bare).chat_postEphemeral
        assert code(whisper, channel=bare.general, user=bare.alice, text="x") == "missing_scope"
