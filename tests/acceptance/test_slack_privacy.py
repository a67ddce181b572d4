"""Limits and privacy in Slack: who asks too much, who wants to be forgotten, what is logged."""

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, text

from bot.privacy import FORGET_ME
from core.logs import configure_logs
from graph.finish import keep
from graph.graph import open_agent
from graph.state import Question
from retrieval.embeddings import Embedder
from store.answers import Answer, new_answer_id
from store.conversations import ensure_conversation
from store.posts import post_at
from store.workspaces import ensure_workspace
from tests.acceptance.processes import wait_until
from tests.acceptance.slack_face import Answerer, KeptMembers, running, settings_for, words
from tests.fakes.slack import SlackServer
from tests.integration.store.asked import found

pytestmark = pytest.mark.timeout(90)
CANARY = "Xylophon"


def remembering(engine: Engine, choices: tuple[str, ...] = ()) -> Callable[[Question], Answer]:
    """A script that keeps what it is asked and answers as the agent does, without searching."""

    def answer(question: Question) -> Answer:
        workspace_id = ensure_workspace(engine)
        made = Answer(
            new_answer_id(),
            question.text,
            "clarify" if choices else "policy",
            "clarifying" if choices else "refused",
            f"Nothing on {question.text}",
            choices=choices,
        )
        conversation = question.conversation and ensure_conversation(
            engine, workspace_id, question.conversation
        )
        keep(engine, workspace_id, question, made, conversation or None)
        return made

    return answer


def test_who_asks_too_much_is_told_when_to_go_on(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, members: KeptMembers
) -> None:
    """The third question of a minute gets a note in its place; another person's an answer."""
    with running(slack, bot_engine, answerer, members, FOOTNOTE_LIMIT_PERSON_MINUTE="2"):
        place = slack.dm(slack.alice)
        for number in range(3):
            ts = slack.say(place, slack.alice, f"question {number}?")
            (reply,) = slack.wait_for_messages(place, ts)
        assert words(reply).startswith("You have asked 2 questions in a minute; I can take the")
        assert words(reply).endswith(("seconds.", "second.", "minute.", "minutes."))

        other = slack.dm(slack.bob)
        slack.say(other, slack.bob, "and I?")
        (answered,) = slack.wait_for_messages(other)
    assert "14 days" in words(answered)
    assert [question.text for question in answerer.asked] == [
        "question 0?",
        "question 1?",
        "and I?",
    ]


def test_tokens_that_were_used_count(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, members: KeptMembers
) -> None:
    """Once the day's tokens are used up the next question waits, whoever asks it."""

    def costly(question: Question) -> Answer:
        tokens = {"input": 90, "output": 20}
        return Answer(
            "a1", question.text, "small_talk", "answered", "Hello.", trace={"tokens": tokens}
        )

    answerer.script = costly
    with running(slack, bot_engine, answerer, members, FOOTNOTE_LIMIT_TOKENS_WORKSPACE_DAY="110"):
        place = slack.dm(slack.alice)
        slack.say(place, slack.alice, "hello?")
        slack.wait_for_messages(place)
        other = slack.dm(slack.bob)
        slack.say(other, slack.bob, "and I?")
        (reply,) = slack.wait_for_messages(other)
    assert words(reply).startswith("For today this workspace's share of the language model is")


def test_a_person_sees_what_is_kept_and_has_it_deleted(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, members: KeptMembers
) -> None:
    """/cite forget me shows it to them alone; the button deletes theirs, and theirs only."""
    answerer.script = remembering(bot_engine)
    with running(slack, bot_engine, answerer, members):
        ts = slack.say(slack.general, slack.alice, slack.mention(f"{CANARY}?"))
        slack.wait_for_messages(slack.general, ts)
        other = slack.say(slack.general, slack.bob, slack.mention("Ukulele?"))
        slack.wait_for_messages(slack.general, other)
        assert set(found(bot_engine, CANARY)) == {"answers", "events", "posts", "turns"}
        kept_of_bob = found(bot_engine, "Ukulele")

        slack.slash("/cite", "forget me", slack.general, slack.alice).wait_for_ack()
        (shown,) = slack.wait_for_ephemerals(slack.general, slack.alice)
        assert "1 question with its answer" in words(shown)
        assert slack.ephemerals(slack.general, slack.bob) == []
        assert CANARY not in words(shown)

        slack.action(slack.general, shown.ts, slack.alice, FORGET_ME).wait_for_ack()
        told = slack.wait_for_ephemerals(slack.general, slack.alice, count=2)
        assert "Done. I deleted:" in words(told[-1])
        assert found(bot_engine, CANARY) == {}
        assert found(bot_engine, "Ukulele") == kept_of_bob

        # What stands in Slack stays, until its question is deleted there.
        (reply,) = slack.wait_for_messages(slack.general, ts)
        assert CANARY in words(reply)
        slack.delete(slack.general, ts)
        slack.wait_for_calls("chat.delete")
    assert slack.replies(slack.general, ts) == []


