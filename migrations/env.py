"""Runs the migrations on the engine that the caller passes in, one transaction for all."""

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

from store.tables import metadata

MIGRATION_LOCK = 0x_F007_0001  # advisory: two processes starting at once migrate once


def include_object(
    item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None
) -> bool:
    """Leave out what is made at run time: embedding spaces' tables, and Celery's messages."""
    del item
    return not (kind == "table" and (name or "").startswith(("vectors_", "kombu_")))


def run(connection: Connection) -> None:
    """Run under an advisory lock held until the transaction ends."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        compare_server_default=False,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        context.run_migrations()


run(context.config.attributes["connection"])
