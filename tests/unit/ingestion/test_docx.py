import time

import pytest

from ingestion.errors import (
    DocumentError,
    EmptyFileError,
    FileTooLargeError,
    ProtectedFileError,
    TooComplexError,
    UnreadableFileError,
)
from ingestion.parse import parse
from store.documents import ParsedDocument
from tests.unit.ingestion.documents import assert_sound
from tests.unit.ingestion.packages import NAMES, docx, item, p, package, r, table

BREAK = "<w:r><w:lastRenderedPageBreak/></w:r>"
SET_BREAK = '<w:r><w:br w:type="page"/></w:r>'
BOX = "<w:txbxContent>{}</w:txbxContent>"
WHITE = '<w:color w:val="FFFFFF"/>'


def read(
    body: str, title: str = "", parts: dict[str, str | bytes] | None = None
) -> ParsedDocument:
    document = parse("leave.docx", docx(body, title, parts=parts))
    assert_sound(document, "")
    return document


def blocks(document: ParsedDocument) -> list[tuple[str, int, str]]:
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


def lines(body: str) -> list[str]:
    return [text for _, _, text in blocks(read(body))]


def test_styles_and_outline_levels_make_headings() -> None:
    """Built-in names, what is based on them, and direct outline levels count, in any language."""
    level = '<w:outlineLvl w:val="3"/>'
    body = '<w:outlineLvl w:val="9"/>'
    document = read(
        p("Leave", "T") + p("Holidays", "berschrift1") + p("25 days.") + p("Notice", "mine")
        + p("Two weeks.") + p("Deep", "loop", level) + p("No heading", "h2", body)
    )  # fmt: skip
    assert document.title == "Leave"
    assert blocks(document) == [
        ("heading", 1, "Leave"),
        ("heading", 1, "Holidays"),
        ("paragraph", 0, "25 days."),
        ("heading", 2, "Notice"),
        ("paragraph", 0, "Two weeks."),
        ("heading", 4, "Deep"),
        ("paragraph", 0, "No heading"),
    ]
    assert document.blocks[4].heading_path == ("Holidays", "Notice")
    assert document.source_map == ()


def test_a_clause_in_the_style_of_a_heading_is_text() -> None:
    """Contracts number whole sentences with heading styles."""
    clause = "The supplier shall deliver the goods within fourteen days of the order being placed."
    assert blocks(read(p(clause, "h2")))[0][0] == "paragraph"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param("Leave policy 2026", "Leave policy 2026", id="given"),
        pytest.param("Document1", "Leave", id="by the program"),
        pytest.param("Microsoft Word - x.doc", "Leave", id="by a printer"),
        pytest.param("leave_final.docx", "Leave", id="a file name"),
        pytest.param("C:\\\\Users\\\\ann\\\\leave", "Leave", id="a path"),
        pytest.param("", "Leave", id="none"),
    ],
)
def test_the_title_of_the_properties_counts_where_a_person_wrote_it(
    title: str, expected: str
) -> None:
    """What a program fills in is no title; the author is never shown."""
    document = read(p("Words"), title)
    assert document.title == expected
    assert "Ann" not in document.text
    assert document.owner is None


