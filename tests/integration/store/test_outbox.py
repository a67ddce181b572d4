"""The outbox: a message for each commit, none for a rollback, none lost when sending fails."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from store.engine import connect
from store.outbox import BATCH, enqueue, relay, wait_for_messages


class Broker:
    """Keeps what it is sent, and refuses when told to."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.refuses = False

    def send(self, task: str, arguments: dict[str, Any], queue: str) -> None:
        """Keep a message's number, or raise ConnectionError."""
        if self.refuses and len(self.sent) % 10 == 9:
            raise ConnectionError("the broker is away")
        self.sent.append(arguments["number"])


@pytest.fixture
def broker() -> Broker:
    return Broker()


def _fill(engine: Engine, count: int) -> None:
    with engine.begin() as connection:
        for number in range(count):
            enqueue(connection, "tidy", {"number": number})


def test_a_message_is_sent_as_it_was_written(idle_engine: Engine) -> None:
    """Task, arguments and queue arrive; a task without a queue of its own goes to `default`."""
    sent: list[tuple[str, dict[str, Any], str]] = []
    with idle_engine.begin() as connection:
        enqueue(connection, "ingest_file", {"job_id": 1, "name": "Fünf — “Tage”"})
        enqueue(connection, "tidy", {})
    assert relay(idle_engine, lambda *message: sent.append(message)) == 2
    assert sent == [
        ("ingest_file", {"job_id": 1, "name": "Fünf — “Tage”"}, "ingest"),
        ("tidy", {}, "default"),
    ]
    assert relay(idle_engine, lambda *message: sent.append(message)) == 0
    assert len(sent) == 2


def test_a_rolled_back_message_is_never_sent(idle_engine: Engine, broker: Broker) -> None:
    """What was not committed is not announced."""
    with idle_engine.connect() as connection:
        enqueue(connection, "tidy", {"number": 1})
        connection.rollback()
    assert relay(idle_engine, broker.send) == 0


def test_messages_leave_in_order_and_in_batches(idle_engine: Engine, broker: Broker) -> None:
    """The oldest leave first, at most a batch at a time."""
    _fill(idle_engine, BATCH + 5)
    assert relay(idle_engine, broker.send) == BATCH
    assert relay(idle_engine, broker.send) == 5
    assert broker.sent == list(range(BATCH + 5))


def test_no_message_is_lost_when_sending_fails(idle_engine: Engine, broker: Broker) -> None:
    """A batch that broke off is sent again: some twice, all at least once."""
    _fill(idle_engine, 25)
    broker.refuses = True
    with pytest.raises(ConnectionError, match="the broker is away"):
        relay(idle_engine, broker.send)
    broker.refuses = False
    assert relay(idle_engine, broker.send) == 25
    assert set(broker.sent) == set(range(25))
    assert max(Counter(broker.sent).values()) == 2


def test_two_relays_send_each_message_once(idle_engine: Engine, broker: Broker) -> None:
    """While messages are written, relays side by side share them without a gap or a double."""
    count = 150
    done = threading.Event()

    def relay_on() -> None:
        while not done.is_set() or relay(idle_engine, broker.send):
            relay(idle_engine, broker.send)

    with ThreadPoolExecutor(3) as pool:
        relays = [pool.submit(relay_on) for _ in range(2)]
        for number in range(count):
            with idle_engine.begin() as connection:
                enqueue(connection, "tidy", {"number": number})
        done.set()
    for each in relays:
        each.result()
    assert Counter(broker.sent) == Counter(range(count))


def test_a_relay_passes_over_what_another_holds(idle_engine: Engine, broker: Broker) -> None:
    """Messages in another relay's hands are neither waited for nor sent a second time."""
    _fill(idle_engine, 1)
    with idle_engine.begin() as connection:
        connection.execute(text("SELECT id FROM outbox FOR UPDATE")).all()
        started = time.monotonic()
        assert relay(idle_engine, broker.send) == 0
        assert time.monotonic() - started < 5
    assert relay(idle_engine, broker.send) == 1


def test_waiting_ends_when_a_message_is_committed(idle_engine: Engine) -> None:
    """A commit wakes the relay long before its time is over; a rollback does not."""
    with ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        waiting = pool.submit(wait_for_messages, idle_engine, 20.0)
        time.sleep(0.3)
        with idle_engine.connect() as connection:
            enqueue(connection, "tidy", {"number": 1})
            connection.rollback()
        time.sleep(0.2)
        assert not waiting.done()
        _fill(idle_engine, 1)
        waiting.result(timeout=10)
    assert 0.4 < time.monotonic() - started < 15


def test_a_message_from_before_is_not_waited_for(idle_engine: Engine) -> None:
    """What was written before the relay listened is found at once."""
    _fill(idle_engine, 1)
    started = time.monotonic()
    wait_for_messages(idle_engine, 20.0)
    assert time.monotonic() - started < 10


def test_waiting_has_an_end(idle_engine: Engine) -> None:
    """Without messages, or with none that is free, it lasts as long as was said."""
    started = time.monotonic()
    wait_for_messages(idle_engine, 0.2)
    assert time.monotonic() - started >= 0.2
    _fill(idle_engine, 1)
    with idle_engine.begin() as connection:
        connection.execute(text("SELECT id FROM outbox FOR UPDATE")).all()
        started = time.monotonic()
        wait_for_messages(idle_engine, 0.3)
        assert time.monotonic() - started >= 0.3


def test_a_server_that_goes_away_is_a_connection_error(idle_engine: Engine) -> None:
    """A relay survives the database's restart: it learns of it as of a lost connection."""
    nowhere = connect(idle_engine.url.set(port=1).render_as_string(hide_password=False))
    with pytest.raises(ConnectionError, match="database"):
        wait_for_messages(nowhere, 1.0)
    nowhere.dispose()
    url = idle_engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(url, autocommit=True) as connection:
        waiting = pool.submit(wait_for_messages, idle_engine, 20.0)
        for _ in range(100):
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%SKIP LOCKED'"
                " AND state = 'idle' AND application_name = ''"
            ).fetchall()
            if ended:
                break
            time.sleep(0.05)
        with pytest.raises(ConnectionError, match="database"):
            waiting.result(timeout=10)
