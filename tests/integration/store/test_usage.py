"""Limits: who may ask how much, counted in one place for every process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from store.engine import connect
from store.usage import WORKSPACE, Excess, Limits, Usage, add_tokens, count_message
from store.workspaces import ensure_workspace

NO_LIMITS = Limits()


@pytest.fixture
def team(shared_engine: Engine, request: pytest.FixtureRequest) -> int:
    """A workspace of this test's own."""
    return ensure_workspace(shared_engine, f"usage-{request.node.name}")


def used(engine: Engine, team: int, user_id: str) -> tuple[int, int]:
    """Messages and tokens in all rows of a person, or of the workspace."""
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT coalesce(sum(messages), 0), coalesce(sum(tokens), 0) FROM usage"
                " WHERE workspace_id = :team AND user_id = :user_id"
            ),
            {"team": team, "user_id": user_id},
        ).one()
    return int(row[0]), int(row[1])


def earlier(engine: Engine, team: int, by: timedelta) -> None:
    """Move what was counted back in time."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE usage SET minute = minute - :by WHERE workspace_id = :team"),
            {"team": team, "by": by},
        )


def not_at_a_minute_s_end(engine: Engine) -> None:
    """Wait until the database's minute has some seconds left."""
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_sleep(CASE WHEN extract(second FROM now()) > 55"
                " THEN 60.1 - extract(second FROM now()) ELSE 0 END)"
            )
        )


def test_the_message_after_the_last_one_must_wait(shared_engine: Engine, team: int) -> None:
    """Twenty get through, the next does not and is told how long; another person's does."""
    not_at_a_minute_s_end(shared_engine)
    limits = Limits(person_minute=20)
    through = [count_message(shared_engine, team, "U1", limits) for _ in range(20)]
    held = count_message(shared_engine, team, "U1", limits)

    assert through == [None] * 20
    assert held is not None
    assert (held.whose, held.what, held.span, held.limit) == ("person", "messages", "minute", 20)
    assert 0 < held.seconds <= 63
    assert count_message(shared_engine, team, "U2", limits) is None
    assert used(shared_engine, team, "U1") == (20, 0)  # what was held back is not counted
    assert used(shared_engine, team, WORKSPACE) == (21, 0)


def test_two_processes_let_no_more_through_together(
    database_url: str, engine: Engine, workspace_id: int
) -> None:
    """Of 80 at once over two engines as many get through as may, of each person and of all."""
    not_at_a_minute_s_end(engine)
    other = connect(database_url)
    limits = Limits(person_minute=20, workspace_minute=35)
    try:
        with ThreadPoolExecutor(12) as pool:
            ends = list(
                pool.map(
                    lambda n: count_message(
                        (engine, other)[n % 2], workspace_id, f"U{n % 2}", limits
                    ),
                    range(80),
                )
            )
    finally:
        other.dispose()

    assert ends.count(None) == 35
    assert max(used(engine, workspace_id, user)[0] for user in ("U0", "U1")) <= 20


@pytest.mark.parametrize(
    ("limits", "whose", "span"),
    [
        pytest.param(Limits(person_day=3), "person", "day", id="a person's day"),
        pytest.param(Limits(workspace_minute=3), "workspace", "minute", id="all in a minute"),
        pytest.param(Limits(workspace_day=3), "workspace", "day", id="all in a day"),
    ],
)
def test_each_limit_holds(
    limits: Limits, whose: str, span: str, engine: Engine, workspace_id: int
) -> None:
    """Three get through and the fourth does not."""
    not_at_a_minute_s_end(engine)
    ends = [count_message(engine, workspace_id, "U1", limits) for _ in range(4)]
    assert ends[:3] == [None] * 3
    assert ends[3] is not None
    assert (ends[3].whose, ends[3].span, ends[3].limit) == (whose, span, 3)


def test_a_limit_of_nothing_is_none(shared_engine: Engine, team: int) -> None:
    """With every limit switched off all get through, and are counted all the same."""
    assert [count_message(shared_engine, team, "U1", NO_LIMITS) for _ in range(30)] == [None] * 30
    assert used(shared_engine, team, "U1") == (30, 0)


