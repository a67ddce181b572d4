"""`up` with Slack's tokens: the whole path, from an event to checked footnotes in the thread."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import Footnote, Running, free_port, installation, wait_until
from tests.acceptance.slack_face import declared, words
from tests.fakes.slack import SlackServer

pytestmark = pytest.mark.timeout(180)
QUESTION = "Can I return a sale item after three weeks?"
QUOTE = "“Items bought in a sale can be returned within 14 days of delivery.”"
LONG = 60.0  # seconds: a bot that was killed is started again first


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    """A workspace in which the app is installed as its manifest says."""
    manifest = declared()
    with SlackServer(
        events=manifest["settings"]["event_subscriptions"]["bot_events"],
        scopes=manifest["oauth_config"]["scopes"]["bot"],
    ) as server:
        yield server


def tokens(slack: SlackServer) -> dict[str, str]:
    """The variables that connect to that workspace."""
    return {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.url,
    }


@pytest.fixture(scope="module")
def running(library: Footnote, slack: SlackServer) -> Iterator[Running]:
    """An `up` on the sample policies that is connected to Slack."""
    with library.up("--no-samples", **tokens(slack)) as up:
        slack.wait_for_connection(timeout=LONG)
        yield up


def test_up_says_who_it_is_in_slack(running: Running) -> None:
    """The bot's name and the team are reported among what runs."""
    (line,) = [line for line in running.lines if "Slack" in line]
    assert line.startswith("  ✓ Slack")
    assert "@" in line


@pytest.mark.usefixtures("running")
def test_a_mention_is_answered_in_its_thread_with_footnotes(slack: SlackServer) -> None:
    """The reply opens a thread under the mention and quotes the policy's own words."""
    ts = slack.say(slack.general, slack.alice, slack.mention(QUESTION))

    (reply,) = slack.wait_for_messages(slack.general, ts)
    assert reply.thread_ts == ts
    assert QUOTE in words(reply)
    assert "¹ Returns policy" in words(reply)


@pytest.mark.usefixtures("running")
def test_a_direct_message_is_answered(slack: SlackServer) -> None:
    """No mention is needed where one writes to the bot alone."""
    channel = slack.dm(slack.bob)
    slack.say(channel, slack.bob, QUESTION)

    (reply,) = slack.wait_for_messages(channel)
    assert QUOTE in words(reply)


@pytest.mark.usefixtures("running")
def test_a_follow_up_in_a_thread_knows_what_was_asked(slack: SlackServer) -> None:
    """The thread is the conversation: a second mention in it is understood from the first."""
    ts = slack.say(slack.general, slack.alice, slack.mention("What about items from a sale?"))
    slack.wait_for_messages(slack.general, ts)
    follow_up = slack.mention("Within how many days of delivery do they go back?")
    slack.say(slack.general, slack.alice, follow_up, thread_ts=ts)

    replies = slack.wait_for_messages(slack.general, ts, count=2)
    assert QUOTE in words(replies[1])


@pytest.mark.usefixtures("running")
def test_cite_answers_only_who_asked(slack: SlackServer) -> None:
    """/cite shows footnotes to the asker; nobody else in the channel sees anything."""
    before = len(slack.replies(slack.general))
    asked = slack.slash("/cite", QUESTION, slack.general, slack.bob)

    asked.wait_for_ack()
    (shown,) = slack.wait_for_ephemerals(slack.general, slack.bob)
    assert QUOTE in words(shown)
    assert len(slack.replies(slack.general)) == before
    assert slack.ephemerals(slack.general, slack.alice) == []


@pytest.mark.usefixtures("running")
def test_a_guest_learns_nothing_of_the_members_policies(slack: SlackServer) -> None:
    """A guest's direct message is refused, and not one forbidden word is shown."""
    guest = slack.add_user("gast", is_restricted=True)
    channel = slack.dm(guest.id)
    slack.say(channel, guest.id, QUESTION)

    (reply,) = slack.wait_for_messages(channel)
    assert "14 days" not in words(reply)
    assert "Returns policy" not in words(reply)


@pytest.mark.usefixtures("running")
def test_a_document_that_is_shared_with_the_bot_is_answered_from(
    library: Footnote, slack: SlackServer
) -> None:
    """An operator makes somebody a knowledge admin, who shares a file: the worker reads it."""
    keeper = slack.add_user("keeper").id
    library.run("members", "set", keeper, "--role", "knowledge_admin")
    place = slack.dm(keeper)
    bicycles = b"# Lent bicycles\n\nCompany bicycles may be borrowed for three weeks at a time.\n"
    ts = slack.share(place, keeper, slack.keep_file(place, keeper, "lent-bicycles.md", bicycles))

    (receipt,) = slack.wait_for_messages(place, ts, timeout=LONG)
    wait_until(lambda: "version 1 of Lent bicycles" in words(slack.replies(place, ts)[0]))
    slack.say(place, keeper, "For how long may company bicycles be borrowed?")
    (answer,) = [m for m in slack.wait_for_messages(place, count=2) if m.ts != receipt.ts]
    library.run("documents", "delete", "lent-bicycles.md", "--yes")
    assert "“Company bicycles may be borrowed for three weeks at a time.”" in words(answer)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process")
@pytest.mark.usefixtures("running")
def test_a_killed_bot_is_replaced_and_answers(library: Footnote, slack: SlackServer) -> None:
    """`up` starts the bot again, which connects and answers what comes then."""
    connected = len(slack.calls("apps.connections.open"))
    library.service("bot").kill()
    wait_until(lambda: not slack.socket_mode.links)
    slack.wait_for_calls("apps.connections.open", count=connected + 1, timeout=LONG)
    slack.wait_for_connection(timeout=LONG)
    ts = slack.say(slack.general, slack.bob, slack.mention(QUESTION))

    (reply,) = slack.wait_for_messages(slack.general, ts, timeout=LONG)
    assert QUOTE in words(reply)


@pytest.fixture
def elsewhere(embedder_cache: Path, library: Footnote) -> Iterator[Footnote]:
    """Another home on the same database."""
    url = library.environment["DATABASE_URL"]
    with installation(embedder_cache, DATABASE_URL=url) as made:
        yield made


def test_a_refused_token_is_told_by_up_and_doctor(elsewhere: Footnote, slack: SlackServer) -> None:
    """Both say what to do; `up` runs the rest all the same, and neither prints the token."""
    wrong = tokens(slack) | {"SLACK_BOT_TOKEN": "xoxb-0000-wrong"}
    told = Footnote(elsewhere.home, elsewhere.environment | wrong)
    doctor = told.run("doctor", "--json")
    with told.up("--no-samples", FOOTNOTE_BROKER="postgres") as up:
        port = int(told.environment["FOOTNOTE_PORT"])
        assert told.ask_page("thanks", port)["outcome"] == "answered"

    (check,) = [check for check in doctor.json()["checks"] if check["part"] == "Slack"]
    (line,) = [line for line in up.lines if "Slack" in line]
    assert doctor.code == 1
    assert check["state"] == "error"
    for sentence in (check["detail"], line):
        assert "invalid_auth" in sentence
        assert "xoxb-" in sentence
        assert "0000" not in sentence
    assert line.startswith("  ✗ Slack not connected")


def test_a_slack_that_is_away_is_told_with_its_address(elsewhere: Footnote) -> None:
    """Doctor says where it looked for Slack."""
    address = f"http://127.0.0.1:{free_port()}/api/"
    found = elsewhere.run(
        "doctor", SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1", SLACK_API_URL=address
    )

    assert found.code == 1
    assert address in found.out
