"""What is in force is computed from dates: the version that began last and has not ended."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from store.access import OPERATOR_ACCESS, Access
from store.publish import DatesError
from store.search import versions_in_force
from tests.integration.store.shelf import Shelf, day

Version = tuple[str, str, str | None]  # words, since, until

REVISIONS: list[Version] = [("v1", "2024-01-01", None), ("v2", "2025-01-01", None)]


@pytest.mark.parametrize(
    ("versions", "as_of", "found"),
    [
        pytest.param(REVISIONS, "2023-12-31", [], id="before the first"),
        pytest.param(REVISIONS, "2024-01-01", ["v1"], id="on its first day"),
        pytest.param(REVISIONS, "2024-12-31", ["v1"], id="on its last day"),
        pytest.param(REVISIONS, "2025-01-01", ["v2"], id="on the next one's first day"),
        pytest.param(REVISIONS, "2030-01-01", ["v2"], id="ever after"),
        pytest.param(REVISIONS[::-1], "2024-06-01", ["v1"], id="published out of order, then"),
        pytest.param(REVISIONS[::-1], "2025-06-01", ["v2"], id="published out of order, later"),
        pytest.param(
            [("v1", "2024-01-01", None), ("v2", "2024-01-01", None)],
            "2024-06-01",
            ["v2"],
            id="the same day, the last published",
        ),
        pytest.param(
            [("v1", "2024-01-01", "2024-07-01")], "2024-06-30", ["v1"], id="before its end"
        ),
        pytest.param([("v1", "2024-01-01", "2024-07-01")], "2024-07-01", [], id="ended that day"),
        pytest.param(
            [("v1", "2024-01-01", "2024-07-01"), ("v2", "2024-09-01", None)],
            "2024-08-01",
            [],
            id="in a gap",
        ),
        pytest.param(
            [("v1", "2024-01-01", "2024-07-01"), ("v2", "2024-03-01", None)],
            "2024-04-01",
            ["v2"],
            id="overlapping, the later begun",
        ),
    ],
)
def test_the_version_of_the_day_is_found(
    versions: list[Version], as_of: str, found: list[str], shelf: Shelf
) -> None:
    """A search as of a day sees the one version that held then, and no other."""
    for words, since, until in versions:
        shelf.publish("returns", [words], since=since, until=until)
    assert shelf.found(as_of=as_of) == found


def test_a_future_version_waits_for_its_day(shelf: Shelf) -> None:
    """What is announced is not found now, and is found as of its day."""
    shelf.publish("returns", ["old"], since="2024-01-01")
    shelf.publish("returns", ["new"], since="2999-01-01")
    shelf.publish("coming", ["first"], since="2999-01-01")
    assert shelf.found() == ["old"]
    assert shelf.found(as_of="2999-01-01") == ["first", "new"]


def test_an_undated_version_is_in_force_at_once(shelf: Shelf) -> None:
    """Without a date it holds from the moment it is published, and not before."""
    before = datetime.now(UTC)
    done = shelf.publish("returns", ["now"])
    assert before <= done.effective_from <= datetime.now(UTC)
    assert [c.text for c in shelf.search()] == ["now"]
    assert shelf.search(as_of=before - timedelta(seconds=1)) == []


def test_moments_in_other_time_zones_are_moments(shelf: Shelf) -> None:
    """Dates are moments: the same instant written in another zone is the same."""
    shelf.publish("returns", ["v1"], since="2024-01-01")
    as_of = datetime.fromisoformat("2024-01-01T01:00:00+02:00")
    assert shelf.search(as_of=as_of) == []
    assert len(shelf.search(as_of=as_of + timedelta(hours=1))) == 1


@pytest.mark.parametrize(
    ("since", "until"),
    [(None, "2020-01-01"), ("2024-01-01", "2024-01-01"), ("2024-02-01", "2024-01-01")],
    ids=["ended before now", "ends as it begins", "ends before it begins"],
)
def test_a_version_that_is_never_in_force_is_refused(
    since: str | None, until: str, shelf: Shelf
) -> None:
    """Dates that leave no day are told in a sentence, and nothing is kept."""
    before = shelf.rows()
    with pytest.raises(DatesError, match=r"^returns would end on .* before it begins"):
        shelf.publish("returns", ["never"], since=since, until=until)
    assert shelf.rows() == before


def test_versions_in_force_are_listed_by_title(shelf: Shelf) -> None:
    """The list of what holds follows the same dates and permissions as the search."""
    shelf.publish("b", ["one"], title="Bikes", since="2024-01-01")
    shelf.publish("b", ["two"], title="Bikes", since="2025-01-01")
    shelf.publish("a", ["three"], title="Apples", since="2024-01-01")
    shelf.publish("c", ["hidden"], since="2024-01-01", audience=["group:S1"])
    engine = shelf.engine
    assert _listed(engine, shelf.workspace_id, "2024-06-01") == [("Apples", 1), ("Bikes", 1)]
    assert _listed(engine, shelf.workspace_id, "2025-06-01") == [("Apples", 1), ("Bikes", 2)]
    s1 = frozenset({"group:S1"})
    seen = versions_in_force(engine, shelf.workspace_id, Access(s1, s1), day("2025-06-01"))
    assert [version.text for version in seen] == ["hidden"]


def _listed(engine: Engine, workspace_id: int, as_of: str) -> list[tuple[str, int]]:
    found = versions_in_force(engine, workspace_id, OPERATOR_ACCESS, day(as_of))
    return [(version.title, version.number) for version in found]
