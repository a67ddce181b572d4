"""Events: each kept once, handled one at a time in a conversation, and ended once."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from store.events import (
    CLAIM,
    Arrival,
    Event,
    accept,
    claim_event,
    end_event,
    extend_events,
    has_addressed,
    leave_conversation,
    open_events,
    overdue_events,
    question_of,
)
from tests.integration.store.shelf import Shelf

LEASE = 10.0


def arrival(shelf: Shelf, ts: str = "1.1", **details: Any) -> Arrival:
    """A question in a thread of its own, but for the details."""
    thread = details.pop("thread_ts", None)
    key = f"T1:C1:{ts}"
    made = Arrival(
        workspace_id=shelf.workspace_id,
        kind="question",
        key=key,
        message_key=key,
        team="T1",
        channel="C1",
        ts=ts,
        user_id="U1",
        text=f"asked at {ts}",
        conversation=f"slack:T1:C1:{thread or ts}",
        thread_ts=thread,
        delivery_id=f"Ev{ts}",
    )
    return replace(made, **details)


def change(shelf: Shelf, kind: Any, ts: str, of: str = "1.1") -> Arrival:
    """An edit or a deletion of a message."""
    message = f"T1:C1:{of}"
    return arrival(shelf, ts, kind=kind, key=f"{message}:{ts}", message_key=message, text="new")


def keep(shelf: Shelf, *arrivals: Arrival) -> list[int]:
    """Keep what must be new, and return the ids."""
    kept = [accept(shelf.engine, one) for one in arrivals]
    assert None not in kept
    return [one for one in kept if one is not None]


def claim(shelf: Shelf, owner: str = "p1") -> Event | None:
    """Take up the next event of the shelf's workspace."""
    return claim_event(shelf.engine, owner, LEASE, shelf.workspace_id)


def claimed(shelf: Shelf, owner: str = "p1") -> Event:
    """Take up the next event, which must be there."""
    event = claim(shelf, owner)
    assert event is not None
    return event


def end(shelf: Shelf, event_id: int, owner: str | None = None) -> bool:
    """End an event."""
    with shelf.engine.begin() as connection:
        return end_event(connection, event_id, "answered", owner=owner)


def later(shelf: Shelf, seconds: float) -> None:
    """Let time pass."""
    with shelf.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE events SET lease_until = lease_until - make_interval(secs => :s),"
                " accepted_at = accepted_at - make_interval(secs => :s) WHERE workspace_id = :w"
            ),
            {"s": seconds, "w": shelf.workspace_id},
        )


def channel(shelf: Shelf, **settings: Any) -> None:
    """Set how the bot behaves in the channel."""
    names = ", ".join(settings)
    values = ", ".join(f":{name}" for name in settings)
    with shelf.engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO channels (workspace_id, channel_id, {names})"
                f" VALUES (:w, 'C1', {values})"
            ),
            {"w": shelf.workspace_id, **settings},
        )


# --- accepting -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="the same delivery"),
        pytest.param({"delivery_id": "Ev9"}, id="the same message in another event"),
        pytest.param({"delivery_id": None}, id="without the name of a delivery"),
        pytest.param({"key": "T1:C1:9.9"}, id="a delivery that says something else"),
    ],
)
def test_an_event_is_kept_once(shelf: Shelf, again: dict[str, Any]) -> None:
    """By what it is delivered as, and by the message it is about."""
    keep(shelf, arrival(shelf))
    assert accept(shelf.engine, arrival(shelf, **again)) is None
    assert open_events(shelf.engine, shelf.workspace_id) == 1


def test_an_event_that_has_ended_is_not_kept_again(shelf: Shelf) -> None:
    """Slack may deliver it hours later."""
    (event_id,) = keep(shelf, arrival(shelf))
    end(shelf, event_id)
    assert accept(shelf.engine, arrival(shelf, delivery_id="Ev9")) is None


