"""The app's manifest, made from what the code listens to and calls.

`python -m bot.manifest` writes `manifest.json`, which Slack takes under "From a manifest".
"""

import json
import sys
from typing import Any

from bot.app import COMMANDS, EVENTS
from core.settings import ROOT

PATH = ROOT / "manifest.json"

METHOD_SCOPES: dict[str, tuple[str, ...]] = {
    "apps.connections.open": (),  # with the app-level token
    "assistant.threads.setStatus": ("assistant:write",),
    "auth.test": (),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "conversations.info": ("channels:read", "groups:read", "mpim:read"),
    "conversations.members": ("channels:read", "groups:read", "mpim:read"),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "files.info": ("files:read",),
    "files.list": ("files:read",),
    "pins.list": ("pins:read",),
    "usergroups.list": ("usergroups:read",),
    "users.info": ("users:read",),
    "views.open": (),
}
"""Every Web API method that is called with the bot's token, and the scopes Slack asks for."""

EVENT_SCOPES = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
}
COMMAND_SCOPE = "commands"

COMMAND_TEXTS = {
    "/cite": ("Ask the policies; only you see the answer", "[your question, or help]"),
}

SCOPES = frozenset(
    {
        COMMAND_SCOPE,
        *(scope for scopes in METHOD_SCOPES.values() for scope in scopes),
        *(EVENT_SCOPES[name] for name in EVENTS),
    }
)


def manifest() -> dict[str, Any]:
    """Return the manifest of an app that uses Socket Mode."""
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Footnote",
            "description": "Answers from your company's policies and quotes them exactly.",
            "background_color": "#1f2937",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Footnote", "always_online": True},
            "slash_commands": [_command(name) for name in COMMANDS],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": sorted(EVENTS)},
            "interactivity": {"is_enabled": True},
            "org_deploy_enabled": False,
            "socket_mode_enabled": True,
            "token_rotation_enabled": False,
        },
    }


def _command(name: str) -> dict[str, Any]:
    description, hint = COMMAND_TEXTS[name]
    return {
        "command": name,
        "description": description,
        "usage_hint": hint,
        "should_escape": False,
    }


def written() -> str:
    """Return the manifest as the file holds it."""
    return json.dumps(manifest(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
    sys.stdout.write(f"wrote {PATH}\n")
