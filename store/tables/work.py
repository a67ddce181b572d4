"""Work in the background."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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
    workspace_column,
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    workspace_column(),
    Column("author", Text, nullable=False),
    Column("idempotency_key", Text),  # of the sender: the same again is the same upload
    Column("content_sha256", Text, nullable=False),  # of what was sent under that key
    Column("refused", JSONB, nullable=False, server_default="[]"),  # files that became no job
    Column("reply", JSONB),  # where in Slack the outcome is told
    Column("told_at", DateTime(timezone=True)),
    created_column(),
    UniqueConstraint("workspace_id", "author", "idempotency_key"),
)

jobs = Table(
    "jobs",
    metadata,
    id_column(),
    workspace_column(),
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
    created_column(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    one_of("state", "queued", "running", "succeeded", "failed"),
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
    id_column(),
    workspace_column(),
    Column("kind", Text, nullable=False),  # of the job that a tick submits
    Column("key", Text, nullable=False),  # and its key
    Column("payload", JSONB, nullable=False, server_default="{}"),
    Column("every", Integer, nullable=False),  # seconds
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    created_column(),
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
    created_column(),
)

outbox = Table(
    "outbox",
    metadata,
    id_column(),
    Column("task", Text, nullable=False),  # the Celery task's name
    Column("arguments", JSONB, nullable=False),
    Column("queue", Text, nullable=False),
    created_column(),
)