def test_whose_it_is_no_payload_decides(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, members: KeptMembers
) -> None:
    """Who presses another's button deletes what is kept about themselves."""
    answerer.script = remembering(bot_engine)
    with running(slack, bot_engine, answerer, members):
        ts = slack.say(slack.general, slack.alice, slack.mention(f"{CANARY}?"))
        slack.wait_for_messages(slack.general, ts)
        slack.slash("/cite", "forget me", slack.general, slack.alice).wait_for_ack()
        (shown,) = slack.wait_for_ephemerals(slack.general, slack.alice)
        slack.action(slack.general, shown.ts, slack.bob, FORGET_ME).wait_for_ack()
        (told,) = slack.wait_for_ephemerals(slack.general, slack.bob)
    assert "There was nothing to delete" in words(told)
    assert "turns" in found(bot_engine, CANARY)


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_a_message_that_is_taken_back_leaves_memory(
    change: str,
    slack: SlackServer,
    bot_engine: Engine,
    answerer: Answerer,
    members: KeptMembers,
) -> None:
    """No row holds the words that are not there any more."""
    answerer.script = remembering(bot_engine)
    with running(slack, bot_engine, answerer, members):
        ts = slack.say(slack.general, slack.alice, slack.mention(f"{CANARY}?"))
        slack.wait_for_messages(slack.general, ts)
        if change == "edited":
            slack.edit(slack.general, ts, slack.mention("Ukulele?"))
            slack.wait_for_calls("chat.update")
        else:
            slack.delete(slack.general, ts)
            slack.wait_for_calls("chat.delete")
        _wait_until_gone(bot_engine)
    assert found(bot_engine, CANARY) == {}
    assert ("turns" in found(bot_engine, "Ukulele")) is (change == "edited")


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_what_was_chosen_goes_with_the_message_it_was_chosen_for(
    change: str,
    slack: SlackServer,
    bot_engine: Engine,
    answerer: Answerer,
    members: KeptMembers,
) -> None:
    """A choice repeats the words of its question; two people may choose, and both are answered."""
    script = remembering(bot_engine, choices=("annual", "parental"))
    answerer.script = script
    with running(slack, bot_engine, answerer, members):
        ts = slack.say(slack.general, slack.alice, slack.mention(f"{CANARY}?"))
        (which,) = slack.wait_for_messages(slack.general, ts)
        answerer.script = remembering(bot_engine)
        # A test presses sooner than the bot has noted where its message stands.
        wait_until(
            lambda: (
                post_at(bot_engine, ensure_workspace(bot_engine), slack.general, which.ts)
                is not None
            )
        )
        slack.action(slack.general, which.ts, slack.alice, "choice:0")
        slack.action(slack.general, which.ts, slack.bob, "choice:1")
        replies = slack.wait_for_messages(slack.general, ts, count=3)
        assert sorted(question.text for question in answerer.asked[1:]) == [
            f"{CANARY}? (annual)",
            f"{CANARY}? (parental)",
        ]
        assert all(CANARY in words(reply) for reply in replies)
        if change == "edited":
            slack.edit(slack.general, ts, slack.mention("Ukulele?"))
            slack.wait_for_calls("chat.update")
            slack.wait_for_calls("chat.delete", count=2)
        else:
            slack.delete(slack.general, ts)
            slack.wait_for_calls("chat.delete", count=3)
        _wait_until_gone(bot_engine)
    assert found(bot_engine, CANARY) == {}
    shown = [words(reply) for reply in slack.replies(slack.general, ts)]
    assert len(shown) == (1 if change == "edited" else 0)
    assert all("Ukulele" in told for told in shown)


def _wait_until_gone(engine: Engine) -> None:
    """Wait until every event has ended and every post stands."""

    def done() -> bool:
        with engine.connect() as connection:
            open_rows = connection.execute(
                text(
                    "SELECT (SELECT count(*) FROM events WHERE state <> 'ended')"
                    " + (SELECT count(*) FROM posts WHERE state IN ('waiting', 'posting'))"
                )
            ).scalar_one()
        return int(open_rows) == 0

    wait_until(done)


# --- logs ----------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that this process logs, down to DEBUG; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    stream = io.StringIO()
    configure_logs("DEBUG", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_no_words_and_no_tokens_are_logged(
    slack: SlackServer,
    bot_engine: Engine,
    embedder: Embedder,
    members: KeptMembers,
    log: io.StringIO,
    tmp_path: Path,
) -> None:
    """Asked by the real agent, with failures of Slack, of the agent and of the database."""
    settings = settings_for(slack).model_copy(update={"home": tmp_path})
    agent = open_agent(settings, bot_engine, ensure_workspace(bot_engine), embedder)
    answerer = Answerer()

    def script(question: Question) -> Answer:
        if "break" in question.text:
            raise RuntimeError(question.text)
        return agent.answer(question)

    answerer.script = script
    with bot_engine.begin() as connection:  # Postgres says which row it refused, with its words
        connection.execute(text("ALTER TABLE answers ADD CHECK (question NOT LIKE '%null%')"))
    try:
        with running(slack, bot_engine, answerer, members):
            place = slack.dm(slack.alice)
            for said in ("?", " talk to a human", ": break", ": null"):
                ts = slack.say(place, slack.alice, f"{CANARY}{said}")
                slack.wait_for_messages(place, ts)
            slack.fail("chat.postMessage", "internal_error", times=1)
            slack.slash("/cite", f"{CANARY}?", slack.general, slack.alice).wait_for_ack()
            slack.wait_for_ephemerals(slack.general, slack.alice)
            ts = slack.say(slack.general, slack.bob, slack.mention(f"{CANARY} again?"))
            slack.wait_for_messages(slack.general, ts)
    finally:
        agent.close()
    written = log.getvalue()
    assert written.count("question failed") == 2
    assert "question answered" in written
    assert CANARY not in written
    assert slack.bot_token not in written
    assert slack.app_token not in written
