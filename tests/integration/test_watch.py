"""Looking at a source: what changed is indexed, what is gone withdrawn, what failed is told."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Engine

from core.errors import FootnoteError
from ingestion.errors import BinaryFileError
from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job
from ingestion.sources import Failure, Found, Item, Seen, SourceError, Unchanged
from ingestion.watch import EmptiedSourceError, look, run_sync_job, submit_sync
from retrieval.embeddings import Vectors
from store.access import OPERATOR_ACCESS, Access
from store.audit import read_audit
from store.home import source_health
from store.jobs import MAX_ATTEMPTS, claim, find_job, sweep
from store.leases import TooLongError
from store.search import versions_in_force
from store.source_items import MAX_TRIES, item_failures
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


# --- jobs that end without a verdict on their file -----------------------------------------


def kill(engine: Engine, job_id: int) -> None:
    """End a job as the sweeper does after its worker was killed three times."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert claim(engine, job_id, f"gone:{attempt}", 0) is not None
        sweep(engine)
    job = find_job(engine, job_id)
    assert job is not None
    assert job.state == "failed"


def failures(ingester: Ingester, source: Source) -> dict[str, str | None]:
    """Return why items are not read, by key; the counts that people see agree."""
    told = {item.key: item.reason for item in item_failures(ingester.engine, source.id)}
    found = find_source(ingester.engine, ingester.workspace_id, source.name)
    health = source_health(ingester.engine, ingester.workspace_id, OPERATOR_ACCESS)
    counts = {one.failures for one in health if one.id == source.id}
    assert {found.failures} == counts == {len(told)}
    return told


def test_a_file_whose_workers_were_killed_is_told_and_read_again(
    ingester: Ingester, source: Source
) -> None:
    """It counts as not read, and the next look reads it although it did not change."""
    shelf = Shelf({"pay.md": "Monthly.", "leave.md": "Ten days."})
    sync(ingester, source, shelf)
    shelf.files["pay.md"] = "Weekly, from now on."
    (job_id,) = look(ingester.engine, source, shelf).jobs
    assert failures(ingester, source) == {}  # it waits for its worker
    assert look(ingester.engine, source, shelf).unchanged == 2
    kill(ingester.engine, job_id)
    assert failures(ingester, source) == {
        "pay.md": "The process that ran this was ended three times."
        " It is read again at the next look."
    }
    assert in_force(ingester)["handbook/pay.md"] == "Monthly."

    shelf.read.clear()
    found = sync(ingester, source, shelf)
    assert (found["changed"], found["unchanged"], shelf.read) == (1, 1, ["pay.md"])
    assert in_force(ingester)["handbook/pay.md"] == "Weekly, from now on."
    assert failures(ingester, source) == {}
    assert sync(ingester, source, shelf)["unchanged"] == 2
    assert shelf.read == ["pay.md"]


@dataclass
class Ending:
    """An embedder during whose work something ends the job."""

    by: BaseException
    model: str = "all-MiniLM-L6-v2"
    dimensions: int = 384

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Be ended."""
        raise self.by


@pytest.mark.parametrize(
    ("by", "raised", "words"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, "handbook/pay.md was interrupted."),
        (SoftTimeLimitExceeded(), TooLongError, "handbook/pay.md took too long; send it in"),
    ],
    ids=["Ctrl-C", "time limit"],
)
def test_a_file_that_was_called_off_is_told_and_read_again(
    by: BaseException,
    raised: type[BaseException],
    words: str,
    ingester: Ingester,
    source: Source,
) -> None:
    """Neither an interruption nor the limit of time says that the file cannot be read."""
    shelf = Shelf({"pay.md": "Monthly."})
    (job_id,) = look(ingester.engine, source, shelf).jobs
    with pytest.raises(raised):
        run_file_job(Ingester(ingester.engine, ingester.workspace_id, Ending(by)), job_id)
    told = str(failures(ingester, source)["pay.md"])
    assert told.startswith(words)
    assert told.endswith("It is read again at the next look.")
    assert sync(ingester, source, shelf)["changed"] == 1
    assert in_force(ingester) == {"handbook/pay.md": "Monthly."}


def test_a_file_that_always_kills_is_left_until_it_changes_or_somebody_asks(
    ingester: Ingester, source: Source
) -> None:
    """Three looks in a row read it, once each; the fourth leaves it and the source says so."""
    engine = ingester.engine
    shelf = Shelf({"pay.md": "Monthly.", "leave.md": "Ten days."})
    for _ in range(MAX_TRIES):
        jobs = look(engine, source, shelf).jobs
        run_file_job(ingester, jobs[1])  # what else changes goes on
        kill(engine, jobs[0])
        shelf.files["leave.md"] += " More."
    assert failures(ingester, source) == {
        "pay.md": "The process that ran this was ended three times. Its last 3 jobs ended early,"
        " so it is read again only when it changes or when you ask: footnote sources sync, or"
        " Look again in Slack."
    }
    shelf.read.clear()
    sync(ingester, source, shelf)
    assert shelf.read == ["leave.md"]

    (job_id,) = look(engine, source, shelf, retry=True).jobs
    kill(engine, job_id)
    assert "Its last 4 jobs ended early" in str(failures(ingester, source)["pay.md"])
    assert look(engine, source, shelf).jobs == []

    shelf.files["pay.md"] = "Weekly, from now on."
    (job_id,) = look(engine, source, shelf).jobs
    kill(engine, job_id)
    assert str(failures(ingester, source)["pay.md"]).endswith("at the next look.")
    assert sync(ingester, source, shelf)["changed"] == 1
    assert in_force(ingester)["handbook/pay.md"] == "Weekly, from now on."
    assert failures(ingester, source) == {}


@pytest.mark.parametrize("newest_first", [True, False])
def test_only_the_newest_file_says_whether_an_item_is_read(
    newest_first: bool, ingester: Ingester, source: Source
) -> None:
    """Jobs of one item may be done in any order: an older file's verdict is not the item's."""
    program, policy = "\x7fELF\x00 is no policy at all", "Monthly."
    shelf = Shelf({"pay.md": program, "leave.md": policy})
    jobs = dict(zip(shelf.files, look(ingester.engine, source, shelf).jobs, strict=True))
    shelf.files = {"pay.md": policy + " Always.", "leave.md": program + " either"}
    newer = dict(zip(shelf.files, look(ingester.engine, source, shelf).jobs, strict=True))
    for one in (newer, jobs) if newest_first else (jobs, newer):
        for job_id in one.values():
            with suppress(BinaryFileError):
                run_file_job(ingester, job_id)
    assert list(failures(ingester, source)) == ["leave.md"]
    assert in_force(ingester)["handbook/pay.md"] == "Monthly. Always."
    shelf.read.clear()
    assert sync(ingester, source, shelf)["unchanged"] == 2
    assert shelf.read == []  # a refusal holds


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
