"""How long the bot itself takes for a message: what Slack and the agent take is left out."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from slack_sdk import WebClient
from slack_sdk.web import SlackResponse

KEPT = 10_000  # times that are remembered
OPEN = 10_000  # events whose reply is still to be sent

_thread = threading.local()


@contextmanager
def elsewhere() -> Iterator[None]:
    """Count the time of this block as not the bot's own."""
    began = time.perf_counter()
    try:
        yield
    finally:
        _thread.away = getattr(_thread, "away", 0.0) + time.perf_counter() - began


class TimedClient(WebClient):
    """A client whose calls count as time that Slack takes."""

    def api_call(self, *args: Any, **kwargs: Any) -> SlackResponse:
        """Call Slack, and count that as not the bot's own."""
        with elsewhere():
            return super().api_call(*args, **kwargs)


class OwnTimes:
    """The bot's own seconds for each message: handling its event, then sending its reply."""

    def __init__(self) -> None:
        self._handled: OrderedDict[int, float] = OrderedDict()
        self._lock = threading.Lock()
        self.seconds: deque[float] = deque(maxlen=KEPT)

    @contextmanager
    def handling(self, event_id: int) -> Iterator[None]:
        """Measure how an event is handled."""
        spent = _Own()
        yield
        with self._lock:
            self._handled[event_id] = spent.seconds
            while len(self._handled) > OPEN:
                self._handled.popitem(last=False)

    @contextmanager
    def sending(self, event_id: int | None) -> Iterator[None]:
        """Measure how a post is sent; the first of an event completes its message."""
        spent = _Own()
        yield
        with self._lock:
            handled = self._handled.pop(event_id, None) if event_id is not None else None
            if handled is not None:
                self.seconds.append(handled + spent.seconds)


class _Own:
    """The time of this thread from now on, without what was spent elsewhere."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._away = getattr(_thread, "away", 0.0)

    @property
    def seconds(self) -> float:
        away = getattr(_thread, "away", 0.0) - self._away
        return time.perf_counter() - self._began - float(away)


def percentiles(seconds: deque[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the most, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    last = len(ordered) - 1
    found = {"p50": ordered[last // 2], "p99": ordered[round(last * 0.99)], "max": ordered[-1]}
    return {name: round(value * 1000, 2) for name, value in found.items()}
