"""What the tests of the store share."""

import itertools

import pytest
from sqlalchemy import Engine

from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

_numbers = itertools.count()


@pytest.fixture
def shelf(shared_engine: Engine) -> Shelf:
    """A workspace of this test's own with an embedding space and no documents."""
    return Shelf(shared_engine, ensure_workspace(shared_engine, f"shelf-{next(_numbers)}"))
