"""Who may read what: the access that questions from Slack carry."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from bot.handling import OUTSIDERS
from graph.state import Question
from store.access import EVERYONE, EXTERNAL, Access, Member
from store.answers import Answer
from store.search import versions_in_force
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import Answerer, KeptMembers, words
from tests.fakes.slack import SlackServer
from tests.integration.store.shelf import Shelf

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("details", "standing"),
    [
        pytest.param({"is_restricted": True}, "guest", id="guest"),
        pytest.param({"is_ultra_restricted": True}, "guest", id="single-channel guest"),
        pytest.param({"team_id": "T0OTHER001", "is_stranger": True}, "foreign", id="stranger"),
        pytest.param({"team_id": "T0OTHER001"}, "foreign", id="other organisation"),
    ],
)
@pytest.mark.usefixtures("bot")
def test_outsiders_read_only_what_is_external(
    slack: SlackServer,
    answerer: Answerer,
    members: KeptMembers,
    details: dict[str, Any],
    standing: str,
) -> None:
    """Guests and people of other organisations ask with external access, in private too."""
    outsider = slack.add_user("eve", **details).id
    slack.join(slack.general, outsider)
    slack.say(slack.general, outsider, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)
    slack.slash("/cite", "sale?", slack.general, outsider).wait_for_posts()

    assert {question.access.asker for question in answerer.asked} == {frozenset({EXTERNAL})}
    assert members.kept[outsider].standing == standing


@pytest.mark.usefixtures("bot")
def test_a_member_asks_with_full_access(slack: SlackServer, answerer: Answerer) -> None:
    """A full member reads what everyone may; a channel adds what its own members may read."""
    slack.say(slack.dm(slack.alice), slack.alice, "sale?")
    slack.wait_for_messages(slack.dm(slack.alice))
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)

    alone = frozenset({EVERYONE, EXTERNAL})
    here = alone | {f"channel:{slack.general}"}
    assert [question.access for question in answerer.asked] == [
        Access(asker=alone, place=alone),
        Access(asker=here, place=here),
    ]
    assert len(slack.calls("users.info")) == 1


@pytest.mark.usefixtures("bot")
def test_groups_kept_about_a_member_stay(
    slack: SlackServer, answerer: Answerer, members: KeptMembers
) -> None:
    """Learning a person's standing does not forget the groups they are in."""
    members.save(Member(slack.alice, "foreign", frozenset({"group:S1"})))
    slack.say(slack.dm(slack.alice), slack.alice, "sale?")
    slack.wait_for_messages(slack.dm(slack.alice))

    assert members.kept[slack.alice] == Member(slack.alice, "member", frozenset({"group:S1"}))
    assert "group:S1" in answerer.asked[0].access.asker


@pytest.mark.usefixtures("bot")
def test_a_person_slack_does_not_know_of_is_external(
    slack: SlackServer, answerer: Answerer, members: KeptMembers
) -> None:
    """Who cannot be looked up reads only what is external, and nothing is kept about them."""
    slack.fail("users.info", "user_not_found")
    slack.say(slack.dm(slack.alice), slack.alice, "sale?")
    slack.wait_for_messages(slack.dm(slack.alice))

    assert answerer.asked[0].access.asker == frozenset({EXTERNAL})
    assert members.kept == {}