def test_numbers_that_word_counts_are_words() -> None:
    """Numbers go on after other paragraphs, restart below others, and stand before headings."""
    body = (
        item("one", 1) + item("deeper", 1, 1) + item("letter", 1, 2) + item("next", 1, 2)
        + p("between") + item("two", 1) + item("deeper again", 1, 1) + item("roman", 1, 3)
        + item("restarted", 3) + item("a point", 2)
        + p("Scope", "h2", '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
        + p("by style", "numbered") + item("of no list", 9)
    )  # fmt: skip
    assert blocks(read(body)) == [
        ("list_item", 0, "1. one"),
        ("list_item", 1, "1.1 deeper"),
        ("list_item", 2, "(c) letter"),
        ("list_item", 2, "(d) next"),
        ("paragraph", 0, "between"),
        ("list_item", 0, "2. two"),
        ("list_item", 1, "2.1 deeper again"),
        ("list_item", 3, "I) roman"),
        ("list_item", 0, "5. restarted"),
        ("list_item", 0, "a point"),
        ("heading", 2, "6. Scope"),
        ("list_item", 0, "7. by style"),
        ("paragraph", 0, "of no list"),
    ]


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(r("SECRET", "<w:vanish/>"), id="vanish"),
        pytest.param(r("SECRET", "<w:webHidden/>"), id="hidden on the web"),
        pytest.param(r("SECRET", '<w:rStyle w:val="secret"/>'), id="vanish by style"),
        pytest.param(r("SECRET", '<w:rStyle w:val="pale"/>'), id="near white by base style"),
        pytest.param(r("SECRET", WHITE), id="white"),
        pytest.param(r("SECRET", '<w:color w:val="auto" w:themeColor="background1"/>'),
                     id="the background's colour"),
        pytest.param(r("SECRET", '<w:color w:val="000000"/><w:highlight w:val="black"/>'),
                     id="black on black"),
        pytest.param(r("SECRET", '<w:color w:val="00FF00"/><w:shd w:val="solid"'
                       ' w:color="00FF00"/>'), id="green on green"),
        pytest.param(r("SECRET", '<w:sz w:val="2"/>'), id="one point"),
        pytest.param("<w:del><w:r><w:delText>SECRET</w:delText></w:r></w:del>", id="deleted"),
        pytest.param(f"<w:moveFrom>{r('SECRET')}</w:moveFrom>", id="moved away"),
        pytest.param("<w:r><w:rPr><w:vanish/></w:rPr><w:pict>"
                     + BOX.format(p("SECRET")) + "</w:pict></w:r>", id="text box that vanishes"),
    ],
)  # fmt: skip
def test_text_that_nobody_sees_is_left_out_and_counted(hidden: str) -> None:
    """Hidden words are not indexed, whichever way they are hidden."""
    document = read(p(f"{r('Seen ')}{hidden}{r('words')}"))
    assert document.text == "Seen words"
    assert document.hidden_characters == len("SECRET")


