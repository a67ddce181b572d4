"""Embedding spaces: one active for a workspace, a vector table each, dimensions that fit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import Engine

from core.errors import ConfigurationError
from store.chunks import chunk_hash
from store.spaces import (
    MAX_DIMENSIONS,
    EmbeddingSpace,
    active_space,
    embedded_hashes,
    ensure_space,
    insert_vectors,
)
from store.workspaces import delete_workspace, ensure_workspace
from tests.integration.store.shelf import DIMENSIONS, Shelf, vector_of


def test_a_workspace_has_no_space_before_its_first(shared_engine: Engine) -> None:
    """Before the first ingestion there is none; after it, the one that was made."""
    workspace_id = ensure_workspace(shared_engine, "spaceless")
    assert active_space(shared_engine, workspace_id) is None
    made = ensure_space(shared_engine, workspace_id, "m", 5)
    assert active_space(shared_engine, workspace_id) == made
    assert made.table == f"vectors_{made.id}"


def test_the_active_space_stays_whatever_model_asks(shelf: Shelf) -> None:
    """Another model gets the space that is there and has to compare; it makes none of its own."""
    asked = ensure_space(shelf.engine, shelf.workspace_id, "another", 7)
    assert (asked, asked.model) == (shelf.space, "words")


def test_a_space_is_made_once_by_many(shared_engine: Engine) -> None:
    """Processes that ingest a workspace's first files at once share one space."""
    workspace_id = ensure_workspace(shared_engine, "many")
    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(lambda _: ensure_space(shared_engine, workspace_id, "m", 5), range(6)))
    assert len(made) == 1


@pytest.mark.parametrize("dimensions", [1, MAX_DIMENSIONS])
def test_every_size_that_can_be_indexed_is_taken(dimensions: int, shared_engine: Engine) -> None:
    """The smallest and the largest vectors make a table with an index."""
    key = f"size-{dimensions}"
    space = ensure_space(shared_engine, ensure_workspace(shared_engine, key), "m", dimensions)
    assert space.dimensions == dimensions
    delete_workspace(shared_engine, key)


def test_a_model_too_large_is_told(shared_engine: Engine) -> None:
    """A model whose vectors cannot be indexed is refused in a sentence, and nothing is made."""
    workspace_id = ensure_workspace(shared_engine, "large")
    with pytest.raises(ConfigurationError, match=r"^giant gives vectors of 4096 .* at most 4000"):
        ensure_space(shared_engine, workspace_id, "giant", 4096)
    assert active_space(shared_engine, workspace_id) is None


@pytest.mark.parametrize("length", [DIMENSIONS - 1, DIMENSIONS + 1])
def test_other_dimensions_than_the_space_s_are_told(length: int, shelf: Shelf) -> None:
    """A model that changed its vectors' size under the same name is refused in a sentence."""
    chunk_id = _chunk_id(shelf)
    vectors = {chunk_id: vector_of("fits"), chunk_id + 1: np.ones(length, np.float32)}
    with (
        pytest.raises(ConfigurationError, match=r"^words gave vectors of \d+ .* where 16 are"),
        shelf.engine.begin() as connection,
    ):
        insert_vectors(connection, shelf.space, vectors)


def test_a_vector_that_is_there_stays(shelf: Shelf) -> None:
    """A second vector for a chunk changes nothing."""
    chunk_id = _chunk_id(shelf)
    before = shelf.search("one")[0].similarity
    with shelf.engine.begin() as connection:
        insert_vectors(connection, shelf.space, {chunk_id: -vector_of("T\nOne rule.")})
    assert shelf.search("one")[0].similarity == before


def test_only_what_has_no_vector_is_missing(shelf: Shelf) -> None:
    """Hashes of stored chunks are known, others are not, in this workspace and space alone."""
    _chunk_id(shelf)
    stored, other = chunk_hash("T\nOne rule."), chunk_hash("T\nAnother.")
    engine, space = shelf.engine, shelf.space
    assert embedded_hashes(engine, shelf.workspace_id, space, [stored, other]) == {stored}
    assert embedded_hashes(engine, shelf.workspace_id, space, []) == set()
    elsewhere = Shelf(engine, ensure_workspace(engine, f"elsewhere-{shelf.workspace_id}"))
    assert embedded_hashes(engine, elsewhere.workspace_id, elsewhere.space, [stored]) == set()


def test_a_table_s_name_is_made_of_an_integer() -> None:
    """Nothing but digits reaches a statement as part of a table's name."""
    with pytest.raises(ValueError, match="invalid literal"):
        _ = EmbeddingSpace("1; DROP TABLE chunks", "m", 3).table  # type: ignore[arg-type]


def _chunk_id(shelf: Shelf) -> int:
    """Publish one rule and return its chunk's id."""
    shelf.publish("rules", ["One rule."], title="T")
    return shelf.search("one")[0].chunk_id
