import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.errors import (
    DocumentError,
    EmptyFileError,
    FileTooLargeError,
    ProtectedFileError,
    UnreadableFileError,
)
from ingestion.parse import parse
from ingestion.parse.pdf_file import open_page, open_pdf
from ingestion.parse.pdf_source import HYPHEN, PAGE_STRIDE, units
from ingestion.parse.pdf_text import read_units
from store.documents import ParsedDocument
from tests.unit.ingestion.pdf_files import Page, lines, pdf, picture, rule, text

SENTENCE = (
    "You can return what you bought within the time that is given here if it is unworn and the"
    " parcel reaches our desk with the slip that came with it. "
)
BODY = (SENTENCE * 3).strip()
BIG = 18.0  # points


def read(*pages: Page | str, title: str | None = None) -> ParsedDocument:
    return parse("policy.pdf", pdf(pages, title=title))


def blocks(document: ParsedDocument) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


def texts(document: ParsedDocument) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks]


def of_kind(document: ParsedDocument, kind: str) -> list[str]:
    return [text for found, _, text in blocks(document) if found == kind]


def places(data: bytes) -> dict[int, str]:
    """Return each page's text, as PDFium counts it, by page from 1."""
    found: dict[int, str] = {}
    with open_pdf("policy.pdf", data) as document:
        for number in range(1, len(document) + 1):
            with open_page(document, number) as handles:
                assert handles is not None
                found[number] = read_units(handles.text).replace(HYPHEN, "-")
    return found


def assert_sound(document: ParsedDocument, data: bytes) -> None:
    """Hold a PDF's document against the invariants of blocks and of the map to its pages."""
    position = 0
    for block in document.blocks:
        assert document.text[position : block.start] in ("", "\n", "\n\n")
        assert document.text[block.start : block.end].strip()
        assert block.page is not None
        position = block.end
    assert position == len(document.text)
    assert unicodedata.is_normalized("NFC", document.text)
    pages = places(data)
    for run in document.source_map:
        written = document.text[run.start : run.start + run.length]
        page, index = run.source_start // PAGE_STRIDE + 1, run.source_start % PAGE_STRIDE
        assert pages[page].startswith(units(written), index)


WORDS = st.sampled_from(
    ["returns", "14", "€40", "été", "שלום", "naïve", "AT&T", "third-", "(a)", "1.", "•", "Ⅻ",
     "\U0001f30d", "\U0001f310", "日本", "x" * 30, "§ 4.2", "end.", "-", "..........", "ﬁ"]
)  # fmt: skip
PLACED = st.tuples(
    st.integers(-20, 600), st.integers(-20, 780), st.lists(WORDS, min_size=1, max_size=6),
    st.sampled_from([6.0, 11.0, 11.0, 20.0]),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(PLACED, max_size=12), min_size=1, max_size=4))
def test_blocks_and_source_map_agree_with_the_pages(
    pages: list[list[tuple[int, int, list[str], float]]],
) -> None:
    """Wherever words stand, blocks cut the text, and the map points to the same letters."""
    contents = [
        "".join(text(x, y, " ".join(words), size=size, font="F3") for x, y, words, size in page)
        for page in pages
    ]
    data = pdf(contents)
    refusal = ""
    try:
        assert_sound(parse("policy.pdf", data), data)
    except DocumentError as error:
        refusal = str(error)
    assert not refusal or "policy.pdf" in refusal


def test_every_letter_of_a_plain_page_has_its_place() -> None:
    """Of running text, only the spaces at line ends have no place in the source."""
    data = pdf([lines(BODY)])
    document = parse("policy.pdf", data)
    assert document.text == BODY
    mapped = sum(run.length for run in document.source_map)
    assert mapped >= len(BODY) - BODY.count(" ") // 8
    assert_sound(document, data)


def test_letters_beyond_the_first_plane_keep_places_true() -> None:
    """A letter that PDFium counts as two does not shift the places behind it."""
    data = pdf([text(72, 700, "Ship \U0001f30d and \U0001f310 by 5 May", font="F3")])
    document = parse("policy.pdf", data)
    assert document.text == "Ship \U0001f30d and \U0001f310 by 5 May"
    assert_sound(document, data)
    assert sum(run.length for run in document.source_map) == len(document.text)


