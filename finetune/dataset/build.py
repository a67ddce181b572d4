"""Builds a dataset of what was approved: rows, checks, splits, manifest, kept in one transaction.

The same transcripts, documents and wishes give the same rows in the same order, and so the same
hash. Nothing enters a row that nobody approved: an answer of the bot counts only through an
approved transcript about it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from core.settings import Settings
from finetune.dataset.checks import left_unredacted, refuse, wrong_row
from finetune.dataset.cited_rows import pair_rows, raft_rows
from finetune.dataset.decontaminate import GateSet
from finetune.dataset.manifest import Read, manifest_of
from finetune.dataset.proposals import Proposal, Proposed, unusable
from finetune.dataset.route_rows import route_rows
from finetune.dataset.selection import select, when
from finetune.dataset.voice_rows import preference_rows, voice_rows
from finetune.dataset.wanted import DatasetError, Wanted
from retrieval.embeddings import Embedders, open_embedder
from retrieval.retriever import Retriever
from store.answers import Answer
from store.datasets import Dataset, DatasetRow, Format, renew_dataset, save_dataset
from store.examples import changed_since, conversations_of, known_answers
from store.names import read_names
from store.spaces import active_space
from store.transcripts import Transcript, TranscriptState, count_by_state, list_transcripts

PASSAGES: tuple[Format, ...] = ("raft", "pairs")
"""The formats whose rows hold passages."""

Told = Callable[[str, int, int], None]
"""Hears what is done, how many are done, and of how many."""


def _quiet(_doing: str, _done: int, _total: int) -> None:
    return


@dataclass(frozen=True)
class Draft:
    """A dataset before it is kept: its rows in order and its manifest."""

    format: Format
    rows: tuple[DatasetRow, ...]
    manifest: dict[str, Any]


def build_dataset(
    engine: Engine,
    config: Settings,
    workspace_id: int,
    chosen: Format,
    name: str,
    actor: str,
    *,
    wanted: Wanted | None = None,
    gates: Sequence[GateSet] = (),
    retriever: Retriever | None = None,
    told: Told = _quiet,
) -> Dataset:
    """Build and keep a dataset of a format; the same rows again are the dataset that there is.

    `gates` are sets that nothing may be trained on. A `retriever` is opened where the format
    needs one and none is given. Raises DatasetError, with the transcript and the fix, and keeps
    nothing then.
    """
    whole = replace(wanted or Wanted(chosen), format=chosen)
    examples = list_transcripts(engine, workspace_id, "approved", None)
    if retriever is None and examples and searches(engine, workspace_id, chosen):
        embedder = open_embedder(config)
        retriever = Retriever(engine, workspace_id, embedder, Embedders(config, embedder).named)
    draft = draft_dataset(
        engine,
        workspace_id,
        whole,
        examples,
        gates=gates,
        names=read_names(engine, workspace_id),
        retriever=retriever,
        told=told,
    )
    read = {one.id: one.revision for one in examples}
    used = {row.transcript_id: read[row.transcript_id] for row in draft.rows if row.transcript_id}
    with engine.begin() as connection:
        if changed_since(connection, workspace_id, used):
            raise DatasetError(
                "Transcripts were changed while the dataset was built; build it again."
            )
        dataset, _ = save_dataset(
            connection, workspace_id, name, chosen, draft.rows, draft.manifest, actor
        )
        if dataset.withdrawn_at is not None:
            dataset = renew_dataset(connection, dataset, draft.rows, draft.manifest, actor)
    return dataset


def searches(engine: Engine, workspace_id: int, chosen: Format) -> bool:
    """Whether rows of a format are found by searching in a workspace's documents."""
    if chosen == "sft":  # also what documents say in the team's words, if there are any
        return active_space(engine, workspace_id) is not None
    return chosen in PASSAGES


