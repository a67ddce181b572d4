"""The connection to Postgres: a pooled engine, checked once for what Footnote needs of it."""

import re
from typing import Any

from pgvector.psycopg import register_vector
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from core.errors import ConfigurationError, ServiceUnavailableError

POOL_SIZE = 8
CONNECT_TIMEOUT = 5  # seconds
STATEMENT_TIMEOUT = 60_000  # milliseconds
OLDEST_POSTGRES = 15
OLDEST_PGVECTOR = (0, 8)  # iterative index scans, halfvec and sparsevec
HNSW_EF_SEARCH = 100  # recall 1.000 at 10k chunks and .987 at 100k, measured


def normalise_url(url: str) -> str:
    """Return `url` for SQLAlchemy's psycopg driver. Raises ConfigurationError if it is none."""
    url = re.sub(r"^(postgres|postgresql)(\+psycopg)?://", "postgresql+psycopg://", url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            "DATABASE_URL is not an address; write postgresql://user:password@host:5432/name."
        ) from error
    if parsed.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            "DATABASE_URL must begin with postgresql://; Footnote keeps its data in PostgreSQL."
        )
    return url


def connect(url: str, *, pool_size: int = POOL_SIZE) -> Engine:
    """Return an engine for `url`, with vector types and index settings on each connection."""
    options = (
        f"-c hnsw.ef_search={HNSW_EF_SEARCH} -c hnsw.iterative_scan=strict_order"
        f" -c statement_timeout={STATEMENT_TIMEOUT} -c timezone=UTC -c jit=off"
    )
    engine = create_engine(
        normalise_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,  # errors are logged, texts are not
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "options": options},
    )

    @event.listens_for(engine, "connect")
    def _register(connection: Any, _record: object) -> None:
        if connection.execute("SELECT 1 FROM pg_type WHERE typname = 'halfvec'").fetchone():
            register_vector(connection)
        connection.rollback()

    return engine


def check_server(engine: Engine) -> dict[str, str]:
    """Return the server's versions; raise ServiceUnavailableError saying what is wrong with it.

    The keys are `postgres`, `pgvector` and `database`.
    """
    try:
        with engine.connect() as connection:
            version = int(connection.execute(text("SHOW server_version_num")).scalar_one())
            shown = connection.execute(text("SHOW server_version")).scalar_one()
            database = connection.execute(text("SELECT current_database()")).scalar_one()
            extension = connection.execute(
                text(
                    "SELECT coalesce((SELECT extversion FROM pg_extension WHERE extname ="
                    " 'vector'), (SELECT default_version FROM pg_available_extensions"
                    " WHERE name = 'vector'))"
                )
            ).scalar_one()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1] if error.orig else "no answer"
        raise ServiceUnavailableError(
            f"The database does not answer ({reason})."
            " Check DATABASE_URL and that the server runs."
        ) from error
    if version < OLDEST_POSTGRES * 10_000:
        raise ServiceUnavailableError(
            f"PostgreSQL {shown} is too old; use {OLDEST_POSTGRES} or newer."
        )
    if extension is None:
        raise ServiceUnavailableError(
            "The database server has no pgvector; install pgvector 0.8 or newer on it"
            " (for example the image pgvector/pgvector:pg18)."
        )
    if tuple(int(part) for part in extension.split(".")[:2]) < OLDEST_PGVECTOR:
        raise ServiceUnavailableError(f"pgvector {extension} is too old; update it to 0.8.")
    return {"postgres": shown.split()[0], "pgvector": extension, "database": database}


def ensure_extension(engine: Engine) -> None:
    """Create the `vector` extension where it is missing.

    Raises ServiceUnavailableError where the role may not.
    """
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError as error:
        raise ServiceUnavailableError(
            "The extension vector is missing in the database and this role may not create it;"
            " have an administrator run CREATE EXTENSION vector."
        ) from error
    engine.dispose()  # connections made before know no vector types
