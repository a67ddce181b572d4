"""Setting how the bot behaves in a channel, from the home tab of the running bot."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from store.access import Scope
from store.audit import read_audit
from store.channels import ChannelSettings, channel_settings, save_channel_settings
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import Answerer, KeptMembers, words
from tests.fakes.slack import SlackServer
from tests.fakes.slack.people import Interaction
from tests.fakes.slack.records import View
from tests.integration.store.shelf import Shelf

FIELDS: dict[str, tuple[str, str, Any]] = {
    "radio_buttons": ("selected_option", "initial_option", None),
    "checkboxes": ("selected_options", "initial_options", []),
    "multi_static_select": ("selected_options", "initial_options", []),
    "conversations_select": ("selected_conversation", "initial_conversation", None),
    "plain_text_input": ("value", "initial_value", None),
}
"""What Slack tells of each kind of field, what a modal shows in it, and what nothing is."""

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("bot")]


@pytest.fixture
def boss(slack: SlackServer) -> str:
    """An admin of the Slack workspace, in `general`."""
    user = slack.add_user("carol", is_admin=True).id
    slack.join(slack.general, user)
    return user


@pytest.fixture
def workspace_id(bot_engine: Engine) -> int:
    """The bot's workspace."""
    return ensure_workspace(bot_engine)


@pytest.fixture
def kept(bot_engine: Engine, workspace_id: int) -> Callable[[str], ChannelSettings]:
    """What is set for a channel."""
    return lambda channel: channel_settings(bot_engine, workspace_id, channel)


def open_settings(slack: SlackServer, user: str, channel: str, by: str = "") -> View:
    """Choose a channel on the home tab and return the modal; `by` gives their home tab."""
    slack.open_home(by or user)
    home = slack.wait_for_view(by or user, "home")
    before = len(slack.views(user))
    slack.view_action(home, "channel_settings", channel, user)
    slack.wait_for_calls("views.open", before + 1)
    return slack.views(user)[-1]


