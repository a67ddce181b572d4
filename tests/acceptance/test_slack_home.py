"""The home tab and the suggestions of the running bot."""

import json

import pytest
from sqlalchemy import Engine, text

from bot.home import FALLBACK_PROMPTS
from store.answers import Answer, save_answer
from store.sources import NewSource, add_source, note_look
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import KeptMembers
from tests.fakes.slack import SlackServer
from tests.integration.store.shelf import Shelf

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("bot")]


@pytest.fixture
def shelf(bot_engine: Engine) -> Shelf:
    """Two policies in the bot's workspace, one of them for a few, each with a section."""
    made = Shelf(bot_engine, ensure_workspace(bot_engine))
    made.publish("returns", ["Fourteen days."], title="Returns policy")
    made.publish("salaries", ["Much."], title="Salaries", audience=["group:HR"])
    with bot_engine.begin() as connection:
        connection.execute(text("UPDATE version_chunks SET heading_path = '{Exceptions}'"))
    return made


def shown(slack: SlackServer, user: str) -> str:
    """The home tab of somebody who opens it now, as JSON."""
    before = len(slack.calls("views.publish"))
    slack.open_home(user)
    call = slack.wait_for_calls("views.publish", before + 1)[-1]
    assert call.error is None
    return json.dumps(slack.views(user, "home")[-1].body, ensure_ascii=False)


def failing(shelf: Shelf) -> int:
    """Watch a folder whose last look failed; return the source's id."""
    new = NewSource("folder", "handbook", "/handbook", {}, ["everyone"], every=60)
    source = add_source(shelf.engine, shelf.workspace_id, new, "U1")
    note_look(shelf.engine, source.id, failure="The folder /handbook is gone.")
    return source.id


def test_a_member_sees_what_they_may_ask(slack: SlackServer, shelf: Shelf) -> None:
    """How many policies they may read, how to ask, and nothing that admins look after."""
    failing(shelf)
    home = shown(slack, slack.alice)
    assert "1 policy that you may read." in home
    assert "mention me with the question" in home
    assert "For knowledge admins" not in home
    assert "is gone" not in home
    assert "channel_settings" not in home


def test_a_guest_is_told_of_nothing_that_is_for_members(slack: SlackServer, shelf: Shelf) -> None:
    """Neither the policies nor the places they come from."""
    failing(shelf)
    guest = slack.add_user("eve", is_restricted=True).id
    home = shown(slack, guest)
    assert "There is no policy yet that you may read." in home
    assert "handbook" not in home
    assert "Uploads" not in home


def test_one_s_own_questions_are_shown_to_oneself(slack: SlackServer, shelf: Shelf) -> None:
    """The last ones, with how they ended; to nobody else."""
    with shelf.engine.begin() as connection:
        answer = Answer("a1b2c3", "May I bring a wombat?", "policy", "refused", "No policy.")
        save_answer(
            connection, shelf.workspace_id, answer, turn_id=None, as_of=None, user_id=slack.alice
        )
    assert "wombat" in shown(slack, slack.alice)
    assert "no policy answers it" in shown(slack, slack.alice)
    assert "wombat" not in shown(slack, slack.bob)


def test_admins_see_what_fails_and_have_it_looked_at_again(
    slack: SlackServer, shelf: Shelf
) -> None:
    """The reason with a button that submits one look, and says so."""
    source_id = failing(shelf)
    boss = slack.add_user("carol", is_owner=True).id
    home = shown(slack, boss)
    assert "handbook: The folder /handbook is gone." in home
    assert "No transcript waits for a curator." in home

    view = slack.wait_for_view(boss, "home")
    slack.view_action(view, "look_again", str(source_id))
    slack.wait_for_calls("views.publish", 2)
    assert "I'm looking at handbook again" in json.dumps(slack.views(boss, "home")[-1].body)
    assert looks(shelf) == [(source_id, True)]


def test_a_member_s_press_has_nothing_looked_at(slack: SlackServer, shelf: Shelf) -> None:
    """Whatever button they got hold of: the role is asked of who acts."""
    failing(shelf)
    boss = slack.add_user("carol", is_owner=True).id
    shown(slack, boss)
    slack.view_action(slack.wait_for_view(boss, "home"), "look_again", user=slack.alice)
    slack.wait_for_calls("views.publish", 2)
    assert "Only knowledge admins" in json.dumps(slack.views(slack.alice, "home")[-1].body)
    assert looks(shelf) == []


def looks(shelf: Shelf) -> list[tuple[int, bool]]:
    """The looks that wait: at which source, and whether somebody asked for it."""
    with shelf.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT payload FROM jobs WHERE workspace_id = :id AND kind = 'sync_source'"),
            {"id": shelf.workspace_id},
        )
        return [(row.payload["source_id"], row.payload["asked"]) for row in rows]


def test_curators_see_what_waits_for_them(
    slack: SlackServer, members: KeptMembers, shelf: Shelf
) -> None:
    """Transcripts, and nothing of what knowledge admins look after."""
    members.given[slack.bob] = frozenset({"curator"})
    failing(shelf)
    home = shown(slack, slack.bob)
    assert "No transcript waits for a curator." in home
    assert "is gone" not in home


def test_the_messages_tab_suggests_what_this_person_may_read(
    slack: SlackServer, shelf: Shelf
) -> None:
    """A question about a real section; for who may read nothing, how to begin."""
    assert shelf.rows()
    slack.open_home(slack.alice, "messages")
    (call,) = slack.wait_for_calls("assistant.threads.setSuggestedPrompts")
    assert call.error is None
    assert call.params["channel_id"] == slack.dm(slack.alice)
    assert call.params["prompts"] == [
        {
            "title": "Returns policy: Exceptions",
            "message": "What does “Returns policy” say about “Exceptions”?",
        }
    ]
    guest = slack.add_user("eve", is_restricted=True).id
    slack.open_home(guest, "messages")
    _, call = slack.wait_for_calls("assistant.threads.setSuggestedPrompts", 2)
    assert [one["message"] for one in call.params["prompts"]] == [m for _, m in FALLBACK_PROMPTS]


def test_an_unknown_person_is_shown_what_is_external(slack: SlackServer, shelf: Shelf) -> None:
    """Where Slack does not say who opens the tab, they read as outsiders do."""
    assert shelf.rows()
    boss = slack.add_user("carol", is_owner=True).id
    slack.fail("users.info", "user_not_found", times=2)
    home = shown(slack, boss)
    assert "There is no policy yet" in home
    assert "For knowledge admins" not in home
