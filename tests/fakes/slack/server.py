"""A Slack of one's own: what the real bot process talks to in acceptance tests."""

import random
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

from tests.fakes.faults import Fault
from tests.fakes.local_http import LocalServer

from . import envelopes
from .api_oauth import AUTHORIZE_PATH
from .delivery import ACK_DEADLINE, RETRY_DELAYS, Alarms, Courier, Delivery, Kind
from .people import WAIT
from .records import Call, Channel, Json, Message, NotSeenError
from .signed_http import EVENTS_PATH, Forgery, HttpAnswer, SignedHttp
from .socket_mode import Goodbye, SocketMode
from .team import Team
from .web import RateLimit, WebApi
from .workspace import Workspace
from .world import World

LEAVING = ("app_uninstalled", "tokens_revoked")  # told to an app that is not there any more
STREAM_LIFETIME = 300.0  # seconds; reported by people whose longer streams died

FILE_PROCESSING = 0.2  # seconds; Slack's takes up to some seconds

# The tiers that docs.slack.dev gives: pass these, or stricter ones, as `rate_limits`.
TIER_2, TIER_3, TIER_4 = (RateLimit(calls, 60.0) for calls in (20, 50, 100))
SLACK_RATE_LIMITS = {
    "assistant.threads.setStatus": RateLimit(600, 60.0),
    "chat.appendStream": TIER_4,
    "chat.delete": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": RateLimit(1, 1.0, per_channel=True),
    "chat.startStream": TIER_2,
    "chat.stopStream": TIER_2,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.getUploadURLExternal": TIER_4,
    "files.info": TIER_4,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}


class SlackServer(Team):
    """A local Slack: Web API over HTTP, Socket Mode over a WebSocket, one app, one workspace.

    It starts with a public channel (`general`), and `alice` and `bob` in it with the bot.

    `ack_deadline` and `retry_delays` (seconds) are Slack's own unless a test is in a hurry.
    `events` are the subscriptions of the app's manifest (`app_mention`, `message.im`, …), None
    for all. `scopes` are what the app was granted, None to check none. `rate_limits` are kept
    only for the methods named. `file_processing` is how long (seconds) an uploaded file is known
    but of no known type, and no block may show it.

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
        file_processing: float = FILE_PROCESSING,
        http_app: str | None = None,
        signing_secret: str | None = None,
    ) -> None:
        self.world = World()
        self._scopes, self._stream_lifetime = scopes, stream_lifetime
        self._file_processing = file_processing
        workspace = self._new_workspace("acme")
        self.world.heard = self._heard
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self._ack_deadline = ack_deadline
        self._alarms = Alarms()
        self.socket_mode = SocketMode(workspace, self._alarms, ack_deadline)
        courier = Courier(self.socket_mode, self._alarms, retry_delays)
        self._signed_http: SignedHttp | None = None
        self._web = WebApi(self.world, rate_limits or {})
        self._web.methods["apps.connections.open"] = self.socket_mode.open_connection
        self._http = LocalServer(self._web.route)
        self._web.closing = self._http.closing
        self.world.origin = self._http.origin
        self._events = None if events is None else frozenset(events)
        self._repeats: list[int] = []
        self._held: list[Json] | None = None
        self._running = ExitStack()
        super().__init__(workspace, courier)
        self.teams: dict[str, Team] = {self.team_id: self}
        if http_app is not None:
            self.deliver_over_http(http_app)

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
        return f"{self.world.origin}/api/"

    @property
    def app_token(self) -> str:
        """The token that opens Socket Mode."""
        return self.world.app_token

    @property
    def client_id(self) -> str:
        """The app's client id, for OAuth."""
        return self.world.client_id

    @property
    def client_secret(self) -> str:
        """The app's client secret, for OAuth."""
        return self.world.client_secret

    @property
    def authorize_url(self) -> str:
        """The page that starts an installation; here it sends the browser straight back."""
        return self.world.origin + AUTHORIZE_PATH

    # -- workspaces ----------------------------------------------------------------------

    def add_workspace(self, name: str, *, installed: bool = True) -> Team:
        """Make another workspace: people, places, ids and a bot's token of its own.

        `installed=False` leaves the app out until somebody installs it by OAuth. What happens
        in it comes to the app over the same connections.
        """
        workspace = self._new_workspace(name)
        workspace.installed = installed
        team = Team(workspace, self.courier)
        self.teams[team.team_id] = team
        return team

    def _new_workspace(self, name: str) -> Workspace:
        workspace = Workspace(self.world, name, self._scopes, self._stream_lifetime)
        workspace.file_processing = self._file_processing
        return workspace

    # -- what went out to the app --------------------------------------------------------

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything sent to the app so far, with its attempts and acknowledgements."""
        return [*self.courier.deliveries]

    def ack_times(self) -> list[float]:
        """Milliseconds to the acknowledgement of everything that was acknowledged."""
        return [d.ack_ms for d in self.deliveries if d.ack_ms is not None]

    def _heard(self, w: Workspace, event: Json, place: Channel | None) -> None:
        if not self._wanted(w, event, place):
            return
        body = envelopes.event_callback(w, event, place)
        if self._held is None:
            repeats = self._repeats.pop(0) if self._repeats else 0
            self.courier.deliver("events_api", body, repeats)
        else:
            self._held.append(body)

    def _wanted(self, w: Workspace, event: Json, place: Channel | None) -> bool:
        if not w.installed and event["type"] not in LEAVING:
            return False
        if place is not None and w.bot_user not in place.members:
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
        for workspace in self.world.workspaces.values():
            for trigger in workspace.triggers.values():
                trigger.expired = True

    def wait_for_connection(self, count: int = 1, timeout: float = WAIT) -> None:
        """Wait until the app holds at least `count` connections; raises `NotSeenError`."""
        self._wait(lambda: len(self.socket_mode.links) >= count, timeout, "no connection")

    def end_connections(self, reason: Goodbye = "refresh_requested") -> None:
        """Ask the app to connect anew, as Slack does now and then."""
        self.socket_mode.say_goodbye(reason)

    def cut_connections(self) -> None:
        """Break the app's WebSockets without a word."""
        self.socket_mode.cut_all()

    def cut_on_delivery(self, times: int = 1, *, lost: bool = False) -> None:
        """Break the WebSocket under the next `times` sendings, without a word.

        The payload still arrives, but its acknowledgement cannot; where `lost` it does not
        arrive either. Slack sends it again after the deadline, over another connection.
        """
        self.socket_mode.cut_next(times, lost=lost)

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
        """The calls of a method, or of all, from whatever workspace, in the order they came."""
        with self.world.changed:
            return [c for c in self.world.calls if method in (None, c.method)]

    def _called(self, method: str) -> int:
        return self.world.called(method, None)

    def fail(self, method: str, kind: str, times: int = 1, seconds: float = 1.0) -> None:
        """Let the next calls of a method go wrong.

        `kind`: "429" (with `seconds` as Retry-After), "500", "hang" (done at once, answered
        after `seconds`), "drop" (not done, no answer), "lose_reply" (done, no answer), or an
        error code of Slack such as "fatal_error" (not done). Besides methods there are
        "response_url", "file" (a download) and "upload", which know "500", "hang" (before) and
        "drop", and "sign_in" (the page that a file's place is taken by) and "429".
        """
        self._web.faults.add(method, Fault(kind, seconds), times)

    @property
    def downloads(self) -> list[tuple[str, str | None]]:
        """The files that were downloaded, by id, with the token each time."""
        return [*self.world.downloads]
