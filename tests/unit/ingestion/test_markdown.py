import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ingestion.errors import TooComplexError
from ingestion.parse import parse
from store.documents import ParsedDocument
from tests.unit.ingestion.documents import PROSE, SOURCES, assert_linear, assert_sound_or_refused


def read(source: str) -> ParsedDocument:
    return parse("policy.md", source.encode())


def blocks(source: str) -> list[tuple[str, int, str]]:
    document = read(source)
    return [(b.kind, b.level, document.text[b.start : b.end]) for b in document.blocks]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("# A\n\nB\n===", [("heading", 1, "A"), ("heading", 1, "B")], id="headings"),
        pytest.param("## A *b* ##\nC", [("heading", 2, "A b"), ("paragraph", 0, "C")], id="ATX"),
        pytest.param("a\nb  \nc\\\nd", [("paragraph", 0, "a b c d")], id="wrapped lines"),
        pytest.param(
            "* a\n* b\n  * c\n\n    d",
            [("list_item", 0, "a"), ("list_item", 0, "b"), ("list_item", 1, "c"),
             ("list_item", 1, "d")],
            id="nested list",
        ),
        pytest.param(
            "3. a\n3. b", [("list_item", 0, "3. a"), ("list_item", 0, "4. b")], id="numbered"
        ),
        pytest.param("> a\nb\n>\n> c", [("paragraph", 0, "a b"), ("paragraph", 0, "c")],
                     id="quote"),
        pytest.param(
            "|a|b \\| c|\n|-|-|\n|1||\n||2|",
            [("table_row", 0, "a | b | c"), ("table_row", 0, "1"), ("table_row", 0, "| 2")],
            id="table",
        ),
        pytest.param("```x\na  b\n\n c\n```", [("code", 0, "a b"), ("code", 0, "c")], id="fence"),
        pytest.param("    code", [("code", 0, "code")], id="indented code"),
        pytest.param("~~a~~ **b** `c` \\*d\\*", [("paragraph", 0, "b c *d*")], id="inline"),
        pytest.param("[a *b*](/u \"t\") <http://c.d>", [("paragraph", 0, "a b http://c.d")],
                     id="links"),
        pytest.param("[a][r] ![b](/p)\n\n[r]: /u", [("paragraph", 0, "a b")], id="references"),
        pytest.param("a<!-- b --> <i>c</i>", [("paragraph", 0, "a c")], id="inline HTML"),
        pytest.param("<div>\n\n*a*\n\n</div>", [("paragraph", 0, "a")], id="HTML around"),
        pytest.param("<table><tr><td>a<td>b</table>", [("table_row", 0, "a | b")], id="raw table"),
        pytest.param("Mail {{ site.email }}", [("paragraph", 0, "Mail {{ site.email }}")],
                     id="placeholder"),
        pytest.param("[us]({{ site.mail }}) a]({{ b }})", [("paragraph", 0, "us a]({{ b }})")],
                     id="placeholder as a link's target"),
        pytest.param("use <title> here", [("paragraph", 0, "use <title> here")],
                     id="a tag that would swallow the rest"),
        pytest.param("10<sup>6</sup> 30<sup>th</sup>", [("paragraph", 0, "10⁶ 30th")],
                     id="raised"),
        pytest.param("a<br> <br>b", [("paragraph", 0, "a"), ("paragraph", 0, "b")], id="breaks"),
        pytest.param("[<audio> a](/u) *<svg> b* c", [("paragraph", 0, "c")], id="unclosed HTML"),
        pytest.param("* * *\n\na", [("paragraph", 0, "a")], id="ruler"),
        pytest.param("&copy; &#65; &bogus;", [("paragraph", 0, "© A &bogus;")], id="entities"),
    ],
)  # fmt: skip
def test_markdown_reads_as_it_renders(source: str, expected: list[tuple[str, int, str]]) -> None:
    """Each construct becomes the blocks that a reader sees."""
    assert blocks(source) == expected


def test_hidden_html_hides_the_markdown_inside_it() -> None:
    """An element hidden by style hides what stands between its tags, and it is counted."""
    document = read('a\n\n<div style="display:none">\n\nsecret *words*\n\n</div>\n\nb')
    assert document.text == "a\n\nb"
    assert document.hidden_characters == len("secret words")


def test_struck_out_words_are_left_out_and_said() -> None:
    """Words that were taken back are no policy; a warning tells how many stretches went."""
    document = read("Entry costs ~~€29~~ €30.\n\n- ~~no dogs~~\n- <s>no</s> cats\n\n~~ ~~")
    assert document.text.startswith("Entry costs €30.\n\ncats")
    assert document.hidden_characters == 0
    assert document.warnings == ("3 struck-out passages were left out.",)