def test_wrapped_lines_are_one_paragraph() -> None:
    """Lines of a paragraph are joined by spaces; a larger distance begins another."""
    page = lines(BODY) + lines(BODY.upper(), top=600)
    assert texts(read(page)) == [BODY, BODY.upper()]


def test_lines_broken_on_purpose_stay_apart() -> None:
    """Short lines whose next word would have had room are not run together."""
    page = lines(BODY) + "".join(
        text(72, 560 - 13 * row, line)
        for row, line in enumerate(["Name: Halvermoor Ltd", "Street: 4 Mill Lane", "Town: Ely"])
    )
    assert texts(read(page))[1:] == ["Name: Halvermoor Ltd", "Street: 4 Mill Lane", "Town: Ely"]


@pytest.mark.parametrize(
    ("elsewhere", "first", "second", "joined"),
    [
        pytest.param("information", "infor-", "mation", "information", id="the line's"),
        pytest.param("a third-party", "third-", "party", "third-party", id="the word's"),
        pytest.param("data and set", "data-", "set", "data-set", id="two words"),
        pytest.param("nothing", "cus-", "tomer", "customer", id="unknown"),
        pytest.param("nothing", "Anglo-", "Saxon", "Anglo-Saxon", id="a name"),
        pytest.param("nothing", "a.com/the-", "page", "a.com/the-page", id="an address"),
    ],
)  # fmt: skip
def test_hyphens_at_line_ends(elsewhere: str, first: str, second: str, joined: str) -> None:
    """A hyphen goes where it is the line's, and stays where it is the word's."""
    page = text(72, 720, f"We have {elsewhere}.")
    page += text(72, 680, f"This is what is to be said here about {first}")
    page += text(72, 667, f"{second} and no more.")
    assert f"about {joined} and" in read(page).text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            text(72, 740, "Returns policy", size=BIG) + lines(BODY),
            [("heading", 1, "Returns policy"), ("paragraph", 0, BODY)],
            id="a large title",
        ),
        pytest.param(
            text(72, 740, "Returns policy", size=BIG)
            + text(72, 712, "By mail", font="F2") + lines(BODY, top=690),
            [("heading", 1, "Returns policy"), ("heading", 2, "By mail"), ("paragraph", 0, BODY)],
            id="a bold section",
        ),
        pytest.param(
            lines(BODY) + text(72, 600, "2.1 Fees", font="F2") + lines(BODY, top=580)
            + text(72, 480, "3 Costs", font="F2") + lines(BODY, top=460),
            [("paragraph", 0, BODY), ("heading", 3, "2.1 Fees"), ("paragraph", 0, BODY),
             ("heading", 2, "3 Costs"), ("paragraph", 0, BODY)],
            id="numbered",
        ),
        pytest.param(
            lines(BODY) + text(72, 600, "RETURNS BY MAIL") + lines(BODY, top=580),
            [("paragraph", 0, BODY), ("heading", 2, "RETURNS BY MAIL"), ("paragraph", 0, BODY)],
            id="capitals",
        ),
        pytest.param(
            lines(BODY) + text(72, 600, "We never resell what comes back.", font="F2"),
            [("paragraph", 0, BODY), ("paragraph", 0, "We never resell what comes back.")],
            id="a bold sentence is none",
        ),
        pytest.param(
            lines(BODY) + text(72, 600, "With best wishes", font="F2"),
            [("paragraph", 0, BODY), ("paragraph", 0, "With best wishes")],
            id="nothing follows",
        ),
    ],
)  # fmt: skip
def test_headings_are_told_by_their_look(content: str, expected: list[object]) -> None:
    """Larger, bold or capital lines over text are headings; sentences and endings are not."""
    assert blocks(read(content)) == expected


def test_bookmarks_name_headings_and_their_levels() -> None:
    """A line that a bookmark names is a heading of its level, however it looks."""
    page = text(72, 740, "Returns policy", size=BIG)
    page += text(72, 710, "By mail") + lines(BODY, top=690)
    page += text(72, 600, "Parcels we accept") + lines(BODY, top=580)
    marks = [(1, "By  Mail", 1), (2, "Parcels we accept", 1)]
    document = parse("policy.pdf", pdf([page], bookmarks=marks))
    assert [b for b in blocks(document) if b[0] == "heading"] == [
        ("heading", 1, "Returns policy"),
        ("heading", 2, "By mail"),
        ("heading", 3, "Parcels we accept"),
    ]
    assert document.blocks[-1].heading_path == ("By mail", "Parcels we accept")


