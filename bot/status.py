"""Whether Slack would work as it is set up: what `doctor` and `up` say of it."""

from dataclasses import dataclass
from typing import Literal

from bot.client import Identity, check_app_token, client_of, identify, tokens
from bot.manifest import SCOPES
from bot.mode import Mode, slack_mode
from core.errors import FootnoteError
from core.settings import Settings


@dataclass(frozen=True)
class SlackStatus:
    """What `footnote doctor` says of Slack."""

    state: Literal["ok", "limited", "error", "none"]
    detail: str


NOT_CONNECTED = SlackStatus("none", "not connected. Set SLACK_BOT_TOKEN and SLACK_APP_TOKEN.")


def check_slack(settings: Settings) -> SlackStatus:
    """Try the tokens and hold the granted scopes against the manifest; changes nothing.

    Where workspaces install the app themselves, only the settings are looked at.
    """
    try:
        mode = slack_mode(settings)
        if mode == "none":
            return NOT_CONNECTED
        if mode == "oauth":
            return _open_to_all(settings)
        return _one_team(mode, _identity(settings, mode))
    except FootnoteError as error:
        return SlackStatus("error", str(error))


def _identity(settings: Settings, mode: Mode) -> Identity:
    if mode == "http":
        given = settings.slack_bot_token
        return identify(client_of(settings, given.get_secret_value() if given else None))
    bot_token, app_token = tokens(settings)
    client = client_of(settings, bot_token)
    identity = identify(client)
    check_app_token(client, app_token)
    return identity


def _one_team(mode: Mode, identity: Identity) -> SlackStatus:
    missing = SCOPES - identity.scopes if identity.scopes else frozenset()
    if missing:
        file = "manifest.http.json" if mode == "http" else "manifest.json"
        return SlackStatus(
            "limited",
            f"the app lacks {', '.join(sorted(missing))}: update it from {file} and reinstall it.",
        )
    return SlackStatus("ok", f"@{identity.name} in {identity.team}")


def _open_to_all(settings: Settings) -> SlackStatus:
    address = settings.slack_address
    if address is None:
        return SlackStatus(
            "limited",
            "set FOOTNOTE_SLACK_URL to the https address under which Slack reaches port"
            f" {settings.slack_port}; the way back from Slack's page leads there too.",
        )
    return SlackStatus("ok", f"to be installed at {address}/slack/install")
