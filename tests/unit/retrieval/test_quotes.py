"""A quote is found as the text's own words, whole, at exact offsets."""

import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from retrieval.quotes import is_negated, locate

POLICY = (
    "Items bought in a sale can be returned within 14 days of delivery.\n"
    "Opened cosmetics cannot be returned. Refunds of more than €1,500 are not paid in cash —\n"
    "the manager’s “approval” is needed for non-refundable fares."
)


def found(quote: str, text: str = POLICY) -> str | None:
    span = locate(quote, text)
    return None if span is None else text[span.start : span.end]


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        pytest.param("within 14 days", "within 14 days", id="word for word"),
        pytest.param("  within 14 days\n", "within 14 days", id="with space around it"),
        pytest.param("WITHIN 14 DAYS", "within 14 days", id="in capitals"),
        pytest.param("within  14\ndays", "within 14 days", id="with other spacing"),
        pytest.param(
            "of delivery. Opened cosmetics", "of delivery.\nOpened cosmetics", id="across a line"
        ),
        pytest.param('manager\'s "approval"', "manager’s “approval”", id="with straight quotes"),
        pytest.param("in cash - the", "in cash —\nthe", id="with another dash"),
        pytest.param("within 14\u00ad days", "within 14 days", id="with a soft hyphen"),
        pytest.param("witin 14 days of delivry", "within 14 days of delivery", id="misspelt"),
        pytest.param("Sale items: 14 days to return them", None, id="too free"),
        pytest.param("Gift cards never expire", None, id="invented"),
        pytest.param("", None, id="empty"),
        pytest.param(" \n\t", None, id="blank"),
        pytest.param("\u00ad\u200b", None, id="invisible"),
    ],
)
def test_a_quote_is_found_as_the_text_has_it(quote: str, words: str | None) -> None:
    """Typography, case, spacing and slips are forgiven; what comes back is the text's own."""
    assert found(quote) == words


@pytest.mark.parametrize(
    ("quote", "words"),
    [
        pytest.param("4 days of delivery", "14 days of delivery", id="a digit"),
        pytest.param("500 are", "€1,500 are", id="a group of digits"),
        pytest.param("1,500", "€1,500", id="the currency"),
        pytest.param("smetics", "cosmetics", id="a syllable"),
        pytest.param("manager", "manager’s", id="the possessive"),
        pytest.param("refundable fares", "non-refundable fares", id="half of a compound"),
        pytest.param("be returned. Refunds", "cannot be returned. Refunds", id="a negation"),
        pytest.param("paid in cash", "not paid in cash", id="a short negation"),
        pytest.param("IN CASH", "in cash", id="nothing"),
    ],
)
def test_a_quote_that_cuts_something_is_made_whole(quote: str, words: str) -> None:
    """No quote turns 14 days into 4 or loses the "not" before it."""
    assert found(quote) == words


@pytest.mark.parametrize(
    ("text", "quote", "words"),
    [
        ("It isn't refunded.", "refunded", "isn't refunded"),
        ("It isn’t being refunded.", "refunded", "isn’t being refunded"),
        ("Guests are not allowed to park here.", "park here", "not allowed to park here"),
        ("It is no longer than a day.", "than a day", "no longer than a day"),
        ("There are no refunds.", "refunds", "no refunds"),
        ("Is it paid? No. Refunds are slow.", "Refunds are slow", "Refunds are slow"),
        ("Answer: no\nRefunds are slow.", "Refunds are slow", "Refunds are slow"),
        ("If not opened, it is refunded.", "it is refunded", "it is refunded"),
        ("Keep it below -5 °C.", "5 °C", "-5 °C"),
        ("Keep it at 2-5 °C.", "5 °C", "2-5 °C"),
        ("On 2026-09-01 it ends.", "01 it ends", "2026-09-01 it ends"),
        ("A discount of 70% holds.", "of 70", "of 70%"),
    ],
)
def test_what_governs_a_quote_comes_with_it(text: str, quote: str, words: str) -> None:
    """A negation, a sign or a percent mark at the edge belongs to the words."""
    assert found(quote, text) == words


