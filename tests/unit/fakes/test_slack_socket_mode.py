"""Deliveries of the local Slack, watched from a bare WebSocket."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from slack_sdk import WebClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.fakes.slack import NotSeenError, SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import wait_until


@contextmanager
def hurried(**options: Any) -> Iterator[SlackServer]:
    """A server that loses patience in 50 ms."""
    with SlackServer(ack_deadline=0.05, retry_delays=(0.0, 0.05), **options) as server:
        yield server


@contextmanager
def open_socket(slack: SlackServer) -> Iterator[ClientConnection]:
    client = WebClient(base_url=slack.url)
    url = str(client.apps_connections_open(app_token=slack.app_token)["url"])
    with connect(url) as socket:
        assert json.loads(socket.recv(5))["type"] == "hello"
        yield socket


def frame(socket: ClientConnection) -> Json:
    received: Json = json.loads(socket.recv(5))
    return received


def acknowledge(socket: ClientConnection, received: Json) -> None:
    socket.send(json.dumps({"envelope_id": received["envelope_id"]}))


def test_an_unacknowledged_event_is_sent_again_until_given_up() -> None:
    """Retries count up, say why, keep the event id, and end."""
    with hurried() as slack, open_socket(slack) as socket:
        slack.say(slack.general, slack.alice, "hello?")
        frames = [frame(socket) for _ in range(3)]
        delivery = slack.deliveries[0]
        wait_until(lambda: delivery.gave_up)
    assert [(f["retry_attempt"], f["retry_reason"]) for f in frames] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
    ]
    assert len({f["envelope_id"] for f in frames}) == 3
    assert len({f["payload"]["event_id"] for f in frames}) == 1
    with pytest.raises(NotSeenError, match="no acknowledgement"):
        delivery.wait_for_ack(0.01)


def test_an_acknowledged_event_is_not_sent_again() -> None:
    """The time to the acknowledgement is measured from the sending that it answers."""
    with hurried() as slack, open_socket(slack) as socket:
        slack.say(slack.general, slack.alice, "hello")
        acknowledge(socket, frame(socket))
        assert 0 < slack.deliveries[0].wait_for_ack() < 1_000
        with pytest.raises(TimeoutError):
            socket.recv(0.2)
        assert len(slack.ack_times()) == 1


def test_a_late_acknowledgement_spares_the_retry() -> None:
    """Who answers after the deadline, but before the next try is due, is not asked again."""
    with (
        SlackServer(ack_deadline=0.05, retry_delays=(0.3,)) as slack,
        open_socket(slack) as socket,
    ):
        slack.say(slack.general, slack.alice, "hello")
        received = frame(socket)
        with pytest.raises(TimeoutError):
            socket.recv(0.1)
        acknowledge(socket, received)
        assert slack.deliveries[0].wait_for_ack() > 50
        with pytest.raises(TimeoutError):
            socket.recv(0.4)


def test_an_event_waits_for_an_app_that_is_away() -> None:
    """What happened without a connection comes with a retry, once there is one."""
    with SlackServer(retry_delays=(0.0, 0.3)) as slack:
        slack.say(slack.general, slack.alice, "anybody?")
        with open_socket(slack) as socket:
            received = frame(socket)
    assert (received["retry_attempt"], received["retry_reason"]) == (2, "connection_failed")
    assert received["payload"]["event"]["text"] == "anybody?"


def test_a_command_is_sent_once() -> None:
    """Nobody repeats a command on its own: an app that is late has failed it."""
    with hurried() as slack, open_socket(slack) as socket:
        cited = slack.slash("/cite", "", slack.general, slack.alice)
        assert frame(socket)["accepts_response_payload"]
        wait_until(lambda: cited.delivery.gave_up)
        with pytest.raises(TimeoutError):
            socket.recv(0.1)


def test_connections_take_turns() -> None:
    """Two processes of one app share what happens."""
    with SlackServer() as slack, open_socket(slack) as one, open_socket(slack) as two:
        for i in range(4):
            slack.say(slack.general, slack.alice, str(i))
        texts = [[frame(s)["payload"]["event"]["text"] for _ in range(2)] for s in (one, two)]
    assert texts == [["0", "2"], ["1", "3"]]


def test_held_events_come_shuffled_and_copied() -> None:
    """A block of events is let go at its end, each as often as asked."""
    with SlackServer() as slack, open_socket(slack) as socket:
        with slack.held(copies=2, shuffle=random.Random(7)):
            for i in range(5):
                slack.say(slack.general, slack.alice, str(i))
        texts = [frame(socket)["payload"]["event"]["text"] for _ in range(10)]
    assert sorted(texts) == sorted([*"01234"] * 2)
    assert texts != [*"01234"] * 2


def test_only_what_is_subscribed_and_in_sight_is_sent() -> None:
    """Events outside the manifest, or in places without the bot, stay away."""
    with SlackServer(events=["app_mention", "message.im"]) as slack, open_socket(slack) as socket:
        lounge = slack.add_channel("lounge", [slack.alice], with_bot=False).id
        slack.say(lounge, slack.alice, slack.mention("psst"))
        slack.say(slack.general, slack.alice, slack.mention("hello"))
        slack.say(slack.dm(slack.alice), slack.alice, "hi")
        slack.open_home(slack.alice)
        types = [frame(socket)["payload"]["event"]["type"] for _ in range(2)]
        with pytest.raises(TimeoutError):
            socket.recv(0.1)
    assert types == ["app_mention", "message"]


def test_the_bot_hears_itself() -> None:
    """As in Slack, the bot's own posts and edits come back as events that name it."""
    with SlackServer() as slack, open_socket(slack) as socket:
        client = WebClient(slack.bot_token, base_url=slack.url)
        ts = client.chat_postMessage(channel=slack.general, text="hi")["ts"]
        client.chat_update(channel=slack.general, ts=ts, text="hi there")
        posted, edited = (frame(socket)["payload"]["event"] for _ in range(2))
    assert (posted["user"], posted["bot_id"]) == (slack.bot_user, slack.workspace.bot_id)
    assert edited["message"]["bot_id"] == slack.workspace.bot_id


