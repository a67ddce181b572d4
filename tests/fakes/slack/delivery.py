"""A payload's way to the app, whatever carries it: attempts, acknowledgement, retries.

Slack gives an app three seconds to acknowledge. An event that is not acknowledged is sent again
at once, after one minute and after five; commands and interactions are sent once.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .records import Json, NotSeenError

ACK_DEADLINE = 3.0  # seconds
RETRY_DELAYS = (0.0, 60.0, 300.0)  # seconds after the failure of the attempt before

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass
class Attempt:
    """One sending of a payload; times are `time.monotonic()`, None where it did not happen."""

    number: int  # 0 is the first, as in retry_attempt
    reason: str
    sent_at: float | None = None
    acked_at: float | None = None
    status: int | None = None  # of the answer, over HTTP

    @property
    def ack_ms(self) -> float | None:
        """Milliseconds from sending to acknowledgement."""
        if self.sent_at is None or self.acked_at is None:
            return None
        return (self.acked_at - self.sent_at) * 1000


@dataclass
class Delivery:
    """A payload and everything that happened to it on its way."""

    kind: Kind
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)
    response: Json | None = None  # what the app sent along with its acknowledgement
    gave_up: bool = False
    carry_out: "CarryOut | None" = None  # does what the response asks for
    problems: list[str] = field(default_factory=list)  # what is wrong with the response
    acknowledged: threading.Event = field(default_factory=threading.Event)

    @property
    def ack_ms(self) -> float | None:
        """Milliseconds to the first acknowledgement, counted from the sending it answers."""
        times = [a.ack_ms for a in self.attempts if a.ack_ms is not None]
        return times[0] if times else None

    @property
    def event(self) -> Json:
        """The inner event of an Events API payload, {} for the rest."""
        event: Json = self.payload.get("event", {})
        return event

    def wait_for_ack(self, timeout: float = 5.0) -> float:
        """Wait for the acknowledgement and return its milliseconds; raises `NotSeenError`."""
        if not self.acknowledged.wait(timeout) or self.ack_ms is None:
            raise NotSeenError(f"no acknowledgement in {timeout} s of {self.payload}")
        return self.ack_ms

    def acknowledge(self, attempt: Attempt, response: Json | None) -> None:
        """Note that the app has it."""
        attempt.acked_at = time.monotonic()
        if response and not self.response:
            self.response = response
            self.problems += self.carry_out(response) if self.carry_out else []
        self.acknowledged.set()


CarryOut = Callable[[Json], list[str]]
Failed = Callable[[str, bool], None]  # the reason, and whether to try no more


class Transport(Protocol):
    """Carries one attempt to the app: Socket Mode, or signed HTTP requests."""

    def send(self, delivery: Delivery, attempt: Attempt, failed: Failed) -> None:
        """Send it; acknowledge it when the app does, and call `failed` when it does not."""
        ...  # pragma: no cover


class Courier:
    """Sends payloads through a transport until they are acknowledged or given up."""

    def __init__(
        self, transport: Transport, alarms: "Alarms", retry_delays: Sequence[float]
    ) -> None:
        self.transport = transport
        self._retry_delays = retry_delays
        self._alarms = alarms
        self.deliveries: list[Delivery] = []

    def deliver(
        self, kind: Kind, payload: Json, repeats: int = 0, carry_out: CarryOut | None = None
    ) -> Delivery:
        """Send a payload; `repeats` times more, as Slack does when an acknowledgement is lost.

        `carry_out` is given the response that comes along with the acknowledgement.
        """
        delivery = Delivery(kind, payload, carry_out=carry_out)
        self.deliveries.append(delivery)
        self._attempt(delivery, 0, "")
        for number in range(1, repeats + 1):
            self._send(delivery, Attempt(number, "timeout"), _unwatched)
        return delivery

    def _send(self, delivery: Delivery, attempt: Attempt, failed: Failed) -> None:
        delivery.attempts.append(attempt)
        self.transport.send(delivery, attempt, failed)

    def _attempt(self, delivery: Delivery, number: int, reason: str) -> None:
        if delivery.acknowledged.is_set():
            return

        def failed(why: str, final: bool) -> None:
            self._failed(delivery, number, why, final)

        self._send(delivery, Attempt(number, reason), failed)

    def _failed(self, delivery: Delivery, number: int, reason: str, final: bool) -> None:
        if delivery.acknowledged.is_set():
            return
        once = delivery.kind != "events_api"
        if once or final or number >= len(self._retry_delays):
            delivery.gave_up = True
            return
        delay = self._retry_delays[number]
        self._alarms.after(delay, lambda: self._attempt(delivery, number + 1, reason))


def _unwatched(_reason: str, _final: bool) -> None:
    """What becomes of a mere repetition matters to nobody."""


class Alarms:
    """Calls functions later, all on one thread."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stirred = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and forget what was still to come."""
        with self._stirred:
            self._stopped = True
            self._stirred.notify()
        self._thread.join()

    def after(self, delay: float, function: Callable[[], None]) -> None:
        """Call `function` in `delay` seconds."""
        with self._stirred:
            due = time.monotonic() + delay
            heapq.heappush(self._due, (due, next(self._order), function))
            self._stirred.notify()

    def _run(self) -> None:
        while (function := self._next()) is not None:
            function()

    def _next(self) -> Callable[[], None] | None:
        with self._stirred:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._stirred.wait(wait)
        return None
