"""Slack over HTTP: signed requests answered, all others turned away; teams that come and go."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from store.workspaces import LOCAL_WORKSPACE
from tests.acceptance.slack_face import Answerer, settle, words
from tests.acceptance.slack_http import Browser, all_teams, one_team
from tests.fakes.slack import SlackServer, Team
from tests.fakes.slack.signed_http import Forgery

pytestmark = pytest.mark.timeout(90)
CITED = "Sale items can be returned within 14 days."


@pytest.fixture
def single(slack: SlackServer, bot_engine: Engine, answerer: Answerer) -> Iterator[str]:
    """The address of a bot that serves one team."""
    with one_team(slack, bot_engine, answerer) as address:
        yield address


@pytest.fixture
def answerers() -> dict[int, Answerer]:
    """The answerer of each workspace's row."""
    return defaultdict(Answerer)


@pytest.fixture
def many(slack: SlackServer, bot_engine: Engine, answerers: dict[int, Answerer]) -> Iterator[str]:
    """The address of a bot that serves every team that installs it."""
    with all_teams(slack, bot_engine, answerers.__getitem__) as address:
        yield address


@pytest.fixture
def globex(slack: SlackServer) -> Team:
    """A workspace in which nobody installed the app yet."""
    return slack.add_workspace("globex", installed=False)


def bot_joins(team: Team) -> None:
    """Invite the bot to the team's channel, as somebody must after it was installed."""
    team.join(team.general, team.bot_user)


def installed(engine: Engine) -> dict[str, bool]:
    """The teams that are kept, and whether each has the app now."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT team_id, removed_at IS NULL FROM installations"))
        return {team: bool(there) for team, there in rows}


# --- one team, by its token ---------------------------------------------------------------


@pytest.mark.usefixtures("single")
def test_a_mention_is_answered_once(slack: SlackServer, answerer: Answerer) -> None:
    """Delivered over and over, it is answered in its thread, once."""
    slack.duplicate_next_event(times=3)
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general, ts)
    settle(slack)
    (reply,) = slack.replies(slack.general, ts)
    assert CITED in words(reply)
    assert len(answerer.asked) == 1


@pytest.mark.usefixtures("single")
def test_a_command_is_answered_privately(slack: SlackServer) -> None:
    """Commands come over the same path."""
    slack.slash("/cite", "sale?", slack.general, slack.bob).wait_for_ack()
    (shown,) = slack.wait_for_ephemerals(slack.general, slack.bob)
    assert CITED in words(shown)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("how", ["unsigned", "altered", "stale", "future", "wrong_secret"])
def test_an_impostor_has_no_effect(
    slack: SlackServer, answerer: Answerer, bot_engine: Engine, how: Forgery
) -> None:
    """The request is answered with 401; nothing is kept, asked or posted."""
    answer = slack.forge(how)
    settle(slack)
    with bot_engine.connect() as connection:
        kept = connection.execute(text("SELECT count(*) FROM events")).scalar_one()
    assert (answer.status, kept, answerer.asked) == (401, 0, [])
    assert slack.replies(slack.general) == []


@pytest.mark.usefixtures("single")
def test_the_address_is_verified(slack: SlackServer) -> None:
    """Slack asks once whether the address is the app's own."""
    slack.verify_url()


def test_acknowledgements_come_at_once(slack: SlackServer, single: str) -> None:
    """Each request is answered long before Slack would send it again."""
    for number in range(20):
        slack.say(slack.general, slack.alice, slack.mention(f"question {number}"))
    settle(slack)
    assert len(slack.ack_times()) >= 20
    assert max(slack.ack_times()) < 1_000
    assert Browser().get(f"{single}/health").status == 200


# --- teams that install the app -----------------------------------------------------------


def test_a_team_installs_the_app_and_is_answered(
    slack: SlackServer,
    many: str,
    globex: Team,
    bot_engine: Engine,
    answerers: dict[int, Answerer],
) -> None:
    """From the page to the answer: with the team's own token, in a workspace of its own."""
    browser = Browser()
    page = browser.get(f"{many}/slack/install")
    assert "Add Footnote to Slack" in page.html
    assert page.link.startswith(slack.authorize_url)
    (attributes,) = browser.attributes.values()
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {a.strip() for a in attributes.split(";")}

    done = browser.install(many, globex)
    assert (done.status, "Footnote is in Globex" in done.html) == (200, True)
    bot_joins(globex)
    ts = globex.say(globex.general, globex.alice, globex.mention("sale?"))
    (reply,) = globex.wait_for_messages(globex.general, ts)
    assert CITED in words(reply)
    assert installed(bot_engine) == {globex.team_id: True}
    with bot_engine.connect() as connection:
        rows = connection.execute(text("SELECT key, id FROM workspaces")).all()
        keys = {str(row.key): int(row.id) for row in rows}
    assert set(keys) - {LOCAL_WORKSPACE} == {globex.team_id}
    assert [question.text for question in answerers[keys[globex.team_id]].asked] == ["sale?"]


def test_a_team_without_the_app_is_not_answered(
    slack: SlackServer, many: str, globex: Team, answerers: dict[int, Answerer]
) -> None:
    """What comes from a team that never installed it is acknowledged and goes nowhere."""
    Browser().install(many, globex)
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    settle(slack)
    assert slack.replies(slack.general, ts) == []
    assert [q for answerer in answerers.values() for q in answerer.asked] == []


