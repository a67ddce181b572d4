"""The items of watched sources: what a look found, and what became of their documents."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from store.audit import record
from store.rechecks import recheck_quotes_of

MAX_TRIES = 3  # jobs in a row that may be cut short over the same bytes

FAILURES = """
    (SELECT count(*) FROM source_items i
     LEFT JOIN jobs j ON j.id = i.job_id AND j.state = 'failed'
     WHERE i.source_id = s.id AND (i.failure IS NOT NULL OR j.id IS NOT NULL))
"""
"""How many items of the source `s` are not read."""


@dataclass(frozen=True)
class KnownItem:
    """What is kept of an item: how to tell whether it changed, and what it became.

    `failure` is why it was not read. If its job was `cut_short`, that says nothing of its file:
    the worker was killed, interrupted or out of time. `tries` counts the jobs over the same
    bytes, the last included, of which all before were cut short.
    """

    key: str
    fingerprint: str | None
    sha256: str | None
    document_id: int | None
    failure: str | None
    cut_short: bool
    tries: int

    @property
    def given_up(self) -> bool:
        """Whether it was cut short so often that looks leave it until it changes."""
        return self.cut_short and self.tries >= MAX_TRIES

    @property
    def reason(self) -> str | None:
        """Why it was not read as a person reads it, with what comes next if it was cut short."""
        if self.given_up:
            return (
                f"{self.failure} Its last {self.tries} jobs ended early, so it is read again only"
                " when it changes or when you ask: footnote sources sync, or Look again in Slack."
            )
        if self.cut_short:
            return f"{self.failure} It is read again at the next look."
        return self.failure


def known_items(engine: Engine, source_id: int) -> dict[str, KnownItem]:
    """Return what is kept of a source's items, by key."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT i.key, i.fingerprint, i.sha256, i.document_id,"
                " coalesce(i.failure, j.error) AS failure,"
                " i.failure IS NULL AND j.id IS NOT NULL AS cut_short, i.tries"
                " FROM source_items i"
                " LEFT JOIN jobs j ON j.id = i.job_id AND j.state = 'failed'"
                " WHERE i.source_id = :id ORDER BY i.key"
            ),
            {"id": source_id},
        )
        return {row.key: KnownItem(**row._mapping) for row in rows}


def save_item(
    connection: Connection,
    source_id: int,
    key: str,
    *,
    job_id: int,
    fingerprint: str | None,
    sha256: str,
    link: str | None,
    again: bool = False,
) -> None:
    """Write down how an item stands now, and the job that reads it.

    What it failed of before is past; `again` says that the job before was cut short over the
    same bytes.
    """
    connection.execute(
        text(
            "INSERT INTO source_items (source_id, key, job_id, fingerprint, sha256, link)"
            " VALUES (:source_id, :key, :job_id, :fingerprint, :sha256, :link)"
            " ON CONFLICT (source_id, key) DO UPDATE SET job_id = excluded.job_id,"
            " fingerprint = excluded.fingerprint, sha256 = excluded.sha256,"
            " link = excluded.link, failure = NULL, checked_at = now(),"
            " tries = CASE WHEN :again THEN source_items.tries + 1 ELSE 1 END"
        ),
        {
            "source_id": source_id,
            "key": key,
            "job_id": job_id,
            "fingerprint": fingerprint,
            "sha256": sha256,
            "link": link,
            "again": again,
        },
    )


def save_fingerprint(engine: Engine, source_id: int, key: str, fingerprint: str | None) -> None:
    """Write down that an item was seen and holds the same bytes as before."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE source_items SET fingerprint = :fingerprint, checked_at = now()"
                " WHERE source_id = :source_id AND key = :key"
            ),
            {"source_id": source_id, "key": key, "fingerprint": fingerprint},
        )


def save_item_failure(engine: Engine, source_id: int, key: str, reason: str) -> None:
    """Write down why an item could not be fetched; it will be fetched again at the next look."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO source_items (source_id, key, failure)"
                " VALUES (:source_id, :key, :reason) ON CONFLICT (source_id, key)"
                " DO UPDATE SET failure = excluded.failure, fingerprint = NULL, sha256 = NULL,"
                " checked_at = now()"
            ),
            {"source_id": source_id, "key": key, "reason": reason},
        )


