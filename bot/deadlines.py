"""No question waits for ever: what is not settled in time is settled with an apology."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

REPLY_GRACE = 10.0  # seconds; what one call of Slack may take

Subject = TypeVar("Subject")


@dataclass
class Ticket(Generic[Subject]):
    """One accepted question. Whoever settles it first may reply to it; nobody else does."""

    subject: Subject
    due: float  # time.monotonic()
    late: bool = False  # whether it was settled because its time was over
    _settled: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def settled(self) -> bool:
        """Whether somebody replies, or replied, already."""
        return self._settled.is_set()

    def settle(self) -> bool:
        """Return True to the first caller, False to all others."""
        with self._lock:
            first = not self._settled.is_set()
            self._settled.set()
            return first

    def wait(self, seconds: float) -> bool:
        """Wait until the ticket is settled, at most so long; return whether it is."""
        return self._settled.wait(max(seconds, 0.0))


class Deadlines(Generic[Subject]):
    """Watches tickets in a thread of its own and calls `late` for each that was not settled.

    All tickets get the same time, so they fall due in the order in which they were opened and
    one thread can wait for them one after the other.
    """

    def __init__(self, seconds: float, late: Callable[[Subject], None]) -> None:
        self._seconds = seconds
        self._late = late
        self._opened: queue.SimpleQueue[Ticket[Subject] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._grace_ends = float("inf")
        self._replies = threading.Condition()
        self._replying = 0
        self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
        self._thread.start()

    def open(self, subject: Subject) -> Ticket[Subject]:
        """Return a ticket whose time runs from now."""
        ticket = Ticket(subject, time.monotonic() + self._seconds)
        self._opened.put(ticket)
        return ticket

    @contextmanager
    def replying(self, ticket: Ticket[Subject]) -> Iterator[bool]:
        """Settle a ticket and tell whether it was the first to; closing waits for the block."""
        with self._replies:
            self._replying += 1
        try:
            yield ticket.settle()
        finally:
            with self._replies:
                self._replying -= 1
                self._replies.notify_all()

    def close(self, grace: float) -> None:
        """Give what is still open `grace` seconds more, settle the rest, and stop watching.

        Replies that are under way then get `REPLY_GRACE` to end.
        """
        self._grace_ends = time.monotonic() + grace
        self._closing.set()
        self._opened.put(None)
        self._thread.join()
        with self._replies:
            self._replies.wait_for(lambda: self._replying == 0, REPLY_GRACE)

    def _watch(self) -> None:
        while (ticket := self._opened.get()) is not None:
            if not self._settled_in_time(ticket) and ticket.settle():
                ticket.late = True
                self._late(ticket.subject)

    def _settled_in_time(self, ticket: Ticket[Subject]) -> bool:
        """Wait for the ticket in short steps, so that closing is noticed soon."""
        while not ticket.settled:
            left = min(ticket.due, self._grace_ends) - time.monotonic()
            if left <= 0:
                return False
            ticket.wait(left if self._closing.is_set() else min(left, 0.5))
        return True
