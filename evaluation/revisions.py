"""Revisions of policies in order of their dates: is the new wording answered, never the old?"""

import difflib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.errors import NotFoundError
from evaluation.statistics import Share, share
from graph.graph import Agent
from graph.state import Question
from ingestion.canonical import visible, visible_markdown
from ingestion.ingest import Given, Ingester, media_type
from store.answers import Answer
from store.documents import Version, read_versions
from store.publish import File

MANIFEST = "manifest.jsonl"
CHANGES = "changed_sentences.jsonl"
JUST_BEFORE = timedelta(seconds=1)
STATED = 0.6  # of a sentence's words, that quotes must hold to count as stating it
LEAST_WORDS = 4  # a sentence needs so many to be asked about


@dataclass(frozen=True)
class Revision:
    """A file that came into force at a time as the next version of a document."""

    document: str
    path: Path
    at: datetime


@dataclass(frozen=True)
class Change:
    """A sentence that a revision put in another's place, both as people see them."""

    document: str
    to: str  # the revision's file name
    old: str
    new: str


@dataclass(frozen=True)
class Published:
    """What a revision cost: chunks embedded, of so many."""

    revision: Revision
    is_new: bool
    embedded: int
    chunks: int


@dataclass
class RevisionsReport:
    """What came of all revisions; shares are over changed sentences."""

    published: list[Published] = field(default_factory=list)
    skipped: int = 0  # sentences that read the same, or stand in both versions
    new_quoted: list[bool] = field(default_factory=list)
    old_quoted: list[bool] = field(default_factory=list)
    old_then: list[bool] = field(default_factory=list)
    new_then: list[bool] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)  # of each question, for the intervals

    def shares(self) -> dict[str, Share]:
        """Return the four shares by name."""
        return {
            "new wording is quoted now": share(self.documents, self.new_quoted),
            "old wording is quoted now": share(self.documents, self.old_quoted),
            "old wording is quoted as of then": share(self.documents, self.old_then),
            "new wording is quoted as of then": share(self.documents, self.new_then),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "revisions": [
                {
                    "document": one.revision.document,
                    "file": one.revision.path.name,
                    "date": one.revision.at.isoformat(),
                    "new_version": one.is_new,
                    "embedded": one.embedded,
                    "chunks": one.chunks,
                }
                for one in self.published
            ],
            "skipped": self.skipped,
            **{name: value.to_json() for name, value in self.shares().items()},
        }


def load_revisions(path: Path) -> tuple[list[Revision], list[Change]]:
    """Read a folder's manifest and changed sentences. Raises NotFoundError."""
    manifest = path / MANIFEST
    if not manifest.exists():
        raise NotFoundError(f"{path} has no {MANIFEST}; name a folder of revisions.")
    revisions = []
    for row in _rows(manifest):
        at = datetime.fromisoformat(row.get("date") or row["first_committed"])
        document = row.get("doc") or path.name
        revisions.append(Revision(document, path / row["file"], at.astimezone(UTC)))
    changes = [
        Change(row["doc"], row["to"], _seen(row["old"]), _seen(row["new"]))
        for row in (_rows(path / CHANGES) if (path / CHANGES).exists() else ())
    ]
    return sorted(revisions, key=lambda revision: revision.at), changes


def _rows(path: Path) -> Iterator[Any]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _seen(words: str) -> str:
    """Return a sentence as people see it, on one line."""
    return visible(visible_markdown(words))


def workspace_key(path: Path) -> str:
    """Return the key of the workspace in which a folder's revisions are ingested."""
    return f"eval:revisions:{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"


def evaluate_revisions(
    revisions: list[Revision],
    changes: list[Change],
    ingester: Ingester,
    agent: Agent,
    read: Callable[[int], Version],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RevisionsReport:
    """Ingest each revision in order of date; after each, ask about the sentences it changed."""
    report = RevisionsReport()
    texts: dict[str, str] = {}  # the text in force, by document
    for number, revision in enumerate(revisions, start=1):
        file = File(revision.path.name, media_type(revision.path.name), revision.path.read_bytes())
        given = Given(document=revision.document, effective_from=revision.at)
        done = ingester.ingest(file, given=given)
        report.published.append(Published(revision, done.is_new, done.embedded, done.chunks))
        before = texts.get(revision.document, "")
        after = texts[revision.document] = visible(read(done.version_id).text)
        for change in changes:
            if (change.document, change.to) == (revision.document, revision.path.name):
                _ask(report, agent, change, revision, before, after)
        progress(number, len(revisions))
    return report


def _ask(
    report: RevisionsReport,
    agent: Agent,
    change: Change,
    revision: Revision,
    before: str,
    after: str,
) -> None:
    """Ask about one changed sentence, now and as of the moment before."""
    replaced = change.old in before and change.old not in after
    fresh = change.new in after and change.new not in before
    question = question_about(change)
    if not (replaced and fresh) or len(question.split()) < LEAST_WORDS:
        report.skipped += 1
        return
    now = agent.answer(Question(question))
    then = agent.answer(Question(question, as_of=revision.at - JUST_BEFORE))
    report.documents.append(change.document)
    report.new_quoted.append(states(now, change.document, change.new))
    report.old_quoted.append(holds(now, change.document, change.old))
    report.old_then.append(states(then, change.document, change.old))
    report.new_then.append(holds(then, change.document, change.new))


def question_about(change: Change) -> str:
    """Return a question of the words that both wordings have, in their order."""
    old, new = change.old.split(), change.new.split()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    common = [word for m in matcher.get_matching_blocks() for word in new[m.b : m.b + m.size]]
    words = common if len(common) >= LEAST_WORDS else new
    return f"What is the rule: {' '.join(words)}?"


def states(answer: Answer, document: str, sentence: str) -> bool:
    """Whether an answer's quotes from a document hold most words of a sentence, in one stretch."""
    for citation in answer.citations:
        if citation.document != document:
            continue
        quote = visible(citation.quote)
        if quote in sentence or sentence in quote:
            return True
        matcher = difflib.SequenceMatcher(None, sentence.split(), quote.split(), autojunk=False)
        found = sum(match.size for match in matcher.get_matching_blocks())
        if found >= STATED * len(sentence.split()):
            return True
    return False


def holds(answer: Answer, document: str, sentence: str) -> bool:
    """Whether an answer's quotes from a document hold a sentence word for word."""
    return any(
        sentence in visible(citation.quote)
        for citation in answer.citations
        if citation.document == document
    )


def reader(engine: Engine, workspace_id: int) -> Callable[[int], Version]:
    """Return what reads a version by its id."""
    return lambda version_id: read_versions(engine, workspace_id, [version_id])[0]
