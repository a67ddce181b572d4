"""Which of the proposed rows a dataset holds, in which split and order.

A gate measures a model on the validation rows of the dataset that it was trained on. So these are
a gate's set too: what they know is taken out of training, like what any other set knows.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finetune.dataset.decontaminate import GateSet, gate_set_of, known_rows
from finetune.dataset.likeness import near
from finetune.dataset.manifest import Made
from finetune.dataset.proposals import Problem, Proposal
from finetune.dataset.splits import Placed, divide
from finetune.dataset.wanted import Wanted
from store.datasets import DatasetRow, Split
from store.transcripts import Transcript

OWN = "its own validation rows"


@dataclass(frozen=True)
class _Row:
    proposal: Proposal
    placed: Placed
    split: Split = "train"


def select(
    proposals: Sequence[Proposal],
    conversations: dict[int, str],
    wanted: Wanted,
    gates: Sequence[GateSet],
    left_out: Counter[str],
    problems: Sequence[Problem],
) -> Made:
    """Take out what is there twice or known to a gate, and split the rest.

    `conversations` names that of each transcript, by its id.
    """
    once: dict[str, _Row] = {}
    for one in proposals:
        key = _key(one.content)
        at = Placed(conversations[one.example.id], when(one.example), key)
        once.setdefault(key, _Row(one, at))
    rows, known = list(once.values()), []
    for gate in gates:
        rows, by = _without(rows, gate)
        known.append((gate, by))
    alike = list(near(["\n".join(row.proposal.said) for row in rows]))
    divided = divide([row.placed for row in rows], alike, wanted.validation_share, wanted.seed)
    rows = [
        _Row(row.proposal, row.placed, split)
        for row, split in zip(rows, divided.splits, strict=True)
    ]
    train = [row for row in rows if row.split == "train"]
    validation = [row for row in rows if row.split == "validation"]
    if validation:
        own = gate_set_of(OWN, [row.proposal.said for row in validation])
        train, by = _without(train, own)
        known.append((own, by))
    ordered = [
        row
        for split in (train, validation)
        for row in sorted(split, key=lambda row: (row.placed.at, row.placed.key))
    ]
    return Made(
        rows=tuple(
            DatasetRow(
                row.split,
                row.proposal.content,
                row.placed.conversation,
                row.proposal.example.id,
            )
            for row in ordered
        ),
        proposals=tuple(row.proposal for row in ordered),
        left_out=left_out,
        problems=tuple(problems),
        twice=len(proposals) - len(once),
        known=tuple(known),
        alike=len(alike),
        groups=divided.groups,
        largest=divided.largest,
    )


def when(example: Transcript) -> datetime:
    """Return when a conversation was."""
    return example.happened_at or example.created_at


def _without(rows: Sequence[_Row], gate: GateSet) -> tuple[list[_Row], Counter[str]]:
    """Return the rows that a set does not know, and how often it knew one in which way."""
    said = [(row.placed.conversation, row.proposal.said) for row in rows]
    hits = known_rows(said, gate.texts)
    kept = [row for place, row in enumerate(rows) if place not in hits]
    return kept, Counter(hits.values())


def _key(content: dict[str, Any]) -> str:
    written = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()
