"""Looking at a source: what changed becomes jobs, what is gone is withdrawn, the rest is free."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from core.errors import FootnoteError
from ingestion.errors import printable
from ingestion.ingest import Given, media_type
from ingestion.jobs import Sender, submit_with
from ingestion.sources import Failure, Found, Item, Scanner, Seen, Unchanged
from store.jobs import Job, report_progress, submit
from store.leases import LEASE, run_leased
from store.publish import File
from store.source_items import (
    KnownItem,
    forget_items,
    known_items,
    save_fingerprint,
    save_item,
    save_item_failure,
)
from store.sources import SYNC_SOURCE, Source, note_look, source_by_id

NOTED_EVERY = 20  # items between two notes of how far a look is


OpenSource = Callable[[Source], Scanner]


class EmptiedSourceError(FootnoteError):
    """A place that held documents holds none: more likely it is not what it was."""


@dataclass
class Look:
    """What one look at a source found; `jobs` are those of new and changed items."""

    jobs: list[int] = field(default_factory=list)
    items: int = 0
    unchanged: int = 0
    failures: int = 0
    withdrawn: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything is new, different or gone."""
        return bool(self.jobs) or self.withdrawn > 0

    def to_json(self) -> dict[str, Any]:
        """Return the look as JSON types."""
        return {
            "items": self.items,
            "changed": len(self.jobs),
            "unchanged": self.unchanged,
            "failures": self.failures,
            "withdrawn": self.withdrawn,
            "jobs": self.jobs,
        }


def submit_sync(engine: Engine, source: Source, *, accept_empty: bool = False) -> int:
    """Have a source looked at; return the job's id, also of one that is under way."""
    payload = {"source_id": source.id, "accept_empty": accept_empty, "asked": True}
    with engine.begin() as connection:
        return submit(connection, source.workspace_id, SYNC_SOURCE, str(source.id), payload)


def run_sync_job(
    engine: Engine, job_id: int, open_source: OpenSource, *, lease: float = LEASE
) -> dict[str, Any] | None:
    """Claim a job and look at its source; None if another process has it or it is done.

    `open_source` gives the scanner of a source. A look that fails as a whole changes nothing but
    what is said of the source.
    """

    def work(job: Job, owner: str) -> dict[str, Any]:
        source = source_by_id(engine, job.payload["source_id"])
        if source is None or (source.state == "paused" and not job.payload.get("asked")):
            return Look().to_json()
        try:
            found = look(
                engine,
                source,
                open_source(source),
                accept_empty=bool(job.payload.get("accept_empty")),
                retry=bool(job.payload.get("asked")),
                note=lambda done: report_progress(engine, job.id, owner, done, 0),
            )
        except FootnoteError as error:
            note_look(engine, source.id, failure=str(error))
            raise
        return found.to_json()

    return run_leased(engine, job_id, work, "Looking at the source", lease=lease)


def look(
    engine: Engine,
    source: Source,
    scanner: Scanner,
    *,
    accept_empty: bool = False,
    retry: bool = False,
    note: Callable[[int], object] = lambda _: None,
) -> Look:
    """Look at a source once and submit a job for each new or changed item.

    A file that was refused is not read again until it changes, unless to `retry`. One whose job
    was cut short is, until that happened three times in a row.
    Raises SourceError where the place as a whole cannot be read, EmptiedSourceError where it
    held documents and now holds nothing, unless `accept_empty`. Then nothing counts as gone.
    """
    known = known_items(engine, source.id)
    seen = {
        key: Seen(None if _again(item, asked=retry) else item.fingerprint, item.sha256)
        for key, item in known.items()
    }
    looked = Look()
    there: set[str] = set()
    for found in scanner.scan(seen):
        there.add(found.key)
        looked.items += 1
        _take(engine, source, known.get(found.key), found, looked, retry=retry)
        if looked.items % NOTED_EVERY == 0:
            note(looked.items)
    gone = sorted(set(known) - there)
    if gone and not there and not accept_empty:
        held = "1 item" if len(gone) == 1 else f"{len(gone)} items"
        raise EmptiedSourceError(
            f"{source.name} held {held} and now holds nothing, so nothing was withdrawn;"
            " check the place, or sync it with --accept-empty if that is right."
        )
    looked.withdrawn = forget_items(engine, source.id, gone) if gone else 0
    note_look(engine, source.id, changed=looked.changed)
    return looked


def _take(
    engine: Engine,
    source: Source,
    known: KnownItem | None,
    found: Found,
    looked: Look,
    *,
    retry: bool,
) -> None:
    """Deal with one item of a look."""
    if isinstance(found, Failure):
        looked.failures += 1
        save_item_failure(engine, source.id, found.key, found.reason)
    elif isinstance(found, Unchanged):
        looked.unchanged += 1
        save_fingerprint(engine, source.id, found.key, found.fingerprint)
    else:
        sha256 = hashlib.sha256(found.data).hexdigest()
        same = known is not None and known.sha256 == sha256
        if known is not None and same and not _again(known, asked=retry):
            looked.unchanged += 1
            save_fingerprint(engine, source.id, found.key, found.fingerprint)
        else:
            again = known is not None and same and known.cut_short
            looked.jobs.append(_submit(engine, source, found, sha256, again=again))


def _again(item: KnownItem, *, asked: bool) -> bool:
    """Whether an item is read again even if it did not change.

    Of one that was refused that is for a person to ask; one that was cut short has no verdict.
    """
    return item.failure is not None and (asked or (item.cut_short and not item.given_up))


def _submit(engine: Engine, source: Source, item: Item, sha256: str, *, again: bool) -> int:
    """Keep an item's file with its job, and how the item stands, in one transaction.

    Who may read it is the source's to say when the job is done.
    """
    name = f"{source.name}/{printable(item.name)}"
    file = File(name, media_type(name), item.data)
    sender = Sender(author=f"source {source.name}", source_id=source.id, item=item.key)
    with engine.begin() as connection:
        job_id = submit_with(
            connection,
            source.workspace_id,
            file,
            given=Given(link=item.link),
            sender=sender,
        )
        save_item(
            connection,
            source.id,
            item.key,
            job_id=job_id,
            fingerprint=item.fingerprint,
            sha256=sha256,
            link=item.link,
            again=again,
        )
    return job_id
