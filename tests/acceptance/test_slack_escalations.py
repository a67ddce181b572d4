"""A person: asked for in words or by button, who claims, answers, and keeps the exchange."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.people import StoredMembers
from retrieval.embeddings import Embedder
from store.access import CURATOR, Member
from store.escalations import Escalation, list_escalations
from store.members import save_member, set_roles
from store.transcripts import Said, list_transcripts
from store.workspaces import ensure_workspace
from tests.acceptance.processes import wait_until
from tests.acceptance.slack_face import Answerer, links, running, settle, words
from tests.acceptance.taught import BONUS_QUESTION, OFF_TOPIC, SALE, SALE_QUESTION, taught
from tests.fakes.slack import Message, SlackServer

pytestmark = pytest.mark.timeout(120)
HUMAN = "Can I talk to a human please?"
HANDED = "I've asked #leads; somebody will answer here."


@dataclass
class Team:
    """People and places: alice asks; dana and erin take over in `leads`; gus is a guest."""

    slack: SlackServer
    engine: Engine
    workspace_id: int
    dana: str
    erin: str
    gus: str
    leads: str
    board: str

    def ask(self, channel: str, text: str) -> tuple[str, Message]:
        """Ask as alice and return the thread and its reply."""
        said = text if channel.startswith("D") else self.slack.mention(text)
        ts = self.slack.say(channel, self.slack.alice, said)
        (reply,) = self.slack.wait_for_messages(channel, ts)
        return ts, reply

    def handed(self, count: int = 1) -> Message:
        """The latest question in the escalation channel, once there are so many."""
        wait_until(lambda: len(self.slack.messages(self.leads)) >= count)
        return self.slack.messages(self.leads)[-1]

    def now(self) -> Message:
        """The first question in the escalation channel as it stands."""
        return self.slack.messages(self.leads)[0]

    def told(self, channel: str, thread: str | None, count: int) -> list[str]:
        """What stands in a thread after so many replies, and no more."""
        self.slack.wait_for_messages(channel, thread, count)
        settle(self.slack)
        return [seen(message) for message in self.slack.replies(channel, thread)]

    def open(self) -> list[Escalation]:
        """What waits or is claimed."""
        return list_escalations(self.engine, self.workspace_id)

    def kept(self) -> list[tuple[Said, ...]]:
        """The exchanges that wait for a curator."""
        return [one.messages for one in list_transcripts(self.engine, self.workspace_id)]


def seen(message: Message) -> str:
    """What people read, with mentions as Slack writes them."""
    return "".join(mentions(message.blocks))


def mentions(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from mentions(item)
    elif isinstance(value, dict):
        if value.get("type") == "user":
            yield f"<@{value['user_id']}>"
        elif isinstance(value.get("text"), str):
            yield value["text"]
        else:
            yield from mentions([v for v in value.values() if not isinstance(v, str)])


@pytest.fixture
def team(slack: SlackServer, bot_engine: Engine) -> Team:
    """The people and places, before the bot runs."""
    dana, erin = slack.add_user("dana").id, slack.add_user("erin").id
    gus = slack.add_user("gus", is_restricted=True).id
    leads = slack.add_channel("leads", [dana, erin]).id
    board = slack.add_channel("board", [slack.alice], "group").id
    workspace_id = ensure_workspace(bot_engine)
    return Team(slack, bot_engine, workspace_id, dana, erin, gus, leads, board)


@pytest.fixture
def handing(
    slack: SlackServer, bot_engine: Engine, team: Team, embedder: Embedder
) -> Iterator[None]:
    """The bot with a real agent and an escalation channel."""
    with taught(bot_engine, embedder, team.board) as agent:
        members = StoredMembers(bot_engine, team.workspace_id)
        answerer = Answerer(agent.answer)
        with running(slack, bot_engine, answerer, members, FOOTNOTE_ESCALATION_CHANNEL=team.leads):
            yield


@pytest.mark.usefixtures("handing")
def test_a_question_goes_to_a_person_and_comes_back(slack: SlackServer, team: Team) -> None:
    """Asked for in words, claimed, answered in the thread, and kept for a curator."""
    ts, reply = team.ask(slack.general, HUMAN)
    assert words(reply) == HANDED
    question = team.handed()
    assert f"<@{slack.alice}> asked for a person." in seen(question)
    assert HUMAN in words(question)
    assert links(question.blocks) == [slack.workspace.permalink(slack.messages(slack.general)[0])]

    slack.action(team.leads, question.ts, team.dana, "escalation_claim")
    looked_at = f"<@{team.dana}> is looking at this."
    assert team.told(slack.general, ts, 2) == [HANDED, looked_at]
    assert f"Claimed by <@{team.dana}>" in seen(team.now())

    slack.action(team.leads, question.ts, team.erin, "escalation_resolve")
    form = slack.wait_for_view(team.erin)
    answer = "Yes: <!channel> until *Friday*."
    keep = {"type": "checkboxes", "selected_options": [{"value": "keep"}]}
    slack.submit(form, {"answered": answer, "keep": keep})
    told = team.told(slack.general, ts, 3)
    assert told == [HANDED, looked_at, f"<@{team.erin}> answers:{answer}"]
    assert "<!channel>" not in slack.replies(slack.general, ts)[-1].text
    assert f"Resolved by <@{team.erin}>" in seen(team.now())
    assert team.open() == []
    assert team.kept() == [(Said("asker", HUMAN), Said("team", answer))]
    assert len(slack.messages(team.leads)) == 1


@pytest.mark.usefixtures("handing")
def test_the_button_hands_over_what_was_said_and_cited_once(
    slack: SlackServer, team: Team
) -> None:
    """Whoever presses again, the asker or another in the thread, learns that it was asked."""
    ts, reply = team.ask(slack.general, SALE_QUESTION)
    slack.action(slack.general, reply.ts, slack.alice, "human")
    question = team.handed()
    assert SALE_QUESTION in words(question)
    assert f"“{SALE}”" in words(question)
    assert "Returns policy › Sale items (v1)" in words(question)

    slack.action(slack.general, reply.ts, slack.bob, "human")
    (note,) = slack.wait_for_ephemerals(slack.general, slack.bob)
    assert "has been asked already" in words(note)
    assert team.told(slack.general, ts, 2)[1:] == [HANDED]
    assert len(slack.messages(team.leads)) == 1


@pytest.mark.usefixtures("handing")
def test_where_a_guest_looks_on_a_question_comes_without_what_was_quoted(
    slack: SlackServer, team: Team
) -> None:
    """What members were answered elsewhere is not told in a channel with a guest in it."""
    slack.join(team.leads, team.gus)
    _, reply = team.ask(slack.general, SALE_QUESTION)
    slack.action(slack.general, reply.ts, slack.alice, "human")
    question = words(team.handed())
    assert SALE_QUESTION in question
    assert SALE not in question
    assert "not everybody in this channel may read" in question


@pytest.mark.usefixtures("handing")
def test_two_who_claim_are_told_who_has_it(slack: SlackServer, team: Team) -> None:
    """One wins, the other learns who; the asker hears of one. What is resolved is not claimed."""
    ts, _ = team.ask(slack.general, HUMAN)
    question = team.handed()
    both = [
        slack.action(team.leads, question.ts, user, "escalation_claim")
        for user in (team.dana, team.erin)
    ]
    for one in both:
        one.wait_for_ack()
    wait_until(lambda: team.open()[0].claimed_by is not None)
    claimer = team.open()[0].claimed_by
    late = team.erin if claimer == team.dana else team.dana
    (note,) = slack.wait_for_ephemerals(team.leads, late)
    assert seen(note) == f"<@{claimer}> has claimed this already."
    assert team.told(slack.general, ts, 2)[1:] == [f"<@{claimer}> is looking at this."]

    slack.action(team.leads, question.ts, team.dana, "escalation_resolve")
    first, second = slack.wait_for_view(team.dana), None
    slack.action(team.leads, question.ts, team.erin, "escalation_resolve")
    second = slack.wait_for_view(team.erin)
    slack.submit(first, {"answered": "Yes."}).wait_for_ack()
    wait_until(lambda: team.open() == [])
    refused = slack.submit(second, {"answered": "No."})
    refused.wait_for_ack()
    assert refused.response is not None
    assert "resolved this already" in refused.response["errors"]["answered"]
    assert [t for t in team.told(slack.general, ts, 3) if "answers" in t] == [
        f"<@{team.dana}> answers:Yes."
    ]


@pytest.mark.usefixtures("handing")
def test_guests_and_other_places_do_not_claim(
    slack: SlackServer, team: Team, bot_engine: Engine
) -> None:
    """Only a full member, and only in the channel that it was handed to."""
    team.ask(slack.general, HUMAN)
    question = team.handed()
    slack.join(team.leads, team.gus)
    slack.action(team.leads, question.ts, team.gus, "escalation_claim")
    (note,) = slack.wait_for_ephemerals(team.leads, team.gus)
    assert "Only full members" in words(note)

    client = WebClient(token=slack.bot_token, base_url=slack.url)
    forged = client.chat_postMessage(channel=slack.general, text="x", blocks=list(question.blocks))
    for action in ("escalation_claim", "escalation_resolve", "escalation_example"):
        slack.action(slack.general, forged["ts"], slack.bob, action).wait_for_ack()
    settle(slack)
    assert slack.views(slack.bob) == []
    (waiting,) = list_escalations(bot_engine, team.workspace_id)
    assert waiting.state == "waiting"


@pytest.mark.usefixtures("handing")
def test_what_a_private_question_quoted_stays_with_its_readers(
    slack: SlackServer, team: Team
) -> None:
    """The people who take over see the question; they are told that the rest is not for all."""
    place = slack.dm(slack.alice)
    thread, reply = team.ask(place, BONUS_QUESTION)
    assert "month of June" in words(reply)
    slack.action(place, reply.ts, slack.alice, "human")
    question = team.handed()

    assert BONUS_QUESTION in words(question)
    assert "not everybody in this channel may read" in words(question)
    assert "June" not in words(question)
    assert "Board remuneration" not in words(question)
    assert links(question.blocks) == []

    slack.action(team.leads, question.ts, team.dana, "escalation_claim")
    assert team.told(place, thread, 3)[1:] == [HANDED, f"<@{team.dana}> is looking at this."]


@pytest.mark.usefixtures("handing")
def test_a_command_s_asker_is_answered_in_private(slack: SlackServer, team: Team) -> None:
    """What only they saw in a channel goes on in their direct messages."""
    asked = slack.slash("/cite", HUMAN, slack.general, slack.alice)
    (reply,) = asked.wait_for_posts()
    assert "somebody will answer in a direct message" in str(reply.body)
    question = team.handed()

    slack.action(team.leads, question.ts, team.dana, "escalation_claim")
    place = slack.dm(slack.alice)
    wait_until(lambda: bool(slack.messages(place)))
    assert seen(slack.messages(place)[0]) == f"<@{team.dana}> is looking at this."
    settle(slack)
    assert slack.messages(slack.general) == []


@pytest.mark.usefixtures("handing")
def test_the_bot_asks_a_person_by_itself(slack: SlackServer, team: Team) -> None:
    """For who is upset, with the answer; and where it found nothing twice in a row."""
    _, upset = team.ask(slack.general, f"This is ridiculous!! {SALE_QUESTION}")
    assert f"“{SALE}”" in words(upset)
    assert f"{upset.text}\n{words(upset)}".count(HANDED) >= 1  # streamed, where it took long
    assert "seems upset" in words(team.handed())

    thread, _ = team.ask(slack.general, OFF_TOPIC[0])
    slack.say(slack.general, slack.alice, slack.mention(OFF_TOPIC[1]), thread)
    first, second = team.told(slack.general, thread, 2)
    assert "Shall I ask #leads?" in first
    assert HANDED in second
    assert "found nothing twice" in words(team.handed(2))


@pytest.mark.usefixtures("handing")
def test_a_question_that_is_taken_back_leaves_the_escalation_channel(
    slack: SlackServer, team: Team
) -> None:
    """Edited, it is the new question there; deleted, only that there was one."""
    ts, _ = team.ask(slack.general, f"This is ridiculous!! {SALE_QUESTION}")
    assert SALE_QUESTION in words(team.handed())
    other = "This is ridiculous!! How long are gift cards valid?"
    slack.edit(slack.general, ts, slack.mention(other))
    wait_until(lambda: "gift cards" in words(team.now()))
    assert SALE_QUESTION not in words(team.now())
    assert len(slack.messages(team.leads)) == 1

    slack.delete(slack.general, ts)
    wait_until(lambda: "gift cards" not in words(team.now()))
    assert "edited or deleted" in words(team.now())
    assert "five years" not in words(team.now()) + team.now().text
    wait_until(lambda: not slack.replies(slack.general, ts))
    assert team.open()[0].question == "(The message was edited or deleted.)"


def test_without_people_a_contact_is_named(
    slack: SlackServer, bot_engine: Engine, team: Team, embedder: Embedder
) -> None:
    """A channel that the bot is not in counts as none: nobody is promised."""
    far = slack.add_channel("far", [team.dana], with_bot=False).id
    with (
        taught(bot_engine, embedder, team.board) as agent,
        running(
            slack,
            bot_engine,
            Answerer(agent.answer),
            StoredMembers(bot_engine, team.workspace_id),
            FOOTNOTE_ESCALATION_CHANNEL=far,
            FOOTNOTE_ESCALATION_CONTACT="#help",
        ),
    ):
        _, reply = team.ask(slack.general, SALE_QUESTION)
        slack.action(slack.general, reply.ts, slack.alice, "human")
        (note,) = slack.wait_for_ephemerals(slack.general, slack.alice)

    assert words(note) == "A person can help with this: please write to #help."
    assert team.open() == []


@pytest.mark.usefixtures("handing")
def test_examples_are_chosen_by_curators(
    slack: SlackServer, bot_engine: Engine, team: Team
) -> None:
    """Others are told so; a curator finds the question beside the message and can change both."""
    thread, _ = team.ask(slack.general, SALE_QUESTION)
    theirs = slack.say(slack.general, slack.bob, "Sorry, no, but we can exchange it.", thread)
    slack.shortcut("use_as_example", slack.bob, slack.general, theirs)
    refusal = slack.wait_for_view(slack.bob)
    assert "Only curators" in str(refusal.body)

    save_member(bot_engine, team.workspace_id, Member(team.dana, "member"))
    set_roles(bot_engine, team.workspace_id, team.dana, [CURATOR], "test")
    slack.shortcut("use_as_example", team.dana, slack.general, theirs)
    form = slack.wait_for_view(team.dana)
    assert SALE_QUESTION in str(form.body)
    assert "we can exchange it" in str(form.body)
    filled = {"question": SALE_QUESTION, "answered": "No, but we exchange it."}
    slack.submit(form, filled).wait_for_ack()

    wait_until(lambda: bool(team.kept()))
    (kept,) = list_transcripts(bot_engine, team.workspace_id)
    assert kept.messages == (Said("asker", SALE_QUESTION), Said("team", filled["answered"]))
    assert (kept.origin, kept.audience, kept.added_by) == ("shortcut", ("everyone",), team.dana)
    assert (kept.people, kept.answer_id, kept.disliked) == ((slack.bob,), None, None)
