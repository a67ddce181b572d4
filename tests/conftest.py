"""What tests share: a real Postgres with one migrated template, cloned for each test."""

import gc
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from sqlalchemy import Engine

from core.settings import ENV_FILE_VARIABLE, Settings, load_settings
from ingestion.ingest import Ingester
from retrieval import minilm
from retrieval.embeddings import Embedder, MiniLMEmbedder
from store.embedded import EmbeddedPostgres
from store.engine import connect
from store.publish import File
from store.schema import migrate
from store.workspaces import ensure_workspace

# No test takes the power away; the server's own crashes lose nothing without these.
HASTE = ("fsync = off", "full_page_writes = off")
# By which share of a run in several processes the last file of a kind has begun.
SHARES = {"acceptance": 0.7, "integration": 0.85, "unit": 1.0}
SERVER_VARIABLE = "FOOTNOTE_TEST_DATABASE_URL"
OUR_VARIABLES = (
    "DATABASE_URL", "REDIS_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_API_URL",
    "SLACK_SIGNING_SECRET", "SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET",
    "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "OPENAI_EMBEDDING_MODEL",
)  # fmt: skip

_numbers = itertools.count()


def pytest_collection() -> None:
    """Look for no garbage among what is imported: that would take a fifth of the time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for it again, but not among what was imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mix the files where several processes share them.

    Acceptance tests mostly wait and unit tests compute, so that both at once keep a machine busy.
    Those that take longest per file begin early: else one process would end long after the others.
    """
    if not hasattr(config, "workerinput"):
        return
    kinds: dict[str, dict[Path, int]] = {}
    for item in items:
        files = kinds.setdefault(item.path.relative_to(Path(__file__).parent).parts[0], {})
        files.setdefault(item.path, len(files))
    turns = {
        path: SHARES.get(kind, 1.0) * number / len(files)
        for kind, files in kinds.items()
        for path, number in files.items()
    }
    items.sort(key=lambda item: turns[item.path])


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """Keep a developer's own settings out of every test and of the processes tests start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            ours = name in OUR_VARIABLES or name.startswith("FOOTNOTE_")
            if ours and name != SERVER_VARIABLE:
                patch.delenv(name)
        patch.setenv(ENV_FILE_VARIABLE, "")
        # Else each of the many processes compiles all that it imports.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres with pgvector: the one the variable names, else an embedded one."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        yield given
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    try:
        url = server.start()
        for setting in HASTE:
            _execute(url, sql.SQL("ALTER SYSTEM SET " + setting))
        _execute(url, sql.SQL("SELECT pg_reload_conf()"))
        yield url
    finally:
        server.release()
        server.remove()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a database with all tables, to clone from."""
    with _cloned(server_url, "template0") as url:
        engine = connect(url)
        migrate(engine)
        engine.dispose()
        yield url.rpartition("/")[2]


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A database of this test's own with all tables."""
    with _cloned(server_url, template) as url:
        yield url


@pytest.fixture(scope="session")
def processes_database_url(server_url: str, template: str) -> Iterator[str]:
    """A database with all tables for processes that share its local workspace."""
    with _cloned(server_url, template) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database of this test's own without any table."""
    with _cloned(server_url, "template0") as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on this test's database."""
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def shared_engine(server_url: str, template: str) -> Iterator[Engine]:
    """An engine on one database for tests that keep to a workspace of their own."""
    with _cloned(server_url, template) as url:
        made = connect(url)
        yield made
        made.dispose()


@pytest.fixture
def workspace_id(engine: Engine) -> int:
    """The local workspace in this test's database."""
    return ensure_workspace(engine)


@pytest.fixture(scope="session")
def embedder_cache(pytestconfig: pytest.Config) -> Path:
    """The folder with the embedder's built graph, kept between runs."""
    folder = Path(pytestconfig.cache.mkdir("footnote-embedder"))
    with FileLock(folder.with_suffix(".lock")):  # one process builds it, the others wait
        minilm.build(folder)
    return folder


@pytest.fixture(scope="session")
def embedder(embedder_cache: Path) -> Embedder:
    """The real embedder."""
    return MiniLMEmbedder(embedder_cache)


@pytest.fixture
def ingester(engine: Engine, workspace_id: int, embedder: Embedder) -> Ingester:
    """An ingester of the local workspace."""
    return Ingester(engine, workspace_id, embedder)


@pytest.fixture
def plain_settings(tmp_path: Path) -> Settings:
    """Settings with a home of the test's own and nothing else."""
    return load_settings().model_copy(update={"home": tmp_path / "home"})


def markdown(name: str, text: str) -> File:
    """Return a Markdown file."""
    return File(name, "text/markdown", text.encode())


@contextmanager
def _cloned(server: str, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    # Copied as files: with a template this small that takes a third of the time.
    clone = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    _execute(server, drop, clone.format(sql.Identifier(name), sql.Identifier(template)))
    yield server.rpartition("/")[0] + f"/{name}"
    _execute(server, drop)


def _execute(server: str, *statements: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
