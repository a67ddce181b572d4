"""Which way to Slack the settings name, and what they lack."""

import pytest
from cryptography.fernet import Fernet

from bot.mode import Mode, slack_mode
from bot.status import check_slack
from core.errors import ConfigurationError
from core.settings import Settings

BOT = {"SLACK_BOT_TOKEN": "xoxb-1"}
APP = {"SLACK_APP_TOKEN": "xapp-1"}
SIGNED = {"SLACK_SIGNING_SECRET": "s"}
CLIENT = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "c"}
KEY = {
    "FOOTNOTE_SECRET_KEY": f"{Fernet.generate_key().decode()}, {Fernet.generate_key().decode()}"
}


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        pytest.param({}, "none", id="nothing"),
        pytest.param(BOT | APP, "socket", id="both tokens"),
        pytest.param(BOT | APP | SIGNED, "socket", id="an app token comes first"),
        pytest.param(BOT | SIGNED, "http", id="a bot token and a signing secret"),
        pytest.param(SIGNED | CLIENT | KEY, "oauth", id="the app's client and a key"),
    ],
)
def test_the_settings_name_the_way(given: dict[str, str], mode: Mode) -> None:
    """Socket Mode with an app token; HTTP with a signing secret; for all teams with a client."""
    assert slack_mode(Settings.model_validate(given)) == mode


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(APP, "Set both SLACK_BOT_TOKEN", id="an app token alone"),
        pytest.param(BOT, "set SLACK_APP_TOKEN .* or SLACK_SIGNING", id="a bot token alone"),
        pytest.param(SIGNED, "set SLACK_BOT_TOKEN .* or SLACK_CLIENT_ID", id="a secret alone"),
        pytest.param(CLIENT | KEY, "Set SLACK_SIGNING_SECRET", id="no signing secret"),
        pytest.param(
            SIGNED | KEY | {"SLACK_CLIENT_ID": "1.2"}, "set SLACK_CLIENT_SECRET too", id="half"
        ),
        pytest.param(
            SIGNED | KEY | {"SLACK_CLIENT_SECRET": "c"}, "set SLACK_CLIENT_ID too", id="other half"
        ),
        pytest.param(SIGNED | CLIENT, "Set FOOTNOTE_SECRET_KEY", id="no key"),
        pytest.param(
            SIGNED | CLIENT | {"FOOTNOTE_SECRET_KEY": "hunter2"}, "is not a key", id="no such key"
        ),
        pytest.param(SIGNED | CLIENT | KEY | BOT, "unset one of the two", id="one team and all"),
        pytest.param(SIGNED | {"SLACK_BOT_TOKEN": "xoxp-1"}, "not a bot token", id="user token"),
    ],
)
def test_half_a_setting_says_what_to_set(given: dict[str, str], words: str) -> None:
    """Each incomplete combination is told in one sentence, by the bot and by the doctor."""
    settings = Settings.model_validate(given)
    with pytest.raises(ConfigurationError, match=words) as told:
        slack_mode(settings)
    assert "hunter2" not in str(told.value)
    assert check_slack(settings).detail == str(told.value)
    assert check_slack(settings).state == "error"


def test_the_doctor_tells_where_the_app_is_installed_from() -> None:
    """With an address the page is named; without one the doctor asks for it."""
    settings = Settings.model_validate(SIGNED | CLIENT | KEY)
    assert check_slack(settings).state == "limited"
    assert "FOOTNOTE_SLACK_URL" in check_slack(settings).detail
    known = settings.model_copy(update={"slack_url": "https://bot.example.com/"})
    assert check_slack(known).state == "ok"
    assert "https://bot.example.com/slack/install" in check_slack(known).detail
