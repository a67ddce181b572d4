"""How the bot meets Slack: which settings decide it, and what is missing where they do not fit."""

from typing import Literal

from bot.client import MISSING, NOT_A_BOT, is_bot_token
from bot.seal import Seal
from core.errors import ConfigurationError
from core.settings import Settings

Mode = Literal["none", "socket", "http", "oauth"]
"""Not at all; by Socket Mode; by HTTP for one workspace; by HTTP for all that install the app."""

NO_WAY_IN = (
    "SLACK_BOT_TOKEN alone connects nothing: set SLACK_APP_TOKEN (xapp-…) for Socket Mode, or"
    " SLACK_SIGNING_SECRET for requests over HTTP."
)
UNSIGNED = (
    "Set SLACK_SIGNING_SECRET (the app's page Basic Information): workspaces that install the app"
    " are served over HTTP, and Slack signs its requests with it."
)
NO_WORKSPACE = (
    "SLACK_SIGNING_SECRET alone serves no workspace: set SLACK_BOT_TOKEN (xoxb-…) for one, or"
    " SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and FOOTNOTE_SECRET_KEY for all that install the app."
)
HALF_A_CLIENT = "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET belong together: set {missing} too."
BOTH_WAYS = (
    "SLACK_BOT_TOKEN serves one workspace, SLACK_CLIENT_ID all that install the app: unset one of"
    " the two."
)


def slack_mode(settings: Settings) -> Mode:
    """Return how the bot meets Slack.

    Raises ConfigurationError, with what to set, where the settings are half of something.
    """
    if settings.slack_app_token is not None:
        if settings.slack_bot_token is None:
            raise ConfigurationError(MISSING)
        return "socket"
    client = _client_given(settings)
    if settings.slack_signing_secret is None:
        if client:
            raise ConfigurationError(UNSIGNED)
        if settings.slack_bot_token is not None:
            raise ConfigurationError(NO_WAY_IN)
        return "none"
    if settings.slack_bot_token is None:
        if not client:
            raise ConfigurationError(NO_WORKSPACE)
        Seal(settings.secret_keys)
        return "oauth"
    if client:
        raise ConfigurationError(BOTH_WAYS)
    if not is_bot_token(settings.slack_bot_token.get_secret_value()):
        raise ConfigurationError(NOT_A_BOT)
    return "http"


def _client_given(settings: Settings) -> bool:
    """Whether the app's client is named. Raises ConfigurationError where half of it is."""
    if (settings.slack_client_id is None) == (settings.slack_client_secret is None):
        return settings.slack_client_id is not None
    missing = "SLACK_CLIENT_ID" if settings.slack_client_id is None else "SLACK_CLIENT_SECRET"
    raise ConfigurationError(HALF_A_CLIENT.format(missing=missing))