def test_a_hidden_paragraph_or_row_takes_no_number() -> None:
    """A paragraph that vanishes by its style does not count in its list."""
    vanished = p(r("no", "<w:vanish/>"), "numbered")
    row = f"<w:tr><w:trPr><w:hidden/></w:trPr><w:tc>{p('no')}</w:tc><w:tc>{p('no')}</w:tc></w:tr>"
    body = item("one", 1) + vanished + p("no", "gone") + item("two", 1)
    rows = table(["a", "b"]).replace("</w:tbl>", f"{row}</w:tbl>")
    document = read(body + rows)
    assert document.text == "1. one\n2. two\n\na | b"
    assert document.hidden_characters == 8


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(p(r("Seen", "<w:vanish w:val='0'/>"), "gone"), id="shown after all"),
        pytest.param(p(r("Seen", WHITE), "", '<w:shd w:val="clear" w:fill="002244"/>'),
                     id="white on a dark paragraph"),
        pytest.param(p(r("Seen", f'{WHITE}<w:highlight w:val="darkBlue"/>')),
                     id="white on a dark highlight"),
        pytest.param(table([p(r("Seen", WHITE)), ""],
                           properties='<w:tblStyle w:val="dark"/>'), id="table with dark cells"),
        pytest.param(table(['<w:tcPr><w:shd w:val="clear" w:fill="333333"/></w:tcPr>'
                            + p(r("Seen", WHITE)), "<w:p/>"]), id="dark cell"),
        pytest.param(p("<w:r><w:pict>" + BOX.format(p(r("Seen", WHITE))) + "</w:pict></w:r>"),
                     id="white in a text box, whose ground is not known"),
        pytest.param(f"<w:p><w:ins>{r('Seen')}</w:ins></w:p>", id="inserted"),
        pytest.param(f"<w:p><w:moveTo>{r('Seen')}</w:moveTo></w:p>", id="moved here"),
        pytest.param(p(f'<w:fldSimple w:instr=" REF x ">{r("Seen")}</w:fldSimple>'), id="field"),
        pytest.param(p(f'<w:hyperlink r:id="rId99">{r("Seen")}</w:hyperlink>'), id="link"),
        pytest.param(f"<w:sdt><w:sdtContent>{p('Seen')}</w:sdtContent></w:sdt>", id="control"),
        pytest.param(p(f"<w:sdt><w:sdtContent>{r('Seen')}</w:sdtContent></w:sdt>"),
                     id="control in a line"),
        pytest.param(p(r("Seen", '<w:sz w:val="3"/>')), id="small"),
    ],
)  # fmt: skip
def test_text_that_is_seen_is_kept(seen: str) -> None:
    """Dark grounds, insertions, fields, links and controls show their words."""
    document = read(seen)
    assert document.text == "Seen"
    assert document.hidden_characters == 0


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r>", "a b", id="tab"),
        pytest.param("<w:r><w:t>a</w:t><w:br/><w:t>b</w:t></w:r>", "a b", id="line break"),
        pytest.param("<w:r><w:t>co</w:t><w:softHyphen/><w:t>op</w:t></w:r>", "coop",
                     id="soft hyphen"),
        pytest.param("<w:r><w:t>co</w:t><w:noBreakHyphen/><w:t>op</w:t></w:r>", "co\u2011op",
                     id="hyphen"),
        pytest.param('<w:r><w:t>a </w:t><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>', "a 🗹",
                     id="symbol"),
        pytest.param('<w:r><w:t>a</w:t><w:sym w:font="Arial" w:char="20AC"/></w:r>', "a€",
                     id="character by code"),
        pytest.param('<w:r><w:t>a</w:t><w:sym w:char="x"/></w:r>', "a", id="no character"),
        pytest.param(r("10") + r("2", '<w:vertAlign w:val="superscript"/>'), "10²", id="raised"),
        pytest.param("<m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2"
                     "</m:t></m:r></m:den></m:f></m:oMath>", "1/2", id="formula"),
        pytest.param("<mc:AlternateContent><mc:Choice>" + r("new") + "</mc:Choice><mc:Fallback>"
                     + r("old") + "</mc:Fallback></mc:AlternateContent>", "new",
                     id="the same in two ways"),
        pytest.param(r("a ") + r("b", "<w:strike/>") + r("c"), "a c", id="struck out"),
        pytest.param('<w:r><w:instrText> TOC </w:instrText></w:r>' + r("a"), "a", id="field code"),
        pytest.param(r("&lt;b&gt; &amp;amp;"), "<b> &amp;", id="markup characters"),
    ],
)  # fmt: skip
def test_what_a_run_shows(run: str, expected: str) -> None:
    """Tabs, hyphens, symbols, raised digits and formulas read as they look."""
    assert read(p(run)).text == expected


def test_tables_frames_and_boxes() -> None:
    """Rows are blocks, tables of one column are frames, boxes follow what they hang on."""
    box = "<w:r><w:pict><v:shape><v:textbox>" + BOX.format(p("Boxed")) + "</v:textbox></v:shape>"
    inner = table(["x", "y"])
    body = (
        table(["Item", "Window"], ["Phone", p("14") + p("days")])
        + p(box + "</w:pict><w:t>Beside</w:t></w:r>")
        + table([p("Framed", "h2") + p("text")])
        + table(["left", inner + p("right")])
    )
    assert blocks(read(body)) == [
        ("table_row", 0, "Item | Window"),
        ("table_row", 0, "Phone | 14 days"),
        ("paragraph", 0, "Beside"),
        ("paragraph", 0, "Boxed"),
        ("heading", 2, "Framed"),
        ("paragraph", 0, "text"),
        ("paragraph", 0, "left"),
        ("table_row", 0, "x | y"),
        ("paragraph", 0, "right"),
    ]


def test_footnotes_stand_at_the_end_with_their_number() -> None:
    """A note's mark is a raised digit; notes nobody refers to are not seen."""
    notes = (
        f'<w:footnotes {NAMES}><w:footnote w:id="-1" w:type="separator">{p("---")}</w:footnote>'
        f'<w:footnote w:id="4">{p("Working days.")}</w:footnote>'
        f'<w:footnote w:id="5">{p("Stray")}</w:footnote></w:footnotes>'
    )
    mark = '<w:r><w:footnoteReference w:id="4"/></w:r>'
    lost = '<w:r><w:footnoteReference w:id="77"/></w:r>'
    body = p(r("Within 14 days") + mark + r(".") + lost) + p(f"{BREAK}{r('After')}")
    document = read(body, parts={"word/footnotes.xml": notes})
    assert document.text == "Within 14 days¹.\n\nAfter\n\n1. Working days."
    assert document.hidden_characters == len("Stray")
    assert [b.page for b in document.blocks] == [1, 2, 1]


