"""Migrations: up, down and up again, by one process or several, on a real Postgres."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text, update
from sqlalchemy.exc import DBAPIError

from core.errors import ServiceUnavailableError
from store import tables
from store.engine import connect
from store.schema import check, current_revision, downgrade, head_revision, migrate
from store.spaces import ensure_space
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

PROCESSES = 3


def test_up_down_and_up_again(empty_database_url: str) -> None:
    """The way back leaves nothing but alembic's own table, and the way up works twice."""
    engine = connect(empty_database_url)
    assert current_revision(engine) is None
    migrate(engine)
    tables = sorted(inspect(engine).get_table_names())
    assert len(tables) > 20
    ensure_space(engine, ensure_workspace(engine), "m", 3)
    downgrade(engine)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    with engine.connect() as connection:
        ours = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        left = connection.execute(text(f"{ours} AND proname LIKE '%immutable%'")).all()
    assert left == []
    migrate(engine)
    assert sorted(inspect(engine).get_table_names()) == tables
    assert current_revision(engine) == head_revision()
    engine.dispose()


def test_tables_and_migrations_say_the_same(engine: Engine, workspace_id: int) -> None:
    """Alembic finds nothing to change, with an embedding space's own table there too."""
    ensure_space(engine, workspace_id, "m", 3)
    check(engine)


def test_migrating_twice_changes_nothing(engine: Engine, workspace_id: int) -> None:
    """A database at the newest revision keeps what it holds."""
    migrate(engine)
    assert ensure_workspace(engine) == workspace_id


def test_processes_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    """Several processes on an empty database all succeed, extension and tables included."""
    script = (
        "import sys; from store.engine import connect; from store.schema import migrate;"
        " engine = connect(sys.argv[1]); print('ready', flush=True); sys.stdin.readline();"
        " migrate(engine)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, empty_database_url],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES, told


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    """Code that does not know the database's revision says so and changes nothing."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceUnavailableError, match=r"revision 9999, which is newer .*; update"):
        migrate(engine)
    assert current_revision(engine) == "9999"


def test_a_failing_migration_leaves_nothing(empty_database_url: str) -> None:
    """All tables come in one transaction: one that cannot be made leaves none."""
    engine = connect(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE citations ()"))
    with pytest.raises(DBAPIError, match="already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["citations"]
    engine.dispose()


@pytest.mark.parametrize(
    "change",
    [{"text": "other"}, {"sha256": "other"}, {"number": 7}, {"document_id": -1}],
    ids=lambda change: next(iter(change)),
)
def test_a_version_s_words_cannot_be_changed(change: dict[str, Any], shelf: Shelf) -> None:
    """Citations point into a version's text, so the database itself refuses to change it."""
    done = shelf.publish("returns", ["Thirty days."])
    versions = tables.document_versions
    statement = update(versions).values(change).where(versions.c.id == done.version_id)
    with pytest.raises(DBAPIError, match="is immutable"), shelf.engine.begin() as connection:
        connection.execute(statement)


def test_a_version_s_dates_can_be_changed(shelf: Shelf) -> None:
    """When a version ends may be learned later, and the trigger lets that through."""
    done = shelf.publish("returns", ["Thirty days."])
    with shelf.engine.begin() as connection:
        changed = connection.execute(
            text("UPDATE document_versions SET effective_to = '2999-01-01' WHERE id = :id"),
            {"id": done.version_id},
        )
    assert changed.rowcount == 1
