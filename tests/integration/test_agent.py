"""The agent on real policies: every route and outcome, and quotes that code has checked."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from core.settings import load_settings
from graph.graph import Agent, open_agent
from graph.state import Question, Turn
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.workspaces import ensure_workspace
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import (
    HOLIDAY,
    SALE,
    SALE_QUESTION,
    OpenAgent,
    markdown_file,
    passage_with,
    reasons,
    says,
    unverified,
)


@pytest.mark.parametrize(
    ("message", "route", "outcome"),
    [
        pytest.param(SALE_QUESTION, "policy", "answered", id="a question of policy"),
        pytest.param("Thanks a lot!", "small_talk", "answered", id="thanks"),
        pytest.param("Good morning", "small_talk", "answered", id="a greeting"),
        pytest.param("Can I talk to a human please?", "human", "escalated", id="a person"),
        pytest.param("Who won the 1998 world cup?", "out_of_scope", "refused", id="off topic"),
    ],
)
def test_every_message_ends_in_its_route_and_outcome(
    agent: Agent, message: str, route: str, outcome: str
) -> None:
    """What a message is decides what happens, and the answer, its JSON and its trace agree."""
    answer = agent.answer(Question(message))

    assert (answer.route, answer.outcome) == (route, outcome)
    assert answer.text
    assert answer.to_json()["route"] == answer.trace["route"] == route


def test_a_word_that_several_documents_explain_is_asked_back(
    shared_engine: Engine, embedder: Embedder
) -> None:
    """An unclear question gets one clarifying question with the sections it may mean."""
    workspace = ensure_workspace(shared_engine, "unclear")
    ingester = Ingester(shared_engine, workspace, embedder)
    for kind in ("Annual", "Parental"):
        text = f"# {kind} leave\n\nThis leave is asked for in the {kind.lower()} form."
        ingester.ingest(markdown_file(f"{kind}.md", text))
    ingester.ingest(markdown_file("parking.md", "# Parking\n\nCars stand behind the hall."))
    agent = open_agent(load_settings(), shared_engine, workspace, embedder)

    answer = agent.answer(Question("leave"))
    agent.close()

    assert (answer.route, answer.outcome) == ("clarify", "clarifying")
    assert sorted(answer.choices) == ["Annual leave", "Parental leave"]
    assert answer.claims == ()


@pytest.mark.parametrize("odd", ["\x00", "\ud800"], ids=["a NUL", "half a surrogate pair"])
def test_what_no_database_keeps_is_left_out_of_texts(
    opened: OpenAgent, server: OpenAIServer, odd: str
) -> None:
    """Questions, histories and models' claims may hold it; they are answered and kept."""
    server.reply(says((f"Sale items can be returned{odd} within 14 days of delivery.", SALE)))
    history = (Turn("asker", f"I bought{odd} a lamp."),)
    answer = opened(server).answer(
        Question(f"Can I return{odd} sale items?", conversation="odd", history=history)
    )

    assert answer.outcome == "answered"
    assert odd not in answer.text + answer.question


def test_a_person_s_contact_is_named_where_one_is_set(opened: OpenAgent) -> None:
    """Who wants a person is told whom to write to, if the operator said so."""
    answer = opened(escalation_contact="#support-leads").answer(Question("talk to a human"))

    assert answer.outcome == "escalated"
    assert "#support-leads" in answer.text


def test_an_empty_workspace_says_so(shared_engine: Engine, embedder: Embedder) -> None:
    """Without documents the refusal says that there are none, and points nowhere."""
    workspace = ensure_workspace(shared_engine, "empty")
    agent = open_agent(load_settings(), shared_engine, workspace, embedder)

    answer = agent.answer(Question(SALE_QUESTION))
    agent.close()

    assert answer.outcome == "refused"
    assert "no document" in answer.text
    assert answer.closest is None


@pytest.mark.parametrize(
    "question",
    [
        SALE_QUESTION,
        "How much does returning a parcel cost?",
        "How many days of annual leave do employees have?",
        "What is the hotel limit per night on a business trip?",
        "How long is the warranty on a tent?",
    ],
)
def test_without_a_model_every_claim_is_a_quote_that_verifies(
    agent: Agent, policies: Ingester, question: str
) -> None:
    """An extractive answer is made of the version's own words at the citations' offsets."""
    answer = agent.answer(Question(question))

    assert answer.outcome == "answered"
    assert answer.trace["answerer"] == "extractive"
    assert unverified(policies, answer) == []
    assert [claim.text for claim in answer.claims] == [
        claim.citations[0].quote for claim in answer.claims
    ]
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))


def test_a_model_s_claims_stay_where_their_quotes_support_them(
    opened: OpenAgent, policies: Ingester, server: OpenAIServer
) -> None:
    """The answer is the model's words, each with the policy's words behind it."""
    server.reply(says(("What you bought in a sale can be returned for 14 days.", SALE)))
    answer = opened(server).answer(Question(SALE_QUESTION))

    assert answer.outcome == "answered"
    assert answer.text == "What you bought in a sale can be returned for 14 days."
    assert [citation.quote for citation in answer.citations] == [SALE]
    assert unverified(policies, answer) == []
    assert (answer.note, answer.trace["answerer"]) == (None, "test-model")
    assert answer.trace["tokens"]["output"] > 0


