import subprocess
import sys
import time
import zipfile
from datetime import date, datetime, timedelta
from datetime import time as clock
from io import BytesIO

import pytest
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from pptx import Presentation
from pptx.util import Emu, Inches, Pt

from core.settings import ROOT
from ingestion.errors import (
    DocumentError,
    EmptyFileError,
    FileTooLargeError,
    ProtectedFileError,
    TooComplexError,
    UnreadableFileError,
)
from ingestion.parse import parse
from ingestion.parse.number_format import Value, shown
from store.documents import ParsedDocument
from tests.unit.ingestion.documents import PATIENCE, assert_sound
from tests.unit.ingestion.packages import package


def read(name: str, data: bytes) -> ParsedDocument:
    document = parse(name, data)
    assert_sound(document, "")
    assert document.source_map == ()
    return document


def blocks(document: ParsedDocument) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


# Workbooks


def saved(book: Workbook) -> bytes:
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()


def test_a_sheet_is_a_heading_and_its_rows_name_their_columns() -> None:
    """Dates, percentages and amounts read as the sheet shows them."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Fees"
    sheet.append(["Fees of 2026"])
    sheet.append(["Item", "From", "Share", "Fee"])
    sheet.append(["Phone", date(2026, 3, 1), 0.125, 1234.5])
    sheet.append([None, None, None, None])
    sheet.append(["Laptop", None, 1, True])
    for cell, code in (("B3", "d mmmm yyyy"), ("C3", "0.0%"), ("C5", "0%"), ("D3", "#,##0.00 €")):
        sheet[cell].number_format = code
    document = read("fees.xlsx", saved(book))
    assert blocks(document) == [
        ("heading", 2, "Fees"),
        ("paragraph", 0, "Fees of 2026"),
        ("table_row", 0, "Item | From | Share | Fee"),
        ("table_row", 0, "Item: Phone | From: 1 March 2026 | Share: 12.5% | Fee: 1,234.50 €"),
        ("table_row", 0, "Item: Laptop | Share: 100% | Fee: TRUE"),
    ]
    assert document.title == "Fees"


def test_hidden_sheets_rows_columns_and_cells_are_left_out_and_counted() -> None:
    """What the program does not show is not indexed."""
    book = Workbook()
    sheet = book.worksheets[0]
    for row in (["a", "HIDE", "b"], ["HIDE", "HIDE", "HIDE"], ["c", "HIDE", "d"]):
        sheet.append(row)
    sheet.append(["HIDE", "HIDE", "e"])
    sheet["A4"].font = Font(color="FFFFFF")
    sheet.append(["f", "HIDE", "HIDE"])
    sheet["C5"].number_format = ";;;"
    sheet.append(["g", "HIDE", "h"])
    sheet["A6"].font, sheet["A6"].fill = Font(color="FFFFFF"), PatternFill("solid", "112233")
    sheet.column_dimensions["B"].hidden = True
    sheet.row_dimensions[2].hidden = True
    for state in ("hidden", "veryHidden"):
        other = book.create_sheet(state)
        other.append(["HIDE"])
        other.sheet_state = state
    document = read("a.xlsx", saved(book))
    assert document.text.splitlines() == ["a | b", "a: c | b: d", "b: e", "a: f", "a: g | b: h"]
    assert document.hidden_characters == 12 * len("HIDE")


def test_formulas_show_their_last_value() -> None:
    """A formula that was never worked out shows nothing."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Sum", "=1+1"])
    assert read("a.xlsx", saved(book)).text == "Sum"


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (3, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (2.5, "0", "3"),
        (-1234.5, "#,##0.00;(#,##0.00)", "(1,234.50)"),
        (-7, "0.0", "-7.0"),
        (0, '0;-0;"none"', "none"),
        (1_500_000, '0.0,,"M"', "1.5M"),
        (7, "00000", "00007"),
        (1.5, "0.0##", "1.5"),
        (12, "[$€-407] #,##0", "€ 12"),
        (12, '"EUR" 0', "EUR 12"),
        (0.5, "0%", "50%"),
        (0.5, "# ?/?", "0.5"),
        (1e300, "0.00", "1e+300"),
        (5, ";;;", ""),
        ("words", ";;;", ""),
        ("words", "@", "words"),
        ("words", ";;", "words"),
        (None, "General", ""),
        (datetime(2026, 3, 1), "mm-dd-yy", "2026-03-01"),  # noqa: DTZ001
        (datetime(2026, 3, 1, 9, 5), "dd/mm/yyyy hh:mm", "01/03/2026 09:05"),  # noqa: DTZ001
        (datetime(2026, 3, 1, 21, 5), "h:mm AM/PM", "9:05 PM"),  # noqa: DTZ001
        (datetime(2026, 3, 1), "[$-409]dddd, d. mmm yy", "Sunday, 1. Mar 26"),  # noqa: DTZ001
        (date(2026, 3, 1), 'd "of" mmmm', "1 of March"),
        (clock(9, 30, 5), "hh:mm:ss", "09:30:05"),
        (timedelta(hours=26, minutes=3), "[h]:mm", "26:03:00"),
    ],
)
def test_a_value_reads_as_its_format_shows_it(value: Value, code: str, expected: str) -> None:
    """Numbers, dates and times are as the sheet shows them, as far as formats are known."""
    assert shown(value, code) == expected


