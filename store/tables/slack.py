"""Slack: who installed the app, what it sent, what is said there, and how much."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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

installations = Table(
    "installations",
    metadata,
    Column("team_id", Text, primary_key=True),
    workspace_column(),
    Column("enterprise_id", Text),
    Column("sealed", LargeBinary, nullable=False),  # tokens and all: encrypted JSON
    Column("removed_at", DateTime(timezone=True)),  # when the app was uninstalled
    created_column(),
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
    one_of("mode", "mentions", "all", "off"),
    one_of("answers", "public", "private"),
)

events = Table(
    "events",
    metadata,
    id_column(),
    workspace_column(),
    parent_column("conversation_id", "conversations.id", nullable=True),
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
    one_of("kind", "question", "edit", "deletion"),
    one_of("state", "accepted", "working", "ended"),
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
    id_column(),
    workspace_column(),
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
    created_column(),
    Column("posted_at", DateTime(timezone=True)),
    UniqueConstraint("workspace_id", "key"),
    one_of("kind", "reply", "apology", "correction", "escalation", "notice", "shared"),
    one_of("state", "waiting", "posting", "posted", "failed", "withdrawn"),
    Index("ix_posts_open", "id", postgresql_where=text("state IN ('waiting', 'posting')")),
    Index(
        "ix_posts_in_order",
        "workspace_id",
        "channel",
        "id",
        postgresql_where=text("state IN ('waiting', 'posting')"),
    ),
    Index("ix_posts_place", "workspace_id", "channel", "ts"),
)

escalations = Table(
    "escalations",
    metadata,
    id_column(),
    workspace_column(),
    Column("key", Text, nullable=False),  # one for what it was asked about
    parent_column("conversation_id", "conversations.id", nullable=True),
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
    created_column(),
    UniqueConstraint("workspace_id", "key"),
    one_of("reason", "asked", "nothing_found", "upset"),
    one_of("state", "waiting", "claimed", "resolved"),
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
