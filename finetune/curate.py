"""The first pass over transcripts: redacted, judged by their form, compared with each other.

It is done by a job and can be done again: only what was not read yet is read, and what changed
while it was read is left for the next turn. Names and words are never logged.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from finetune.findings import QUARANTINE, find, sentences_of
from finetune.likeness import Likes, signature
from finetune.quality import language, quality
from finetune.redact import redact
from finetune.spans import PLACEHOLDER
from store.access import OPERATOR_ACCESS
from store.curation import (
    FirstPass,
    count_unread,
    one_at_a_time,
    read_signatures,
    save_first_pass,
    unread_transcripts,
)
from store.jobs import Job, report_progress
from store.leases import LEASE, run_leased
from store.names import read_names
from store.search import versions_in_force
from store.transcripts import Finding, Said, Transcript

BATCH = 50  # transcripts a turn
SAME = 0.999  # likeness from which two say exactly the same

Progress = Callable[[int, int], None]


@dataclass
class CurationReport:
    """What a first pass did: how many it read, and what it found in them, by kind."""

    read: int = 0
    quarantined: int = 0
    duplicates: int = 0
    redactions: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "read": self.read,
            "quarantined": self.quarantined,
            "duplicates": self.duplicates,
            "redactions": dict(sorted(self.redactions.items())),
            "findings": dict(sorted(self.findings.items())),
        }

    def count(self, found: FirstPass) -> None:
        """Add what was found in one transcript."""
        self.read += 1
        self.quarantined += found.quarantined
        self.duplicates += found.duplicate_of is not None
        self.redactions.update(found.redactions)
        self.findings.update({finding.kind for finding in found.findings})


@dataclass(frozen=True)
class Knowledge:
    """What the first pass holds exchanges against."""

    names: tuple[str, ...]
    hosts: frozenset[str]
    documents: frozenset[str]


def curate(
    engine: Engine,
    workspace_id: int,
    hosts: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> CurationReport:
    """Read all that was not read yet; `hosts` are those to which links may lead.

    One pass at a time goes over a workspace, so that no two exchanges that say the same are both
    taken for the earlier one.
    """
    report = CurationReport()
    with one_at_a_time(engine, workspace_id):
        total = count_unread(engine, workspace_id)
        if not total:
            return report
        now = datetime.now(UTC)
        versions = versions_in_force(engine, workspace_id, OPERATOR_ACCESS, now)
        known = Knowledge(
            read_names(engine, workspace_id),
            hosts,
            sentences_of([version.text for version in versions]),
        )
        likes = Likes(read_signatures(engine, workspace_id))
        while batch := unread_transcripts(engine, workspace_id, BATCH):
            for transcript in batch:
                found = first_pass(transcript, known, likes)
                with engine.begin() as connection:
                    kept = save_first_pass(connection, transcript, found)
                if kept:
                    report.count(found)
                    if found.duplicate_of is None:
                        likes.add(transcript.id, found.signature)
            if progress is not None:
                progress(report.read, max(total, report.read))
    return report


def first_pass(transcript: Transcript, known: Knowledge, likes: Likes) -> FirstPass:
    """Return what the first pass says of one transcript."""
    texts = [message.text for message in transcript.messages]
    disliked = [] if transcript.disliked is None else [transcript.disliked]
    done = redact([*texts, *disliked], known.names)
    messages = tuple(
        replace(message, text=text)
        for message, text in zip(transcript.messages, done.texts, strict=False)
    )
    judged = quality(messages)
    found = list(
        find(
            messages,
            quality=judged,
            redactions=frozenset(done.counts),
            hosts=known.hosts,
            documents=known.documents,
        )
    )
    signed = signature(messages)
    earlier = likes.earliest(signed)
    if earlier is not None:
        how = "the same as" if earlier[1] >= SAME else "nearly the same as"
        found.append(Finding("duplicate", f"It says {how} transcript {earlier[0]}."))
    return FirstPass(
        redacted=messages,
        redactions=done.counts,
        findings=tuple(found),
        quarantined=any(finding.kind in QUARANTINE for finding in found),
        disliked=done.texts[-1] if disliked else None,
        language=language([message.text for message in messages]),
        quality=judged,
        signature=signed,
        duplicate_of=earlier[0] if earlier else None,
    )


def redacted_again(
    messages: Sequence[Said], names: Sequence[str] = ()
) -> tuple[tuple[Said, ...], dict[str, int]]:
    """Return edited messages with placeholders for what an edit brought in, and all counts."""
    done = redact([message.text for message in messages], names)
    again = tuple(
        replace(message, text=text) for message, text in zip(messages, done.texts, strict=True)
    )
    return again, placeholders(again)


def placeholders(messages: Sequence[Said]) -> dict[str, int]:
    """Return how many placeholders of each kind stand in messages."""
    kinds = Counter(
        found[0][1:].rpartition("_")[0]
        for message in messages
        for found in PLACEHOLDER.finditer(message.text)
    )
    return dict(sorted(kinds.items()))


def run_curation_job(
    engine: Engine, job_id: int, hosts: frozenset[str] = frozenset(), *, lease: float = LEASE
) -> dict[str, Any] | None:
    """Claim a job and do the first pass; None if another process has it or it is done."""

    def work(job: Job, owner: str) -> dict[str, Any]:
        def note(done: int, total: int) -> None:
            report_progress(engine, job.id, owner, done, total)

        return curate(engine, job.workspace_id, hosts, note).to_json()

    return run_leased(engine, job_id, work, "The first pass over transcripts", lease=lease)
