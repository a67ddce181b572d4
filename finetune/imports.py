"""Transcripts from files: read row by row, kept together or not at all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from finetune.import_rows import Problem, TranscriptFileError, opened, rows_of
from store.audit import record
from store.transcripts import Imported, add_imported, submit_curation

BATCH = 200  # rows a statement
SHOWN = 20  # bad rows that are told
NAME = re.compile(r"[^\w.-]+")


@dataclass(frozen=True)
class ImportReport:
    """What became of a file: rows read, new ones, and those that could not be read."""

    file: str
    read: int
    added: int
    problems: tuple[Problem, ...]
    bad: int

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "file": self.file,
            "read": self.read,
            "added": self.added,
            "known": self.read - self.added,
            "bad": self.bad,
            "problems": [{"row": one.row, "reason": one.reason} for one in self.problems],
        }


def import_file(
    engine: Engine,
    workspace_id: int,
    path: Path,
    *,
    actor: str,
    audience: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    skip_bad: bool = False,
    name: str | None = None,
) -> ImportReport:
    """Keep the exchanges of a file in one transaction, with the first pass over them submitted.

    `columns` says which column of a CSV file is which: {"role": "Author"}. A bad row is refused
    with all the others, unless they are to be skipped. Raises TranscriptFileError.
    """
    shown = NAME.sub("-", name or path.name)[:80]
    read = added = bad = 0
    problems: list[Problem] = []
    batch: list[Imported] = []
    with opened(path) as stream, engine.begin() as connection:

        def keep() -> int:
            kept = add_imported(connection, workspace_id, batch, audience=audience, added_by=actor)
            batch.clear()
            return kept

        for found in rows_of(stream, shown, columns or {}):
            if isinstance(found, Problem):
                bad += 1
                problems += [found] if len(problems) < SHOWN else []
                continue
            read += 1
            batch.append(found)
            if len(batch) == BATCH:
                added += keep()
        added += keep()
        if bad and not skip_bad:
            raise TranscriptFileError(_refusal(shown, bad, problems))
        if not read:
            raise TranscriptFileError(f"{shown} holds no exchange; nothing was imported.")
        if added:
            submit_curation(connection, workspace_id)
        record(
            connection, workspace_id, actor, "transcripts imported", shown, read=read, added=added
        )
    return ImportReport(shown, read, added, tuple(problems), bad)


def _refusal(name: str, bad: int, problems: Sequence[Problem]) -> str:
    rows = "1 row" if bad == 1 else f"{bad} rows"
    more = f" … and {bad - len(problems)} more." if bad > len(problems) else ""
    told = " ".join(str(one) for one in problems)
    return (
        f"{name}: {rows} cannot be read, so nothing was imported. {told}{more} Mend them, or"
        " import the others with --skip-bad."
    )
