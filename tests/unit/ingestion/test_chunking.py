import time

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.chunking import PREFIX_LIMIT, TOKEN_LIMIT, chunk
from ingestion.errors import DocumentError
from ingestion.parse import parse
from store.documents import Chunk, ParsedDocument
from tests.unit.ingestion.documents import PROSE, SOURCES


def words(text: str) -> int:
    return len(text.split())


def read(source: str) -> ParsedDocument:
    return parse("policy.md", source.encode())


def texts(document: ParsedDocument, chunks: tuple[Chunk, ...]) -> list[str]:
    return [document.text[part.start : part.end] for part in chunks]


def section(heading: str, count: int) -> str:
    """Return a section of `count` sentences of eight words, all different."""
    lines = [f"The {heading} rule number {n} says so." for n in range(count)]
    return f"## {heading}\n\n" + "\n\n".join(lines)


def assert_covers(document: ParsedDocument, chunks: tuple[Chunk, ...], limit: int) -> None:
    position = 0
    for ordinal, part in enumerate(chunks):
        assert part.ordinal == ordinal
        assert document.text[position : part.start].strip() == ""
        assert position <= part.start < part.end
        assert part.token_count <= limit
        assert part.content.endswith("\n" + document.text[part.start : part.end])
        position = part.end
    assert document.text[position:].strip() == ""


@settings(deadline=None, max_examples=200)
@given(SOURCES, st.integers(3, 30))
def test_chunks_cover_any_document(source: str, limit: int) -> None:
    """Chunks are slices in order, together they are every block, none exceeds the limit."""
    try:
        document = read(source)
    except DocumentError:
        return
    assert_covers(document, chunk(document, words, limit), limit)


def test_small_sections_share_a_chunk_and_large_ones_do_not() -> None:
    """Neighbours under one parent go together while they fit."""
    document = read("# T\n\n" + "\n\n".join(section(name, 2) for name in ("Boots", "Hats")))
    assert len(chunk(document, words)) == 1
    document = read("# T\n\n" + "\n\n".join(section(name, 20) for name in ("Boots", "Hats")))
    assert [part.heading_path for part in chunk(document, words)] == [("Boots",), ("Hats",)]


def test_sections_of_different_parents_stay_apart() -> None:
    """A chunk never reaches over a heading of a higher level."""
    document = read("# T\n\n## A\n\n### B\n\nOne.\n\n## C\n\n### D\n\nTwo.")
    assert [part.heading_path for part in chunk(document, words)] == [("A", "B"), ("C", "D")]


def test_a_heading_goes_with_what_it_heads() -> None:
    """Cuts fall before a heading, also in a row of headings and in a full chunk."""
    document = read("# T\n\n" + "\n\n".join(section(f"Part{n}", 23) for n in range(6)))
    for text in texts(document, chunk(document, words, 40)):
        assert not text.splitlines()[-1].startswith("Part")


def test_a_long_block_is_cut_between_sentences() -> None:
    """A block over the limit is parted at sentences, which stay whole."""
    sentences = [f"Rule {n} holds for all of our shops." for n in range(90)]
    document = read(" ".join(sentences))
    parts = texts(document, chunk(document, words))
    assert len(parts) > 1
    assert all(part.startswith("Rule") and part.endswith("shops.") for part in parts)
    assert " ".join(parts) == document.text


def test_a_sentence_without_end_is_cut_between_words() -> None:
    """Words stay whole even where nothing else can."""
    document = read(" ".join(f"word{n}" for n in range(1000)))
    parts = texts(document, chunk(document, words))
    assert " ".join(parts) == document.text
    assert max(map(words, parts)) <= TOKEN_LIMIT


def test_a_word_of_a_megabyte_is_cut_too() -> None:
    """No chunk is endless, whatever a tokenizer calls one token."""
    document = read("x" * 1_000_000)
    chunks = chunk(document, words)
    assert "".join(texts(document, chunks)) == document.text
    assert max(part.end - part.start for part in chunks) < 4_000