def test_a_place_with_whole_words_is_preferred() -> None:
    """Where the words stand inside another word first, their own place is taken."""
    assert locate("art", "A part of art.") == (10, 13)
    assert locate("ART", "A part of art.") == (10, 13)


@pytest.mark.parametrize(
    ("text", "quote", "words"),
    [
        pytest.param("a ﬁne of ½ day", "fine of", "ﬁne of", id="a ligature"),
        pytest.param("a ﬁne of ½ day", "1⁄2 day", "½ day", id="a fraction"),
        pytest.param("👩‍👩‍👧 may stay", "MAY stay", "may stay", id="behind an emoji"),
        pytest.param(
            "the 👩‍👩‍👧 may stay", "the 👩‍👩‍👧 may", "the 👩‍👩‍👧 may", id="an emoji in it"
        ),
        pytest.param("ein Cafe\u0301 im Haus", "café im", "Cafe\u0301 im", id="composed"),
        pytest.param("ein Café im Haus", "cafe\u0301 im", "Café im", id="decomposed"),
        pytest.param("Die Straße ist frei", "STRASSE IST", "Straße ist", id="a sharp s"),
        pytest.param("１４ days off", "14 days", "１４ days", id="wide digits"),
        pytest.param("a 24‑hour day", "a 24-hour day", "a 24‑hour day", id="a hard hyphen"),
        pytest.param("㎏ ﬃ ﷺ end", "ffi", "ﬃ", id="behind long expansions"),
    ],
)
def test_offsets_count_the_text_s_own_letters(text: str, quote: str, words: str) -> None:
    """Letters that unfold into several, or into fewer, leave the offsets exact."""
    assert found(quote, text) == words


WORDS = "a bee 14 days of €5 fun é ½ 👩‍👧 x1".split()
TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \n.,:;'’-–—€%½ﬁßÉé\u0301👩\u200d1234567890"),
        st.characters(codec="utf-8"),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(TEXTS, st.data())
@example("ﬁ½é" * 3, None)
def test_any_slice_is_found_where_it_stands(text: str, data: st.DataObject | None) -> None:
    """A slice of any text is found, and nothing is added but the rest of its words."""
    start, end = (2, 5) if data is None else sorted(data.draw(_two_places(text)))
    wanted = text[start:end].strip()
    assume(wanted)
    span = locate(wanted, text)
    assert span is not None
    assert wanted in text[span.start : span.end]
    if not is_negated(text):
        cut = text[span.start : span.end].replace(wanted, "", 1)
        assert not any(letter.isspace() for letter in cut)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1), st.data())
def test_a_run_of_whole_words_is_found_exactly(words: list[str], data: st.DataObject) -> None:
    """Whole words in other case and spacing come back as exactly the words that were meant."""
    text = " ".join(words)
    start, end = sorted(data.draw(_two_places(words)))
    wanted = words[start:end]
    assume(wanted)
    for quote in (" ".join(wanted), "\n ".join(wanted).upper()):
        assert found(quote, text) == " ".join(wanted)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_what_is_found_is_always_a_place_in_the_text(quote: str, text: str) -> None:
    """Whatever is looked for in whatever text, the offsets are some of the text's own."""
    span = locate(quote, text)
    if span is not None:
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end].strip()


@settings(deadline=None)
@given(TEXTS)
def test_a_text_is_found_in_any_normal_form(text: str) -> None:
    """A quote that came back composed, decomposed or in capitals is still found."""
    assume(text.strip() and not all(unicodedata.category(c) == "Cf" for c in text.strip()))
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        normal = unicodedata.normalize(form, text)
        assume(normal.strip())
        assert locate(normal, text) is not None


def _two_places(of: str | list[str]) -> st.SearchStrategy[tuple[int, int]]:
    place = st.integers(0, len(of))
    return st.tuples(place, place)
