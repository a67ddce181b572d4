"""What the tests of the store share."""

import itertools

import pytest
from sqlalchemy import Engine, delete

from store import tables
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

_numbers = itertools.count()


@pytest.fixture
def idle_engine(shared_engine: Engine) -> Engine:
    """The shared database without any job or message."""
    with shared_engine.begin() as connection:
        connection.execute(delete(tables.jobs))
        connection.execute(delete(tables.outbox))
    return shared_engine


@pytest.fixture
def shelf(shared_engine: Engine) -> Shelf:
    """A workspace of this test's own with an embedding space and no documents."""
    return Shelf(shared_engine, ensure_workspace(shared_engine, f"shelf-{next(_numbers)}"))
