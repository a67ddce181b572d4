"""A Slack of one's own: what the real bot process talks to in acceptance tests."""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Self

from tests.fakes.faults import Fault
from tests.fakes.local_http import LocalServer

from . import envelopes
from .delivery import ACK_DEADLINE, RETRY_DELAYS, Alarms, Courier, Delivery, Kind
from .people import WAIT, People
from .records import Call, Channel, ChannelKind, Json, Message, NotSeenError, User, UserGroup, View
from .signed_http import EVENTS_PATH, Forgery, HttpAnswer, SignedHttp
from .socket_mode import Goodbye, SocketMode
from .web import RateLimit, WebApi
from .workspace import Workspace

STREAM_LIFETIME = 300.0  # seconds; reported by people whose longer streams died

# The tiers that docs.slack.dev gives: pass these, or stricter ones, as `rate_limits`.
SLACK_RATE_LIMITS = {
    "chat.postMessage": RateLimit(1, 1.0, per_channel=True),
    "chat.update": RateLimit(50, 60.0),
    "chat.startStream": RateLimit(20, 60.0),
    "chat.appendStream": RateLimit(100, 60.0),
    "chat.stopStream": RateLimit(20, 60.0),
    "views.publish": RateLimit(100, 60.0),
    "conversations.replies": RateLimit(50, 60.0),
}


