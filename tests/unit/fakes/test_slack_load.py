"""The local Slack under load: rates, thousands of messages, several processes, cut sockets."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from slack_sdk import WebClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.fakes.slack import SLACK_RATE_LIMITS, NotSeenError, SlackServer
from tests.fakes.slack.records import Json, Message
from tests.unit.fakes.asking import client_of, code, wait_until


class Process:
    """A process of the app: it acknowledges all it gets, and answers each event once if told."""

    def __init__(self, slack: SlackServer, seen: set[str] | None = None) -> None:
        self._slack = slack
        self._seen = seen
        self.got: list[Json] = []
        self.broke = threading.Event()

    def run(self, socket: ClientConnection) -> None:
        """Take frames until the connection ends."""
        try:
            for frame in socket:
                self._take(socket, json.loads(frame))
        except ConnectionClosed:
            self.broke.set()

    def _take(self, socket: ClientConnection, frame: Json) -> None:
        if frame["type"] != "events_api":
            return
        socket.send(json.dumps({"envelope_id": frame["envelope_id"]}))
        event = frame["payload"]["event"]
        self.got.append(frame)
        if self._seen is not None and event.get("user") == self._slack.alice:
            self._answer(event)

    def _answer(self, event: Json) -> None:
        assert self._seen is not None
        if event["ts"] not in self._seen:
            self._seen.add(event["ts"])
            place: Json = {"channel": event["channel"], "thread_ts": event["ts"]}
            client_of(self._slack).chat_postMessage(text=f"re {event['text']}", **place)


@contextmanager
def processes(
    slack: SlackServer, count: int, seen: set[str] | None = None
) -> Iterator[list[Process]]:
    """So many connected processes."""
    with ExitStack() as stack:
        running = [Process(slack, seen) for _ in range(count)]
        for process in running:
            url = WebClient(base_url=slack.url).apps_connections_open(app_token=slack.app_token)
            socket = stack.enter_context(connect(str(url["url"])))
            thread = threading.Thread(target=process.run, args=(socket,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(socket.close)
        slack.wait_for_connection(count)
        yield running


# -- rates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "calls", "seconds"),
    [
        ("assistant.threads.setStatus", 600, 60),
        ("chat.appendStream", 100, 60),
        ("chat.postMessage", 1, 1),
        ("chat.startStream", 20, 60),
        ("chat.update", 50, 60),
        ("conversations.replies", 50, 60),
        ("views.open", 100, 60),
        ("views.publish", 100, 60),
        ("views.push", 100, 60),
        ("views.update", 100, 60),
    ],
)
def test_the_rates_are_those_of_slack(method: str, calls: int, seconds: int) -> None:
    """What the documentation's tiers say."""
    limit = SLACK_RATE_LIMITS[method]
    assert (limit.calls, limit.seconds) == (calls, seconds)


def test_a_tier_is_spent_and_counted_by_workspace() -> None:
    """The fifty-first change in a minute is refused; another workspace has its own fifty."""
    with SlackServer(rate_limits={"chat.update": SLACK_RATE_LIMITS["chat.update"]}) as slack:
        other, client = slack.add_workspace("globex"), client_of(slack)
        ts = client.chat_postMessage(channel=slack.general, text="a")["ts"]
        for i in range(50):
            client.chat_update(channel=slack.general, ts=ts, text=str(i))
        assert code(client.chat_update, channel=slack.general, ts=ts, text="x") == "ratelimited"
        theirs = client_of(slack, other.bot_token)
        ts = theirs.chat_postMessage(channel=other.general, text="a")["ts"]
        assert theirs.chat_update(channel=other.general, ts=ts, text="b")["ok"]
        assert slack.messages(slack.general)[0].text == "49"


def test_posts_are_timed_by_place(slack: SlackServer, client: WebClient) -> None:
    """A place's posts are counted, streams too, whatever name it was called by; refusals not."""
    place = slack.dm(slack.alice)
    slack.fail("chat.postMessage", "fatal_error")
    assert code(client.chat_postMessage, channel=place, text="no") == "fatal_error"
    first = client.chat_postMessage(channel=slack.alice, text="one")["ts"]
    client.chat_startStream(channel=place, thread_ts=first, markdown_text="two")
    client.chat_postMessage(channel=slack.general, text="elsewhere")
    time.sleep(0.5)
    client.chat_postMessage(channel=place, text="three")
    times = slack.post_times(place)
    assert len(times) == 3
    assert times[2] - times[0] > 0.5
    assert (slack.busiest(place, 0.4), slack.busiest(place, 5), slack.busiest("C0")) == (2, 3, 0)


