"""A channel's settings: opened from the home tab or by `/cite settings`, saved by admins only."""

from dataclasses import replace
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.channel_settings import (
    CALLBACK,
    Offer,
    UnreadableError,
    changed_notice,
    filled,
    message_view,
    reading_view,
    saved_notice,
    seen_in,
    settings_view,
)
from bot.client import OUTAGES, SLACK_FAILURES
from bot.incoming import Body
from bot.interactions import Handler, Submission, actor, pressed
from bot.outgoing import write_posts
from bot.people import is_shared
from bot.render import packed
from bot.workspaces import Workspace
from core.errors import FootnoteError
from core.logs import logger
from store.channels import (
    ChangedMeanwhileError,
    ChannelSettings,
    channel_settings,
    save_channel_settings,
)
from store.home import knowledge_admins, scope_choices
from store.posts import NewPost

CHOOSE = "channel_settings"  # the action id of the menu of channels on the home tab

NOT_THERE = (
    "I can't see this channel. Invite me to it first, and then open its settings again: with"
    " /cite settings in the channel, or on my home tab."
)
DIRECT = (
    "Settings belong to a channel. Write /cite settings in the channel that you mean, or choose"
    " it on my home tab."
)
NOT_ALLOWED = "Only knowledge admins may change these settings."
NOT_TOLD = "Slack does not answer me just now. Try again in a minute."
NOT_JOINED = "I'm not in that channel. Invite me there first."
OPEN_TO_OTHERS = "That channel is shared with another organisation. Choose one of your own."

log = logger(__name__)


class UnseenError(FootnoteError):
    """A channel's settings are not shown; the sentence says why."""


def open_settings(workspace: Workspace, body: Body) -> None:
    """Show a channel's settings: to change them for admins, to read them for everybody else.

    Raises one of `bot.client.SLACK_FAILURES` where the modal cannot be opened.
    """
    user = _who(body)
    try:
        channel = _channel(body)
        _require_seen(workspace, user, channel)
        view = _view(workspace, user, channel)
    except UnseenError as reason:
        view = message_view(str(reason))
    except SLACK_FAILURES as error:
        log.warning("settings not shown", error=type(error).__name__)
        view = message_view(NOT_TOLD)
    workspace.client.views_open(trigger_id=body["trigger_id"], view=view)


def save(workspace: Workspace, body: Body) -> dict[str, Any] | None:
    """Set what was filled in, or say in the modal why not."""
    user, view = actor(body), body["view"]
    channel, seen = seen_in(view["private_metadata"])
    before = channel_settings(workspace.engine, workspace.id, channel)
    offer = _offer(workspace, user)
    try:
        if workspace.people.role(workspace.client, workspace.team, user) != "admin":
            return _problems({"mode": NOT_ALLOWED})
        after = filled(view["state"]["values"], before, offer)
        problems = _check(workspace, user, after)
    except UnseenError as unseen:
        return _problems({"mode": str(unseen)})
    except UnreadableError as unreadable:
        return _problems(unreadable.problems)
    except SLACK_FAILURES as error:
        log.warning("settings not saved", channel=channel, error=type(error).__name__)
        return _problems({"mode": NOT_TOLD})
    if problems:
        return _problems(problems)
    like = _notice(f"settings:{view['id']}:{view['hash']}", workspace, user, channel)
    try:
        with workspace.engine.begin() as connection:
            changes = save_channel_settings(connection, workspace.id, after, user, seen=seen)
            told = packed("Saved.", saved_notice(after, changes, offer))
            write_posts(connection, workspace.id, told, like)
    except ChangedMeanwhileError as error:
        again = replace(after, changed_by=error.now.changed_by, changed_at=error.now.changed_at)
        shown = settings_view(again, offer, changed_notice(error.now, after, offer))
        return {"response_action": "update", "view": shown}
    log.info("channel settings saved", channel=channel, changes=sorted(changes))
    workspace.wake()
    return None


def _view(workspace: Workspace, user: str, channel: str) -> dict[str, Any]:
    settings = channel_settings(workspace.engine, workspace.id, channel)
    offer = _offer(workspace, user)
    if workspace.people.role(workspace.client, workspace.team, user) == "admin":
        return settings_view(settings, offer)
    return reading_view(settings, offer, knowledge_admins(workspace.engine, workspace.id))


def _offer(workspace: Workspace, user: str) -> Offer:
    """Return what a channel can be limited to; documents as far as this person may read them."""
    access = workspace.people.alone(workspace.client, workspace.team, user)
    return Offer(*scope_choices(workspace.engine, workspace.id, access))


def _require_seen(workspace: Workspace, user: str, channel: str) -> None:
    """Show nothing of a channel that the bot is not in, or that the person cannot see."""
    if channel.startswith("D"):  # of which the bot may not be told
        raise UnseenError(DIRECT)
    info = _info(workspace, channel)
    if info.get("is_mpim"):
        raise UnseenError(DIRECT)
    if not info.get("is_member"):
        raise UnseenError(NOT_THERE)
    people = workspace.people
    if info.get("is_private") and not people.is_inside(workspace.client, user, channel):
        raise UnseenError(NOT_THERE)


def _check(workspace: Workspace, user: str, after: ChannelSettings) -> dict[str, str]:
    """Return what is wrong with settings as the channels are now, by block."""
    _require_seen(workspace, user, after.channel_id)
    if after.escalation_channel is None:
        return {}
    info = _info(workspace, after.escalation_channel)
    if not info.get("is_member"):
        return {"escalation_channel": NOT_JOINED}
    return {"escalation_channel": OPEN_TO_OTHERS} if is_shared(info) else {}


def _info(workspace: Workspace, channel: str) -> dict[str, Any]:
    """Return what Slack says of a channel now: nothing where the bot cannot see it."""
    try:
        told = workspace.client.conversations_info(channel=channel)
    except SlackApiError as error:
        if error.response.get("error") in OUTAGES:
            raise
        return {}
    return told.get("channel") or {}


def _notice(key: str, workspace: Workspace, user: str, channel: str) -> NewPost:
    """Return a post that one person sees: in the channel if they are in it, else directly."""
    if workspace.people.is_inside(workspace.client, user, channel):
        return NewPost(key, "notice", channel, {}, user_id=user)
    return NewPost(key, "notice", user, {})


def _who(body: Body) -> str:
    """Return who gave a command or acted on the home tab."""
    return str(body["user_id"]) if "command" in body else actor(body)


def _channel(body: Body) -> str:
    """Return the channel that a command was given in, or that was chosen."""
    if "command" in body:
        return str(body["channel_id"])
    return str(pressed(body).get("selected_conversation") or "")


def _problems(problems: dict[str, str]) -> dict[str, Any]:
    return {"response_action": "errors", "errors": problems}


ACTIONS: dict[str, Handler] = {CHOOSE: open_settings}
VIEWS: dict[str, Submission] = {CALLBACK: save}