def test_an_app_is_asked_to_connect_anew() -> None:
    """A connection that was told goodbye takes nothing new; after a warning it still does."""
    with SlackServer() as slack, open_socket(slack) as old:
        slack.end_connections("warning")
        assert frame(old)["reason"] == "warning"
        slack.say(slack.general, slack.alice, "1")
        assert frame(old)["payload"]["event"]["text"] == "1"
        slack.end_connections()
        assert frame(old) == {
            "type": "disconnect",
            "reason": "refresh_requested",
            "debug_info": {"host": "applink-1"},
        }
        with open_socket(slack) as new:
            for text in ("2", "3"):
                slack.say(slack.general, slack.alice, text)
                assert frame(new)["payload"]["event"]["text"] == text


def test_a_ticket_opens_one_connection() -> None:
    """An address works once, and a made-up one never."""
    with SlackServer() as slack:
        client = WebClient(base_url=slack.url)
        url = str(client.apps_connections_open(app_token=slack.app_token)["url"])
        with connect(url) as socket:
            assert frame(socket)["type"] == "hello"
        with pytest.raises(InvalidStatus), connect(url):
            pass


def test_a_cut_connection_ends_without_a_word() -> None:
    """The app learns of it from its socket alone."""
    with SlackServer() as slack, open_socket(slack) as socket:
        slack.cut_connections()
        with pytest.raises(ConnectionClosed):
            socket.recv(5)


def test_a_test_is_told_what_is_missing() -> None:
    """Waiting in vain names what was waited for and what came instead."""
    with SlackServer() as slack:
        WebClient(slack.bot_token, base_url=slack.url).auth_test()
        with pytest.raises(NotSeenError, match=r"1 messages of the bot .*'auth\.test'"):
            slack.wait_for_messages(slack.general, timeout=0.01)


def test_many_people_speak_at_once() -> None:
    """Parallel speakers get timestamps of their own and lose no event."""
    with SlackServer() as slack, open_socket(slack) as socket:

        def speak() -> None:
            for _ in range(25):
                slack.say(slack.general, slack.alice, "hello")

        threads = [threading.Thread(target=speak) for _ in range(4)]
        for thread in threads:
            thread.start()
        stamps = {frame(socket)["payload"]["event"]["ts"] for _ in range(100)}
        for thread in threads:
            thread.join()
    assert len(stamps) == len(slack.messages(slack.general)) == 100
