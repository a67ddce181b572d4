"""Questions handed over: once, to one person, until they are resolved."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from store.access import EVERYONE, EXTERNAL
from store.conversations import Turn, add_turn, ensure_conversation
from store.escalations import (
    Escalation,
    NewEscalation,
    all_may_be_read,
    asked_as,
    claim_escalation,
    find_escalation,
    list_escalations,
    open_escalation,
    resolve_escalation,
)
from tests.integration.store.answers import kept_answer
from tests.integration.store.shelf import Shelf

NEW = NewEscalation("T:C1:1.1", "U1", "May I?", "asked", "C1", "CLEADS", "1.1", answer_id="a1")
MEMBERS = frozenset({EVERYONE, EXTERNAL})


def opened(shelf: Shelf, new: NewEscalation = NEW) -> tuple[Escalation, bool] | None:
    with shelf.engine.begin() as connection:
        return open_escalation(connection, shelf.workspace_id, new)


def claimed(shelf: Shelf, number: int, user: str) -> Escalation | None:
    with shelf.engine.begin() as connection:
        return claim_escalation(connection, shelf.workspace_id, number, user)


def resolved(shelf: Shelf, number: int, user: str, words: str | None) -> Escalation | None:
    with shelf.engine.begin() as connection:
        return resolve_escalation(connection, shelf.workspace_id, number, user, words)


@pytest.fixture
def waiting(shelf: Shelf) -> Escalation:
    """A question that waits."""
    made = opened(shelf)
    assert made is not None
    return made[0]


def test_a_question_is_handed_over_once(shelf: Shelf, waiting: Escalation) -> None:
    """The same key and answer again change nothing."""
    assert (waiting.state, waiting.handed_to, waiting.claimed_by) == ("waiting", "CLEADS", None)
    assert opened(shelf) is None
    assert opened(shelf, replace(NEW, question="Something else?")) is None
    assert list_escalations(shelf.engine, shelf.workspace_id) == [waiting]


def test_an_edited_question_takes_the_place_of_what_it_was(
    shelf: Shelf, waiting: Escalation
) -> None:
    """With its new answer; who claimed it keeps it. A resolved one stays as it is."""
    claimed(shelf, waiting.id, "U2")
    edited = opened(shelf, replace(NEW, question="May we?", answer_id="a2"))

    assert edited is not None
    changed, is_new = edited
    assert not is_new
    assert (changed.id, changed.question, changed.claimed_by) == (waiting.id, "May we?", "U2")
    resolved(shelf, waiting.id, "U2", "Yes.")
    assert opened(shelf, replace(NEW, question="May they?", answer_id="a3")) is None


def test_one_of_many_who_claim_at_once_gets_it(shelf: Shelf, waiting: Escalation) -> None:
    """Everybody else learns that it is taken, and by whom."""
    people = [f"U{n}" for n in range(8)]
    with ThreadPoolExecutor(len(people)) as pool:
        got = [c for c in pool.map(lambda user: claimed(shelf, waiting.id, user), people) if c]

    assert len(got) == 1
    with shelf.engine.connect() as connection:
        kept = find_escalation(connection, shelf.workspace_id, waiting.id)
    assert kept == got[0]
    assert kept.claimed_by in people
    assert kept.claimed_at is not None


def test_a_resolved_question_is_neither_claimed_nor_resolved_again(
    shelf: Shelf, waiting: Escalation
) -> None:
    """The first answer stands; it need not have been claimed."""
    first = resolved(shelf, waiting.id, "U2", "Yes.")

    assert first is not None
    assert (first.state, first.resolved_by, first.resolution) == ("resolved", "U2", "Yes.")
    assert claimed(shelf, waiting.id, "U3") is None
    assert resolved(shelf, waiting.id, "U3", "No.") is None
    assert list_escalations(shelf.engine, shelf.workspace_id) == []
    assert list_escalations(shelf.engine, shelf.workspace_id, resolved=True) == [first]


def test_workspaces_do_not_see_each_other_s(shelf: Shelf, waiting: Escalation) -> None:
    """A number is not enough."""
    elsewhere = shelf.workspace_id + 1_000_000
    with shelf.engine.begin() as connection:
        assert find_escalation(connection, elsewhere, waiting.id) is None
        assert claim_escalation(connection, elsewhere, waiting.id, "U2") is None
        assert resolve_escalation(connection, elsewhere, waiting.id, "U2", "x") is None
    assert list_escalations(shelf.engine, elsewhere) == []


@pytest.mark.parametrize(
    ("audience", "readers", "may"),
    [
        (["everyone"], MEMBERS, True),
        (["everyone"], frozenset({EXTERNAL}), False),
        (["external"], frozenset({EXTERNAL}), True),
        (["channel:CBOARD"], MEMBERS, False),
        (["channel:CBOARD"], MEMBERS | {"channel:CBOARD"}, True),
    ],
)
def test_what_was_quoted_is_shown_to_its_readers(
    shelf: Shelf, audience: list[str], readers: frozenset[str], may: bool
) -> None:
    """Everybody in the channel that takes over has to be one."""
    answer = kept_answer(shelf, audience=audience)

    with shelf.engine.connect() as connection:
        assert all_may_be_read(connection, shelf.workspace_id, answer.id, readers) is may


def test_what_came_before_in_the_conversation_counts_too(shelf: Shelf) -> None:
    """An earlier answer's words may come along; another conversation's do not."""
    turns = []
    for key in ("one", "one", "two"):
        conversation = ensure_conversation(shelf.engine, shelf.workspace_id, key)
        with shelf.engine.begin() as connection:
            turns.append(add_turn(connection, conversation, Turn("asker", "May I?")))
    kept_answer(shelf, document="board", audience=["channel:CBOARD"], turn_id=turns[0])
    same = kept_answer(shelf, turn_id=turns[1])
    other = kept_answer(shelf, turn_id=turns[2])

    with shelf.engine.connect() as connection:
        assert not all_may_be_read(connection, shelf.workspace_id, same.id, MEMBERS)
        assert all_may_be_read(connection, shelf.workspace_id, other.id, MEMBERS)


def test_how_a_question_was_asked_is_known_by_its_answer(shelf: Shelf) -> None:
    """Its asker, its message, its conversation; nothing for an answer of elsewhere."""
    conversation = ensure_conversation(shelf.engine, shelf.workspace_id, "slack:T:C1:1.1")
    with shelf.engine.begin() as connection:
        turn = add_turn(connection, conversation, Turn("asker", "May I?"), message_key="T:C1:1.1")
    answer = kept_answer(shelf, user_id="U1", turn_id=turn)
    alone = kept_answer(shelf, user_id="U2")

    with shelf.engine.connect() as connection:
        asked = asked_as(connection, shelf.workspace_id, answer.id)
        assert asked is not None
        assert (asked.asker_id, asked.message_key) == ("U1", "T:C1:1.1")
        assert asked.conversation_id == conversation
        command = asked_as(connection, shelf.workspace_id, alone.id)
        assert command is not None
        assert (command.asker_id, command.message_key) == ("U2", None)
        assert asked_as(connection, shelf.workspace_id + 1, answer.id) is None


def test_the_longest_waiting_comes_first(shelf: Shelf) -> None:
    """What is claimed waits as well."""
    for number in range(3):
        opened(shelf, replace(NEW, key=f"T:C1:{number}", question=str(number)))
    with shelf.engine.connect() as connection:
        first = connection.execute(
            text("SELECT min(id) FROM escalations WHERE workspace_id = :id"),
            {"id": shelf.workspace_id},
        ).scalar_one()
    claimed(shelf, first, "U2")

    listed = list_escalations(shelf.engine, shelf.workspace_id, limit=2)
    assert [one.question for one in listed] == ["0", "1"]
