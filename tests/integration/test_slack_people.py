"""Who may read what, as Slack tells of people, channels and user groups: asked of a local Slack.

The documents are real ones in Postgres; each sentence on access is held against what a search
would find.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.directory import FRESH, PATIENCE, REST, names_of
from bot.incoming import Incoming
from bot.people import (
    GROUPS_FRESH,
    LOOKED_UP,
    MEMBER_FRESH,
    PLACE_FRESH,
    People,
    StoredMembers,
)
from store.access import CURATOR, EVERYONE, EXTERNAL, KNOWLEDGE_ADMIN, Access, Member
from store.documents import named_readers
from store.members import find_member, save_member, set_roles
from store.names import read_names, save_names
from store.search import versions_in_force
from store.workspaces import ensure_workspace
from tests.fakes.slack import SlackServer
from tests.integration.store.shelf import Shelf

MINUTE = 60.0


@dataclass
class Scene:
    """A workspace whose documents are for all, for outsiders, for a channel and for a group."""

    slack: SlackServer
    shelf: Shelf
    now: float = 1_000.0
    people: People = field(init=False)
    client: WebClient = field(init=False)
    board: str = field(init=False)  # a private channel, with alice in it
    group: str = field(init=False)  # a user group, with alice in it

    def __post_init__(self) -> None:
        engine, workspace_id = self.shelf.engine, self.shelf.workspace_id
        self.client = WebClient(token=self.slack.bot_token, base_url=self.slack.url)
        self.people = People(
            StoredMembers(engine, workspace_id),
            partial(named_readers, engine, workspace_id),
            lambda: self.now,
        )
        self.board = self.slack.add_channel("board", [self.slack.alice], "group").id
        self.group = self.slack.add_group("hr", [self.slack.alice]).id
        for key, audience in {
            "all": EVERYONE,
            "public": EXTERNAL,
            "board": f"channel:{self.board}",
            "hr": f"group:{self.group}",
        }.items():
            self.shelf.publish(key, [f"Leave for {key}."], audience=[audience])

    def access(self, user: str, channel: str | None = None, **told: Any) -> Access:
        """What a person may read in a channel, or where only they see it."""
        asked = Incoming(
            self.slack.workspace.team_id, channel or "D1", "1.0", user, "leave?", "Ev1",
            private=channel is None,
        )  # fmt: skip
        return self.people.access(self.client, replace(asked, **told))

    def found(self, user: str, channel: str | None = None, **told: Any) -> str:
        """The documents that a search finds then."""
        found = versions_in_force(
            self.shelf.engine,
            self.shelf.workspace_id,
            self.access(user, channel, **told),
            datetime.now(UTC),
        )
        return " ".join(sorted(version.document_key for version in found))


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A local Slack."""
    with SlackServer() as server:
        yield server


@pytest.fixture
def scene(slack: SlackServer, shared_engine: Engine, request: pytest.FixtureRequest) -> Scene:
    """Documents of a workspace of this test's own."""
    return Scene(slack, Shelf(shared_engine, ensure_workspace(shared_engine, request.node.name)))


def test_alone_a_member_reads_what_their_channels_and_groups_may(scene: Scene) -> None:
    """A direct message may show what only a private channel or a user group may read."""
    assert scene.found(scene.slack.alice) == "all board hr public"
    assert scene.found(scene.slack.bob) == "all public"


def test_a_public_channel_shows_nothing_of_a_private_one_or_a_group(scene: Scene) -> None:
    """Whoever asks there: everybody may look."""
    assert scene.found(scene.slack.alice, scene.slack.general) == "all public"


def test_a_private_channel_shows_what_is_its_own(scene: Scene) -> None:
    """In it, and in its threads, but nothing of the asker's groups: others are there too."""
    scene.slack.join(scene.board, scene.slack.bob)
    for user in (scene.slack.alice, scene.slack.bob):
        assert scene.found(user, scene.board) == "all board public"
        assert scene.found(user, scene.board, thread_ts="0.9") == "all board public"


