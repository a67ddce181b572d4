"""What people press, choose and send in Slack: each action, view and shortcut has one handler.

An interaction is acknowledged first. Buttons and shortcuts are then handled in Bolt's pool; the
handler of a view that was submitted returns what is to be done with the view.
"""

from collections.abc import Callable
from typing import Any

from bot.incoming import Body
from bot.workspaces import Workspace

Handler = Callable[[Workspace, Body], None]
"""Handles a pressed button, a chosen option, a shortcut or an opened tab."""

Submission = Callable[[Workspace, Body], dict[str, Any] | None]
"""Handles a submitted view within a second; returns Slack's `response_action`, None to close."""


def actor(body: Body) -> str:
    """Return who acted: Slack says so, signed or over its own socket; no payload value does."""
    return str(body["user"]["id"])


def pressed(body: Body) -> dict[str, Any]:
    """Return the action that was taken."""
    action: dict[str, Any] = body["actions"][0]
    return action


def place_of(body: Body) -> tuple[str, str, str | None]:
    """Return channel, ts and thread of the message in which something was pressed."""
    container = body.get("container") or {}
    message = body.get("message") or {}
    channel = container.get("channel_id") or (body.get("channel") or {}).get("id") or ""
    ts = container.get("message_ts") or message.get("ts") or ""
    return str(channel), str(ts), container.get("thread_ts") or message.get("thread_ts")
