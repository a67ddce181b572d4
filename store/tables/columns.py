"""What tables share: their metadata, and columns that most have."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    MetaData,
    func,
)

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


def id_column() -> Column[int]:
    """Return the key of a row, which Postgres counts."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def workspace_column() -> Column[int]:
    """Return the workspace that a row belongs to, and goes with."""
    return Column(
        "workspace_id", BigInteger, ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False
    )


def created_column() -> Column[object]:
    """Return when a row was made."""
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def one_of(column: str, *values: str) -> CheckConstraint:
    """Return a check that a column holds one of these words."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def parent_column(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """Return the row that a row belongs to, and goes with."""
    return Column(
        name, BigInteger, ForeignKey(target, ondelete="CASCADE"), nullable=nullable, index=True
    )