def test_a_bookmark_over_two_lines_is_one_heading() -> None:
    """A heading that wraps is found by the bookmark that has it whole."""
    page = (
        text(72, 710, "How we take back") + text(72, 697, "what you bought") + lines(BODY, top=660)
    )
    document = parse(
        "policy.pdf", pdf([page], bookmarks=[(1, "How we take back what you bought", 1)])
    )
    assert of_kind(document, "heading") == ["How we take back what you bought"]


def test_bullets_and_numbers_make_list_items() -> None:
    """A bullet is dropped, a number stays; indented items are deeper; wrapped lines belong."""
    page = lines(BODY)
    page += text(72, 600, "• boots") + text(72, 586, "• gloves that were worn for")
    page += text(82, 573, "no more than a day")
    page += (
        text(100, 559, "– left ones") + text(72, 520, "1. Pack it.") + text(72, 506, "2. Send it.")
    )
    items = [block for block in blocks(read(page)) if block[0] == "list_item"]
    assert items == [
        ("list_item", 0, "boots"),
        ("list_item", 0, "gloves that were worn for no more than a day"),
        ("list_item", 1, "left ones"),
        ("list_item", 0, "1. Pack it."),
        ("list_item", 0, "2. Send it."),
    ]


def test_aligned_cells_are_rows_of_a_table() -> None:
    """Three lines with cells under each other are rows; a wrapped cell stays in its row."""
    rows = [("Item", "Days", "Fee"), ("Boots", "30", "€5"), ("Gloves", "14", "€0")]
    page = lines(BODY)
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            page += text(72 + 120 * column, 600 - 20 * number, cell)
    page += text(192, 547, "from arrival")
    page += text(72, 520, "All fees are in euros.")
    document = read(page)
    assert of_kind(document, "table_row") == [
        "Item | Days | Fee", "Boots | 30 | €5", "Gloves | 14 from arrival | €0",
    ]  # fmt: skip
    assert "Item | Days | Fee\nBoots | 30 | €5\nGloves" in document.text
    assert texts(document)[-1] == "All fees are in euros."


def test_rules_make_a_table_of_wrapped_cells() -> None:
    """Where lines are drawn, they tell the rows and the columns, however near the words stand."""
    page = "".join(rule(72, y, 400, y) for y in (540, 510, 460))
    page += "".join(rule(x, 460, x, 540) for x in (72, 180, 400))
    page += text(76, 525, "Boots with laces") + text(184, 525, "30 days")
    page += text(76, 498, "Gloves that") + text(76, 485, "were worn")
    page += text(184, 498, "14 days, if no more") + text(184, 485, "than one finger is")
    page += text(184, 472, "torn")
    document = read(lines(BODY) + page)
    assert of_kind(document, "table_row") == [
        "Boots with laces | 30 days",
        "Gloves that were worn | 14 days, if no more than one finger is torn",
    ]


def test_two_columns_are_read_one_after_the_other() -> None:
    """Left column first, then the right one; a heading over both comes before them."""
    left, right = "Left words go on here. " * 30, "Right words go on here. " * 30
    page = text(150, 740, "A heading that stands over both columns", size=BIG)
    page += lines(left, x=60, width=230) + lines(right, x=320, width=230)
    found = read(page).text
    assert found.index("heading") < found.index("Left")
    assert found.rindex("Left") < found.index("Right")


def test_a_table_with_a_gutter_is_read_row_by_row() -> None:
    """Short cells side by side are no columns of text."""
    page = "".join(
        text(72, 700 - 20 * row, f"Item {row}") + text(320, 700 - 20 * row, f"{row} days")
        for row in range(12)
    )
    assert of_kind(read(page), "table_row")[3] == "Item 3 | 3 days"


def body(number: int) -> str:
    """Return a paragraph that differs from page to page."""
    word = ("boots", "gloves", "hats", "scarves")[number]
    return f"What we say of {word} holds for no other goods but {word}. " * 6 + "So be it."


