"""Publishing while others publish and search: one version or the other, whole, never none."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import text

from store.access import OPERATOR_ACCESS, Access
from store.publish import File, Origin, publish
from store.search import search
from store.sources import NewSource, add_source
from tests.integration.store.shelf import Shelf, passages_of, read, vector_of

PASSAGES = 6
VERSIONS = 25
READERS = 3


def _version(number: int) -> list[str]:
    """Return a version's passages: some of its own, some that every version has."""
    own = [f"Version {number}, rule {rule}." for rule in range(PASSAGES - 2)]
    return ["Always first.", *own, "Always last."]


def test_readers_see_one_version_whole(shelf: Shelf) -> None:
    """While a document is published again and again, every search sees exactly one version."""
    shelf.publish("rules", _version(0))
    stop = threading.Event()

    def read_on() -> list[list[str]]:
        seen = []
        while not stop.is_set():
            found = search(
                shelf.engine, shelf.workspace_id, shelf.space, OPERATOR_ACCESS,
                datetime.now(UTC), vector_of("rule"), {},
            )  # fmt: skip
            assert len({candidate.version_id for candidate in found}) == 1
            seen.append([c.text for c in sorted(found, key=lambda c: c.ordinal)])
        return seen

    with ThreadPoolExecutor(READERS) as pool:
        readers = [pool.submit(read_on) for _ in range(READERS)]
        for number in range(1, VERSIONS):
            shelf.publish("rules", _version(number))
        time.sleep(0.05)
        stop.set()
    for reader in readers:
        seen = reader.result()
        numbers = [int(texts[1].removeprefix("Version ").partition(",")[0]) for texts in seen]
        assert seen == [_version(number) for number in numbers]
        assert numbers == sorted(numbers)
        assert numbers[-1] == VERSIONS - 1


def test_the_later_publication_wins(shelf: Shelf) -> None:
    """Of many at once each gets a number of its own, and the highest one holds."""
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: shelf.publish("rules", _version(n)), range(12)))
    assert sorted(publication.number for publication in done) == list(range(1, 13))
    last = max(range(12), key=lambda n: done[n].number)
    assert [c.text for c in sorted(shelf.search(), key=lambda c: c.ordinal)] == _version(last)
    by_number = sorted(done, key=lambda publication: publication.number)
    begins = [publication.effective_from for publication in by_number]
    assert begins == sorted(begins)


def test_the_same_words_at_once_are_one_version(shelf: Shelf) -> None:
    """Who comes second with the same words finds them published."""
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: shelf.publish("rules", _version(1)), range(6)))
    assert [publication.is_new for publication in done].count(True) == 1
    assert {publication.number for publication in done} == {1}
    assert shelf.rows()["chunks"] == PASSAGES


def test_documents_that_share_chunks_can_be_published_at_once(shelf: Shelf) -> None:
    """Shared passages of documents published together become one row each, without deadlock."""
    shared = [f"Shared rule {rule}." for rule in range(5)]

    def publish(number: int) -> int:
        order = shared if number % 2 else shared[::-1]
        return shelf.publish(f"doc-{number}", [*order, f"Only {number}."], title="Rules").number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(publish, range(8))) == [1] * 8
    rows = shelf.rows()
    assert (rows["documents"], rows["chunks"], rows["vectors"]) == (8, 13, 13)


def test_an_audience_that_is_being_changed_is_waited_for(shelf: Shelf) -> None:
    """What a source holds is published for the readers it has once the change is made."""
    new = NewSource("folder", "handbook", "/handbook", {}, ["everyone"])
    source = add_source(shelf.engine, shelf.workspace_id, new, "U1")
    document = read("pay", ["Monthly."])
    passages = passages_of(document)
    vectors = {p.sha256: vector_of(p.chunk.content) for p in passages}
    file = File("pay.txt", "text/plain", b"Monthly.")
    with ThreadPoolExecutor(1) as pool, shelf.engine.begin() as connection:
        connection.execute(
            text("UPDATE sources SET audience = '{group:HR}' WHERE id = :id"), {"id": source.id}
        )
        done = pool.submit(
            publish, shelf.engine, shelf.workspace_id, document, file, passages, shelf.space,
            vectors, origin=Origin(source_id=source.id),
        )  # fmt: skip
        time.sleep(0.3)
        assert not done.done()
        connection.commit()
        done.result(10)
    assert shelf.found() == []
    few = frozenset({"group:HR"})
    assert shelf.found(access=Access(few, few)) == ["Monthly."]
