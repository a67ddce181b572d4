"""Thumbs: kept as they are pressed, explained in a form, changed with a mind."""

from collections.abc import Iterator

import pytest
from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.people import StoredMembers
from retrieval.embeddings import Embedder
from store.feedback import Opinion, feedback_for, find_opinion
from store.transcripts import Said, list_transcripts
from store.workspaces import ensure_workspace
from tests.acceptance.processes import wait_until
from tests.acceptance.slack_face import Answerer, running, settle, words
from tests.acceptance.taught import SALE, SALE_QUESTION, taught
from tests.fakes.slack import Message, SlackServer
from tests.fakes.slack.records import Json

pytestmark = pytest.mark.timeout(90)
BETTER = "No: sale items can be returned within 14 days."


@pytest.fixture(autouse=True)
def _teaching(slack: SlackServer, bot_engine: Engine, embedder: Embedder) -> Iterator[None]:
    """The bot with a real agent."""
    with taught(bot_engine, embedder, "CBOARD") as agent:
        members = StoredMembers(bot_engine, ensure_workspace(bot_engine))
        with running(slack, bot_engine, Answerer(agent.answer), members):
            yield


def ask(slack: SlackServer) -> tuple[Message, str]:
    """Ask in a channel; return the answer's message and its id."""
    ts = slack.say(slack.general, slack.alice, slack.mention(SALE_QUESTION))
    (reply,) = slack.wait_for_messages(slack.general, ts)
    settle(slack)
    (reply,) = slack.replies(slack.general, ts)
    rated = [block for block in reply.blocks if block["type"] == "context_actions"]
    value = rated[0]["elements"][0]["positive_button"]["value"]
    return reply, value.removeprefix("up:")


def press(slack: SlackServer, reply: Message, user: str, side: str, answer: str) -> None:
    """Press a thumb and wait until that is acknowledged."""
    done = slack.action(reply.channel, reply.ts, user, "feedback", f"{side}:{answer}")
    done.wait_for_ack()


def fill_in(slack: SlackServer, user: str, reason: str, **fields: str) -> Json:
    """Fill in the latest form of a person and return what the app wants done with it."""
    form = slack.wait_for_view(user)
    done = slack.submit(form, {"reason": reason, **fields})
    done.wait_for_ack()
    return done.response or {}


def test_a_thumb_up_is_kept_without_noise(slack: SlackServer, bot_engine: Engine) -> None:
    """Who pressed is thanked once, and nobody else reads anything."""
    reply, answer = ask(slack)
    for _ in range(2):
        press(slack, reply, slack.bob, "up", answer)
    (note,) = slack.wait_for_ephemerals(slack.general, slack.bob)
    settle(slack)

    assert words(note) == "Thanks, good to know."
    assert find_opinion(bot_engine, answer, slack.bob) == Opinion(1)
    assert len(slack.replies(slack.general, reply.thread_ts)) == 1
    assert len(slack.ephemerals(slack.general, slack.bob)) == 1
    assert slack.views(slack.bob) == []


def test_a_thumb_down_asks_why_and_goes_where_it_helps(
    slack: SlackServer, bot_engine: Engine
) -> None:
    """Kept at once; the reason reaches the documents, the better answer the curators."""
    workspace_id = ensure_workspace(bot_engine)
    reply, answer = ask(slack)
    press(slack, reply, slack.alice, "down", answer)
    slack.wait_for_view(slack.alice)
    assert find_opinion(bot_engine, answer, slack.alice) == Opinion(-1)

    fill_in(slack, slack.alice, "outdated", comment="new since May", better=BETTER)
    kept = Opinion(-1, "outdated", "new since May", BETTER)
    wait_until(lambda: find_opinion(bot_engine, answer, slack.alice) == kept)
    (told,) = feedback_for(bot_engine, workspace_id, "documents")
    assert (told.question, told.quoted[0].document) == (SALE_QUESTION, "returns.md")
    assert told.quoted[0].quote == SALE
    (example,) = list_transcripts(bot_engine, workspace_id)
    assert example.messages == (Said("asker", SALE_QUESTION), Said("team", BETTER))
    assert (example.origin, example.origin_key) == ("feedback", answer)
    assert example.answer_id == answer
    assert example.disliked == told.answer  # what the better words should have stood for


def test_a_changed_mind_changes_what_was_kept(slack: SlackServer, bot_engine: Engine) -> None:
    """Pressed again, the form has what was filled in; a thumb up takes reason and example back."""
    workspace_id = ensure_workspace(bot_engine)
    reply, answer = ask(slack)
    press(slack, reply, slack.alice, "down", answer)
    fill_in(slack, slack.alice, "tone", better=BETTER)
    wait_until(lambda: bool(list_transcripts(bot_engine, workspace_id)))
    press(slack, reply, slack.alice, "down", answer)
    wait_until(lambda: BETTER in str(slack.views(slack.alice)[-1].body))

    press(slack, reply, slack.alice, "up", answer)
    wait_until(lambda: find_opinion(bot_engine, answer, slack.alice) == Opinion(1))
    assert list_transcripts(bot_engine, workspace_id) == []
    late = slack.views(slack.alice)[-1]
    slack.submit(late, {"reason": "tone", "better": BETTER}).wait_for_ack()
    settle(slack)
    assert find_opinion(bot_engine, answer, slack.alice) == Opinion(1)
    assert list_transcripts(bot_engine, workspace_id) == []


def test_only_who_has_seen_an_answer_rates_it(slack: SlackServer, bot_engine: Engine) -> None:
    """A button that names the answer of another place is none."""
    place = slack.dm(slack.alice)
    ts = slack.say(place, slack.alice, SALE_QUESTION)
    (reply,) = slack.wait_for_messages(place, ts)
    settle(slack)
    (reply,) = slack.replies(place, ts)
    client = WebClient(token=slack.bot_token, base_url=slack.url)
    blocks = [block for block in reply.blocks if block["type"] == "context_actions"]
    answer = blocks[0]["elements"][0]["positive_button"]["value"].removeprefix("up:")
    forged = client.chat_postMessage(channel=slack.general, text="x", blocks=blocks)

    for side in ("up", "down"):
        done = slack.action(slack.general, forged["ts"], slack.bob, "feedback", f"{side}:{answer}")
        done.wait_for_ack()
    settle(slack)

    assert find_opinion(bot_engine, answer, slack.bob) is None
    assert slack.views(slack.bob) == []
