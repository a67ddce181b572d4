"""The app's manifests, made from what the code listens to and calls.

`python -m bot.manifest` writes `manifest.json`, for Socket Mode, and `manifest.http.json`; Slack
takes either under "From a manifest". `python -m bot.manifest --url https://bot.example.com` prints
the second with that address in the place of the one that stands for yours.
"""

import argparse
import json
import sys
from typing import Any

from bot.app import COMMANDS, EVENTS, LEAVING, OPENED, collected
from core.settings import ROOT

PATH = ROOT / "manifest.json"
HTTP_PATH = ROOT / "manifest.http.json"
PLACEHOLDER = "https://footnote.example.com"
REQUESTS, REDIRECT = "/slack/events", "/slack/oauth_redirect"

METHOD_SCOPES: dict[str, tuple[str, ...]] = {
    "apps.connections.open": (),  # with the app-level token
    "assistant.threads.setStatus": ("assistant:write",),
    "assistant.threads.setSuggestedPrompts": ("assistant:write",),
    "auth.test": (),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.getPermalink": (),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "conversations.open": ("im:write",),
    "conversations.info": ("channels:read", "groups:read", "mpim:read"),
    "conversations.members": ("channels:read", "groups:read", "mpim:read"),
    "conversations.replies": ("channels:history", "groups:history", "im:history", "mpim:history"),
    "files.info": ("files:read",),
    "files.list": ("files:read",),
    "files.upload_v2": ("files:write",),
    "pins.list": ("pins:read",),
    "usergroups.list": ("usergroups:read",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "views.open": (),
    "views.publish": (),
    "views.update": (),
}
"""Every Web API method that is called with the bot's token, and the scopes Slack asks for."""

EVENT_SCOPES: dict[str, tuple[str, ...]] = {
    "agent_session_stopped": (),
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "app_uninstalled": (),
    "member_joined_channel": ("channels:read", "groups:read"),
    "member_left_channel": ("channels:read", "groups:read"),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "tokens_revoked": (),
}
"""The scopes without which an event is not sent; there may be some here that nobody listens to."""

COMMAND_SCOPE = "commands"
"""Shortcuts need it as well."""

COMMAND_TEXTS = {
    "/cite": (
        "Ask the policies, or see the sources of an answer; only you see it",
        "[your question, a link to an answer, or help]",
    ),
}

SHORTCUT_TEXTS = {
    "cite_answer": ("Cite this answer", "See the exact words that an answer rests on"),
    "use_as_example": ("Use as example", "Keep this exchange as an example of how to answer"),
}
"""Names and descriptions of message shortcuts by their callback ids."""

AGENT_TEXT = (
    "Ask about your company's policies. Each answer quotes the exact words it rests on, with where"
    " they stand and since when they are in force; where there are none, you are told so and can"
    " talk to a person."
)
PROMPTS = (
    ("What can you answer?", "What can you help me with?"),
    ("Time off", "How many days of paid leave do I get?"),
    ("Expenses", "What can I claim back when I travel for work?"),
    ("Talk to a human", "I would like to talk to a human."),
)
"""What is suggested in an empty conversation: title and message. Slack shows four at most."""

LISTENED = frozenset({*EVENTS, *OPENED, *LEAVING})

SCOPES = frozenset(
    {
        COMMAND_SCOPE,
        *(scope for scopes in METHOD_SCOPES.values() for scope in scopes),
        *(scope for name in LISTENED for scope in EVENT_SCOPES[name]),
    }
)


def manifest(url: str | None = None) -> dict[str, Any]:
    """Return the manifest of an app that uses Socket Mode, or is reached over HTTP at `url`."""
    base = None if url is None else url.rstrip("/")
    requests = {} if base is None else {"request_url": base + REQUESTS}
    back = {} if base is None else {"redirect_urls": [base + REDIRECT]}
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": "Footnote",
            "description": "Answers from your company's policies and quotes them exactly.",
            "background_color": "#1f2937",
        },
        "features": {
            "agent_view": {
                "agent_description": AGENT_TEXT,
                "suggested_prompts": [
                    {"title": title, "message": message} for title, message in PROMPTS
                ],
            },
            "app_home": {
                "home_tab_enabled": "app_home_opened" in LISTENED,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Footnote", "always_online": True},
            "shortcuts": [_shortcut(name) for name in shortcuts()],
            "slash_commands": [_command(name, base) for name in COMMANDS],
        },
        "oauth_config": {**back, "scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {**requests, "bot_events": sorted(LISTENED)},
            "interactivity": {"is_enabled": True, **requests},
            "org_deploy_enabled": False,
            "socket_mode_enabled": base is None,
            "token_rotation_enabled": False,
        },
    }


def shortcuts() -> list[str]:
    """Return the callback ids of the shortcuts that have a handler, in order."""
    return sorted(map(str, collected("SHORTCUTS")))


def _command(name: str, base: str | None) -> dict[str, Any]:
    description, hint = COMMAND_TEXTS[name]
    address = {} if base is None else {"url": base + REQUESTS}
    return {
        "command": name,
        **address,
        "description": description,
        "usage_hint": hint,
        "should_escape": False,
    }


def _shortcut(callback_id: str) -> dict[str, Any]:
    name, description = SHORTCUT_TEXTS[callback_id]
    return {
        "name": name,
        "type": "message",
        "callback_id": callback_id,
        "description": description,
    }


def written(url: str | None = None) -> str:
    """Return a manifest as its file holds it."""
    return json.dumps(manifest(url), indent=2) + "\n"


def main() -> None:
    """Write both files, or print the one for an address."""
    parser = argparse.ArgumentParser(prog="python -m bot.manifest", description="The manifests.")
    parser.add_argument("--url", help="the https address under which Slack reaches the bot")
    url = parser.parse_args().url
    if url is not None:
        sys.stdout.write(written(url))
        return
    for path, address in ((PATH, None), (HTTP_PATH, PLACEHOLDER)):
        path.write_text(written(address), encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