def test_a_sheet_with_cells_far_away_is_refused_in_time() -> None:
    """A file may say that it has a million rows of sixteen thousand columns."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.cell(1, 1, "a")
    sheet.cell(1_048_576, 16_384, "b")
    started = time.process_time()
    with pytest.raises(TooComplexError, match=r"^a\.xlsx has more than 200 columns"):
        parse("a.xlsx", saved(book))
    assert time.process_time() - started < PATIENCE


def test_a_row_of_an_endless_number_is_refused_in_time() -> None:
    """The rows before it are not looked for one by one without an end."""
    book = Workbook()
    book.worksheets[0].append(["a"])
    with zipfile.ZipFile(BytesIO(saved(book))) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = bytes(parts[sheet]).replace(b'<row r="1"', b'<row r="99999999999999"')  # type: ignore[arg-type]
    started = time.process_time()
    with pytest.raises(TooComplexError, match=r"^a\.xlsx has more than 3,000,000 cells"):
        parse("a.xlsx", package(parts))
    assert time.process_time() - started < PATIENCE


# Presentations


def test_a_slide_is_a_heading_and_a_page() -> None:
    """Bullets are items, tables rows, shapes in reading order; notes and footers are not read."""
    slides = Presentation()
    title = slides.slides.add_slide(slides.slide_layouts[0])
    title.shapes.title.text = "Leave"
    title.placeholders[1].text = "All staff"
    body = slides.slides.add_slide(slides.slide_layouts[1])
    body.shapes.title.text = "Holidays"
    frame = body.placeholders[1].text_frame
    frame.text = "25 days"
    paragraph = frame.add_paragraph()
    paragraph.text, paragraph.level = "after a year 27", 1
    body.notes_slide.notes_text_frame.text = "NOTES"
    blank = slides.slides.add_slide(slides.slide_layouts[6])
    for text, top, left in (("last", 5, 1), ("right", 1, 5), ("left", 1, 1)):
        box = blank.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1))
        box.text_frame.text = text
    table = blank.shapes.add_table(2, 2, Inches(1), Inches(3), Inches(4), Inches(1)).table
    for row, column, text in ((0, 0, "Item"), (0, 1, "Fee"), (1, 0, "Phone"), (1, 1, "4")):
        table.cell(row, column).text = text
    stream = BytesIO()
    slides.save(stream)
    document = read("a.pptx", stream.getvalue())
    assert document.title == "Leave"
    assert blocks(document) == [
        ("heading", 2, "Leave"),
        ("paragraph", 0, "All staff"),
        ("heading", 2, "Holidays"),
        ("list_item", 0, "25 days"),
        ("list_item", 1, "after a year 27"),
        ("paragraph", 0, "left"),
        ("paragraph", 0, "right"),
        ("table_row", 0, "Item | Fee"),
        ("table_row", 0, "Phone | 4"),
        ("paragraph", 0, "last"),
    ]
    assert [b.page for b in document.blocks] == [1, 1, 2, 2, 2, 3, 3, 3, 3, 3]


def test_hidden_slides_and_shapes_are_left_out_and_counted() -> None:
    """What an audience does not see is not indexed: hidden, off the slide, or a speck."""
    slides = Presentation()
    for number in (1, 2):
        slide = slides.slides.add_slide(slides.slide_layouts[5])
        slide.shapes.title.text = f"Slide {number}"
    slides.slides[0]._element.set("show", "0")
    shown_slide = slides.slides[1]
    boxes = [
        shown_slide.shapes.add_textbox(Inches(left), Inches(1), Inches(1), Inches(1))
        for left in (1, 1, 99)
    ]
    for box in boxes:
        box.text_frame.text = "HIDE"
    boxes[0]._element.nvSpPr.cNvPr.set("hidden", "1")
    boxes[1].text_frame.paragraphs[0].runs[0].font.size = Pt(1)
    group = shown_slide.shapes.add_group_shape()
    inner = group.shapes.add_textbox(Emu(0), Emu(0), Inches(1), Inches(1))
    inner.text_frame.text = "Grouped"
    stream = BytesIO()
    slides.save(stream)
    document = read("a.pptx", stream.getvalue())
    assert sorted(document.text.split("\n\n")) == ["Grouped", "Slide 2"]
    assert document.hidden_characters == len("Slide 1") + 3 * len("HIDE")
    assert {b.page for b in document.blocks} == {2}


def test_what_an_extra_reads_says_how_to_install_it() -> None:
    """Without the libraries of the extra `formats` the refusal names the command."""
    program = (
        "import sys; sys.modules['pptx'] = sys.modules['openpyxl'] = None\n"
        "from ingestion.errors import MissingFormatError\n"
        "from ingestion.parse import parse\n"
        "for name, part in (('a.pptx', b'ppt/'), ('a.xlsx', b'xl/')):\n"
        "    try: parse(name, b'PK\\x03\\x04' + part)\n"
        "    except MissingFormatError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "Reading presentations needs python3 run.py install formats.",
        "Reading workbooks needs python3 run.py install formats.",
    ], done.stderr


# OpenDocument

_NAMES = "urn:oasis:names:tc:opendocument:xmlns"
_PREFIXES = " ".join(
    f'xmlns:{prefix}="{_NAMES}:{name}:1.0"'
    for prefix, name in (
        ("text", "text"), ("table", "table"), ("style", "style"), ("office", "office"),
        ("draw", "drawing"), ("meta", "meta"), ("fo", "xsl-fo-compatible"),
    )
)  # fmt: skip
_STYLES = """
<style:style style:name="Title" style:family="paragraph"/>
<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>
<style:style style:name="new" style:family="paragraph">
<style:paragraph-properties fo:break-before="page"/></style:style>
<style:style style:name="gone" style:family="text"><style:text-properties text:display="none"/>
</style:style>
<style:style style:name="pale" style:family="text"><style:text-properties fo:color="#fefefe"/>
</style:style>
<style:style style:name="up" style:family="text">
<style:text-properties style:text-position="super 58%"/></style:style>
<style:style style:name="dark" style:family="table-cell">
<style:table-cell-properties fo:background-color="#000000"/></style:style>
<text:list-style style:name="L1"><text:list-level-style-number text:level="1"
 style:num-format="1"/><text:list-level-style-bullet text:level="2"/></text:list-style>