def test_two_teams_are_kept_apart(
    slack: SlackServer, many: str, globex: Team, bot_engine: Engine
) -> None:
    """Each is answered in its own place with its own token, whatever the other does."""
    initech = slack.add_workspace("initech", installed=False)
    for team in (globex, initech):
        Browser().install(many, team)
        bot_joins(team)
    asked = {
        team: team.say(team.general, team.bob, team.mention("sale?")) for team in (globex, initech)
    }
    for team, ts in asked.items():
        team.wait_for_messages(team.general, ts)
    settle(slack)
    assert [len(team.replies(team.general)) for team in asked] == [1, 1]
    assert installed(bot_engine) == {globex.team_id: True, initech.team_id: True}
    assert slack.reply_count() == 0


Attempt = Callable[[str, Team], tuple[int, str]]


def denied(address: str, team: Team) -> tuple[int, str]:
    """The person says no on Slack's page."""
    browser = Browser()
    link = browser.get(f"{address}/slack/install").link
    page = browser.get(team.authorize_url_to_code(link, allow=False))
    return page.status, page.html


def forged(address: str, team: Team) -> tuple[int, str]:
    """Somebody makes a state up, cookie and all."""
    browser = Browser()
    link = browser.get(f"{address}/slack/install").link
    (name,) = browser.cookies
    real = browser.cookies[name]
    browser.cookies[name] = "made-up"
    page = browser.get(team.authorize_url_to_code(link).replace(real, "made-up"))
    return page.status, page.html


def from_another_browser(address: str, team: Team) -> tuple[int, str]:
    """Somebody sends a victim the way back of an installation of their own."""
    link = Browser().get(f"{address}/slack/install").link
    page = Browser().get(team.authorize_url_to_code(link))
    return page.status, page.html


def without_code(address: str, team: Team) -> tuple[int, str]:
    """The way back is opened by hand."""
    del team
    page = Browser().get(f"{address}/slack/oauth_redirect")
    return page.status, page.html


def wrong_code(address: str, team: Team) -> tuple[int, str]:
    """Somebody guesses a code."""
    browser = Browser()
    link = browser.get(f"{address}/slack/install").link
    back = team.authorize_url_to_code(link)
    page = browser.get(back.replace("code=", "code=x"))
    return page.status, page.html


@pytest.mark.parametrize(
    ("attempt", "status", "why"),
    [
        pytest.param(denied, 200, "You did not allow it", id="denied"),
        pytest.param(forged, 401, "older than ten minutes", id="forged state"),
        pytest.param(from_another_browser, 400, "another browser", id="another browser"),
        pytest.param(without_code, 400, "another browser", id="no state"),
        pytest.param(wrong_code, 401, "did not take the code", id="wrong code"),
    ],
)
def test_an_installation_that_goes_wrong_leaves_nothing(
    many: str, globex: Team, bot_engine: Engine, attempt: Attempt, status: int, why: str
) -> None:
    """The page says why and where to begin again; no team is kept."""
    told, html = attempt(many, globex)
    assert told == status
    assert why in html
    assert 'href="/slack/install"' in html
    assert installed(bot_engine) == {}


def test_a_way_back_is_good_once(many: str, globex: Team) -> None:
    """Opened a second time, also in the same browser, it installs nothing."""
    browser = Browser()
    link = browser.get(f"{many}/slack/install").link
    cookies = dict(browser.cookies)
    first, second = (globex.authorize_url_to_code(link) for _ in range(2))
    assert browser.get(first).status == 200
    browser.cookies = cookies
    assert browser.get(second).status == 401
    assert browser.get(first).status == 401


def test_an_unreachable_slack_is_told(slack: SlackServer, many: str, globex: Team) -> None:
    """The page says so, and begins again."""
    browser = Browser()
    link = browser.get(f"{many}/slack/install").link
    slack.fail("oauth.v2.access", "drop", times=9)
    page = browser.get(globex.authorize_url_to_code(link))
    assert (page.status, "cannot be reached" in page.html) == (502, True)


def test_after_leaving_nothing_more_is_posted(
    slack: SlackServer, many: str, globex: Team, bot_engine: Engine
) -> None:
    """A team that throws the app out is not served; one that comes back has a new token."""
    Browser().install(many, globex)
    bot_joins(globex)
    globex.say(globex.general, globex.alice, globex.mention("sale?"))
    globex.wait_for_messages(globex.general)
    globex.uninstall()
    settle(slack)
    assert installed(bot_engine) == {globex.team_id: False}
    with bot_engine.connect() as connection:
        kept = connection.execute(text("SELECT sealed FROM installations")).scalar_one()
    assert bytes(kept) == b""
    before = len(slack.calls())

    Browser().install(many, globex)
    bot_joins(globex)
    ts = globex.say(globex.general, globex.alice, globex.mention("sale again?"))
    globex.wait_for_messages(globex.general, ts)
    assert installed(bot_engine) == {globex.team_id: True}
    assert {c.error for c in slack.calls()[before:] if c.method.startswith("chat.")} == {None}


def test_a_late_goodbye_ends_nothing(
    slack: SlackServer, many: str, globex: Team, bot_engine: Engine
) -> None:
    """That a team left, heard when the app is there again, changes nothing."""
    Browser().install(many, globex)
    globex.send_event({"type": "app_uninstalled"})
    globex.send_event({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}})
    settle(slack)
    assert installed(bot_engine) == {globex.team_id: True}
