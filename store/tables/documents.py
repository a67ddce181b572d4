"""Documents through their versions, and what is searched of them."""

from pgvector.sqlalchemy import SPARSEVEC
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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
    TERM_DIMENSIONS,
    created_column,
    id_column,
    metadata,
    one_of,
    parent_column,
    workspace_column,
)

sources = Table(
    "sources",
    metadata,
    id_column(),
    workspace_column(),
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
    created_column(),
    UniqueConstraint("workspace_id", "kind", "name"),
    one_of("kind", "upload", "folder", "web", "git", "address", "slack"),
    one_of("state", "active", "paused", "removed"),
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
    # The latest that reads it. One that failed and left no failure here was cut short.
    Column("job_id", BigInteger, ForeignKey("jobs.id", ondelete="SET NULL"), index=True),
    Column("tries", Integer, nullable=False, server_default="1"),  # jobs in a row, same bytes
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
    created_column(),
)

documents = Table(
    "documents",
    metadata,
    id_column(),
    workspace_column(),
    parent_column("source_id", "sources.id"),
    Column("key", Text, nullable=False),  # stable name: from front matter, else the file's name
    Column("audience", ARRAY(Text), nullable=False),
    Column("deleted_at", DateTime(timezone=True)),
    Column("deleted_by", Text),
    created_column(),
    UniqueConstraint("workspace_id", "key"),
    CheckConstraint("cardinality(audience) > 0", name="audience"),
)

document_versions = Table(
    "document_versions",
    metadata,
    id_column(),
    workspace_column(),
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
    created_column(),
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
    one_of("kind", "heading", "paragraph", "list_item", "table_row", "code"),
    CheckConstraint("start_offset >= 0 AND end_offset > start_offset", name="offsets"),
)

chunks = Table(
    "chunks",
    metadata,
    id_column(),
    workspace_column(),
    Column("sha256", Text, nullable=False),  # of the content
    Column("content", Text, nullable=False),  # title and headings, newline, passage
    Column("token_count", Integer, nullable=False),
    Column("term_keys", ARRAY(BigInteger), nullable=False),  # store.terms: which terms, how much
    Column("term_weights", SPARSEVEC(TERM_DIMENSIONS), nullable=False),
    created_column(),
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
    id_column(),
    workspace_column(),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("normalised", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    created_column(),
    UniqueConstraint("workspace_id", "model", "dimensions"),
    one_of("state", "building", "active", "retired"),
    Index(
        "ix_embedding_spaces_one_active",
        "workspace_id",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
)
