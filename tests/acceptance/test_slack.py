"""The Slack face over real HTTP and a real WebSocket, with a scripted answerer behind it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.manifest import PATH
from bot.render import HELP, plain
from bot.socket import check_slack, run_socket_mode
from core.errors import ConfigurationError
from core.settings import Settings
from graph.state import Question
from store.access import EVERYONE, EXTERNAL, Access, Member
from store.answers import Answer, Citation, Claim
from tests.fakes.slack import Message, SlackServer

QUICK = 0.6  # seconds until an unanswered question is apologised for, in a hurry
SETTLED = 0.5  # seconds after which a second reply would have come

SALE = Citation(
    number=1,
    version_id=7,
    document="returns",
    title="Returns policy",
    version=3,
    section=("Sale items",),
    page=None,
    start=0,
    end=66,
    quote="Items bought in a sale can be returned within 14 days of delivery.",
    effective_from=datetime(2026, 9, 1, tzinfo=UTC),
    link="https://policies.example.com/returns#sale",
)
CLAIM = Claim("Sale items can be returned within 14 days.", (SALE,))


def cited(question: Question) -> Answer:
    """The answer every test gets unless it scripts another."""
    return Answer("a1", question.text, "policy", "answered", CLAIM.text, (CLAIM,))


@dataclass
class Answerer:
    """Answers by a script and keeps what it was asked."""

    script: Callable[[Question], Answer] = cited
    asked: list[Question] = field(default_factory=list)

    def answer(self, question: Question) -> Answer:
        """Keep the question, then follow the script."""
        self.asked.append(question)
        return self.script(question)


@dataclass
class KeptMembers:
    """Members in a dictionary."""

    kept: dict[str, Member] = field(default_factory=dict)

    def find(self, user_id: str) -> Member | None:
        """Return what is kept about a person."""
        return self.kept.get(user_id)

    def save(self, member: Member) -> None:
        """Keep it."""
        self.kept[member.user_id] = member


def declared() -> dict[str, Any]:
    """The app as its manifest has Slack make it."""
    manifest: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return manifest


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    """A workspace in which the app is installed as its manifest says."""
    manifest = declared()
    with SlackServer(
        events=manifest["settings"]["event_subscriptions"]["bot_events"],
        scopes=manifest["oauth_config"]["scopes"]["bot"],
        retry_delays=(0.0, 0.1, 0.1),
    ) as server:
        yield server


@pytest.fixture
def answerer() -> Answerer:
    """What the bot asks; a test may change its script."""
    return Answerer()


@pytest.fixture
def members() -> KeptMembers:
    """What the bot keeps about people."""
    return KeptMembers()


def settings_for(slack: SlackServer, **changes: str) -> Settings:
    """Settings that point every client at the local server."""
    values = {
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.url,
    }
    return Settings.model_validate(values | changes)


@contextmanager
def running(
    slack: SlackServer, answerer: Answerer, members: KeptMembers, deadline: float = 20.0
) -> Iterator[None]:
    """Run the bot until the block ends."""
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=run_socket_mode,
        args=(settings_for(slack), answerer, members, stop),
        kwargs={"connected": lambda _: ready.set(), "deadline": deadline},
    )
    thread.start()
    try:
        assert ready.wait(10)
        slack.wait_for_connection()
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def bot(slack: SlackServer, answerer: Answerer, members: KeptMembers) -> Iterator[None]:
    """The running bot."""
    with running(slack, answerer, members):
        yield


def words(message: Message) -> str:
    """What people read in a message's blocks, a line a block."""
    return "\n".join(_words(block) for block in message.blocks)


def _words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "".join(map(_words, value))
    if not isinstance(value, dict):
        return ""
    own = value["text"] if isinstance(value.get("text"), str) else ""
    return own + "".join(_words(item) for item in value.values() if not isinstance(item, str))


def links(value: Any) -> list[str]:
    """The addresses that blocks link to."""
    if isinstance(value, list | tuple):
        return [url for item in value for url in links(item)]
    if not isinstance(value, dict):
        return []
    own = [value["url"]] if value.get("type") == "link" else []
    return own + [url for item in value.values() for url in links(item)]


def settle(slack: SlackServer) -> None:
    """Wait until every event is acknowledged and a second reply would have come."""
    for delivery in slack.deliveries:
        delivery.wait_for_ack()
    threading.Event().wait(SETTLED)


pytestmark = pytest.mark.timeout(60)


