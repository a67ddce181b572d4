"""Signed HTTP deliveries of the local Slack, to Slack's own Bolt and to a bare server."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from slack_bolt import Ack, App, BoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk import WebClient

from tests.fakes.local_http import LocalServer, Reply, Request
from tests.fakes.slack import NotSeenError, SlackServer
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import wait_until

SECRET = "s3cret"
QUIET = logging.getLogger("quiet-bolt-http")
QUIET.setLevel(logging.CRITICAL)
OK = Reply(200, b"")


class Bot:
    """A Bolt app behind HTTP; `seen` keeps what its listeners got."""

    def __init__(self, slack: SlackServer) -> None:
        client = WebClient(slack.bot_token, base_url=slack.url)
        self.app = App(
            client=client, signing_secret=SECRET, logger=QUIET, process_before_response=True
        )
        self.seen: list[Json] = []
        self.app.event("app_mention")(self.noted)
        self.app.command("/cite")(self.cited)
        self.app.action("more")(self.pressed)
        self.app.view("why")(self.submitted)

    def noted(self, body: Json) -> None:
        self.seen.append(body)

    def cited(self, ack: Ack, command: Json) -> None:
        ack(f"Looking up {command['text']}")

    def pressed(self, ack: Ack, body: Json) -> None:
        ack()
        self.seen.append(body)

    def submitted(self, ack: Ack) -> None:
        ack(response_action="errors", errors={"reason": "Say more"})

    def route(self, request: Request) -> Reply:
        """Hand a request to Bolt, as its HTTP adapters do."""
        headers: dict[str, Any] = {k.lower(): [v] for k, v in request.headers.items()}
        asked = BoltRequest(body=request.body.decode(), headers=headers)
        answer: BoltResponse = self.app.dispatch(asked)
        kind = answer.first_headers().get("content-type", "text/plain")
        return Reply(answer.status, (answer.body or "").encode(), kind)


@pytest.fixture(scope="module")
def met() -> Iterator[tuple[SlackServer, Bot]]:
    """One server that posts to one Bolt app."""
    with SlackServer() as slack:
        bot = Bot(slack)
        with LocalServer(bot.route) as app:
            slack.deliver_over_http(app.origin, SECRET)
            yield slack, bot


@pytest.fixture
def slack(met: tuple[SlackServer, Bot]) -> SlackServer:
    return met[0]


@pytest.fixture
def bot(met: tuple[SlackServer, Bot]) -> Bot:
    return met[1]


@contextmanager
def posting(route: Callable[[Request], Reply], **options: Any) -> Iterator[SlackServer]:
    """A server that posts to a bare route and is in a hurry."""
    given: dict[str, Any] = {"ack_deadline": 0.3, "retry_delays": (0.0, 0.05, 0.05)} | options
    with (
        LocalServer(route) as app,
        SlackServer(http_app=app.origin, signing_secret=SECRET, **given) as slack,
    ):
        yield slack


BUTTON = {
    "type": "actions",
    "elements": [
        {"type": "button", "action_id": "more", "text": {"type": "plain_text", "text": "More"}}
    ],
}
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


def test_bolt_takes_an_event(slack: SlackServer, bot: Bot) -> None:
    """A mention arrives as signed JSON, and Bolt's 200 acknowledges it."""
    ts = slack.say(slack.general, slack.alice, slack.mention("hello"))
    assert slack.deliveries[-2].wait_for_ack() < 3_000
    assert [body["event"]["ts"] for body in bot.seen][-1] == ts
    assert slack.deliveries[-2].attempts[0].status == 200


def test_bolt_answers_a_command_and_a_form(slack: SlackServer, bot: Bot) -> None:
    """Commands and submissions come as forms; the body of the answer is the response."""
    cited = slack.slash("/cite", "leave & pay", slack.general, slack.alice)
    cited.wait_for_ack()
    assert cited.response == {"text": "Looking up leave & pay"}
    client = WebClient(slack.bot_token, base_url=slack.url)
    ts = client.chat_postMessage(channel=slack.general, text="hi", blocks=[BUTTON])["ts"]
    pressed = slack.action(slack.general, ts, slack.alice, "more")
    pressed.wait_for_ack()
    assert (pressed.response, bot.seen[-1]["actions"][0]["action_id"]) == (None, "more")
    client.views_open(trigger_id=bot.seen[-1]["trigger_id"], view=FORM)
    submitted = slack.submit(slack.wait_for_view(slack.alice), {"words": "no"})
    submitted.wait_for_ack()
    refused = {"response_action": "errors", "errors": {"reason": "Say more"}}
    assert submitted.response == refused


