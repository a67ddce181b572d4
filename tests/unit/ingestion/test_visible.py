import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.settings import ROOT
from ingestion.canonical import visible, visible_markdown
from ingestion.parse.visible import normalise
from tests.unit.ingestion.documents import SOURCES


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        pytest.param("a \t\r\n b", "a b", id="white space"),
        pytest.param("10\u00a0% of\u202f5", "10 % of 5", id="no-break spaces"),
        pytest.param("  a  ", "a", id="ends"),
        pytest.param("re\u00adturn\u200b\ufeffs", "returns", id="soft hyphen and zero width"),
        pytest.param("e\u0301", "é", id="combining accent"),
        pytest.param("e\u200b\u0301", "é", id="accent behind a zero-width space"),
        pytest.param("\u202e30 days\u202c", "30 days", id="direction override"),
        pytest.param("ok\U000e0069\U000e0067", "ok", id="tag characters"),
        pytest.param("a\x07b\x00c", "abc", id="control characters"),
        pytest.param("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", id="family emoji stays"),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="Persian non-joiner stays"),
        pytest.param("ab\u200dcd", "abcd", id="joiner between Latin letters"),
        pytest.param("ﬁ 70 ％", "ﬁ 70 ％", id="compatibility forms stay as written"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_a_person_sees_is_kept(written: str, seen: str) -> None:
    """Visible characters stay, in NFC; white space is one space; the rest goes."""
    assert visible(written) == seen


@settings(deadline=None)
@given(st.one_of(st.text(), SOURCES))
def test_normalising_twice_changes_nothing(text: str) -> None:
    """The normaliser's output is its own fixed point, in NFC."""
    once = visible(text)
    assert visible(once) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(deadline=None)
@given(st.text(), st.text())
def test_every_run_stands_in_the_source(left: str, right: str) -> None:
    """Each run of output is letter for letter the source at its offset."""
    source = left + "|" + right
    seen = normalise([(left, 0), (right, len(left) + 1)])
    for start, place, length in seen.runs:
        assert seen.text[start : start + length] == source[place : place + length]


def test_plain_words_are_one_run() -> None:
    """A text without oddities is mapped as a whole."""
    assert normalise([("Items can be returned.", 7)]).runs == [(0, 7, 22)]


def test_a_run_goes_on_over_one_of_several_spaces() -> None:
    """Two spaces part a run after the one that is kept."""
    assert normalise([("ab  cd", 0)]).runs == [(0, 0, 3), (3, 4, 2)]


def test_only_composed_letters_lose_their_place() -> None:
    """Around a letter that NFC composes, the rest of the word is still mapped."""
    assert normalise([("caffe\u0301 open", 0)]).runs == [(0, 0, 4), (5, 6, 5)]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        pytest.param("soft\u00adhy\u00adphens\ufeff", 0, id="typography"),
        pytest.param("\u200b\u200c\u200b\u200c\u200b", 5, id="a row of zero-width characters"),
        pytest.param("\U000e0041\U000e0042", 2, id="tag characters"),
        pytest.param("\u202ebackwards\u202c", 2, id="direction overrides"),
    ],
)
def test_hidden_text_is_counted_and_typography_is_not(text: str, hidden: int) -> None:
    """Invisible characters count when they could carry a message."""
    assert normalise([(text, None)]).hidden == hidden


def test_a_markdown_fragment_reads_as_in_a_document() -> None:
    """A quote copied out of a Markdown source loses its markup like the source."""
    fragment = "See **our** [policy](http://x.y):\n\n* one\n* two `a  b`"
    assert visible_markdown(fragment) == "See our policy:\n\none\ntwo a b"


def test_a_fragment_may_lack_the_definitions_of_its_links() -> None:
    """A reference link cut out of its document still reads as its words."""
    assert visible_markdown("Ask [our *team*][support] or [x].") == "Ask our team or [x]."


def test_a_fragment_loses_what_is_struck_out() -> None:
    """A quote with struck-out words reads as the document that lost them."""
    assert visible_markdown("Entry is not ~~€29~~ <del>€28</del> €30.") == "Entry is not €30."


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.0 to 3.11.4 lose letters where a group is repeated possessively."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in ("ingestion", "retrieval", "graph", "store", "core", "bot", "admin", "cli")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"(?<!\\)\)[*+?]\+|\)\{\d[\d,]*\}\+", line) and "r" in line
    ]
    assert found == []
