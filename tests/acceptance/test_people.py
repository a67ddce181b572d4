"""What is kept about a person, as an operator sees and deletes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.access import Member
from store.engine import connect
from store.members import save_member
from store.privacy import kept_about
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote, installation
from tests.integration.store.asked import ask, found
from tests.integration.store.shelf import Shelf

PERSON = "UPEOPLE"


@pytest.fixture
def alone(embedder_cache: Path, database_url: str) -> Iterator[Footnote]:
    """An installation whose database no other test has."""
    with installation(embedder_cache, DATABASE_URL=database_url) as made:
        yield made


def test_an_operator_shows_and_forgets_a_person(alone: Footnote, database_url: str) -> None:
    """What there is with its days, then only with --yes it goes; at the end there is nothing."""
    engine = connect(database_url)
    try:
        shelf = Shelf(engine, ensure_workspace(engine, "local"))
        ask(shelf, "Xylophon", PERSON)
        save_member(engine, shelf.workspace_id, Member(PERSON, "member", frozenset({"group:G"})))

        shown = alone.run("people", "show", PERSON)
        assert "2 questions with their answers, " in shown.out
        assert "known as a full member, group:G" in shown.out
        assert shown.out.endswith("Messages are kept for 90 days, then they go by themselves.\n")
        listed = alone.run("people", "show", PERSON, "--json").json()
        assert listed["kept"]["questions"]["count"] == 2
        assert (listed["standing"], listed["keep_days"]) == ("member", 90)

        unsure = alone.run("people", "forget", PERSON)
        assert (unsure.code, unsure.out) == (1, "")
        assert "add --yes" in unsure.err
        assert not kept_about(engine, shelf.workspace_id, PERSON).nothing

        gone = alone.run("people", "forget", PERSON, "--yes")
        assert gone.code == 0
        assert gone.out.startswith("Deleted:\n  1 message to me\n  2 questions")
        assert found(engine, "Xylophon") == {}
        assert found(engine, PERSON) == {}
    finally:
        engine.dispose()
    again = alone.run("people", "forget", PERSON, "--yes", "--json").json()
    assert not any(again["deleted"].values())
    assert alone.run("people", "show", PERSON).out == f"Nothing is kept about {PERSON}.\n"


@pytest.mark.parametrize("days", ["-1", "a while"])
def test_a_time_that_is_none_is_refused(installed: Footnote, tmp_path: Path, days: str) -> None:
    """A setting that cannot be used is named, and nothing happens."""
    del tmp_path
    done = installed.run("people", "show", PERSON, FOOTNOTE_KEEP_MESSAGES_DAYS=days)
    assert done.code == 1
    assert "FOOTNOTE_KEEP_MESSAGES_DAYS" in done.err