def test_a_struck_item_keeps_its_number() -> None:
    """The items after one that was struck out are called as before."""
    assert read("1. a\n2. ~~b~~\n3. c").text == "1. a\n3. c"


def test_heading_paths_name_the_headings_above() -> None:
    """A block's path is outermost first, without the document's title."""
    document = read("# Returns policy\n\na\n\n## Sale\n\nb\n\n### Outlet\n\nc\n\n## Gifts\n\nd")
    paths = {document.text[b.start : b.end]: b.heading_path for b in document.blocks}
    assert document.title == "Returns policy"
    assert paths == {
        "Returns policy": (), "a": (), "Sale": (), "b": ("Sale",), "Outlet": ("Sale",),
        "c": ("Sale", "Outlet"), "Gifts": (), "d": ("Gifts",),
    }  # fmt: skip


def test_a_first_heading_that_is_not_the_title_stays_in_the_path() -> None:
    """With another title in the front matter the level-1 heading is a section."""
    document = read("---\ntitle: Returns\n---\n# Our promise\n\na")
    assert document.blocks[1].heading_path == ("Our promise",)


def test_the_file_name_is_the_last_resort_for_a_title() -> None:
    """Without front matter and headings the name, made readable, is the title."""
    assert parse("C:\\docs\\sick-leave_2026.md", b"Words.").title == "Sick leave 2026"


def test_items_and_rows_stand_on_neighbouring_lines() -> None:
    """One list or table is joined by line ends, other blocks by empty lines."""
    assert read("a\n\n- b\n\n- c\n\n|d|\n|-|\n|e|").text == "a\n\nb\nc\n\nd\ne"


def test_the_source_map_covers_words_whatever_markup_parts_them() -> None:
    """Every visible letter that stands in the source is mapped, in quotes and tables too."""
    quote = "> - **ab** [cd](/cd) `e f`\r\n>   gh [ij]({{ kl }})"
    source = quote + "\r\n\r\n|i|j \\| k|\r\n|-|-|\r\n|l|*m*|"
    document = read(source)
    mapped = {i for run in document.source_map for i in range(run.start, run.start + run.length)}
    missing = {i for i, c in enumerate(document.text) if c.isalnum()} - mapped
    assert not missing


@settings(deadline=None, max_examples=300)
@given(SOURCES)
def test_offsets_hold_for_any_markdown(source: str) -> None:
    """Blocks tile the canonical text and runs stand in the source, or the file is refused."""
    assert_sound_or_refused("policy.md", source)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["", "# ", "- ", "1. ", "> ", "| x | "]), PROSE)))
def test_a_page_of_the_same_words_reads_the_same(lines: list[tuple[str, str]]) -> None:
    """Markdown and the HTML that a renderer makes of it have one canonical text."""
    source = "Start.\n\n" + "\n\n".join(prefix + words for prefix, words in lines)
    page = MarkdownIt("commonmark").enable("table").render(source)
    assert parse("page.html", f"<!doctype html>{page}".encode()).text == read(source).text


@settings(deadline=None)
@given(st.lists(PROSE, min_size=1, max_size=5), st.integers(20, 90))
def test_wrapping_does_not_matter(paragraphs: list[str], width: int) -> None:
    """Where lines break, and how they end, leaves no trace."""
    wrapped = ["\r\n".join(_wrapped(words, width)) for words in paragraphs]
    assert read("\r\n\r\n".join(wrapped)).text == read("\n\n".join(paragraphs)).text


def _wrapped(words: str, width: int) -> list[str]:
    lines = [""]
    for word in words.split():
        # A line must not begin with what would be a list item's number.
        if lines[-1] and len(lines[-1]) + len(word) >= width and not word[0].isdigit():
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


@pytest.mark.parametrize(
    "unit",
    ["*", "[", "<div>", "![", "[a](", "**a ", "`a", "<!-- ", "<style>", "<sup>", "&", "\\", "_a*",
     "|a", "> a\n", "- a\n", "[a]: b\n", "# a\n", "</", "<a b='", "\u200d", "a\u0301"],
)  # fmt: skip
def test_nasty_input_takes_linear_time(unit: str) -> None:
    """100,000 characters of anything are read, or refused in a sentence, without a hang."""
    assert_linear("policy.md", "", unit, " x")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("> " * 60 + "a", id="quotes on one line"),
        pytest.param("\n".join("  " * depth + "- a" for depth in range(60)), id="lists on many"),
    ],
)
def test_absurd_nesting_is_refused(source: str) -> None:
    """Nesting that the parser would silently cut off is refused by name."""
    with pytest.raises(TooComplexError, match=r"^policy\.md nests quotes or lists"):
        read(source)
