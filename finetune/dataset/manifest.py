"""What is told of a dataset: where its rows come from, what was left out, how it was split."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.dataset.checks import letters_of
from finetune.dataset.decontaminate import RUN, GateSet
from finetune.dataset.likeness import ALIKE, SHINGLE
from finetune.dataset.proposals import Problem, Proposal
from finetune.dataset.wanted import LETTERS_A_TOKEN, RULES_VERSION, Wanted, tokens_of
from retrieval.raft import RAFT_RULES
from retrieval.voice import REGISTERS, STYLE_RULES, TONE_RULES
from store.datasets import DatasetRow, dataset_sha256
from store.transcripts import Transcript, TranscriptState

NAMED = 50  # problems that a manifest names; it counts them all


@dataclass(frozen=True)
class Read:
    """What was read: transcripts by state, how many were approved, those that were wanted."""

    states: Mapping[TranscriptState, int]
    approved: int
    chosen: tuple[Transcript, ...]


@dataclass(frozen=True)
class Made:
    """Rows in their order with what they were made of, and what became of the others.

    `twice` counts rows that were there already, `known` those that a gate's set knows, by how.
    `alike` counts joins of near-duplicates, `groups` what was split, `largest` in rows.
    """

    rows: tuple[DatasetRow, ...]
    proposals: tuple[Proposal, ...]
    left_out: Counter[str]
    problems: tuple[Problem, ...]
    twice: int
    known: tuple[tuple[GateSet, Counter[str]], ...]
    alike: int
    groups: int
    largest: int


def manifest_of(made: Made, read: Read, wanted: Wanted) -> dict[str, Any]:
    """Return all that is told of a dataset, as JSON types and without words of rows."""
    used = {one.example.id: one.example for one in made.proposals}
    redactions: Counter[str] = Counter()
    for example in used.values():
        redactions.update(example.redactions)
    by_split = {
        split: [row for row in made.rows if row.split == split]
        for split in ("train", "validation")
    }
    return {
        "format": wanted.format,
        "sha256": dataset_sha256(wanted.format, made.rows),
        "rules": {
            "version": RULES_VERSION,
            "prompts": prompts_sha256(),
            "near_duplicates": f"{ALIKE} of {SHINGLE}-word runs shared",
            "decontamination": f"{RUN} words in order that are no phrase of the house",
            "tokens": f"letters / {LETTERS_A_TOKEN}, an estimate",
        },
        "wanted": wanted.to_json(),
        "rows": {split: len(rows) for split, rows in by_split.items()},
        "by": {
            "source": _counted(one.source for one in made.proposals),
            "origin": _counted(one.example.origin for one in made.proposals),
            "language": _counted(one.example.language or "unknown" for one in made.proposals),
            "label": _counted(
                label for one in made.proposals for label in (*one.labels, *_labels(one.example))
            ),
            "audience": _counted(
                ", ".join(one.example.audience) or "curators" for one in made.proposals
            ),
        },
        "transcripts": {
            "by_state": dict(sorted(read.states.items())),
            "approved": read.approved,
            "wanted": len(read.chosen),
            "used": len(used),
            "ids": sorted(used),
        },
        "redactions": dict(sorted(redactions.items())),
        "quarantined": read.states.get("quarantined", 0),
        "left_out": dict(made.left_out.most_common()),
        "problems": {
            "all": len(made.problems),
            "named": [str(problem) for problem in made.problems[:NAMED]],
        },
        "duplicates": made.twice,
        "near_duplicates": {
            "joined": made.alike,
            "groups": made.groups,
            "largest_group": made.largest,
        },
        "decontaminated": [
            {
                "set": gate.name,
                "sha256": gate.sha256,
                "texts": len(gate.texts),
                "rows": sum(by.values()),
                "by": dict(sorted(by.items())),
            }
            for gate, by in made.known
        ],
        "tokens": {split: sum(map(_tokens, rows)) for split, rows in by_split.items()}
        | {"longest": max(map(_tokens, made.rows), default=0)},
        "time": _times(made),
    }


def prompts_sha256() -> str:
    """Return a hash of the rules that rows begin with: it changes when a prompt does."""
    rules = [TONE_RULES, STYLE_RULES, RAFT_RULES, *REGISTERS.values()]
    return hashlib.sha256("\0".join(rules).encode()).hexdigest()


def _tokens(row: DatasetRow) -> int:
    return tokens_of(letters_of(row.content))


def _labels(example: Transcript) -> list[str]:
    """Return a transcript's labels as they are counted; of several values, each."""
    found = []
    for name, value in sorted(example.labels.items()):
        for one in value if isinstance(value, list) else [value]:
            found.append(f"{name}: {one}")
    return found


def _counted(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _times(made: Made) -> dict[str, str | None]:
    moments = {
        split: sorted(
            one.example.happened_at or one.example.created_at
            for row, one in zip(made.rows, made.proposals, strict=True)
            if row.split == split
        )
        for split in ("train", "validation")
    }
    everything = sorted([*moments["train"], *moments["validation"]])
    later = moments["validation"]
    return {
        "from": everything[0].isoformat() if everything else None,
        "to": everything[-1].isoformat() if everything else None,
        "validation_from": later[0].isoformat() if later else None,
    }
