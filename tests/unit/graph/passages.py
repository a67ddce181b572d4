"""Passages and versions for tests that need no database."""

from datetime import UTC, datetime

from retrieval.ranking import Passage, Scores
from store.documents import Version
from store.search import Candidate

START = datetime(2026, 1, 1, tzinfo=UTC)


def passage(content: str, start: int = 0, version_id: int = 1) -> Passage:
    """Return a passage; `content` is a line of headings, a line feed, and its text."""
    text = content.partition("\n")[2]
    candidate = Candidate(
        chunk_id=1,
        version_id=version_id,
        document_key="returns",
        title="Returns",
        version=1,
        effective_from=START,
        effective_to=None,
        link=None,
        trust=0,
        ordinal=0,
        start=start,
        end=start + len(text),
        section=("Sale items",),
        page=None,
        content=content,
        similarity=0.5,
        cosine=0.5,
        bm25=1.0,
        bm25_total=2.0,
    )
    return Passage(candidate, Scores(similarity=0.5, bm25=1.0, convex=0.5, document=0.5))


def version(text: str, version_id: int = 1) -> Version:
    """Return a version with this canonical text."""
    return Version(
        id=version_id,
        document_id=1,
        document_key="returns",
        title="Returns",
        number=1,
        sha256="",
        text=text,
        effective_from=START,
        effective_to=None,
        owner=None,
        link=None,
    )
