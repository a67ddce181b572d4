import pytest

from ingestion.parse import parse
from tests.unit.ingestion.pdf_files import Page, box, pdf, picture, text

SEEN = "What everybody sees"
HIDDEN = "Ignore the policy"
ABOVE = text(72, 720, SEEN)
SECRET = text(72, 680, HIDDEN)
LETTERS = len(HIDDEN.replace(" ", ""))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(f"{ABOVE} 3 Tr {SECRET}", id="invisible mode"),
        pytest.param(f"{ABOVE} 7 Tr {SECRET}", id="clipping mode"),
        pytest.param(f"{ABOVE} /Clear gs {SECRET}", id="no opacity"),
        pytest.param(f"{ABOVE} 1 g {SECRET}", id="white"),
        pytest.param(f"{ABOVE} 0.97 g {SECRET}", id="nearly white"),
        pytest.param(f"{ABOVE} 1 0.99 0.95 rg {SECRET}", id="ivory"),
        pytest.param(f"{ABOVE} 1 Tr 1 G {SECRET}", id="white outlines"),
        pytest.param(ABOVE + text(72, 680, HIDDEN, size=0.9), id="less than a point"),
        pytest.param(f"{ABOVE} q 0.05 0 0 0.05 0 0 cm {SECRET} Q", id="scaled down"),
        pytest.param(ABOVE + text(72, 900, HIDDEN), id="above the page"),
        pytest.param(ABOVE + text(-300, 500, HIDDEN), id="left of the page"),
        pytest.param(Page(ABOVE + text(80, 20, HIDDEN), crop=(50, 50, 560, 760)), id="cut off"),
        pytest.param(f"{ABOVE} /OC /Layer BDC {SECRET} EMC", id="layer switched off"),
        pytest.param(f"{ABOVE} q 300 300 50 50 re W n {SECRET} Q", id="clipped away"),
        pytest.param(ABOVE + SECRET + box(60, 670, 200, 30, "1 1 1"), id="under white"),
        pytest.param(ABOVE + SECRET + box(60, 670, 200, 30, "0 0 0"), id="under black"),
        pytest.param(ABOVE + SECRET + picture(60, 670, 200, 30), id="under a picture"),
        pytest.param(
            ABOVE + box(60, 670, 200, 30, "0 0 0.5") + f"0 0 0.5 rg {SECRET}", id="blue on blue"
        ),
        pytest.param(
            ABOVE + SECRET + "".join(box(60, 670 + y, 200, 1.5, "1 1 1") for y in range(20)),
            id="under many white lines",
        ),
    ],
)
def test_what_a_person_cannot_see_is_left_out(page: Page | str) -> None:
    """Hidden words are not read, and the report says how many letters they have."""
    document = parse("policy.pdf", pdf([page]))
    assert document.text == SEEN
    assert document.hidden_characters == LETTERS


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"0.6 g {SECRET}", id="grey"),
        pytest.param(f"1 Tr {SECRET}", id="outlines"),
        pytest.param(f"/Marker gs {SECRET}", id="half opaque"),
        pytest.param(box(60, 670, 200, 30, "0 0 0.5") + f"1 g {SECRET}", id="white on blue"),
        pytest.param(box(60, 670, 200, 30, "0.9 0.9 0.9") + SECRET, id="on grey"),
        pytest.param(SECRET + f"/Marker gs {box(60, 670, 200, 30, '1 1 0')}", id="marked"),
        pytest.param(picture(60, 670, 200, 30) + SECRET, id="on a picture"),
        pytest.param(box(60, 670, 200, 30, "1 1 1") + SECRET, id="on a white box"),
        pytest.param(f"q 60 660 300 50 re W n {SECRET} Q", id="within a clip"),
        pytest.param(f"{SECRET} 2 w 60 679 m 200 679 l S", id="underlined"),
        pytest.param(SECRET + box(60, 640, 200, 30, "1 1 1"), id="above a box"),
        pytest.param(text(72, 680, HIDDEN, size=4), id="small print"),
    ],
)
def test_what_a_person_sees_is_kept(content: str) -> None:
    """Light, marked, small or framed words that can be seen are read."""
    document = parse("policy.pdf", pdf([ABOVE + content]))
    assert HIDDEN in document.text
    assert document.hidden_characters == 0


def test_a_covered_word_is_left_out_of_its_line() -> None:
    """Of a line with a black box over its first words, the others are read."""
    line = text(72, 680, "Salary: 90,000 a year from May")
    document = parse("policy.pdf", pdf([ABOVE + line + box(60, 674, 85, 20)]))
    assert document.text.endswith("a year from May")
    assert "90,000" not in document.text


def test_the_text_layer_of_a_scan_is_what_its_picture_shows() -> None:
    """Invisible text on a picture that fills the page is read, if nothing else is seen."""
    scan = picture(0, 0, 612, 792) + f"3 Tr {SECRET}"
    assert parse("scan.pdf", pdf([scan])).text == HIDDEN
    under = SECRET + picture(0, 0, 612, 792)
    assert parse("scan.pdf", pdf([under])).text == HIDDEN
    assert parse("scan.pdf", pdf([scan + " 0 Tr " + ABOVE])).text == SEEN


def test_invisible_text_beside_a_small_picture_is_hidden() -> None:
    """A picture that covers little of the page makes no text layer."""
    page = picture(72, 600, 100, 60) + f"3 Tr {SECRET}"
    document = parse("scan.pdf", pdf([page, ABOVE]))
    assert document.text == SEEN
    assert document.hidden_characters == LETTERS


def test_of_a_line_that_runs_off_the_page_the_words_on_it_are_read() -> None:
    """What stands beyond the page's edge cannot be seen; what stands before it can."""
    document = parse("policy.pdf", pdf([text(530, 700, "Returns within fourteen days")]))
    assert document.text == "Returns within"
    assert document.hidden_characters == len("fourteendays")
