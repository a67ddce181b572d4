"""Sources: where an answer comes from, for whom it is, what it became, and sharing it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from sqlalchemy import Engine, text

from bot.listeners.cite import NOTHING_HERE
from bot.listeners.rephrase import IN_THREAD
from bot.listeners.share import NOT_FOR_ALL, SHARED_ALREADY
from bot.people import StoredMembers
from bot.sources import NOT_FOUND
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.publish import File
from store.workspaces import ensure_workspace
from tests.acceptance.processes import wait_until
from tests.acceptance.slack_face import Answerer, links, running, settle, words
from tests.acceptance.taught import BONUS_QUESTION, OFF_TOPIC, RETURNS, SALE, SALE_QUESTION, taught
from tests.fakes.slack import Message, SlackServer
from tests.unit.ingestion.pdf_files import lines, pdf

pytestmark = pytest.mark.timeout(120)
LONGER = SALE.replace("14", "30")
PARKING = "Bicycles stand behind building C, and whoever leaves one elsewhere fetches it."


@dataclass
class Desk:
    """The bot with two policies; alice alone is in `board`, for which one of them is."""

    slack: SlackServer
    engine: Engine
    ingester: Ingester
    board: str

    def ask(self, channel: str, question: str) -> Message:
        """Ask as alice and return the reply."""
        said = question if channel.startswith("D") else self.slack.mention(question)
        ts = self.slack.say(channel, self.slack.alice, said)
        (reply,) = self.slack.wait_for_messages(channel, ts)
        wait_until(lambda: self._stands(reply.ts))
        return reply

    def _stands(self, ts: str) -> bool:
        """Whether the bot knows that its reply stands there."""
        statement = text("SELECT count(*) FROM posts WHERE ts = :ts AND state = 'posted'")
        with self.engine.connect() as connection:
            return bool(connection.execute(statement, {"ts": ts}).scalar_one())

    def cite(self, wanted: str, user: str, channel: str | None = None) -> str:
        """Use `/cite` and return what only this person sees."""
        place = channel or self.slack.general
        before = len(self.slack.ephemerals(place, user))
        self.slack.slash("/cite", wanted, place, user).wait_for_posts()
        return "\n".join(words(seen) for seen in self.slack.ephemerals(place, user)[before:])

    def shown(self, user: str) -> str:
        """The words of the person's latest modal once it is filled."""
        wait_until(lambda: "Looking" not in json.dumps(self.slack.wait_for_view(user).body))
        return words_of(self.slack.wait_for_view(user).body["blocks"])

    def has_picture(self, user: str) -> bool:
        """Whether the person's latest modal shows a picture."""
        return '"slack_file"' in json.dumps(self.slack.wait_for_view(user).body)

    def publish(self, name: str, content: str) -> None:
        """Publish a wording of a policy."""
        self.ingester.ingest(File(name, "text/markdown", content.encode()))

    def answer_of(self, question: str) -> str:
        """The id of the answer to a question."""
        with self.engine.connect() as connection:
            return str(
                connection.execute(
                    text("SELECT id FROM answers WHERE question = :q"), {"q": question}
                ).scalar_one()
            )


def words_of(blocks: list[dict[str, object]]) -> str:
    """The words of a view's blocks, a line a block."""
    return words(Message("", "", "", "", blocks=tuple(blocks)))


@pytest.fixture
def desk(slack: SlackServer, bot_engine: Engine, embedder: Embedder) -> Iterator[Desk]:
    """The running bot and what it knows."""
    board = slack.add_channel("board", [slack.alice], "group").id
    workspace_id = ensure_workspace(bot_engine)
    with taught(bot_engine, embedder, board) as agent:
        members = StoredMembers(bot_engine, workspace_id)
        with running(slack, bot_engine, Answerer(agent.answer), members):
            yield Desk(slack, bot_engine, Ingester(bot_engine, workspace_id, embedder), board)


def test_sources_open_for_everybody_who_sees_the_answer(slack: SlackServer, desk: Desk) -> None:
    """The quote in its section, where it is from and since when."""
    reply = desk.ask(slack.general, SALE_QUESTION)
    slack.action(slack.general, reply.ts, slack.bob, "sources")
    shown = desk.shown(slack.bob)

    assert "¹ Returns policy › Sale items" in shown
    assert SALE in shown
    assert "v1 · since" in shown
    assert "received just now" in shown
    assert slack.wait_for_view(slack.bob).body["title"]["text"] == "Sources"


def test_old_words_stand_beside_those_in_force_now(slack: SlackServer, desk: Desk) -> None:
    """In the modal and where the answer is cited again."""
    reply = desk.ask(slack.general, SALE_QUESTION)
    desk.publish("returns.md", RETURNS.replace(SALE, LONGER))
    slack.action(slack.general, reply.ts, slack.alice, "sources")
    shown = desk.shown(slack.alice)

    assert f"Then · v1\n{SALE}" in shown
    assert f"Now · v2\n{LONGER}" in shown
    assert f"“{LONGER}”" in desk.cite("", slack.bob)


def test_a_message_is_cited_from_its_menu(slack: SlackServer, desk: Desk) -> None:
    """The answer itself or the question it was given to; what is neither is not found."""
    reply = desk.ask(slack.general, SALE_QUESTION)
    for message in (reply.ts, reply.thread_ts):
        slack.shortcut("cite_answer", slack.bob, slack.general, message)
        assert SALE in desk.shown(slack.bob)
        slack.workspace.views.clear()
    other = slack.say(slack.general, slack.bob, "Lunch?")
    slack.shortcut("cite_answer", slack.bob, slack.general, other)
    assert desk.shown(slack.bob) == NOT_FOUND


