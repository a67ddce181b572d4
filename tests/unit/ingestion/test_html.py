import time

import pytest
from hypothesis import given, settings

from ingestion.errors import FrontMatterError, TooComplexError
from ingestion.parse import parse
from store.documents import ParsedDocument
from tests.unit.ingestion.documents import (
    PATIENCE,
    SOURCES,
    assert_linear,
    assert_sound,
    assert_sound_or_refused,
)


def read(body: str, head: str = "") -> ParsedDocument:
    return parse("page.html", f"<!doctype html><head>{head}</head>{body}".encode())


def blocks(body: str) -> list[tuple[str, int, str]]:
    document = read(body)
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("<h2>A <b>b</b></h2>c", [("heading", 2, "A b"), ("paragraph", 0, "c")],
                     id="heading and loose text"),
        pytest.param("<p>a &amp;\n <i>b</i>c&nbsp;d</p>", [("paragraph", 0, "a & bc d")],
                     id="inline"),
        pytest.param("a<br>b<br> <br>c", [("paragraph", 0, "a b"), ("paragraph", 0, "c")],
                     id="br"),
        pytest.param("<ul><li>a<li>b<ol type=a start=2><li>c</ol></ul>",
                     [("list_item", 0, "a"), ("list_item", 0, "b"), ("list_item", 1, "b. c")],
                     id="lists"),
        pytest.param("<ol reversed start=2><li>a<li>b</ol><ol type=I><li value=4>c</ol>",
                     [("list_item", 0, "2. a"), ("list_item", 0, "1. b"),
                      ("list_item", 0, "IV. c")], id="numbering"),
        pytest.param("<dl><dt>a<dd>b</dl>", [("list_item", 0, "a"), ("list_item", 0, "b")],
                     id="dl"),
        pytest.param("<table><tr><th>a<th>b<tr><td><p>1</p><p>2</p><td></table>",
                     [("table_row", 0, "a | b"), ("table_row", 0, "1 2")], id="table"),
        pytest.param("<table><tr><td><h3>a</h3><p>b<td>c</table>",
                     [("heading", 3, "a"), ("paragraph", 0, "b"), ("paragraph", 0, "c")],
                     id="layout table"),
        pytest.param("<pre>a  b\n\n c</pre>", [("code", 0, "a b"), ("code", 0, "c")], id="pre"),
        pytest.param("<p>a<img alt='b'>c <img src=x></p>", [("paragraph", 0, "abc")],
                     id="picture"),
        pytest.param("<ol><li><h3>Terms</h3>a</ol>",
                     [("heading", 3, "1. Terms"), ("list_item", 0, "a")], id="heading in a list"),
        pytest.param("<p>x<sup>2</sup> H<sub>2</sub>O 1<sup>st</sup>",
                     [("paragraph", 0, "x² H₂O 1st")], id="raised and lowered"),
        pytest.param("<div>a<div>b</div>c</div>",
                     [("paragraph", 0, "a"), ("paragraph", 0, "b"), ("paragraph", 0, "c")],
                     id="div"),
        pytest.param("<p>a</p><script>b</script><nav>c</nav><template>d</template>e<noscript>f",
                     [("paragraph", 0, "a"), ("paragraph", 0, "e")], id="not for reading"),
        pytest.param("<div role=navigation>a</div>b", [("paragraph", 0, "b")], id="navigation"),
        pytest.param("<table>a<tr><td>b</table>", [("paragraph", 0, "a"), ("table_row", 0, "b")],
                     id="text that a parser moves"),
        pytest.param("<details><summary>a</summary>b</details>",
                     [("paragraph", 0, "a"), ("paragraph", 0, "b")], id="details"),
    ],
)  # fmt: skip
def test_html_reads_as_it_shows(body: str, expected: list[tuple[str, int, str]]) -> None:
    """Each element becomes the blocks that a reader sees."""
    assert blocks(body) == expected