def numbered_pages(count: int) -> list[str]:
    return [
        text(72, 760, "Halvermoor Ltd - Returns", size=9)
        + lines(body(number), top=700)
        + text(290, 40, f"Page {number + 1} of {count}", size=9)
        for number in range(count)
    ]


def test_running_headers_and_footers_are_left_out() -> None:
    """What stands at one height on most pages is no part of the text, nor are page numbers."""
    document = read(*numbered_pages(4))
    assert texts(document) == [body(number) for number in range(4)]
    assert [block.page for block in document.blocks] == [1, 2, 3, 4]


def test_headers_that_name_the_chapter_are_left_out_by_their_page_number() -> None:
    """A header whose words change is told by the page's number at its end."""
    pages = [
        text(72, 760, f"Chapter {number // 2 + 1}: {'Boots Gloves'.split()[number // 2]}", size=9)
        + text(520, 760, str(number + 7), size=9)
        + lines(body(number))
        for number in range(4)
    ]
    assert texts(read(*pages)) == [body(number) for number in range(4)]


def test_a_header_of_a_short_document_is_kept() -> None:
    """With one or two pages nothing can be told to run."""
    assert "Halvermoor Ltd - Returns" in read(*numbered_pages(1)).text
    assert "Halvermoor Ltd - Returns" in read(*numbered_pages(2)).text


def test_headings_at_the_top_of_each_page_are_kept() -> None:
    """Words that change from page to page are no header, though they stand at one height."""
    pages = [
        text(72, 740, f"{title} by mail", size=BIG) + lines(BODY)
        for title in ("Returns", "Repairs", "Refunds", "Gifts")
    ]
    assert len(of_kind(read(*pages), "heading")) == 4


def test_a_sentence_over_a_page_break_is_whole() -> None:
    """A paragraph that clearly goes on is joined, and its page is where it begins."""
    first = lines(BODY, top=200) + text(
        72, 100, "Boots that came back after the time that is given here for boots, that is to"
    )
    second = text(72, 720, "say a month, are sent to you again at your cost.") + lines(
        BODY, top=680
    )
    document = read(first, second)
    joined = next(b for b in document.blocks if document.text.startswith("Boots", b.start))
    assert document.text[joined.start : joined.end].endswith(
        "that is to say a month, are sent to you again at your cost."
    )
    assert joined.page == 1


def test_a_footnote_does_not_part_a_sentence() -> None:
    """A paragraph goes on over the page's end though a footnote stands between."""
    sentence = "Boots that came back after the time that is given here for boots, that is to"
    first = lines(BODY) + text(72, 400, sentence) + text(72, 60, "1 As defined above.", size=8)
    second = text(72, 720, "say a month, are sent to you again.") + lines(BODY, top=680)
    assert texts(read(first, second)) == [
        BODY, f"{sentence} say a month, are sent to you again.", "1 As defined above.", BODY,
    ]  # fmt: skip


def test_entries_of_a_table_of_contents_are_lines_without_dots() -> None:
    """Each entry is a line of its own, no heading, and its dots are not kept."""
    page = text(72, 716, "1 Boots . . . . . . . . . . . 4", size=14)
    page += text(72, 700, "2 Gloves ................ 5", size=14)
    document = read(page + lines(BODY, top=600))
    assert [text for _, _, text in blocks(document)][:2] == ["1 Boots 4", "2 Gloves 5"]
    assert not of_kind(document, "heading")


def test_words_that_run_leftward_are_read_from_the_right() -> None:
    """Hebrew cells of one line, set one by one, come in the order in which they are read."""
    page = text(72, 700, "םולש", font="F3") + text(400, 700, "תורזחה", font="F3")
    assert read(page).text == "החזרות שלום"


