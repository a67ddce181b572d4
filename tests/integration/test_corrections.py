"""The living answer: which changes of documents correct an answer, and which stay silent."""

import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, text

from core.settings import load_settings
from graph.graph import Agent, open_agent
from graph.models import ModelError
from graph.recheck import recheck, run_recheck_job
from graph.router import Router
from graph.state import Question, Turn
from ingestion.ingest import Given, Ingester
from ingestion.outcomes import outcome_of
from retrieval.embeddings import Embedder
from store.access import MEMBER, Access
from store.answers import Answer, find_answer
from store.conversations import ensure_conversation, read_turns
from store.corrections import Change, changes_since
from store.history import delete_document, restore_version, undelete_document
from store.jobs import find_job
from store.posts import NewPost, add_post, find_post, mark_posted
from store.rechecks import due_answers, submit_due_rechecks, submit_recheck
from store.workspaces import ensure_workspace
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import markdown_file, says
from tests.integration.conftest import with_model

RETURNS = """\
# Returns policy

## Normal items

Normal items can be returned within 30 days of delivery, unused and with their receipt.

## Sale items

Items bought in a sale can be returned within 14 days of delivery.

## Faulty goods

Faulty goods are repaired or exchanged within two years of delivery.
"""
PARKING = "# Parking\n\nBicycles stand behind building C, cars in the garage.\n"
SALE = "Items bought in a sale can be returned within 14 days of delivery."
SALE_NOW = SALE.replace("14", "21")
QUESTION = "Within how many days can items bought in a sale be returned?"
_numbers = itertools.count()


@dataclass
class Slack:
    """A workspace with policies, an agent, and answers that stand in Slack."""

    ingester: Ingester
    agent: Agent
    jobs: list[int] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        """The database."""
        return self.ingester.engine

    @property
    def workspace_id(self) -> int:
        """The workspace."""
        return self.ingester.workspace_id

    def publish(self, words: str, name: str = "returns.md", **given: Any) -> int:
        """Publish a file; return its document's id."""
        return self.ingester.ingest(markdown_file(name, words), given=Given(**given)).document_id

    def ask(self, question: str = QUESTION, *, thread: str = "", **asked: Any) -> Answer:
        """Ask in a thread and post the answer there."""
        thread = thread or f"thread:{next(_numbers)}"
        answer = self.agent.answer(Question(question, conversation=thread, user_id="U1", **asked))
        self.post(answer, thread)
        return answer

    def post(self, answer: Answer, thread: str, **post: Any) -> None:
        """Have an answer stand in a channel."""
        key = f"reply:{next(_numbers)}"
        new = NewPost(key, "reply", "C1", {"text": answer.text}, thread, answer_id=answer.id)
        with self.engine.begin() as connection:
            add_post(connection, self.workspace_id, replace(new, **post))
        made = find_post(self.engine, self.workspace_id, key)
        assert made is not None
        with self.engine.begin() as connection:
            mark_posted(connection, made.id, f"{next(_numbers)}.0")

    def recheck(self) -> dict[str, int]:
        """Recheck all that is due, as a worker does."""
        with self.engine.begin() as connection:
            job_id = submit_recheck(connection, self.workspace_id)
        return run_recheck_job(self.engine, job_id, lambda _: self.agent.ask_again) or {}

    def newest(self, answer: Answer) -> Answer | None:
        """Return the answer that took another's place, if one did."""
        with self.engine.connect() as connection:
            by = connection.execute(
                text("SELECT superseded_by FROM answers WHERE id = :id"), {"id": answer.id}
            ).scalar_one()
            return find_answer(connection, self.workspace_id, by) if by else None

    def changes(self, answer: Answer) -> list[tuple[str, str | None]]:
        """Return the old and the new words that are told of an answer."""
        return [(change.old, change.new) for change in self.told(answer)]

    def told(self, answer: Answer) -> tuple[Change, ...]:
        """Return what is told of an answer."""
        with self.engine.connect() as connection:
            return changes_since(connection, answer.id)

    def due(self) -> list[str]:
        """Return the answers that are due."""
        return due_answers(self.engine, self.workspace_id)


OpenSlack = Callable[..., Slack]


@pytest.fixture(scope="module")
def router(embedder: Embedder) -> Router:
    """The router, whose examples are embedded once."""
    return Router(embedder)