def test_cite_alone_cites_the_last_answer_here(slack: SlackServer, desk: Desk) -> None:
    """With its exact words; the question is repeated only to who asked it."""
    assert desk.cite("", slack.bob) == NOTHING_HERE
    desk.ask(slack.general, SALE_QUESTION)
    bobs, alices = desk.cite("", slack.bob), desk.cite("", slack.alice)

    assert f"“{SALE}”" in bobs
    assert SALE_QUESTION not in bobs
    assert SALE_QUESTION in alices
    assert "Sources" in bobs


def test_an_answer_is_cited_by_its_id_or_link(slack: SlackServer, desk: Desk) -> None:
    """And as of a day, on which a document may not have been in force."""
    reply = desk.ask(slack.general, SALE_QUESTION)
    question = slack.workspace.message(slack.general, reply.thread_ts)
    wanted = [desk.answer_of(SALE_QUESTION)]
    wanted += [slack.workspace.permalink(message) for message in (reply, question)]

    for one in wanted:
        assert f"“{SALE}”" in desk.cite(one, slack.bob)
    dated = desk.cite(f"{wanted[0]} as of 1 June 2020", slack.bob)
    assert "On 1 Jun 2020 Returns policy › Sale items was not in force." in dated


def test_foreign_and_unknown_answers_are_one_and_the_same(slack: SlackServer, desk: Desk) -> None:
    """What was asked in private, or rests on what one may not read, is not there for others."""
    desk.ask(slack.dm(slack.alice), SALE_QUESTION)
    desk.ask(desk.board, BONUS_QUESTION)
    answers = [desk.answer_of(SALE_QUESTION), desk.answer_of(BONUS_QUESTION)]

    told = {desk.cite(one, slack.bob) for one in (*answers, "0" * 12)}
    assert told == {NOT_FOUND}
    for one in answers:
        assert NOT_FOUND not in desk.cite(one, slack.alice)


def test_a_private_answer_is_shared_once(slack: SlackServer, desk: Desk) -> None:
    """Under who asked what, with its sources, and without the button that shared it."""
    desk.cite(SALE_QUESTION, slack.alice)
    (seen,) = slack.ephemerals(slack.general, slack.alice)
    assert slack.messages(slack.general) == []
    for _ in range(2):
        slack.action(slack.general, seen.ts, slack.alice, "share").wait_for_ack()
    (shared,) = slack.wait_for_messages(slack.general)

    assert f"asked: {SALE_QUESTION}" in words(shared)
    assert f"“{SALE}”" in words(shared)
    pressable = json.dumps(shared.blocks)
    assert '"action_id": "sources"' in pressable
    assert '"action_id": "share"' not in pressable
    wait_until(lambda: len(slack.ephemerals(slack.general, slack.alice)) == 2)
    assert words(slack.ephemerals(slack.general, slack.alice)[-1]) == SHARED_ALREADY
    settle(slack)
    assert len(slack.messages(slack.general)) == 1

    slack.action(slack.general, shared.ts, slack.bob, "sources")
    assert SALE in desk.shown(slack.bob)


def test_what_not_all_may_read_is_not_shared(slack: SlackServer, desk: Desk) -> None:
    """Alice may read it, but others in the channel may not."""
    private = desk.cite(BONUS_QUESTION, slack.alice)
    assert "month of June" in private
    (seen,) = slack.ephemerals(slack.general, slack.alice)
    slack.action(slack.general, seen.ts, slack.alice, "share")

    wait_until(lambda: len(slack.ephemerals(slack.general, slack.alice)) == 2)
    assert words(slack.ephemerals(slack.general, slack.alice)[-1]) == NOT_FOR_ALL
    settle(slack)
    assert slack.messages(slack.general) == []


def test_who_would_rephrase_is_told_how(slack: SlackServer, desk: Desk) -> None:
    """In private, below a refusal."""
    reply = desk.ask(slack.general, OFF_TOPIC[1])
    slack.action(slack.general, reply.ts, slack.alice, "rephrase")
    (note,) = slack.wait_for_ephemerals(slack.general, slack.alice)
    assert words(note) == IN_THREAD


def test_a_quoted_page_is_shown_as_a_picture(slack: SlackServer, desk: Desk) -> None:
    """Uploaded for the bot alone, once, and shown when Slack knows it; without it all opens."""
    document = pdf([lines(PARKING)])
    desk.ingester.ingest(File("parking.pdf", "application/pdf", document))
    reply = desk.ask(slack.general, "Where do bicycles stand?")
    assert "behind building C" in words(reply)
    for user in (slack.alice, slack.bob):
        slack.action(slack.general, reply.ts, user, "sources")
        assert "behind building C" in desk.shown(user)
        wait_until(partial(desk.has_picture, user))

    (upload,) = slack.calls("files.completeUploadExternal")
    assert not upload.params.get("channel_id")
    assert links(slack.wait_for_view(slack.bob).body["blocks"]) == []


def test_without_a_picture_the_sources_stand(slack: SlackServer, desk: Desk) -> None:
    """A failure to upload is nobody's concern but the log's."""
    desk.ingester.ingest(File("parking.pdf", "application/pdf", pdf([lines(PARKING)])))
    reply = desk.ask(slack.general, "Where do bicycles stand?")
    slack.fail("files.getUploadURLExternal", "500", times=9)
    slack.action(slack.general, reply.ts, slack.alice, "sources")

    assert "behind building C" in desk.shown(slack.alice)
    slack.wait_for_calls("files.getUploadURLExternal", 1)
    settle(slack)
    assert not desk.has_picture(slack.alice)