def item_ended(
    engine: Engine,
    source_id: int,
    key: str,
    job_id: int,
    *,
    document_id: int | None = None,
    failure: str | None = None,
    lasting: bool = False,
) -> None:
    """Write down what became of an item's file by a job: its document, or why it was refused.

    A `lasting` refusal is the file's own and holds until it changes; after another the file is
    read again at the next look. Whether the item is read is for its latest job to say: an older
    one, late, neither refuses it nor takes a refusal back.
    A document that the item was before is withdrawn, and so is one whose item has vanished
    meanwhile; a refused file leaves the document as it was.
    """
    with engine.begin() as connection:
        before = connection.execute(
            text(
                "SELECT document_id, coalesce(job_id, :job_id) = :job_id AS latest"
                " FROM source_items WHERE source_id = :source_id AND key = :key FOR UPDATE"
            ),
            {"source_id": source_id, "key": key, "job_id": job_id},
        ).one_or_none()
        if failure is None:
            stale = document_id if before is None else before.document_id
            if before is not None:
                connection.execute(
                    text(
                        "UPDATE source_items SET document_id = :document_id,"
                        " failure = CASE WHEN :latest THEN NULL ELSE failure END"
                        " WHERE source_id = :source_id AND key = :key"
                    ),
                    {
                        "source_id": source_id,
                        "key": key,
                        "document_id": document_id,
                        "latest": before.latest,
                    },
                )
            if stale is not None and (before is None or stale != document_id):
                _withdraw(connection, source_id, [stale])
        elif before is not None and before.latest:
            connection.execute(
                text(
                    "UPDATE source_items SET failure = :failure,"
                    " fingerprint = CASE WHEN :lasting THEN fingerprint END,"
                    " sha256 = CASE WHEN :lasting THEN sha256 END"
                    " WHERE source_id = :source_id AND key = :key"
                ),
                {
                    "source_id": source_id,
                    "key": key,
                    "failure": failure,
                    "lasting": lasting,
                },
            )


def forget_items(engine: Engine, source_id: int, keys: Sequence[str]) -> int:
    """Withdraw the documents of items that are gone; return how many there were."""
    with engine.begin() as connection:
        ids = connection.execute(
            text(
                "DELETE FROM source_items WHERE source_id = :source_id AND key = ANY(:keys)"
                " RETURNING document_id"
            ),
            {"source_id": source_id, "keys": list(keys)},
        ).scalars()
        return _withdraw(connection, source_id, [one for one in ids.all() if one is not None])


def _withdraw(connection: Connection, source_id: int, document_ids: Sequence[int]) -> int:
    """Delete those of a source's documents that none of its items is any more."""
    rows = connection.execute(
        text(
            "UPDATE documents d SET deleted_at = now(), deleted_by = 'source ' || s.name"
            " FROM sources s WHERE s.id = :source_id AND d.source_id = s.id"
            " AND d.id = ANY(:ids) AND d.deleted_at IS NULL AND NOT EXISTS"
            " (SELECT FROM source_items i WHERE i.document_id = d.id)"
            " RETURNING d.id, d.workspace_id, d.key, s.name"
        ),
        {"source_id": source_id, "ids": list(document_ids)},
    ).all()
    for row in rows:
        record(
            connection,
            row.workspace_id,
            f"source {row.name}",
            "document deleted",
            row.key,
            reason="it is gone from its source",
        )
        recheck_quotes_of(connection, row.id)
    return len(rows)


def item_failures(engine: Engine, source_id: int) -> list[KnownItem]:
    """Return the items that could not be read, by key."""
    return [item for item in known_items(engine, source_id).values() if item.failure]