def draft_dataset(
    engine: Engine,
    workspace_id: int,
    wanted: Wanted,
    examples: Sequence[Transcript],
    *,
    gates: Sequence[GateSet] = (),
    names: Iterable[str] = (),
    retriever: Retriever | None = None,
    told: Told = _quiet,
    states: Mapping[TranscriptState, int] | None = None,
) -> Draft:
    """Make rows and manifest of approved transcripts without keeping anything.

    `names` are people's, as a directory has them. `states` counts all transcripts that there are,
    where they are not the workspace's own.
    """
    if not 0 <= wanted.validation_share < 1 or not 0 <= wanted.refusals < 1:
        raise DatasetError("A share is a number from 0 to less than 1; write 0.1 for a tenth.")
    chosen, left_out = _chosen(examples, wanted)
    directory = tuple(names)
    problems = [
        problem
        for one in _heard(chosen, "Checking", told)
        for problem in (unusable(one) or left_unredacted(one, directory),)
        if problem is not None
    ]
    bad = {problem.transcript_id for problem in problems}
    sound = [one for one in chosen if one.id not in bad]
    ids = [one.answer_id for one in sound if one.answer_id is not None]
    answers = known_answers(engine, workspace_id, ids)
    proposed = _proposed(sound, wanted, answers, retriever, told)
    problems += proposed.problems
    problems += [p for one in proposed.rows if (p := wrong_row(one, wanted)) is not None]
    if not wanted.skip_bad:
        refuse(problems)
    left_out += proposed.left_out
    rows = _sound(proposed.rows, {problem.transcript_id for problem in problems})
    places = conversations_of(engine, workspace_id, ids)
    conversations = {one.id: _conversation(one, places) for one in sound}
    made = select(rows, conversations, wanted, gates, left_out, problems)
    if not made.rows:
        raise DatasetError(_nothing(engine, workspace_id, wanted, examples, left_out))
    counted = count_by_state(engine, workspace_id) if states is None else states
    read = Read(counted, len(examples), tuple(chosen))
    return Draft(wanted.format, made.rows, manifest_of(made, read, wanted))


def _chosen(
    examples: Sequence[Transcript], wanted: Wanted
) -> tuple[list[Transcript], Counter[str]]:
    """Return the approved transcripts that are wanted, oldest first, and why others are not."""
    chosen, left_out = [], Counter[str]()
    for one in sorted(examples, key=lambda one: (when(one), one.origin, one.origin_key)):
        if one.state != "approved":  # whatever the caller read
            left_out["it is not approved"] += 1
        elif one.quality is not None and one.quality < wanted.min_quality:
            left_out["its quality is below the wanted one"] += 1
        elif not all(_has(one, name, value) for name, value in wanted.labels):
            left_out["it has not the wanted label"] += 1
        elif wanted.audience and not set(wanted.audience) & set(one.audience):
            left_out["it may not be seen by the wanted people"] += 1
        else:
            chosen.append(one)
    return chosen, left_out


def _has(example: Transcript, name: str, value: str) -> bool:
    """Whether a transcript has a label; of several values, one of them counts."""
    kept = example.labels.get(name)
    return value in kept if isinstance(kept, list) else kept == value


def _proposed(
    examples: Sequence[Transcript],
    wanted: Wanted,
    answers: dict[str, Answer],
    retriever: Retriever | None,
    told: Told,
) -> Proposed:
    now = datetime.now(UTC)
    if wanted.format == "sft":
        return voice_rows(_heard(examples, "Reading", told), wanted, retriever, now)
    if wanted.format == "dpo":
        return preference_rows(examples, wanted)
    if wanted.format == "routes":
        return route_rows(examples, wanted, answers)
    if retriever is None:
        return Proposed()  # there are no examples to search for
    heard = _heard(examples, "Searching", told)
    if wanted.format == "raft":
        return raft_rows(heard, wanted, answers, retriever, now)
    return pair_rows(heard, wanted, answers, retriever, now)


def _heard(examples: Sequence[Transcript], doing: str, told: Told) -> Iterator[Transcript]:
    """Yield transcripts, telling how many were yielded."""
    for done, one in enumerate(examples):
        told(doing, done, len(examples))
        yield one
    told(doing, len(examples), len(examples))


def _sound(rows: Sequence[Proposal], bad: set[int]) -> list[Proposal]:
    return [one for one in rows if one.example.id not in bad]


def _conversation(example: Transcript, places: dict[str, int]) -> str:
    """Name the conversation: that of its answer, where it is known, else the transcript's own."""
    place = places.get(example.answer_id or "")
    if place is not None:
        return f"conversation:{place}"
    return f"{example.origin}:{example.origin_key}"


def _nothing(
    engine: Engine,
    workspace_id: int,
    wanted: Wanted,
    examples: Sequence[Transcript],
    left_out: Counter[str],
) -> str:
    """Return the sentence that says why there is no row, and what to do."""
    if not examples:
        waiting = count_by_state(engine, workspace_id).get("candidate", 0)
        return (
            f"No transcript is approved yet, and {waiting} wait; approve some with `footnote"
            " transcripts review`."
        )
    why = "; ".join(f"{reason} ({count})" for reason, count in left_out.most_common(3))
    missing = {
        "routes": "label some with `footnote transcripts label`",
        "dpo": "edit replies in `footnote transcripts review`, or give better answers to thumbs"
        " down",
        "raft": "add the documents that the replies speak of",
        "pairs": "add the documents that the replies speak of",
    }.get(wanted.format, "approve more with `footnote transcripts review`")
    return (
        f"None of {len(examples)} approved transcripts gives a row of the format"
        f" {wanted.format}{': ' + why if why else ''}; {missing}."
    )