@pytest.fixture
def open_slack(shared_engine: Engine, embedder: Embedder, router: Router) -> Iterator[OpenSlack]:
    """Open workspaces of this test's own."""
    agents = []

    def open_one(server: OpenAIServer | None = None) -> Slack:
        settings = load_settings()
        if server is not None:
            settings = with_model(settings, server)
        workspace_id = ensure_workspace(shared_engine, f"corrections-{next(_numbers)}")
        agent = open_agent(settings, shared_engine, workspace_id, embedder, router)
        agents.append(agent)
        made = Slack(Ingester(shared_engine, workspace_id, embedder), agent)
        made.publish(RETURNS)
        made.publish(PARKING, "parking.md")
        return made

    yield open_one
    for agent in agents:
        agent.close()


@pytest.fixture
def slack(open_slack: OpenSlack) -> Slack:
    """A workspace without a language model."""
    return open_slack()


# --- what is corrected ---------------------------------------------------------------------


def test_a_changed_number_corrects_the_answer_once(slack: Slack) -> None:
    """The old words and the new, with version and date; rechecking again does nothing more."""
    answer = slack.ask()
    assert SALE in answer.text
    slack.publish(RETURNS.replace("14 days", "21 days"))

    assert slack.recheck() == {"corrected": 1}
    new = slack.newest(answer)
    assert new is not None
    assert SALE_NOW in new.text
    (change,) = slack.told(answer)
    assert (change.old, change.new) == (SALE, SALE_NOW)
    assert (change.title, change.version_then, change.version_now) == ("Returns policy", 1, 2)
    assert change.since is not None
    assert datetime.now(UTC) - change.since < timedelta(minutes=5)
    assert slack.recheck() == {}
    assert slack.due() == []


def test_what_is_asked_next_builds_on_the_new_words(slack: Slack) -> None:
    """The conversation's memory holds the new answer; a second delivery gets it too."""
    answer = slack.ask(thread="thread:memory", event_key="Ev1")
    slack.publish(RETURNS.replace("14 days", "21 days"))
    slack.recheck()

    new = slack.newest(answer)
    assert new is not None
    conversation = ensure_conversation(slack.engine, slack.workspace_id, "thread:memory")
    assert read_turns(slack.engine, conversation) == (
        Turn("asker", QUESTION),
        Turn("footnote", new.text),
    )
    again = slack.agent.answer(Question(QUESTION, "thread:memory", event_key="Ev1"))
    assert again.id == new.id


def test_the_question_is_asked_with_the_turns_before_it(slack: Slack) -> None:
    """A follow-up that says little by itself is understood as it was then."""
    slack.ask("Can I return items bought in a sale?", thread="thread:follow")
    answer = slack.ask("And within how many days?", thread="thread:follow")
    assert SALE in answer.text
    slack.publish(RETURNS.replace("14 days", "21 days"))
    slack.recheck()

    new = slack.newest(answer)
    assert new is not None
    assert SALE_NOW in new.text
    assert new.trace["history_turns"] == 2


def test_a_deleted_document_withdraws_its_words(slack: Slack) -> None:
    """The new answer is a refusal or another document's, and no new words are claimed."""
    answer = slack.ask()
    document = slack.publish(RETURNS)
    delete_document(slack.engine, slack.workspace_id, document, "U9")

    assert slack.recheck() == {"corrected": 1}
    new = slack.newest(answer)
    assert new is not None
    assert new.outcome == "refused"
    (change,) = slack.told(answer)
    assert (change.old, change.new, change.version_now) == (SALE, None, None)
    assert change.since is not None


def test_a_sentence_that_went_is_told_without_new_words(slack: Slack) -> None:
    """Nothing is made up for what has no successor."""
    answer = slack.ask()
    slack.publish(RETURNS.replace(f"{SALE}\n", "Sales end in January.\n"))

    assert slack.recheck() == {"corrected": 1}
    assert slack.changes(answer) == [(SALE, None)]


def test_what_is_in_force_later_corrects_only_then(slack: Slack) -> None:
    """A version that begins tomorrow changes nothing today."""
    answer = slack.ask()
    begins = datetime.now(UTC) + timedelta(days=1)
    slack.publish(RETURNS.replace("14 days", "21 days"), effective_from=begins)
    assert slack.due() == []
    assert slack.recheck() == {}

    with slack.engine.begin() as connection:  # tomorrow
        connection.execute(
            text(
                "UPDATE document_versions SET effective_from = now()"
                " WHERE workspace_id = :id AND effective_from > now()"
            ),
            {"id": slack.workspace_id},
        )
    assert slack.due() == [answer.id]
    assert submit_due_rechecks(slack.engine) >= 1
    assert slack.recheck() == {"corrected": 1}
    assert slack.changes(answer) == [(SALE, SALE_NOW)]