def test_an_answer_that_only_the_asker_sees_is_private_wherever_it_is(scene: Scene) -> None:
    """What is answered ephemerally in a channel is read by its asker alone."""
    asked = {"private": True, "shared": True}
    assert scene.found(scene.slack.alice, scene.slack.general, **asked) == "all board hr public"


@pytest.mark.parametrize(
    "details",
    [
        pytest.param({"is_restricted": True}, id="guest"),
        pytest.param({"is_ultra_restricted": True}, id="single-channel guest"),
        pytest.param({"team_id": "T0OTHER001"}, id="of another organisation"),
        pytest.param({"is_stranger": True}, id="stranger"),
        pytest.param({"team_id": "T0OTHER001", "is_admin": True}, id="an admin elsewhere"),
        pytest.param({"deleted": True}, id="deactivated"),
    ],
)
def test_outsiders_read_only_what_is_external(details: dict[str, Any], scene: Scene) -> None:
    """In a direct message too, and whatever channels and groups they are in."""
    eve = scene.slack.add_user("eve", **details).id
    scene.slack.join(scene.board, eve)
    group = scene.slack.workspace.groups[scene.group]
    scene.slack.workspace.groups[scene.group] = replace(group, users=(*group.users, eve))
    for channel in (None, scene.slack.general, scene.board):
        assert scene.found(eve, channel) == "public"
    assert scene.people.role(scene.client, scene.slack.workspace.team_id, eve) == "member"


def test_who_cannot_be_looked_up_is_external(scene: Scene) -> None:
    """And nothing is kept about them; they are looked up again the next time."""
    scene.slack.fail("users.info", "user_not_found")
    assert scene.found(scene.slack.alice) == "public"
    assert find_member(scene.shelf.engine, scene.shelf.workspace_id, scene.slack.alice) is None
    assert scene.found(scene.slack.alice) == "all board hr public"


@pytest.mark.parametrize("code", ["missing_scope", "channel_not_found", "fatal_error"])
def test_where_slack_does_not_say_who_is_inside_nobody_is(code: str, scene: Scene) -> None:
    """A failing look through a channel or the user groups takes away and never gives."""
    scene.slack.fail("conversations.members", code)
    scene.slack.fail("usergroups.list", code)
    assert scene.found(scene.slack.alice) == "all public"
    scene.now += MINUTE
    assert scene.found(scene.slack.alice) == "all board hr public"


def test_who_is_taken_out_of_a_private_channel_loses_it_within_a_minute(scene: Scene) -> None:
    """Who is in a channel is remembered for a minute and no longer."""
    assert "board" in scene.found(scene.slack.alice)
    scene.slack.leave(scene.board, scene.slack.alice)
    scene.now += MINUTE
    assert scene.found(scene.slack.alice) == "all hr public"


def test_who_leaves_a_user_group_loses_it_within_minutes(scene: Scene) -> None:
    """User groups are remembered for five minutes."""
    assert "hr" in scene.found(scene.slack.alice)
    scene.slack.workspace.groups[scene.group] = replace(
        scene.slack.workspace.groups[scene.group], users=()
    )
    scene.now += GROUPS_FRESH
    assert scene.found(scene.slack.alice) == "all board public"


def test_who_becomes_a_guest_loses_what_members_read(scene: Scene) -> None:
    """A person's standing is looked up anew every few minutes."""
    assert "all" in scene.found(scene.slack.bob)
    bob = scene.slack.workspace.users[scene.slack.bob]
    scene.slack.workspace.users[bob.id] = replace(bob, is_restricted=True)
    scene.now += MEMBER_FRESH
    assert scene.found(scene.slack.bob) == "public"


