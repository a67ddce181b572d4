"""The memory of the recent past."""

from concurrent.futures import ThreadPoolExecutor

from bot.recent import Recent


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_value_is_kept_for_its_lifetime() -> None:
    """What was learnt counts until its time is over, and from anew when learnt again."""
    clock = Clock()
    recent: Recent[str, int] = Recent(10.0, 5, clock)
    recent.put("a", 1)
    clock.now = 9.9
    recent.put("b", 2)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, 2, None)

    clock.now = 10.0
    assert (recent.get("a"), recent.get("b")) == (None, 2)


def test_the_oldest_value_makes_room() -> None:
    """No more values than its capacity are kept."""
    recent: Recent[int, int] = Recent(10.0, 3, Clock())
    for n in range(5):
        recent.put(n, n)

    assert [recent.get(n) for n in range(5)] == [None, None, 2, 3, 4]


def test_a_claim_fails_while_any_of_its_keys_is_kept() -> None:
    """One event can be known by several names; any of them shows a duplicate."""
    clock = Clock()
    recent: Recent[str, bool] = Recent(10.0, 10, clock)

    assert recent.claim(("event 1", "message 1"), value=True)
    assert not recent.claim(("event 2", "message 1"), value=True)
    assert recent.claim(("event 2", "message 2"), value=True)
    clock.now = 10.0
    assert recent.claim(("message 1",), value=True)


def test_of_many_claims_at_once_one_succeeds() -> None:
    """Threads that bring the same event get one yes between them."""
    recent: Recent[str, bool] = Recent(10.0, 10)
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda _: recent.claim(("event",), value=True), range(200)))

    assert claims.count(True) == 1