"""


def odt(body: str, pages: int = 0, manifest: str = "") -> bytes:
    meta = f'<office:meta><meta:document-statistic meta:page-count="{pages}"/></office:meta>'
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f"<office:document-content {_PREFIXES}><office:automatic-styles>{_STYLES}"
            f"</office:automatic-styles><office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>",
        )
        archive.writestr("meta.xml", f"<office:document-meta {_PREFIXES}>{meta}"
                                     "</office:document-meta>")  # fmt: skip
        archive.writestr("META-INF/manifest.xml", f"<!DOCTYPE m>{manifest}")
    return stream.getvalue()


def test_an_open_document_reads_as_a_page() -> None:
    """Headings, lists, tables, notes and text boxes become blocks."""
    body = (
        '<text:p text:style-name="P1">Leave</text:p>'
        '<text:h text:outline-level="2">Holidays</text:h>'
        "<text:p>25<text:s/>days<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Full time.</text:p></text:note-body></text:note>, 10"
        '<text:span text:style-name="up">2</text:span> m<draw:frame><draw:text-box>'
        "<text:p>Boxed</text:p></draw:text-box></draw:frame></text:p>"
        '<text:list text:style-name="L1"><text:list-item><text:p>one</text:p><text:list>'
        "<text:list-item><text:p>inner</text:p></text:list-item></text:list></text:list-item>"
        "</text:list><text:p>between</text:p>"
        '<text:list text:style-name="L1" text:continue-numbering="true"><text:list-item>'
        "<text:p>two</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
        '<table:table-cell table:number-columns-repeated="2"><text:p>b</text:p>'
        '</table:table-cell><table:table-cell table:number-columns-repeated="9999999"/>'
        "</table:table-row></table:table>"
    )
    document = read("leave.odt", odt(body))
    assert document.title == "Leave"
    assert blocks(document) == [
        ("heading", 1, "Leave"),
        ("heading", 2, "Holidays"),
        ("paragraph", 0, "25 days¹, 10² m"),
        ("paragraph", 0, "Boxed"),
        ("list_item", 0, "1. one"),
        ("list_item", 1, "inner"),
        ("paragraph", 0, "between"),
        ("list_item", 0, "2. two"),
        ("table_row", 0, "a | b | b"),
        ("list_item", 0, "1. Full time."),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        '<text:span text:style-name="gone">HIDE</text:span>',
        '<text:span text:style-name="pale">HIDE</text:span>',
        '<text:hidden-text text:string-value="HIDE">HIDE</text:hidden-text>',
        "</text:p><text:tracked-changes><text:p>HIDE</text:p></text:tracked-changes><text:p>",
        '</text:p><text:section text:display="none"><text:p>HIDE</text:p></text:section><text:p>',
        "</text:p><text:p><text:hidden-paragraph/>HIDE</text:p><text:p>",
        '</text:p><table:table><table:table-row table:visibility="filter"><table:table-cell>'
        "<text:p>HIDE</text:p></table:table-cell></table:table-row></table:table><text:p>",
    ],
)
def test_what_an_open_document_hides_is_left_out_and_counted(hidden: str) -> None:
    """Hidden by style, field, section or row, or deleted with tracking."""
    document = read("a.odt", odt(f"<text:p>Seen{hidden}</text:p>"))
    assert document.text == "Seen"
    assert document.hidden_characters == len("HIDE")


def test_a_packed_type_is_read() -> None:
    """Some programs compress what says that a file is an OpenDocument text."""
    with zipfile.ZipFile(BytesIO(odt("<text:p>Words</text:p>"))) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    assert read("a.odt", package(parts)).text == "Words"


def test_white_on_a_dark_cell_is_seen() -> None:
    """Text is compared with what is behind it."""
    cell = (
        '<table:table-cell table:style-name="dark"><text:p><text:span text:style-name="pale">Seen'
        "</text:span></text:p></table:table-cell>"
    )
    body = f"<table:table><table:table-row>{cell}</table:table-row></table:table>"
    assert read("a.odt", odt(body)).text == "Seen"


@pytest.mark.parametrize(("counted", "expected"), [(3, [1, 2, 3]), (9, [None, None, None])])
def test_pages_of_an_open_document_are_those_it_counted(
    counted: int, expected: list[int | None]
) -> None:
    """Where breaks and the program's own count differ, no page is claimed."""
    body = (
        "<text:p>one</text:p><text:soft-page-break/><text:p>two</text:p>"
        '<text:p text:style-name="new">three</text:p>'
    )
    document = read("a.odt", odt(body, counted))
    assert [b.page for b in document.blocks] == expected


