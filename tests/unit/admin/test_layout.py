"""A version laid out by its blocks, the quote marked to the letter."""

from hypothesis import given
from hypothesis import strategies as st

from admin.layout import Group, Span, lay_out, paragraphs, top_level
from store.documents import Block
from tests.unit.admin.scripted import RETURNS, RETURNS_TEXT, SALE_QUOTE, version

SALE = Span(RETURNS_TEXT.index(SALE_QUOTE), RETURNS_TEXT.index(SALE_QUOTE) + len(SALE_QUOTE))


def marked(groups: tuple[Group, ...]) -> list[str]:
    """Return the quoted runs of a page."""
    return [
        run.text
        for g in groups
        for line in g.lines
        for cell in line.cells
        for run in cell
        if run.quoted
    ]


def test_marks_the_quote_and_nothing_else() -> None:
    """Inside its paragraph exactly the quoted words are marked."""
    assert marked(lay_out(RETURNS, (), SALE)) == [SALE_QUOTE]


def test_without_a_quote_nothing_is_marked() -> None:
    """A page opened without offsets is plain text."""
    assert marked(lay_out(RETURNS, (), None)) == []


@given(st.data())
def test_any_quote_is_marked_to_the_letter(data: st.DataObject) -> None:
    """Marked runs are the quote without the white space between blocks; one carries the anchor."""
    text = data.draw(st.text(alphabet="ab \n\téß👩‍🚒", min_size=1, max_size=60))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    groups = lay_out(version(text), (), Span(start, end))
    assert "".join("".join(marked(groups)).split()) == "".join(text[start:end].split())
    runs = [run for g in groups for line in g.lines for cell in line.cells for run in cell]
    assert sum(run.anchor for run in runs) == (1 if marked(groups) else 0)


@given(st.text(alphabet="ab \n\t", max_size=60))
def test_paragraphs_are_stretches_between_blank_lines(text: str) -> None:
    """No paragraph holds a blank line, and none of the text's words is left out."""
    found = [text[block.start : block.end] for block in paragraphs(text)]
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(line.strip() for part in found for line in part.strip().split("\n"))


def test_neighbouring_items_are_one_list() -> None:
    """Items of a list and rows of a table run on; paragraphs stand alone."""
    blocks = [
        Block("list_item", 0, 1),
        Block("list_item", 2, 3, level=1),
        Block("paragraph", 4, 5),
        Block("paragraph", 6, 7),
        Block("table_row", 8, 9),
        Block("table_row", 10, 11),
    ]
    groups = lay_out(version("a b c d e f"), blocks, None)
    assert [(group.kind, len(group.lines)) for group in groups] == [
        ("list", 2),
        ("paragraph", 1),
        ("paragraph", 1),
        ("table", 2),
    ]


def test_a_heading_that_repeats_the_title_is_left_out() -> None:
    """The page's own title says it already, unless the quote stands in that heading."""
    blocks = [Block("heading", 0, 14, level=1), Block("paragraph", 16, 65)]
    assert [g.kind for g in lay_out(RETURNS, blocks, SALE)] == ["paragraph"]
    assert marked(lay_out(RETURNS, blocks, Span(0, 7))) == ["Returns"]


def test_a_quote_over_two_blocks_is_marked_in_both() -> None:
    """The words between are marked in each block, and the first of them is where one lands."""
    groups = lay_out(version("one two\n\nthree"), (), Span(4, 14))
    assert marked(groups) == ["two", "three"]
    assert [line.cells[0][-1].anchor for group in groups for line in group.lines] == [True, False]


def test_the_highest_headings_come_next_below_the_title() -> None:
    """A document that begins at its second level skips none on the page."""
    blocks = [Block("heading", 0, 1, level=2), Block("heading", 2, 3, level=3)]
    assert top_level(lay_out(version("a b c"), blocks, None)) == 2
    assert top_level(lay_out(version("a b c"), (), None)) == 1


def test_a_table_row_has_its_cells() -> None:
    """A row is cut at the cells' joiner, and a quote over two cells is marked in both."""
    text = "Parcel | €4.95 | any number"
    [group] = lay_out(version(text), [Block("table_row", 0, len(text))], Span(3, 14))
    cells = [[(run.text, run.quoted, run.anchor) for run in c] for c in group.lines[0].cells]
    assert cells == [
        [("Par", False, False), ("cel", True, True)],
        [("€4.95", True, False)],
        [("any number", False, False)],
    ]