def submit(slack: SlackServer, view: View, **changes: Any) -> Interaction:
    """Save a modal in which nothing was touched but `changes`, and wait until it is answered."""
    values = {}
    for block in view.body["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        told, shown, nothing = FIELDS[element["type"]]
        values[element["action_id"]] = {told: element.get(shown, nothing)}
    done = slack.submit(view, values | changes)
    done.wait_for_ack()
    return done


def option(value: str) -> dict[str, Any]:
    """One of several, chosen."""
    return {"selected_option": {"value": value}}


def test_an_admin_sets_a_channel(
    slack: SlackServer, bot_engine: Engine, workspace_id: int, boss: str, kept: Any
) -> None:
    """What was filled in is set, kept in the audit log, and confirmed to the admin alone."""
    help_channel = slack.add_channel("help", [boss]).id
    view = open_settings(slack, boss, slack.general)
    done = submit(
        slack,
        view,
        mode=option("all"),
        answers=option("private"),
        tone={"value": "brief"},
        escalation_channel={"selected_conversation": help_channel},
        also={"selected_options": []},
    )
    assert done.response in (None, {})

    (told,) = slack.wait_for_ephemerals(slack.general, boss)
    assert "Who sees the answers: Only who asked" in words(told)
    assert replace(kept(slack.general), changed_at=None) == ChannelSettings(
        slack.general, "all", "private", False, False, None, None, "brief", help_channel, boss
    )
    entry = read_audit(bot_engine, workspace_id)[0]
    assert (entry.actor, entry.subject) == (boss, slack.general)
    assert entry.detail["mode"] == "all"
    assert slack.messages(slack.general) == []


def test_a_channel_answers_from_what_was_chosen(
    slack: SlackServer, bot_engine: Engine, workspace_id: int, boss: str, answerer: Answerer
) -> None:
    """The next question there is asked with the scope; a direct message is as before."""
    shelf = Shelf(bot_engine, workspace_id)
    shelf.publish("returns", ["Fourteen days."], title="Returns policy")
    shelf.publish("salaries", ["Much."], title="Salaries", audience=["group:HR"])
    view = open_settings(slack, boss, slack.general)
    menu = next(b for b in view.body["blocks"] if b.get("block_id") == "documents")
    offered = {one["text"]["text"]: one for one in menu["element"]["options"]}
    assert set(offered) == {"All of Uploads", "Returns policy"}
    chosen = {"selected_options": [offered["Returns policy"]]}
    submit(slack, view, knows=option("some"), documents=chosen)
    slack.wait_for_ephemerals(slack.general, boss)

    slack.say(slack.general, slack.alice, slack.mention("returns?"))
    slack.wait_for_messages(slack.general)
    slack.say(slack.dm(slack.alice), slack.alice, "returns?")
    slack.wait_for_messages(slack.dm(slack.alice))
    channel, direct = (question.access.scope for question in answerer.asked)
    assert channel == Scope(frozenset(), frozenset({"returns"}))
    assert direct is None


@pytest.mark.parametrize("asker", ["a member", "a guest with the role"])
def test_others_read_the_settings_and_are_told_whom_to_ask(
    slack: SlackServer, boss: str, members: KeptMembers, asker: str
) -> None:
    """Whoever opens it from wherever: the one who acts decides what is shown."""
    user = slack.alice
    if asker != "a member":
        user = slack.add_user("eve", is_restricted=True).id
        members.given[user] = frozenset({"knowledge_admin"})
    view = open_settings(slack, user, slack.general, by=boss)
    assert "submit" not in view.body
    assert "Only knowledge admins change these settings" in json.dumps(view.body)


def test_a_submission_by_somebody_else_changes_nothing(
    slack: SlackServer, boss: str, kept: Any
) -> None:
    """Who loses the role while the modal is open cannot save it any more."""
    view = open_settings(slack, boss, slack.general)
    slack.workspace.users[boss] = replace(slack.workspace.users[boss], is_admin=False)
    done = submit(slack, view, mode=option("off"))
    assert done.response is not None
    assert "Only knowledge admins" in done.response["errors"]["mode"]
    assert kept(slack.general) == ChannelSettings(slack.general)


def test_the_second_of_two_admins_is_told_what_changed_and_wins_if_they_insist(
    slack: SlackServer, bot_engine: Engine, workspace_id: int, boss: str, kept: Any
) -> None:
    """The modal shows who was quicker and what stands now, and keeps what was filled in."""
    view = open_settings(slack, boss, slack.general)
    with bot_engine.begin() as connection:
        quicker = ChannelSettings(slack.general, tone="formal")
        save_channel_settings(connection, workspace_id, quicker, slack.bob, seen=None)
    done = submit(slack, view, tone={"value": "warm"})
    assert done.response is not None
    assert done.problems == []
    shown = json.dumps(done.response["view"])
    assert "changed these settings at" in shown
    assert slack.bob in shown
    assert kept(slack.general).tone == "formal"

    again = next(one for one in slack.views(boss) if one.id == view.id)
    submit(slack, again)
    slack.wait_for_ephemerals(slack.general, boss)
    assert kept(slack.general).tone == "warm"


@pytest.mark.parametrize("trouble", ["shared", "not invited", "unknown"])
def test_a_channel_for_questions_must_be_one_of_the_workspace_s_own(
    slack: SlackServer, boss: str, kept: Any, trouble: str
) -> None:
    """One that others see, or that the bot is not in, is refused beside its field."""
    place = slack.add_channel(
        "deals", [boss], with_bot=trouble != "not invited", is_ext_shared=trouble == "shared"
    ).id
    view = open_settings(slack, boss, slack.general)
    named = place if trouble != "unknown" else "C0NOWHERE1"
    done = submit(slack, view, escalation_channel={"selected_conversation": named})
    assert done.response is not None
    assert set(done.response["errors"]) == {"escalation_channel"}
    assert kept(slack.general).escalation_channel is None


@pytest.mark.parametrize("place", ["without the bot", "of others", "unknown", "direct"])
def test_settings_are_shown_of_channels_that_one_can_see(
    slack: SlackServer, boss: str, place: str
) -> None:
    """A private channel of others, and one that the bot is not in, have nothing to show."""
    channel = "C0NOWHERE1"
    if place == "without the bot":
        channel = slack.add_channel("far", [boss], with_bot=False).id
    elif place == "of others":
        channel = slack.add_channel("board", [slack.alice], "group").id
    elif place == "direct":
        channel = slack.dm(boss)
    view = open_settings(slack, boss, channel)
    assert "submit" not in view.body
    told = json.dumps(view.body)
    assert ("Settings belong to a channel" if place == "direct" else "Invite me") in told


def test_a_knowledge_admin_of_the_operator_s_may_set_channels(
    slack: SlackServer, members: KeptMembers, kept: Any
) -> None:
    """The role that an operator gave counts as much as Slack's own."""
    members.given[slack.bob] = frozenset({"knowledge_admin"})
    submit(slack, open_settings(slack, slack.bob, slack.general), mode=option("off"))
    slack.wait_for_ephemerals(slack.general, slack.bob)
    assert kept(slack.general).mode == "off"


def test_cite_settings_opens_the_channel_it_is_given_in(
    slack: SlackServer, boss: str, kept: Callable[[str], ChannelSettings]
) -> None:
    """To set for admins, to read for others; in a direct message it says what to do."""
    slack.slash("/cite", "settings", slack.general, boss)
    submit(slack, slack.wait_for_view(boss), mode=option("off"))
    slack.wait_for_ephemerals(slack.general, boss)
    assert kept(slack.general).mode == "off"

    slack.slash("/cite", "settings", slack.general, slack.alice)
    assert "Nothing: I'm switched off here" in json.dumps(slack.wait_for_view(slack.alice).body)
    slack.slash("/cite", "settings", slack.dm(slack.bob), slack.bob)
    view = slack.wait_for_view(slack.bob)
    assert "Settings belong to a channel" in json.dumps(view.body)


def test_a_channel_that_was_switched_off_says_so_to_who_asks_and_stays_quiet(
    slack: SlackServer, boss: str, answerer: Answerer
) -> None:
    """What is set counts for the next message."""
    submit(slack, open_settings(slack, boss, slack.general), mode=option("off"))
    slack.wait_for_ephemerals(slack.general, boss)
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    (told,) = slack.wait_for_ephemerals(slack.general, slack.alice)
    assert "switched off in this channel" in words(told)
    assert answerer.asked == []
    assert slack.messages(slack.general)[-1].user == slack.alice
