"""Every table. Only `store` and `migrations` import this module.

The vectors of an embedding space live in a table of their own, `vectors_<space id>`, because
spaces differ in dimensions; `store.spaces` makes and drops those at run time.
"""

from pgvector.sqlalchemy import SPARSEVEC
from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

TERM_DIMENSIONS = 1_000_000_000
"""Term ids are hashes below this; the most dimensions pgvector's sparsevec allows."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _workspace() -> Column[int]:
    return Column(
        "workspace_id", BigInteger, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False
    )


def _created() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _one_of(column: str, *values: str) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _parent(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(
        name, BigInteger, ForeignKey(target, ondelete="CASCADE"), nullable=nullable, index=True
    )


workspaces = Table(
    "workspaces",
    metadata,
    _id(),
    Column("key", Text, nullable=False, unique=True),  # "local", a Slack team id, "eval:<hash>"
    Column("name", Text, nullable=False),
    Column("chunk_count", BigInteger, nullable=False, server_default="0"),  # N of BM25's idf
    _created(),
)

members = Table(
    "members",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("user_id", Text, primary_key=True),
    Column("standing", Text, nullable=False),
    Column("principals", ARRAY(Text), nullable=False, server_default="{}"),
    Column("roles", ARRAY(Text), nullable=False, server_default="{}"),  # "knowledge_admin" …
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _one_of("standing", "member", "guest", "foreign"),
)

# --- documents -----------------------------------------------------------------------------

sources = Table(
    "sources",
    metadata,
    _id(),
    _workspace(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("uri", Text),  # the place that is watched; null for uploads
    Column("options", JSONB, nullable=False, server_default="{}"),  # glob, branch …
    Column("audience", ARRAY(Text), nullable=False, server_default="{everyone}"),
    Column("owner", Text),
    Column("trust", SmallInteger, nullable=False, server_default="0"),
    Column("state", Text, nullable=False, server_default="active"),
    Column("checked_at", DateTime(timezone=True)),  # the last look that was not refused
    Column("changed_at", DateTime(timezone=True)),  # the last look that found a change
    Column("failure", Text),  # why the last look failed as a whole
    _created(),
    UniqueConstraint("workspace_id", "kind", "name"),
    _one_of("kind", "upload", "folder", "web", "git", "address", "slack"),
    _one_of("state", "active", "paused", "removed"),
)

source_items = Table(
    "source_items",
    metadata,
    Column(
        "source_id", BigInteger, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("key", Text, primary_key=True),  # a path within the place, an address
    Column("fingerprint", Text),  # what cheaply tells a change: an ETag, a time and a size …
    Column("sha256", Text),  # of the bytes
    Column("link", Text),
    Column("document_id", BigInteger, ForeignKey("documents.id", ondelete="SET NULL"), index=True),
    Column("failure", Text),  # why it is not, or no longer, read
    Column("checked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

blobs = Table(
    "blobs",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("sha256", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),  # the file as it came
    _created(),
)

documents = Table(
    "documents",
    metadata,
    _id(),
    _workspace(),
    _parent("source_id", "sources.id"),
    Column("key", Text, nullable=False),  # stable name: from front matter, else the file's name
    Column("audience", ARRAY(Text), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("deleted_by", Text),
    _created(),
    UniqueConstraint("workspace_id", "key"),
    CheckConstraint("cardinality(audience) > 0", name="audience"),
)

document_versions = Table(
    "document_versions",
    metadata,
    _id(),
    _workspace(),
    Column(
        "document_id", BigInteger, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False
    ),
    Column("number", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),  # canonical: the visible text
    Column("sha256", Text, nullable=False),  # of the canonical text
    Column("effective_from", DateTime(timezone=True), nullable=False),
    Column("effective_to", DateTime(timezone=True)),
    Column("owner", Text),
    Column("link", Text),
    Column("file_name", Text, nullable=False),  # display text only, never a path
    Column("media_type", Text, nullable=False),
    Column("blob_sha256", Text, nullable=False),
    Column("source_map", ARRAY(Integer, dimensions=2), nullable=False),
    Column("hidden_characters", Integer, nullable=False, server_default="0"),
    Column("author", Text),  # who sent it, or the source it was found in
    # When its file came: of two versions from one date, the later sent is in force.
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("restored_from", Integer),  # the number of the version whose words it brings back
    _created(),
    UniqueConstraint("document_id", "number"),
    Index("ix_document_versions_in_force", "document_id", text("effective_from DESC")),
    CheckConstraint("effective_to IS NULL OR effective_to > effective_from", name="dates"),
)

blocks = Table(
    "blocks",
    metadata,
    Column(
        "version_id",
        BigInteger,
        ForeignKey("document_versions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("ordinal", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("start_offset", Integer, nullable=False),  # code points of the version's text
    Column("end_offset", Integer, nullable=False),
    Column("heading_path", ARRAY(Text), nullable=False),
    Column("page", Integer),
    _one_of("kind", "heading", "paragraph", "list_item", "table_row", "code"),
    CheckConstraint("start_offset >= 0 AND end_offset > start_offset", name="offsets"),
)

chunks = Table(
    "chunks",
    metadata,
    _id(),
    _workspace(),
    Column("sha256", Text, nullable=False),  # of the content
    Column("content", Text, nullable=False),  # title and headings, newline, passage
    Column("token_count", Integer, nullable=False),
    Column("term_keys", ARRAY(BigInteger), nullable=False),  # store.terms: which terms, how much
    Column("term_weights", SPARSEVEC(TERM_DIMENSIONS), nullable=False),
    _created(),
    UniqueConstraint("workspace_id", "sha256"),
    Index("ix_chunks_term_keys", "term_keys", postgresql_using="gin"),
)

version_chunks = Table(
    "version_chunks",
    metadata,
    Column(
        "version_id",
        BigInteger,
        ForeignKey("document_versions.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("ordinal", Integer, primary_key=True),
    Column("chunk_id", BigInteger, ForeignKey("chunks.id"), nullable=False, index=True),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("heading_path", ARRAY(Text), nullable=False),
    Column("page", Integer),
)

term_frequencies = Table(
    "term_frequencies",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("term_id", Integer, primary_key=True),
    Column("tier", SmallInteger, primary_key=True),
    Column("chunk_count", Integer, nullable=False),  # how many chunks have the term so weightily
)

embedding_spaces = Table(
    "embedding_spaces",
    metadata,
    _id(),
    _workspace(),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("normalised", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    _created(),
    UniqueConstraint("workspace_id", "model", "dimensions"),
    _one_of("state", "building", "active", "retired"),
    Index(
        "ix_embedding_spaces_one_active",
        "workspace_id",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
)

# --- conversations -------------------------------------------------------------------------

conversations = Table(
    "conversations",
    metadata,
    _id(),
    _workspace(),
    Column("key", Text, nullable=False),
    Column("left_at", DateTime(timezone=True)),  # since when the bot stays out of the thread
    _created(),
    UniqueConstraint("workspace_id", "key"),
)

turns = Table(
    "turns",
    metadata,
    _id(),
    _parent("conversation_id", "conversations.id"),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("user_id", Text),
    Column("event_key", Text),  # the incoming event, so that a second delivery is seen
    Column("message_key", Text, index=True),  # of the message it is, or answers
    _created(),
    UniqueConstraint("conversation_id", "event_key"),
    _one_of("role", "asker", "footnote"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    _parent("turn_id", "turns.id", nullable=True),  # the question's; null where none is kept
    Column("question", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("note", Text),
    Column("reference", Text),
    Column("choices", ARRAY(Text), nullable=False, server_default="{}"),
    Column("as_of", DateTime(timezone=True)),
    Column("seconds", REAL, nullable=False),
    Column("trace", JSONB, nullable=False),
    Column("user_id", Text),  # who asked
    # What the asker and everybody in the place could read: what the answer is asked again with.
    Column("asker", ARRAY(Text), nullable=False, server_default="{}"),
    Column("place", ARRAY(Text), nullable=False, server_default="{}"),
    Column("scope", JSONB),  # the part of the documents that the place answers from; null: all
    Column("superseded_by", Text),  # the answer that a correction put in its stead
    Column("superseded_at", DateTime(timezone=True)),
    _created(),
    Index("ix_answers_workspace_id_created_at", "workspace_id", "created_at"),
    Index("ix_answers_user_id_created_at", "workspace_id", "user_id", "created_at"),
    Index(
        "ix_answers_superseded",
        "workspace_id",
        "superseded_at",
        postgresql_where=text("superseded_by IS NOT NULL"),
    ),
    Index(
        "ix_answers_superseded_by",
        "superseded_by",
        postgresql_where=text("superseded_by IS NOT NULL"),
    ),
    _one_of("route", "policy", "small_talk", "human", "out_of_scope", "clarify"),
    _one_of("outcome", "answered", "refused", "clarifying", "escalated", "error"),
)

claims = Table(
    "claims",
    metadata,
    _id(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("answer_id", "ordinal"),
)

citations = Table(
    "citations",
    metadata,
    _id(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    _parent("claim_id", "claims.id", nullable=True),  # null: the closest words of a refusal
    Column("number", Integer, nullable=False),
    Column(
        "version_id",
        BigInteger,
        ForeignKey("document_versions.id"),
        nullable=False,
        index=True,
    ),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("quote", Text, nullable=False),
    Column("section", ARRAY(Text), nullable=False),
    Column("page", Integer),
    Column("link", Text),
    # The version in force (0: none) that the quote was last held against, where not its own.
    Column("checked_version_id", BigInteger),
    # The version of another document in which the words stand since they left their own.
    Column("moved_version_id", BigInteger),
    Index("ix_citations_answer_id", "answer_id"),
    Index(
        "ix_citations_moved_version_id",
        "moved_version_id",
        postgresql_where=text("moved_version_id IS NOT NULL"),
    ),
    CheckConstraint("start_offset >= 0 AND end_offset > start_offset", name="offsets"),
)

feedback = Table(
    "feedback",
    metadata,
    _id(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("rating", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("comment", Text),
    Column("better", Text),  # what the answer should have said
    _created(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("answer_id", "user_id"),
    CheckConstraint("rating IN (-1, 1)", name="rating"),
    _one_of("reason", "wrong_fact", "wrong_source", "outdated", "tone", "incomplete", "other"),
)

transcripts = Table(
    "transcripts",
    metadata,
    _id(),
    _workspace(),
    Column("origin", Text, nullable=False),
    Column("origin_key", Text, nullable=False),  # the answer, the escalation … it was made of
    Column("messages", JSONB, nullable=False),  # [{"role": "asker" | "team", "text": …}]
    Column("audience", ARRAY(Text), nullable=False),  # who may see it
    Column("user_id", Text),  # whose words it holds, beside the team's
    Column("added_by", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="candidate"),
    _created(),
    UniqueConstraint("workspace_id", "origin", "origin_key"),
    _one_of("origin", "escalation", "feedback", "shortcut", "import"),
    _one_of("state", "candidate", "approved", "rejected"),
)

# --- Slack ---------------------------------------------------------------------------------

installations = Table(
    "installations",
    metadata,
    Column("team_id", Text, primary_key=True),
    _workspace(),
    Column("enterprise_id", Text),
    Column("sealed", LargeBinary, nullable=False),  # tokens and all: encrypted JSON
    Column("removed_at", DateTime(timezone=True)),  # when the app was uninstalled
    _created(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("channel_id", Text, primary_key=True),
    Column("mode", Text, nullable=False, server_default="mentions"),
    Column("answers", Text, nullable=False, server_default="public"),
    Column("follow_ups", Boolean, nullable=False, server_default="true"),
    Column("corrections", Boolean, nullable=False, server_default="true"),
    Column("sources", ARRAY(BigInteger)),  # of which it answers; null: all
    Column("documents", ARRAY(Text)),  # keys of more documents; null beside null sources: all
    Column("language", Text),
    Column("tone", Text),
    Column("escalation_channel", Text),
    Column("next_post_at", DateTime(timezone=True)),  # when the next message may be posted
    Column("updated_by", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _one_of("mode", "mentions", "all", "off"),
    _one_of("answers", "public", "private"),
)

events = Table(
    "events",
    metadata,
    _id(),
    _workspace(),
    _parent("conversation_id", "conversations.id", nullable=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),  # the same on every delivery, by whatever name it comes
    Column("delivery_id", Text),  # Slack's event_id
    Column("message_key", Text, nullable=False),  # of the message that it is about
    Column("team", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("ts", Text, nullable=False),  # what a conversation's events are ordered by
    Column("thread_ts", Text),
    Column("user_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False, server_default="accepted"),
    Column("outcome", Text),
    Column("answer_id", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("accepted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended_at", DateTime(timezone=True)),
    UniqueConstraint("workspace_id", "key"),
    _one_of("kind", "question", "edit", "deletion"),
    _one_of("state", "accepted", "working", "ended"),
    Index(
        "ix_events_one_delivery",
        "workspace_id",
        "delivery_id",
        unique=True,
        postgresql_where=text("delivery_id IS NOT NULL"),
    ),
    Index("ix_events_open", "id", postgresql_where=text("state <> 'ended'")),
    Index(
        "ix_events_in_order", "conversation_id", "ts", postgresql_where=text("state <> 'ended'")
    ),
    Index("ix_events_message_key", "workspace_id", "message_key"),
    Index("ix_events_asked", "workspace_id", "user_id", "accepted_at"),
)

posts = Table(
    "posts",
    metadata,
    _id(),
    _workspace(),
    Column("key", Text, nullable=False),  # what it is the one post for; Slack keeps it too
    Column("kind", Text, nullable=False),
    Column("event_id", BigInteger, ForeignKey("events.id", ondelete="SET NULL"), index=True),
    Column("answer_id", Text, index=True),
    Column("channel", Text, nullable=False),
    Column("thread_ts", Text),
    Column("user_id", Text),  # the only one who sees it; null: all in the channel
    Column("reply_url", Text),  # where a command is answered; no longer than half an hour
    Column("message", JSONB, nullable=False),  # {"text": …, "blocks": […]}
    Column("ts", Text),  # once Slack has it
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("not_before", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("error", Text),
    _created(),
    Column("posted_at", DateTime(timezone=True)),
    UniqueConstraint("workspace_id", "key"),
    _one_of("kind", "reply", "apology", "correction", "escalation", "notice", "shared"),
    _one_of("state", "waiting", "posting", "posted", "failed", "withdrawn"),
    Index("ix_posts_open", "id", postgresql_where=text("state IN ('waiting', 'posting')")),
    Index("ix_posts_place", "workspace_id", "channel", "ts"),
)

escalations = Table(
    "escalations",
    metadata,
    _id(),
    _workspace(),
    Column("key", Text, nullable=False),  # one for what it was asked about
    _parent("conversation_id", "conversations.id", nullable=True),
    Column("answer_id", Text),
    Column("asker_id", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("channel", Text, nullable=False),  # where it was asked
    Column("thread_ts", Text),
    Column("private", Boolean, nullable=False, server_default="false"),
    Column("handed_to", Text, nullable=False),  # the channel it was handed over to
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("claimed_by", Text),
    Column("claimed_at", DateTime(timezone=True)),
    Column("resolved_by", Text),
    Column("resolved_at", DateTime(timezone=True)),
    Column("resolution", Text),
    _created(),
    UniqueConstraint("workspace_id", "key"),
    _one_of("reason", "asked", "nothing_found", "upset"),
    _one_of("state", "waiting", "claimed", "resolved"),
)

usage = Table(
    "usage",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("user_id", Text, primary_key=True),
    Column("minute", DateTime(timezone=True), primary_key=True),
    Column("messages", Integer, nullable=False, server_default="0"),
    Column("tokens", BigInteger, nullable=False, server_default="0"),
    Index("ix_usage_minute", "workspace_id", "minute"),
)

# --- vocabulary, people who change things, and what they did ------------------------------

glossary = Table(
    "glossary",
    metadata,
    _id(),
    _workspace(),
    Column("term", Text, nullable=False),  # "PTO"
    Column("expansion", Text, nullable=False),  # "paid time off"
    Column("state", Text, nullable=False),
    Column("document_id", BigInteger, ForeignKey("documents.id", ondelete="SET NULL")),
    _created(),
    _one_of("state", "active", "suggested", "dismissed"),
    Index(
        "ix_glossary_one_meaning",
        "workspace_id",
        text("lower(term)"),
        text("lower(expansion)"),
        unique=True,
    ),
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _workspace(),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),  # the token itself is kept nowhere
    Column("roles", ARRAY(Text), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    _created(),
    Index(
        "ix_tokens_one_live",
        "workspace_id",
        "name",
        unique=True,
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

audit_log = Table(
    "audit_log",
    metadata,
    _id(),
    _workspace(),
    Column("actor", Text, nullable=False),  # a Slack user id, "token ci", "source handbook" …
    Column("action", Text, nullable=False),  # "document deleted", "upload refused" …
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    _created(),
    Index("ix_audit_log_workspace_id_created_at", "workspace_id", "created_at"),
)

# --- models and work -----------------------------------------------------------------------

models = Table(
    "models",
    metadata,
    _id(),
    _workspace(),
    Column("kind", Text, nullable=False),  # "style", "router", "ranker", "query_adapter"
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("artefact", Text, nullable=False),  # where its files are, or its name at a provider
    Column("evidence", JSONB, nullable=False, server_default="{}"),  # the gate's figures
    _created(),
    UniqueConstraint("workspace_id", "kind", "name"),
    _one_of("state", "candidate", "active", "retired"),
    Index(
        "ix_models_one_active",
        "workspace_id",
        "kind",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    _workspace(),
    Column("author", Text, nullable=False),
    Column("idempotency_key", Text),  # of the sender: the same again is the same upload
    Column("content_sha256", Text, nullable=False),  # of what was sent under that key
    Column("refused", JSONB, nullable=False, server_default="[]"),  # files that became no job
    Column("reply", JSONB),  # where in Slack the outcome is told
    Column("told_at", DateTime(timezone=True)),
    _created(),
    UniqueConstraint("workspace_id", "author", "idempotency_key"),
)

jobs = Table(
    "jobs",
    metadata,
    _id(),
    _workspace(),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),  # idempotency: one live job a key
    Column("payload", JSONB, nullable=False),
    Column("upload_id", Text, ForeignKey("uploads.id", ondelete="CASCADE"), index=True),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),  # 0: not known yet
    Column("state", Text, nullable=False, server_default="queued"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("result", JSONB),
    Column("error", Text),  # the sentence a person reads
    _created(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _one_of("state", "queued", "running", "succeeded", "failed"),
    Index(
        "ix_jobs_one_live",
        "workspace_id",
        "kind",
        "key",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
)

schedules = Table(
    "schedules",
    metadata,
    _id(),
    _workspace(),
    Column("kind", Text, nullable=False),  # of the job that a tick submits
    Column("key", Text, nullable=False),  # and its key
    Column("payload", JSONB, nullable=False, server_default="{}"),
    Column("every", Integer, nullable=False),  # seconds
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    _created(),
    UniqueConstraint("workspace_id", "kind", "key"),
    CheckConstraint("every > 0", name="every"),
    Index("ix_schedules_next_at", "next_at", postgresql_where=text("enabled")),
)

ticks = Table(
    "ticks",
    metadata,
    Column(
        "schedule_id", BigInteger, ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("tick", DateTime(timezone=True), primary_key=True),  # when it was due
    Column("job_id", BigInteger, ForeignKey("jobs.id", ondelete="SET NULL")),
    _created(),
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    Column("task", Text, nullable=False),  # the Celery task's name
    Column("arguments", JSONB, nullable=False),
    Column("queue", Text, nullable=False),
    _created(),
)
