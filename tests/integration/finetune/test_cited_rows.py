"""Rows with passages: what the team's replies stand on, found as the bot finds it."""

import re

import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from finetune.curate import curate
from finetune.dataset.build import build_dataset
from finetune.dataset.wanted import DatasetError, Wanted
from graph.graph import open_agent
from graph.state import Question
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from retrieval.raft import NO_ANSWER
from retrieval.retriever import Retriever
from store.datasets import Dataset, DatasetRow, Format, read_rows
from store.examples import propose_liked
from store.feedback import rate
from store.reviews import review_candidate
from store.transcripts import list_transcripts
from tests.conftest import markdown
from tests.integration.finetune.approved import approve, said

POLICIES = {
    "Sale items": "Items bought in a sale can be returned within 14 days of delivery.",
    "Gift cards": "Gift cards are valid for five years from the day of purchase.",
    "Opened food": "Opened packages of food cannot be returned for reasons of hygiene.",
    "Shoes": "Shoes can be exchanged for another size within 60 days of delivery.",
    "Refunds": "Refunds for a return are paid to the card that was used for the purchase.",
}
BOARD = """\
# Board remuneration

## Yearly bonus

The yearly bonus of the chairwoman is paid in the month of June.
"""
SALE = "No worries! Items bought in a sale can be returned within 14 days of delivery, dear."
PASSAGE = re.compile(r"^\[(\d+)\] (.+?)(?=^\[\d+\] |^«)", re.MULTILINE | re.DOTALL)


class Desk:
    """A workspace with policies, where the team's conversations are approved."""

    def __init__(self, ingester: Ingester, embedder: Embedder) -> None:
        self.engine: Engine = ingester.engine
        self.id = ingester.workspace_id
        self.embedder = embedder
        for title, words in POLICIES.items():  # a passage each
            ingester.ingest(markdown(f"{title}.md", f"# {title}\n\n{words}\n"))
        ingester.ingest(markdown("board.md", BOARD), ["channel:CBOARD"])

    def build(self, chosen: Format, **wishes: float) -> Dataset:
        """Build a dataset with a retriever of this workspace."""
        wanted = Wanted(chosen, **wishes)  # type: ignore[arg-type]
        retriever = Retriever(self.engine, self.id, self.embedder)
        return build_dataset(
            self.engine, load_settings(), self.id, chosen, "first", "U1",
            wanted=wanted, retriever=retriever,
        )  # fmt: skip

    def rows(self, dataset: Dataset) -> list[DatasetRow]:
        """Read its rows."""
        return read_rows(self.engine, dataset.id)


@pytest.fixture
def desk(ingester: Ingester, embedder: Embedder) -> Desk:
    """A workspace of this test's own."""
    return Desk(ingester, embedder)


def shown(row: DatasetRow) -> dict[int, str]:
    """The passages that a row's prompt shows, by their numbers."""
    prompt = row.content["messages"][-2]["content"]
    return {int(number): text for number, text in PASSAGE.findall(prompt)}


def test_a_reply_is_cited_among_passages_that_are_near(desk: Desk) -> None:
    """The team's words, each sentence that states something with the number of its passage."""
    approve(desk.engine, desk.id, "a", said("Can I return a sale item?", SALE))

    (row,) = desk.rows(desk.build("raft", refusals=0.0, distractors=3))

    passages = shown(row)
    assert len(passages) == 4
    (number,) = [n for n, text in passages.items() if "within 14 days" in text]
    assert row.content["messages"][-1]["content"] == f"No worries! {SALE[12:]} [{number}]"
    assert row.content["task"] == "raft"


def test_without_its_passage_a_reply_is_that_they_do_not_say(desk: Desk) -> None:
    """A share of the rows has only the others, and no words of the team."""
    approve(desk.engine, desk.id, "a", said("Can I return a sale item?", SALE))

    dataset = desk.build("raft", refusals=0.9, seed=4)

    (row,) = desk.rows(dataset)
    assert row.content["messages"][-1]["content"] == NO_ANSWER
    assert not any("within 14 days" in text for text in shown(row).values())
    assert dataset.manifest["by"]["label"] == {"cited passage left out": 1}


def test_the_same_seed_gives_the_same_rows(desk: Desk) -> None:
    """Built twice it is one dataset; another order of passages is another."""
    approve(desk.engine, desk.id, "a", said("Can I return a sale item?", SALE))

    assert desk.build("raft", seed=1).sha256 == desk.build("raft", seed=1).sha256
    others = {desk.build("raft", refusals=0.0, seed=seed).sha256 for seed in range(4)}
    assert len(others) > 1


