"""What Slack sends to an app, as plain JSON: the same over a WebSocket and over signed HTTP."""

import time
from typing import Any

from .records import Channel, Json, Message, NotSeenError, ResponseUrl, User, View
from .rendering import elements_of, message_json, rich_text, view_json
from .workspace import Workspace

VERIFICATION_TOKEN = "deprecated"  # Slack still sends one; nothing may rely on it
CHANNEL_NAMES = {"im": "directmessage", "group": "privategroup", "mpim": "mpdm"}


def event_callback(w: Workspace, event: Json, place: Channel | None) -> Json:
    """The body around an Events API event; every call makes a new event id."""
    shared = place is not None and place.is_ext_shared
    authorised = {"authorizations": [_authorization(w)]} if w.installed else {}
    return authorised | {
        "token": VERIFICATION_TOKEN,
        "team_id": w.team_id,
        "context_team_id": w.team_id,
        "context_enterprise_id": None,
        "api_app_id": w.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": w.new_id("Ev"),
        "event_time": int(time.time()),
        "is_ext_shared_channel": shared,
        "event_context": f"4-{event['type']}",
    }


def _authorization(w: Workspace) -> Json:
    return {
        "enterprise_id": None,
        "team_id": w.team_id,
        "user_id": w.bot_user,
        "is_bot": True,
        "is_enterprise_install": False,
    }


def message_event(w: Workspace, message: Message) -> Json:
    """A `message` event; people of other organisations carry their team beside their id."""
    channel = w.channels[message.channel]
    body = message_json(w, message) | {"channel": channel.id, "channel_type": channel.kind}
    body["event_ts"] = message.ts
    if not message.by_app and not message.blocks:
        body["blocks"] = [rich_text(message.text)]
    if message.thread_ts and message.thread_ts != message.ts:
        root = w.first(channel.id, message.thread_ts)
        body["parent_user_id"] = root.user if root else message.user
    return body | _foreign(w, message)


def _foreign(w: Workspace, message: Message) -> Json:
    team = body_team(w, message.user)
    return {} if team == w.team_id else {"user_team": team, "source_team": team}


def body_team(w: Workspace, user_id: str) -> str:
    """The organisation of a person, the workspace's own for who is unknown."""
    return w.users[user_id].team_id if user_id in w.users else w.team_id


def mention_event(w: Workspace, message: Message) -> Json:
    """The `app_mention` that comes beside a `message`: same words, another event."""
    body = message_event(w, message) | {"type": "app_mention"}
    del body["channel_type"]
    return body


def slash_command(
    w: Workspace, command: str, text: str, channel: Channel, user: User, answer: ResponseUrl
) -> Json:
    """A slash command, as form fields are named over HTTP."""
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": w.team_id,
        "team_domain": w.name,
        "channel_id": channel.id,
        "channel_name": CHANNEL_NAMES.get(channel.kind, channel.name),
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": w.app_id,
        "is_enterprise_install": "false",
        "response_url": f"{w.origin}/response/{answer.id}",
        "trigger_id": w.new_trigger(user.id),
    }


def _interaction(w: Workspace, kind: str, user: User, view: View | None = None) -> Json:
    person = {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id}
    return {
        "type": kind,
        "token": VERIFICATION_TOKEN,
        "api_app_id": w.app_id,
        "team": {"id": w.team_id, "domain": w.name},
        "enterprise": None,
        "is_enterprise_install": False,
        "user": person,
        "trigger_id": w.new_trigger(user.id, view.id if view else None),
    }


def _place(channel: Channel) -> Json:
    return {"id": channel.id, "name": CHANNEL_NAMES.get(channel.kind, channel.name)}


def message_actions(
    w: Workspace, action: Json, message: Message, user: User, answer: ResponseUrl
) -> Json:
    """Something pressed in a message; an ephemeral one is named but not carried along."""
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": message.visible_to is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    body = _interaction(w, "block_actions", user) | {
        "container": container,
        "channel": _place(w.channels[message.channel]),
        "state": {"values": {}},
        "response_url": f"{w.origin}/response/{answer.id}",
        "actions": [action],
    }
    carried = {} if message.visible_to else {"message": message_json(w, message)}
    return body | carried


def view_actions(w: Workspace, action: Json, view: View, user: User) -> Json:
    """Something pressed in a modal or on the home tab."""
    return _interaction(w, "block_actions", user, view) | {
        "container": {"type": "view", "view_id": view.id},
        "view": view_json(w, view),
        "actions": [action],
    }


def action(w: Workspace, blocks: Any, action_id: str, value: str | None) -> Json:
    """The pressed element of these blocks, with its value or the one chosen of several.

    Raises `NotSeenError` where no such element, or no such choice, is shown.
    """
    shown = {item["action_id"]: (block_id, item) for block_id, item in elements_of(blocks)}
    if action_id not in shown:
        raise NotSeenError(f"nothing here has the action id {action_id!r}, only {[*shown]}")
    block_id, item = shown[action_id]
    pressed = {"type": item["type"], "action_id": action_id, "block_id": block_id}
    return pressed | {"action_ts": w.next_ts()} | _outcome(item, value)


def _outcome(item: Json, value: str | None) -> Json:
    if item["type"] == "feedback_buttons":
        sides = [item["positive_button"], item["negative_button"]]
        return _chosen(sides, value)
    if "options" in item:
        return {"selected_option": _chosen(item["options"], value)}
    if item["type"] == "conversations_select":
        return {"selected_conversation": value}
    return {key: item[key] for key in ("text", "value", "style") if key in item}


def _chosen(options: list[Json], value: str | None) -> Json:
    for option in options:
        if option["value"] == value:
            return option
    raise NotSeenError(f"no choice has the value {value!r}, only {[o['value'] for o in options]}")


def message_shortcut(
    w: Workspace, callback_id: str, message: Message, user: User, answer: ResponseUrl
) -> Json:
    """A shortcut from a message's menu."""
    return _interaction(w, "message_action", user) | {
        "callback_id": callback_id,
        "action_ts": w.next_ts(),
        "channel": _place(w.channels[message.channel]),
        "message_ts": message.ts,
        "message": message_json(w, message),
        "response_url": f"{w.origin}/response/{answer.id}",
    }


def global_shortcut(w: Workspace, callback_id: str, user: User) -> Json:
    """A shortcut from the search bar or the composer."""
    return _interaction(w, "shortcut", user) | {
        "callback_id": callback_id,
        "action_ts": w.next_ts(),
    }


def view_submission(w: Workspace, view: View, user: User, values: Json) -> Json:
    """A submitted modal; `values` maps action ids to what was filled in or chosen."""
    state: Json = {}
    for block_id, item in elements_of(view.body["blocks"]):
        if item["action_id"] in values:
            filled = _filled(item, values[item["action_id"]])
            state.setdefault(block_id, {})[item["action_id"]] = filled
    body = {"view": view_json(w, view, state), "response_urls": []}
    return _interaction(w, "view_submission", user, view) | body


def _filled(item: Json, value: Any) -> Json:
    if isinstance(value, dict):
        return {"type": item["type"], **value}
    if "options" in item:
        return {"type": item["type"], "selected_option": _chosen(item["options"], value)}
    return {"type": item["type"], "value": value}
