"""What somebody said in Slack: the one shape that mentions, messages and commands become."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from graph.escalate import AGREES
from graph.router import is_remark
from ingestion.errors import printable
from store.events import Arrival, Event, EventKind

Body = dict[str, Any]

OWN_WORDS = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of a message that a person has just written; edits, joins and bots have others."""

FILES_LIMIT = 20  # files of one message that are looked at; people share at most 10 at once

NAMELESS = "the shared file"

HELP = re.compile(r"help(?: me)?(?: please)?[\s.!?]*", re.IGNORECASE)
ENTITY = re.compile(r"<([^<>]*)>")
UNKEPT = re.compile("[\\x00\\ud800-\\udfff]")
"""What Postgres keeps in no text: NUL, and halves of characters beyond 16 bits."""
PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True)
class Shared:
    """A file that came with a message. `mode` is how Slack keeps it, where the message says so."""

    id: str
    name: str
    mode: str = ""


@dataclass(frozen=True)
class Incoming:
    """A message to the bot, its edit or its deletion, before anything is known about who wrote it.

    `ts` is the message's; `changed_ts` is when it was edited or deleted. `thread_ts` is the thread
    it was written in, if any. `private` means that nobody but the asker will see the answer;
    `shared` that the event itself says other organisations see the channel; `command` that it was
    not a message, so that `ts` is only a name and no thread can follow. `addressed` says that it
    was said to the bot: other messages may be for it in a thread that it takes part in.
    An empty `text` asks for help. `event_id` is the delivery's, the same on every retry.
    `as_of` asks for what was in force then; `problem` is said instead of an answer; `reply_url`
    is where a command is answered. `files` came with the message.
    """

    team: str
    channel: str
    ts: str
    user: str
    text: str
    event_id: str
    thread_ts: str | None = None
    private: bool = False
    shared: bool = False
    command: bool = False
    addressed: bool = True
    kind: EventKind = "question"
    changed_ts: str | None = None
    as_of: datetime | None = None
    problem: str | None = None
    reply_url: str | None = None
    files: tuple[Shared, ...] = ()

    @property
    def thread(self) -> str:
        """The thread the reply goes to: the one it was asked in, or one that the reply opens."""
        return self.thread_ts or self.ts

    @property
    def message_key(self) -> str:
        """The name of the message, the same for each event that tells of it."""
        return f"{self.team}:{self.channel}:{self.ts}"

    @property
    def conversation(self) -> str | None:
        """The key of the conversation: turns are remembered per thread, not for a command."""
        return None if self.command else f"slack:{self.team}:{self.channel}:{self.thread}"

    def arrival(self, workspace_id: int) -> Arrival:
        """Return what is kept of it."""
        key = self.message_key
        return Arrival(
            workspace_id=workspace_id,
            kind=self.kind,
            key=key if self.kind == "question" else f"{key}:{self.changed_ts}",
            message_key=key,
            team=self.team,
            channel=self.channel,
            ts=self.changed_ts or self.ts,
            user_id=self.user,
            text=self.text,
            conversation=self.conversation,
            thread_ts=self.thread_ts,
            delivery_id=self.event_id or None,
            addressed=self.addressed,
            detail=Detail.of(self).to_json(),
        )