def test_a_channel_that_is_opened_to_others_counts_as_such_within_a_minute(scene: Scene) -> None:
    """From then on only what is external is shown there, whatever the channel may read itself."""
    assert scene.found(scene.slack.alice, scene.board) == "all board public"
    w = scene.slack.workspace
    w.channels[scene.board] = replace(w.channels[scene.board], is_ext_shared=True)
    assert scene.found(scene.slack.alice, scene.board, shared=True) == "public"  # told at once
    scene.now += PLACE_FRESH
    assert scene.found(scene.slack.alice, scene.board) == "public"
    assert PLACE_FRESH <= MINUTE


def test_a_channel_of_which_nothing_is_known_shows_what_is_external(scene: Scene) -> None:
    """And it is asked about again the next time."""
    scene.slack.fail("conversations.info", "channel_not_found")
    assert scene.found(scene.slack.alice, scene.slack.general) == "public"
    assert scene.found(scene.slack.alice, scene.slack.general) == "all public"


def test_a_group_s_direct_messages_show_what_all_of_them_may_read(scene: Scene) -> None:
    """Full members see what everyone may; nobody's channels or groups count there."""
    place = scene.slack.workspace.direct_channel([scene.slack.alice, scene.slack.bob]).id
    assert scene.found(scene.slack.alice, place) == "all public"


@pytest.mark.parametrize("trouble", ["a guest", "a stranger", "unknown", "not told"])
def test_one_outsider_makes_a_group_s_direct_messages_external(trouble: str, scene: Scene) -> None:
    """Whoever asks there; and so where Slack does not say who they are."""
    slack = scene.slack
    outsider = {"a guest": {"is_restricted": True}, "a stranger": {"is_stranger": True}}
    eve = slack.add_user("eve", **outsider.get(trouble, {})).id
    place = slack.workspace.direct_channel([slack.alice, slack.bob, eve]).id
    if trouble == "not told":
        slack.fail("conversations.members", "fatal_error")
    if trouble == "unknown":
        scene.access(slack.alice, slack.general)  # alice is known, the next one is not
        slack.fail("users.info", "user_not_found")
    assert scene.found(slack.alice, place) == "public"


OUTSIDERS = [
    pytest.param({"is_restricted": True}, id="guest"),
    pytest.param({"is_ultra_restricted": True}, id="single-channel guest"),
    pytest.param({"team_id": "T0OTHER001"}, id="of another organisation"),
    pytest.param({"is_stranger": True}, id="stranger"),
]


@pytest.mark.parametrize("details", OUTSIDERS)
def test_one_outsider_in_a_channel_makes_it_external(
    details: dict[str, Any], scene: Scene
) -> None:
    """In public and private channels, whoever asks; the private ways to ask stay as they are."""
    slack = scene.slack
    eve = slack.add_user("eve", **details).id
    slack.join(slack.general, eve)
    slack.join(scene.board, eve)
    for channel in (slack.general, scene.board):
        assert scene.found(slack.alice, channel) == "public"
        assert scene.found(slack.alice, channel, private=True) == "all board hr public"
    assert scene.found(slack.alice) == "all board hr public"
    assert slack.calls("users.info")[1:] == []


@pytest.mark.parametrize("details", [{"is_bot": True}, {"is_restricted": True, "deleted": True}])
def test_bots_and_who_is_gone_read_nothing_and_count_for_nothing(
    details: dict[str, Any], scene: Scene
) -> None:
    """A bot of elsewhere in a channel, or an account that nobody uses, takes nothing away."""
    elsewhere = {"team_id": "T0OTHER001"} if "is_bot" in details else {}
    scene.slack.join(scene.slack.general, scene.slack.add_user("x", **details, **elsewhere).id)
    assert scene.found(scene.slack.alice, scene.slack.general) == "all public"


