"""One workspace's memory, shared by every server thread: all state, no protocol."""

import base64
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .log import Log
from .records import (
    Call,
    Channel,
    ChannelKind,
    Json,
    Message,
    ResponseUrl,
    SharedFile,
    SlackError,
    Trigger,
    User,
    UserGroup,
    View,
)
from .world import World

DEFAULT_SCOPES = (
    "app_mentions:read,channels:history,channels:read,chat:write,commands,files:read,files:write,"
    "groups:history,groups:read,im:history,im:read,im:write,mpim:history,mpim:read,pins:read,"
    "reactions:read,reactions:write,usergroups:read,users:read,users:read.email,assistant:write"
)


class Workspace:
    """People, places and messages of one team, in which the app is installed or not.

    The first of a world has ids that stay the same from test to test. Every method takes the
    lock by itself.
    """

    def __init__(
        self, world: World, name: str, scopes: Iterable[str] | None, stream_lifetime: float
    ) -> None:
        first = not world.workspaces
        self.world = world
        self.name = name
        self.team_id = "T0ACME0001" if first else world.new_id("T")
        self.bot_user = "U0FOOTNOTE" if first else world.new_id("U")
        self.bot_id = "B0FOOTN001" if first else world.new_id("B")
        self.app_id = world.app_id
        self.app_token = world.app_token
        self.changed = world.changed
        self.calls = world.calls
        self.downloads = world.downloads
        self.response_urls = world.response_urls
        self.new_id = world.new_id
        self.next_ts = world.next_ts
        self.scopes = None if scopes is None else frozenset(scopes)
        self.stream_lifetime = stream_lifetime
        self.file_processing = 0.0
        self.installed = True
        self.bot_token = _new_token()
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, UserGroup] = {}
        self.files: dict[str, SharedFile] = {}
        self.pins: defaultdict[str, dict[str, None]] = defaultdict(dict)  # ts by channel
        self.views: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self._logs: dict[str, Log] = {}
        self.add_user(User(self.bot_user, "footnote", self.team_id, is_bot=True))
        world.workspaces[self.team_id] = self
        world.bot_ids[self.bot_user] = self.bot_id

    @property
    def origin(self) -> str:
        """The base address of the HTTP server."""
        return self.world.origin

    @property
    def address(self) -> str:
        """The base address at which people would see the workspace."""
        return f"https://{self.name}.slack.com"

    def emit(self, event: Json, place: Channel | None) -> None:
        """Tell the app what happened in this workspace."""
        self.world.heard(self, event, place)

    # -- the app's installation ------------------------------------------------------------

    def install(self, scopes: Iterable[str]) -> None:
        """Let the app in with these scopes; one that was out gets another token."""
        with self.changed:
            if not self.installed:
                self.bot_token = _new_token()
            self.installed = True
            if self.scopes is not None:
                self.scopes = frozenset(scopes)

    def revoke(self, code: str) -> None:
        """Make the bot's token useless, with this error, and take the bot out of all channels."""
        with self.changed:
            self.installed = False
            self.world.revoked[self.bot_token] = code
            for place in [c for c in self.channels.values() if c.kind in ("channel", "group")]:
                self.add_channel(replace(place, members=place.members - {self.bot_user}))
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [self.bot_user]}}
        self.emit(revoked | {"event_ts": self.next_ts()}, None)

    def uninstall(self) -> None:
        """Throw the app out."""
        self.revoke("account_inactive")
        self.emit({"type": "app_uninstalled", "event_ts": self.next_ts()}, None)

    # -- ids -----------------------------------------------------------------------------

    def new_trigger(self, user: str, view_id: str | None = None) -> str:
        """Return a trigger_id for something that this person just did, in a modal where named."""
        trigger_id = f"{secrets.randbelow(10**12)}.{self.new_id('')}.{secrets.token_hex(8)}"
        self.triggers[trigger_id] = Trigger(user, view_id)
        return trigger_id

    def exchange_trigger(self, trigger_id: Any) -> Trigger:
        """Use a trigger_id up and return it; raises `SlackError`."""
        if trigger_id not in self.triggers:
            raise SlackError("invalid_trigger_id")
        with self.changed:
            self.triggers[trigger_id].exchange()
            return self.triggers[trigger_id]

    def new_response_url(self, channel: str, user: str, message_ts: str | None) -> ResponseUrl:
        """Return a fresh response_url for an interaction."""
        made = ResponseUrl(secrets.token_hex(12), channel, user, message_ts, self.team_id)
        self.response_urls[made.id] = made
        return made

    # -- people and places ---------------------------------------------------------------

    def add_user(self, user: User) -> User:
        """Let a person, or a bot, be known."""
        with self.changed:
            self.users[user.id] = user
            return user

    def add_channel(self, channel: Channel) -> Channel:
        """Open a place, or put a changed one in its stead, for all who share it."""
        with self.changed:
            self._logs.setdefault(channel.id, Log())
            self.channels[channel.id] = channel
            sharing = self.world.sharing(channel.id)
            for workspace in sharing:
                workspace.channels[channel.id] = channel
            known = {user.id: user for w in sharing for user in w.users.values()}
            for workspace in sharing if len(sharing) > 1 else ():
                for member in channel.members.intersection(known):
                    workspace.users.setdefault(member, known[member])
            return channel

    def share(self, channel: str, other: "Workspace") -> Channel:
        """Share a place and its messages with another workspace, as Slack Connect does."""
        with self.changed:
            other._logs[channel] = self._logs[channel]
            other.channels[channel] = self.channels[channel]
            return self.add_channel(replace(self.channels[channel], is_ext_shared=True))

    def hearing(self, channel: str, text: str = "") -> "Workspace":
        """Return the workspace through which the app hears of something in a place.

        In a shared place that is the one whose bot is addressed, else this one, else another
        whose bot is there; the app hears of it once.
        """
        place = self.channels[channel]
        sharing = [self, *(w for w in self.world.sharing(channel) if w is not self)]
        there = [w for w in sharing if w.installed and w.bot_user in place.members]
        addressed = [w for w in there if f"<@{w.bot_user}>" in text]
        return [*addressed, *there, self][0]

    def direct_channel(self, users: Iterable[str]) -> Channel:
        """Return the direct conversation of the bot with these people, opening it at need."""
        people = list(users)
        members = frozenset([*people, self.bot_user])
        kind: ChannelKind = "im" if len(people) == 1 else "mpim"
        with self.changed:
            for channel in self.channels.values():
                if channel.kind == kind and channel.members == members:
                    return channel
            prefix = "D" if kind == "im" else "G"
            return self.add_channel(Channel(self.new_id(prefix), "", kind, members))

    def user(self, user_id: Any) -> User:
        """Return a person; raises `SlackError` ("user_not_found")."""
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def channel(self, channel_id: Any) -> Channel:
        """Return a place the bot may know of; raises `SlackError` ("channel_not_found")."""
        channel = self.channels.get(channel_id)
        hidden = channel and channel.kind != "channel" and self.bot_user not in channel.members
        if channel is None or hidden:
            raise SlackError("channel_not_found")
        return channel

    def postable(self, channel_id: Any) -> Channel:
        """Return the place to post to: a channel, or a person's direct messages."""
        if channel_id in self.users and channel_id != self.bot_user:
            return self.direct_channel([channel_id])
        channel = self.channel(channel_id)
        if self.bot_user not in channel.members:
            raise SlackError("not_in_channel")
        if channel.is_archived:
            raise SlackError("is_archived")
        return channel

    # -- messages ------------------------------------------------------------------------

    def put(self, message: Message) -> Message:
        """Keep a message, in place of an earlier state of it."""
        with self.changed:
            self._logs[message.channel].put(message, self.stream_lifetime)
            self.changed.notify_all()
            return message

    def message(self, channel: str, ts: Any) -> Message:
        """Return a message that stands; raises `SlackError` ("message_not_found")."""
        with self.changed:
            log = self._logs.get(channel, Log())
            log.age()
            found = log.messages.get(str(ts))
        if found is None or found.deleted:
            raise SlackError("message_not_found")
        return found

    def change(self, message: Message, **changes: Any) -> Message:
        """Put the message back with some fields changed."""
        return self.put(replace(message, **changes))

    def history(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """Return the messages that all may see, oldest first; one thread's where it is named."""
        return [m for m in self.everything(channel, thread_ts) if m.visible_to is None]

    def everything(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """Return the messages that stand, ephemeral ones too, oldest first."""
        with self.changed:
            return self._logs.get(channel, Log()).standing(thread_ts)

    def first(self, channel: str, thread_ts: str) -> Message | None:
        """Return the message that opened a thread, None where it is gone."""
        with self.changed:
            return self._logs[channel].first(thread_ts)

    def finished(
        self,
        channel: str | None = None,
        thread_ts: str | None = None,
        visible_to: str | None = None,
    ) -> int:
        """Return how many finished messages of the app stand in a place, a thread, or in all."""
        with self.changed:
            logs = [*self._logs.values()] if channel is None else [self._logs.get(channel, Log())]
            return sum(log.finished(thread_ts, visible_to) for log in logs)

    def was_here(self, channel: str, ts: str) -> bool:
        """True where a message stood once, even if it is deleted now."""
        return channel in self._logs and ts in self._logs[channel].messages

    def end_streams(self, channel: str | None = None) -> int:
        """End the streams that run now, in one place or everywhere, and return how many."""
        with self.changed:
            logs = [*self._logs.values()] if channel is None else [self._logs[channel]]
            running = [(log, ts) for log in logs for ts in log.running()]
            for log, ts in running:
                log.end(ts)
            self.changed.notify_all()
            return len(running)

    # -- records of what happened ---------------------------------------------------------

    def record(self, call: Call) -> None:
        """Keep a call of the Web API."""
        self.world.record(call)

    def permalink(self, message: Message) -> str:
        """Return the address of a message."""
        link = f"{self.address}/archives/{message.channel}"
        link += f"/p{message.ts.replace('.', '')}"
        if message.thread_ts and message.thread_ts != message.ts:
            link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
        return link


def _new_token() -> str:
    return f"xoxb-{secrets.token_hex(12)}"


def page(items: list[Any], cursor: str, limit: int) -> tuple[list[Any], str]:
    """Return one page of a list and the cursor of the next, "" at the end."""
    start = int(base64.b64decode(cursor or "MA==", validate=True))
    end = start + limit
    more = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    return items[start:end], more
