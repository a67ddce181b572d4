"""The agent's memory, what was in force when, and who may read what."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.settings import load_settings
from graph.graph import Agent, open_agent
from graph.state import Question, Turn
from ingestion.ingest import Ingester
from retrieval.embeddings import Embedder
from store.access import Access, Member, Place, access_of
from store.answers import find_answer
from store.conversations import ensure_conversation, read_turns
from store.engine import connect
from tests.acceptance.processes import free_port
from tests.fakes.openai import OpenAIServer
from tests.integration.asking import HIDDEN_WORDS, SALE, SALE_QUESTION, OpenAgent


def test_an_event_that_comes_twice_gets_one_answer(agent: Agent, policies: Ingester) -> None:
    """Deliveries of one event at the same time and later give the same answer; it is kept once."""
    question = Question(SALE_QUESTION, conversation="thread:twice", event_key="Ev1")
    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(agent.answer, [question] * 4), agent.answer(question)]

    assert len({answer.id for answer in answers}) == 1
    assert len({json.dumps(answer.to_json()["claims"]) for answer in answers}) == 1
    assert len(turns_of(policies, "thread:twice")) == 2


def turns_of(policies: Ingester, conversation: str) -> tuple[Turn, ...]:
    """Return the kept turns of a conversation."""
    engine = policies.engine
    return read_turns(engine, ensure_conversation(engine, policies.workspace_id, conversation))


def test_messages_of_one_conversation_take_turns(agent: Agent, policies: Ingester) -> None:
    """Five at once leave ten turns, each question followed by its own answer."""
    questions = [
        Question(f"How many days do I have to return item {n}?", conversation="thread:five")
        for n in range(5)
    ]
    with ThreadPoolExecutor(5) as pool:
        answers = {answer.question: answer for answer in pool.map(agent.answer, questions)}

    turns = turns_of(policies, "thread:five")
    assert [turn.role for turn in turns] == ["asker", "footnote"] * 5
    for asked, said in zip(turns[::2], turns[1::2], strict=True):
        assert answers[asked.text].text == said.text
    seen = sorted(answer.trace["history_turns"] for answer in answers.values())
    assert seen == [0, 2, 4, 6, 8]


def test_a_follow_up_is_understood_from_the_conversation(agent: Agent) -> None:
    """What was said before decides what a short question is about."""
    first = Question("Can I return items bought in a sale?", conversation="thread:follow")
    agent.answer(first)
    answer = agent.answer(Question("And within how many days?", conversation="thread:follow"))

    assert answer.trace["history_turns"] == 2
    assert SALE in answer.text


def test_a_history_that_is_given_stands_in_for_the_kept_turns(
    opened: OpenAgent, server: OpenAIServer
) -> None:
    """The model is shown the given turns, none of the kept ones, and the new turns are kept."""
    agent = opened(server)
    server.reply(*[json.dumps({"claims": []})] * 2)
    agent.answer(Question("Do gift cards expire?", conversation="thread:given"))
    given = (Turn("asker", "My canoe came with a hole."), Turn("footnote", "Oh no."))
    answer = agent.answer(Question("Can I return it?", conversation="thread:given", history=given))

    prompt = server.chats()[1]["messages"][-1]["content"]
    assert "canoe" in prompt
    assert "Do gift cards expire?" not in prompt
    assert answer.trace["history_turns"] == 2


def test_an_answer_is_kept_as_it_was_given(agent: Agent, policies: Ingester) -> None:
    """Claims, citations, closest words and trace come back from the database unchanged."""
    for message in (SALE_QUESTION, "Who won the 1998 world cup?", "talk to a human"):
        answer = agent.answer(Question(message))
        with policies.engine.connect() as connection:
            kept = find_answer(connection, policies.workspace_id, answer.id)
        assert kept is not None
        assert kept.to_json() | {"seconds": 0} == answer.to_json() | {"seconds": 0}
        assert kept.trace == answer.trace


@pytest.mark.parametrize(
    ("day", "version", "days"),
    [
        pytest.param(datetime(2025, 6, 1, tzinfo=UTC), 1, "21 days", id="the older policy's time"),
        pytest.param(datetime(2026, 10, 1, tzinfo=UTC), 2, "30 days", id="the newer policy's"),
    ],
)
def test_as_of_answers_from_what_was_in_force_then(
    agent: Agent, day: datetime, version: int, days: str
) -> None:
    """The same question gets the words that counted at the time asked about."""
    answer = agent.answer(
        Question("Within how many days of delivery can items be returned?", as_of=day)
    )

    quoted = [c for c in answer.citations if c.document == "returns-policy"]
    assert {citation.version for citation in quoted} == {version}
    assert any(days in citation.quote for citation in quoted)


def test_before_the_first_policy_there_is_nothing_to_answer_from(agent: Agent) -> None:
    """A time without any policy in force is a refusal."""
    answer = agent.answer(Question(SALE_QUESTION, as_of=datetime(1999, 1, 1, tzinfo=UTC)))

    assert answer.outcome == "refused"
    assert answer.claims == ()


MEMBER = Member("U1", "member")
DIRECTOR = Member("U2", "member", frozenset({"channel:CBOARD"}))
GUEST = Member("U3", "guest", frozenset({"channel:CBOARD"}))
BOARD_QUESTION = "What is the yearly bonus of the chairwoman?"


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(access_of(MEMBER, None), id="a member who is not in the channel"),
        pytest.param(access_of(DIRECTOR, Place("COTHER")), id="a director in another channel"),
        pytest.param(access_of(DIRECTOR, Place("CBOARD", shared=True)), id="a shared channel"),
        pytest.param(access_of(GUEST, Place("CBOARD")), id="a guest in the channel"),
        pytest.param(access_of(GUEST, None), id="a guest in private"),
        pytest.param(access_of(None, None), id="somebody unknown"),
    ],
)
def test_words_that_not_all_may_read_are_never_said(agent: Agent, access: Access) -> None:
    """Neither answer, closest words, choices nor trace hold anything of the forbidden document."""
    answer = agent.answer(Question(BOARD_QUESTION, access=access))

    said = json.dumps([answer.to_json(), answer.trace]).replace(BOARD_QUESTION, "")
    assert not [words for words in HIDDEN_WORDS if words in said]
    assert "board" not in {citation.document for citation in answer.citations}


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(access_of(DIRECTOR, None), id="a director in private"),
        pytest.param(access_of(MEMBER, Place("CBOARD")), id="in the channel"),
    ],
)
def test_who_may_read_a_document_gets_its_words(agent: Agent, access: Access) -> None:
    """The document's own audience is answered from it."""
    answer = agent.answer(Question(BOARD_QUESTION, access=access))

    assert "9,321" in answer.text


def test_a_guest_is_refused_what_members_get_and_answered_what_is_external(agent: Agent) -> None:
    """A guest in a channel learns nothing of the shop's policies, but the visitors' rules."""
    access = access_of(GUEST, Place("CBOARD"))
    refused = agent.answer(Question(SALE_QUESTION, access=access))
    answered = agent.answer(Question("What colour is the badge of visitors?", access=access))

    assert refused.outcome == "refused"
    assert "14 days" not in json.dumps(refused.to_json())
    assert "orange badge" in answered.text


def test_a_question_that_cannot_be_finished_ends_in_a_reference(
    embedder: Embedder, tmp_path: Path
) -> None:
    """Without a database the answer is an error with an id, and no detail of the connection."""
    engine = connect(f"postgresql://u:secret@127.0.0.1:{free_port()}/x")
    agent = open_agent(load_settings().model_copy(update={"home": tmp_path}), engine, 1, embedder)

    answer = agent.answer(Question(SALE_QUESTION, conversation="thread:away"))
    agent.close()
    engine.dispose()

    assert answer.outcome == "error"
    assert answer.reference is not None
    assert answer.reference in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