def test_an_answer_that_changes_twice_is_corrected_by_the_newest(slack: Slack) -> None:
    """The second correction is of the first; what is told goes from the first to the last."""
    answer = slack.ask()
    slack.publish(RETURNS.replace("14 days", "21 days"))
    slack.recheck()
    first = slack.newest(answer)
    assert first is not None
    slack.publish(RETURNS.replace("14 days", "28 days"))

    assert slack.recheck() == {"corrected": 1}
    assert slack.changes(answer) == [(SALE, SALE.replace("14", "28"))]
    assert slack.changes(first) == [(SALE_NOW, SALE.replace("14", "28"))]


def test_words_that_come_back_before_they_are_told_are_no_change(slack: Slack) -> None:
    """Changed there and back again, with a recheck between: nothing is left to tell."""
    answer = slack.ask()
    document = slack.publish(RETURNS.replace("14 days", "21 days"))
    slack.recheck()
    restore_version(slack.engine, slack.workspace_id, document, 1, "U9")
    slack.recheck()

    assert slack.changes(answer) == []


# --- what stays silent ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("two years", "three years", id="a number elsewhere"),
        pytest.param("# Parking", "# Parking", id="nothing"),
        pytest.param(SALE, SALE.replace("Items", "*Items*"), id="markup"),
        pytest.param(SALE, SALE.upper(), id="capitals"),
        pytest.param("sale can", "sale\ncan", id="a line break"),
        pytest.param("14 days of delivery.", "14 days of delivery", id="a full stop"),
        pytest.param("14 days", "fourteen days", id="a number in words"),
        pytest.param("## Faulty", "Bring a bag.\n\n## Faulty", id="more"),
        pytest.param("bought in a sale", "boguht in a sale", id="a slip of the keyboard"),
        pytest.param("# Returns policy", "# Returns", id="another title"),
    ],
)  # fmt: skip
def test_what_changed_nothing_stays_silent(slack: Slack, old: str, new: str) -> None:
    """No correction, and the answer is not due again."""
    answer = slack.ask()
    slack.publish(RETURNS.replace(old, new))

    assert slack.recheck().get("corrected", 0) == 0
    assert slack.newest(answer) is None
    assert slack.due() == []


def test_words_that_moved_within_the_document_stay_silent(slack: Slack) -> None:
    """A section at another place says the same."""
    slack.ask()
    section = f"## Sale items\n\n{SALE}\n"
    slack.publish(RETURNS.replace(section, "") + f"\n## Reduced goods\n\n{SALE}\n")

    assert slack.recheck() == {"holds": 1}


def test_words_that_moved_to_another_document_stay_silent_until_they_change(
    slack: Slack,
) -> None:
    """They are followed to where they stand now."""
    answer = slack.ask()
    slack.publish(f"# Sales\n\nThis is about sales.\n\n{SALE}\n", "sales.md")
    slack.publish(RETURNS.replace(f"{SALE}\n", "See the rules for sales.\n"))
    assert slack.recheck() == {"holds": 1}
    assert slack.due() == []

    slack.publish(f"# Sales\n\nThis is about sales.\n\n{SALE_NOW}\n", "sales.md")
    assert slack.due() == [answer.id]
    assert slack.recheck() == {"corrected": 1}
    new = slack.newest(answer)
    assert new is not None
    assert SALE_NOW in new.text


def test_words_that_moved_where_the_asker_may_not_read_are_withdrawn(slack: Slack) -> None:
    """Another document counts only for its own readers, and its words are not told."""
    answer = slack.ask(access=Access(MEMBER, MEMBER))
    board = markdown_file("board.md", f"# Board\n\n{SALE}\n")
    slack.ingester.ingest(board, ["channel:CBOARD"])
    slack.publish(RETURNS.replace(f"{SALE}\n", "Ask the board.\n"))

    assert slack.recheck() == {"corrected": 1}
    new = slack.newest(answer)
    assert new is not None
    assert SALE not in json.dumps(new.to_json())
    assert slack.changes(answer) == [(SALE, None)]


def test_a_document_that_was_closed_to_the_asker_is_not_told_of(slack: Slack) -> None:
    """Its new words stay in it: what is told has the old words alone."""
    answer = slack.ask(access=Access(MEMBER, MEMBER))
    now = markdown_file("returns.md", RETURNS.replace("14 days", "21 days"))
    slack.ingester.ingest(now, ["channel:CBOARD"])

    assert slack.recheck() == {"corrected": 1}
    (change,) = slack.told(answer)
    assert (change.new, change.version_now, change.since) == (None, None, None)
    new = slack.newest(answer)
    assert new is not None
    assert "21 days" not in json.dumps([new.to_json(), new.trace])


