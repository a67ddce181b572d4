"""Questions handed over to people: who takes them over, and the post in their channel."""

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError
from sqlalchemy import Connection

from bot.client import SLACK_FAILURES
from bot.escalation_blocks import handed_over_message, with_state
from bot.outgoing import as_json
from bot.render import clean
from bot.workspaces import Workspace
from core.logs import logger
from graph.state import TakesOver
from store.access import Member, Place, access_of, channel_principal
from store.answers import Answer
from store.channels import ChannelSettings
from store.escalations import (
    Escalation,
    NewEscalation,
    Reason,
    all_may_be_read,
    escalation_of,
    open_escalation,
)
from store.events import GONE
from store.feedback import history_of
from store.posts import NewPost, add_post, post_with_key, say_instead

SOMEBODY = "our support team"  # as a channel is called that not everybody may know of
IN_PRIVATE = "in a direct message"

log = logger(__name__)


@dataclass(frozen=True)
class Takers:
    """The people who take questions over: their channel, its name for others, its readers."""

    channel: str
    name: str
    readers: frozenset[str]  # principals

    def told(self, *, elsewhere: bool) -> TakesOver:
        """Return what askers are told; `elsewhere`: they will be answered in private."""
        return TakesOver(self.name, IN_PRIVATE) if elsewhere else TakesOver(self.name)


@dataclass(frozen=True)
class HandOver:
    """A question to hand over. `key` is what it is handed over for once: its message's key.

    `thread_ts` is where a reply goes; `link` leads there, for those who may go there.
    """

    key: str
    answer: Answer
    asker: str
    channel: str
    thread_ts: str | None
    private: bool
    reason: Reason = "asked"
    link: str | None = None
    conversation_id: int | None = None


def takers(workspace: Workspace, settings: ChannelSettings) -> Takers | None:
    """Return who takes over what is asked in a channel; None where nobody is set up or reached."""
    channel = settings.escalation_channel or workspace.settings.escalation_channel
    if not channel:
        return None
    known = workspace.people.channel(workspace.client, channel)
    if known is None or not known.joined:
        log.warning("escalation channel not reached", channel=channel)
        return None
    named = f"#{clean(known.name)}" if known.open and known.name else SOMEBODY
    place = workspace.people.place(workspace.client, workspace.team, channel)
    return Takers(channel, named, readers_of(place))


def readers_of(place: Place) -> frozenset[str]:
    """Return the principals that everybody in a place has."""
    return access_of(Member("", "member"), place).place


def is_elsewhere(channel: str, *, private: bool) -> bool:
    """Whether an asker has to be answered in another place than where they asked."""
    return private and not channel.startswith("D")


def reason_of(answer: Answer) -> Reason:
    """Return why an answer was handed over, as its trace has it."""
    reason: Reason = answer.trace.get("handed_over") or "asked"
    return reason


def link_to(workspace: Workspace, channel: str, ts: str, *, private: bool) -> str | None:
    """Return Slack's own address of a message that others may see; None where there is none."""
    if private:
        return None
    try:
        found = workspace.client.chat_getPermalink(channel=channel, message_ts=ts)
    except SLACK_FAILURES as error:
        code = error.response.get("error") if isinstance(error, SlackApiError) else None
        log.info("no link to a message", channel=channel, error=code or type(error).__name__)
        return None
    return slack_address(str(found.get("permalink") or ""))


def slack_address(address: str) -> str | None:
    """Return an address if it is one of Slack's, else None."""
    parts = urlsplit(address)
    ours = parts.hostname is not None and parts.hostname.endswith(".slack.com")
    return address if parts.scheme == "https" and ours and "@" not in parts.netloc else None


def hand_over(
    connection: Connection, workspace: Workspace, taken_by: Takers, asked: HandOver
) -> bool:
    """Hand a question over, in the transaction that ends it; False where it was before.

    An edited question takes the place of what it was, until somebody has resolved it.
    """
    opened = open_escalation(
        connection,
        workspace.id,
        NewEscalation(
            key=asked.key,
            asker_id=asked.asker,
            question=asked.answer.question,
            reason=asked.reason,
            channel=asked.channel,
            handed_to=taken_by.channel,
            thread_ts=asked.thread_ts,
            private=asked.private,
            answer_id=asked.answer.id,
            conversation_id=asked.conversation_id,
        ),
    )
    if opened is None:
        return False
    escalation, is_new = opened
    answer = asked.answer
    readable = all_may_be_read(connection, workspace.id, answer.id, taken_by.readers)
    history = history_of(connection, answer.id) if readable else ()
    message = as_json(
        handed_over_message(escalation, answer if readable else None, history, asked.link)
    )
    if is_new:
        post = NewPost(
            post_key(escalation.id), "escalation", escalation.handed_to, message,
            answer_id=answer.id,
        )  # fmt: skip
        add_post(connection, workspace.id, post)
    else:
        change_message(connection, workspace, escalation, message)
    return is_new


def take_back(connection: Connection, workspace: Workspace, message_key: str) -> None:
    """Take the words of a message that is gone, or says something else now, from who took it over.

    To be called before the message is forgotten: then nothing tells what was handed over.
    """
    escalation = escalation_of(connection, workspace.id, message_key)
    if escalation is not None:
        without = replace(escalation, question=GONE, resolution=None, answer_id=None)
        change_message(connection, workspace, without, {"text": GONE})


def post_key(escalation_id: int) -> str:
    """Return the key of the post that shows a handed-over question."""
    return f"escalation:{escalation_id}"


def change_message(
    connection: Connection,
    workspace: Workspace,
    escalation: Escalation,
    message: dict[str, Any] | None = None,
) -> None:
    """Show in the escalation channel how far a question is; `message` replaces all of it."""
    post = post_with_key(connection, workspace.id, post_key(escalation.id))
    if post is not None:
        changed = with_state(message or post.message, escalation)
        say_instead(connection, post.id, changed, escalation.answer_id)


def told_at(escalation: Escalation) -> tuple[str, str | None]:
    """Return channel and thread where an asker is told more: in private if they asked so."""
    if is_elsewhere(escalation.channel, private=escalation.private):
        return escalation.asker_id, None
    return escalation.channel, escalation.thread_ts


def audience_of(escalation: Escalation, *, public: bool) -> tuple[str, ...]:
    """Return who may see the exchange once it is kept: who could see it while it went on."""
    open_to_all = public and not escalation.private
    return ("everyone",) if open_to_all else (channel_principal(escalation.handed_to),)