def test_what_few_may_read_is_taught_to_nobody(desk: Desk) -> None:
    """A private channel's document is neither cited nor shown, whatever the transcript's place."""
    question = said(
        "When is the yearly bonus of the chairwoman paid?",
        "The yearly bonus of the chairwoman is paid in the month of June.",
    )
    approve(desk.engine, desk.id, "b", question, audience=["channel:CBOARD"])
    with pytest.raises(DatasetError, match="the reply states what no passage says"):
        desk.build("raft")

    approve(desk.engine, desk.id, "a", said("Can I return a sale item?", SALE))
    rows = desk.rows(desk.build("pairs"))
    assert "chairwoman" not in str([row.content for row in rows])


def test_guests_words_are_taught_with_what_guests_may_read(desk: Desk) -> None:
    """A policy for members is not shown with them."""
    approve(desk.engine, desk.id, "g", said("Can I return it?", SALE), audience=["external"])

    with pytest.raises(DatasetError, match="gives a row of the format raft"):
        desk.build("raft")


def test_a_pair_is_a_question_with_its_passage_and_near_ones(desk: Desk) -> None:
    """With the turns before it; what says it as well is no negative."""
    talk = said("Hi, about shoes", "Hello! What about them?", "Is a sale return fine?", SALE)
    approve(desk.engine, desk.id, "a", talk)

    (row,) = desk.rows(desk.build("pairs"))

    assert row.content["question"] == "Is a sale return fine?"
    assert row.content["history"] == ["Hi, about shoes", "Hello! What about them?"]
    (positive,) = row.content["positives"]
    assert "within 14 days" in positive
    assert row.content["negatives"]
    assert not any("within 14 days" in text for text in row.content["negatives"])


def test_an_answer_counts_through_its_approved_example_alone(desk: Desk) -> None:
    """What the bot answered is in no row until a curator approved an example of it."""
    agent = open_agent(load_settings(), desk.engine, desk.id, desk.embedder)
    answer = agent.answer(Question("Can I return a sale item after three weeks?"))
    agent.close()
    assert answer.outcome == "answered"
    with pytest.raises(DatasetError, match="No transcript is approved"):
        desk.build("pairs")

    approve(desk.engine, desk.id, "C1:1", said(answer.question, answer.text), origin="shortcut",
            answer_id=answer.id)  # fmt: skip
    (row,) = desk.rows(desk.build("pairs"))
    quote = answer.citations[0].quote
    assert any(quote in text for text in row.content["positives"])


def test_replies_that_no_document_says_are_told_of(desk: Desk) -> None:
    """Nothing is made up: the reasons are in the refusal."""
    talk = said("Can I return a car?", "Cars can be returned within 90 days of delivery.")
    approve(desk.engine, desk.id, "x", talk)

    with pytest.raises(DatasetError, match="the reply states what no passage says"):
        desk.build("raft")


def test_a_policy_in_the_team_s_words_teaches_to_rewrite(desk: Desk) -> None:
    """As a draft is rewritten in use, and only where both state the same."""
    free = (
        "Sale items? You bet: items bought in a sale can be returned within 14 days of delivery!"
    )
    wrong = "Oh sure, gift cards are valid for six years from the day of purchase!"
    approve(desk.engine, desk.id, "a", said("Can I return a sale item?", free))
    approve(desk.engine, desk.id, "b", said("How long are gift cards valid?", wrong))

    dataset = desk.build("sft")

    (row,) = desk.rows(dataset)
    assert dataset.manifest["by"]["source"] == {"reworded": 1}
    assert row.content["messages"][-2]["content"] == f"1. {POLICIES['Sale items']} [1]"
    assert row.content["messages"][-1]["content"].startswith("1. You bet: items bought")
    assert dataset.manifest["left_out"] == {"tone: it states a number or a date": 2}


def test_liked_answers_wait_for_a_curator(desk: Desk) -> None:
    """Once each, none that anybody disliked; approved, they teach to find but no voice."""
    agent = open_agent(load_settings(), desk.engine, desk.id, desk.embedder)
    liked = agent.answer(Question("Can I return a sale item after three weeks?", user_id="U7"))
    mixed = agent.answer(Question("How long are gift cards valid?"))
    agent.close()
    with desk.engine.begin() as connection:
        rate(connection, liked.id, "U1", 1)
        rate(connection, mixed.id, "U1", 1)
        rate(connection, mixed.id, "U2", -1)
        assert propose_liked(connection, desk.id, "U9") == 1
        assert propose_liked(connection, desk.id, "U9") == 0

    (waiting,) = list_transcripts(desk.engine, desk.id)
    assert (waiting.answer_id, waiting.user_id, waiting.audience) == (liked.id, "U7", ())
    with pytest.raises(DatasetError, match="No transcript is approved yet, and 1 wait"):
        desk.build("pairs")

    curate(desk.engine, desk.id)
    with desk.engine.begin() as connection:
        review_candidate(connection, desk.id, waiting.id, "approved", "U9")
    assert len(desk.rows(desk.build("pairs"))) == 1
    with pytest.raises(DatasetError, match="the words are the bot's own"):
        desk.build("sft")