@pytest.mark.parametrize("kind", ["events_api", "slash_commands", "interactive"])
@pytest.mark.parametrize("how", ["unsigned", "altered", "stale", "future", "wrong_secret"])
def test_bolt_refuses_forged_requests(slack: SlackServer, bot: Bot, how: Any, kind: Any) -> None:
    """Each is answered 401 and reaches no listener; the same request, honest, gets through."""
    sent, heard = len(slack.deliveries), len(bot.seen)
    payloads: dict[str, Json | None] = {
        "events_api": None,
        "slash_commands": {"command": "/cite", "text": "x"},
        "interactive": {"type": "block_actions", "actions": [{"action_id": "more"}]},
    }
    assert slack.forge(how, payloads[kind], kind).status == 401
    assert (len(slack.deliveries), len(bot.seen)) == (sent, heard)
    assert slack.forge("honest", payloads[kind], kind).status == 200


def test_bolt_proves_its_address(slack: SlackServer) -> None:
    """The challenge comes back; a server that only says yes does not pass."""
    slack.verify_url()
    with posting(lambda _: OK) as other, pytest.raises(NotSeenError, match="not verified: 200"):
        other.verify_url()


def test_a_refused_event_comes_again_with_its_number() -> None:
    """An answer that is no 200 is tried again, and the header says which try and why."""
    got: list[Request] = []

    def route(request: Request) -> Reply:
        got.append(request)
        return Reply(500) if len(got) < 3 else OK

    with posting(route) as slack:
        slack.say(slack.general, slack.alice, "hello")
        slack.deliveries[0].wait_for_ack()
        statuses = [a.status for a in slack.deliveries[0].attempts]
    numbers = [r.headers["x-slack-retry-num"] for r in got]
    reasons = [r.headers["x-slack-retry-reason"] for r in got]
    assert (numbers, reasons) == ([None, "1", "2"], [None, "http_error", "http_error"])
    assert statuses == [500, 500, 200]
    assert len({r.json()["event_id"] for r in got}) == 1
    assert {(r.method, r.path, r.content_type) for r in got} == {
        ("POST", "/slack/events", "application/json")
    }


def test_a_slow_app_hears_the_event_again() -> None:
    """An answer after the deadline is none; the retry says so."""
    got: list[Request] = []

    def route(request: Request) -> Reply:
        got.append(request)
        if len(got) == 1:
            time.sleep(0.4)
        return OK

    with posting(route) as slack:
        slack.say(slack.general, slack.alice, "hello")
        slack.deliveries[0].wait_for_ack()
    assert [r.headers["x-slack-retry-reason"] for r in got] == [None, "http_timeout"]


def test_an_app_may_ask_for_no_retry() -> None:
    """X-Slack-No-Retry ends the matter; a command is never tried twice."""
    got: list[Request] = []

    def route(request: Request) -> Reply:
        got.append(request)
        return Reply(500, headers={"X-Slack-No-Retry": "1"})

    with posting(route) as slack:
        slack.say(slack.general, slack.alice, "hello")
        wait_until(lambda: slack.deliveries[0].gave_up)
        cited = slack.slash("/cite", "", slack.general, slack.alice)
        wait_until(lambda: cited.delivery.gave_up)
    assert len(got) == 2


def test_nobody_at_the_address_is_a_failed_connection() -> None:
    """An app that starts late gets the event by a retry that says why."""
    got: list[Request] = []
    with LocalServer(lambda _: OK) as gone:
        pass

    def route(request: Request) -> Reply:
        got.append(request)
        return OK

    hurried: dict[str, Any] = {"ack_deadline": 0.3, "retry_delays": (0.0, 0.3)}
    with SlackServer(http_app=gone.origin, signing_secret=SECRET, **hurried) as slack:
        slack.say(slack.general, slack.alice, "anybody?")
        wait_until(lambda: len(slack.deliveries[0].attempts) == 2)
        with LocalServer(route) as app:
            slack.deliver_over_http(app.origin)
            slack.deliveries[0].wait_for_ack()
    assert [r.headers["x-slack-retry-reason"] for r in got] == ["connection_failed"]


def test_repetitions_come_over_http_too() -> None:
    """An event whose acknowledgement got lost is posted again under the same id."""
    got: list[Request] = []

    def route(request: Request) -> Reply:
        got.append(request)
        return OK

    with posting(route) as slack:
        slack.duplicate_next_event(2)
        slack.say(slack.general, slack.alice, "once")
        wait_until(lambda: len(got) == 3)
    assert len({r.json()["event_id"] for r in got}) == 1
    assert sorted(str(r.headers["x-slack-retry-num"]) for r in got) == ["1", "2", "None"]
