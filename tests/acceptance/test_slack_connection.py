"""Connecting to Slack, staying connected, and saying plainly why not."""

import threading

import pytest
from sqlalchemy import Engine

from bot.socket import run_socket_mode
from bot.status import check_slack
from core.errors import ConfigurationError
from core.settings import Settings
from graph.state import Question
from store.answers import Answer
from tests.acceptance.slack_face import Answerer, KeptMembers, cited, running, settings_for, words
from tests.fakes.slack import SlackServer

SETTLING = 1.0  # seconds in which a second connection would be asked for

pytestmark = pytest.mark.timeout(60)


def test_stopping_lets_no_question_fall_silent(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """What is being answered when the bot stops still gets its answer."""
    begun, release = threading.Event(), threading.Event()

    def slowly(question: Question) -> Answer:
        begun.set()
        release.wait(10)
        return cited(question)

    answerer.script = slowly
    with running(slack, bot_engine, answerer):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        assert begun.wait(5)
        threading.Timer(1.0, release.set).start()

    assert "Sale items" in words(slack.replies(slack.general)[0])


def test_one_connection_is_asked_for(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """A start makes one connection, and does not replace it while it is being made."""
    with running(slack, bot_engine, answerer):
        threading.Event().wait(SETTLING)
        slack.say(slack.dm(slack.alice), slack.alice, "sale?")
        slack.wait_for_messages(slack.dm(slack.alice))
    assert len(slack.calls("apps.connections.open")) == 1


@pytest.mark.parametrize("how", ["told to reconnect", "cut"])
@pytest.mark.usefixtures("bot")
def test_a_lost_connection_is_made_again(slack: SlackServer, how: str) -> None:
    """After Slack refreshes or breaks the connection, questions are answered as before."""
    opened = slack.socket_mode.opened
    if how == "cut":
        slack.cut_connections()
    else:
        slack.end_connections()
    with slack.workspace.changed:
        assert slack.workspace.changed.wait_for(lambda: slack.socket_mode.opened > opened, 30)
    slack.say(slack.general, slack.alice, slack.mention("sale?"))

    assert len(slack.wait_for_messages(slack.general)) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"SLACK_BOT_TOKEN": "xoxb-wrong"},
            "invalid_auth: the bot token was refused. Reinstall the app and copy the token that"
            " begins with xoxb-",
            id="refused bot token",
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": "xapp-wrong"},
            "invalid_auth: the app token was refused. Make an app-level token with the scope"
            " connections:write",
            id="refused app token",
        ),
        pytest.param(
            {"SLACK_BOT_TOKEN": "xoxp-user"}, "SLACK_BOT_TOKEN is not a bot token", id="user token"
        ),
        pytest.param(
            {"SLACK_APP_TOKEN": "xoxb-bot"}, "SLACK_APP_TOKEN is not an app-level", id="two bots"
        ),
        pytest.param({"SLACK_BOT_TOKEN": "xoxb-a\u2013b"}, "not a bot token", id="a dash pasted"),
    ],
)
def test_a_token_that_does_not_work_is_explained(
    slack: SlackServer, engine: Engine, changes: dict[str, str], sentence: str
) -> None:
    """Both the doctor and the start say in one sentence which token is wrong and what to do."""
    settings = settings_for(slack, **changes)

    status = check_slack(settings)
    assert status.state == "error"
    assert sentence in status.detail
    with pytest.raises(ConfigurationError) as raised:
        run_socket_mode(settings, engine, 1, Answerer(), KeptMembers(), threading.Event())
    assert str(raised.value) == status.detail


def test_swapped_tokens_are_recognised(slack: SlackServer) -> None:
    """The two tokens in each other's place are named as that."""
    swapped = {"SLACK_BOT_TOKEN": slack.app_token, "SLACK_APP_TOKEN": slack.bot_token}

    assert "are swapped" in check_slack(settings_for(slack, **swapped)).detail


def test_the_doctor_says_what_works(slack: SlackServer) -> None:
    """With good tokens the doctor names the bot and its team; without any, what to set."""
    status = check_slack(settings_for(slack))

    assert (status.state, status.detail[:12]) == ("ok", "@footnote in")
    assert check_slack(Settings.model_validate({})).state == "none"
    assert slack.socket_mode.links == []


def test_the_doctor_names_scopes_that_are_missing() -> None:
    """An app installed from an older manifest is told what it lacks."""
    with SlackServer(scopes=["chat:write", "commands", "users:read"]) as slack:
        status = check_slack(settings_for(slack))

    assert status.state == "limited"
    assert "app_mentions:read" in status.detail
    assert "chat:write" not in status.detail


def test_an_unreachable_slack_is_waited_for(
    engine: Engine, answerer: Answerer, members: KeptMembers
) -> None:
    """The doctor says that Slack cannot be reached; the bot keeps trying until told to stop."""
    nowhere = {"SLACK_API_URL": "http://127.0.0.1:9/api/"}
    settings = Settings.model_validate(
        nowhere | {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    )
    status = check_slack(settings)
    assert status.detail.startswith("Slack cannot be reached at http://127.0.0.1:9/api/")

    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    run_socket_mode(settings, engine, 1, answerer, members, stop)


def test_the_bot_starts_although_slack_stumbles(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Errors of Slack's own while connecting are tried again, not reported as a wrong token."""
    slack.fail("auth.test", "fatal_error")
    slack.fail("apps.connections.open", "500", times=4)
    with running(slack, bot_engine, answerer):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        slack.wait_for_messages(slack.general)