@pytest.mark.parametrize(
    ("head", "element"),
    [
        pytest.param("", "<p hidden>secret</p>", id="hidden"),
        pytest.param("", "<p aria-hidden=true>secret</p>", id="aria-hidden"),
        pytest.param("", "<p style='DISPLAY : none'>secret</p>", id="display none"),
        pytest.param("", "<p style='display:none !important'>secret</p>", id="important"),
        pytest.param("", "<p style='visibility:hidden'>secret</p>", id="visibility"),
        pytest.param("", "<p style='opacity:0.0'>secret</p>", id="opacity"),
        pytest.param("", "<p style='font-size:1px'><b>secret</b></p>", id="one pixel"),
        pytest.param("", "<p style='font-size:0'>secret</p>", id="no size"),
        pytest.param("", "<p style='color:white'>secret</p>", id="white on white"),
        pytest.param("", "<font color='#FFF'>secret</font>", id="font colour"),
        pytest.param("", "<p style='color:#111;background:rgb(17, 17, 17)'>secret</p>",
                     id="ground"),
        pytest.param("", "<p style='color:transparent'>secret</p>", id="transparent"),
        pytest.param("", "<p style='position:absolute;left:-9999px'>secret</p>", id="far away"),
        pytest.param("<style>.a, #b {color:red} p.a{display:none}</style>",
                     "<p class='c a'>secret</p>", id="class"),
        pytest.param("<style>/* } */ #b{visibility:hidden}</style>", "<p id=b>secret</p>",
                     id="id"),
        pytest.param("", "<dialog>secret</dialog>", id="closed dialog"),
    ],
)  # fmt: skip
def test_text_that_cannot_be_seen_is_dropped_and_counted(head: str, element: str) -> None:
    """Text hidden by the page's own markup is not indexed; its characters are counted."""
    document = read(f"<p>seen</p>{element}<p>too</p>", head)
    assert document.text == "seen\n\ntoo"
    assert document.hidden_characters == len("secret")


@pytest.mark.parametrize(
    ("head", "element"),
    [
        pytest.param("", "<s>gone</s>", id="s"),
        pytest.param("", "<strike>gone</strike>", id="strike"),
        pytest.param("", "<del><p>gone</p><p>too</p></del>", id="paragraphs in del"),
        pytest.param("", "<b style='text-decoration:line-through red'>gone</b>", id="style"),
        pytest.param("<style>.x{text-decoration-line:line-through}</style>",
                     "<p class=x>go<i>ne</i></p>", id="class"),
    ],
)  # fmt: skip
def test_struck_out_text_is_dropped_with_a_warning(head: str, element: str) -> None:
    """What a page strikes out is not indexed, and is not called hidden."""
    document = read(f"<p>seen</p>{element}<ins>new</ins>", head)
    assert document.text == "seen\n\nnew"
    assert document.hidden_characters == 0
    assert document.warnings == ("1 struck-out passage was left out.",)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param("", "<div style='font-size:0'><p style='font-size:1em'>seen</p></div>",
                     id="size"),
        pytest.param("", "<div style='color:#fff;background:navy'>seen</div>", id="white on blue"),
        pytest.param("", "<div bgcolor=black><font color=white>seen</font></div>", id="bgcolor"),
        pytest.param("", "<div style='color:#fff;background:url(a.png)'>seen</div>", id="picture"),
        pytest.param("<style>@media print{p{display:none}} p{color:#222}</style>", "<p>seen</p>",
                     id="only hidden in print"),
        pytest.param("<link rel=stylesheet href=a.css>",
                     "<h1 class=hero style='color:#fff'>seen</h1>", id="unknown ground"),
        pytest.param("<style>.x{display:none} .y{display:block}</style>",
                     "<p class='x y'>seen</p>", id="shown again"),
    ],
)  # fmt: skip
def test_text_that_may_be_seen_is_kept(head: str, body: str) -> None:
    """What only looks like hiding stays in the text."""
    assert read(body, head).text == "seen"


def test_entities_have_no_place_and_the_words_around_them_do() -> None:
    """The map is exact around decoded entities, line ends and hidden elements."""
    source = "<!doctype html><p>Fish &amp;\r\n chips<p hidden>chips</p><b>chips</b> caf&eacute;"
    document = parse("page.html", source.encode())
    assert document.text == "Fish & chips\n\nchips café"
    places = {document.text[r.start : r.start + r.length]: r.source_start
              for r in document.source_map}  # fmt: skip
    assert places["Fish &"] == source.index("Fish")
    assert places["chips"] == source.index("chips</b>")
    assert " caf" in places