def test_a_guest_who_joins_or_leaves_counts_within_a_minute(scene: Scene) -> None:
    """Who is in a channel is remembered for a minute."""
    slack = scene.slack
    eve = slack.add_user("eve", is_restricted=True).id
    assert scene.found(slack.alice, scene.board) == "all board public"
    slack.join(scene.board, eve)
    scene.now += MINUTE
    assert scene.found(slack.alice, scene.board) == "public"
    slack.leave(scene.board, eve)
    scene.now += MINUTE
    assert scene.found(slack.alice, scene.board) == "all board public"
    assert len(slack.calls("users.list")) == 1


def test_a_guest_whose_account_is_new_counts_before_the_list_has_them(scene: Scene) -> None:
    """Who is not on the list is looked up; a full member who is new takes nothing away."""
    slack = scene.slack
    assert scene.found(slack.alice, scene.board) == "all board public"
    slack.join(scene.board, slack.add_user("dan").id)
    scene.now += MINUTE
    assert scene.found(slack.alice, scene.board) == "all board public"
    slack.join(scene.board, slack.add_user("eve", is_restricted=True).id)
    scene.now += MINUTE
    assert scene.found(slack.alice, scene.board) == "public"
    assert len(slack.calls("users.list")) == 1


def test_a_member_who_becomes_a_guest_counts_within_ten_minutes(scene: Scene) -> None:
    """The list of people is read anew; in the meantime it is not asked for again."""
    slack = scene.slack
    assert scene.found(slack.alice, slack.general) == "all public"
    bob = slack.workspace.users[slack.bob]
    slack.workspace.users[bob.id] = replace(bob, is_restricted=True)
    scene.now += FRESH
    assert scene.found(slack.alice, slack.general) == "public"
    assert len(slack.calls("users.list")) == 2
    assert FRESH <= 10 * MINUTE


def test_where_the_list_fails_the_last_one_counts(scene: Scene) -> None:
    """And Slack is left alone for a minute."""
    slack = scene.slack
    slack.join(slack.general, slack.add_user("eve", is_restricted=True).id)
    assert scene.found(slack.alice, slack.general) == "public"
    scene.now += FRESH
    slack.fail("users.list", "missing_scope", times=3)
    for _ in range(3):
        assert scene.found(slack.alice, slack.general) == "public"
        assert scene.found(slack.alice, scene.board) == "all board public"
    assert len(slack.calls("users.list")) == 2
    scene.now += REST
    assert scene.found(slack.alice, slack.general) == "public"
    assert len(slack.calls("users.list")) == 3


@pytest.mark.parametrize("trouble", ["missing_scope", "429", "fatal_error"])
def test_without_any_list_the_people_of_a_small_channel_are_looked_up(
    trouble: str, scene: Scene
) -> None:
    """Each by themselves: one guest is enough, and so is one of whom nothing is told."""
    slack = scene.slack
    slack.fail("users.list", trouble)
    assert scene.found(slack.alice, slack.general) == "all public"
    slack.join(scene.board, slack.add_user("eve", is_restricted=True).id)
    assert scene.found(slack.alice, scene.board) == "public"
    ghost = slack.add_channel("ghosts", [slack.alice, "U0GHOST01"]).id
    assert scene.found(slack.alice, ghost) == "public"


def test_without_any_list_a_large_channel_is_external(scene: Scene) -> None:
    """Hundreds of people are not looked up for one question."""
    slack = scene.slack
    crowd = [slack.add_user(f"u{number}").id for number in range(LOOKED_UP + 1)]
    slack.join(slack.general, *crowd)
    slack.fail("users.list", "missing_scope")
    assert scene.found(slack.alice, slack.general) == "public"
    assert len(slack.calls("users.info")) == 1
    scene.now += REST
    assert scene.found(slack.alice, slack.general) == "all public"


