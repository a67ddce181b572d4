"""The local Slack as a whole: people act, and Slack's own Bolt app or a bare socket answers."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltContext, BoltRequest, Respond, Say
from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_sdk import WebClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.fakes.slack import NotSeenError, SlackServer
from tests.fakes.slack.records import Json

QUIET = logging.getLogger("quiet-bolt")
QUIET.setLevel(logging.CRITICAL)

BUTTONS = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "action_id": "sources",
                "text": {"type": "plain_text", "text": "Sources"},
                "value": "answer-7",
            }
        ],
    },
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": {"type": "plain_text", "text": "Good"}, "value": "up"},
                "negative_button": {
                    "text": {"type": "plain_text", "text": "Bad"},
                    "value": "down",
                },
            }
        ],
    },
]
FORM = {
    "type": "modal",
    "callback_id": "why",
    "title": {"type": "plain_text", "text": "Why?"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "words"},
        }
    ],
}


class Bot:
    """A Bolt app with a listener of every kind; `seen` keeps the bodies they got."""

    def __init__(self, slack: SlackServer) -> None:
        client = WebClient(slack.bot_token, base_url=slack.url)
        self.app = App(client=client, logger=QUIET)
        self.seen: SimpleQueue[Json] = SimpleQueue()
        self.app.event("app_mention")(self.mentioned)
        self.app.event("message")(self.noted)
        self.app.event("reaction_added")(self.noted)
        self.app.command("/cite")(self.cited)
        self.app.action("sources")(self.pressed)
        self.app.action("feedback")(self.rated)
        self.app.shortcut("cite_this")(self.pressed)
        self.app.view("why")(self.submitted)

    def mentioned(self, event: Json, say: Say) -> None:
        say(text="At your service", blocks=BUTTONS, thread_ts=event["ts"])

    def noted(self, req: BoltRequest) -> None:
        self.seen.put({**req.body, "retry": req.headers.get("x-slack-retry-num")})

    def cited(self, ack: Ack, respond: Respond, command: Json) -> None:
        ack(f"Looking up {command['text']}")
        respond("Found it")

    def pressed(self, ack: Ack, body: Json, context: BoltContext) -> None:
        ack()
        self.seen.put(body)
        context.client.views_open(trigger_id=body["trigger_id"], view=FORM)

    def rated(self, ack: Ack, body: Json) -> None:
        ack()
        self.seen.put(body)

    def submitted(self, ack: Ack, body: Json) -> None:
        ack(response_action="clear")
        self.seen.put(body)

    def next_event(self, channel: str | None) -> Json:
        """The next body that came from a channel, or of a modal where there is none."""
        while place_of(body := self.seen.get(timeout=5)) != channel:
            continue
        return body

    def next_events(self, channel: str, count: int) -> list[Json]:
        """Events of a channel in the order they happened: Bolt's threads may mix them."""
        bodies = (self.next_event(channel) for _ in range(count))
        return sorted((body["event"] for body in bodies), key=lambda event: event["event_ts"])


def place_of(body: Json) -> str | None:
    event = body.get("event") or body
    place = event.get("item") or event
    channel = place.get("channel")
    return channel["id"] if isinstance(channel, dict) else channel


@pytest.fixture(scope="module")
def connected() -> Iterator[tuple[SlackServer, Bot]]:
    """One server and one Bolt app for all tests here: Bolt takes seconds to leave."""
    with SlackServer() as slack:
        bot = Bot(slack)
        handler = SocketModeHandler(bot.app, slack.app_token, logger=QUIET)
        handler.connect()  # type: ignore[no-untyped-call]
        slack.wait_for_connection()
        yield slack, bot
        # Its close() waits for a timer of 10 s; nothing here depends on its end.
        threading.Thread(target=handler.close, daemon=True).start()


@pytest.fixture
def slack(connected: tuple[SlackServer, Bot]) -> SlackServer:
    return connected[0]


@pytest.fixture
def bot(connected: tuple[SlackServer, Bot]) -> Bot:
    return connected[1]


@pytest.fixture
def room(slack: SlackServer) -> str:
    """A channel of this test's own."""
    return slack.add_channel("room", [slack.alice, slack.bob]).id


def of(slack: SlackServer, ts: str) -> list[Json]:
    """The events that came of one message."""
    return [d.event for d in slack.deliveries if d.event.get("ts") == ts]


# -- what people do, and a Bolt app sees ------------------------------------------------------


def test_a_mention_comes_as_two_events(slack: SlackServer, room: str) -> None:
    """app_mention and message tell of the same ts under different event ids; Bolt answers."""
    ts = slack.say(room, slack.alice, slack.mention("hello"))
    assert [m.text for m in slack.wait_for_messages(room, ts)] == ["At your service"]
    assert [e["type"] for e in of(slack, ts)] == ["app_mention", "message"]
    bodies = [d.payload for d in slack.deliveries if d.event.get("ts") == ts]
    assert len({body["event_id"] for body in bodies}) == 2
    assert all(d.wait_for_ack() < 3_000 for d in slack.deliveries)


def test_a_direct_message_comes_once(slack: SlackServer, bot: Bot) -> None:
    """In direct messages even a mention is a message only."""
    ts = slack.say(slack.dm(slack.bob), slack.bob, slack.mention("hello"))
    event = bot.next_event(slack.dm(slack.bob))["event"]
    assert (event["ts"], event["channel_type"]) == (ts, "im")
    assert [e["type"] for e in of(slack, ts)] == ["message"]


