"""The tenant, its people, its words, and who did what."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from store.tables.columns import (
    created_column,
    id_column,
    metadata,
    one_of,
    workspace_column,
)

workspaces = Table(
    "workspaces",
    metadata,
    id_column(),
    Column("key", Text, nullable=False, unique=True),  # "local", a Slack team id, "eval:<hash>"
    Column("name", Text, nullable=False),
    Column("chunk_count", BigInteger, nullable=False, server_default="0"),  # N of BM25's idf
    created_column(),
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
    one_of("standing", "member", "guest", "foreign"),
)

# What people are called, so that examples are kept without their names.
people_names = Table(
    "people_names",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("user_id", Text, primary_key=True),
    Column("names", ARRAY(Text), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

glossary = Table(
    "glossary",
    metadata,
    id_column(),
    workspace_column(),
    Column("term", Text, nullable=False),  # "PTO"
    Column("expansion", Text, nullable=False),  # "paid time off"
    Column("state", Text, nullable=False),
    Column("document_id", BigInteger, ForeignKey("documents.id", ondelete="SET NULL")),
    created_column(),
    one_of("state", "active", "suggested", "dismissed"),
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
    id_column(),
    workspace_column(),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),  # the token itself is kept nowhere
    Column("roles", ARRAY(Text), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    created_column(),
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
    id_column(),
    workspace_column(),
    Column("actor", Text, nullable=False),  # a Slack user id, "token ci", "source handbook" …
    Column("action", Text, nullable=False),  # "document deleted", "upload refused" …
    Column("subject", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    created_column(),
    Index("ix_audit_log_workspace_id_created_at", "workspace_id", "created_at"),
)