class SlackServer(People):
    """A local Slack: Web API over HTTP, Socket Mode over a WebSocket, one workspace, one app.

    It starts with a public channel (`general`), and `alice` and `bob` in it with the bot.

    `ack_deadline` and `retry_delays` (seconds) are Slack's own unless a test is in a hurry.
    `events` are the subscriptions of the app's manifest (`app_mention`, `message.im`, …), None
    for all. `scopes` are what the app was granted, None to check none. `rate_limits` are kept
    only for the methods named.

    Without `http_app` events go out by Socket Mode; with it they are posted to that address
    (`http://127.0.0.1:3000`), signed with `signing_secret` (made up where none is given).
    """

    def __init__(
        self,
        *,
        ack_deadline: float = ACK_DEADLINE,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        events: Iterable[str] | None = None,
        scopes: Iterable[str] | None = None,
        rate_limits: Mapping[str, RateLimit] | None = None,
        stream_lifetime: float = STREAM_LIFETIME,
        http_app: str | None = None,
        signing_secret: str | None = None,
    ) -> None:
        self.workspace = Workspace(scopes, stream_lifetime)
        self.workspace.emit = self._emit
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self._ack_deadline = ack_deadline
        self._alarms = Alarms()
        self.socket_mode = SocketMode(self.workspace, self._alarms, ack_deadline)
        self.courier = Courier(self.socket_mode, self._alarms, retry_delays)
        self._signed_http: SignedHttp | None = None
        self._web = WebApi(self.workspace, rate_limits or {})
        self._web.methods["apps.connections.open"] = self.socket_mode.open_connection
        self._http = LocalServer(self._web.route)
        self._web.closing = self._http.closing
        self.workspace.origin = self._http.origin
        self._events = None if events is None else frozenset(events)
        self._repeats: list[int] = []
        self._held: list[Json] | None = None
        self._running = ExitStack()
        if http_app is not None:
            self.deliver_over_http(http_app)
        self.alice = self.add_user("alice").id
        self.bob = self.add_user("bob").id
        self.general = self.add_channel("general", [self.alice, self.bob]).id

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.deliver_over_socket)
            self._alarms.start()
            stack.callback(self._alarms.stop)
            self.socket_mode.start()
            stack.callback(self.socket_mode.stop)
            stack.enter_context(self._http)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._running.close()

    # -- what the app is told about ------------------------------------------------------

    @property
    def url(self) -> str:
        """The base address of the Web API, for `SLACK_API_URL`."""
        return f"{self.workspace.origin}/api/"

    @property
    def bot_token(self) -> str:
        """The token that the Web API takes."""
        return self.workspace.bot_token

    @property
    def app_token(self) -> str:
        """The token that opens Socket Mode."""
        return self.workspace.app_token

    @property
    def bot_user(self) -> str:
        """The bot's user id."""
        return self.workspace.bot_user

    def mention(self, text: str) -> str:
        """Return the text with a mention of the bot before it."""
        return f"<@{self.bot_user}> {text}"

    # -- the workspace -------------------------------------------------------------------

    def add_user(self, name: str, **details: Any) -> User:
        """Let a person be known; `details` are fields of `User`, such as `is_restricted`."""
        w = self.workspace
        details = {"email": f"{name}@acme.example", "team_id": w.team_id} | details
        return w.add_user(User(w.new_id("U"), name, **details))

    def add_channel(
        self,
        name: str,
        members: Iterable[str] = (),
        kind: ChannelKind = "channel",
        *,
        with_bot: bool = True,
        **details: Any,
    ) -> Channel:
        """Open a channel with these people in it, and the bot."""
        w = self.workspace
        people = frozenset([*members, *([w.bot_user] if with_bot else [])])
        channel_id = w.new_id("C" if kind == "channel" else "G")
        return w.add_channel(Channel(channel_id, name, kind, people, **details))

    def join(self, channel: str, *users: str) -> None:
        """Let people into a channel."""
        place = self.workspace.channels[channel]
        self.workspace.add_channel(replace(place, members=place.members.union(users)))

    def leave(self, channel: str, *users: str) -> None:
        """Take people out of a channel."""
        place = self.workspace.channels[channel]
        self.workspace.add_channel(replace(place, members=place.members.difference(users)))

    def add_group(self, handle: str, users: Iterable[str]) -> UserGroup:
        """Make a user group."""
        group = UserGroup(self.workspace.new_id("S"), handle, tuple(users))
        self.workspace.groups[group.id] = group
        return group

    def dm(self, user: str) -> str:
        """Return the channel id of a person's direct messages with the bot."""
        return self.workspace.direct_channel([user]).id

    # -- what went out to the app --------------------------------------------------------

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything sent to the app so far, with its attempts and acknowledgements."""
        return [*self.courier.deliveries]

    def ack_times(self) -> list[float]:
        """Milliseconds to the acknowledgement of everything that was acknowledged."""
        return [d.ack_ms for d in self.deliveries if d.ack_ms is not None]

    def _emit(self, event: Json, place: Channel | None) -> None:
        if not self._wanted(event, place):
            return
        body = envelopes.event_callback(self.workspace, event, place)
        if self._held is None:
            repeats = self._repeats.pop(0) if self._repeats else 0
            self.courier.deliver("events_api", body, repeats)
        else:
            self._held.append(body)

    def _wanted(self, event: Json, place: Channel | None) -> bool:
        if place is not None and self.bot_user not in place.members:
            return False
        name = place.event_name if place and event["type"] == "message" else event["type"]
        return self._events is None or name in self._events

    def duplicate_next_event(self, times: int = 1) -> None:
        """Send the next event `times` times more, as when its acknowledgement got lost.

        A mention is two events: this repeats the first, the `app_mention`.
        """
        self._repeats.append(times)

    @contextmanager
    def held(self, copies: int = 1, shuffle: random.Random | None = None) -> Iterator[None]:
        """Keep back the events of this block and send them at its end, each `copies` times."""
        bodies: list[Json] = []
        self._held = bodies
        try:
            yield
        finally:
            self._held = None
        bodies = bodies * copies
        if shuffle is not None:
            shuffle.shuffle(bodies)
        for body in bodies:
            self.courier.deliver("events_api", body)

    def end_streams(self, channel: str | None = None) -> int:
        """Let the streams that run now die, as after 300 s, and return how many did.

        Their messages stay as they are; the next append or stop is answered with
        `message_not_in_streaming_state`.
        """
        return self.workspace.end_streams(channel)

    def expire_triggers(self) -> None:
        """Let every trigger_id so far be too old, as three seconds after a press."""
        for trigger in self.workspace.triggers.values():
            trigger.expired = True

    def send_event(self, event: Json, channel: str | None = None) -> None:
        """Send any other event, whose JSON the test writes itself."""
        place = None if channel is None else self.workspace.channels[channel]
        self._emit({"event_ts": self.workspace.next_ts(), **event}, place)

    def wait_for_connection(self, count: int = 1, timeout: float = WAIT) -> None:
        """Wait until the app holds at least `count` connections; raises `NotSeenError`."""
        self._wait(lambda: len(self.socket_mode.links) >= count, timeout, "no connection")

    def end_connections(self, reason: Goodbye = "refresh_requested") -> None:
        """Ask the app to connect anew, as Slack does now and then."""
        self.socket_mode.say_goodbye(reason)

    def cut_connections(self) -> None:
        """Break the app's WebSockets without a word."""
        self.socket_mode.cut_all()

    # -- signed HTTP ---------------------------------------------------------------------

    def deliver_over_http(
        self, base_url: str, signing_secret: str | None = None, path: str = EVENTS_PATH
    ) -> None:
        """Post what happens from now on to `base_url` + `path`, signed, instead of Socket Mode.

        Events come as JSON, commands and interactions as forms; the answer with status 200 is
        the acknowledgement, and its body what a command or modal is answered with.
        """
        self.deliver_over_socket()
        self.signing_secret = signing_secret or self.signing_secret
        self._signed_http = SignedHttp(base_url, self.signing_secret, self._ack_deadline, path)
        self.courier.transport = self._signed_http

    def deliver_over_socket(self) -> None:
        """Send what happens from now on by Socket Mode."""
        self.courier.transport = self.socket_mode
        if self._signed_http is not None:
            self._signed_http.stop()
            self._signed_http = None

    def forge(
        self, how: Forgery, payload: Json | None = None, kind: Kind = "events_api"
    ) -> HttpAnswer:
        """Post one request as an impostor would and return the answer; nothing is recorded.

        `how`: "unsigned", "altered" after it was signed, "stale" (six minutes old), "future",
        "wrong_secret", or "honest". Without a `payload` alice mentions the bot in `general`.
        Raises `OSError` where nobody answers.
        """
        assert self._signed_http is not None, "call deliver_over_http first"
        return self._signed_http.forge(kind, payload or self._mention(), how)

    def _mention(self) -> Json:
        w = self.workspace
        said = Message(self.general, w.next_ts(), self.alice, self.mention("are you there?"))
        event = envelopes.mention_event(w, said)
        return envelopes.event_callback(w, event, w.channels[self.general])

    def verify_url(self) -> None:
        """Ask the app to prove that its address is its own; raises `NotSeenError` if it fails."""
        challenge = secrets.token_hex(16)
        body = {"type": "url_verification", "challenge": challenge}
        answer = self.forge("honest", body | {"token": envelopes.VERIFICATION_TOKEN})
        said = answer.body.decode(errors="replace")
        if not answer.accepted or challenge not in said:
            raise NotSeenError(f"not verified: {answer.status} {said}")

    # -- what came in from the app -------------------------------------------------------

    def calls(self, method: str | None = None) -> list[Call]:
        """The calls of a method, or of all, in the order they came."""
        with self.workspace.changed:
            return [c for c in self.workspace.calls if method in (None, c.method)]

    def fail(self, method: str, kind: str, times: int = 1, seconds: float = 1.0) -> None:
        """Let the next calls of a method go wrong.

        `kind`: "429" (with `seconds` as Retry-After), "500", "hang" (done at once, answered
        after `seconds`), "drop" (not done, no answer), "lose_reply" (done, no answer), or an
        error code of Slack such as "fatal_error" (not done). Besides methods there are
        "response_url" and "file" (a download), which know "500", "hang" (before) and "drop",
        and "sign_in" (the page that a file's place is taken by) and "429".
        """
        self._web.faults.add(method, Fault(kind, seconds), times)

    @property
    def downloads(self) -> list[tuple[str, str | None]]:
        """The files that were downloaded, by id, with the token each time."""
        return [*self.workspace.downloads]

    def messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """What all may see in a place, oldest first, threads included; or in one thread."""
        return self.workspace.history(channel, thread_ts)

    def replies(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """The bot's finished messages among these."""
        return [m for m in self.messages(channel, thread_ts) if m.by_app and m.finished]

    def ephemerals(self, channel: str, user: str) -> list[Message]:
        """What only this person sees in a place."""
        return [m for m in self.workspace.everything(channel) if m.visible_to == user]

    def status(self, channel: str, thread_ts: str) -> str | None:
        """The status that shows in a thread now."""
        return self.workspace.statuses.get((channel, thread_ts))

    def views(self, user: str, kind: str = "modal") -> list[View]:
        """The modals that were opened for a person, or the "home" tab."""
        known = self.workspace.views.values()
        return [view for view in known if view.user == user and view.type == kind]

    def wait_for_messages(
        self,
        channel: str,
        thread_ts: str | None = None,
        count: int = 1,
        timeout: float = WAIT,
    ) -> list[Message]:
        """Wait until the bot has `count` finished messages there and return all it has.

        Raises `NotSeenError` with what stands there instead.
        """
        what = f"{count} messages of the bot in {channel}"
        self._wait(lambda: len(self.replies(channel, thread_ts)) >= count, timeout, what)
        return self.replies(channel, thread_ts)

    def wait_for_ephemerals(
        self, channel: str, user: str, count: int = 1, timeout: float = WAIT
    ) -> list[Message]:
        """Wait until a person sees `count` messages of their own; raises `NotSeenError`."""
        what = f"{count} messages for {user} alone"
        self._wait(lambda: len(self.ephemerals(channel, user)) >= count, timeout, what)
        return self.ephemerals(channel, user)

    def wait_for_view(self, user: str, kind: str = "modal", timeout: float = WAIT) -> View:
        """Wait for a modal or home tab and return the latest; raises `NotSeenError`."""
        self._wait(lambda: bool(self.views(user, kind)), timeout, f"a {kind} for {user}")
        return self.views(user, kind)[-1]

    def wait_for_calls(self, method: str, count: int = 1, timeout: float = WAIT) -> list[Call]:
        """Wait for calls of a method; raises `NotSeenError`."""
        self._wait(lambda: len(self.calls(method)) >= count, timeout, f"{count} x {method}")
        return self.calls(method)

    def _wait(self, seen: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not self._looked(seen):
            if time.monotonic() > end:
                latest = [(call.method, call.error) for call in self.calls()[-8:]]
                raise NotSeenError(f"not seen in {timeout} s: {what}; the latest calls: {latest}")

    def _looked(self, seen: Callable[[], bool]) -> bool:
        """Look once, then pause: a long look, as over thousands of messages, pauses longer."""
        start = time.monotonic()
        if seen():
            return True
        cost = time.monotonic() - start
        with self.workspace.changed:
            self.workspace.changed.wait(0.02)
        time.sleep(2 * cost)
        return False
