"""What a browser session keeps of its conversation."""

from dataclasses import replace

from admin.conversations import Conversations, Exchange
from tests.unit.admin.scripted import REFUSAL, SALE_ANSWER


def test_keeps_exchanges_in_order() -> None:
    """What was asked first is shown first."""
    conversations = Conversations()
    key = conversations.resume(None)
    conversations.add(key, Exchange(SALE_ANSWER))
    conversations.add(key, Exchange(REFUSAL))
    assert [e.answer.id for e in conversations.exchanges(key)] == ["7f3a", "0b12"]


def test_adopts_no_foreign_key() -> None:
    """A key that was not made here starts a conversation under a new one."""
    conversations = Conversations()
    assert conversations.resume("chosen-by-somebody") != "chosen-by-somebody"
    assert conversations.exchanges("chosen-by-somebody") == ()


def test_resumes_its_own_key() -> None:
    """A key that was made here stays the same."""
    conversations = Conversations()
    key = conversations.resume(None)
    assert conversations.resume(key) == key


def test_shows_a_second_delivery_once() -> None:
    """The same answer twice is one exchange."""
    conversations = Conversations()
    key = conversations.resume(None)
    conversations.add(key, Exchange(SALE_ANSWER))
    conversations.add(key, Exchange(SALE_ANSWER))
    assert len(conversations.exchanges(key)) == 1


def test_drops_the_conversation_that_was_quiet_longest() -> None:
    """More sessions than are kept push out the one not resumed for longest."""
    conversations = Conversations(kept=2)
    first, second = conversations.resume(None), conversations.resume(None)
    conversations.add(first, Exchange(SALE_ANSWER))
    conversations.resume(first)
    conversations.resume(None)
    assert conversations.exchanges(first)
    assert conversations.resume(second) != second


def test_drops_the_oldest_exchange() -> None:
    """More exchanges than are kept push out the oldest."""
    conversations = Conversations(exchanges_kept=2)
    key = conversations.resume(None)
    for number in range(3):
        conversations.add(key, Exchange(replace(SALE_ANSWER, id=str(number))))
    assert [e.answer.id for e in conversations.exchanges(key)] == ["1", "2"]


def test_forgets() -> None:
    """A new conversation begins empty and under another key."""
    conversations = Conversations()
    key = conversations.resume(None)
    conversations.add(key, Exchange(SALE_ANSWER))
    conversations.forget(key)
    assert conversations.exchanges(key) == ()
    assert conversations.resume(key) != key