def test_comments_headers_and_contents_are_no_body_text() -> None:
    """What stands beside the text, and what only repeats its headings, is left out."""
    listed = (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/>'
        f"</w:docPartObj></w:sdtPr><w:sdtContent>{p('Contents')}</w:sdtContent></w:sdt>"
    )
    comment = '<w:r><w:commentReference w:id="0"/></w:r>'
    parts: dict[str, str | bytes] = {
        "word/comments.xml": f'<w:comments {NAMES}><w:comment w:id="0">{p("Hm")}</w:comment>'
        "</w:comments>",
        "word/header1.xml": f"<w:hdr {NAMES}>{p('Header')}</w:hdr>",
    }
    body = listed + p("Holidays … 3", "toc") + p(r("Text") + comment)
    document = read(body, parts=parts)
    assert document.text == "Text"
    assert document.hidden_characters == 0


def test_pages_are_those_that_word_laid_out() -> None:
    """A break that the author set and Word laid out is one; cells of a row begin on one page."""
    tall = table([p(f"a{BREAK}{r('b')}") + p("c"), p(f"{BREAK}{r('d')}")])
    body = (
        p(r("one") + SET_BREAK) + p(BREAK + r("two")) + p("still two")
        + tall.replace("<w:p><w:pPr></w:pPr>a", "<w:p>" + r("a")) + p("three", "numbered")
        + p(BREAK + r("four"), "h2", '<w:numPr><w:numId w:val="1"/></w:numPr>')
    )  # fmt: skip
    document = read(body)
    pages = [(document.text[b.start : b.end], b.page) for b in document.blocks]
    assert pages == [
        ("one", 1), ("two", 2), ("still two", 2), ("ab c | d", 2), ("1. three", 3),
        ("2. four", 4),
    ]  # fmt: skip


def test_breaks_alone_do_not_tell_pages() -> None:
    """Without Word's layout nobody knows how many pages lie between two breaks."""
    document = read(p(r("one") + SET_BREAK) + p("two"))
    assert [b.page for b in document.blocks] == [None, None]


def test_what_was_inserted_from_another_file_is_said() -> None:
    """A part in another format is not read, and the report says so."""
    document = read(p("Words") + '<w:altChunk r:id="rId9"/>')
    assert document.warnings == ("A part that was inserted from another file was left out.",)


def test_a_page_of_dark_colour_shows_white_text() -> None:
    """The page's colour counts only where the settings show it."""
    body = f'<w:background w:color="000000"/><w:body>{p(r("Seen", WHITE) + r(" too"))}</w:body>'
    document = f"<w:document {NAMES}>{body}</w:document>"
    shown = f"<w:settings {NAMES}><w:displayBackgroundShape/></w:settings>"
    hidden = f"<w:settings {NAMES}/>"
    for settings, expected in ((shown, "Seen too"), (hidden, "too")):
        parts: dict[str, str | bytes] = {
            "word/document.xml": document, "word/settings.xml": settings,
        }  # fmt: skip
        assert read("", parts=parts).text == expected