@pytest.mark.parametrize(
    ("settings", "thread_ts", "kept"),
    [
        pytest.param({}, None, False, id="in a channel"),
        pytest.param({}, "0.9", False, id="in another thread"),
        pytest.param({}, "1.1", True, id="in its thread"),
        pytest.param({"mode": "all"}, None, True, id="where it answers all"),
        pytest.param({"mode": "all"}, "0.9", False, id="in a thread of others"),
        pytest.param({"mode": "off"}, "1.1", False, id="where it is off"),
        pytest.param({"follow_ups": False}, "1.1", False, id="without follow-ups"),
    ],
)
def test_what_is_not_said_to_the_bot_is_kept_where_it_takes_part(
    shelf: Shelf, settings: dict[str, Any], thread_ts: str | None, kept: bool
) -> None:
    """Nothing else that people say to each other is kept, not even for a moment."""
    keep(shelf, arrival(shelf))
    if settings:
        channel(shelf, **settings)
    aside = arrival(shelf, "2.2", thread_ts=thread_ts, addressed=False)
    assert (accept(shelf.engine, aside) is not None) is kept


def test_a_thread_that_was_left_is_taken_up_by_a_mention(shelf: Shelf) -> None:
    """Until then nothing of it is kept."""
    keep(shelf, arrival(shelf))
    first = claimed(shelf)
    assert first.conversation_id is not None
    with shelf.engine.begin() as connection:
        leave_conversation(connection, first.conversation_id)
    aside = arrival(shelf, "2.2", thread_ts="1.1", addressed=False)
    assert accept(shelf.engine, aside) is None
    keep(shelf, arrival(shelf, "3.3", thread_ts="1.1"), aside)


def test_who_spoke_to_the_bot_in_a_conversation_is_known(shelf: Shelf) -> None:
    """Words that only followed do not count."""
    keep(
        shelf,
        arrival(shelf),
        arrival(shelf, "2.2", thread_ts="1.1", user_id="U2", detail={"unaddressed": True}),
    )
    conversation = claimed(shelf).conversation_id
    assert conversation is not None
    assert has_addressed(shelf.engine, conversation, "U1")
    assert not has_addressed(shelf.engine, conversation, "U2")


def test_a_command_has_no_conversation(shelf: Shelf) -> None:
    """Commands wait for nothing but a worker."""
    keep(
        shelf,
        arrival(shelf, "cite-1", conversation=None, delivery_id=None),
        arrival(shelf, "cite-2", conversation=None, delivery_id=None),
    )
    assert {claimed(shelf).conversation_id, claimed(shelf).conversation_id} == {None}


@pytest.mark.parametrize("kind", ["edit", "deletion"])
def test_a_change_is_kept_where_the_message_was_a_question(shelf: Shelf, kind: str) -> None:
    """It is asked as the question was: who asked and where is not for the change to say."""
    assert accept(shelf.engine, change(shelf, kind, "5.5")) is None
    keep(shelf, arrival(shelf, user_id="U7", detail={"private": True, "problem": "no day"}))
    keep(shelf, replace(change(shelf, kind, "5.5"), user_id="U9"))
    assert accept(shelf.engine, change(shelf, kind, "5.5")) is None
    end(shelf, claimed(shelf).id)
    event = claimed(shelf)
    assert (event.kind, event.user_id, event.detail) == (kind, "U7", {"private": True})
    with shelf.engine.begin() as connection:
        asked = question_of(connection, shelf.workspace_id, "T1:C1:1.1")
    assert asked is not None
    assert asked.text == "asked at 1.1"


# --- working -------------------------------------------------------------------------------


def test_a_conversation_is_handled_in_the_order_of_its_messages(shelf: Shelf) -> None:
    """By Slack's timestamps, however they came; other conversations do not wait."""
    late, early, other = keep(
        shelf,
        arrival(shelf, "3.3", thread_ts="1.1"),
        arrival(shelf, "2.2", thread_ts="1.1"),
        arrival(shelf, "4.4"),
    )
    assert [claimed(shelf).id, claimed(shelf).id] == [early, other]
    assert claim(shelf) is None
    end(shelf, early)
    assert claimed(shelf).id == late