def test_a_finished_paragraph_is_not_joined_to_the_next_page() -> None:
    """A paragraph that ends with its sentence ends with its page."""
    assert texts(read(lines(BODY), lines(BODY))) == [BODY, BODY]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_is_read_as_it_is_shown(turn: int) -> None:
    """Text that stands upright on a turned page reads from top to bottom."""
    turned = {90: "0 1 -1 0 612 0", 180: "-1 0 0 -1 612 792", 270: "0 -1 1 0 0 792"}[turn]
    page = (
        f"q {turned} cm {text(72, 500, 'First line here.')}{text(72, 400, 'Second line here.')} Q"
    )
    assert texts(read(Page(page, rotate=turn))) == ["First line here.", "Second line here."]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param("Returns policy", "Returns policy", id="as page 1 has it"),
        pytest.param("Microsoft Word - returns_v3.docx", "Our returns policy", id="of a program"),
        pytest.param("policy", "Our returns policy", id="the file's name"),
        pytest.param("Template of the old firm", "Our returns policy", id="of another document"),
        pytest.param("", "Our returns policy", id="none"),
    ],
)
def test_the_title_is_the_documents_own(title: str, expected: str) -> None:
    """Properties are believed if page 1 bears them out; else the first large heading is it."""
    page = text(72, 740, "Our returns policy", size=BIG) + lines(BODY)
    assert read(page, title=title).title == expected


def test_properties_give_a_title_where_no_heading_is() -> None:
    """Without a heading, the title a person gave the file is used."""
    assert read(lines(BODY), title="Returns policy 2026").title == "Returns policy 2026"


def test_some_pages_without_text_are_named() -> None:
    """Pages that are scans without text are named in a warning, and the others are read."""
    scan, page = picture(0, 0, 612, 792), text(72, 700, "Words")
    assert read(page, scan).warnings == ("page 2 is a scan without text",)
    warnings = read(scan, page, scan, page, scan, scan, scan).warnings
    assert warnings == ("pages 1, 3 and 5 to 7 are scans without text",)


def test_a_scan_without_any_text_is_refused() -> None:
    """A scan asks for a file with a text layer."""
    with pytest.raises(EmptyFileError, match=r"policy\.pdf is a scan .* text layer"):
        read(picture(0, 0, 612, 792))


def test_a_file_with_a_password_is_refused() -> None:
    """A user password asks for a file without one; an empty one opens."""
    page = text(72, 700, "Words")
    with pytest.raises(ProtectedFileError, match="protected by a password; save it without one"):
        parse("policy.pdf", pdf([page], password="secret"))
    assert parse("policy.pdf", pdf([page], password="")).text == "Words"


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7\n", b"%PDF-1.7\n" + b"junk " * 1000], ids=["short", "junk"]
)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    """What PDFium cannot open gives a sentence that says so."""
    with pytest.raises(UnreadableFileError, match="damaged and cannot be read"):
        parse("policy.pdf", data)


def test_too_many_pages_are_refused() -> None:
    """A file of more than 2,000 pages asks to be split."""
    with pytest.raises(FileTooLargeError, match="2,001 pages"):
        read(*[""] * 2_001)


def test_letters_that_cannot_be_told_are_refused() -> None:
    """A font whose glyphs have no letters gives a sentence, not nonsense."""
    nonsense = "".join(chr(code) for code in range(0xE000, 0xE040))
    with pytest.raises(UnreadableFileError, match="cannot be told"):
        read(text(72, 700, nonsense, font="F4"))


def test_fonts_in_the_usual_order_of_glyphs_are_read() -> None:
    """A font without a map, whose codes are glyphs in the order of common fonts, is read."""
    codes = "".join(chr(ord(c) - 29) for c in BODY[:100])
    document = read(text(20, 700, codes, font="F4", size=8))
    assert re.sub(r"\s+", " ", document.text) == BODY[:100].strip()


@pytest.mark.parametrize("name", ["deep", "loop"])
def test_bookmarks_that_loop_end(name: str) -> None:
    """Bookmarks without end, or very deep, are read up to a limit."""
    data = pdf([text(72, 700, "Words")], bookmarks=[(level, "Words", 1) for level in range(1, 40)])
    if name == "loop":
        data = re.sub(
            rb"/First (\d+) 0 R", lambda m: b"/First 22 0 R" if len(m[1]) == 2 else m[0], data
        )
    assert parse("policy.pdf", data).text == "Words"


def test_a_date_from_which_it_is_in_force_is_read() -> None:
    """A whole date behind such words near the top is when the document takes effect."""
    page = text(72, 740, "Returns policy", size=BIG) + text(
        72, 715, "Effective date: 1 December 2026"
    )
    effective = read(page + lines(BODY, top=690)).effective_from
    assert effective is not None
    assert effective.isoformat() == "2026-12-01T00:00:00+00:00"
