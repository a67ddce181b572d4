"""The voice: curated transcripts, datasets, training runs, models with a canary, verdicts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHECKS = (
    (
        "answers",
        "ck_answers_style_outcome",
        "style_outcome IN ('styled', 'facts_changed', 'failed')",
    ),
    ("models", "ck_models_kind", "kind IN ('style', 'router', 'query_adapter', 'ranker')"),
    ("models", "ck_models_share", "share BETWEEN 0 AND 100"),
)


def upgrade() -> None:
    op.create_table(
        "people_names",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_people_names_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id", name=op.f("pk_people_names")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("manifest", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "format IN ('sft', 'dpo', 'raft', 'routes', 'pairs')", name=op.f("ck_datasets_format")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_datasets_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint(
            "workspace_id", "sha256", name=op.f("uq_datasets_workspace_id_sha256")
        ),
    )
    op.create_table(
        "evaluations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_evaluations_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index(
        "ix_evaluations_kind", "evaluations", ["workspace_id", "kind", "created_at"], unique=False
    )
    op.create_table(
        "training_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("recipe", postgresql.JSONB(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("remote", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("result", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("cost", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "backend IN ('hosted', 'local', 'router', 'retriever')",
            name=op.f("ck_training_runs_backend"),
        ),
        sa.CheckConstraint(
            "kind IN ('style', 'router', 'query_adapter', 'ranker')",
            name=op.f("ck_training_runs_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_training_runs_state"),
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_training_runs_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_training_runs_job_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_training_runs_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_runs")),
    )
    op.create_index(
        op.f("ix_training_runs_dataset_id"), "training_runs", ["dataset_id"], unique=False
    )
    op.create_index("ix_training_runs_job_id", "training_runs", ["job_id"], unique=False)
    op.create_index(
        "ix_training_runs_one_of_a_key",
        "training_runs",
        ["workspace_id", "key"],
        unique=True,
        postgresql_where=sa.text("state IN ('queued', 'running', 'succeeded')"),
    )
    op.create_table(
        "retraining_rules",
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("recipe", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=True),
        sa.Column("new_examples", sa.Integer(), nullable=True),
        sa.Column("drift", sa.REAL(), nullable=True),
        sa.Column("last_run_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('style', 'router', 'query_adapter', 'ranker')",
            name=op.f("ck_retraining_rules_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["last_run_id"],
            ["training_runs.id"],
            name=op.f("fk_retraining_rules_last_run_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_retraining_rules_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "kind", name=op.f("pk_retraining_rules")),
    )
    op.create_index(
        "ix_retraining_rules_last_run_id", "retraining_rules", ["last_run_id"], unique=False
    )
    op.create_table(
        "training_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
            name=op.f("fk_training_events_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training_events")),
        sa.UniqueConstraint("run_id", "key", name=op.f("uq_training_events_run_id_key")),
    )
    op.create_index(op.f("ix_training_events_run_id"), "training_events", ["run_id"], unique=False)
    op.create_table(
        "training_points",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("figures", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["training_runs.id"],
            name=op.f("fk_training_points_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", "step", name=op.f("pk_training_points")),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("workspace_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.BigInteger(), nullable=False),
        sa.Column("against_id", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("stage IN ('gate', 'canary')", name=op.f("ck_verdicts_stage")),
        sa.ForeignKeyConstraint(
            ["against_id"], ["models.id"], name=op.f("fk_verdicts_against_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_verdicts_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_verdicts_workspace_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_index("ix_verdicts_against_id", "verdicts", ["against_id"], unique=False)
    op.create_index(op.f("ix_verdicts_model_id"), "verdicts", ["model_id"], unique=False)
    op.create_table(
        "dataset_rows",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("conversation", sa.Text(), nullable=False),
        sa.Column("transcript_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("split IN ('train', 'validation')", name=op.f("ck_dataset_rows_split")),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_dataset_rows_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["transcript_id"],
            ["transcripts.id"],
            name=op.f("fk_dataset_rows_transcript_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_rows")),
        sa.UniqueConstraint(
            "dataset_id", "ordinal", name=op.f("uq_dataset_rows_dataset_id_ordinal")
        ),
    )
    op.create_index(
        op.f("ix_dataset_rows_dataset_id"), "dataset_rows", ["dataset_id"], unique=False
    )
    op.create_index(
        op.f("ix_dataset_rows_transcript_id"), "dataset_rows", ["transcript_id"], unique=False
    )
    op.add_column("answers", sa.Column("style_outcome", sa.Text(), nullable=True))
    op.add_column("models", sa.Column("run_id", sa.BigInteger(), nullable=True))
    op.add_column("models", sa.Column("backend", sa.Text(), nullable=True))
    op.add_column("models", sa.Column("base", sa.Text(), nullable=True))
    op.add_column("models", sa.Column("endpoint", sa.Text(), nullable=True))
    op.add_column(
        "models", sa.Column("share", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.add_column("models", sa.Column("previous_id", sa.BigInteger(), nullable=True))
    op.add_column("models", sa.Column("tainted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("models", sa.Column("shutdown_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "models",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.create_index(
        "ix_models_one_canary",
        "models",
        ["workspace_id", "kind"],
        unique=True,
        postgresql_where=sa.text("state = 'canary'"),
    )
    op.create_index("ix_models_previous_id", "models", ["previous_id"], unique=False)
    op.create_index(op.f("ix_models_run_id"), "models", ["run_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_models_previous_id"),
        "models",
        "models",
        ["previous_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_foreign_key(
        op.f("fk_models_run_id"),
        "models",
        "training_runs",
        ["run_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.add_column("transcripts", sa.Column("redacted", postgresql.JSONB(), nullable=True))
    op.add_column("transcripts", sa.Column("edited", postgresql.JSONB(), nullable=True))
    op.add_column("transcripts", sa.Column("disliked", sa.Text(), nullable=True))
    op.add_column("transcripts", sa.Column("answer_id", sa.Text(), nullable=True))
    op.add_column(
        "transcripts",
        sa.Column("people", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column(
        "transcripts",
        sa.Column("findings", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.add_column(
        "transcripts",
        sa.Column("redactions", postgresql.JSONB(), server_default="{}", nullable=False),
    )
    op.add_column(
        "transcripts", sa.Column("labels", postgresql.JSONB(), server_default="{}", nullable=False)
    )
    op.add_column("transcripts", sa.Column("language", sa.Text(), nullable=True))
    op.add_column("transcripts", sa.Column("quality", sa.REAL(), nullable=True))
    op.add_column("transcripts", sa.Column("signature", sa.LargeBinary(), nullable=True))
    op.add_column("transcripts", sa.Column("duplicate_of", sa.BigInteger(), nullable=True))
    op.add_column(
        "transcripts", sa.Column("revision", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "transcripts",
        sa.Column(
            "happened_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
    )
    op.add_column(
        "transcripts", sa.Column("curated_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("transcripts", sa.Column("reviewed_by", sa.Text(), nullable=True))
    op.add_column(
        "transcripts", sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index("ix_transcripts_answer_id", "transcripts", ["answer_id"], unique=False)
    op.create_index("ix_transcripts_duplicate_of", "transcripts", ["duplicate_of"], unique=False)
    op.create_index(
        "ix_transcripts_state", "transcripts", ["workspace_id", "state", "id"], unique=False
    )
    op.create_foreign_key(
        op.f("fk_transcripts_duplicate_of"),
        "transcripts",
        "transcripts",
        ["duplicate_of"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_foreign_key(
        op.f("fk_transcripts_answer_id"),
        "transcripts",
        "answers",
        ["answer_id"],
        ["id"],
        ondelete="SET NULL",
    )
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(name), table, rule)
    op.drop_constraint(op.f("ck_transcripts_state"), "transcripts", type_="check")
    op.create_check_constraint(
        op.f("ck_transcripts_state"),
        "transcripts",
        "state IN ('candidate', 'quarantined', 'approved', 'rejected')",
    )
    op.drop_constraint(op.f("ck_models_state"), "models", type_="check")
    op.create_check_constraint(
        op.f("ck_models_state"),
        "models",
        "state IN ('candidate', 'canary', 'active', 'retired', 'rejected')",
    )


def downgrade() -> None:
    op.drop_table("people_names")
    op.execute("DELETE FROM transcripts WHERE state = 'quarantined'")
    op.execute("UPDATE models SET state = 'retired' WHERE state IN ('canary', 'rejected')")
    op.drop_constraint(op.f("ck_models_state"), "models", type_="check")
    op.create_check_constraint(
        op.f("ck_models_state"), "models", "state IN ('candidate', 'active', 'retired')"
    )
    op.drop_constraint(op.f("ck_transcripts_state"), "transcripts", type_="check")
    op.create_check_constraint(
        op.f("ck_transcripts_state"),
        "transcripts",
        "state IN ('candidate', 'approved', 'rejected')",
    )
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(name), table, type_="check")
    op.drop_constraint(op.f("fk_transcripts_answer_id"), "transcripts", type_="foreignkey")
    op.drop_constraint(op.f("fk_transcripts_duplicate_of"), "transcripts", type_="foreignkey")
    op.drop_index("ix_transcripts_state", table_name="transcripts")
    op.drop_index("ix_transcripts_duplicate_of", table_name="transcripts")
    op.drop_index("ix_transcripts_answer_id", table_name="transcripts")
    op.drop_column("transcripts", "reviewed_at")
    op.drop_column("transcripts", "reviewed_by")
    op.drop_column("transcripts", "curated_at")
    op.drop_column("transcripts", "happened_at")
    op.drop_column("transcripts", "revision")
    op.drop_column("transcripts", "duplicate_of")
    op.drop_column("transcripts", "signature")
    op.drop_column("transcripts", "quality")
    op.drop_column("transcripts", "language")
    op.drop_column("transcripts", "labels")
    op.drop_column("transcripts", "redactions")
    op.drop_column("transcripts", "findings")
    op.drop_column("transcripts", "people")
    op.drop_column("transcripts", "answer_id")
    op.drop_column("transcripts", "disliked")
    op.drop_column("transcripts", "edited")
    op.drop_column("transcripts", "redacted")
    op.drop_constraint(op.f("fk_models_run_id"), "models", type_="foreignkey")
    op.drop_constraint(op.f("fk_models_previous_id"), "models", type_="foreignkey")
    op.drop_index(op.f("ix_models_run_id"), table_name="models")
    op.drop_index("ix_models_previous_id", table_name="models")
    op.drop_index(
        "ix_models_one_canary", table_name="models", postgresql_where=sa.text("state = 'canary'")
    )
    op.drop_column("models", "changed_at")
    op.drop_column("models", "shutdown_at")
    op.drop_column("models", "tainted_at")
    op.drop_column("models", "previous_id")
    op.drop_column("models", "share")
    op.drop_column("models", "endpoint")
    op.drop_column("models", "base")
    op.drop_column("models", "backend")
    op.drop_column("models", "run_id")
    op.drop_column("answers", "style_outcome")
    op.drop_index(op.f("ix_dataset_rows_transcript_id"), table_name="dataset_rows")
    op.drop_index(op.f("ix_dataset_rows_dataset_id"), table_name="dataset_rows")
    op.drop_table("dataset_rows")
    op.drop_index(op.f("ix_verdicts_model_id"), table_name="verdicts")
    op.drop_index("ix_verdicts_against_id", table_name="verdicts")
    op.drop_table("verdicts")
    op.drop_table("training_points")
    op.drop_index(op.f("ix_training_events_run_id"), table_name="training_events")
    op.drop_table("training_events")
    op.drop_index("ix_retraining_rules_last_run_id", table_name="retraining_rules")
    op.drop_table("retraining_rules")
    op.drop_index(
        "ix_training_runs_one_of_a_key",
        table_name="training_runs",
        postgresql_where=sa.text("state IN ('queued', 'running', 'succeeded')"),
    )
    op.drop_index("ix_training_runs_job_id", table_name="training_runs")
    op.drop_index(op.f("ix_training_runs_dataset_id"), table_name="training_runs")
    op.drop_table("training_runs")
    op.drop_index("ix_evaluations_kind", table_name="evaluations")
    op.drop_table("evaluations")
    op.drop_table("datasets")
