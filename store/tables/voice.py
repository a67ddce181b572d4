"""The voice: datasets, training runs, models, verdicts of the gate, rules of retraining."""

from sqlalchemy import (
    REAL,
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
    parent_column,
    workspace_column,
)

KINDS = ("style", "router", "query_adapter", "ranker")

datasets = Table(
    "datasets",
    metadata,
    id_column(),
    workspace_column(),
    Column("name", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("sha256", Text, nullable=False),  # of its rows, in order, with their split
    Column("manifest", JSONB, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("withdrawn_at", DateTime(timezone=True)),  # since when rows of it were deleted
    created_column(),
    UniqueConstraint("workspace_id", "sha256"),
    one_of("format", "sft", "dpo", "raft", "routes", "pairs"),
)

dataset_rows = Table(
    "dataset_rows",
    metadata,
    id_column(),
    parent_column("dataset_id", "datasets.id"),
    Column("ordinal", Integer, nullable=False),
    Column("split", Text, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("conversation", Text, nullable=False),  # rows of one are never in two splits
    # A row goes with the transcript that it was made of.
    parent_column("transcript_id", "transcripts.id", nullable=True),
    UniqueConstraint("dataset_id", "ordinal"),
    one_of("split", "train", "validation"),
)

training_runs = Table(
    "training_runs",
    metadata,
    id_column(),
    workspace_column(),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # of the model that it makes
    Column("backend", Text, nullable=False),
    Column("dataset_id", BigInteger, ForeignKey("datasets.id"), nullable=False, index=True),
    Column("base", Text),  # the model that it starts from
    Column("recipe", JSONB, nullable=False),
    Column("key", Text, nullable=False),  # sha256 of dataset, backend, base and recipe
    Column("state", Text, nullable=False, server_default="queued"),
    Column("reason", Text),  # the sentence a person reads when it failed
    Column("job_id", BigInteger, ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("remote", JSONB, nullable=False, server_default="{}"),  # a provider's ids
    Column("step", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),  # 0: not known yet
    Column("result", JSONB, nullable=False, server_default="{}"),
    Column("cost", JSONB, nullable=False, server_default="{}"),
    Column("requested_by", Text, nullable=False),
    Column("cancel_requested", Boolean, nullable=False, server_default="false"),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    created_column(),
    one_of("kind", *KINDS),
    one_of("backend", "hosted", "local", "router", "retriever"),
    one_of("state", "queued", "running", "succeeded", "failed", "cancelled"),
    Index(
        "ix_training_runs_one_of_a_key",
        "workspace_id",
        "key",
        unique=True,
        postgresql_where=text("state IN ('queued', 'running', 'succeeded')"),
    ),
    Index("ix_training_runs_job_id", "job_id"),
)

training_points = Table(
    "training_points",
    metadata,
    Column(
        "run_id", BigInteger, ForeignKey("training_runs.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("step", Integer, primary_key=True),
    Column("figures", JSONB, nullable=False),  # loss, eval_loss, learning_rate, tokens_per_second
    created_column(),
)

training_events = Table(
    "training_events",
    metadata,
    id_column(),
    parent_column("run_id", "training_runs.id"),
    Column("key", Text),  # a provider's id of it: the same again is not kept twice
    Column("message", Text, nullable=False),
    created_column(),
    UniqueConstraint("run_id", "key"),
)

models = Table(
    "models",
    metadata,
    id_column(),
    workspace_column(),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("artefact", Text, nullable=False),  # where its files are, or its name at a provider
    Column("run_id", BigInteger, ForeignKey("training_runs.id", ondelete="SET NULL"), index=True),
    Column("backend", Text),
    Column("base", Text),
    Column("endpoint", Text),  # the address that serves it; null: the configured one
    Column("share", SmallInteger, nullable=False, server_default="0"),  # % of conversations
    Column("previous_id", BigInteger, ForeignKey("models.id", ondelete="SET NULL")),
    Column("evidence", JSONB, nullable=False, server_default="{}"),  # what its training measured
    Column("tainted_at", DateTime(timezone=True)),  # since when words it learned from are deleted
    Column("shutdown_at", DateTime(timezone=True)),  # when its provider ends it
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    created_column(),
    UniqueConstraint("workspace_id", "kind", "name"),
    one_of("kind", *KINDS),
    one_of("state", "candidate", "canary", "active", "retired", "rejected"),
    CheckConstraint("share BETWEEN 0 AND 100", name="share"),
    Index("ix_models_previous_id", "previous_id"),
    Index(
        "ix_models_one_active",
        "workspace_id",
        "kind",
        unique=True,
        postgresql_where=text("state = 'active'"),
    ),
    Index(
        "ix_models_one_canary",
        "workspace_id",
        "kind",
        unique=True,
        postgresql_where=text("state = 'canary'"),
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    id_column(),
    workspace_column(),
    parent_column("model_id", "models.id"),
    Column("against_id", BigInteger, ForeignKey("models.id", ondelete="SET NULL")),
    Column("stage", Text, nullable=False),  # "gate" before it is used, "canary" while it is
    Column("passed", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    created_column(),
    one_of("stage", "gate", "canary"),
    Index("ix_verdicts_against_id", "against_id"),
)

retraining_rules = Table(
    "retraining_rules",
    metadata,
    Column(
        "workspace_id",
        BigInteger,
        ForeignKey("workspaces.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("kind", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False, server_default="false"),
    Column("backend", Text, nullable=False),
    Column("base", Text),
    Column("recipe", JSONB, nullable=False, server_default="{}"),
    Column("every_days", Integer),
    Column("new_examples", Integer),
    Column("drift", REAL),  # fall of the weekly evaluation's main figure, in points
    Column("last_run_id", BigInteger, ForeignKey("training_runs.id", ondelete="SET NULL")),
    Column("updated_by", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    one_of("kind", *KINDS),
    Index("ix_retraining_rules_last_run_id", "last_run_id"),
)

evaluations = Table(
    "evaluations",
    metadata,
    id_column(),
    workspace_column(),
    Column("kind", Text, nullable=False),  # "style", "compare", "retrieval" …
    Column("name", Text, nullable=False),  # of the set that was asked
    Column("figures", JSONB, nullable=False),
    created_column(),
    Index("ix_evaluations_kind", "workspace_id", "kind", "created_at"),
)
