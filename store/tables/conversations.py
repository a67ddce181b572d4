"""Conversations, answers, what people think of them, and what becomes of that."""

from sqlalchemy import (
    ARRAY,
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import (
    created_column,
    id_column,
    metadata,
    one_of,
    parent_column,
    workspace_column,
)

conversations = Table(
    "conversations",
    metadata,
    id_column(),
    workspace_column(),
    Column("key", Text, nullable=False),
    Column("left_at", DateTime(timezone=True)),  # since when the bot stays out of the thread
    created_column(),
    UniqueConstraint("workspace_id", "key"),
)

turns = Table(
    "turns",
    metadata,
    id_column(),
    parent_column("conversation_id", "conversations.id"),
    Column("role", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("user_id", Text),
    Column("event_key", Text),  # the incoming event, so that a second delivery is seen
    Column("message_key", Text, index=True),  # of the message it is, or answers
    created_column(),
    UniqueConstraint("conversation_id", "event_key"),
    one_of("role", "asker", "footnote"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Text, primary_key=True),
    workspace_column(),
    parent_column("turn_id", "turns.id", nullable=True),  # the question's; null where none is kept
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
    Column("style_outcome", Text),  # what became of its rewriting; null where none was tried
    created_column(),
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
    one_of("route", "policy", "small_talk", "human", "out_of_scope", "clarify"),
    one_of("outcome", "answered", "refused", "clarifying", "escalated", "error"),
    one_of("style_outcome", "styled", "facts_changed", "failed"),
)

claims = Table(
    "claims",
    metadata,
    id_column(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("answer_id", "ordinal"),
)

citations = Table(
    "citations",
    metadata,
    id_column(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    parent_column("claim_id", "claims.id", nullable=True),  # null: the closest words of a refusal
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
    id_column(),
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("rating", SmallInteger, nullable=False),
    Column("reason", Text),
    Column("comment", Text),
    Column("better", Text),  # what the answer should have said
    created_column(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("answer_id", "user_id"),
    CheckConstraint("rating IN (-1, 1)", name="rating"),
    one_of("reason", "wrong_fact", "wrong_source", "outdated", "tone", "incomplete", "other"),
)

transcripts = Table(
    "transcripts",
    metadata,
    id_column(),
    workspace_column(),
    Column("origin", Text, nullable=False),
    Column("origin_key", Text, nullable=False),  # the answer, the escalation … it was made of
    # [{"role": "asker" | "team", "text": …}] as they came; with placeholders once reviewed
    Column("messages", JSONB, nullable=False),
    Column("redacted", JSONB),  # the same with placeholders for personal data; null: not read yet
    Column("edited", JSONB),  # the same as a curator left it, where they changed something
    Column("disliked", Text),  # the bot's reply that these words are better than, redacted
    Column("answer_id", Text, ForeignKey("answers.id", ondelete="SET NULL")),  # that reply's
    Column("audience", ARRAY(Text), nullable=False),  # who may see it
    Column("user_id", Text),  # whose words it holds, beside the team's
    Column("people", ARRAY(Text), nullable=False, server_default="{}"),  # of the team, who spoke
    Column("added_by", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="candidate"),
    Column("findings", JSONB, nullable=False, server_default="[]"),  # [{"kind": …, "reason": …}]
    Column("redactions", JSONB, nullable=False, server_default="{}"),  # how many of each kind
    Column("labels", JSONB, nullable=False, server_default="{}"),  # route, sentiment, tone tags
    Column("language", Text),
    Column("quality", REAL),  # 0 … 1
    Column("signature", LargeBinary),  # MinHash of its words
    Column("duplicate_of", BigInteger, ForeignKey("transcripts.id", ondelete="SET NULL")),
    Column("revision", Integer, nullable=False, server_default="0"),  # counts changes by people
    Column("happened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("curated_at", DateTime(timezone=True)),  # when the automatic first pass read it
    Column("reviewed_by", Text),
    Column("reviewed_at", DateTime(timezone=True)),
    created_column(),
    UniqueConstraint("workspace_id", "origin", "origin_key"),
    Index("ix_transcripts_state", "workspace_id", "state", "id"),
    Index("ix_transcripts_answer_id", "answer_id"),
    Index("ix_transcripts_duplicate_of", "duplicate_of"),
    one_of("origin", "escalation", "feedback", "shortcut", "import"),
    one_of("state", "candidate", "quarantined", "approved", "rejected"),
)
