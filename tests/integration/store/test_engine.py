"""The engine and what it asks of the server, on real servers, fit and unfit."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from core.errors import ConfigurationError, ServiceUnavailableError
from store.engine import check_server, connect, ensure_extension, normalise_url, require_fitting

ROLE, PASSWORD = "footnote_test_plain", "plain-hush"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        pytest.param("", "write postgresql://user:password@host:5432/name", id="nothing"),
        pytest.param("localhost/notes", "write postgresql://", id="no scheme"),
        pytest.param("postgresql://h:port/d", "write postgresql://", id="a port that is a word"),
        pytest.param("postgresql://[::1/d", "write postgresql://", id="an open bracket"),
        pytest.param("mysql://h/d", "must begin with postgresql://", id="another database"),
        pytest.param("sqlite:///x.db", "must begin with postgresql://", id="a file"),
        pytest.param("postgresql+psycopg2://h/d", "must begin with postgresql://", id="driver"),
    ],
)
def test_what_is_no_address_is_told(url: str, told: str) -> None:
    """A wrong DATABASE_URL gives one sentence with the form to write."""
    with pytest.raises(ConfigurationError, match=f"^DATABASE_URL .*{told}"):
        connect(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_schemes_are_one(scheme: str) -> None:
    """Hosting providers write postgres://; all mean the same driver here."""
    assert normalise_url(f"{scheme}://u:p@h/d") == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"port": 1}, "port 1 failed: Connection refused", id="nobody listens"),
        pytest.param({"host": "nowhere.invalid"}, "failed to resolve host", id="no such host"),
        pytest.param({"database": "nowhere"}, '"nowhere" does not exist', id="no such database"),
        pytest.param({"password": "hush"}, "password authentication failed", id="password"),
        pytest.param({"port": 99999}, "invalid port number", id="no such port"),
        pytest.param({"query": {"nonsense": "1"}}, "invalid connection option", id="an option"),
    ],
)
def test_a_server_that_cannot_be_used_is_told(
    changed: dict[str, Any], told: str, shared_engine: Engine
) -> None:
    """The sentence holds the cause, what to check, and no password."""
    unfit = connect(shared_engine.url.set(**changed).render_as_string(hide_password=False))
    with pytest.raises(ServiceUnavailableError) as caught:
        check_server(unfit)
    sentence = str(caught.value)
    assert sentence.startswith("The database does not answer (")
    assert sentence.endswith("). Check DATABASE_URL and that the server runs.")
    assert told in sentence
    assert "\n" not in sentence
    assert "hush" not in sentence


@pytest.mark.parametrize(
    ("number", "pgvector", "told"),
    [
        pytest.param(140011, "0.8.0", "PostgreSQL 14.11 is too old; use 15 or newer", id="14"),
        pytest.param(90624, None, "PostgreSQL 9.6.24 is too old", id="9.6, the old numbering"),
        pytest.param(170002, None, "has no pgvector; install pgvector 0.8", id="no pgvector"),
        pytest.param(170002, "0.7.4", "pgvector 0.7.4 is too old; update it to 0.8", id="0.7"),
    ],
)
def test_an_old_server_is_told(number: int, pgvector: str | None, told: str) -> None:
    """The versions decide, and the sentence names the one that is needed."""
    shown = {140011: "14.11", 90624: "9.6.24"}.get(number, "17.2")
    with pytest.raises(ServiceUnavailableError, match=told):
        require_fitting(number, shown, pgvector)


@pytest.mark.parametrize("pgvector", ["0.8", "0.8.5", "0.10.1", "1.0"])
def test_newer_versions_fit(pgvector: str) -> None:
    """Versions are compared as numbers: 0.10 is newer than 0.8."""
    require_fitting(150000, "15.0", pgvector)


def test_a_fitting_server_tells_its_versions(shared_engine: Engine) -> None:
    """Doctor shows what the server says of itself."""
    versions = check_server(shared_engine)
    assert int(versions["postgres"].partition(".")[0]) >= 15
    assert versions["database"] == shared_engine.url.database


def test_a_server_without_pgvector_is_told(empty_database_url: str) -> None:
    """A server that cannot find the extension's files is refused before anything is made."""
    with psycopg.connect(empty_database_url) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("only PostgreSQL 18 can be told to look elsewhere for extensions")
    _administer(empty_database_url, "ALTER DATABASE {} SET extension_control_path = '/nowhere'")
    engine = connect(empty_database_url)
    with pytest.raises(ServiceUnavailableError, match="has no pgvector"):
        check_server(engine)
    with pytest.raises(ServiceUnavailableError, match="have an administrator run CREATE EXTENSI"):
        ensure_extension(engine)
    engine.dispose()


def test_an_installed_old_pgvector_is_told(database_url: str) -> None:
    """The version in the database counts, not the newer one the server could install."""
    _administer(
        database_url, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
    )
    engine = connect(database_url)
    with pytest.raises(ServiceUnavailableError, match=r"pgvector 0\.7\.4 is too old"):
        check_server(engine)
    engine.dispose()


def test_a_hidden_pgvector_is_told(empty_database_url: str) -> None:
    """Where the extension lies in a schema that is not searched, the sentence says so."""
    _administer(empty_database_url, "CREATE SCHEMA apart")
    _administer(empty_database_url, "CREATE EXTENSION vector SCHEMA apart")
    engine = connect(empty_database_url)
    with pytest.raises(ServiceUnavailableError, match="add that schema to the role's search_pat"):
        check_server(engine)
    engine.dispose()
    seeing = connect(empty_database_url + "?options=-csearch_path%3Dpublic,apart")
    assert check_server(seeing)["pgvector"]
    with seeing.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "1min"
    seeing.dispose()


@pytest.fixture
def plain_role(empty_database_url: str) -> Iterator[str]:
    """The address of an empty database for a role that may create nothing in it."""
    _administer(empty_database_url, f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    server, _, database = empty_database_url.rpartition("/")
    yield f"postgresql://{ROLE}:{PASSWORD}@{server.rpartition('@')[2]}/{database}"
    _administer(empty_database_url, f"DROP ROLE {ROLE}")


def test_a_role_that_may_not_is_told(plain_role: str, empty_database_url: str) -> None:
    """Who may not create the extension learns what to ask for; once it is there, it is enough."""
    engine = connect(plain_role)
    with pytest.raises(ServiceUnavailableError, match="administrator run CREATE EXTENSION vector"):
        ensure_extension(engine)
    _administer(empty_database_url, "CREATE EXTENSION vector")
    ensure_extension(engine)
    engine.dispose()


def test_vector_types_are_known_once_the_extension_is_there(empty_database_url: str) -> None:
    """Connections opened before the extension are replaced by ones that read vectors."""
    engine = connect(empty_database_url)
    check_server(engine)
    ensure_extension(engine)
    with engine.connect() as connection:
        read = connection.execute(text("SELECT '[1,2]'::halfvec")).scalar_one()
    assert read.to_list() == [1, 2]
    engine.dispose()


def test_errors_hold_no_texts(shared_engine: Engine) -> None:
    """What a failing statement carried is not in its error, which is logged."""
    with (
        shared_engine.connect() as connection,
        pytest.raises(DBAPIError, match="SELECT") as caught,
    ):
        connection.execute(text("SELECT CAST(:said AS int)"), {"said": "my salary"}).all()
    assert "parameters hidden" in str(caught.value)


def _administer(url: str, statement: str) -> None:
    database = sql.Identifier(url.rpartition("/")[2])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(database))
