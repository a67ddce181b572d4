"""Waking threads that wait for work: rung when there is some, looked for now and then anyway."""

import threading
from dataclasses import dataclass, field


class Bell:
    """Threads wait for it to ring; each ring wakes one of them.

    Whoever was busy hears what rang meanwhile before it waits again.
    """

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        """Wake one who waits: there is something to do."""
        with self._rung:
            self._count += 1
            self._rung.notify()

    def ring_all(self) -> None:
        """Wake everybody who waits."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    @property
    def count(self) -> int:
        """How often it rang: to be taken before looking for work, and given to `wait`."""
        return self._count

    def wait(self, heard: int, seconds: float) -> None:
        """Return when it rang since `heard`, or after so many seconds."""
        with self._rung:
            if self._count == heard:
                self._rung.wait(seconds)


@dataclass(frozen=True)
class Bells:
    """What wakes those who work on events, and those who send posts."""

    events: Bell = field(default_factory=Bell)
    posts: Bell = field(default_factory=Bell)

    def ring(self) -> None:
        """Wake one of each: something was written."""
        self.events.ring()
        self.posts.ring()
