"""documents that keep themselves current."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_audit_log_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        "ix_audit_log_workspace_id_created_at",
        "audit_log",
        ["workspace_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "payload", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column(
            "next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("every > 0", name=op.f("ck_schedules_every")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_schedules_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint(
            "workspace_id", "kind", "key", name=op.f("uq_schedules_workspace_id_kind_key")
        ),
    )
    op.create_index(
        "ix_schedules_next_at",
        "schedules",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("enabled"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_tokens_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
    op.create_index(
        "ix_tokens_one_live",
        "tokens",
        ["workspace_id", "name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column(
            "refused", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False
        ),
        sa.Column("reply", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_uploads_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
        sa.UniqueConstraint(
            "workspace_id",
            "author",
            "idempotency_key",
            name=op.f("uq_uploads_workspace_id_author_idempotency_key"),
        ),
    )
    op.create_table(
        "glossary",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("expansion", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state IN ('active', 'suggested', 'dismissed')", name=op.f("ck_glossary_state")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_glossary_document_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_glossary_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_glossary")),
    )
    op.create_index(
        "ix_glossary_one_meaning",
        "glossary",
        ["workspace_id", sa.literal_column("lower(term)"), sa.literal_column("lower(expansion)")],
        unique=True,
    )
    op.create_table(
        "source_items",
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column(
            "checked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_source_items_document_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["sources.id"],
            name=op.f("fk_source_items_source_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_source_items")),
    )
    op.create_index(
        op.f("ix_source_items_document_id"), "source_items", ["document_id"], unique=False
    )
    op.create_table(
        "ticks",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_ticks_job_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_ticks_schedule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("schedule_id", "tick", name=op.f("pk_ticks")),
    )
    op.add_column("document_versions", sa.Column("author", sa.Text(), nullable=True))
    op.add_column(
        "document_versions",
        sa.Column(
            "received_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.add_column("document_versions", sa.Column("restored_from", sa.Integer(), nullable=True))
    op.execute("UPDATE document_versions SET received_at = created_at")
    op.add_column("documents", sa.Column("deleted_by", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("upload_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("done", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("total", sa.Integer(), server_default="0", nullable=False))
    op.create_index(op.f("ix_jobs_upload_id"), "jobs", ["upload_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_jobs_upload_id"), "jobs", "uploads", ["upload_id"], ["id"], ondelete="CASCADE"
    )
    op.add_column(
        "members", sa.Column("roles", sa.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("sources", sa.Column("uri", sa.Text(), nullable=True))
    op.add_column(
        "sources",
        sa.Column(
            "options", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
    )
    op.add_column(
        "sources",
        sa.Column("audience", sa.ARRAY(sa.Text()), server_default="{everyone}", nullable=False),
    )
    op.add_column("sources", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column(
        "sources", sa.Column("state", sa.Text(), server_default="active", nullable=False)
    )
    op.add_column("sources", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sources", sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sources", sa.Column("failure", sa.Text(), nullable=True))
    op.create_check_constraint(
        "kind", "sources", "kind IN ('upload', 'folder', 'web', 'git', 'address', 'slack')"
    )
    op.create_check_constraint("state", "sources", "state IN ('active', 'paused', 'removed')")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_sources_state"), "sources")
    op.drop_constraint(op.f("ck_sources_kind"), "sources")
    op.drop_column("sources", "failure")
    op.drop_column("sources", "changed_at")
    op.drop_column("sources", "checked_at")
    op.drop_column("sources", "state")
    op.drop_column("sources", "owner")
    op.drop_column("sources", "audience")
    op.drop_column("sources", "options")
    op.drop_column("sources", "uri")
    op.drop_column("members", "roles")
    op.drop_constraint(op.f("fk_jobs_upload_id"), "jobs", type_="foreignkey")
    op.drop_index(op.f("ix_jobs_upload_id"), table_name="jobs")
    op.drop_column("jobs", "total")
    op.drop_column("jobs", "done")
    op.drop_column("jobs", "upload_id")
    op.drop_column("documents", "deleted_by")
    op.drop_column("document_versions", "restored_from")
    op.drop_column("document_versions", "received_at")
    op.drop_column("document_versions", "author")
    op.drop_table("ticks")
    op.drop_index(op.f("ix_source_items_document_id"), table_name="source_items")
    op.drop_table("source_items")
    op.drop_index("ix_glossary_one_meaning", table_name="glossary")
    op.drop_table("glossary")
    op.drop_table("uploads")
    op.drop_index(
        "ix_tokens_one_live", table_name="tokens", postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_table("tokens")
    op.drop_index(
        "ix_schedules_next_at", table_name="schedules", postgresql_where=sa.text("enabled")
    )
    op.drop_table("schedules")
    op.drop_index("ix_audit_log_workspace_id_created_at", table_name="audit_log")
    op.drop_table("audit_log")