_WORDS = "words " * 1_000
_CELL = (
    '<table:table-cell table:number-columns-repeated="9999"><text:p>'
    f"{_WORDS}</text:p></table:table-cell>"
)
_BOMB = f'<table:table-row table:number-rows-repeated="9999">{_CELL * 200}</table:table-row>'


@pytest.mark.parametrize(
    ("name", "data", "error", "message"),
    [
        pytest.param("a.odt", odt("", manifest="<encryption-data/>"), ProtectedFileError,
                     "protected by a password", id="password"),
        pytest.param("a.odt", odt("<text:p/>"), EmptyFileError, "no visible words", id="empty"),
        pytest.param("a.odt", odt(f"<table:table>{_BOMB}</table:table>"), FileTooLargeError,
                     "unpacks to far more", id="repeated cells"),
        pytest.param("a.odt", odt("<text:list><text:list-item>" * 150), UnreadableFileError,
                     "damaged", id="broken"),
        pytest.param("a.odt", odt("<text:list>" * 201 + "</text:list>" * 201), TooComplexError,
                     "nests more than 200", id="deep"),
        pytest.param("a.xlsx", package({"xl/workbook.xml": "<x/>"}), UnreadableFileError,
                     "damaged", id="no workbook"),
        pytest.param("a.pptx", package({"ppt/presentation.xml": "<x/>"}), UnreadableFileError,
                     "damaged", id="no presentation"),
        pytest.param("a.xlsx", package({"xl/workbook.xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>"}),
                     UnreadableFileError, "damaged", id="entities"),
        pytest.param("a.pptx", package({"ppt/media/a.bin": b"\0" * 3_000_000}),
                     FileTooLargeError, "unpacks to far more", id="bomb"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_in_a_sentence(
    name: str, data: bytes, error: type[DocumentError], message: str
) -> None:
    """Passwords, bombs and damage are told apart, and quickly."""
    started = time.process_time()
    with pytest.raises(error) as refusal:
        parse(name, data)
    assert str(refusal.value).startswith(f"{name} ")
    assert message in str(refusal.value)
    assert time.process_time() - started < 10
