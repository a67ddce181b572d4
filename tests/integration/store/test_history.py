"""A document's past, its deletion, and words that are brought back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete as sql_delete
from sqlalchemy import table, text

from core.errors import NotFoundError
from store.access import OPERATOR_ACCESS
from store.audit import read_audit
from store.documents import read_blocks, read_permitted_version, read_versions
from store.history import (
    DeletedError,
    Held,
    NotDeletedError,
    PastVersion,
    UnembeddedError,
    delete_document,
    find_documents,
    list_documents,
    read_history,
    restore_version,
    undelete_document,
)
from store.publish import WatchedDocumentError
from store.search import versions_in_force
from tests.integration.store.shelf import Shelf, day

ACTOR = "terminal (tester)"


def held(shelf: Shelf, name: str = "leave", as_of: datetime | None = None) -> Held:
    """The one document of that name."""
    (found,) = find_documents(shelf.engine, shelf.workspace_id, name, as_of or datetime.now(UTC))
    return found


def past(shelf: Shelf, as_of: datetime | None = None) -> list[PastVersion]:
    """The versions of the document on leave."""
    now = as_of or datetime.now(UTC)
    return read_history(shelf.engine, shelf.workspace_id, held(shelf).id, now)


def delete(shelf: Shelf, name: str = "leave") -> None:
    """Delete a document."""
    delete_document(shelf.engine, shelf.workspace_id, held(shelf, name).id, ACTOR)


def restore(shelf: Shelf, number: int, since: str | None = None) -> int:
    """Restore a version of the document on leave; return the number it has now."""
    begin = day(since) if since else None
    return restore_version(
        shelf.engine, shelf.workspace_id, held(shelf).id, number, ACTOR, effective_from=begin
    ).number


def watched(shelf: Shelf, state: str = "active") -> None:
    """Let every document belong to a watched folder."""
    with shelf.engine.begin() as connection:
        connection.execute(
            text(
                "WITH folder AS (INSERT INTO sources (workspace_id, kind, name, uri, state)"
                " VALUES (:id, 'folder', 'Handbook', 'file:///handbook', :state) RETURNING id)"
                " UPDATE documents SET source_id = folder.id FROM folder WHERE workspace_id = :id"
            ),
            {"id": shelf.workspace_id, "state": state},
        )


# --- finding and listing -------------------------------------------------------------------


def test_a_document_is_found_by_its_key_or_its_title(shelf: Shelf) -> None:
    """The key counts more than a title; letters' case matters in keys alone."""
    shelf.publish("leave", ["Ten days."], title="Leave policy")
    shelf.publish("other", ["Nothing."], title="LEAVE")

    assert held(shelf, "leave").title == "Leave policy"
    assert held(shelf, "leave POLICY").document_key == "leave"
    assert held(shelf, "Leave").document_key == "other"


def test_a_title_of_two_documents_finds_both(shelf: Shelf) -> None:
    """Which one is meant is for the caller to ask."""
    shelf.publish("a", ["Ten days."], title="Leave")
    shelf.publish("b", ["Two days."], title="Leave")
    found = find_documents(shelf.engine, shelf.workspace_id, "leave", datetime.now(UTC))
    assert [one.document_key for one in found] == ["a", "b"]


def test_every_document_is_listed_whether_it_counts_or_not(shelf: Shelf) -> None:
    """With the version in force, else the next to begin, else the last one that was."""
    shelf.publish("current", ["Old."], since="2020-01-01")
    shelf.publish("current", ["New."], since="2024-01-01")
    shelf.publish("current", ["To come."], since="2099-01-01")
    shelf.publish("ended", ["Over."], since="2020-01-01", until="2021-01-01")
    shelf.publish("future", ["Later."], since="2099-06-01")
    shelf.publish("future", ["Soon."], since="2098-06-01")
    shelf.publish("gone", ["Deleted."], since="2020-01-01")
    delete(shelf, "gone")

    listed = list_documents(shelf.engine, shelf.workspace_id, datetime.now(UTC))

    assert [(one.document_key, one.number, one.in_force, one.versions) for one in listed] == [
        ("current", 2, True, 3),
        ("ended", 1, False, 1),
        ("future", 2, False, 2),
        ("gone", 1, False, 1),
    ]
    assert [one.document_key for one in listed if one.deleted_by == ACTOR] == ["gone"]