@dataclass(frozen=True)
class Detail:
    """What an event's row keeps beside the words: how it was asked."""

    private: bool = False
    shared: bool = False
    command: bool = False
    addressed: bool = True
    as_of: datetime | None = None
    problem: str | None = None
    reply_url: str | None = None
    files: tuple[Shared, ...] = field(default=())

    @classmethod
    def of(cls, incoming: Incoming) -> "Detail":
        """Return how a message was asked."""
        return cls(
            incoming.private,
            incoming.shared,
            incoming.command,
            incoming.addressed,
            incoming.as_of,
            incoming.problem,
            incoming.reply_url,
            incoming.files,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types, without what is as usual."""
        written: dict[str, Any] = {
            "private": self.private,
            "shared": self.shared,
            "command": self.command,
            "unaddressed": not self.addressed,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "problem": self.problem,
            "reply_url": self.reply_url,
            "files": [{"id": one.id, "name": one.name, "mode": one.mode} for one in self.files],
        }
        return {key: value for key, value in written.items() if value}

    @classmethod
    def kept(cls, detail: dict[str, Any]) -> "Detail":
        """Return what `to_json` gave."""
        return cls(
            private=bool(detail.get("private")),
            shared=bool(detail.get("shared")),
            command=bool(detail.get("command")),
            addressed=not detail.get("unaddressed"),
            as_of=datetime.fromisoformat(detail["as_of"]) if detail.get("as_of") else None,
            problem=detail.get("problem"),
            reply_url=detail.get("reply_url"),
            files=tuple(Shared(**one) for one in detail.get("files", ())),
        )


def incoming_of(event: Event) -> Incoming:
    """Return the message that an event keeps."""
    detail = Detail.kept(event.detail)
    return Incoming(
        team=event.team,
        channel=event.channel,
        ts=event.message_key.rpartition(":")[2],
        user=event.user_id,
        text=event.text,
        event_id="",
        thread_ts=event.thread_ts,
        private=detail.private,
        shared=detail.shared,
        command=detail.command,
        addressed=detail.addressed,
        kind=event.kind,
        changed_ts=None if event.kind == "question" else event.ts,
        as_of=detail.as_of,
        problem=detail.problem,
        reply_url=detail.reply_url,
        files=detail.files,
    )


def from_event(body: Body, bot_user_id: str | None) -> Incoming | None:
    """Return what a `message` or `app_mention` event asks of the bot, None where it is nothing.

    Nothing are the words of bots (this one included), notices, and what people say to each other:
    messages outside direct ones that name other people and not the bot, or only remark on things.
    A yes may be one to what the bot asked.
    """
    event = body.get("event") or {}
    if event.get("subtype") == "message_changed":
        return _edit(body, event, bot_user_id)
    if event.get("subtype") == "message_deleted":
        return _deletion(body, event, bot_user_id)
    if event.get("edited") or event.get("hidden"):
        return None
    said = _said(body, event, event, bot_user_id)
    if said is None or said.files:
        return said
    if not said.addressed and is_remark(said.text) and not AGREES.match(said.text):
        return None
    return replace(said, text="") if said.addressed and HELP.fullmatch(said.text) else said


def _said(body: Body, event: Body, message: Body, bot_user_id: str | None) -> Incoming | None:
    """Return a message as something said; `message` may be an event or what an edit carries."""
    if message.get("bot_id") or message.get("subtype") not in OWN_WORDS:
        return None
    if message.get("user") in (None, bot_user_id):
        return None
    if not (event.get("channel") and message.get("ts")):
        return None
    text = message.get("text") or ""
    private = is_direct(body)
    named = _named(message)
    # In a channel that two teams share, the mention may be of the app as the other team has it.
    meant = event.get("type") == "app_mention" and (not named or bot_user_id is None)
    addressed = private or meant or bot_user_id in named
    if not addressed and (named or message.get("files")):
        return None
    return Incoming(
        team=home_team(body),
        channel=event["channel"],
        ts=message["ts"],
        user=message["user"],
        text=spoken(text, bot_user_id),
        event_id=body.get("event_id") or "",
        thread_ts=message.get("thread_ts"),
        private=private,
        shared=bool(body.get("is_ext_shared_channel")),
        addressed=addressed,
        files=files_of(message),
    )


def _named(message: Body) -> frozenset[str]:
    """Return the ids of the people whom a message names, bots among them."""
    return frozenset(PERSON.findall(message.get("text") or ""))


def _edit(body: Body, event: Body, bot_user_id: str | None) -> Incoming | None:
    """Return an edit that changed words; Slack also tells of previews and of replies so.

    A message that has replies is not deleted but becomes a tombstone.
    """
    message, before = event.get("message") or {}, event.get("previous_message") or {}
    if message.get("subtype") == "tombstone":
        return _deletion(body, event | {"deleted_ts": message.get("ts")}, bot_user_id)
    if message.get("text") == before.get("text"):
        return None
    if _taken_back(body, message, before, bot_user_id):
        return _deletion(body, event | {"deleted_ts": message.get("ts")}, bot_user_id)
    said = _said(body, event, message, bot_user_id)
    if said is None:
        return None
    # The event's own ts: that of `edited` has whole seconds, the same for two edits in one.
    at = event.get("event_ts") or event.get("ts") or (message.get("edited") or {}).get("ts")
    added = bot_user_id in _named(message) and bot_user_id not in _named(before)
    return replace(said, kind="edit", changed_ts=at, addressed=added)


def _taken_back(body: Body, message: Body, before: Body, bot_user_id: str | None) -> bool:
    """Whether an edit takes the bot's name out of a message that is no follow-up."""
    opens = message.get("thread_ts") in (None, message.get("ts"))
    named_before = bot_user_id in _named(before)
    return opens and named_before and bot_user_id not in _named(message) and not is_direct(body)


def _deletion(body: Body, event: Body, bot_user_id: str | None) -> Incoming | None:
    before = event.get("previous_message") or {}
    ts, user = event.get("deleted_ts"), before.get("user")
    if not ts or not event.get("channel") or before.get("bot_id") or user == bot_user_id:
        return None
    return Incoming(
        team=home_team(body),
        channel=event["channel"],
        ts=ts,
        user=user or "",
        text="",
        event_id=body.get("event_id") or "",
        thread_ts=before.get("thread_ts"),
        private=is_direct(body),
        addressed=False,
        kind="deletion",
        changed_ts=event.get("event_ts") or event.get("ts"),
    )


def files_of(event: Body) -> tuple[Shared, ...]:
    """Return the files of an event, each once; of some only the id is told."""
    files: dict[str, Shared] = {}
    for told in event.get("files") or ():
        if told.get("id"):
            name = printable(str(told.get("name") or told.get("title") or ""))
            files[told["id"]] = Shared(told["id"], name or NAMELESS, str(told.get("mode") or ""))
    return tuple(files.values())[:FILES_LIMIT]


def is_direct(body: Body) -> bool:
    """Whether an event is from a direct message between one person and the bot."""
    event = body.get("event") or {}
    kind = event.get("channel_type")
    return kind == "im" if kind else str(event.get("channel") or "").startswith("D")


def home_team(body: Body) -> str:
    """Return the team the app is installed in: in a shared channel others' ids come along."""
    authorizations = body.get("authorizations") or [{}]
    return str(authorizations[0].get("team_id") or body.get("team_id") or "")


def spoken(text: str, bot_user_id: str | None) -> str:
    """Return Slack's markup as the words people see, without the mention of the bot itself."""
    text = UNKEPT.sub("", text)
    if bot_user_id:
        text = re.sub(rf"<@{re.escape(bot_user_id)}(\|[^<>]*)?>[ \t]*[,:]?", " ", text)
    words = ENTITY.sub(_shown, text)
    for escaped, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        words = words.replace(escaped, character)
    return "\n".join(" ".join(line.split()) for line in words.splitlines()).strip()


def _shown(match: re.Match[str]) -> str:
    """Return what people see of `<@U1>`, `<#C1|name>`, `<!here>` or `<https://…|words>`."""
    target, _, label = match[1].partition("|")
    if target.startswith(("@", "#")):
        return f"{target[0]}{label}" if label else target
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return label or target.removeprefix("mailto:")
