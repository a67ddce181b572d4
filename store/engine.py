"""The connection to Postgres: a pooled engine, checked once for what Footnote needs of it."""

import re
from typing import Any

from pgvector.psycopg import register_vector
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from core.errors import ConfigurationError, ServiceUnavailableError

POOL_SIZE = 8
CONNECT_TIMEOUT = 5  # seconds
STATEMENT_TIMEOUT = 60_000  # milliseconds
OLDEST_POSTGRES = 15
OLDEST_PGVECTOR = (0, 8)  # iterative index scans, halfvec and sparsevec
# Of an index scan that looks for what may be read; when so many hold too little of it, all that
# may be read is ranked instead.
HNSW_MAX_SCAN = 5_000
HNSW_EF_SEARCH = 100  # recall 1.000 at 10k chunks and .987 at 100k, measured
EXTENSION_LOCK = 0x_F007_0002  # advisory: two processes starting at once create it once

SERVER = """
    SELECT current_setting('server_version_num')::int AS number,
           current_setting('server_version') AS postgres, current_database() AS database,
           installed.extversion IS NOT NULL AND to_regtype('halfvec') IS NULL AS hidden,
           coalesce(installed.extversion, available.default_version) AS pgvector
    FROM (SELECT) AS asked
    LEFT JOIN pg_extension installed ON installed.extname = 'vector'
    LEFT JOIN pg_available_extensions available ON available.name = 'vector'
"""


def normalise_url(url: str) -> str:
    """Return `url` for SQLAlchemy's psycopg driver. Raises ConfigurationError if it is none."""
    url = re.sub(r"^(postgres|postgresql)(\+psycopg)?://", "postgresql+psycopg://", url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise ConfigurationError(
            "DATABASE_URL is not an address; write postgresql://user:password@host:5432/name."
        ) from error
    if parsed.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            "DATABASE_URL must begin with postgresql://; Footnote keeps its data in PostgreSQL."
        )
    return url


def connect(url: str, *, pool_size: int = POOL_SIZE, ping: bool = True) -> Engine:
    """Return an engine for `url`, with vector types and index settings on each connection.

    Each connection is tried before it is used, unless `ping` is false: for callers that do the
    same again after an error.
    """
    url = normalise_url(url)
    ours = (
        f"-c hnsw.ef_search={HNSW_EF_SEARCH} -c hnsw.iterative_scan=strict_order"
        f" -c hnsw.max_scan_tuples={HNSW_MAX_SCAN}"
        f" -c statement_timeout={STATEMENT_TIMEOUT} -c timezone=UTC -c jit=off"
    )
    options = " ".join((*make_url(url).normalized_query.get("options", ()), ours))
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=ping,
        hide_parameters=True,  # errors are logged, texts are not
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "options": options},
    )

    @event.listens_for(engine, "connect")
    def _register(connection: Any, _record: object) -> None:
        if connection.execute("SELECT to_regtype('halfvec')").fetchone()[0]:
            register_vector(connection)
        connection.rollback()

    return engine


def check_server(engine: Engine) -> dict[str, str]:
    """Return the server's versions; raise ServiceUnavailableError saying what is wrong with it.

    The keys are `postgres`, `pgvector` and `database`.
    """
    try:
        with engine.connect() as connection:
            found = connection.execute(text(SERVER)).one()
    except DBAPIError as error:
        raise ServiceUnavailableError(
            f"The database does not answer ({_reason(error)})."
            " Check DATABASE_URL and that the server runs."
        ) from error
    require_fitting(found.number, found.postgres, found.pgvector)
    if found.hidden:
        raise ServiceUnavailableError(
            "pgvector lies in a schema that this role does not look into;"
            " add that schema to the role's search_path."
        )
    return {
        "postgres": found.postgres.split()[0],
        "pgvector": found.pgvector,
        "database": found.database,
    }


def require_fitting(number: int, shown: str, pgvector: str | None) -> None:
    """Raise ServiceUnavailableError where the server is too old or has no pgvector.

    `number` is `server_version_num` (150004 for 15.4), `shown` the version as people write it.
    """
    if number < OLDEST_POSTGRES * 10_000:
        raise ServiceUnavailableError(
            f"PostgreSQL {shown} is too old; use {OLDEST_POSTGRES} or newer."
        )
    if pgvector is None:
        raise ServiceUnavailableError(
            "The database server has no pgvector; install pgvector 0.8 or newer on it"
            " (for example the image pgvector/pgvector:pg18)."
        )
    if tuple(int(part) for part in pgvector.split(".")[:2]) < OLDEST_PGVECTOR:
        raise ServiceUnavailableError(f"pgvector {pgvector} is too old; update it to 0.8.")


def _reason(error: DBAPIError) -> str:
    """Return the first line of what the driver says; what follows are its guesses."""
    return str(error.orig).strip().partition("\n")[0].removeprefix("connection failed: ")


def ensure_extension(engine: Engine) -> None:
    """Create the `vector` extension where it is missing.

    Raises ServiceUnavailableError where the role may not.
    """
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({EXTENSION_LOCK})"))
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError as error:
        raise ServiceUnavailableError(
            f"The extension vector is missing in the database ({_reason(error)});"
            " have an administrator run CREATE EXTENSION vector."
        ) from error
    engine.dispose()  # connections made before know no vector types
