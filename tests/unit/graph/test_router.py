"""Where a message goes before anything is searched."""

import pytest

from graph.router import EXAMPLES, REPLIES, Router, small_talk_kind
from retrieval.embeddings import Embedder


@pytest.fixture(scope="module")
def router(embedder: Embedder) -> Router:
    """The router with the real embedder."""
    return Router(embedder)


@pytest.mark.parametrize(
    ("message", "route"),
    [
        ("thanks", "small_talk"),
        ("Thank you very much!", "small_talk"),
        ("Hello", "small_talk"),
        ("Good morning!", "small_talk"),
        ("bye", "small_talk"),
        ("You are a great help", "small_talk"),
        ("I want to talk to a human", "human"),
        ("Can I speak to a real person?", "human"),
        ("agent", "human"),
        ("get me a human, this is the last straw", "human"),
        (":tada:", "small_talk"),
        ("ok", "small_talk"),
        ("Please connect me with someone from support", "human"),
        ("Can I return sale items?", "policy"),
        ("How many days of leave do I get?", "policy"),
        ("Hi, how long can I return items?", "policy"),
        ("Thanks! How much is shipping to Norway?", "policy"),
        ("What is the capital of France?", "policy"),
        ("expenses", "policy"),
    ],
)
def test_phrases_and_likeness_decide(router: Router, message: str, route: str) -> None:
    """Small talk and wishes for a person are told from questions; what is unsure is a question."""
    chosen, sureness = router.route(message)

    assert chosen == route
    assert 0 <= sureness <= 1.0001


def test_a_long_message_is_a_question_even_if_it_begins_with_thanks(router: Router) -> None:
    """Who explains something at length wants to know something."""
    message = (
        "Thank you, but my lamp arrived broken and I would like to know who pays for its return"
    )

    assert router.route(message)[0] == "policy"


def test_within_a_conversation_likeness_does_not_decide(router: Router) -> None:
    """A short follow-up belongs to what was asked before, unless a phrase leaves no doubt."""
    example = EXAMPLES["small_talk"][-1]

    assert router.route(example)[0] == "small_talk"
    assert router.route(example, ["May I return a lamp?", "Yes."])[0] == "policy"
    assert router.route("thanks", ["May I return a lamp?", "Yes."])[0] == "small_talk"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("thx", "thanks"),
        ("hey there", "greeting"),
        ("Goodbye", "farewell"),
        ("Wow", "remark"),
        (":+1: \N{THUMBS UP SIGN}", "remark"),
        ("OK, got it.", "remark"),
        ("Got it!", "remark"),
        ("that's great", "remark"),
        ("no thanks", "remark"),
        ("Got it, thanks a lot :pray:", "thanks"),
        ("got it, thanks for the shoes", "other"),
        ("???", "wordless"),
        ("Who are you?", "other"),
        ("good shoes", "other"),
        ("14", "other"),
    ],
)
def test_each_kind_of_small_talk_has_its_reply(message: str, kind: str) -> None:
    """The replies state no policy facts."""
    assert small_talk_kind(message) == kind
    assert not any(character.isdigit() for character in REPLIES[kind])