def test_a_day_slides(shared_engine: Engine, team: int) -> None:
    """The wait ends when the oldest of the last three is a day old, and then one more is taken."""
    limits = Limits(person_day=3)
    for hours in (5, 6, 7):
        assert count_message(shared_engine, team, "U1", limits) is None
        earlier(shared_engine, team, timedelta(hours=hours))
    held = count_message(shared_engine, team, "U1", limits)
    assert held is not None
    assert 5.9 < held.seconds / 3600 <= 6

    earlier(shared_engine, team, timedelta(hours=6, minutes=5))
    assert count_message(shared_engine, team, "U1", limits) is None


def test_tokens_count_once_they_are_used(shared_engine: Engine, team: int) -> None:
    """Below the limit a message gets through; at it, none does until a day has passed."""
    limits = Limits(person_tokens=1_000, workspace_tokens=5_000)
    add_tokens(shared_engine, team, "U1", 999)
    assert count_message(shared_engine, team, "U1", limits) is None
    add_tokens(shared_engine, team, "U1", 2)
    held = count_message(shared_engine, team, "U1", limits)
    assert held is not None
    assert (held.whose, held.what, held.limit) == ("person", "tokens", 1_000)
    assert 23.9 < held.seconds / 3600 <= 24
    assert count_message(shared_engine, team, "U2", limits) is None

    add_tokens(shared_engine, team, "U3", 4_000)
    held = count_message(shared_engine, team, "U2", limits)
    assert held is not None
    assert (held.whose, held.what) == ("workspace", "tokens")

    earlier(shared_engine, team, timedelta(days=1))
    assert count_message(shared_engine, team, "U1", limits) is None


def test_of_two_limits_the_one_that_holds_longer_is_told(shared_engine: Engine, team: int) -> None:
    """Who is over the minute's and the day's is told of the day's."""
    not_at_a_minute_s_end(shared_engine)
    limits = Limits(person_minute=1, person_day=1)
    assert count_message(shared_engine, team, "U1", limits) is None
    held = count_message(shared_engine, team, "U1", limits)
    assert held is not None
    assert held.span == "day"


def test_another_workspace_counts_for_itself(shared_engine: Engine, team: int) -> None:
    """The same person's questions elsewhere are no reason to wait here."""
    limits = Limits(person_day=1, workspace_day=1)
    elsewhere = ensure_workspace(shared_engine, f"elsewhere-{team}")
    assert count_message(shared_engine, elsewhere, "U1", limits) is None
    assert count_message(shared_engine, team, "U1", limits) is None
    assert isinstance(count_message(shared_engine, team, "U1", limits), Excess)


@pytest.mark.parametrize(
    ("used_before", "limit", "seconds"),
    [
        pytest.param(Usage(10, this_minute=0, minute_before=20), 20, 0.0, id="there is room"),
        pytest.param(Usage(0, this_minute=0, minute_before=20), 20, 3.0, id="all a minute ago"),
        pytest.param(Usage(10, this_minute=10, minute_before=20), 20, 23.0, id="half of each"),
        pytest.param(Usage(20, this_minute=20), 20, 43.0, id="all in this minute"),
        pytest.param(Usage(30, this_minute=1), 1, 90.0, id="one a minute"),
    ],
)
def test_how_long_until_the_next(used_before: Usage, limit: int, seconds: float) -> None:
    """What was asked a minute before gives room evenly; this minute's from its end on."""
    assert used_before.seconds_to_next(limit) == pytest.approx(seconds)
    # After that time one more fits, and not much before.
    assert _minute_at(used_before, seconds) + 1 <= limit + 1e-9
    assert seconds == 0 or _minute_at(used_before, seconds - 0.5) + 1 > limit


def _minute_at(used_before: Usage, later: float) -> float:
    """What counts so many seconds later, if nothing is asked."""
    second = used_before.second + later
    if second < 60:
        return Usage(second, used_before.this_minute, used_before.minute_before).minute
    return Usage(second - 60, 0, used_before.this_minute).minute