def test_an_event_is_worked_on_by_one_process_until_its_lease_ends(shelf: Shelf) -> None:
    """Who holds on to it keeps it; who was too slow learns so at the end."""
    (event_id,) = keep(shelf, arrival(shelf))
    assert claimed(shelf, "p1").attempts == 1
    later(shelf, LEASE - 1)
    extend_events(shelf.engine, "p2", [event_id], LEASE)  # not theirs
    extend_events(shelf.engine, "p1", [event_id], LEASE)
    later(shelf, LEASE - 1)
    assert claim(shelf, "p2") is None
    later(shelf, 2)
    assert claimed(shelf, "p2").attempts == 2
    assert not end(shelf, event_id, "p1")
    assert end(shelf, event_id, "p2")
    assert not end(shelf, event_id)


def test_an_apology_and_an_answer_are_one_of_the_two(shelf: Shelf) -> None:
    """Whoever ends the event first replies."""
    (event_id,) = keep(shelf, arrival(shelf))
    claimed(shelf, "p1")
    assert end(shelf, event_id)
    assert not end(shelf, event_id, "p1")
    assert open_events(shelf.engine, shelf.workspace_id) == 0


def test_what_waits_too_long_is_overdue_whoever_works_on_it(shelf: Shelf) -> None:
    """Oldest first, and not what has ended."""
    first, second, third = keep(shelf, *(arrival(shelf, f"{n}.1") for n in (1, 2, 3)))
    claimed(shelf)
    end(shelf, second)
    assert overdue_events(shelf.engine, 45.0, shelf.workspace_id) == []
    later(shelf, 46.0)
    late = overdue_events(shelf.engine, 45.0, shelf.workspace_id)
    assert [event.id for event in late] == [first, third]


def test_a_question_knows_that_it_was_changed_before_its_turn(shelf: Shelf) -> None:
    """What waits behind it counts instead; a later question of the same message does not."""
    keep(shelf, arrival(shelf), arrival(shelf, "2.2"))
    keep(shelf, change(shelf, "edit", "5.5"))
    chosen = arrival(shelf, "6.6", message_key="T1:C1:2.2", conversation="slack:T1:C1:2.2")
    keep(shelf, chosen)
    assert [claimed(shelf).changed, claimed(shelf).changed] == [True, False]


def test_another_workspace_s_events_are_not_taken(shelf: Shelf) -> None:
    """A process that serves one workspace leaves the others alone."""
    keep(shelf, arrival(shelf))
    assert claim_event(shelf.engine, "p1", LEASE, shelf.workspace_id + 100_000) is None


def test_the_next_event_is_found_quickly_among_many(engine: Engine, workspace_id: int) -> None:
    """What has ended is not looked through."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO conversations (workspace_id, key)"
                " SELECT :w, 'c' || n FROM generate_series(1, 100) n"
            ),
            {"w": workspace_id},
        )
        for state, count in (("ended", 50_000), ("accepted", 1_000)):
            connection.execute(
                text(
                    "INSERT INTO events (workspace_id, conversation_id, kind, key, message_key,"
                    " team, channel, ts, user_id, text, state) SELECT :w, c.id, 'question',"
                    " :state || n, :state || n, 'T1', 'C1', n, 'U1', '', :state"
                    " FROM generate_series(1, :count) n"
                    " JOIN conversations c ON c.workspace_id = :w AND c.key = 'c' || (1 + n % 100)"
                ),
                {"w": workspace_id, "state": state, "count": count},
            )
    claims = [claim_event(engine, "p1", LEASE, workspace_id) for _ in range(101)]
    assert len({event.conversation_id for event in claims if event is not None}) == 100
    assert claims[-1] is None
    with engine.begin() as connection:
        connection.execute(text("ANALYZE events"))
        plan = "\n".join(
            connection.execute(
                text(f"EXPLAIN {CLAIM}"),
                {"owner": "p1", "lease": LEASE, "workspace_id": workspace_id},
            ).scalars()
        )
    assert "ix_events_open" in plan
    assert "Seq Scan" not in plan
