"""Looking at a source: what changed is indexed, what is gone withdrawn, what failed is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from core.errors import FootnoteError
from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job
from ingestion.sources import Failure, Found, Item, Seen, SourceError, Unchanged
from ingestion.watch import EmptiedSourceError, look, run_sync_job, submit_sync
from store.access import OPERATOR_ACCESS, Access
from store.audit import read_audit
from store.jobs import find_job
from store.search import versions_in_force
from store.source_items import item_failures
from store.sources import (
    NewSource,
    Source,
    SourceNameError,
    add_source,
    change_source,
    find_source,
    list_sources,
    remove_source,
    set_source_state,
)

HANDBOOK = NewSource("folder", "handbook", "/handbook", {}, ["everyone"], owner="U1", every=60)


@dataclass
class Shelf:
    """A place whose files the test writes; `broken` are reasons by key, `fails` a place's own."""

    files: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    fails: str | None = None
    read: list[str] = field(default_factory=list)

    def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
        """Report every file; a file with a known length counts as unchanged."""
        for key, words in self.files.items():
            fingerprint = str(len(words))
            if key in self.broken:
                yield Failure(key, self.broken[key])
            elif key in known and known[key].fingerprint == fingerprint:
                yield Unchanged(key, fingerprint)
            else:
                self.read.append(key)
                link = f"https://wiki.example/{key}"
                yield Item(key, key, words.encode(), fingerprint, link)
        if self.fails is not None:
            raise SourceError(self.fails)


@pytest.fixture
def source(ingester: Ingester) -> Source:
    """A watched folder."""
    return add_source(ingester.engine, ingester.workspace_id, HANDBOOK, "U1")


def sync(
    ingester: Ingester,
    source: Source,
    shelf: Shelf,
    *,
    accept_empty: bool = False,
    retry: bool = False,
) -> dict[str, int]:
    """Look at a source, do the jobs of what changed, and return what was found."""
    found = look(ingester.engine, source, shelf, accept_empty=accept_empty, retry=retry)
    for job_id in found.jobs:
        job = find_job(ingester.engine, job_id)
        assert job is not None
        try:
            run_file_job(ingester, job_id)
        except FootnoteError:  # a refused file: the item says why
            assert find_job(ingester.engine, job_id).state == "failed"  # type: ignore[union-attr]
    told = found.to_json()
    return {name: told[name] for name in ("items", "changed", "unchanged", "withdrawn")}


def in_force(ingester: Ingester) -> dict[str, str]:
    """Return the texts that answers come from, by document."""
    versions = versions_in_force(
        ingester.engine, ingester.workspace_id, OPERATOR_ACCESS, datetime.now(UTC)
    )
    return {version.document_key: version.text for version in versions}


def test_a_look_indexes_what_is_new_and_leaves_the_rest(
    ingester: Ingester, source: Source
) -> None:
    """The second look reads nothing; a changed file is read alone; a gone one is withdrawn."""
    shelf = Shelf({"pay.md": "Monthly.", "leave.md": "Ten days."})
    found = sync(ingester, source, shelf)
    assert found == {"items": 2, "changed": 2, "unchanged": 0, "withdrawn": 0}
    assert in_force(ingester) == {"handbook/leave.md": "Ten days.", "handbook/pay.md": "Monthly."}

    shelf.read.clear()
    assert sync(ingester, source, shelf)["unchanged"] == 2
    assert shelf.read == []

    shelf.files = {"leave.md": "Twelve days."}
    found = sync(ingester, source, shelf)
    assert found == {"items": 1, "changed": 1, "unchanged": 0, "withdrawn": 1}
    assert in_force(ingester) == {"handbook/leave.md": "Twelve days."}
    (kept,) = list_sources(ingester.engine, ingester.workspace_id)
    assert (kept.documents, kept.failures, kept.failure) == (1, 0, None)
    assert kept.checked_at is not None
    assert kept.changed_at is not None
    deleted = next(e for e in read_audit(ingester.engine, ingester.workspace_id))
    assert (deleted.actor, deleted.action, deleted.subject) == (
        "source handbook",
        "document deleted",
        "handbook/pay.md",
    )


def test_a_file_that_only_looks_changed_costs_no_job(ingester: Ingester, source: Source) -> None:
    """Another fingerprint over the same bytes is noted, and nothing is read anew."""
    shelf = Shelf({"pay.md": "Monthly."})
    sync(ingester, source, shelf)

    class Touched(Shelf):
        def scan(self, known: Mapping[str, Seen]) -> Iterator[Found]:
            assert known["pay.md"].fingerprint == "8"
            yield Item("pay.md", "pay.md", b"Monthly.", "touched", None)

    assert sync(ingester, source, Touched())["changed"] == 0
    assert sync(ingester, source, Shelf({"pay.md": "Monthly."}))["unchanged"] == 1


def test_a_place_that_cannot_be_read_withdraws_nothing(ingester: Ingester, source: Source) -> None:
    """The reason stands with the source until a look succeeds."""
    engine = ingester.engine
    shelf = Shelf({"pay.md": "Monthly."})
    sync(ingester, source, shelf)
    away = Shelf({}, fails="The folder is not there; mount it.")
    job_id = submit_sync(engine, source)
    with pytest.raises(SourceError):
        run_sync_job(engine, job_id, lambda _: away)
    job = find_job(engine, job_id)
    assert job is not None
    assert (job.state, job.error) == ("failed", "The folder is not there; mount it.")
    assert find_source(engine, ingester.workspace_id, "handbook").failure == job.error
    assert in_force(ingester) == {"handbook/pay.md": "Monthly."}
    again = run_sync_job(engine, submit_sync(engine, source), lambda _: shelf)
    assert again is not None
    assert find_source(engine, ingester.workspace_id, "handbook").failure is None


