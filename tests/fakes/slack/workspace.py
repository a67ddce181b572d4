"""The workspace's memory, shared by every server thread: all state, no protocol."""

import base64
import itertools
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

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

DOMAIN = "acme"
DEFAULT_SCOPES = (
    "app_mentions:read,channels:history,channels:read,chat:write,commands,files:read,"
    "groups:history,groups:read,im:history,im:read,im:write,mpim:history,mpim:read,pins:read,"
    "reactions:read,reactions:write,usergroups:read,users:read,users:read.email,assistant:write"
)


class Workspace:
    """People, places and messages of one team, with the one app that is installed in it.

    Every method takes the lock by itself; `changed` is notified whenever something happened
    that a test may be waiting for.
    """

    team_id = "T0ACME0001"
    app_id = "A0FOOTN001"
    bot_user = "U0FOOTNOTE"
    bot_id = "B0FOOTN001"

    def __init__(self, scopes: Iterable[str] | None, stream_lifetime: float) -> None:
        self.scopes = None if scopes is None else frozenset(scopes)
        self.stream_lifetime = stream_lifetime
        self.bot_token = f"xoxb-{secrets.token_hex(12)}"
        self.app_token = f"xapp-1-{secrets.token_hex(12)}"
        self.changed = threading.Condition(threading.RLock())
        self.emit: Callable[[Json, Channel | None], None] = _unheard
        self.origin = ""  # of the HTTP server, once it runs
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.groups: dict[str, UserGroup] = {}
        self.calls: list[Call] = []
        self.files: dict[str, SharedFile] = {}
        self.downloads: list[tuple[str, str | None]] = []  # (file id, token), as they came
        self.pins: defaultdict[str, dict[str, None]] = defaultdict(dict)  # ts by channel
        self.views: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self._messages: dict[str, dict[str, Message]] = {}
        self._threads: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._last_ts = 0
        self._numbers = itertools.count(1)
        self.add_user(User(self.bot_user, "footnote", self.team_id, is_bot=True))

    # -- ids -----------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """Return an id of Slack's shape that was not used before."""
        with self.changed:
            return f"{prefix}0{next(self._numbers):07X}"

    def next_ts(self) -> str:
        """Return a message timestamp later than every one before it."""
        with self.changed:
            self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

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
        made = ResponseUrl(secrets.token_hex(12), channel, user, message_ts)
        self.response_urls[made.id] = made
        return made

    # -- people and places ---------------------------------------------------------------

    def add_user(self, user: User) -> User:
        """Let a person, or a bot, be known."""
        with self.changed:
            self.users[user.id] = user
            return user

    def add_channel(self, channel: Channel) -> Channel:
        """Open a place, or put a changed one in its stead."""
        with self.changed:
            self.channels[channel.id] = channel
            self._messages.setdefault(channel.id, {})
            return channel

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
            self._messages[message.channel][message.ts] = message
            self._threads[message.channel, message.root_ts][message.ts] = None
            self.changed.notify_all()
            return message

    def message(self, channel: str, ts: Any) -> Message:
        """Return a message that stands; raises `SlackError` ("message_not_found")."""
        found = self._messages.get(channel, {}).get(str(ts))
        if found is None or found.deleted:
            raise SlackError("message_not_found")
        return self._aged(found)

    def change(self, message: Message, **changes: Any) -> Message:
        """Put the message back with some fields changed."""
        return self.put(replace(message, **changes))

    def history(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """Return the messages that all may see, oldest first; one thread's where it is named."""
        return [m for m in self.everything(channel, thread_ts) if m.visible_to is None]

    def everything(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """Return the messages that stand, ephemeral ones too, oldest first."""
        with self.changed:
            stored = self._messages.get(channel, {})
            chosen = stored if thread_ts is None else self._threads[channel, thread_ts]
            standing = [self._aged(stored[ts]) for ts in chosen if not stored[ts].deleted]
        return sorted(standing, key=lambda m: m.ts)

    def was_here(self, channel: str, ts: str) -> bool:
        """True where a message stood once, even if it is deleted now."""
        return ts in self._messages.get(channel, {})

    def end_streams(self, channel: str | None = None) -> int:
        """End the streams that run now, in one place or everywhere, and return how many."""
        with self.changed:
            places = [*self._messages] if channel is None else [channel]
            running = [m for place in places for m in self.everything(place) if m.stream]
            for message in running:
                self.change(message, stream=None)
            return len(running)

    def _aged(self, message: Message) -> Message:
        """End a stream that outlived its time, as Slack does some 300 s after its start."""
        if message.stream is None:
            return message
        if time.monotonic() - message.stream_started <= self.stream_lifetime:
            return message
        return self.change(message, stream=None)

    # -- records of what happened ---------------------------------------------------------

    def record(self, call: Call) -> None:
        """Keep a call of the Web API."""
        with self.changed:
            self.calls.append(call)
            self.changed.notify_all()

    def permalink(self, message: Message) -> str:
        """Return the address of a message."""
        link = f"https://{DOMAIN}.slack.com/archives/{message.channel}"
        link += f"/p{message.ts.replace('.', '')}"
        if message.thread_ts and message.thread_ts != message.ts:
            link += f"?thread_ts={message.thread_ts}&cid={message.channel}"
        return link


def _unheard(_event: Json, _place: Channel | None) -> None:
    """Where events go until a server listens."""


def page(items: list[Any], cursor: str, limit: int) -> tuple[list[Any], str]:
    """Return one page of a list and the cursor of the next, "" at the end."""
    start = int(base64.b64decode(cursor or "MA==", validate=True))
    end = start + limit
    more = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    return items[start:end], more