def test_a_page_cannot_forge_places() -> None:
    """Private-use characters, bare or as references, are text like any other."""
    source = "<!doctype html><p>\U000f0000 &#xF0001;7&#xF0001; in &#983042;14&#983042; days"
    document = parse("page.html", source.encode())
    assert document.text == "\U000f0000 \U000f00017\U000f0001 in \U000f000214\U000f0002 days"
    assert_sound(document, source)


def test_the_title_element_gives_way_to_the_heading_it_contains() -> None:
    """A site's name in the title is not the document's."""
    assert read("<h1>Returns policy</h1>a", "<title>Returns policy | Shop</title>").title == (
        "Returns policy"
    )
    assert read("<h1>Welcome</h1>a", "<title>Returns &amp; refunds</title>").title == (
        "Returns & refunds"
    )


def test_meta_elements_carry_key_dates_and_owner() -> None:
    """A page says in its head what Markdown says in front matter."""
    document = read(
        "<p>a</p>",
        "<meta name=document content=returns><meta name=owner content='Ann'>"
        "<meta name='effective-from' content='2026-09-01'>",
    )
    assert (document.document_key, document.owner) == ("returns", "Ann")
    assert document.effective_from is not None
    assert document.effective_from.isoformat() == "2026-09-01T00:00:00+00:00"


def test_a_misspelt_meta_element_gives_a_warning() -> None:
    """Only what is nearly one of our names is named; other elements are silent."""
    meta = "<meta name=viewport content=x><meta name='twitter:title' content=x>"
    document = read("<p>a</p>", f"{meta}<meta name='effectve-from' content='2026-09-01'>")
    assert document.warnings == (
        "“effectve_from” was ignored; write effective_from if that is meant.",
    )


def test_a_bad_date_in_a_meta_element_is_refused() -> None:
    """The message names the file and the key."""
    with pytest.raises(FrontMatterError, match=r"^page\.html: effective_to is “soon”"):
        read("<p>a</p>", "<meta name=effective_to content=soon>")


@settings(deadline=None, max_examples=300)
@given(SOURCES)
def test_offsets_hold_for_any_html(source: str) -> None:
    """Blocks tile the canonical text and runs stand in the source, or the file is refused."""
    assert_sound_or_refused("page.html", f"<!doctype html>{source}")


def test_ten_thousand_levels_are_read() -> None:
    """Depth costs no recursion."""
    assert read("<div>" * 10_000 + "deep").text == "deep"


def test_a_hundred_thousand_levels_are_refused() -> None:
    """More than the parser can bear is refused by name."""
    with pytest.raises(TooComplexError, match=r"^page\.html nests more than 20,000 HTML elements"):
        read("<div>" * 100_000 + "deep")


@pytest.mark.parametrize(
    "unit",
    ["<div>", "<p>", "<b>", "<", "<!--", "<a ", "&", "<style>", "<script>", "<table><tr><td>",
     "<ul><li>", "<a b='", "<p hidden>a", "<title>", "<svg>", "<sup>1", "<br>a", "<select>",
     "<p style='color:red'>a", "<p><s>a", "<s>a</s>",
     "<pre>a\n", "<!doctype html>", "</p>", "<plaintext>"],
)  # fmt: skip
def test_nasty_input_takes_linear_time(unit: str) -> None:
    """100,000 characters of anything are read, or refused in a sentence, without a hang."""
    assert_linear("page.html", "<!doctype html><p>x", unit)


@pytest.mark.parametrize(
    "sheet",
    ["/*" * 50_000, "{" * 100_000, "@" * 100_000, ".a{display:none}" * 6_000, "a," * 50_000],
)
def test_nasty_style_sheets_take_linear_time(sheet: str) -> None:
    """A malformed style sheet neither hangs nor hides."""
    started = time.process_time()
    assert read("<p>seen</p>", f"<style>{sheet}</style>").text == "seen"
    assert time.process_time() - started < PATIENCE