@pytest.mark.parametrize("year", [2019, 2022, 2025, 2100])
def test_in_force_means_what_it_means_to_the_search(shelf: Shelf, year: int) -> None:
    """History, list and search agree on which version counts, on any day."""
    for words, since in (("A.", "2020-01-01"), ("B.", "2024-01-01"), ("C.", "2024-01-01")):
        shelf.publish("leave", [words], since=since)
    shelf.publish("leave", ["D."], since="2099-01-01", until="2099-06-01")
    then = datetime(year, 3, 1, tzinfo=UTC)

    searched = versions_in_force(shelf.engine, shelf.workspace_id, OPERATOR_ACCESS, then)
    counted = [one.number for one in searched]

    assert [one.number for one in past(shelf, then) if one.in_force] == counted
    found = held(shelf, as_of=then)
    assert ([found.number] if found.in_force else []) == counted


def test_a_version_follows_the_one_before_it_in_time(shelf: Shelf) -> None:
    """Not the one with the number before: an old wording may come late."""
    shelf.publish("leave", ["New."], since="2024-01-01")
    shelf.publish("leave", ["Old."], since="2020-01-01")
    new, old = past(shelf)
    assert (old.before, new.before) == (None, old.id)


# --- deleting ------------------------------------------------------------------------------


def test_a_deleted_document_is_found_no_more_and_still_opens(shelf: Shelf) -> None:
    """Not as of an earlier day either; a citation of its words can be read, and who did it."""
    kept = shelf.publish("leave", ["Ten days of leave."], since="2020-01-01")
    assert shelf.found() == ["Ten days of leave."]

    delete(shelf)

    assert shelf.found() == []
    assert shelf.found(as_of="2021-01-01") == []
    version = read_permitted_version(
        shelf.engine, shelf.workspace_id, OPERATOR_ACCESS, kept.version_id
    )
    assert version is not None
    assert version.text == "Ten days of leave."
    (entry,) = read_audit(shelf.engine, shelf.workspace_id)
    assert (entry.actor, entry.action, entry.subject) == (ACTOR, "document deleted", "leave")


def test_a_document_is_deleted_once(shelf: Shelf) -> None:
    """The second time is told, and not recorded."""
    shelf.publish("leave", ["Ten days."])
    delete(shelf)
    with pytest.raises(DeletedError, match="leave is deleted already"):
        delete(shelf)
    assert len(read_audit(shelf.engine, shelf.workspace_id)) == 1


def test_a_watched_document_is_changed_at_its_source(shelf: Shelf) -> None:
    """Deleting and restoring are refused by the source's name; after its removal they are not."""
    shelf.publish("leave", ["Ten days."])
    watched(shelf)
    with pytest.raises(WatchedDocumentError, match="source Handbook, which would bring it back"):
        delete(shelf)
    with pytest.raises(WatchedDocumentError, match="change it there"):
        restore(shelf, 1)
    assert read_audit(shelf.engine, shelf.workspace_id) == []
    with shelf.engine.begin() as connection:
        connection.execute(text("UPDATE sources SET state = 'removed' WHERE kind = 'folder'"))
    delete(shelf)
    assert shelf.found() == []


def test_another_workspace_s_document_is_not_there(shelf: Shelf) -> None:
    """Whoever knows its id can neither delete nor restore it."""
    shelf.publish("leave", ["Ten days."])
    document_id, elsewhere = held(shelf).id, shelf.workspace_id + 1
    with pytest.raises(NotFoundError):
        delete_document(shelf.engine, elsewhere, document_id, ACTOR)
    with pytest.raises(NotFoundError):
        restore_version(shelf.engine, elsewhere, document_id, 1, ACTOR)
    assert shelf.found() == ["Ten days."]


# --- restoring -----------------------------------------------------------------------------


def test_a_restored_version_has_the_same_words_blocks_and_chunks(shelf: Shelf) -> None:
    """Nothing is embedded or stored anew; it says which words it has and who brought them back."""
    first = shelf.publish("leave", ["Ten days.", "Ask early."], since="2020-01-01")
    shelf.publish("leave", ["Two days."], since="2024-01-01")
    rows = shelf.rows()

    assert restore(shelf, 1) == 3

    assert shelf.found() == ["Ask early.", "Ten days."]
    assert shelf.found(as_of="2024-06-01") == ["Two days."]
    again = past(shelf)[-1]
    assert (again.restored_from, again.author, again.in_force) == (1, ACTOR, True)
    old, new = read_versions(shelf.engine, shelf.workspace_id, [first.version_id, again.id])
    same = replace(new, id=old.id, number=old.number, effective_from=old.effective_from)
    assert same == old
    assert read_blocks(shelf.engine, new.id) == read_blocks(shelf.engine, old.id)
    assert shelf.rows() == rows | {"document_versions": 3, "audit_log": 1}


