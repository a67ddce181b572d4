import pytest
from hypothesis import given, settings

from ingestion.parse import parse
from store.documents import ParsedDocument
from tests.unit.ingestion.documents import SOURCES, assert_sound_or_refused

LONG = "You can return what you bought within the time that is given here, if it is unworn. " * 3
WRAPPED = (
    "Refunds are paid to the card that was used for\n"
    "the order, within ten working days after the\n"
    "Returns Desk has received and checked the parcel."
)


def read(source: str) -> ParsedDocument:
    return parse("policy.txt", source.encode())


def blocks(source: str) -> list[tuple[str, int, str]]:
    document = read(source)
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


@pytest.mark.parametrize(
    ("source", "headings"),
    [
        pytest.param(f"Returns\n\n\nBy mail \n{LONG}", [(1, "Returns"), (2, "By mail")],
                     id="above its text"),
        pytest.param(f"Returns\n\nWhat do I need?\n{LONG}\n\nHow long?\n\n{LONG}",
                     [(1, "Returns"), (2, "What do I need?"), (2, "How long?")], id="questions"),
        pytest.param(f"Returns\n=======\n\nSale items\n----------\n{LONG}",
                     [(1, "Returns"), (3, "Sale items")], id="underlined"),
        pytest.param(f"Terms\n\n1. Scope\n\n{LONG}\n\n1.1 Places\n{LONG}",
                     [(1, "Terms"), (2, "1. Scope"), (3, "1.1 Places")], id="numbered"),
        pytest.param(f"{LONG}\n\nSale items\n{LONG}", [(2, "Sale items")], id="no title"),
        pytest.param(f"# Returns\n{LONG}\n\n## Sale\n\n{LONG}\n\n# no\n# no",
                     [(1, "Returns"), (2, "Sale")], id="hashes"),
    ],
)  # fmt: skip
def test_headings_are_told_by_how_they_stand(source: str, headings: list[tuple[int, str]]) -> None:
    """Short lines set apart, underlined or numbered are headings."""
    assert [(level, text) for kind, level, text in blocks(source) if kind == "heading"] == headings


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(WRAPPED, id="wrapped lines"),
        pytest.param(f"{WRAPPED}\n\n{WRAPPED}", id="wrapped paragraphs"),
        pytest.param(f"{LONG}\n\nPlease note:\n{LONG}", id="ends in a colon"),
        pytest.param(f"{LONG}\n\nIt is so.\n{LONG}", id="ends in a full stop"),
        pytest.param(f"{LONG}\n\nYours sincerely", id="nothing follows"),
        pytest.param("Closed on Mondays", id="all there is"),
        pytest.param(f"{LONG}\nSale items\n{LONG}", id="no blank line above"),
        pytest.param(f"{LONG}\n\n1. Boots\n\n2. Gloves\n\n3. Hats", id="a list with blank lines"),
    ],
)
def test_other_short_lines_are_text(source: str) -> None:
    """What reads on, ends like a sentence, or has nothing under it is no heading."""
    assert "heading" not in {kind for kind, _, _ in blocks(source)}


def test_lines_of_a_paragraph_are_joined() -> None:
    """A paragraph is one block however it is wrapped."""
    assert read(WRAPPED).text == " ".join(WRAPPED.split())


def test_items_keep_their_numbers_and_lose_their_dots() -> None:
    """Bullets are markup, numbers are words; what is indented below an item belongs to it."""
    source = f"{LONG}\n\n- one\n  more\n  * two\n- three\n\n1. first\n2. second\n(a) third"
    assert blocks(source)[1:] == [
        ("list_item", 0, "one more"), ("list_item", 1, "two"), ("list_item", 0, "three"),
        ("list_item", 0, "1. first"), ("list_item", 0, "2. second"), ("list_item", 0, "(a) third"),
    ]  # fmt: skip


def test_form_feeds_part_pages() -> None:
    """Blocks know their page where a file has pages, and have none where it has not."""
    assert [block.page for block in read(f"{LONG}\n\f{LONG}\n\n{LONG}").blocks] == [1, 2, 2]
    assert [block.page for block in read(LONG).blocks] == [None]


def test_the_title_is_the_first_line_if_it_is_short() -> None:
    """A long first line is text; then the file's name is the title."""
    assert (
        read(f"\n Escort driver certification \n\n{LONG}").title == "Escort driver certification"
    )
    assert read(LONG).title == "Policy"


def test_text_reads_like_the_markdown_of_the_same_words() -> None:
    """The format leaves no trace in the canonical text."""
    markdown = f"# Returns\n\n{LONG}\n\n* one\n* two\n\n1. first\n2. second\n"
    plain = f"Returns\n\n{LONG}\n\n- one\n- two\n\n1. first\n2. second\n"
    assert read(plain).text == parse("policy.md", markdown.encode()).text


@settings(deadline=None, max_examples=300)
@given(SOURCES)
def test_offsets_hold_for_any_text(source: str) -> None:
    """Blocks tile the canonical text and runs stand in the source, or the file is refused."""
    assert_sound_or_refused("policy.txt", source)
