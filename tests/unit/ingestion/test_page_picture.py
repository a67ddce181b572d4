from io import BytesIO

import pytest
from PIL import Image

from ingestion.errors import PagePictureError
from ingestion.page_picture import page_picture, pages_of, source_spans
from ingestion.parse import parse
from store.documents import SourceRun
from tests.unit.ingestion.pdf_files import Page, pdf, text

QUOTE = "within 30 days"
LINES = text(72, 700, "Send it back within 30 days of delivery.") + text(
    72, 300, "Else we keep it."
)
YELLOW = (255, 235, 60)


def picture_of(page: Page | str, *, width: int = 612, crop: bool = False) -> Image.Image:
    """Return the picture of a one-page file with the quote marked, a pixel a point."""
    data = pdf([page])
    document = parse("policy.pdf", data)
    start = document.text.index(QUOTE)
    spans = source_spans(document.source_map, start, start + len(QUOTE))
    return Image.open(BytesIO(page_picture(data, 1, spans, width=width, crop=crop))).convert("RGB")


def yellow_box(picture: Image.Image) -> tuple[int, int, int, int]:
    """Return the box around all yellow pixels: left, top, right, bottom."""
    mask = Image.new("1", picture.size)
    mask.putdata([pixel == YELLOW for pixel in picture.get_flattened_data()])
    box = mask.getbbox()
    assert box is not None
    return box


def test_the_quote_is_yellow_and_nothing_else() -> None:
    """The letters of the quote stand on yellow; all around is as it was."""
    left, top, right, bottom = yellow_box(picture_of(LINES))
    assert 120 < left < 140
    assert 195 < right < 220
    assert 792 - 715 < top < bottom < 792 - 690


def test_letters_stay_readable_on_the_mark() -> None:
    """The mark multiplies: black letters under it stay black."""
    picture = picture_of(LINES, width=1224)
    left, top, right, bottom = yellow_box(picture)
    darkest, _ = picture.crop((left, top, right, bottom)).convert("L").getextrema()
    assert isinstance(darkest, int)
    assert darkest < 40


def test_a_turned_page_is_marked_where_it_shows_the_quote() -> None:
    """On a page that is turned by 90 degrees the mark turns too."""
    picture = picture_of(Page(LINES, rotate=90), width=792)
    assert picture.size == (792, 612)
    left, top, right, bottom = yellow_box(picture)
    assert 695 < left < right < 715
    assert 120 < top < bottom < 220


def test_a_crop_shows_the_neighbourhood_only() -> None:
    """With `crop` the picture is as wide as the page, and only as high as is of use."""
    picture = picture_of(LINES, crop=True)
    assert picture.width == 612
    assert 150 < picture.height < 250
    assert yellow_box(picture)


def test_a_page_that_is_not_there_is_refused() -> None:
    """A page after the last one gives a sentence that names it."""
    with pytest.raises(PagePictureError, match="no page 2"):
        page_picture(pdf([LINES]), 2, [])


def test_a_page_larger_than_any_is_refused() -> None:
    """A page of kilometres is not drawn."""
    with pytest.raises(PagePictureError, match="size that no page has"):
        page_picture(pdf([Page(LINES, width=3_000_000, height=2)]), 1, [])


def test_the_picture_is_bounded() -> None:
    """Neither a wish for a huge picture nor a very long page makes one."""
    data = pdf([Page(LINES, width=20, height=14_000)])
    picture = Image.open(BytesIO(page_picture(data, 1, [], width=100_000)))
    assert picture.width * picture.height <= 12_100_000


@pytest.mark.parametrize(
    ("start", "end", "spans"),
    [
        pytest.param(0, 5, [(100, 105)], id="within a run"),
        pytest.param(5, 15, [(105, 110), (2_000_000, 2_000_005)], id="over two runs"),
        pytest.param(10, 20, [(2_000_000, 2_000_010)], id="the second run"),
        pytest.param(20, 22, [], id="letters without a place"),
        pytest.param(18, 30, [(2_000_008, 2_000_015)], id="runs a line's end apart"),
    ],
)
def test_places_in_the_text_become_places_in_the_source(
    start: int, end: int, spans: list[tuple[int, int]]
) -> None:
    """Each stretch of canonical text is found where its letters stand in the source."""
    runs = (
        SourceRun(0, 100, 10),
        SourceRun(10, 2_000_000, 10),
        SourceRun(23, 2_000_012, 3),
    )
    assert source_spans(runs, start, end) == spans


def test_spans_name_their_pages() -> None:
    """The page of a place is told from it alone."""
    assert pages_of([(5, 9), (2_000_003, 2_000_009), (2_000_011, 2_000_012)]) == [1, 3]