@pytest.mark.usefixtures("bot")
def test_a_mention_is_answered_in_its_thread_with_footnotes(
    slack: SlackServer, answerer: Answerer
) -> None:
    """The reply opens a thread under the mention and shows the claim, its mark and its quote."""
    ts = slack.say(slack.general, slack.alice, slack.mention("can I return a sale item?"))

    (reply,) = slack.wait_for_messages(slack.general)
    assert reply.thread_ts == ts
    assert words(reply).splitlines() == [
        "Sale items can be returned within 14 days.¹",
        "",
        "¹ Returns policy › Sale items · v3 · since 1 Sep 2026 — “Items bought in a sale can be"
        " returned within 14 days of delivery.”",
    ]
    (question,) = answerer.asked
    assert question.text == "can I return a sale item?"
    assert question.user_id == slack.alice


@pytest.mark.usefixtures("bot")
def test_replies_never_unfurl_links(slack: SlackServer) -> None:
    """No preview of a linked page is shown under an answer."""
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)

    (call,) = slack.calls("chat.postMessage")
    assert {str(call.params[k]).lower() for k in ("unfurl_links", "unfurl_media")} <= {
        "0",
        "false",
    }


@pytest.mark.usefixtures("bot")
def test_a_follow_up_in_the_thread_belongs_to_the_same_conversation(
    slack: SlackServer, answerer: Answerer
) -> None:
    """One thread is one conversation; another thread is another one."""
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)
    slack.say(slack.general, slack.bob, slack.mention("and shoes?"), thread_ts=ts)
    replies = slack.wait_for_messages(slack.general, ts, count=2)
    slack.say(slack.general, slack.alice, slack.mention("shipping?"))
    slack.wait_for_messages(slack.general, count=3)

    first, second, other = answerer.asked
    assert first.conversation == second.conversation != other.conversation
    assert len({first.event_key, second.event_key, other.event_key}) == 3
    assert [reply.thread_ts for reply in replies] == [ts, ts]


@pytest.mark.usefixtures("bot")
def test_a_direct_message_needs_no_mention(slack: SlackServer, answerer: Answerer) -> None:
    """Any message to the bot is a question, answered under it, follow-ups in the thread too."""
    place = slack.dm(slack.alice)
    ts = slack.say(place, slack.alice, "sale?")
    slack.wait_for_messages(place, ts)
    slack.say(place, slack.alice, "and shoes?", thread_ts=ts)
    slack.wait_for_messages(place, ts, count=2)

    assert [question.text for question in answerer.asked] == ["sale?", "and shoes?"]
    assert len({question.conversation for question in answerer.asked}) == 1


@pytest.mark.usefixtures("bot")
def test_cite_answers_only_the_asker(slack: SlackServer, answerer: Answerer) -> None:
    """The answer to `/cite` is ephemeral, acknowledged at once, and part of no conversation."""
    command = slack.slash("/cite", "can I return a sale item?", slack.general, slack.alice)

    (post,) = command.wait_for_posts()
    assert command.wait_for_ack() < 1_000
    assert post.response_type == "ephemeral"
    assert slack.messages(slack.general) == []
    (seen,) = slack.ephemerals(slack.general, slack.alice)
    assert "“Items bought in a sale" in words(seen)
    assert answerer.asked[0].conversation is None


@pytest.mark.parametrize("text", ["", "  ", "help", "Help"])
@pytest.mark.usefixtures("bot")
def test_cite_alone_explains_itself(slack: SlackServer, answerer: Answerer, text: str) -> None:
    """Without a question `/cite` says how to use it."""
    (post,) = slack.slash("/cite", text, slack.general, slack.alice).wait_for_posts()

    assert post.text == plain(HELP)[0].text
    assert answerer.asked == []


@pytest.mark.usefixtures("bot")
def test_a_bare_mention_is_told_how_to_ask(slack: SlackServer, answerer: Answerer) -> None:
    """A mention without a question gets the help, not an answer."""
    slack.say(slack.general, slack.alice, slack.mention(""))

    (reply,) = slack.wait_for_messages(slack.general)
    assert reply.text == plain(HELP)[0].text
    assert answerer.asked == []


@pytest.mark.usefixtures("bot")
def test_events_delivered_again_are_answered_once(slack: SlackServer, answerer: Answerer) -> None:
    """Retries of an event, and the same mention under another event id, get no second reply."""
    slack.duplicate_next_event(times=3)
    ts = slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general)
    message = slack.workspace.message(slack.general, ts)
    again = {"type": "app_mention", "user": slack.alice, "text": message.text, "ts": ts}
    slack.send_event(again | {"channel": slack.general}, slack.general)
    settle(slack)

    assert len(slack.replies(slack.general)) == 1
    assert len(answerer.asked) == 1


