"""How an asker sounds, by rules and by a trained judge."""

import pytest

from graph.escalate import is_upset
from graph.mood import Mood, Sentiment, mood
from store.conversations import Turn


@pytest.mark.parametrize(
    ("message", "sentiment"),
    [
        ("This is ridiculous, nobody answers!!", "upset"),
        ("I'm worried that my parcel is lost", "worried"),
        ("I don't know what to do, my card was stolen", "worried"),
        ("Will I be in trouble if I claim this late?", "worried"),
        ("This is annoying", "worried"),
        ("I am still waiting", "worried"),
        ("Thanks, that made my day", "pleased"),
        ("perfect :tada:", "pleased"),
        ("I'm so happy with the new lamp", "pleased"),
        ("You are very helpful", "pleased"),
        ("Can I return a sale item after three weeks? Thanks", "neutral"),
        ("Not happy with this", "neutral"),
        ("No thanks", "neutral"),
        ("How many days of annual leave do I have?", "neutral"),
        ("A customer says she is worried about her refund. What do I tell her?", "neutral"),
        ("", "neutral"),
    ],
)
def test_sentiment_by_rules(message: str, sentiment: Sentiment) -> None:
    """What somebody says in their own name decides, and politeness around a question does not."""
    assert mood(message).sentiment == sentiment


@pytest.mark.parametrize(
    "message",
    [
        "URGENT: which form do I need?",
        "This is urgent, how do I cancel?",
        "I need an answer asap",
        "Please help me right now",
        "My flight leaves in 2 hours, may I book a taxi?",
        "I need to know today whether I can carry over my leave",
        "The offer expires tonight. Can I still use it?",
    ],
)
def test_what_is_urgent(message: str) -> None:
    """Somebody who says that there is no time is heard."""
    assert mood(message).urgent


@pytest.mark.parametrize(
    "message",
    [
        "How many urgent care visits are covered?",
        "Do I get emergency leave when my child is ill?",
        "Must a data breach be reported within 24 hours?",
        "What counts as an emergency?",
        "Do refunds arrive immediately?",
        "How do I report something urgent?",
    ],
)
def test_what_only_speaks_of_urgency(message: str) -> None:
    """A question about urgent things is not itself urgent."""
    assert not mood(message).urgent


def test_who_is_upset_is_never_judged_otherwise() -> None:
    """A trained judge is not asked about somebody whom a person should take over."""
    said = "How long does a refund for a returned lamp take here?"
    history = (Turn("asker", said), Turn("footnote", "No policy."))
    message = f"{said} still waiting"
    assert is_upset(message, history)
    assert mood(message, history, lambda _: "pleased") == Mood("upset", urgent=False, by="rules")


def test_a_trained_judge_decides_where_it_is_sure() -> None:
    """Its verdict is taken and named; where it has none the rules decide."""
    assert mood("Well, well", head=lambda _: "pleased") == Mood("pleased", False, "head")
    assert mood("Thanks a lot", head=lambda _: None) == Mood("pleased", False, "rules")
