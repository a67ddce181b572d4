"""The manifests in the repository are those the code needs: no more, no less."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from bot import manifest
from bot.app import COMMANDS, EVENTS, LEAVING, OPENED, collected
from bot.http import EVENTS_PATH
from bot.oauth import REDIRECT_PATH
from core.settings import ROOT

SCANNER = ROOT / "ingestion" / "sources" / "slack.py"
SOCKET = manifest.manifest()
OF_CLIENTS = frozenset({"api_call"})  # names of a client that are no methods of Slack's


def methods_called() -> Iterator[str]:
    """The names of the Web API's methods that the bot and the scanner of channels call."""
    for path in sorted([*(ROOT / "bot").rglob("*.py"), SCANNER]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and is_method(node.attr):
                yield node.attr


def is_method(name: str) -> bool:
    """Whether a client's attribute is a method of the Web API."""
    own = name.startswith("_") or name in OF_CLIENTS
    return not own and callable(getattr(WebClient, name, None))


@pytest.mark.parametrize(
    ("path", "url"),
    [(manifest.PATH, None), (manifest.HTTP_PATH, manifest.PLACEHOLDER)],
    ids=["Socket Mode", "HTTP"],
)
def test_the_files_are_what_the_code_makes(path: Any, url: str | None) -> None:
    """`python -m bot.manifest` would change nothing."""
    assert path.read_text(encoding="utf-8") == manifest.written(url)
    assert json.loads(manifest.written(url)) == manifest.manifest(url)


def test_every_method_called_has_its_scopes_declared() -> None:
    """The table of scopes names exactly the methods that the code calls."""
    known = {name.replace(".", "_"): scopes for name, scopes in manifest.METHOD_SCOPES.items()}

    assert set(methods_called()) == set(known)
    assert {scope for needed in known.values() for scope in needed} <= manifest.SCOPES


def test_every_scope_has_a_use() -> None:
    """No scope is asked for that no method, event or command needs."""
    used = {scope for scopes in manifest.METHOD_SCOPES.values() for scope in scopes}
    used |= {scope for name in manifest.LISTENED for scope in manifest.EVENT_SCOPES[name]}

    assert set(SOCKET["oauth_config"]["scopes"]["bot"]) == used | {manifest.COMMAND_SCOPE}


def test_what_is_declared_is_what_is_listened_to() -> None:
    """Events, commands and shortcuts are those with a listener, and the other way round."""
    features = SOCKET["features"]
    declared = SOCKET["settings"]["event_subscriptions"]["bot_events"]

    assert declared == sorted({*EVENTS, *OPENED, *LEAVING})
    assert [command["command"] for command in features["slash_commands"]] == sorted(COMMANDS)
    ids = [shortcut["callback_id"] for shortcut in features["shortcuts"]]
    assert ids == sorted(map(str, collected("SHORTCUTS")))
    assert features["app_home"]["home_tab_enabled"] is ("app_home_opened" in declared)
    assert SOCKET["settings"]["interactivity"]["is_enabled"] is bool(collected("ACTIONS"))


def test_both_ways_differ_in_addresses_only() -> None:
    """Over HTTP each address is the one that is served, and nothing else is different."""
    over_http = manifest.manifest("https://bot.example.com/")
    requests = "https://bot.example.com" + EVENTS_PATH
    settings = over_http["settings"]
    assert settings["event_subscriptions"].pop("request_url") == requests
    assert settings["interactivity"].pop("request_url") == requests
    assert {c.pop("url") for c in over_http["features"]["slash_commands"]} == {requests}
    back = over_http["oauth_config"].pop("redirect_urls")
    assert back == ["https://bot.example.com" + REDIRECT_PATH]
    assert settings["socket_mode_enabled"] is False
    settings["socket_mode_enabled"] = True
    assert over_http == SOCKET


def test_an_address_is_printed_and_no_file_touched() -> None:
    """With `--url` the manifest for that address is printed."""
    before = manifest.HTTP_PATH.stat().st_mtime_ns
    told = subprocess.run(
        [sys.executable, "-m", "bot.manifest", "--url", "https://bot.corp.example"],
        capture_output=True,
        check=True,
        cwd=ROOT,
        encoding="utf-8",
    ).stdout
    assert "https://bot.corp.example/slack/events" in told
    assert manifest.PLACEHOLDER not in told
    assert manifest.HTTP_PATH.stat().st_mtime_ns == before


def texts() -> Iterator[tuple[str, int]]:
    """Every text that Slack limits, with its limit in characters."""
    shown = SOCKET["display_information"]
    yield shown["name"], 35
    yield shown["description"], 140
    agent = SOCKET["features"]["agent_view"]
    yield agent["agent_description"], 300
    for prompt in agent["suggested_prompts"]:
        yield prompt["title"], 75
        yield prompt["message"], 200
    for command in manifest.COMMAND_TEXTS.values():
        yield from ((text, 100) for text in command)
    for name, description in manifest.SHORTCUT_TEXTS.values():
        yield name, 24
        yield description, 150


@pytest.mark.parametrize(("text", "limit"), [*texts()])
def test_texts_fit_the_form(text: str, limit: int) -> None:
    """Slack refuses a manifest whose texts are too long."""
    assert 0 < len(text) <= limit


def test_the_agent_has_its_present_form() -> None:
    """At most four prompts are suggested, and the older form of an assistant is not there."""
    assert 1 <= len(SOCKET["features"]["agent_view"]["suggested_prompts"]) <= 4
    assert "assistant_view" not in SOCKET["features"]
