"""Several workspaces of the local Slack: installing the app, leaving, and shared channels."""

import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from slack_sdk import WebClient
from slack_sdk.oauth import AuthorizeUrlGenerator

from tests.fakes.slack import NotSeenError, SlackServer, Team
from tests.fakes.slack.records import Json
from tests.unit.fakes.asking import client_of, code

BACK = "https://bot.example.com/slack/oauth_redirect"


@pytest.fixture
def other(slack: SlackServer) -> Team:
    """A second workspace in which the app is installed too."""
    return slack.add_workspace("globex")


def page(slack: SlackServer, state: str = "st4te", back: str = BACK) -> str:
    """The installation page's address as the SDK builds it."""
    scopes = ["chat:write", "app_mentions:read"]
    generator = AuthorizeUrlGenerator(client_id=slack.client_id, scopes=scopes, redirect_uri=back)
    return generator.generate(state)


def code_of(url: str) -> str:
    """The code in the address that a browser is sent back to."""
    return parse_qs(urlsplit(url).query)["code"][0]


def exchange(slack: SlackServer, code: str, **changes: str) -> Json:
    """The arguments that exchange a code."""
    given = {"client_id": slack.client_id, "client_secret": slack.client_secret}
    return given | {"code": code, "redirect_uri": BACK} | changes


def events(slack: SlackServer) -> list[tuple[str, str]]:
    """(team, type) of every event that went out."""
    return [(d.payload["team_id"], d.event["type"]) for d in slack.deliveries]


def test_a_token_opens_its_own_workspace(slack: SlackServer, other: Team) -> None:
    """Each token says whose it is, and finds no person and no place of the other."""
    ours, theirs = client_of(slack), client_of(slack, other.workspace.bot_token)
    answer = theirs.auth_test()
    assert (answer["team_id"], answer["user_id"]) == (other.team_id, other.bot_user)
    assert (answer["url"], answer["team"]) == ("https://globex.slack.com/", "Globex")
    assert ours.auth_test()["team_id"] == slack.team_id != other.team_id
    assert code(theirs.users_info, user=slack.alice) == "user_not_found"
    assert code(theirs.chat_postMessage, channel=slack.general, text="x") == "channel_not_found"
    theirs.chat_postMessage(channel=other.general, text="hello there")
    assert [m.text for m in other.messages(other.general)] == ["hello there"]
    ours.chat_postMessage(channel=slack.alice, text="hello here")
    assert (slack.reply_count(), other.reply_count()) == (1, 1)
    assert len(other.wait_for_calls("chat.postMessage", 2)) == 2
    assert len(slack.wait_for_calls("chat.postMessage", 3)) == 3


def test_each_workspace_is_heard_by_its_id(slack: SlackServer, other: Team) -> None:
    """Events, commands and presses say which team they come from and whose bot it is."""
    other.say(other.general, other.alice, other.mention("hello"))
    slack.say(slack.general, slack.alice, other.mention("hello"))  # a stranger's id here
    assert events(slack) == [
        (other.team_id, "app_mention"),
        (other.team_id, "message"),
        (slack.team_id, "message"),
    ]
    authorised = slack.deliveries[0].payload["authorizations"][0]
    assert (authorised["team_id"], authorised["user_id"]) == (other.team_id, other.bot_user)
    cited = other.slash("/cite", "", other.general, other.alice)
    assert cited.delivery.payload["team_id"] == other.team_id
    assert slack.add_workspace("third").team_id in slack.teams


def test_a_response_url_leads_to_its_workspace(other: Team) -> None:
    """What is posted to it stands where the command was used."""
    cited = other.slash("/cite", "", other.general, other.alice)
    address = cited.delivery.payload["response_url"]
    asked = urllib.request.Request(address, b'{"text": "psst"}')  # noqa: S310
    asked.add_header("Content-Type", "application/json")
    urllib.request.urlopen(asked, timeout=5).close()  # noqa: S310
    assert [m.text for m in other.ephemerals(other.general, other.alice)] == ["psst"]


