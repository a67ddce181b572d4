"""Waking threads that wait for work: rung when there is some, looked at now and then anyway."""

import threading


class Bell:
    """Threads wait for it to ring; a ring while nobody waits is heard by the next who does."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    @property
    def count(self) -> int:
        """How often it rang: to be taken before looking for work, and given to `wait`."""
        return self._count

    def wait(self, heard: int, seconds: float) -> None:
        """Return once it rang more than `heard` times, or after so many seconds."""
        with self._rung:
            self._rung.wait_for(lambda: self._count > heard, seconds)