@pytest.mark.usefixtures("bot")
def test_ten_people_at_once_each_get_one_reply(slack: SlackServer) -> None:
    """Events that arrive twice and together are each answered once, in their own threads."""
    with slack.held(copies=2):
        asked = [slack.say(slack.general, slack.alice, slack.mention(f"{n}?")) for n in range(10)]
    slack.wait_for_messages(slack.general, count=10)
    settle(slack)

    assert sorted(str(reply.thread_ts) for reply in slack.replies(slack.general)) == asked


@pytest.mark.usefixtures("bot")
def test_a_refusal_for_the_rate_is_waited_out(slack: SlackServer) -> None:
    """A 429 delays the reply; it is posted once all the same."""
    slack.fail("chat.postMessage", "429", times=1, seconds=1)
    slack.say(slack.general, slack.alice, slack.mention("sale?"))

    slack.wait_for_messages(slack.general)
    settle(slack)
    assert len(slack.replies(slack.general)) == 1


@pytest.mark.usefixtures("bot")
def test_a_reply_that_slack_may_have_taken_is_not_sent_again(slack: SlackServer) -> None:
    """When the connection breaks after posting, the answer is not posted a second time."""
    slack.fail("chat.postMessage", "lose_reply")
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_messages(slack.general, count=2)
    settle(slack)

    answers = [r for r in slack.replies(slack.general) if "Sale items" in words(r)]
    assert len(answers) == 1


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
def test_an_error_becomes_a_sentence_with_a_reference(
    slack: SlackServer, answerer: Answerer, capsys: pytest.CaptureFixture[str]
) -> None:
    """When answering fails, the thread says so with a reference that the log has, and no more."""
    answerer.script = lambda _: [][0]
    ts = slack.say(slack.general, slack.alice, slack.mention("sale secret?"))

    (reply,) = slack.wait_for_messages(slack.general, ts)
    assert words(reply).startswith("I couldn't finish this (reference ")
    reference = words(reply).split("(reference ")[1][:8]
    logged = capsys.readouterr()
    assert reference in logged.out + logged.err
    assert "sale secret" not in logged.out + logged.err


@pytest.mark.usefixtures("bot")
def test_an_error_behind_cite_is_told_privately(slack: SlackServer, answerer: Answerer) -> None:
    """A failed `/cite` apologises to the asker alone."""
    answerer.script = lambda _: [][0]
    (post,) = slack.slash("/cite", "sale?", slack.general, slack.alice).wait_for_posts()

    assert "(reference " in post.text
    assert slack.messages(slack.general) == []


def test_a_question_that_takes_too_long_ends_in_an_apology(
    slack: SlackServer, answerer: Answerer, members: KeptMembers
) -> None:
    """Nobody waits for ever: the apology comes in time, and the late answer is not posted."""
    release = threading.Event()

    def slowly(question: Question) -> Answer:
        release.wait(10)
        return cited(question)

    answerer.script = slowly
    with running(slack, answerer, members, deadline=QUICK):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        (reply,) = slack.wait_for_messages(slack.general)
        release.set()
        settle(slack)

        assert "I couldn't finish this" in words(reply)
        assert len(slack.replies(slack.general)) == 1


def test_stopping_lets_no_question_fall_silent(
    slack: SlackServer, answerer: Answerer, members: KeptMembers
) -> None:
    """What is being answered when the bot stops still gets its answer."""
    begun, release = threading.Event(), threading.Event()

    def slowly(question: Question) -> Answer:
        begun.set()
        release.wait(10)
        return cited(question)

    answerer.script = slowly
    with running(slack, answerer, members):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        assert begun.wait(5)
        threading.Timer(1.0, release.set).start()

    assert "Sale items" in words(slack.replies(slack.general)[0])


def test_only_what_a_person_newly_says_to_the_bot_is_a_question(
    answerer: Answerer, members: KeptMembers
) -> None:
    """Other talk, bots, notices, edits and deletions are acknowledged and left alone."""
    with SlackServer() as slack, running(slack, answerer, members):
        place = slack.dm(slack.alice)
        slack.say(slack.general, slack.alice, "no mention here")
        slack.say(slack.general, slack.alice, slack.mention("myself"), by_app=True)
        slack.say(place, slack.alice, "joined", subtype="channel_join")
        robot = {"type": "message", "subtype": "bot_message", "bot_id": "B0ROBOT001", "text": "hi"}
        slack.send_event(robot | {"ts": "1.1", "channel": place, "channel_type": "im"}, place)
        ts = slack.say(place, slack.alice, "first?")
        slack.wait_for_messages(place, ts)
        slack.react(place, ts, slack.alice, "eyes")
        slack.edit(place, ts, "second?")
        slack.delete(place, ts)
        settle(slack)

    assert [question.text for question in answerer.asked] == ["first?"]