@pytest.mark.parametrize("basic", [True, False])
def test_a_code_is_exchanged_once(slack: SlackServer, basic: bool) -> None:
    """The person allows it, the code comes back with the state, and buys one token."""
    team = slack.add_workspace("initech", installed=False)
    assert code(client_of(slack, team.bot_token).auth_test) == "invalid_auth"
    back = team.authorize_url_to_code(page(slack), team.bob)
    assert back.startswith(f"{BACK}?code=")
    assert parse_qs(urlsplit(back).query)["state"] == ["st4te"]
    bare, arguments = WebClient(base_url=slack.url), exchange(slack, code_of(back))
    if basic:
        got = bare.oauth_v2_access(**arguments)
    else:
        got = bare.api_call("oauth.v2.access", params=arguments)
    assert got["access_token"] == team.bot_token
    assert (got["team"]["id"], got["bot_user_id"]) == (team.team_id, team.bot_user)
    assert (got["authed_user"]["id"], got["token_type"]) == (team.bob, "bot")
    assert got["scope"] == "app_mentions:read,chat:write"
    assert client_of(slack, got["access_token"]).auth_test()["team_id"] == team.team_id
    assert code(bare.oauth_v2_access, **arguments) == "code_already_used"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "made-up"}, "invalid_code"),
        ({"client_id": "1.2"}, "invalid_client_id"),
        ({"client_secret": "guessed"}, "bad_client_secret"),
        ({"redirect_uri": "https://evil.example.com"}, "bad_redirect_uri"),
    ],
)
def test_a_wrong_exchange_is_refused(slack: SlackServer, changes: Json, error: str) -> None:
    """Each is refused by name, and the code is still good after it."""
    asked = exchange(slack, code_of(slack.authorize_url_to_code(page(slack))))
    access = WebClient(base_url=slack.url).oauth_v2_access
    assert code(access, **asked | changes) == error
    assert access(**asked)["ok"]


def test_a_person_may_refuse(slack: SlackServer) -> None:
    """The browser then brings an error and the state; a foreign page is none of ours."""
    back = slack.authorize_url_to_code(page(slack), allow=False)
    assert parse_qs(urlsplit(back).query) == {"error": ["access_denied"], "state": ["st4te"]}
    with pytest.raises(NotSeenError, match="no installation page"):
        slack.authorize_url_to_code(page(slack).replace(slack.client_id, "1.2"))