def test_a_version_can_be_restored_from_a_day_to_come(shelf: Shelf) -> None:
    """What is in force stays so until then."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    shelf.publish("leave", ["Two days."], since="2024-01-01")
    restore(shelf, 1, "2099-01-01")
    assert shelf.found() == ["Two days."]
    assert shelf.found(as_of="2099-02-01") == ["Ten days."]


def test_a_version_restored_from_another_s_first_day_replaces_it(shelf: Shelf) -> None:
    """Of two versions that begin on one day, the one that came later is in force."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    shelf.publish("leave", ["Two days."], since="2024-01-01")
    restore(shelf, 1, "2024-01-01")
    assert shelf.found(as_of="2024-02-01") == ["Ten days."]


@pytest.mark.parametrize(("until", "kept"), [("2021-01-01", None), ("2099-01-01", 2099)])
def test_an_end_that_has_passed_is_not_restored(
    shelf: Shelf, until: str, kept: int | None
) -> None:
    """The words count again; an end that is still to come stays."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01", until=until)
    restore(shelf, 1)
    end = past(shelf)[-1].effective_to
    assert (end.year if end else None) == kept
    assert shelf.found() == ["Ten days."]


def test_a_deleted_document_is_brought_back_as_it_was(shelf: Shelf) -> None:
    """Its last version counts again, without a new one; the list knows no deletion."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    delete(shelf)
    done = undelete_document(shelf.engine, shelf.workspace_id, held(shelf).id, ACTOR)
    assert (done.number, done.is_new) == (1, False)
    assert shelf.found() == ["Ten days."]
    assert held(shelf).deleted_by is None
    actions = [entry.action for entry in read_audit(shelf.engine, shelf.workspace_id)]
    assert actions == ["document restored", "document deleted"]


def test_a_version_of_a_deleted_document_brings_it_back(shelf: Shelf) -> None:
    """With that version's words."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    shelf.publish("leave", ["Two days."], since="2024-01-01")
    delete(shelf)
    restore(shelf, 1)
    assert shelf.found() == ["Ten days."]


def test_what_a_source_withdrew_comes_back_as_an_upload(shelf: Shelf) -> None:
    """Its source no longer has it, and no longer decides on it."""
    shelf.publish("leave", ["Ten days."])
    watched(shelf)
    with shelf.engine.begin() as connection:
        connection.execute(text("UPDATE documents SET deleted_at = now()"))
    undelete_document(shelf.engine, shelf.workspace_id, held(shelf).id, ACTOR)
    assert (held(shelf).source_kind, held(shelf).watched) == ("upload", False)
    assert shelf.found() == ["Ten days."]


def test_what_cannot_be_restored_is_told(shelf: Shelf) -> None:
    """A version that is not there, and a document that is not deleted."""
    shelf.publish("leave", ["Ten days."])
    with pytest.raises(NotFoundError, match="leave has no version 2"):
        restore(shelf, 2)
    with pytest.raises(NotDeletedError, match="leave is not deleted"):
        undelete_document(shelf.engine, shelf.workspace_id, held(shelf).id, ACTOR)


def test_words_without_vectors_are_not_restored(shelf: Shelf) -> None:
    """They could not be found; nothing is changed."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    shelf.publish("leave", ["Two days."], since="2024-01-01")
    with shelf.engine.begin() as connection:
        connection.execute(sql_delete(table(shelf.space.table)))
    with pytest.raises(UnembeddedError, match="ingest its file again"):
        restore(shelf, 1)
    assert len(past(shelf)) == 2


def test_a_restored_version_came_after_what_was_there(shelf: Shelf) -> None:
    """Its time is the database's, when its turn had come."""
    shelf.publish("leave", ["Ten days."], since="2020-01-01")
    restore(shelf, 1)
    first, again = past(shelf)
    assert timedelta(0) < again.received_at - first.received_at < timedelta(minutes=1)
