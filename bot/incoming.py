"""What somebody asked in Slack: the one shape that mentions, messages and commands become."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.errors import printable

Body = dict[str, Any]

OWN_WORDS = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of a message that a person has just written; edits, joins and bots have others."""

FILES_LIMIT = 20  # files of one message that are looked at; people share at most 10 at once

NAMELESS = "the shared file"

ENTITY = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True)
class Shared:
    """A file that came with a message. `mode` is how Slack keeps it, where the message says so."""

    id: str
    name: str
    mode: str = ""


@dataclass(frozen=True)
class Incoming:
    """One question from Slack, before anything is known about who asked.

    `thread_ts` is the thread it was asked in, if any. `private` means that nobody but the asker
    will see the answer; `shared` that the event itself says other organisations see the channel;
    `command` that it was not a message, so that `ts` is only a name and no thread can follow.
    An empty `text` asks for help. `event_id` is the delivery's, the same on every retry.
    `as_of` asks for what was in force then; `problem` is said instead of an answer. `files` came
    with the message.
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
    as_of: datetime | None = None
    problem: str | None = None
    files: tuple[Shared, ...] = ()

    @property
    def thread(self) -> str:
        """The thread the reply goes to: the one it was asked in, or one that the reply opens."""
        return self.thread_ts or self.ts

    @property
    def event_key(self) -> str:
        """The name of the message, the same for each event that tells of it."""
        return f"{self.team}:{self.channel}:{self.ts}"

    @property
    def conversation(self) -> str | None:
        """The key of the conversation: turns are remembered per thread, not for a command."""
        return None if self.command else f"slack:{self.team}:{self.channel}:{self.thread}"


def from_event(body: Body, bot_user_id: str | None, *, private: bool) -> Incoming | None:
    """Return the question in a `message` or `app_mention` event, None where it is none.

    None are the words of bots (this one included), edits, deletions and notices.
    """
    event = body.get("event") or {}
    if event.get("bot_id") or event.get("edited") or event.get("hidden"):
        return None
    if event.get("subtype") not in OWN_WORDS or event.get("user") in (None, bot_user_id):
        return None
    if not (event.get("channel") and event.get("ts")):
        return None
    return Incoming(
        team=home_team(body),
        channel=event["channel"],
        ts=event["ts"],
        user=event["user"],
        text=spoken(event.get("text") or "", bot_user_id),
        event_id=body.get("event_id") or "",
        thread_ts=event.get("thread_ts"),
        private=private,
        shared=bool(body.get("is_ext_shared_channel")),
        files=files_of(event),
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
