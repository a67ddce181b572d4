"""The living answer in Slack: real documents, the real agent, the running bot."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, text

from bot.corrections import MOST
from core.settings import load_settings
from graph.graph import Agent, open_agent
from graph.recheck import run_recheck_job
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.rechecks import submit_recheck
from store.workspaces import ensure_workspace
from tests.acceptance.slack_face import Answerer, running, words
from tests.fakes.slack import Message, SlackServer
from tests.integration.asking import markdown_file

pytestmark = pytest.mark.timeout(120)
QUESTION = "Within how many days can items bought in a sale be returned?"
SALE = "Items bought in a sale can be returned within {} days of delivery."
POLICY = "# Returns policy\n\n## Sale items\n\n" + SALE + "\n"
CHANGED = "This answer has changed."
SUPERSEDED = "Superseded on"
QUIET = 4.0  # seconds in which a correction would have come


@dataclass
class Living:
    """A Slack with the bot in it, and the documents that it answers from."""

    slack: SlackServer
    ingester: Ingester
    agent: Agent

    def publish(self, days: int, audience: list[str] | None = None) -> None:
        """Publish the policy with so many days, and recheck what it changes as a worker does."""
        file = markdown_file("returns.md", POLICY.format(days))
        self.ingester.ingest(file, audience)
        with self.ingester.engine.begin() as connection:
            job_id = submit_recheck(connection, self.ingester.workspace_id)
        run_recheck_job(self.ingester.engine, job_id, lambda _: self.agent.ask_again)

    def ask(self, channel: str | None = None) -> str:
        """Ask in a channel and wait for the answer; return the thread."""
        channel = channel or self.slack.general
        ts = self.slack.say(channel, self.slack.alice, self.slack.mention(QUESTION))
        self.slack.wait_for_messages(channel, ts)
        return ts

    def thread(self, ts: str, count: int) -> list[Message]:
        """Return the bot's messages in a thread, once there are so many."""
        return self.slack.wait_for_messages(self.slack.general, ts, count=count)

    def set_channel(self, **settings: bool) -> None:
        """Set a channel as admins do."""
        with self.ingester.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO channels (workspace_id, channel_id, corrections)"
                    " VALUES (:workspace_id, :channel, :corrections)"
                    " ON CONFLICT (workspace_id, channel_id)"
                    " DO UPDATE SET corrections = excluded.corrections"
                ),
                {
                    "workspace_id": self.ingester.workspace_id,
                    "channel": self.slack.general,
                    **settings,
                },
            )


@pytest.fixture
def living(
    slack: SlackServer, bot_engine: Engine, answerer: Answerer, embedder: Embedder
) -> Iterator[Living]:
    """The policy in force says 14 days."""
    workspace_id = ensure_workspace(bot_engine)
    agent = open_agent(load_settings(), bot_engine, workspace_id, embedder)
    answerer.script = agent.answer
    made = Living(slack, Ingester(bot_engine, workspace_id, embedder), agent)
    made.publish(14)
    with running(slack, bot_engine, answerer):
        yield made
    agent.close()


def wait() -> None:
    """Wait until a correction would have come."""
    threading.Event().wait(QUIET)


def test_a_changed_answer_is_corrected_in_its_thread_and_marked(living: Living) -> None:
    """One message with old and new words; the old one is marked; the thread goes on from it."""
    ts = living.ask()
    living.publish(21)

    old, new = living.thread(ts, 2)
    assert CHANGED in words(new)
    assert f"“{SALE.format(14)}” by “{SALE.format(21)}”" in words(new)
    assert words(new).count("¹ Returns policy") == 1
    assert words(old).startswith(SUPERSEDED)
    assert SALE.format(14) in words(old)
    wait()
    assert len(living.slack.replies(living.slack.general, ts)) == 2

    living.publish(28)
    _, second, third = living.thread(ts, 3)
    assert words(second).startswith(SUPERSEDED)
    assert f"“{SALE.format(21)}” by “{SALE.format(28)}”" in words(third)


def test_what_changed_nothing_is_not_told(living: Living) -> None:
    """Another title or other typography: the thread stays as it was."""
    ts = living.ask()
    file = markdown_file("returns.md", POLICY.format("fourteen").replace("policy", "rules"))
    living.ingester.ingest(file)
    living.publish(14)
    wait()

    (reply,) = living.slack.replies(living.slack.general, ts)
    assert not words(reply).startswith(SUPERSEDED)


def test_a_channel_that_wants_no_corrections_gets_none(living: Living) -> None:
    """Not even later, when it wants them again."""
    ts = living.ask()
    living.set_channel(corrections=False)
    living.publish(21)
    wait()
    living.set_channel(corrections=True)
    wait()

    assert len(living.slack.replies(living.slack.general, ts)) == 1


def test_the_asker_of_a_private_answer_is_told_privately(living: Living) -> None:
    """In their direct messages, with the question; nothing in the channel."""
    slack = living.slack
    command = slack.slash("/cite", QUESTION, slack.general, slack.alice)
    (answered,) = command.wait_for_posts()
    assert SALE.format(14) in answered.text
    living.publish(21)

    (told,) = slack.wait_for_messages(slack.dm(slack.alice))
    assert f"You asked: {QUESTION}" in words(told)
    assert SALE.format(21) in words(told)
    assert slack.replies(slack.general) == []


def test_new_words_are_not_told_to_who_may_not_read_them(living: Living) -> None:
    """The document was closed after the answer was asked again and before it is told."""
    ts = living.ask()
    with living.ingester.engine.begin() as connection:
        # Nothing is told meanwhile: whoever writes posts waits for the end of this.
        connection.execute(text("LOCK TABLE posts IN SHARE ROW EXCLUSIVE MODE"))
        living.publish(21)
        connection.execute(text("UPDATE documents SET audience = '{channel:CBOARD}'"))

    _, told = living.thread(ts, 2)
    assert "changed" in words(told)
    assert "21 days" not in words(told)


def test_many_corrections_come_in_turns(living: Living) -> None:
    """A channel gets a few in ten minutes; the others wait and none is lost."""
    threads = [living.ask() for _ in range(MOST + 2)]
    living.publish(21)

    def corrected() -> int:
        replies = [living.slack.replies(living.slack.general, ts) for ts in threads]
        return sum(len(messages) == 2 for messages in replies)

    for _ in range(60):
        if corrected() == MOST:
            break
        threading.Event().wait(0.5)
    wait()
    assert corrected() == MOST
    with living.ingester.engine.begin() as connection:  # ten minutes later
        connection.execute(
            text("UPDATE posts SET created_at = created_at - interval '11 minutes'")
        )
    for _ in range(60):
        if corrected() == len(threads):
            break
        threading.Event().wait(0.5)
    assert corrected() == len(threads)
