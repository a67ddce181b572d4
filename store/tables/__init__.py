"""Every table. Only `store` and `migrations` import this package.

The vectors of an embedding space live in a table of their own, `vectors_<space id>`, because
spaces differ in dimensions; `store.spaces` makes and drops those at run time.
"""

from store.tables.columns import TERM_DIMENSIONS, metadata
from store.tables.conversations import (
    answers,
    citations,
    claims,
    conversations,
    feedback,
    transcripts,
    turns,
)
from store.tables.documents import (
    blobs,
    blocks,
    chunks,
    document_versions,
    documents,
    embedding_spaces,
    source_items,
    sources,
    term_frequencies,
    version_chunks,
)
from store.tables.people import (
    audit_log,
    glossary,
    members,
    tokens,
    workspaces,
)
from store.tables.slack import (
    channels,
    escalations,
    events,
    installations,
    oauth_states,
    posts,
    usage,
)
from store.tables.voice import (
    dataset_rows,
    datasets,
    evaluations,
    models,
    retraining_rules,
    training_events,
    training_points,
    training_runs,
    verdicts,
)
from store.tables.work import (
    jobs,
    outbox,
    schedules,
    ticks,
    uploads,
)

__all__ = [
    "TERM_DIMENSIONS",
    "answers",
    "audit_log",
    "blobs",
    "blocks",
    "channels",
    "chunks",
    "citations",
    "claims",
    "conversations",
    "dataset_rows",
    "datasets",
    "document_versions",
    "documents",
    "embedding_spaces",
    "escalations",
    "evaluations",
    "events",
    "feedback",
    "glossary",
    "installations",
    "jobs",
    "members",
    "metadata",
    "models",
    "oauth_states",
    "outbox",
    "posts",
    "retraining_rules",
    "schedules",
    "source_items",
    "sources",
    "term_frequencies",
    "ticks",
    "tokens",
    "training_events",
    "training_points",
    "training_runs",
    "transcripts",
    "turns",
    "uploads",
    "usage",
    "verdicts",
    "version_chunks",
    "workspaces",
]
