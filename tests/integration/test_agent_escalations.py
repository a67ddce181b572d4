"""The agent hands a question over where people take over, and only there."""

from graph.graph import Agent
from graph.state import Question, TakesOver
from store.answers import Answer

LEADS = TakesOver("#support-leads")
UPSET = "This is ridiculous! Can I return a sale item after three weeks?"
TWO_NOTHINGS = ("Who won the 1998 world cup?", "How tall is Mount Everest?")


def ask(agent: Agent, text: str, conversation: str, takes_over: TakesOver | None) -> Answer:
    """Ask in a conversation."""
    return agent.answer(Question(text, conversation=conversation, takes_over=takes_over))


def test_a_wish_for_a_person_is_passed_on(agent: Agent) -> None:
    """The asker is told who was asked and where the answer comes; the trace says why."""
    answer = agent.answer(Question("Can I talk to a human?", takes_over=LEADS))

    assert answer.outcome == "escalated"
    assert answer.text == "I've asked #support-leads; somebody will answer here."
    assert answer.trace["handed_over"] == "asked"


def test_who_is_upset_gets_the_answer_and_a_person(agent: Agent) -> None:
    """What the policies say is said all the same, with its quotes."""
    answer = agent.answer(Question(UPSET, takes_over=LEADS))

    assert (answer.outcome, answer.trace["handed_over"]) == ("escalated", "upset")
    assert answer.citations
    assert answer.text.startswith(answer.claims[0].text)
    assert answer.text.endswith("I've asked #support-leads; somebody will answer here.")


def test_nobody_is_promised_where_nobody_takes_over(agent: Agent) -> None:
    """Without an escalation channel an upset asker gets an answer like anybody else."""
    answer = agent.answer(Question(UPSET))

    assert answer.outcome == "answered"
    assert "asked" not in answer.text
    assert answer.trace["handed_over"] is None


def test_nothing_found_twice_goes_to_a_person(agent: Agent) -> None:
    """The first refusal offers it, the second in a row does it, the third offers it again."""
    answers = [ask(agent, text, "twice", LEADS) for text in (*TWO_NOTHINGS, TWO_NOTHINGS[0])]

    assert [answer.outcome for answer in answers] == ["refused", "escalated", "refused"]
    assert "Shall I ask #support-leads?" in answers[0].text
    assert answers[1].trace["handed_over"] == "nothing_found"
    assert "I've asked #support-leads" in answers[1].text


def test_nothing_found_twice_is_refused_where_nobody_takes_over(agent: Agent) -> None:
    """Then a refusal stays one, and says what to do."""
    answers = [ask(agent, text, "twice alone", None) for text in TWO_NOTHINGS]

    assert [answer.outcome for answer in answers] == ["refused", "refused"]
    assert all("ask to talk to a human" in answer.text for answer in answers)


def test_thanks_between_two_refusals_part_them(agent: Agent) -> None:
    """Only refusals one after the other hand over by themselves."""
    texts = (TWO_NOTHINGS[0], "Thanks!", TWO_NOTHINGS[1])
    answers = [ask(agent, text, "parted", LEADS) for text in texts]

    assert [answer.outcome for answer in answers] == ["refused", "answered", "refused"]


def test_a_yes_to_the_offer_is_a_wish_for_a_person(agent: Agent) -> None:
    """The offer can be taken up in words."""
    ask(agent, TWO_NOTHINGS[0], "offer", LEADS)
    answer = ask(agent, "yes please", "offer", LEADS)

    assert (answer.route, answer.outcome) == ("human", "escalated")