def test_a_large_workspace_is_listed_in_pages(scene: Scene) -> None:
    """The guest is on the last of them."""
    slack = scene.slack
    for number in range(2_500):
        slack.add_user(f"u{number}")
    assert scene.found(slack.alice, slack.general) == "all public"
    assert len(slack.calls("users.list")) == 3
    eve = slack.add_user("eve", is_restricted=True).id
    slack.join(scene.board, eve)
    scene.now += FRESH
    assert scene.found(slack.alice, scene.board) == "public"
    assert {call.params["user"] for call in slack.calls("users.info")} == {slack.alice}


def test_between_questions_the_list_is_read_a_page_at_a_time(scene: Scene) -> None:
    """Slack takes twenty pages a minute; a question that comes meanwhile reads the rest."""
    slack, team = scene.slack, scene.slack.workspace.team_id
    for number in range(2_500):
        slack.add_user(f"u{number}")
    scene.people.list_on(scene.client, team)
    assert len(slack.calls("users.list")) == 1
    assert scene.found(slack.alice, slack.general) == "all public"
    assert len(slack.calls("users.list")) == 3
    scene.people.list_on(scene.client, team)  # fresh
    assert len(slack.calls("users.list")) == 3
    scene.now += FRESH
    for _ in range(5):
        scene.people.list_on(scene.client, team)
    assert len(slack.calls("users.list")) == 6
    assert scene.found(slack.alice, slack.general) == "all public"
    assert len(slack.calls("users.list")) == 6


def test_a_list_that_broke_off_goes_on_where_it_was(scene: Scene) -> None:
    """What was read before Slack had enough is not asked for again."""
    slack, team = scene.slack, scene.slack.workspace.team_id
    for number in range(1_500):
        slack.add_user(f"u{number}")
    scene.people.list_on(scene.client, team)
    slack.fail("users.list", "429")
    scene.people.list_on(scene.client, team)
    scene.now += REST
    scene.people.list_on(scene.client, team)
    assert [call.error for call in slack.calls("users.list")] == [None, "ratelimited", None]
    slack.join(slack.general, slack.add_user("eve", is_restricted=True).id)
    assert scene.found(slack.alice, slack.general) == "public"
    assert scene.found(slack.alice, scene.board) == "all board public"
    assert len(slack.calls("users.list")) == 3


def test_many_who_ask_at_once_read_the_list_once(scene: Scene) -> None:
    """One of them reads it, the others wait for that."""
    slack = scene.slack
    slack.fail("users.list", "hang", seconds=0.3)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: scene.found(slack.alice, slack.general), range(8)))
    assert set(found) == {"all public"}
    assert len(slack.calls("users.list")) == 1


def test_a_question_waits_only_so_long_for_the_list(scene: Scene) -> None:
    """Then the few people of the channel are looked up."""
    slack, team = scene.slack, scene.slack.workspace.team_id
    slack.fail("users.list", "hang", seconds=PATIENCE + 1)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(scene.people.list_on, scene.client, team)
        slack.wait_for_calls("users.list")
        began = time.monotonic()
        assert scene.found(slack.alice, slack.general) == "all public"
        assert time.monotonic() - began < PATIENCE + 0.9
        assert not reading.done()
    assert len(slack.calls("users.info")) == 3


def test_who_is_beyond_what_is_read_of_a_channel_counts_as_an_outsider(scene: Scene) -> None:
    """So a channel with more people than are read is external."""
    slack, team = scene.slack, scene.slack.workspace.team_id
    kept = StoredMembers(scene.shelf.engine, scene.shelf.workspace_id)
    crowd = [slack.add_user(f"u{number}").id for number in range(2_000)]
    slack.join(slack.general, *crowd)
    for pages in (2, 3):
        people = People(kept, pages=pages)
        assert people.place(scene.client, team, slack.general).shared is (pages == 2)
    assert len(slack.calls("conversations.members")) == 5
    assert slack.calls("users.info") == []


def test_many_people_in_a_channel_are_all_read(scene: Scene) -> None:
    """A channel's people come in pages."""
    crowd = [f"U0CROWD{number:04}" for number in range(2_500)]
    scene.slack.join(scene.board, *crowd)
    assert "board" in scene.found(scene.slack.alice)
    assert len(scene.slack.calls("conversations.members")) > 2
    assert scene.people.is_inside(scene.client, crowd[-1], scene.board)


