"""Publishing: whole or not at all, nothing new for the same words, unchanged chunks kept."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, Text, cast, column, select, text
from sqlalchemy import table as table_named
from sqlalchemy.exc import DBAPIError

from retrieval.lexical import question_terms
from store import tables
from store.access import EVERYONE, OPERATOR_ACCESS, Access
from store.blobs import read_blob
from store.documents import ParsedDocument, read_block_at, read_blocks, read_versions
from store.publish import DatesError, File, publish
from store.search import versions_in_force
from store.spaces import ensure_space
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import DIMENSIONS, Shelf, passages_of, read, vector_of

RETURNS = ["Items can be returned within 14 days.", "Sale items are exchanged only."]


def test_a_first_version_is_read_back_as_it_was(shelf: Shelf) -> None:
    """Text, blocks, dates, file and passages come back exactly, offsets included."""
    done = shelf.publish("returns", RETURNS, title="Returns policy", since="2026-01-01")
    (version,) = read_versions(shelf.engine, shelf.workspace_id, [done.version_id])
    document = read("returns", RETURNS, title="Returns policy", since="2026-01-01")
    assert (done.number, done.is_new, done.chunk_count, done.new_chunk_count) == (1, True, 2, 2)
    assert (version.text, version.title, version.number) == (document.text, "Returns policy", 1)
    assert version.effective_from == done.effective_from == document.effective_from
    assert tuple(read_blocks(shelf.engine, version.id)) == document.blocks
    for candidate in shelf.search("returned"):
        assert version.text[candidate.start : candidate.end] == candidate.text
        assert candidate.document_key == "returns"
    data = document.text.encode()
    with shelf.engine.connect() as connection:
        sha256 = connection.execute(
            text("SELECT blob_sha256 FROM document_versions WHERE id = :id"), {"id": version.id}
        ).scalar_one()
    assert read_blob(shelf.engine, shelf.workspace_id, sha256) == data


def test_words_beyond_ascii_keep_their_offsets(shelf: Shelf) -> None:
    """Offsets count code points, also behind emoji and combining letters."""
    done = shelf.publish("fun", ["Fünf 👩‍👩‍👧 Tage.", "e\u0301te\u0301 = été", "½ ﬁn"])
    (version,) = read_versions(shelf.engine, shelf.workspace_id, [done.version_id])
    found = shelf.search()
    assert len(found) == 3
    assert all(version.text[c.start : c.end] == c.text for c in found)


def test_the_same_words_are_no_new_version(shelf: Shelf) -> None:
    """Publishing again what reads the same adds no row anywhere."""
    first = shelf.publish("returns", RETURNS, since="2026-01-01")
    before = shelf.rows()
    again = shelf.publish("returns", RETURNS, since="2026-01-01")
    assert (again.is_new, again.version_id, again.number) == (False, first.version_id, 1)
    assert again.effective_from == first.effective_from
    assert shelf.rows() == before


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"paragraphs": ["Items can be returned within 30 days."]}, id="words"),
        pytest.param({"title": "Returns and exchanges"}, id="title"),
        pytest.param({"since": "2026-02-01"}, id="begin"),
        pytest.param({"until": "2027-01-01"}, id="end"),
    ],
)
def test_a_change_is_a_new_version(changed: dict[str, Any], shelf: Shelf) -> None:
    """Other words, another title or another date make the next number."""
    shelf.publish("returns", RETURNS, since="2026-01-01")
    changed = {"paragraphs": RETURNS, "since": "2026-01-01"} | changed
    again = shelf.publish("returns", changed.pop("paragraphs"), **changed)
    assert (again.is_new, again.number) == (True, 2)


def test_going_back_to_older_words_is_a_change(shelf: Shelf) -> None:
    """An undated file is compared with what is in force, not with what once was."""
    shelf.publish("returns", ["Fourteen days."])
    shelf.publish("returns", ["Thirty days."])
    back = shelf.publish("returns", ["Fourteen days."])
    assert (back.is_new, back.number, shelf.found()) == (True, 3, ["Fourteen days."])


def test_going_back_to_older_words_of_the_same_day_is_a_change(shelf: Shelf) -> None:
    """Of several versions that begin on one day the last published one holds, also a repeated."""
    for words in ("Fourteen days.", "Thirty days.", "Fourteen days."):
        done = shelf.publish("returns", [words], since="2026-01-01")
    assert (done.is_new, done.number, shelf.found()) == (True, 3, ["Fourteen days."])


def test_an_undated_file_is_compared_with_what_is_in_force(shelf: Shelf) -> None:
    """An announced future version does not make today's words a change, nor yesterday's."""
    today = shelf.publish("returns", ["Fourteen days."])
    shelf.publish("returns", ["Thirty days."], since="2999-01-01")
    shelf.publish("returns", ["Ten days."], since="2020-01-01")
    again = shelf.publish("returns", ["Fourteen days."])
    assert (again.is_new, again.version_id) == (False, today.version_id)
    early = shelf.publish("returns", ["Thirty days."])
    assert (early.is_new, shelf.found()) == (True, ["Thirty days."])


def test_unchanged_chunks_keep_their_rows_and_vectors(shelf: Shelf) -> None:
    """Of 40 passages of which one changed, one row and one vector are new; the rest only move."""
    paragraphs = [f"Rule {number} holds on weekdays." for number in range(40)]
    shelf.publish("rules", paragraphs, since="2026-01-01")
    before, rows = _chunks(shelf), shelf.rows()
    changed = ["Rule 0 is new.", *paragraphs[:7], "Rule 7 is gone.", *paragraphs[8:]]
    done = shelf.publish("rules", changed, since="2026-02-01")
    after = _chunks(shelf)
    assert done.new_chunk_count == 2
    assert {key: after[key] for key in before} == before
    assert shelf.rows()["chunks"] == rows["chunks"] + 2
    assert shelf.rows()["vectors"] == rows["vectors"] + 2
    assert shelf.found() == sorted(changed)


def test_a_chunk_is_shared_by_the_documents_that_hold_it(shelf: Shelf) -> None:
    """The same title and words in two documents are one row, found once in each place."""
    for key in ("a", "b"):
        shelf.publish(key, ["Water is free."], title="House rules")
    assert shelf.rows()["chunks"] == 1
    assert [c.document_key for c in shelf.search("water")] == ["a", "b"]


def test_a_passage_twice_in_a_document_is_found_in_both_places(shelf: Shelf) -> None:
    """A repeated sentence has one row and two places."""
    shelf.publish("house", ["Be kind.", "Be quick.", "Be kind."])
    assert shelf.rows()["chunks"] == 2
    assert [c.start for c in shelf.search("kind") if c.text == "Be kind."] == [0, 19]


def test_frequencies_count_each_chunk_once(shelf: Shelf) -> None:
    """However often it is published, a chunk counts once in what inverse frequencies are of."""
    for since in ("2026-01-01", "2026-02-01"):
        shelf.publish("returns", RETURNS, since=since)
    shelf.publish("other", ["Items, items and items."], title="Returns")
    assert _frequency(shelf, "items") == 3
    assert _frequency(shelf, "nothing") == 0


@pytest.mark.parametrize(
    "audience",
    [
        pytest.param(None, id="a new document is for everyone"),
        pytest.param(["group:S1", "channel:C1"], id="or for whom it is given to"),
    ],
)
def test_a_new_document_has_its_audience(audience: Sequence[str] | None, shelf: Shelf) -> None:
    """Without an audience of its own a document is for every member."""
    shelf.publish("returns", RETURNS, audience=audience)
    assert _audience(shelf) == list(audience or [EVERYONE])


def test_the_audience_is_kept_or_replaced(shelf: Shelf) -> None:
    """None keeps what was set, a list replaces it, even where the words stay the same."""
    shelf.publish("returns", RETURNS, audience=["group:S1"])
    shelf.publish("returns", ["New words."])
    assert _audience(shelf) == ["group:S1"]
    assert shelf.publish("returns", ["New words."], audience=["external"]).is_new is False
    assert _audience(shelf) == ["external"]


def test_an_empty_audience_is_refused(shelf: Shelf) -> None:
    """A document that nobody may read is a mistake, and nothing of it is kept."""
    before = shelf.rows()
    with pytest.raises(DBAPIError, match="audience"):
        shelf.publish("returns", RETURNS, audience=[])
    assert shelf.rows() == before


def _broken_block(document: ParsedDocument) -> ParsedDocument:
    return replace(document, blocks=(replace(document.blocks[0], start=9, end=9),))


@pytest.mark.parametrize("at", ["the vectors", "the version", "the places"])
def test_a_failing_insert_leaves_nothing(at: str, shelf: Shelf) -> None:
    """Wherever it fails, document, chunks, vectors, counts and file are as before."""
    shelf.publish("returns", RETURNS, since="2026-01-01")
    before = shelf.rows(), _counts(shelf)
    words = ["Bikes may be returned.", "Boats may not."]
    document = read("boats", words, since="2026-01-01")
    passages = passages_of(document)
    vectors = {p.sha256: vector_of(p.chunk.content) for p in passages}
    if at == "the vectors":
        vectors[passages[1].sha256] = np.full(DIMENSIONS, np.nan, np.float32)
    elif at == "the version":
        document = replace(document, effective_to=document.effective_from)
    else:
        document = _broken_block(document)
    file = File("boats.txt", "text/plain", b"boats")
    with pytest.raises((DBAPIError, DatesError)):
        publish(shelf.engine, shelf.workspace_id, document, file, passages, shelf.space, vectors)
    assert (shelf.rows(), _counts(shelf)) == before
    assert shelf.found() == sorted(RETURNS)


def test_a_failing_next_version_leaves_the_last_one(shelf: Shelf) -> None:
    """Readers keep the whole old version when the new one cannot be stored."""
    shelf.publish("returns", RETURNS, since="2026-01-01", audience=["group:S1"])
    document = _broken_block(read("returns", ["New."], since="2026-02-01"))
    file = File("returns.txt", "text/plain", b"new")
    with pytest.raises(DBAPIError):
        publish(
            shelf.engine, shelf.workspace_id, document, file, [], shelf.space, {}, audience=["x"]
        )
    s1 = frozenset({"group:S1"})
    assert shelf.found(access=Access(s1, s1)) == sorted(RETURNS)


def test_a_document_without_passages_can_be_published(shelf: Shelf) -> None:
    """A version with nothing to find is kept and finds nothing."""
    document = replace(read("empty", [""]), blocks=())
    file = File("empty.txt", "text/plain", b"")
    done = publish(shelf.engine, shelf.workspace_id, document, file, [], shelf.space, {})
    assert (done.is_new, done.chunk_count, shelf.found()) == (True, 0, [])


def test_workspaces_share_nothing(shelf: Shelf) -> None:
    """The same words in another workspace are another document with chunks of its own."""
    other_id = ensure_workspace(shelf.engine, f"other-{shelf.workspace_id}")
    other = Shelf(shelf.engine, other_id)
    for each in (shelf, other):
        assert each.publish("returns", RETURNS).number == 1
    other.publish("returns", ["Only there."])
    assert shelf.found() == sorted(RETURNS)
    assert other.found() == ["Only there."]
    version = other.search()[0].version_id
    assert read_versions(shelf.engine, shelf.workspace_id, [version]) == []
    now = datetime.now(UTC)
    listed = versions_in_force(shelf.engine, shelf.workspace_id, OPERATOR_ACCESS, now)
    assert [version.text for version in listed] == ["\n".join(RETURNS)]


def test_a_place_in_a_text_has_its_block(shelf: Shelf) -> None:
    """Every code point of a block finds it; the line between two blocks finds none."""
    done = shelf.publish("returns", ["Fünf 👩‍👩‍👧.", "Sechs."])
    blocks = read_blocks(shelf.engine, done.version_id)
    (version,) = read_versions(shelf.engine, shelf.workspace_id, [done.version_id])
    for offset in range(len(version.text) + 1):
        holding = next((b for b in blocks if b.start <= offset < b.end), None)
        assert read_block_at(shelf.engine, done.version_id, offset) == holding


def test_a_deleted_document_is_not_found(shelf: Shelf) -> None:
    """A deleted document is gone from every search, also from one that looks back."""
    shelf.publish("returns", RETURNS, since="2026-01-01")
    shelf.publish("house", ["Be kind."], since="2026-01-01")
    _delete(shelf.engine, shelf.workspace_id, "returns")
    assert shelf.found() == ["Be kind."]
    assert shelf.found(as_of="2026-02-01") == ["Be kind."]


def test_publishing_brings_a_deleted_document_back(shelf: Shelf) -> None:
    """Who publishes it again wants it found, even where its words are the same."""
    shelf.publish("returns", RETURNS)
    _delete(shelf.engine, shelf.workspace_id, "returns")
    shelf.publish("returns", RETURNS)
    assert shelf.found(access=OPERATOR_ACCESS) == sorted(RETURNS)


def test_the_same_name_without_a_key_is_the_same_document(shelf: Shelf) -> None:
    """Where a file names no key its name is one."""
    for words in ("Ten days.", "Twenty days."):
        document = replace(read("x", [words]), document_key=None)
        passages = passages_of(document)
        vectors = {p.sha256: vector_of(p.chunk.content) for p in passages}
        file = File("returns.md", "text/markdown", b"")
        done = publish(
            shelf.engine, shelf.workspace_id, document, file, passages, shelf.space, vectors
        )
    assert (done.document_key, done.number) == ("returns.md", 2)


def test_a_space_is_made_once(shelf: Shelf) -> None:
    """The space that a workspace has is the one everybody gets."""
    again = ensure_space(shelf.engine, shelf.workspace_id, "another", DIMENSIONS)
    assert again == shelf.space


def _chunks(shelf: Shelf) -> dict[str, tuple[int, str]]:
    """Return each chunk's id and vector by its content."""
    vectors = table_named(shelf.space.table, column("chunk_id"), column("embedding"))
    chunks = tables.chunks
    statement = (
        select(chunks.c.content, chunks.c.id, cast(vectors.c.embedding, Text).label("vector"))
        .join(vectors, vectors.c.chunk_id == chunks.c.id)
        .where(chunks.c.workspace_id == shelf.workspace_id)
    )
    with shelf.engine.connect() as connection:
        return {row.content: (row.id, row.vector) for row in connection.execute(statement)}


