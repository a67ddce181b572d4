"""Tries what a file of transcripts would give, before anybody imports and reviews it.

The file goes through the same first pass in memory, and what that leaves counts as approved. So
the rows are shown and counted, and kept nowhere: nothing is trained on what nobody approved.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from finetune.curate import Knowledge, first_pass
from finetune.dataset.build import Draft, Told, draft_dataset
from finetune.dataset.decontaminate import GateSet
from finetune.dataset.wanted import DatasetError, Wanted
from finetune.findings import sentences_of
from finetune.import_rows import Problem, opened, rows_of
from finetune.likeness import Likes
from retrieval.retriever import Retriever
from store.access import OPERATOR_ACCESS
from store.names import read_names
from store.search import versions_in_force
from store.transcripts import Imported, Transcript, TranscriptState

READER = "trial"  # in place of whoever would add and review them


def try_file(
    engine: Engine,
    workspace_id: int,
    path: Path,
    wanted: Wanted,
    *,
    hosts: frozenset[str] = frozenset(),
    gates: Sequence[GateSet] = (),
    retriever: Retriever | None = None,
    told: Told,
) -> Draft:
    """Return the dataset that a file would give if all that the first pass leaves were approved.

    `hosts` are those to which links may lead. Raises DatasetError for rows that cannot be read,
    unless they are to be skipped, and TranscriptFileError for the file.
    """
    read, problems = [], []
    with opened(path) as stream:
        for found in rows_of(stream, path.name, {}):
            if isinstance(found, Problem):
                problems.append(found)
            else:
                read.append(found)
    if problems and not wanted.skip_bad:
        raise DatasetError(
            f"{path.name}: {problems[0]} {len(problems)} rows cannot be read; --skip-bad leaves"
            " them out."
        )
    now = datetime.now(UTC)
    versions = versions_in_force(engine, workspace_id, OPERATOR_ACCESS, now)
    names = read_names(engine, workspace_id)
    known = Knowledge(names, hosts, sentences_of([version.text for version in versions]))
    likes, states = Likes(), Counter[TranscriptState]()
    examples = []
    for number, one in enumerate(read, start=1):
        told("First pass", number, len(read))
        example = _read(number, one, known, likes, now)
        states[example.state] += 1
        if example.state == "approved":
            examples.append(example)
    draft = draft_dataset(
        engine,
        workspace_id,
        wanted,
        examples,
        gates=gates,
        names=names,
        retriever=retriever,
        told=told,
        states=states,
    )
    # The numbers are the file's rows: of kept transcripts, others have them.
    rows = tuple(replace(row, transcript_id=None) for row in draft.rows)
    return replace(draft, rows=rows, manifest=draft.manifest | {"trial": path.name})


def _read(number: int, one: Imported, known: Knowledge, likes: Likes, now: datetime) -> Transcript:
    """Return an exchange as its first pass leaves it: quarantined, a duplicate, or approved."""
    came = Transcript(
        id=number,
        origin="import",
        origin_key=one.key,
        messages=one.messages,
        audience=(),
        user_id=None,
        added_by=READER,
        state="candidate",
        created_at=now,
        labels=one.labels,
        happened_at=one.happened_at,
    )
    found = first_pass(came, known, likes)
    state: TranscriptState = "approved"
    if found.quarantined:
        state = "quarantined"
    elif found.duplicate_of is not None:
        state = "candidate"
    else:
        likes.add(number, found.signature)
    return replace(
        came,
        redacted=found.redacted,
        redactions=dict(found.redactions),
        findings=found.findings,
        language=found.language,
        quality=found.quality,
        duplicate_of=found.duplicate_of,
        state=state,
    )