# -- scale --------------------------------------------------------------------------------------


def test_a_wait_costs_the_same_however_much_stands_there(slack: SlackServer) -> None:
    """Ten thousand looks at five thousand messages take a moment, in a thread or in all."""
    w = slack.workspace
    roots = [w.next_ts() for _ in range(100)]
    for i in range(5_000):
        thread = roots[i % 100]
        w.put(Message(slack.general, w.next_ts(), w.bot_user, str(i), thread, by_app=True))
    start = time.process_time()
    for _ in range(5_000):
        assert slack.reply_count(slack.general, roots[7]) == 50
        assert slack.reply_count() == 5_000
    assert time.process_time() - start < 1.0
    assert len(slack.wait_for_messages(slack.general, count=5_000)) == 5_000
    with pytest.raises(NotSeenError, match="5001 messages"):
        slack.wait_for_reply_count(5_001, timeout=0.01)


def test_the_count_follows_what_becomes_of_messages(slack: SlackServer, client: WebClient) -> None:
    """Streams count when they end, however they end; deletions and private words do not."""
    here: Json = {"channel": slack.general}
    who = {"recipient_user_id": slack.alice, "recipient_team_id": slack.team_id}

    def stream() -> str:
        return str(client.api_call("chat.startStream", params=here | who)["ts"])

    stopped, dead, old = stream(), stream(), stream()
    posted = client.chat_postMessage(text="x", **here)["ts"]
    client.chat_postEphemeral(text="x", user=slack.alice, **here)
    slack.say(slack.general, slack.alice, "x")
    assert (slack.reply_count(), len(slack.replies(slack.general))) == (1, 1)
    client.chat_stopStream(ts=stopped, markdown_text="a", **here)
    assert slack.reply_count() == 2
    time.sleep(0.6)  # past a stream's lifetime
    assert slack.reply_count(slack.general) == len(slack.replies(slack.general)) == 4
    client.chat_update(ts=dead, text="whole", **here)
    client.chat_delete(ts=posted, **here)
    assert slack.reply_count() == len(slack.replies(slack.general)) == 3
    assert slack.reply_count(slack.general, old) == 1
    assert len(slack.wait_for_ephemerals(slack.general, slack.alice)) == 1


# -- several processes --------------------------------------------------------------------------


def test_held_copies_are_spread_over_two_processes() -> None:
    """Forty events four times each, over two processes with one memory: forty answers."""
    seen: set[str] = set()
    with SlackServer(events=["message.channels"]) as slack, processes(slack, 2, seen) as running:
        with slack.held(copies=4, shuffle=random.Random(1)):
            asked = [slack.say(slack.general, slack.alice, str(i)) for i in range(40)]
        slack.wait_for_reply_count(40)
        copies = [d for d in slack.deliveries if d.event["user"] == slack.alice]
        assert all(d.wait_for_ack() >= 0 for d in copies)
        assert len(copies) == 160
        assert [slack.reply_count(slack.general, ts) for ts in asked] == [1] * 40
        shares = [
            sum(f["payload"]["event"]["user"] == slack.alice for f in p.got) for p in running
        ]
    assert min(shares) >= 30
    ids = Counter(d.payload["event_id"] for d in copies)
    assert set(ids.values()) == {4}


@pytest.mark.parametrize("lost", [False, True])
def test_a_socket_breaks_under_a_delivery(lost: bool) -> None:
    """What was on its way comes again over the connection that is left, told as a retry."""
    hurried = SlackServer(ack_deadline=0.2, retry_delays=(0.0, 0.1))
    with hurried as slack, processes(slack, 2) as running:
        slack.cut_on_delivery(lost=lost)
        slack.say(slack.general, slack.alice, "hello")
        slack.say(slack.general, slack.alice, "again")
        assert all(d.wait_for_ack() >= 0 for d in slack.deliveries)
        wait_until(lambda: any(process.broke.is_set() for process in running))
        assert len(slack.socket_mode.links) == 1
        broken, whole = sorted(running, key=lambda process: not process.broke.is_set())
    texts = [frame["payload"]["event"]["text"] for frame in whole.got]
    assert "again" in texts
    if lost:
        assert (broken.got, sorted(texts)) == ([], ["again", "hello"])