@pytest.mark.parametrize("trouble", ["shared with others", "unknown"])
@pytest.mark.usefixtures("bot")
def test_a_channel_others_may_see_shows_only_what_is_external(
    slack: SlackServer, answerer: Answerer, trouble: str
) -> None:
    """In a channel shared with others, or of which nothing can be learnt, answers are external."""
    place = slack.add_channel(
        "deals", [slack.alice], is_ext_shared=trouble == "shared with others"
    )
    if trouble == "unknown":
        slack.fail("conversations.info", "channel_not_found")
    slack.say(place.id, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(place.id)

    assert answerer.asked[0].access.place == frozenset({EXTERNAL})


@pytest.mark.usefixtures("bot")
def test_what_a_private_channel_may_read_is_for_its_people_alone(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Its people read it there and in direct messages; in public nobody does, nor do others."""
    board = slack.add_channel("board", [slack.alice], "group").id
    shelf = Shelf(bot_engine, ensure_workspace(bot_engine))
    shelf.publish("plans", ["Secret."], audience=[f"channel:{board}"])

    def may(user: str, channel: str, words: str) -> bool:
        before = len(slack.replies(channel))
        slack.say(channel, user, words)
        slack.wait_for_messages(channel, count=before + 1)
        access = answerer.asked[-1].access
        found = versions_in_force(bot_engine, shelf.workspace_id, access, datetime.now(UTC))
        return [version.document_key for version in found] == ["plans"]

    assert may(slack.alice, slack.dm(slack.alice), "plans?")
    assert may(slack.alice, board, slack.mention("plans?"))
    assert not may(slack.alice, slack.general, slack.mention("plans?"))
    assert not may(slack.bob, slack.dm(slack.bob), "plans?")
    group = slack.workspace.direct_channel([slack.alice, slack.bob]).id
    assert not may(slack.alice, group, slack.mention("plans?"))


@pytest.mark.usefixtures("bot")
def test_a_group_s_direct_messages_with_a_guest_show_what_is_external(
    slack: SlackServer, answerer: Answerer
) -> None:
    """One guest among them is enough."""
    guest = slack.add_user("eve", is_restricted=True).id
    place = slack.workspace.direct_channel([slack.alice, guest]).id
    slack.say(place, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(place)
    assert answerer.asked[0].access.place == frozenset({EXTERNAL})


def no_policy(question: Question) -> Answer:
    """An answer that found nothing."""
    return Answer("a1", question.text, "policy", "refused", "I don't have a policy for this.")


@pytest.mark.usefixtures("bot")
def test_a_guest_in_a_channel_makes_what_is_answered_there_external(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """In a workspace's own channel too; members still read in private what they may."""
    shelf = Shelf(bot_engine, ensure_workspace(bot_engine))
    shelf.publish("pay", ["Salaries."], audience=[EVERYONE])
    own = slack.add_channel("own", [slack.alice, slack.bob]).id
    mixed = slack.add_channel(
        "mixed", [slack.alice, slack.add_user("eve", is_restricted=True).id]
    ).id

    def may() -> bool:
        access = answerer.asked[-1].access
        found = versions_in_force(bot_engine, shelf.workspace_id, access, datetime.now(UTC))
        return [version.document_key for version in found] == ["pay"]

    slack.say(own, slack.alice, slack.mention("pay?"))
    slack.wait_for_messages(own)
    assert may()
    slack.say(mixed, slack.alice, slack.mention("pay?"))
    slack.wait_for_messages(mixed)
    assert not may()
    slack.slash("/cite", "pay?", mixed, slack.alice).wait_for_posts()
    assert may()
    slack.say(slack.dm(slack.alice), slack.alice, "pay?")
    slack.wait_for_messages(slack.dm(slack.alice))
    assert may()


@pytest.mark.usefixtures("bot")
def test_who_is_refused_where_a_guest_looks_on_is_told_why(
    slack: SlackServer, answerer: Answerer
) -> None:
    """And what to do; the guest is not, nor is anybody where a refusal is all there is to it."""
    answerer.script = no_policy
    eve = slack.add_user("eve", is_restricted=True).id
    mixed = slack.add_channel("mixed", [slack.alice, eve]).id

    def told(channel: str, user: str, question: str) -> bool:
        ts = slack.say(channel, user, question)
        (reply,) = slack.wait_for_messages(channel, ts)
        return OUTSIDERS in words(reply)

    assert told(mixed, slack.alice, slack.mention("pay?"))
    assert not told(mixed, eve, slack.mention("pay?"))
    assert not told(slack.general, slack.alice, slack.mention("pay?"))
    assert not told(slack.dm(slack.alice), slack.alice, "pay?")
    asked = slack.slash("/cite", "pay?", mixed, slack.alice)
    assert all(OUTSIDERS not in str(post.body) for post in asked.wait_for_posts())


@pytest.mark.usefixtures("bot")
def test_who_is_a_guest_is_known_before_anybody_asks(slack: SlackServer) -> None:
    """The list of people is read in the background: no question waits for it."""
    slack.wait_for_calls("users.list")
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)
    assert len(slack.calls("users.list")) == 1
