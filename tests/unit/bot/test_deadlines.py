"""Questions that are not answered in time."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.deadlines import Deadlines

SOON = 0.2  # seconds


class Late:
    """Keeps what was reported late, and when."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.times: list[float] = []
        self.happened = threading.Condition()

    def __call__(self, subject: str) -> None:
        """Keep the subject."""
        with self.happened:
            self.seen.append(subject)
            self.times.append(time.monotonic())
            self.happened.notify_all()

    def wait(self, count: int) -> None:
        """Wait until so many were late."""
        with self.happened:
            assert self.happened.wait_for(lambda: len(self.seen) >= count, 5)


@contextmanager
def watched(seconds: float) -> Iterator[tuple[Deadlines[str], Late]]:
    """Deadlines that are watched until the block ends."""
    late = Late()
    deadlines = Deadlines(seconds, late)
    try:
        yield deadlines, late
    finally:
        deadlines.close(grace=0.0)


def test_what_is_not_settled_in_time_is_late_once() -> None:
    """Only open tickets are reported, each once and not before its time."""
    with watched(SOON) as (deadlines, late):
        begun = time.monotonic()
        first, second = deadlines.open("first"), deadlines.open("second")
        assert second.settle()
        deadlines.open("third")
        late.wait(2)

        assert late.seen == ["first", "third"]
        assert late.times[0] - begun >= SOON
        assert first.late
        assert not second.late
        assert not first.settle()


def test_only_the_first_to_settle_may_reply() -> None:
    """Whoever comes second, worker or watch, keeps silent."""
    with watched(60.0) as (deadlines, late):
        ticket = deadlines.open("question")

        assert ticket.settle()
        assert not ticket.settle()
    assert late.seen == []


def test_closing_waits_for_answers_and_then_reports_the_rest() -> None:
    """What settles within the grace is not late; what does not is, long before its deadline."""
    late = Late()
    deadlines = Deadlines(60.0, late)
    answered, stuck = deadlines.open("answered"), deadlines.open("stuck")
    threading.Timer(0.1, answered.settle).start()
    deadlines.close(grace=SOON)

    assert late.seen == ["stuck"]
    assert stuck.late


def test_closing_waits_for_the_reply_under_way() -> None:
    """A reply that has begun is not cut off, and only the first to reply is told to."""
    deadlines = Deadlines(60.0, Late())
    ticket = deadlines.open("question")
    begun, posted = threading.Event(), threading.Event()

    def reply() -> None:
        with deadlines.replying(ticket) as first:
            begun.set()
            if first:
                threading.Event().wait(SOON)
                posted.set()

    worker = threading.Thread(target=reply)
    worker.start()
    begun.wait()
    deadlines.close(grace=0.0)

    assert posted.is_set()
    worker.join()
    with deadlines.replying(ticket) as again:
        assert not again
