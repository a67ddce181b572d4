"""Slack: events, posts, channels, escalations, transcripts, installations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_states",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_oauth_states")),
    )
    op.create_table(
        "channels",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), server_default="mentions", nullable=False),
        sa.Column("answers", sa.Text(), server_default="public", nullable=False),
        sa.Column("follow_ups", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("corrections", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("sources", sa.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("documents", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("tone", sa.Text(), nullable=True),
        sa.Column("escalation_channel", sa.Text(), nullable=True),
        sa.Column("next_post_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("answers IN ('public', 'private')", name=op.f("ck_channels_answers")),
        sa.CheckConstraint("mode IN ('mentions', 'all', 'off')", name=op.f("ck_channels_mode")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_channels_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "channel_id", name=op.f("pk_channels")),
    )
    op.create_table(
        "installations",
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("enterprise_id", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_installations_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_installations")),
    )
    op.create_table(
        "transcripts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("origin_key", sa.Text(), nullable=False),
        sa.Column("messages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("audience", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="candidate", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "origin IN ('escalation', 'feedback', 'shortcut', 'import')",
            name=op.f("ck_transcripts_origin"),
        ),
        sa.CheckConstraint(
            "state IN ('candidate', 'approved', 'rejected')", name=op.f("ck_transcripts_state")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_transcripts_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transcripts")),
        sa.UniqueConstraint(
            "workspace_id",
            "origin",
            "origin_key",
            name=op.f("uq_transcripts_workspace_id_origin_origin_key"),
        ),
    )
    op.create_table(
        "usage",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_usage_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", "minute", name=op.f("pk_usage")),
    )
    op.create_index("ix_usage_minute", "usage", ["workspace_id", "minute"], unique=False)
    op.create_table(
        "escalations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=True),
        sa.Column("answer_id", sa.Text(), nullable=True),
        sa.Column("asker_id", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text(), nullable=True),
        sa.Column("private", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("handed_to", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "reason IN ('asked', 'nothing_found', 'upset')", name=op.f("ck_escalations_reason")
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'claimed', 'resolved')", name=op.f("ck_escalations_state")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_escalations_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_escalations_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escalations")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_escalations_workspace_id_key")),
    )
    op.create_index(
        op.f("ix_escalations_conversation_id"), "escalations", ["conversation_id"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("state", sa.Text(), server_default="accepted", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("answer_id", sa.Text(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "accepted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('question', 'edit', 'deletion')", name=op.f("ck_events_kind")
        ),
        sa.CheckConstraint(
            "state IN ('accepted', 'working', 'ended')", name=op.f("ck_events_state")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_events_conversation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_events_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_events_workspace_id_key")),
    )
    op.create_index(
        "ix_events_asked", "events", ["workspace_id", "user_id", "accepted_at"], unique=False
    )
    op.create_index(op.f("ix_events_conversation_id"), "events", ["conversation_id"], unique=False)
    op.create_index(
        "ix_events_in_order",
        "events",
        ["conversation_id", "ts"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_index(
        "ix_events_message_key", "events", ["workspace_id", "message_key"], unique=False
    )
    op.create_index(
        "ix_events_one_delivery",
        "events",
        ["workspace_id", "delivery_id"],
        unique=True,
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_open",
        "events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state <> 'ended'"),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("answer_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("reply_url", sa.Text(), nullable=True),
        sa.Column("message", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("ts", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "not_before",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('reply', 'apology', 'correction', 'escalation', 'notice', 'shared')",
            name=op.f("ck_posts_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'posting', 'posted', 'failed', 'withdrawn')",
            name=op.f("ck_posts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_posts_event_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_posts_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("workspace_id", "key", name=op.f("uq_posts_workspace_id_key")),
    )
    op.create_index(op.f("ix_posts_answer_id"), "posts", ["answer_id"], unique=False)
    op.create_index(op.f("ix_posts_event_id"), "posts", ["event_id"], unique=False)
    op.create_index(
        "ix_posts_open",
        "posts",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'posting')"),
    )
    op.create_index(
        "ix_posts_in_order",
        "posts",
        ["workspace_id", "channel", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting', 'posting')"),
    )
    op.create_index("ix_posts_place", "posts", ["workspace_id", "channel", "ts"], unique=False)
    op.add_column("answers", sa.Column("user_id", sa.Text(), nullable=True))
    op.add_column(
        "answers", sa.Column("asker", sa.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column(
        "answers", sa.Column("place", sa.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column(
        "answers", sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
    )
    op.add_column("answers", sa.Column("superseded_by", sa.Text(), nullable=True))
    op.add_column("answers", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_answers_user_id_created_at",
        "answers",
        ["workspace_id", "user_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_answers_superseded",
        "answers",
        ["workspace_id", "superseded_at"],
        unique=False,
        postgresql_where=sa.text("superseded_by IS NOT NULL"),
    )
    op.create_index(
        "ix_answers_superseded_by",
        "answers",
        ["superseded_by"],
        unique=False,
        postgresql_where=sa.text("superseded_by IS NOT NULL"),
    )
    op.add_column("turns", sa.Column("message_key", sa.Text(), nullable=True))
    op.create_index(op.f("ix_turns_message_key"), "turns", ["message_key"], unique=False)
    op.add_column("citations", sa.Column("checked_version_id", sa.BigInteger(), nullable=True))
    op.add_column("citations", sa.Column("moved_version_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_citations_moved_version_id",
        "citations",
        ["moved_version_id"],
        unique=False,
        postgresql_where=sa.text("moved_version_id IS NOT NULL"),
    )
    op.add_column("conversations", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("feedback", sa.Column("better", sa.Text(), nullable=True))
    op.add_column(
        "feedback",
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.create_check_constraint(
        op.f("ck_feedback_reason"),
        "feedback",
        "reason IN ('wrong_fact', 'wrong_source', 'outdated', 'tone', 'incomplete', 'other')",
    )
    op.add_column("source_items", sa.Column("job_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "source_items", sa.Column("tries", sa.Integer(), server_default="1", nullable=False)
    )
    op.create_foreign_key(
        op.f("fk_source_items_job_id"),
        "source_items",
        "jobs",
        ["job_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index(op.f("ix_source_items_job_id"), "source_items", ["job_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_source_items_job_id"), table_name="source_items")
    op.drop_constraint(op.f("fk_source_items_job_id"), "source_items", type_="foreignkey")
    op.drop_column("source_items", "tries")
    op.drop_column("source_items", "job_id")
    op.drop_constraint(op.f("ck_feedback_reason"), "feedback", type_="check")
    op.drop_column("feedback", "updated_at")
    op.drop_column("feedback", "better")
    op.drop_column("conversations", "left_at")
    op.drop_index(op.f("ix_turns_message_key"), table_name="turns")
    op.drop_column("turns", "message_key")
    op.drop_index("ix_citations_moved_version_id", table_name="citations")
    op.drop_column("citations", "moved_version_id")
    op.drop_column("citations", "checked_version_id")
    op.drop_index("ix_answers_superseded_by", table_name="answers")
    op.drop_index("ix_answers_superseded", table_name="answers")
    op.drop_index("ix_answers_user_id_created_at", table_name="answers")
    op.drop_column("answers", "superseded_at")
    op.drop_column("answers", "superseded_by")
    op.drop_column("answers", "scope")
    op.drop_column("answers", "place")
    op.drop_column("answers", "asker")
    op.drop_column("answers", "user_id")
    op.drop_index("ix_posts_place", table_name="posts")
    op.drop_index(
        "ix_posts_in_order",
        table_name="posts",
        postgresql_where=sa.text("state IN ('waiting', 'posting')"),
    )
    op.drop_index(
        "ix_posts_open",
        table_name="posts",
        postgresql_where=sa.text("state IN ('waiting', 'posting')"),
    )
    op.drop_index(op.f("ix_posts_event_id"), table_name="posts")
    op.drop_index(op.f("ix_posts_answer_id"), table_name="posts")
    op.drop_table("posts")
    op.drop_index(
        "ix_events_open", table_name="events", postgresql_where=sa.text("state <> 'ended'")
    )
    op.drop_index(
        "ix_events_one_delivery",
        table_name="events",
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.drop_index("ix_events_message_key", table_name="events")
    op.drop_index(
        "ix_events_in_order", table_name="events", postgresql_where=sa.text("state <> 'ended'")
    )
    op.drop_index(op.f("ix_events_conversation_id"), table_name="events")
    op.drop_index("ix_events_asked", table_name="events")
    op.drop_table("events")
    op.drop_index(op.f("ix_escalations_conversation_id"), table_name="escalations")
    op.drop_table("escalations")
    op.drop_index("ix_usage_minute", table_name="usage")
    op.drop_table("usage")
    op.drop_table("transcripts")
    op.drop_table("installations")
    op.drop_table("channels")
    op.drop_table("oauth_states")
