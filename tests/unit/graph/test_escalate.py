"""When a person takes over: asked for, upset, or nothing found twice."""

import pytest

from graph.escalate import accepts_offer, human_text, is_upset, reason_to_hand_over
from graph.state import TakesOver, Turn
from store.answers import Outcome, Route

QUESTION = "Can I return a sale item after three weeks?"
ASKED = Turn("asker", QUESTION)
OFFERED = Turn("footnote", "I don't have a policy that answers this. Shall I ask #leads?")


@pytest.mark.parametrize(
    "message",
    [
        "This is ridiculous. I only want to know when my refund comes.",
        "You are useless",
        "I am so angry right now, the wrong lamp came again",
        "I'm really upset about this, what do I do?",
        "I’ve asked three times now, how long does a refund take?",
        "How many times do I have to ask this?",
        "I am fed up with being sent round in circles",
        "Stop wasting my time and tell me who decides",
        "WHY IS NOBODY ABLE TO TELL ME THE RETURN PERIOD??!!",
        "still waiting for an answer!!!",
        "worst support ever",
        "That didn't help. I'm annoyed.",
        "wtf is this answer",
        "Let me repeat what I said above:\n> it is fine\nNo. This is unacceptable!",
    ],
)
def test_who_is_upset_is_noticed(message: str) -> None:
    """Strong words about this conversation, or several mild signs, are enough."""
    assert is_upset(message)


@pytest.mark.parametrize(
    "message",
    [
        "I am upset about my parcel policy?",
        "What do we do with angry customers?",
        "How should I answer when a customer says this is ridiculous and that we are useless?",
        'A guest wrote "This is unacceptable, worst service ever!!" What may I offer them?',
        "Is it unacceptable to wear shorts in the office?",
        "It is unacceptable to share passwords, right?",
        "What is the policy on harassment and abusive language?",
        "How many times may I renew a library card?",
        "How many times do I have to take the safety training?",
        "URGENT: VPN POLICY",
        "HOW DO I RETURN A LAMP",
        "Thanks so much!!!",
        "Wow, that was quick!! Perfect!!",
        "I asked two times for parental leave last year. Does the second count?",
        "My colleague thinks this is a joke. Is the discount real?",
        "Can I still get a refund? I'm waiting for the invoice.",
        "Do we pay for damages when the courier is stupid?",
        "Do you have a date for the last time the car was in the shop?",
        "Help!!",
        "???",
        "",
    ],
)
def test_what_is_only_about_anger_or_loud_is_no_alarm(message: str) -> None:
    """A topic, somebody else's words, one sign alone, joy and capitals leave it a question."""
    assert not is_upset(message)


def test_saying_it_again_counts_towards_it() -> None:
    """The same question again is one sign; written more loudly it is enough."""
    assert not is_upset(QUESTION, [ASKED])
    assert is_upset(QUESTION + "!!", [ASKED])
    assert not is_upset(QUESTION + "!!", [Turn("footnote", QUESTION)])
    assert not is_upset("yes!!", [Turn("asker", "yes")])


@pytest.mark.parametrize(
    ("message", "agrees"),
    [
        ("yes", True),
        ("Yes, please!", True),
        ("ok do it", True),
        ("Please ask them", True),
        ("sure, thanks", True),
        ("no", False),
        ("Yes, but what about gift cards?", False),
        ("please tell me about gift cards", False),
        ("okay then how long do refunds take", False),
    ],
)
def test_an_offer_is_taken_up_by_a_plain_yes(message: str, agrees: bool) -> None:
    """Only a yes and no more, and only right behind the offer."""
    assert accepts_offer(message, [ASKED, OFFERED]) is agrees
    assert not accepts_offer(message, [OFFERED, Turn("asker", "Why?"), Turn("footnote", "So.")])
    assert not accepts_offer(message, [])


@pytest.mark.parametrize(
    ("route", "outcome", "before", "message", "reason"),
    [
        pytest.param("human", "escalated", None, "agent", "asked", id="asked for"),
        pytest.param("human", "escalated", None, "This is ridiculous, agent!", "asked", id="both"),
        pytest.param("policy", "answered", None, "This is ridiculous", "upset", id="upset"),
        pytest.param("policy", "refused", "refused", QUESTION, "nothing_found", id="twice"),
        pytest.param("policy", "refused", None, QUESTION, None, id="nothing once"),
        pytest.param(
            "policy", "refused", "answered", QUESTION, None, id="nothing after something"
        ),
        pytest.param("policy", "refused", "escalated", QUESTION, None, id="handed over before"),
        pytest.param("policy", "answered", "refused", QUESTION, None, id="found at last"),
    ],
)
def test_each_reason_has_its_conditions(
    route: Route, outcome: Outcome, before: Outcome | None, message: str, reason: str | None
) -> None:
    """Asked for goes before upset, and that before nothing found twice in a row."""
    assert reason_to_hand_over(message, [], route, outcome, before) == reason


def test_the_asker_is_told_what_is_true() -> None:
    """People who take over are named with where they answer, else a contact, else nobody."""
    leads = TakesOver("#support-leads", "in a direct message")

    assert human_text("#help", leads) == (
        "I've asked #support-leads; somebody will answer in a direct message."
    )
    assert "#help" in human_text("#help")
    assert "Nobody is set up" in human_text(None)