def test_a_document_that_was_deleted_and_brought_back_stays_silent(slack: Slack) -> None:
    """Unless somebody looked between."""
    slack.ask()
    document = slack.publish(RETURNS)
    delete_document(slack.engine, slack.workspace_id, document, "U9")
    undelete_document(slack.engine, slack.workspace_id, document, "U9")

    assert slack.due() == []


def test_old_words_that_are_restored_in_time_stay_silent(slack: Slack) -> None:
    """What is in force when it is looked at counts, not what was between."""
    slack.ask()
    document = slack.publish(RETURNS.replace("14 days", "21 days"))
    restore_version(slack.engine, slack.workspace_id, document, 1, "U9")

    assert slack.recheck() == {"holds": 1}
    assert slack.due() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE answers SET as_of = now() WHERE id = :id", id="as of a day"),
        pytest.param("UPDATE answers SET asker = '{}' WHERE id = :id", id="of an older release"),
        pytest.param("DELETE FROM posts WHERE answer_id = :id", id="not in Slack"),
        pytest.param("UPDATE posts SET state = 'failed' WHERE answer_id = :id", id="lost"),
        pytest.param(
            "UPDATE answers SET created_at = now() - interval '91 days' WHERE id = :id", id="old"
        ),
    ],
)  # fmt: skip
def test_answers_that_nobody_relies_on_are_not_asked_again(slack: Slack, change: str) -> None:
    """About another day, taken back, never shown, or three months old."""
    answer = slack.ask()
    with slack.engine.begin() as connection:
        connection.execute(text(change), {"id": answer.id})
    slack.publish(RETURNS.replace("14 days", "21 days"))

    assert slack.recheck() == {}


# --- faults and races ----------------------------------------------------------------------


def test_two_rechecks_at_once_correct_once(slack: Slack) -> None:
    """Both ask, one is first, and nothing of the other is kept."""
    answer = slack.ask()
    slack.publish(RETURNS.replace("14 days", "21 days"))
    barrier = Barrier(2, timeout=30)

    def ask_again(question: Question) -> Answer:
        made = slack.agent.ask_again(question)
        barrier.wait()
        return made

    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(recheck, slack.engine, slack.workspace_id, answer.id, ask_again)
            for _ in range(2)
        ]
        verdicts = sorted(run.result() for run in runs)

    assert verdicts == ["corrected", "not due"]
    with slack.engine.connect() as connection:
        kept = connection.execute(
            text("SELECT count(*) FROM answers WHERE workspace_id = :id"),
            {"id": slack.workspace_id},
        ).scalar_one()
    assert kept == 2


def test_a_document_that_changes_meanwhile_is_judged_anew(slack: Slack) -> None:
    """What is kept fits what is in force when it is kept."""
    answer = slack.ask()
    slack.publish(RETURNS.replace("14 days", "21 days"))
    asked: list[Question] = []

    def ask_again(question: Question) -> Answer:
        made = slack.agent.ask_again(question)
        if not asked:
            slack.publish(RETURNS.replace("14 days", "28 days"))
        asked.append(question)
        return made

    verdict = recheck(slack.engine, slack.workspace_id, answer.id, ask_again)

    assert verdict == "corrected"
    assert len(asked) == 2
    assert slack.changes(answer) == [(SALE, SALE.replace("14", "28"))]


def test_an_answer_that_cannot_be_asked_again_is_due_still(slack: Slack) -> None:
    """A model that is away makes no correction, and the others have their turn."""
    answers = [slack.ask() for _ in range(5)]
    slack.publish(RETURNS.replace("14 days", "21 days"))
    asked: list[str] = []

    def ask_again(question: Question) -> Answer:
        asked.append(question.text)
        raise ModelError("it cannot be reached")

    with slack.engine.begin() as connection:
        job_id = submit_recheck(connection, slack.workspace_id)
    result = run_recheck_job(slack.engine, job_id, lambda _: ask_again)

    assert result == {"failed": 3}  # then it is given up for this time
    assert len(asked) == 3
    job = find_job(slack.engine, job_id)
    assert job is not None
    assert job.state == "succeeded"
    assert set(slack.due()) == {answer.id for answer in answers}
    assert slack.recheck() == {"corrected": 5}


