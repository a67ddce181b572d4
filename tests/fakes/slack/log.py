"""The messages of one place, and a running count of what the app finished there."""

import time
from collections import Counter, defaultdict
from dataclasses import replace

from .records import Message


class Log:
    """The messages of a place by ts; a place shared by workspaces has one for them all.

    It counts as it goes, so that waiting for the thousandth answer costs no more than for the
    first. The caller holds the lock.
    """

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self._threads: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._running: dict[str, float] = {}  # the streams that run, and when each must end
        self._tally: Counter[tuple[str | None, str | None]] = Counter()

    def put(self, message: Message, stream_lifetime: float) -> None:
        """Keep a message, in place of an earlier state of it."""
        before = self.messages.get(message.ts)
        self.messages[message.ts] = message
        self._threads[message.root_ts][message.ts] = None
        self._running.pop(message.ts, None)
        if message.stream is not None:
            self._running[message.ts] = message.stream_started + stream_lifetime
        self._count(before, -1)
        self._count(message, 1)

    def _count(self, message: Message | None, by: int) -> None:
        if message and message.by_app and message.finished and not message.deleted:
            self._tally[None, message.visible_to] += by
            self._tally[message.root_ts, message.visible_to] += by

    def finished(self, thread_ts: str | None = None, visible_to: str | None = None) -> int:
        """Return how many finished messages of the app stand here, or in one thread.

        Those for all, or those that only one person sees.
        """
        self.age()
        return self._tally[thread_ts, visible_to]

    def standing(self, thread_ts: str | None = None) -> list[Message]:
        """Return the messages that stand here, or in one thread, oldest first."""
        self.age()
        chosen = self.messages if thread_ts is None else self._threads.get(thread_ts, {})
        found = (self.messages[ts] for ts in chosen)
        return sorted((m for m in found if not m.deleted), key=lambda m: m.ts)

    def first(self, thread_ts: str) -> Message | None:
        """Return the message that opened a thread, None where it is gone."""
        root = self.messages.get(thread_ts)
        return None if root is None or root.deleted else root

    def age(self) -> None:
        """End the streams that outlived their time, as Slack does some 300 s after their start."""
        now = time.monotonic()
        for ts in [ts for ts, end in self._running.items() if end < now]:
            self.end(ts)

    def running(self) -> list[str]:
        """Return the ts of the streams that run."""
        self.age()
        return [*self._running]

    def end(self, ts: str) -> None:
        """End a stream where it is."""
        self.put(replace(self.messages[ts], stream=None), 0.0)
