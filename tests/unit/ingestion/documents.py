"""What must hold of every parsed document, and generators of documents to hold it against."""

import time
import unicodedata

from hypothesis import strategies as st

from ingestion.errors import DocumentError
from ingestion.parse import parse
from store.documents import ParsedDocument

NASTY_SIZE = 100_000  # characters
PATIENCE = 20.0  # seconds of this process; quadratic time is minutes

# Words that break naive code: emoji with joiners, right-to-left, combining marks, entities,
# markup characters, invisible and control characters, characters outside the first plane.
WORDS = st.sampled_from(
    [
        "returns", "14", "€40", "e\u0301te\u0301", "été", "o\u0302\u0323", "שלום", "مرحبا",
        "می\u200cخواهم", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈", "각", "\u1100\u1161\u11a8",
        "क्\u200dष", "naïve", "soft\u00adhyphen", "zero\u200bwidth", "\u202eoverride\u202c",
        "&amp;", "&copy;", "&nbsp;", "AT&T", "<b>", "</b>", "<br>", "<!-- no -->", "<x", "a<b",
        "*", "**", "_em_", "`code`", "[link](http://x.y/z)", "![alt](p.png)", "\\*", "|", "~~s~~",
        "#", ">", "-", "1.", "\U00020000", "\U000f0000", "x" * 40, "\u00a0", "\u2028", "ﬁ",
        "\U000e0041", "Å", "\u212b", "'", '"', "{{ site.email }}", "(a)", "§ 4.2", ":", "end.",
    ]
)  # fmt: skip
SPACES = st.sampled_from([" ", "  ", "\t", "\n", "\r\n", "\n\n", "\r\n\r\n", "\f", ""])
PREFIXES = st.sampled_from(
    [
        "", "", "# ", "## ", "- ", "  - ", "3. ", "> ", "> - ", "    ", "```\n", "| ", "---\n",
        "<div>", "</div>", "<p hidden>", "<table><tr><td>", "<ul><li>", "<pre>", "</table>",
        "<h2>", "</h2>", "<style>", "</style>", "<sup>", "</sup>", "===\n", "4.2 ", "<ol><li>",
    ]
)  # fmt: skip
LINES = st.tuples(PREFIXES, st.lists(st.tuples(WORDS, SPACES), max_size=6)).map(
    lambda line: line[0] + "".join(word + space for word, space in line[1])
)
SOURCES = st.lists(LINES, min_size=1, max_size=12).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\n\n", "\r"]).map(lambda end: end.join(lines))
)
PROSE = st.lists(
    st.sampled_from("Items can be returned within 14 days of delivery for €40 if unworn".split()),
    min_size=1,
    max_size=40,
).map(" ".join)


def assert_sound(document: ParsedDocument, source: str) -> None:
    """Hold `document` against the invariants of canonical text, blocks and source map."""
    text = document.text
    position = 0
    for block in document.blocks:
        inside = text[block.start : block.end]
        joiner = text[position : block.start]
        assert joiner in (("",) if position == 0 else ("\n", "\n\n"))
        assert inside
        assert inside == inside.strip()
        assert "\n" not in inside
        assert "  " not in inside
        position = block.end
    assert position == len(text)
    assert unicodedata.is_normalized("NFC", text)
    assert not any(unicodedata.category(c) == "Cc" for c in text.replace("\n", ""))
    end = 0
    for run in document.source_map:
        assert run.length > 0
        assert run.start >= end
        end = run.start + run.length
        assert text[run.start : end] == source[run.source_start : run.source_start + run.length]
    assert end <= len(text)


def assert_sound_or_refused(name: str, source: str) -> None:
    """Hold what is read of `source` against the invariants; a refusal must name the file."""
    refusal = ""
    try:
        assert_sound(parse(name, source.encode()), source)
    except DocumentError as error:
        refusal = str(error)
    assert not refusal or refusal.startswith(name)


def assert_linear(name: str, start: str, unit: str, end: str = "") -> None:
    """Read 100,000 characters of one thing after another without a hang."""
    started = time.process_time()
    assert_sound_or_refused(name, start + unit * (NASTY_SIZE // len(unit)) + end)
    assert time.process_time() - started < PATIENCE