def test_an_emptied_place_is_not_believed_at_once(ingester: Ingester, source: Source) -> None:
    """An unmounted disk looks like an empty folder: it takes a person to say that it is."""
    sync(ingester, source, Shelf({"pay.md": "Monthly."}))
    with pytest.raises(EmptiedSourceError, match="held 1 item and now holds nothing"):
        look(ingester.engine, source, Shelf())
    assert list(in_force(ingester)) == ["handbook/pay.md"]
    assert sync(ingester, source, Shelf(), accept_empty=True)["withdrawn"] == 1
    assert in_force(ingester) == {}


def test_items_that_fail_keep_what_they_were(ingester: Ingester, source: Source) -> None:
    """A file that cannot be fetched, or is refused, leaves its document in force and is told."""
    shelf = Shelf({"pay.md": "Monthly.", "map.md": "North is up."})
    sync(ingester, source, shelf)
    shelf.files["map.md"] = "\x7fELF\x00 is no policy at all"
    shelf.broken["pay.md"] = "pay.md may not be read."
    sync(ingester, source, shelf)
    failures = {i.key: i.failure for i in item_failures(ingester.engine, source.id)}
    assert failures["pay.md"] == "pay.md may not be read."
    assert "a Linux program" in str(failures["map.md"])
    assert in_force(ingester) == {"handbook/pay.md": "Monthly.", "handbook/map.md": "North is up."}
    shelf.read.clear()
    sync(ingester, source, shelf)
    assert shelf.read == []  # a refused file is not read again for nothing
    sync(ingester, source, shelf, retry=True)
    assert shelf.read == ["map.md"]
    shelf.broken.clear()
    shelf.files["map.md"] = "South is up."
    assert sync(ingester, source, shelf)["changed"] == 2
    assert item_failures(ingester.engine, source.id) == []
    assert in_force(ingester)["handbook/map.md"] == "South is up."


def test_a_file_that_becomes_another_document_leaves_no_old_one(
    ingester: Ingester, source: Source
) -> None:
    """Front matter that names another document withdraws the one that the file was."""
    shelf = Shelf({"pay.md": "Monthly."})
    sync(ingester, source, shelf)
    shelf.files["pay.md"] = "---\ndocument: salaries\n---\nMonthly."
    sync(ingester, source, shelf)
    assert in_force(ingester) == {"salaries": "Monthly."}


def test_a_file_that_vanishes_while_it_is_read_is_not_answered_from(
    ingester: Ingester, source: Source
) -> None:
    """Its job finds that the item is gone, and withdraws what it published."""
    shelf = Shelf({"pay.md": "Monthly.", "leave.md": "Ten days."})
    found = look(ingester.engine, source, shelf)
    del shelf.files["pay.md"]
    look(ingester.engine, source, shelf)
    for job_id in found.jobs:
        run_file_job(ingester, job_id)
    assert in_force(ingester) == {"handbook/leave.md": "Ten days."}


def test_a_source_can_rest_change_and_go(ingester: Ingester, source: Source) -> None:
    """Pausing keeps the documents; a new audience counts at once; removing withdraws them."""
    engine, workspace_id = ingester.engine, ingester.workspace_id
    sync(ingester, source, Shelf({"pay.md": "Monthly."}))
    set_source_state(engine, source, "paused", "U1")
    assert find_source(engine, workspace_id, "handbook").state == "paused"
    assert list(in_force(ingester)) == ["handbook/pay.md"]

    change_source(
        engine,
        find_source(engine, workspace_id, "handbook"),
        "U1",
        every=None,
        audience=["group:HR"],
        owner=None,
        trust=2,
    )
    changed = find_source(engine, workspace_id, "handbook")
    assert (changed.every, changed.audience, changed.trust) == (None, ("group:HR",), 2)
    assert in_force(ingester) == {}

    with pytest.raises(SourceNameError, match="A source named handbook is watched already"):
        add_source(engine, workspace_id, HANDBOOK, "U1")
    assert remove_source(engine, changed, "U1", keep_documents=False) == 1
    assert list_sources(engine, workspace_id) == []
    again = add_source(engine, workspace_id, HANDBOOK, "U1")
    sync(ingester, again, Shelf({"pay.md": "Monthly."}))
    assert list(in_force(ingester)) == ["handbook/pay.md"]
    assert remove_source(engine, again, "U1", keep_documents=True) == 0
    assert list(in_force(ingester)) == ["handbook/pay.md"]


def test_an_audience_that_changes_while_files_wait_counts(
    ingester: Ingester, source: Source
) -> None:
    """What was found for everyone and is published after the change is read by the new few."""
    engine, everyone = ingester.engine, OPERATOR_ACCESS
    shelf = Shelf({"pay.md": "Monthly."})
    sync(ingester, source, shelf)
    shelf.files = {"pay.md": "Weekly, from now on.", "board.md": "Secret."}
    waiting = look(engine, source, shelf).jobs
    change_source(engine, source, "U1", every=None, audience=["group:HR"], owner="U1", trust=0)
    for job_id in waiting:
        run_file_job(ingester, job_id)

    assert in_force(ingester) == {}
    few = Access(everyone.asker | {"group:HR"}, everyone.place | {"group:HR"})
    found = versions_in_force(engine, ingester.workspace_id, few, datetime.now(UTC))
    assert [v.text for v in found] == ["Secret.", "Weekly, from now on."]