def test_a_browser_is_sent_back(slack: SlackServer) -> None:
    """The page itself answers with the way back, for whoever follows it."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    url = page(slack).replace("https://slack.com/oauth/v2/authorize", slack.authorize_url)
    with pytest.raises(urllib.error.HTTPError, match="302") as sent:
        urllib.request.build_opener(Stay).open(url, timeout=5)
    back = sent.value.headers["Location"]
    sent.value.close()
    access = WebClient(base_url=slack.url).oauth_v2_access
    assert access(**exchange(slack, code_of(back)))["team"]["id"] == slack.team_id


def test_an_app_is_thrown_out_and_comes_back(slack: SlackServer, other: Team) -> None:
    """Its token ends, it is told, hears nothing more, and gets another token when it returns."""
    old = other.workspace.bot_token
    other.uninstall()
    other.say(other.general, other.alice, "anyone?")
    assert events(slack) == [(other.team_id, "tokens_revoked"), (other.team_id, "app_uninstalled")]
    assert slack.deliveries[0].event["tokens"] == {"oauth": [], "bot": [other.bot_user]}
    assert code(client_of(slack, old).auth_test) == "account_inactive"
    assert client_of(slack).auth_test()["ok"]
    back = other.authorize_url_to_code(page(slack))
    WebClient(base_url=slack.url).oauth_v2_access(**exchange(slack, code_of(back)))
    client = client_of(slack, other.bot_token)
    assert other.bot_token != old
    assert code(client.chat_postMessage, channel=other.general, text="x") == "not_in_channel"
    other.join(other.general, other.bot_user)
    assert client.chat_postMessage(channel=other.general, text="back")["ok"]


def test_an_app_gives_its_token_up(slack: SlackServer, other: Team) -> None:
    """auth.revoke and apps.uninstall do by call what people do by hand."""
    client, token = client_of(slack, other.bot_token), other.bot_token
    assert client.auth_revoke(test=True)["revoked"] is False
    assert client.auth_revoke()["revoked"]
    assert code(client.auth_test) == "token_revoked"
    ours = client_of(slack)
    wrong = {"client_id": slack.client_id, "client_secret": "x"}
    assert code(ours.apps_uninstall, **wrong) == "bad_client_secret"
    ours.apps_uninstall(client_id=slack.client_id, client_secret=slack.client_secret)
    assert code(ours.auth_test) == "account_inactive"
    assert [name for _, name in events(slack)] == [
        "tokens_revoked",
        "tokens_revoked",
        "app_uninstalled",
    ]
    assert token != other.workspace.world.primary.bot_token


# -- Slack Connect ------------------------------------------------------------------------------


@pytest.fixture
def shared(slack: SlackServer, other: Team) -> str:
    """A channel of ours that people of the other workspace are in too, but not their bot."""
    channel = slack.add_channel("project", [slack.alice]).id
    slack.share_channel(channel, other, other.bob)
    return channel


def test_a_stranger_speaks_in_a_shared_channel(
    slack: SlackServer, other: Team, shared: str
) -> None:
    """The event comes once, through our installation, with the person's own team beside them."""
    ts = other.say(shared, other.bob, slack.mention("hello"))
    mention, message = (d.payload for d in slack.deliveries)
    assert (mention["event"]["type"], message["event"]["type"]) == ("app_mention", "message")
    assert message["team_id"] == message["authorizations"][0]["team_id"] == slack.team_id
    assert message["is_ext_shared_channel"] is True
    event = message["event"]
    assert event["team"] == event["user_team"] == event["source_team"] == other.team_id
    assert [m.ts for m in slack.messages(shared)] == [m.ts for m in other.messages(shared)] == [ts]
    client = client_of(slack)
    who = client.users_info(user=other.bob)["user"]
    assert (who["team_id"], "email" in who["profile"]) == (other.team_id, False)
    place = client.conversations_info(channel=shared)["channel"]
    assert (place["is_ext_shared"], place["connected_team_ids"]) == (True, [other.team_id])
    own = slack.say(shared, slack.alice, "hi")
    assert "user_team" not in slack.deliveries[-1].event
    client.chat_postMessage(channel=shared, text="hello both", thread_ts=own)
    assert other.messages(shared, own)[-1].text == "hello both"


def test_a_shared_channel_with_both_bots_is_heard_once(
    slack: SlackServer, other: Team, shared: str
) -> None:
    """Whoever's bot is addressed has the event; without an address, the speaker's team has it."""
    other.join(shared, other.bot_user)
    other.say(shared, other.bob, slack.mention("hello"))
    other.say(shared, other.bob, "and you?")
    slack.say(shared, slack.alice, other.mention("hello"))
    assert events(slack) == [
        (slack.team_id, "app_mention"),
        (slack.team_id, "message"),
        (other.team_id, "message"),
        (other.team_id, "app_mention"),
        (other.team_id, "message"),
    ]
    assert slack.deliveries[-1].event["user_team"] == slack.team_id
    theirs = client_of(slack, other.bot_token)
    ts = theirs.chat_postMessage(channel=shared, text="I am theirs")["ts"]
    seen = client_of(slack).conversations_history(channel=shared, limit=1)["messages"][0]
    assert (seen["bot_id"], seen["team"]) == (other.workspace.bot_id, other.team_id)
    refused = code(client_of(slack).chat_update, channel=shared, ts=ts, text="mine")
    assert refused == "cant_update_message"


def test_files_of_a_shared_channel_are_seen_by_both(
    slack: SlackServer, other: Team, shared: str
) -> None:
    """What is shared there either may look at; what is in another place only its own may."""
    there = other.share_file(shared, other.bob, "plan.md", b"# Plan")
    private = other.share_file(other.general, other.bob, "pay.md", b"# Pay")
    ours = client_of(slack)
    assert ours.files_info(file=there.id)["file"]["name"] == "plan.md"
    assert code(ours.files_info, file=private.id) == "file_not_found"
    other.delete_file(there)
    assert code(ours.files_info, file=there.id) == "file_deleted"