def test_slack_is_asked_as_seldom_as_possible(scene: Scene) -> None:
    """A second question costs no call; where documents name no group none is looked through."""
    for _ in range(3):
        scene.access(scene.slack.alice)
        scene.access(scene.slack.alice, scene.slack.general)
    methods = ("users.info", "users.list", "conversations.members", "usergroups.list")
    assert [len(scene.slack.calls(method)) for method in methods] == [1, 1, 2, 1]

    plain = People(StoredMembers(scene.shelf.engine, scene.shelf.workspace_id))
    before = len(scene.slack.calls())
    plain.alone(scene.client, scene.slack.workspace.team_id, scene.slack.bob)
    assert len(scene.slack.calls()) == before + 1


def test_what_people_are_called_is_kept(scene: Scene) -> None:
    """Every name by which Slack lists them, for redaction; bots have none."""
    engine, workspace_id = scene.shelf.engine, scene.shelf.workspace_id
    keep = partial(save_names, engine, workspace_id)
    people = People(StoredMembers(engine, workspace_id), called=keep)
    people.list_on(scene.client, scene.slack.workspace.team_id)
    listed = scene.client.users_list()["members"]
    assert set(read_names(engine, workspace_id)) == {
        name for user in listed if not user["is_bot"] for name in names_of(user)
    }
    assert names_of({"profile": {"first_name": "Jo", "last_name": "Ng\x00"}}) == ("Jo Ng",)


def test_what_an_operator_gave_a_person_counts_as_well(scene: Scene) -> None:
    """Groups that Slack knows nothing of can be given by hand; a guest gets nothing of it."""
    engine, workspace_id = scene.shelf.engine, scene.shelf.workspace_id
    given = frozenset({f"group:{scene.group}"})
    for user in (scene.slack.bob, scene.slack.add_user("eve", is_restricted=True).id):
        save_member(engine, workspace_id, Member(user, "member", given))
        assert scene.found(user) == ("all hr public" if user == scene.slack.bob else "public")
        assert scene.found(user, scene.slack.general) != "all hr public"
        kept = find_member(engine, workspace_id, user)
        assert kept is not None
        assert kept.principals == given


@pytest.mark.parametrize(
    ("details", "given", "role"),
    [
        pytest.param({}, [], "member", id="anybody"),
        pytest.param({"is_admin": True}, [], "admin", id="an admin of the workspace"),
        pytest.param({"is_owner": True}, [], "admin", id="its owner"),
        pytest.param({}, [KNOWLEDGE_ADMIN], "admin", id="a knowledge admin"),
        pytest.param({}, [CURATOR], "curator", id="a curator"),
        pytest.param({"is_admin": True}, [CURATOR], "admin", id="both"),
        pytest.param({"is_bot": True}, [KNOWLEDGE_ADMIN], "member", id="a bot"),
        pytest.param({"is_restricted": True}, [KNOWLEDGE_ADMIN], "member", id="a guest"),
    ],
)
def test_roles_are_slack_s_and_the_operator_s(
    details: dict[str, Any], given: list[str], role: str, scene: Scene
) -> None:
    """They are asked anew each time, so that who loses one loses it at once."""
    user = scene.slack.add_user("carol", **details).id
    scene.access(user)
    set_roles(scene.shelf.engine, scene.shelf.workspace_id, user, given, "operator")
    team = scene.slack.workspace.team_id
    assert scene.people.role(scene.client, team, user) == role
    assert scene.people.may_add_documents(scene.client, team, user) is (role == "admin")
    w = scene.slack.workspace
    w.users[user] = replace(w.users[user], is_stranger=True)
    assert scene.people.role(scene.client, team, user) == "member"