def test_a_mention_that_also_arrives_as_a_message_is_answered_once(
    answerer: Answerer, members: KeptMembers
) -> None:
    """An app that hears all messages gets each mention twice and answers it once."""
    with SlackServer() as slack, running(slack, answerer, members):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        slack.wait_for_messages(slack.general)
        settle(slack)

        assert {d.event["type"] for d in slack.deliveries} == {"app_mention", "message"}
        assert len(slack.replies(slack.general)) == 1


@pytest.mark.usefixtures("bot")
def test_the_words_around_a_mention_reach_the_agent_as_people_see_them(
    slack: SlackServer, answerer: Answerer
) -> None:
    """Slack's markup is turned into words before anything reads it."""
    text = f"Hi <@{slack.bot_user}>, is 5 &lt; 6 &amp; <https://a.example|this> for <!here>?"
    slack.say(slack.general, slack.alice, text)
    slack.wait_for_messages(slack.general)

    assert answerer.asked[0].text == "Hi is 5 < 6 & this for @here?"


@pytest.mark.usefixtures("bot")
def test_hostile_words_reach_slack_as_words(slack: SlackServer, answerer: Answerer) -> None:
    """A quote that tries to call the channel or to link is shown literally."""
    quote = "<!channel> <https://evil.example|click> *now* & https://evil.example"
    claim = Claim("See the policy.", (replace(SALE, quote=quote),))
    answerer.script = lambda q: replace(cited(q), text=claim.text, claims=(claim,))
    slack.say(slack.general, slack.alice, slack.mention("sale?"))

    (reply,) = slack.wait_for_messages(slack.general)
    assert quote in words(reply)
    assert "<" not in reply.text
    assert links(reply.blocks) == [SALE.link]


@pytest.mark.usefixtures("bot")
def test_a_long_answer_arrives_whole_in_several_messages(
    slack: SlackServer, answerer: Answerer
) -> None:
    """What one message cannot hold continues in the next ones of the thread."""
    text = " ".join(f"Rule {n} holds." for n in range(1_500))
    answerer.script = lambda q: Answer("a2", q.text, "policy", "answered", text)
    ts = slack.say(slack.general, slack.alice, slack.mention("all rules?"))

    replies = slack.wait_for_messages(slack.general, ts, count=2)
    settle(slack)
    replies = slack.replies(slack.general, ts)
    assert "".join("".join(map(words, replies)).split()) == "".join(text.split())


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


@pytest.mark.usefixtures("bot")
def test_everything_is_acknowledged_at_once_however_long_answers_take(
    slack: SlackServer, answerer: Answerer
) -> None:
    """Acknowledgements do not wait for free workers, nor do those of commands."""
    release = threading.Event()

    def slowly(question: Question) -> Answer:
        release.wait(20)
        return cited(question)

    answerer.script = slowly
    for n in range(12):
        slack.say(slack.general, slack.alice, slack.mention(f"{n}?"))
    command = slack.slash("/cite", "sale?", slack.general, slack.alice)
    try:
        assert command.wait_for_ack() < 1_000
        settle(slack)
        assert max(slack.ack_times()) < 1_000
    finally:
        release.set()
    slack.wait_for_messages(slack.general, count=12)


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
    slack: SlackServer, changes: dict[str, str], sentence: str
) -> None:
    """Both the doctor and the start say in one sentence which token is wrong and what to do."""
    settings = settings_for(slack, **changes)

    status = check_slack(settings)
    assert status.state == "error"
    assert sentence in status.detail
    with pytest.raises(ConfigurationError) as raised:
        run_socket_mode(settings, Answerer(), KeptMembers(), threading.Event())
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


def test_an_unreachable_slack_is_waited_for(answerer: Answerer, members: KeptMembers) -> None:
    """The doctor says that Slack cannot be reached; the bot keeps trying until told to stop."""
    nowhere = {"SLACK_API_URL": "http://127.0.0.1:9/api/"}
    settings = Settings.model_validate(
        nowhere | {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    )
    status = check_slack(settings)
    assert status.detail.startswith("Slack cannot be reached at http://127.0.0.1:9/api/")

    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    run_socket_mode(settings, answerer, members, stop)


def test_the_bot_starts_although_slack_stumbles(
    slack: SlackServer, answerer: Answerer, members: KeptMembers
) -> None:
    """Errors of Slack's own while connecting are tried again, not reported as a wrong token."""
    slack.fail("auth.test", "fatal_error")
    slack.fail("apps.connections.open", "500", times=4)
    with running(slack, answerer, members):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        slack.wait_for_messages(slack.general)
