"""The manifest in the repository is the one the code needs: no more, no less."""

import ast
import json
from collections.abc import Iterator

import pytest
from slack_sdk import WebClient

from bot import manifest
from bot.app import COMMANDS, EVENTS
from core.settings import ROOT

SCANNER = ROOT / "ingestion" / "sources" / "slack.py"


def methods_called() -> Iterator[str]:
    """The names of the Web API's methods that the bot and the scanner of channels call."""
    for path in sorted([*(ROOT / "bot").rglob("*.py"), SCANNER]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and callable(getattr(WebClient, node.attr, None)):
                yield node.attr


def test_the_file_is_what_the_code_makes() -> None:
    """`python -m bot.manifest` would change nothing."""
    assert manifest.PATH.read_text(encoding="utf-8") == manifest.written()
    assert json.loads(manifest.written()) == manifest.manifest()


def test_every_method_called_has_its_scopes_declared() -> None:
    """The table of scopes names exactly the methods that the code calls."""
    known = {name.replace(".", "_"): scopes for name, scopes in manifest.METHOD_SCOPES.items()}
    scopes = manifest.manifest()["oauth_config"]["scopes"]["bot"]

    assert set(methods_called()) == set(known)
    assert {scope for needed in known.values() for scope in needed} <= set(scopes)


def test_every_scope_has_a_use() -> None:
    """No scope is asked for that no method, event or command needs."""
    used = {scope for scopes in manifest.METHOD_SCOPES.values() for scope in scopes}
    used |= {*manifest.EVENT_SCOPES.values(), manifest.COMMAND_SCOPE}

    assert set(manifest.manifest()["oauth_config"]["scopes"]["bot"]) == used
    assert set(manifest.EVENT_SCOPES) == set(EVENTS)


def test_events_and_commands_declared_are_those_listened_to() -> None:
    """What the app subscribes to is what has a listener, and the other way round."""
    declared = manifest.manifest()
    events = declared["settings"]["event_subscriptions"]["bot_events"]
    commands = [command["command"] for command in declared["features"]["slash_commands"]]

    assert events == sorted(EVENTS)
    assert commands == sorted(COMMANDS)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        pytest.param(manifest.manifest()["display_information"]["name"], 35, id="name"),
        pytest.param(
            manifest.manifest()["display_information"]["description"], 140, id="description"
        ),
        *(
            pytest.param(text, 100, id=text)
            for texts in manifest.COMMAND_TEXTS.values()
            for text in texts
        ),
    ],
)
def test_texts_fit_the_form(text: str, limit: int) -> None:
    """Slack refuses a manifest whose texts are too long."""
    assert 0 < len(text) <= limit