def test_publishing_submits_a_recheck_where_answers_quote_the_document(slack: Slack) -> None:
    """In its own transaction; a document that nobody quoted submits nothing."""

    def jobs() -> int:
        with slack.engine.connect() as connection:
            return int(
                connection.execute(
                    text(
                        "SELECT count(*) FROM jobs WHERE workspace_id = :id"
                        " AND kind = 'recheck_answers'"
                    ),
                    {"id": slack.workspace_id},
                ).scalar_one()
            )

    slack.ask()
    slack.publish(PARKING.replace("C", "D"), "parking.md")
    assert jobs() == 0
    document = slack.publish(RETURNS.replace("14 days", "21 days"))
    assert jobs() == 1
    slack.recheck()
    delete_document(slack.engine, slack.workspace_id, document, "U9")
    assert jobs() == 2  # for the answer that came in its stead


def test_who_publishes_is_told_how_many_answers_are_asked_again(slack: Slack) -> None:
    """Those that quote changed words, and when that is."""
    slack.ask()
    slack.ask()
    slack.ask("Where do bicycles stand?")

    def notes(words: str, **given: Any) -> list[str]:
        file = markdown_file("returns.md", words)
        report = slack.ingester.ingest(file, given=Given(**given)).to_json()
        return [note for note in outcome_of(report).notes if "answer" in note]

    assert notes(RETURNS.replace("two years", "three years")) == []
    assert notes(RETURNS.replace("14 days", "21 days")) == [
        "2 past answers quote words that changed; they are asked again now"
    ]
    later = datetime.now(UTC) + timedelta(days=9)
    assert notes(RETURNS.replace("14 days", "28 days"), effective_from=later) == [
        "2 past answers quote words that changed; they are asked again when this takes effect"
    ]


# --- with a language model -----------------------------------------------------------------


CLAIM = "You have 14 days from delivery to return a sale item."


def modelled(
    open_slack: OpenSlack, server: OpenAIServer, old: str, claim: str, now: str, claim_now: str
) -> tuple[Slack, Answer]:
    """Have a model answer from one wording, and again from another."""
    slack = open_slack(server)
    slack.publish(RETURNS.replace(SALE, old))
    server.reply(says((claim, old), among=old))
    answer = slack.ask()
    assert answer.text == claim
    slack.publish(RETURNS.replace(SALE, now))
    server.reply(says((claim_now, now), among=now))
    return slack, answer


@pytest.mark.parametrize(
    ("now", "claim_now"),
    [
        pytest.param(
            "All items bought in a sale can be returned within 14 days of delivery.",
            "All sale items can be returned within 14 days.",
            id="for whom",
        ),
        pytest.param(SALE_NOW, "You have 21 days from delivery for a sale item.", id="a number"),
        pytest.param(SALE.replace("can be", "must be"), CLAIM, id="a modal, not in the claim"),
        pytest.param(
            SALE.replace("delivery", "purchase"),
            "You have 14 days from purchase to return a sale item.",
            id="a word of the claim",
        ),
    ],
)
def test_a_claim_in_other_words_is_corrected_where_what_it_says_changed(
    open_slack: OpenSlack, server: OpenAIServer, now: str, claim_now: str
) -> None:
    """Facts and binding words always count, other words where either answer says them."""
    slack, answer = modelled(open_slack, server, SALE, CLAIM, now, claim_now)

    assert slack.recheck() == {"corrected": 1}
    assert slack.changes(answer) == [(SALE, now)]


@pytest.mark.parametrize(
    "claim_now",
    [
        pytest.param(CLAIM, id="the same claim"),
        pytest.param("A sale item may go back for 14 days after delivery.", id="another phrasing"),
    ],
)
def test_another_phrasing_of_the_same_stays_silent(
    open_slack: OpenSlack, server: OpenAIServer, claim_now: str
) -> None:
    """A model never says a thing twice in the same words; the quotes decide."""
    old = "Items bought in a sale can be returned within 14 days of delivery to our kind staff."
    now = old.replace("kind", "friendly")
    slack, answer = modelled(open_slack, server, old, CLAIM, now, claim_now)

    assert slack.recheck() == {"holds": 1}
    assert slack.newest(answer) is None
    assert slack.due() == []


def test_a_model_that_is_away_corrects_nothing(
    open_slack: OpenSlack, server: OpenAIServer
) -> None:
    """The extractive answer that stands in for it would differ for that reason alone."""
    slack = open_slack(server)
    server.reply(says((CLAIM, SALE)))
    answer = slack.ask()
    assert answer.text == CLAIM
    slack.publish(RETURNS.replace("14 days", "21 days"))
    server.fail("chat", "500", times=9)

    assert slack.recheck() == {"failed": 1}
    assert slack.newest(answer) is None
    assert slack.due() == [answer.id]
