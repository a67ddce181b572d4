"""Asking in Slack, over real HTTP and a real WebSocket, with a scripted answerer."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from bot.render import HELP, plain
from graph.state import Question
from store.answers import Answer, Claim
from tests.acceptance.slack_face import (
    SALE,
    Answerer,
    cited,
    links,
    running,
    settle,
    words,
)
from tests.fakes.slack import SlackServer

SLOW = 30.0  # seconds: a channel gets one message in each
LONG = 3  # messages of the longest answer
QUICK = 0.6  # seconds until an unanswered question is apologised for, in a hurry

pytestmark = pytest.mark.timeout(60)


@pytest.mark.usefixtures("bot")
def test_a_mention_is_answered_in_its_thread_with_footnotes(
    slack: SlackServer, answerer: Answerer
) -> None:
    """The reply opens a thread under the mention and shows the claim, its mark and its quote."""
    ts = slack.say(slack.general, slack.alice, slack.mention("can I return a sale item?"))

    (reply,) = slack.wait_for_messages(slack.general)
    assert reply.thread_ts == ts
    assert words(reply).splitlines()[:3] == [
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

    (call,) = slack.wait_for_calls("chat.postMessage")
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


@pytest.mark.usefixtures("bot")
def test_cite_answers_from_what_was_in_force_on_a_day(
    slack: SlackServer, answerer: Answerer
) -> None:
    """The day at a question's end is asked for, and the reply names it; an unread one is told."""
    asked = slack.slash("/cite", "sale items? as of 1 June 2025", slack.general, slack.alice)
    asked.wait_for_posts()
    (seen,) = slack.ephemerals(slack.general, slack.alice)
    assert "As of 1 Jun 2025" in words(seen)
    (question,) = answerer.asked
    assert question.text == "sale items?"
    assert question.as_of is not None
    assert question.as_of.date().isoformat() == "2025-06-01"

    (post,) = slack.slash(
        "/cite", "sale? as of last week", slack.general, slack.bob
    ).wait_for_posts()
    assert "“last week”" in post.text
    assert len(answerer.asked) == 1


@pytest.mark.parametrize("text", ["help", " Help "])
@pytest.mark.usefixtures("bot")
def test_cite_help_explains(slack: SlackServer, answerer: Answerer, text: str) -> None:
    """It says how to ask, and asks nothing itself."""
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
    slack.wait_for_messages(slack.general, count=10, timeout=SLOW)  # one a second
    settle(slack)

    assert sorted(str(reply.thread_ts) for reply in slack.replies(slack.general)) == asked


@pytest.mark.usefixtures("bot")
def test_a_refusal_for_the_rate_is_waited_out(slack: SlackServer) -> None:
    """A 429 delays the reply; it is posted once all the same."""
    slack.fail("chat.postMessage", "429", times=1, seconds=1)
    slack.say(slack.general, slack.alice, slack.mention("sale?"))

    slack.wait_for_messages(slack.general)
    settle(slack)
    (reply,) = slack.replies(slack.general)
    assert "Sale items" in words(reply)
    assert [call.status for call in slack.calls("chat.postMessage")] == [429, 200]


@pytest.mark.usefixtures("bot")
def test_a_reply_that_slack_may_have_taken_is_not_sent_again(slack: SlackServer) -> None:
    """When the connection breaks after posting, the answer is found and not posted again."""
    slack.fail("chat.postMessage", "lose_reply")
    slack.say(slack.general, slack.alice, slack.mention("sale?"))
    slack.wait_for_calls("conversations.replies")
    settle(slack)

    (reply,) = slack.replies(slack.general)
    assert "Sale items" in words(reply)
    assert len(slack.calls("chat.postMessage")) == 1


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
    slack: SlackServer, bot_engine: Engine, answerer: Answerer
) -> None:
    """Nobody waits for ever: the apology comes in time, and the late answer is not posted."""
    release = threading.Event()

    def slowly(question: Question) -> Answer:
        release.wait(10)
        return cited(question)

    answerer.script = slowly
    with running(slack, bot_engine, answerer, deadline=QUICK):
        slack.say(slack.general, slack.alice, slack.mention("sale?"))
        slack.wait_for_messages(slack.general)
        release.set()
        settle(slack)

        # Where a stream had begun, the apology stands in it.
        (reply,) = slack.replies(slack.general)
        assert "I couldn't finish this" in words(reply)
    with bot_engine.connect() as connection:
        said = connection.execute(text("SELECT role, text FROM turns ORDER BY id")).all()
    assert [(role, said_then.partition(" (")[0]) for role, said_then in said] == [
        ("asker", "sale?"),
        ("footnote", "I couldn't finish this"),
    ]


def test_only_what_a_person_newly_says_to_the_bot_is_a_question(
    bot_engine: Engine, answerer: Answerer
) -> None:
    """Other talk, bots, notices and reactions are acknowledged and left alone."""
    with SlackServer() as slack, running(slack, bot_engine, answerer):
        place = slack.dm(slack.alice)
        slack.say(slack.general, slack.alice, "no mention here")
        slack.say(slack.general, slack.alice, slack.mention("myself"), by_app=True)
        slack.say(place, slack.alice, "joined", subtype="channel_join")
        robot = {"type": "message", "subtype": "bot_message", "bot_id": "B0ROBOT001", "text": "hi"}
        slack.send_event(robot | {"ts": "1.1", "channel": place, "channel_type": "im"}, place)
        ts = slack.say(place, slack.alice, "first?")
        slack.wait_for_messages(place, ts)
        slack.react(place, ts, slack.alice, "eyes")
        settle(slack)

    assert [question.text for question in answerer.asked] == ["first?"]


def test_a_mention_that_also_arrives_as_a_message_is_answered_once(
    bot_engine: Engine, answerer: Answerer
) -> None:
    """An app that hears all messages gets each mention twice and answers it once."""
    with SlackServer() as slack, running(slack, bot_engine, answerer):
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

    replies = slack.wait_for_messages(slack.general, ts, count=LONG, timeout=SLOW)
    settle(slack)
    replies = slack.replies(slack.general, ts)
    assert len(replies) == LONG
    shown = "".join("".join(map(words, replies)).split())
    assert shown.startswith("".join(text.split()))


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
    slack.wait_for_messages(slack.general, count=12, timeout=SLOW)
