"""One workspace of the local Slack, as tests see and furnish it."""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .api_oauth import authorize
from .delivery import Courier
from .people import WAIT, People
from .records import Call, Channel, ChannelKind, Json, Message, NotSeenError, User, UserGroup, View
from .workspace import Workspace

POSTS = ("chat.postMessage", "chat.startStream")  # what puts a message into a place


class Team(People):
    """A workspace with the app in it: its people, its places, and what stands there.

    It starts with a public channel (`general`), and `alice` and `bob` in it with the bot, if the
    app is installed.
    """

    def __init__(self, workspace: Workspace, courier: Courier) -> None:
        self.workspace = workspace
        self.courier = courier
        self.alice = self.add_user("alice").id
        self.bob = self.add_user("bob").id
        people = [self.alice, self.bob]
        self.general = self.add_channel("general", people, with_bot=workspace.installed).id

    @property
    def team_id(self) -> str:
        """The workspace's id."""
        return self.workspace.team_id

    @property
    def bot_token(self) -> str:
        """The token that the Web API takes."""
        return self.workspace.bot_token

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

    def share_channel(self, channel: str, other: "Team", *users: str) -> None:
        """Share a channel with another workspace (Slack Connect), whose `users` come into it.

        From then on it is the same place in both: `other.say(channel, …)` speaks in it.
        """
        self.workspace.share(channel, other.workspace)
        other.join(channel, *users)

    # -- the app's installation ------------------------------------------------------------

    def authorize_url_to_code(
        self, url: str, user: str | None = None, *, allow: bool = True
    ) -> str:
        """Return where the browser goes after a person allowed, or refused, to install the app.

        `url` is the page (`…/oauth/v2/authorize?client_id=…`) that the app sent them to.
        Raises `NotSeenError` where Slack would show an error instead of that page.
        """
        return authorize(self.workspace, url, user or self.alice, allow=allow)

    def uninstall(self) -> None:
        """Throw the app out: its token ends; `tokens_revoked` and `app_uninstalled` come."""
        self.workspace.uninstall()

    def revoke_token(self) -> None:
        """End the bot's token: `tokens_revoked` comes alone."""
        self.workspace.revoke("token_revoked")

    def send_event(self, event: Json, channel: str | None = None) -> None:
        """Send any other event, whose JSON the test writes itself."""
        place = None if channel is None else self.workspace.channels[channel]
        self.workspace.emit({"event_ts": self.workspace.next_ts(), **event}, place)

    # -- what the app did ----------------------------------------------------------------

    def calls(self, method: str | None = None) -> list[Call]:
        """The calls of a method, or of all, with this workspace's token, in order."""
        with self.workspace.changed:
            mine = [c for c in self.workspace.calls if c.team_id == self.team_id]
            return [c for c in mine if method in (None, c.method)]

    def _called(self, method: str) -> int:
        return self.workspace.world.called(method, self.team_id)

    def post_times(self, channel: str) -> list[float]:
        """When each post of the bot to a place came that was not refused (`time.monotonic()`)."""
        posts = [call for call in self.calls() if call.method in POSTS and not call.error]
        return [call.at for call in posts if call.answer.get("channel") == channel]

    def busiest(self, channel: str, seconds: float = 1.0) -> int:
        """The most posts of the bot to a place in any span of so many seconds."""
        times = sorted(self.post_times(channel))
        ends = (bisect_left(times, start + seconds) for start in times)
        return max((end - i for i, end in enumerate(ends)), default=0)

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
        self._wait(lambda: self.reply_count(channel, thread_ts) >= count, timeout, what)
        return self.replies(channel, thread_ts)

    def reply_count(self, channel: str | None = None, thread_ts: str | None = None) -> int:
        """How many finished messages of the bot all may see in a place, a thread, or in all.

        It is kept as messages come: asking is cheap however many there are.
        """
        return self.workspace.finished(channel, thread_ts)

    def wait_for_reply_count(self, count: int, timeout: float = WAIT) -> None:
        """Wait until the bot has `count` finished messages in all; raises `NotSeenError`."""
        what = f"{count} messages of the bot"
        self._wait(lambda: self.reply_count() >= count, timeout, what)

    def wait_for_ephemerals(
        self, channel: str, user: str, count: int = 1, timeout: float = WAIT
    ) -> list[Message]:
        """Wait until a person sees `count` messages of their own; raises `NotSeenError`."""
        what = f"{count} messages for {user} alone"
        alone = self.workspace.finished
        self._wait(lambda: alone(channel, visible_to=user) >= count, timeout, what)
        return self.ephemerals(channel, user)

    def wait_for_view(self, user: str, kind: str = "modal", timeout: float = WAIT) -> View:
        """Wait for a modal or home tab and return the latest; raises `NotSeenError`."""
        self._wait(lambda: bool(self.views(user, kind)), timeout, f"a {kind} for {user}")
        return self.views(user, kind)[-1]

    def wait_for_calls(self, method: str, count: int = 1, timeout: float = WAIT) -> list[Call]:
        """Wait for calls of a method; raises `NotSeenError`."""
        self._wait(lambda: self._called(method) >= count, timeout, f"{count} x {method}")
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