def test_content_names_title_and_headings() -> None:
    """What is embedded begins with where the passage stands."""
    document = read("# Returns policy\n\n## Sale items\n\nWithin 14 days.")
    assert chunk(document, words)[-1].content == (
        "Returns policy › Sale items\nReturns policy\n\nSale items\n\nWithin 14 days."
    )


def test_a_long_path_loses_its_outermost_names() -> None:
    """The prefix keeps to its tokens; the nearest heading is the last to go."""
    long = " ".join(["many"] * 30)
    document = read(f"# {long}\n\n## {long} outer\n\n### Inner part\n\nWords.")
    prefix = chunk(document, words)[-1].content.splitlines()[0]
    assert prefix.endswith("outer › Inner part")
    assert words(prefix) <= PREFIX_LIMIT
    document = read("# " + " ".join(["many"] * 99) + "\n\nWords.")
    assert 0 < words(chunk(document, words)[0].content.splitlines()[0]) <= PREFIX_LIMIT


def test_a_chunk_begins_on_its_page() -> None:
    """The page is that of the chunk's first words."""
    document = parse(
        "a.txt", (("One two three. " * 50) + "\f" + ("Four five six. " * 60)).encode()
    )
    assert {part.page for part in chunk(document, words)} == {1, 2}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(PROSE, st.integers(1, 60)), min_size=3, max_size=8), st.data())
def test_an_edit_keeps_the_chunks_of_other_chapters(
    chapters: list[tuple[str, int]], data: st.DataObject
) -> None:
    """A changed paragraph leaves every chunk under other headings of the top level as it was."""
    sources = [
        f"## Chapter {n}\n\n" + "\n\n".join(f"{text} {i}." for i in range(count))
        for n, (text, count) in enumerate(chapters)
    ]
    # Sections with sections of their own do not share chunks with their neighbours.
    sources = [f"{source}\n\n### Detail {n}\n\nMore." for n, source in enumerate(sources)]
    edited = data.draw(st.integers(0, len(sources) - 1))
    changed = [*sources]
    changed[edited] = changed[edited].replace(
        "\n\n", "\n\nA new paragraph was put in here.\n\n", 1
    )
    before = _by_chapter(read("# T\n\n" + "\n\n".join(sources)))
    after = _by_chapter(read("# T\n\n" + "\n\n".join(changed)))
    for chapter, contents in before.items():
        if chapter != f"Chapter {edited}":
            assert after[chapter] == contents


def _by_chapter(document: ParsedDocument) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in chunk(document, words, 60):
        found.setdefault(part.heading_path[0], []).append(part.content)
    return found


def test_one_new_paragraph_changes_few_chunks() -> None:
    """In a long section without headings the old cuts are soon found again."""
    paragraphs = [
        f"Rule {n} says that {n * 7 % 13} of {n * 11 % 17} parcels arrive in time."
        for n in range(300)
    ]
    before = {part.content for part in chunk(read("\n\n".join(paragraphs)), words)}
    renewed = []
    for position in range(0, 300, 30):
        edited = [*paragraphs]
        edited.insert(position, "A new rule of about as many words has been put in here.")
        after = {part.content for part in chunk(read("\n\n".join(edited)), words)}
        renewed.append(len(after - before))
    assert min(renewed) >= 1
    assert sum(renewed) / len(renewed) <= 3


def test_a_megabyte_is_chunked_in_seconds() -> None:
    """Tokens are counted once a block, not once a chunk that might be."""
    counted = 0

    def counting(text: str) -> int:
        nonlocal counted
        counted += len(text)
        return words(text)

    source = "\n\n".join(f"Rule {n} " + "applies to all of our shops. " * 9 for n in range(4_000))
    document = read(source)
    started = time.process_time()
    chunks = chunk(document, counting)
    assert time.process_time() - started < 20
    assert_covers(document, chunks, TOKEN_LIMIT)
    assert counted < 2 * len(document.text)
