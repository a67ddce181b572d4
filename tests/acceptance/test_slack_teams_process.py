"""`footnote bot` over HTTP as a real process: a team installs it and asks its own policies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.settings import ROOT
from tests.acceptance.processes import Footnote, Running, free_port, installation, wait_until
from tests.acceptance.slack_face import declared, words
from tests.acceptance.slack_http import SIGNING_SECRET, Browser, oauth_variables
from tests.fakes.slack import SlackServer, Team

pytestmark = pytest.mark.timeout(180)
POLICY = ROOT / "samples" / "policies" / "returns-policy.md"
QUESTION = "Can I return a sale item after three weeks?"
QUOTE = "“Items bought in a sale can be returned within 14 days of delivery.”"
LONG = 60.0  # seconds


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    """A Slack whose first workspace has no app of ours."""
    manifest = declared()
    with SlackServer(
        events=manifest["settings"]["event_subscriptions"]["bot_events"],
        scopes=manifest["oauth_config"]["scopes"]["bot"],
    ) as server:
        yield server


@pytest.fixture(scope="module")
def home(
    embedder_cache: Path, processes_database_url: str, slack: SlackServer
) -> Iterator[Footnote]:
    """An installation that workspaces may install from."""
    port = free_port()
    variables = {
        "DATABASE_URL": processes_database_url,
        "SLACK_API_URL": slack.url,
        "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        "FOOTNOTE_SLACK_PORT": str(port),
        "FOOTNOTE_SLACK_URL": f"http://127.0.0.1:{port}",
    }
    with installation(embedder_cache, **variables | oauth_variables(slack)) as made:
        yield made


@pytest.fixture(scope="module")
def address(home: Footnote) -> str:
    """Where the bot is reached."""
    return home.environment["FOOTNOTE_SLACK_URL"]


@pytest.fixture(scope="module")
def bot(home: Footnote, slack: SlackServer, address: str) -> Iterator[Running]:
    """The running bot."""
    ready = home.home / "ready"
    running = home.start("bot", "--ready-file", str(ready))
    try:
        wait_until(ready.exists)
        slack.deliver_over_http(address, SIGNING_SECRET)
        yield running
    finally:
        slack.deliver_over_socket()
        code, _ = running.stop()
        home.tell(running)
        assert code == 0


@pytest.fixture(scope="module")
def globex(slack: SlackServer, bot: Running, address: str) -> Team:
    """A team that installed the app, with the bot in its channel."""
    del bot
    team = slack.add_workspace("globex", installed=False)
    assert Browser().install(address, team).status == 200
    team.join(team.general, team.bot_user)
    return team


def test_a_team_is_answered_from_its_own_documents(
    home: Footnote, globex: Team, bot: Running
) -> None:
    """What an operator adds for the team is quoted there, and is in no other workspace."""
    added = home.run("ingest", POLICY, FOOTNOTE_WORKSPACE=globex.team_id)
    assert added.code == 0, added.told
    ts = globex.say(globex.general, globex.alice, globex.mention(QUESTION))

    (reply,) = globex.wait_for_messages(globex.general, ts, timeout=LONG)
    assert QUOTE in words(reply)
    listed = home.run("documents", "list", "--json", FOOTNOTE_WORKSPACE=globex.team_id).json()
    assert [document["title"] for document in listed["documents"]] == ["Returns policy"]
    assert globex.bot_token not in bot.told
    assert "xoxb" not in bot.told


def test_a_team_without_documents_is_told_so(
    slack: SlackServer, address: str, globex: Team
) -> None:
    """Another team sees nothing of the first one's policies."""
    del globex
    team = slack.add_workspace("initech", installed=False)
    Browser().install(address, team)
    team.join(team.general, team.bot_user)
    ts = team.say(team.general, team.alice, team.mention(QUESTION))

    (reply,) = team.wait_for_messages(team.general, ts, timeout=LONG)
    assert "14 days" not in words(reply)


def test_a_workspace_that_is_not_there_is_told_with_those_that_are(
    home: Footnote, globex: Team
) -> None:
    """A mistyped name changes nothing and lists the known ones."""
    told = home.run("ingest", POLICY, FOOTNOTE_WORKSPACE="T0NOWHERE")
    assert told.code == 1
    assert "FOOTNOTE_WORKSPACE names T0NOWHERE" in told.err
    assert f"{globex.team_id}" in told.err
    assert "local" in told.err


def test_teams_are_listed_and_removed(home: Footnote, slack: SlackServer, address: str) -> None:
    """The operator sees who has the app, and can end it; the bot goes quiet there."""
    team = slack.add_workspace("umbrella", installed=False)
    Browser().install(address, team)
    team.join(team.general, team.bot_user)
    listed = {
        entry["team"]: entry for entry in home.run("slack", "list", "--json").json()["teams"]
    }
    assert listed[team.team_id]["name"] == "Umbrella"
    assert listed[team.team_id]["removed_at"] is None
    assert "xoxb" not in home.run("slack", "list").told

    assert home.run("slack", "remove", team.team_id).code == 0
    again = home.run("slack", "remove", team.team_id)
    assert (again.code, "slack list" in again.err) == (1, True)
    assert "removed on" in home.run("slack", "list").out