@pytest.mark.parametrize(
    ("claim", "quote", "reason"),
    [
        pytest.param(
            "Sale items can be returned until Easter.",
            "Sale items may come back until the end of the year, no questions asked.",
            "quote",
            id="an invented quote",
        ),
        pytest.param(
            "Items bought in a sale can be returned within 30 days of delivery.",
            SALE,
            "numbers",
            id="a changed number",
        ),
        pytest.param(
            "Items bought in a sale can be returned within 14 weeks of delivery.",
            SALE,
            "numbers",
            id="a changed unit",
        ),
        pytest.param(
            "Items bought in a sale cannot be returned within 14 days of delivery.",
            SALE,
            "negation",
            id="a negation added",
        ),
        pytest.param(
            "The company was founded by two sisters in Ghent.",
            SALE,
            "words",
            id="a quote on something else",
        ),
        pytest.param(
            "Items bought in a sale can be returned within 14 days at https://evil.example/login.",
            SALE,
            "address",
            id="a link of its own",
        ),
        pytest.param(" … ", SALE, "words", id="nothing said"),
    ],
)
def test_a_claim_that_its_quote_does_not_support_is_dropped_visibly(
    opened: OpenAgent, server: OpenAIServer, claim: str, quote: str, reason: str
) -> None:
    """The good claim stays, the bad one is gone, and the trace says what it was and why."""
    good = "Sale items can be returned within 14 days of delivery."
    server.reply(says((good, SALE), (claim, quote)))
    answer = opened(server).answer(Question(SALE_QUESTION))

    assert answer.text == good
    assert reasons(answer) == [reason]
    assert answer.trace["dropped"][0]["claim"] == claim.strip()
    assert (answer.trace["claims_drafted"], answer.trace["claims_verified"]) == (2, 1)
    assert "evil.example" not in json.dumps(answer.to_json())


def test_a_negation_taken_away_is_dropped(opened: OpenAgent, server: OpenAIServer) -> None:
    """A claim that says the opposite of its quote falls although nearly all words agree."""
    server.reply(says(("The holiday extension applies to sale items.", HOLIDAY), among=HOLIDAY))
    answer = opened(server).answer(
        Question("Does the holiday extension for returns apply to sale items?")
    )

    assert reasons(answer) == ["negation"]
    assert answer.outcome == "refused"


def test_a_quote_in_other_typography_is_cited_in_the_policy_s_own(
    opened: OpenAgent, policies: Ingester, server: OpenAIServer
) -> None:
    """Curly quotes, other case and other spaces find the words; the citation has the policy's."""
    quote = "the  order confirmation marks it\nWith the Word “Sale”"
    text = "The order confirmation marks sale items with the word Sale."
    server.reply(says((text, quote)))
    answer = opened(server).answer(Question("How do I know that an item is a sale item?"))

    assert answer.text == text
    (citation,) = answer.citations
    assert citation.quote.startswith('the order confirmation marks it with the word "Sale"')
    assert unverified(policies, answer) == []


def test_a_quote_of_another_passage_is_not_found(opened: OpenAgent, server: OpenAIServer) -> None:
    """Words that stand elsewhere in the policy do not support a claim on this passage."""
    period = "Items can be returned within 30 days of delivery."

    def reply(body: dict[str, Any]) -> str:
        other = next(n for n in range(1, 9) if n != passage_with(period, body))
        return json.dumps({"claims": [{"text": period, "passage": other, "quote": period}]})

    server.reply(reply)
    answer = opened(server).answer(Question("How long do I have to send something back?"))

    assert reasons(answer) == ["quote"]


def test_passages_that_were_not_shown_cannot_be_cited(
    opened: OpenAgent, server: OpenAIServer
) -> None:
    """A claim on passage 0, 99 or -1 is no claim."""
    claims = [{"text": SALE, "passage": n, "quote": SALE} for n in (0, 99, -1)]
    server.reply(json.dumps({"claims": claims}))
    answer = opened(server).answer(Question(SALE_QUESTION))

    assert answer.outcome == "refused"
    assert answer.claims == ()


def test_when_all_claims_fall_the_refusal_shows_the_closest_words(
    opened: OpenAgent, policies: Ingester, server: OpenAIServer
) -> None:
    """Nothing verified means an honest no, with the nearest words exactly as they stand."""
    server.reply(says(("Yes, for a whole year.", "sale items come back for a whole year")))
    answer = opened(server).answer(Question(SALE_QUESTION))

    assert (answer.route, answer.outcome) == ("policy", "refused")
    assert "human" in answer.text
    assert answer.closest is not None
    assert answer.closest.document == "returns-policy"
    assert unverified(policies, answer) == []


def test_a_model_that_finds_nothing_is_believed(opened: OpenAgent, server: OpenAIServer) -> None:
    """An empty list of claims is a refusal, not a reason to quote something anyway."""
    server.reply(json.dumps({"claims": []}))
    answer = opened(server).answer(Question(SALE_QUESTION))

    assert (answer.outcome, answer.note) == ("refused", None)
