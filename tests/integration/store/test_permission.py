"""Permission is inside the search: found is only what the asker and the place may read."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from store.access import (
    EVERYONE,
    EXTERNAL,
    OPERATOR_ACCESS,
    Access,
    Member,
    Place,
    Scope,
    access_of,
    channel_principal,
)
from store.members import find_member, save_member
from store.search import count_in_force, versions_in_force
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

AUDIENCES = {
    "all": [EVERYONE],
    "public": [EXTERNAL],
    "group": ["group:S1"],
    "room": [channel_principal("C1")],
    "both": ["group:S1", channel_principal("C1")],
}
ALICE = Member("U1", "member")
CAROL = Member("U2", "member", frozenset({"group:S1"}))
GUEST = Member("U3", "guest", frozenset({"group:S1", channel_principal("C1")}))
FOREIGN = Member("U4", "foreign", frozenset({"group:S1"}))
ROOM, OTHER_ROOM = Place("C1"), Place("C2")


@pytest.fixture(scope="module")
def library(shared_engine: Engine) -> Shelf:
    """One document for each audience; every one of them speaks of leave."""
    library = Shelf(shared_engine, ensure_workspace(shared_engine, "permission"))
    for key, audience in AUDIENCES.items():
        library.publish(key, [f"Leave for {key}."], audience=audience)
    return library


@pytest.mark.parametrize(
    ("member", "place", "readable"),
    [
        pytest.param(ALICE, None, "all public", id="a member alone"),
        pytest.param(ALICE, OTHER_ROOM, "all public", id="a member in a channel"),
        pytest.param(ALICE, ROOM, "all both public room", id="a member in the room"),
        pytest.param(CAROL, None, "all both group public", id="a group's member alone"),
        pytest.param(CAROL, OTHER_ROOM, "all public", id="a group's member among others"),
        pytest.param(CAROL, ROOM, "all both public room", id="a group's member in the room"),
        pytest.param(ALICE, Place("C1", shared=True), "public", id="where guests can read"),
        pytest.param(CAROL, Place("C9", shared=True), "public", id="a group's member there"),
        pytest.param(GUEST, None, "public", id="a guest alone, whatever groups"),
        pytest.param(GUEST, ROOM, "public", id="a guest in the room"),
        pytest.param(FOREIGN, OTHER_ROOM, "public", id="another organisation's"),
        pytest.param(None, None, "public", id="a stranger"),
        pytest.param(None, ROOM, "public", id="a stranger in the room"),
    ],
)
def test_both_the_asker_and_the_place_must_be_permitted(
    member: Member | None, place: Place | None, readable: str, library: Shelf
) -> None:
    """By words, by vector and in the list of documents the same are found, and no others."""
    access = access_of(member, place)
    assert _found(library, access) == readable.split()
    listed = versions_in_force(library.engine, library.workspace_id, access, datetime.now(UTC))
    assert sorted(version.document_key for version in listed) == readable.split()
    assert count_in_force(library.engine, library.workspace_id, access) == len(listed)


def test_the_operator_reads_what_members_read(library: Shelf) -> None:
    """A terminal and the local page see no group's and no channel's documents."""
    assert _found(library, OPERATOR_ACCESS) == ["all", "public"]


@pytest.mark.parametrize(
    ("asker", "place"),
    [((), ()), ((EVERYONE,), ()), ((), (EVERYONE,)), (("EVERYONE",), ("EVERYONE",))],
    ids=["nobody", "nowhere", "nobody somewhere", "another spelling"],
)
def test_without_principals_nothing_is_found(
    asker: tuple[str, ...], place: tuple[str, ...], library: Shelf
) -> None:
    """No principal on either side means no document, not all of them."""
    assert _found(library, Access(frozenset(asker), frozenset(place))) == []


def test_hostile_principals_are_only_names(library: Shelf) -> None:
    """Braces, quotes and commas in a principal are part of its name."""
    names = frozenset({"{everyone}", "x,everyone", '"everyone"', "'} OR true --", "\\", ""})
    assert _found(library, Access(names, names)) == []


@pytest.mark.parametrize(
    ("keys", "whole_source", "readable"),
    [
        pytest.param(["all"], False, "all", id="one document"),
        pytest.param(["all", "group"], False, "all", id="one that may not be read beside it"),
        pytest.param(["group"], False, "", id="only what may not be read"),
        pytest.param([], True, "all public", id="the whole source"),
        pytest.param(["all"], True, "all public", id="the source and one of its documents"),
        pytest.param([], False, "", id="nothing at all"),
        pytest.param(["of another workspace"], False, "", id="an unknown document"),
    ],
)
def test_a_scope_takes_from_what_may_be_read(
    keys: list[str], whole_source: bool, readable: str, library: Shelf
) -> None:
    """A place that answers from a part of the documents finds those that may be read in it."""
    sources = frozenset(_source_ids(library) if whole_source else ())
    access = replace(access_of(ALICE, None), scope=Scope(sources, frozenset(keys)))
    assert _found(library, access) == readable.split()
    listed = versions_in_force(library.engine, library.workspace_id, access, datetime.now(UTC))
    assert sorted(version.document_key for version in listed) == readable.split()


def test_a_small_scope_is_found_among_much_else(shelf: Shelf) -> None:
    """One document is answered from however many others lie nearer to the question."""
    for number in range(150):
        shelf.publish(f"other {number}", [f"Leave, leave and leave, number {number}."])
    shelf.publish("chosen", ["Parking."])
    scope = Scope(frozenset(), frozenset({"chosen"}))
    assert _found(shelf, replace(OPERATOR_ACCESS, scope=scope), "leave") == ["chosen"]


def _source_ids(library: Shelf) -> list[int]:
    with library.engine.connect() as connection:
        return list(
            connection.execute(
                text("SELECT id FROM sources WHERE workspace_id = :id"),
                {"id": library.workspace_id},
            ).scalars()
        )


def test_a_shared_passage_is_found_only_where_it_may_be_read(shelf: Shelf) -> None:
    """The same words in an open and in a closed document name the open one alone."""
    shelf.publish("closed", ["Same words."], title="T", audience=["group:S1"])
    shelf.publish("open", ["Same words."], title="T")
    assert _found(shelf, OPERATOR_ACCESS, "same words") == ["open"]


def test_members_are_kept_and_replaced(shared_engine: Engine) -> None:
    """What is kept about a person is the last that was said, in each workspace apart."""
    here = ensure_workspace(shared_engine, "members-here")
    there = ensure_workspace(shared_engine, "members-there")
    assert find_member(shared_engine, here, "U1") is None
    save_member(shared_engine, here, Member("U1", "member", frozenset({"group:b", "group:a"})))
    save_member(shared_engine, here, Member("U1", "guest"))
    save_member(shared_engine, here, CAROL)
    assert find_member(shared_engine, here, "U1") == Member("U1", "guest")
    assert find_member(shared_engine, here, "U2") == CAROL
    assert find_member(shared_engine, there, "U1") is None


def _found(library: Shelf, access: Access, question: str = "leave") -> list[str]:
    return sorted(
        {candidate.document_key for candidate in library.search(question, access=access)}
    )