def test_a_reply_names_its_thread(slack: SlackServer, bot: Bot, room: str) -> None:
    """A reply carries the thread's ts and the person who began it."""
    root = slack.say(room, slack.alice, "anyone?")
    slack.say(room, slack.bob, "yes", root)
    _, reply = bot.next_events(room, 2)
    assert (reply["thread_ts"], reply["parent_user_id"]) == (root, slack.alice)


def test_edits_deletions_and_reactions_are_told(slack: SlackServer, bot: Bot, room: str) -> None:
    """Each comes as Slack's own kind of event, with what was there before."""
    ts = slack.say(room, slack.alice, "teh rules")
    slack.edit(room, ts, "the rules")
    slack.react(room, ts, slack.bob, "eyes")
    slack.delete(room, ts)
    said, edited, reacted, deleted = bot.next_events(room, 4)
    assert said["text"] == edited["previous_message"]["text"] == "teh rules"
    assert edited["message"]["text"] == "the rules"
    assert (reacted["reaction"], reacted["item"]["ts"]) == ("eyes", ts)
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)


def test_a_stranger_is_known_by_their_team(slack: SlackServer, bot: Bot) -> None:
    """In a shared channel the event says which organisation the person belongs to."""
    sam = slack.add_user("sam", team_id="T0OTHER", is_stranger=True).id
    shared = slack.add_channel("shared", [sam], is_ext_shared=True).id
    slack.say(shared, sam, "hello")
    body = bot.next_event(shared)
    assert (body["is_ext_shared_channel"], body["event"]["user_team"]) == (True, "T0OTHER")


def test_a_command_is_acknowledged_and_answered(slack: SlackServer, room: str) -> None:
    """The acknowledgement's words and the later post both reach the handle."""
    cited = slack.slash("/cite", "leave", room, slack.alice)
    posts = cited.wait_for_posts()
    assert (posts[0].text, posts[0].response_type) == ("Found it", "ephemeral")
    assert cited.wait_for_ack() < 3_000
    assert cited.response == {"text": "Looking up leave"}


def test_a_press_opens_a_form_that_is_submitted(slack: SlackServer, bot: Bot, room: str) -> None:
    """Button, modal and submission carry values, places and what was filled in."""
    ts = slack.say(room, slack.alice, slack.mention("hello"))
    answer = slack.wait_for_messages(room, ts)[0]
    bot.next_event(room)  # the message itself
    slack.action(room, answer.ts, slack.alice, "sources").wait_for_ack()
    pressed = bot.next_event(room)
    assert pressed["actions"][0]["value"] == "answer-7"
    assert (pressed["container"]["thread_ts"], pressed["channel"]["id"]) == (ts, room)
    submitted = slack.submit(slack.wait_for_view(slack.alice), {"words": "outdated"})
    values = bot.next_event(None)["view"]["state"]["values"]
    assert values == {"reason": {"words": {"type": "plain_text_input", "value": "outdated"}}}
    submitted.wait_for_ack()
    assert submitted.response == {"response_action": "clear"}


def test_feedback_is_one_of_two(slack: SlackServer, bot: Bot, room: str) -> None:
    """The chosen side travels; what is not shown cannot be pressed."""
    ts = slack.say(room, slack.alice, slack.mention("hello"))
    answer = slack.wait_for_messages(room, ts)[0]
    bot.next_event(room)
    slack.action(room, answer.ts, slack.bob, "feedback", "down").wait_for_ack()
    assert bot.next_event(room)["actions"][0]["value"] == "down"
    with pytest.raises(NotSeenError, match="'sources', 'feedback'"):
        slack.action(room, answer.ts, slack.bob, "delete-everything")


def test_a_message_shortcut_brings_the_message(slack: SlackServer, bot: Bot, room: str) -> None:
    """The shortcut works on any message, in threads too."""
    ts = slack.say(room, slack.alice, "old answer")
    bot.next_event(room)
    slack.shortcut("cite_this", slack.bob, room, ts).wait_for_ack()
    assert bot.next_event(room)["message"]["text"] == "old answer"
    assert slack.wait_for_view(slack.bob).type == "modal"


def test_a_duplicate_has_the_same_event_id(slack: SlackServer, bot: Bot, room: str) -> None:
    """Bolt sees the repetition with its retry number, under the id of the first."""
    slack.duplicate_next_event(2)
    slack.say(room, slack.alice, "once")
    bodies = [bot.next_event(room) for _ in range(3)]
    assert len({body["event_id"] for body in bodies}) == 1
    assert {str(body["retry"]) for body in bodies} == {"['0']", "['1']", "['2']"}


def test_a_cut_app_connects_anew(slack: SlackServer, bot: Bot, room: str) -> None:
    """Cut off without a word, Bolt opens another connection and goes on."""
    opened = slack.socket_mode.opened
    slack.cut_connections()
    wait_until(lambda: slack.socket_mode.opened > opened)
    slack.wait_for_connection()
    ts = slack.say(room, slack.alice, "still there?")
    assert bot.next_event(room)["event"]["ts"] == ts


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- deliveries, watched from a bare socket --------------------------------------------------


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
        with slack.held(copies=2, shuffle=random.Random(7)):  # noqa: S311
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
            slack.say(slack.general, slack.alice, "2")
            assert frame(new)["payload"]["event"]["text"] == "2"


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
