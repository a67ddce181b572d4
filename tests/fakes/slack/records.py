"""What the workspace holds: people, places, messages, files, and the calls that were made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
ChannelKind = Literal["channel", "group", "im", "mpim"]
Stream = Literal["text", "chunks", "open"]  # the shape its first content fixed, or none yet

TRIGGER_LIFETIME = 3.0  # seconds in which a trigger_id opens one modal
RESPONSE_URL_LIFETIME = 30 * 60.0  # seconds
RESPONSE_URL_POSTS = 5  # a response_url takes this many and no more


class SlackError(Exception):
    """A refusal as Slack words it: an error code, and the problems found where it lists them."""

    def __init__(self, code: str, *problems: str, **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems
        self.extra = extra

    def body(self) -> Json:
        """The JSON answer that carries this refusal."""
        body: Json = {"ok": False, "error": self.code, **self.extra}
        if self.problems:
            notes = [f"[ERROR] {problem}" for problem in self.problems]
            body |= {"errors": [*self.problems], "response_metadata": {"messages": notes}}
        return body


class NotSeenError(AssertionError):
    """What a test waited for did not come in time, or is not there; it lists what is."""


@dataclass(frozen=True)
class User:
    """A person, or a bot's user, as `users.info` tells of them."""

    id: str
    name: str
    team_id: str
    email: str | None = None
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_bot: bool = False
    is_admin: bool = False
    is_owner: bool = False
    deleted: bool = False
    tz: str = "Europe/Amsterdam"


@dataclass(frozen=True)
class Channel:
    """A place for messages; `members` are user ids, the bot's among them where it was invited."""

    id: str
    name: str
    kind: ChannelKind = "channel"
    members: frozenset[str] = frozenset()
    is_archived: bool = False
    is_ext_shared: bool = False

    @property
    def event_name(self) -> str:
        """The event subscription that covers messages here."""
        return {
            "channel": "message.channels",
            "group": "message.groups",
            "im": "message.im",
            "mpim": "message.mpim",
        }[self.kind]

    def scope(self, verb: Literal["history", "read"]) -> str:
        """The scope that lets an app read this kind of place, or its history."""
        return f"{self.kind if self.kind in ('im', 'mpim') else self.kind + 's'}:{verb}"


@dataclass(frozen=True)
class SharedFile:
    """A file and its bytes; `details` are said of it instead of what would be.

    Of a file that is not `told_whole`, as those of other organisations, messages tell the id only.
    """

    id: str
    name: str
    user: str
    content: bytes
    mimetype: str
    created: int
    channel: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    told_whole: bool = True
    deleted: bool = False
    ready_at: float = 0.0  # time.monotonic(), when Slack will have looked at it


@dataclass
class Upload:
    """A file on its way: announced, sent, and completed at last."""

    file_id: str
    name: str
    length: int
    team_id: str
    content: bytes | None = None
    done: bool = False


@dataclass(frozen=True)
class Message:
    """A message as it stands now: changing one puts a new record in its place."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str | None = None
    blocks: tuple[Json, ...] = ()
    attachments: tuple[Json, ...] = ()
    metadata: Json | None = None
    subtype: str | None = None
    files: tuple[SharedFile, ...] = ()
    reactions: tuple[tuple[str, str], ...] = ()  # (name, user)
    by_app: bool = False
    edited_ts: str | None = None
    deleted: bool = False
    visible_to: str | None = None  # the one who sees an ephemeral message
    stream: Stream | None = None  # set while it streams
    streamed: bool = False  # it began as a stream
    stream_started: float = 0.0  # time.monotonic()
    stopped_by_user: bool = False
    chunks: tuple[Json, ...] = ()

    @property
    def root_ts(self) -> str:
        """The thread this message is in, or would open."""
        return self.thread_ts or self.ts

    @property
    def finished(self) -> bool:
        """True unless it still streams."""
        return self.stream is None


@dataclass(frozen=True)
class Call:
    """One call of the Web API: what came in, what went out, and when."""

    method: str
    params: Json
    token: str | None
    at: float  # time.monotonic(), when it arrived
    status: int
    answer: Json
    team_id: str = ""  # the workspace whose token it came with, "" where it had none that is good

    @property
    def error(self) -> str | None:
        """The error code, or None where the call succeeded."""
        return self.answer.get("error")


@dataclass(frozen=True)
class ResponsePost:
    """One post to a response_url."""

    at: float  # time.monotonic()
    text: str
    blocks: tuple[Json, ...]
    response_type: str
    body: Json = field(repr=False)


@dataclass
class ResponseUrl:
    """A response_url: who may be answered where, and what was posted to it."""

    id: str
    channel: str
    user: str
    message_ts: str | None
    team_id: str
    made_at: float = field(default_factory=time.monotonic)
    posts: list[ResponsePost] = field(default_factory=list)

    def refusal(self) -> str | None:
        """The reason why it takes no more, if it does not."""
        if time.monotonic() - self.made_at > RESPONSE_URL_LIFETIME:
            return "expired_url"
        return "used_url" if len(self.posts) >= RESPONSE_URL_POSTS else None


@dataclass
class Trigger:
    """A trigger_id: good for one modal within three seconds."""

    user: str
    view_id: str | None = None  # the modal that was pressed or submitted, if it was one
    made_at: float = field(default_factory=time.monotonic)
    used: bool = False
    expired: bool = False

    def exchange(self) -> str:
        """Use it up and return its person; raises `SlackError` when late or used."""
        if self.used:
            raise SlackError("exchanged_trigger_id")
        if self.expired or time.monotonic() - self.made_at > TRIGGER_LIFETIME:
            raise SlackError("expired_trigger_id")
        self.used = True
        return self.user


@dataclass(frozen=True)
class View:
    """A modal or a home tab as it stands; `hash` changes with every update.

    `below` are the ids of the modals under this one, the first that was opened first.
    """

    id: str
    user: str
    hash: str
    body: Json
    below: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        """The surface: `modal` or `home`."""
        return str(self.body["type"])


@dataclass(frozen=True)
class UserGroup:
    """A user group (`@support`)."""

    id: str
    handle: str
    users: tuple[str, ...]


Params = Mapping[str, Any]
