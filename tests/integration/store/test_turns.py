"""Conversations: turns in order, one answer at a time, an event answered once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from store.answers import Answer, new_answer_id, save_answer
from store.conversations import (
    HISTORY_TURNS,
    Turn,
    add_turn,
    answer_to_event,
    ensure_conversation,
    read_turns,
    serialised,
)
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

ANSWER = Answer(
    id="", question="q", route="small_talk", outcome="answered", text="Hello.", seconds=0.25
)


@pytest.fixture
def conversation(shelf: Shelf) -> int:
    """A conversation without a turn."""
    return ensure_conversation(shelf.engine, shelf.workspace_id, "C1:17.2")


def test_a_key_names_one_conversation_of_a_workspace(shelf: Shelf, conversation: int) -> None:
    """The same thread is the same conversation; in another workspace it is another."""
    assert ensure_conversation(shelf.engine, shelf.workspace_id, "C1:17.2") == conversation
    other = ensure_workspace(shelf.engine, f"threads-{shelf.workspace_id}")
    assert ensure_conversation(shelf.engine, other, "C1:17.2") != conversation


def test_the_last_turns_are_read_oldest_first(shelf: Shelf, conversation: int) -> None:
    """A long conversation gives its last turns, in the order they were said."""
    assert read_turns(shelf.engine, conversation) == ()
    said = [Turn("footnote" if n % 2 else "asker", f"turn {n}") for n in range(HISTORY_TURNS + 3)]
    with shelf.engine.begin() as connection:
        for turn in said:
            add_turn(connection, conversation, turn, user_id="U1")
    assert read_turns(shelf.engine, conversation) == tuple(said[3:])


def test_an_event_is_answered_once(shelf: Shelf, conversation: int) -> None:
    """The second delivery of an event finds the first one's answer and cannot be added."""
    assert answer_to_event(shelf.engine, conversation, "Ev1") is None
    answer = replace(ANSWER, id=new_answer_id())
    with shelf.engine.begin() as connection:
        turn = add_turn(connection, conversation, Turn("asker", "q"), event_key="Ev1")
        save_answer(connection, shelf.workspace_id, answer, turn_id=turn, as_of=None)
    assert answer_to_event(shelf.engine, conversation, "Ev1") == answer.id
    assert answer_to_event(shelf.engine, conversation, "Ev2") is None
    with pytest.raises(IntegrityError, match="event_key"), shelf.engine.begin() as connection:
        add_turn(connection, conversation, Turn("asker", "q"), event_key="Ev1")


def test_an_event_of_another_conversation_is_another(shelf: Shelf, conversation: int) -> None:
    """Event keys are compared within a conversation; turns without one never collide."""
    other = ensure_conversation(shelf.engine, shelf.workspace_id, "C2:1")
    with shelf.engine.begin() as connection:
        for place in (conversation, other):
            add_turn(connection, place, Turn("asker", "q"), event_key="Ev1")
            add_turn(connection, place, Turn("footnote", "a"))
            add_turn(connection, place, Turn("footnote", "b"))
    assert [turn.text for turn in read_turns(shelf.engine, other)] == ["q", "a", "b"]


def test_a_second_message_waits_for_the_first_answer(shelf: Shelf, conversation: int) -> None:
    """While one is answered the next in the same conversation waits, and sees its turns then."""
    first_holds, order = threading.Event(), []

    def first() -> None:
        with serialised(shelf.engine, conversation):
            first_holds.set()
            time.sleep(0.3)
            with shelf.engine.begin() as connection:
                add_turn(connection, conversation, Turn("asker", "first"))
            order.append("first")

    def second() -> tuple[Turn, ...]:
        assert first_holds.wait(10)
        with serialised(shelf.engine, conversation):
            order.append("second")
            return read_turns(shelf.engine, conversation)

    with ThreadPoolExecutor(2) as pool:
        waiting, done = pool.submit(second), pool.submit(first)
        done.result()
        assert waiting.result() == (Turn("asker", "first"),)
    assert order == ["first", "second"]


def test_conversations_do_not_wait_for_each_other(shelf: Shelf, conversation: int) -> None:
    """Another conversation is answered while this one is held."""
    other = ensure_conversation(shelf.engine, shelf.workspace_id, "C2:2")
    with serialised(shelf.engine, conversation), serialised(shelf.engine, other):
        assert read_turns(shelf.engine, other) == ()


def test_a_failed_answer_frees_its_conversation(shelf: Shelf, conversation: int) -> None:
    """An error while answering lets the next message through."""
    with pytest.raises(RuntimeError), serialised(shelf.engine, conversation):
        raise RuntimeError
    with serialised(shelf.engine, conversation):
        pass


def test_one_at_a_time_however_many(shelf: Shelf, conversation: int) -> None:
    """Of many messages at once never two are in hand, and each is answered."""
    inside: list[int] = []
    most = 0

    def answer(number: int) -> None:
        nonlocal most
        with serialised(locks, conversation):
            inside.append(number)
            most = max(most, len(inside))
            time.sleep(0.005)
            inside.remove(number)

    locks: Engine = shelf.engine
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(answer, range(18)))
    assert most == 1
