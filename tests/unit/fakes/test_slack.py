"""The local Slack as a whole: people act, and Slack's own Bolt app answers."""

import json
import logging
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from slack_bolt import Ack, App, BoltContext, BoltRequest, Respond, Say
from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_sdk import WebClient

from tests.fakes.slack import NotSeenError, SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import wait_until

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
    "submit": {"type": "plain_text", "text": "Send"},
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
        ack(**json.loads(body["view"]["private_metadata"] or '{"response_action": "clear"}'))
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


@pytest.mark.parametrize(
    ("response", "shown", "problem"),
    [
        ({"response_action": "update", "view": FORM | {"callback_id": "thanks"}}, 1, None),
        ({"response_action": "push", "view": FORM | {"callback_id": "more"}}, 2, None),
        ({"response_action": "update", "view": FORM | {"title": {}}}, 1, "invalid_arguments"),
        ({"response_action": "errors", "errors": {"reason": "Say more"}}, 1, None),
        ({"response_action": "errors", "errors": {"words": "x"}}, 1, "no input block: words"),
        ({"response_action": "shut"}, 1, "no such response_action: shut"),
    ],
)
def test_a_submission_is_answered_by_a_modal(
    slack: SlackServer, response: Json, shown: int, problem: str | None
) -> None:
    """An update replaces it, a push lies on it, and what Slack would refuse is told."""
    person, form = slack.add_user("pat").id, FORM | {"private_metadata": json.dumps(response)}
    client = WebClient(slack.bot_token, base_url=slack.url)
    client.views_open(trigger_id=slack.workspace.new_trigger(person), view=form)
    submitted = slack.submit(slack.wait_for_view(person), {"words": "outdated"})
    submitted.wait_for_ack()
    assert submitted.response == response
    assert submitted.problems[:1] == ([problem] if problem else [])
    views = slack.views(person)
    wanted = response.get("view", form) if problem is None else form
    assert (len(views), views[-1].body["callback_id"]) == (shown, wanted["callback_id"])


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