def _audience(shelf: Shelf) -> list[str]:
    with shelf.engine.connect() as connection:
        documents = tables.documents
        mine = documents.c.workspace_id == shelf.workspace_id
        return list(connection.execute(documents.select().where(mine)).one().audience)


def _counts(shelf: Shelf) -> tuple[int, int]:
    """Return the workspace's number of chunks and the sum of its term frequencies."""
    statement = text(
        "SELECT chunk_count, (SELECT sum(chunk_count) FROM term_frequencies"
        " WHERE workspace_id = :id) AS terms FROM workspaces WHERE id = :id"
    )
    with shelf.engine.connect() as connection:
        row = connection.execute(statement, {"id": shelf.workspace_id}).one()
        return row.chunk_count, row.terms


def _frequency(shelf: Shelf, word: str) -> int:
    (term,) = question_terms(word)
    statement = text(
        "SELECT sum(chunk_count) FROM term_frequencies"
        " WHERE workspace_id = :id AND term_id = :term"
    )
    with shelf.engine.connect() as connection:
        row = connection.execute(statement, {"id": shelf.workspace_id, "term": term})
        return row.scalar_one_or_none() or 0


def _delete(engine: Engine, workspace_id: int, key: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE documents SET deleted_at = now()"
                " WHERE workspace_id = :workspace_id AND key = :key"
            ),
            {"workspace_id": workspace_id, "key": key},
        )