def test_the_strict_form_and_wide_characters_are_read() -> None:
    """Strict files use other namespaces, and some programs write UTF-16."""
    document = f'<?xml version="1.0" encoding="UTF-16"?><w:document {NAMES}><w:body>'
    document = f"{document}{p('Wörds')}</w:body></w:document>".replace(
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    assert read("", parts={"word/document.xml": document.encode("utf-16")}).text == "Wörds"


def test_the_main_part_may_have_any_name() -> None:
    """Relations say which part is the document; those to the outside are not followed."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r0" TargetMode="External" Target="http://x.example/" Type="{kind}"/>'
        f'<Relationship Id="r1" Type="{kind}" Target="/word/other.xml"/></Relationships>'
    )
    parts: dict[str, str | bytes] = {
        "_rels/.rels": relations,
        "word/other.xml": f"<w:document {NAMES}><w:body>{p('Other')}</w:body></w:document>",
    }
    assert read(p("Words"), parts=parts).text == "Other"


ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    f"<w:document {NAMES}><w:body><w:p><w:r><w:t>&b;</w:t></w:r></w:p></w:body></w:document>"
)
OUTSIDE = ENTITIES.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/passwd"')


def _deep(depth: int) -> str:
    return "<w:tbl><w:tr><w:tc>" * depth + p("x") + "</w:tc></w:tr></w:tbl>" * depth


def _marked_encrypted(data: bytes) -> bytes:
    entry = data.index(b"PK\x01\x02")
    return data[: entry + 8] + b"\x01" + data[entry + 9 :]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        pytest.param(docx("", parts={"word/document.xml": ENTITIES}), UnreadableFileError,
                     "damaged", id="entities"),
        pytest.param(docx("", parts={"word/document.xml": OUTSIDE}), UnreadableFileError,
                     "damaged", id="outer entity"),
        pytest.param(docx("", parts={"word/document.xml": ENTITIES.encode("utf-16")}),
                     UnreadableFileError, "damaged", id="entities in UTF-16"),
        pytest.param(docx("", parts={"word/document.xml": "<w:doc"}), UnreadableFileError,
                     "damaged", id="broken XML"),
        pytest.param(docx(p("x"))[:-60], UnreadableFileError, "damaged", id="cut off"),
        pytest.param(docx("", parts={"word/document.xml": f"<w:document {NAMES}/>"}),
                     UnreadableFileError, "damaged", id="no body"),
        pytest.param(docx(_deep(90)), TooComplexError, "nests more than 200", id="deep"),
        pytest.param(docx(p("x"), parts={"word/media/a.png": b"\0" * 3_000_000}),
                     FileTooLargeError, "unpacks to far more", id="bomb"),
        pytest.param(docx(p("x"), parts={"../evil.xml": "x"}), UnreadableFileError,
                     "outside its folder", id="name upwards"),
        pytest.param(docx(p("x"), parts={"/evil.xml": "x"}), UnreadableFileError,
                     "outside its folder", id="absolute name"),
        pytest.param(docx(p("x"), parts={f"word/{n}": "" for n in range(5_001)}),
                     TooComplexError, "more than 5,000 parts", id="parts"),
        pytest.param(_marked_encrypted(docx(p("x"))), ProtectedFileError,
                     "protected by a password", id="encrypted part"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
                     ProtectedFileError, "protected by a password", id="encrypted file"),
        pytest.param(docx("<w:p/>"), EmptyFileError, "no visible words", id="empty"),
        pytest.param(docx(p(r("x", "<w:vanish/>"))), EmptyFileError, "no visible words",
                     id="all hidden"),
    ],
)  # fmt: skip
def test_bad_packages_are_refused_in_a_sentence(
    data: bytes, error: type[DocumentError], message: str
) -> None:
    """Bombs, entities, deep nesting, passwords and damage are told apart, and quickly."""
    started = time.process_time()
    with pytest.raises(error) as refusal:
        parse("leave.docx", data)
    assert str(refusal.value).startswith("leave.docx ")
    assert message in str(refusal.value)
    assert time.process_time() - started < 10


def test_a_part_that_lies_about_its_size_is_damaged() -> None:
    """What is inflated is held against what was declared."""
    data = docx(p("x" * 4_000))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    lying = data[: entry + 24] + b"\x10\0\0\0" + data[entry + 28 :]
    with pytest.raises(UnreadableFileError):
        parse("leave.docx", lying)


def test_a_file_inside_a_package_does_not_tell_its_kind() -> None:
    """A ZIP file that holds a Word document is no Word document."""
    with pytest.raises(DocumentError, match="is a ZIP archive"):
        parse("a.docx", package({"mail/leave.docx": docx(p("x"))}, method=0))


def test_long_documents_are_read_in_time() -> None:
    """Five thousand paragraphs take seconds."""
    started = time.process_time()
    assert read(item("Words of a paragraph that goes on for a while.", 1) * 5_000).text
    assert time.process_time() - started < 20
