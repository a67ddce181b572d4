"""Faults that a test orders ahead of time: the next N calls of a method go wrong."""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One call gone wrong.

    `kind` is a word of the server that uses it; `seconds` is how long "hang" takes, or the
    `Retry-After` of a refusal for its rate.
    """

    kind: str
    seconds: float = 0.0


class FaultPlan:
    """Orders per method, taken first in, first out, each by exactly one call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def add(self, method: str, fault: Fault, times: int) -> None:
        """Let the next `times` calls of `method` meet `fault`."""
        with self._lock:
            self._orders[method].extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        """Return the fault that this call of `method` must meet, if one is ordered."""
        with self._lock:
            orders = self._orders[method]
            return orders.popleft() if orders else None

    def clear(self) -> None:
        """Forget every order."""
        with self._lock:
            self._orders.clear()
