import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.sentences import split
from tests.unit.ingestion.documents import SOURCES

PATIENCE = 30.0  # seconds of this process; quadratic time is hours


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One. Two? Three!", ["One.", "Two?", "Three!"], id="ends"),
        pytest.param("See Sec. 4.2.1 of Acme Inc. for e.g. boots. It costs $4.50.",
                     ["See Sec. 4.2.1 of Acme Inc. for e.g. boots.", "It costs $4.50."],
                     id="abbreviations and numbers"),
        pytest.param("no end\nNext line", ["no end", "Next line"], id="line ends"),
        pytest.param("1. Send it. Wait.\n2. Call us.", ["1. Send it.", "Wait.", "2. Call us."],
                     id="numbers of list items"),
        pytest.param("(a) Send it. (b) Wait.", ["(a) Send it.", "(b) Wait."], id="letters"),
        pytest.param("Really? ! Then he left.", ["Really? !", "Then he left."], id="stray sign"),
        pytest.param("It is on top of public holidays. Part-time employees have less.",
                     ["It is on top of public holidays.", "Part-time employees have less."],
                     id="a word that the model takes for an abbreviation"),
        pytest.param("The gym costs €15 per month. Guests may use the gym.",
                     ["The gym costs €15 per month.", "Guests may use the gym."], id="month"),
        pytest.param("Take at most 10 in a row. Exceptions are decided by Ann.",
                     ["Take at most 10 in a row.", "Exceptions are decided by Ann."], id="row"),
        pytest.param("Prices incl. VAT in approx. March, see art. IX and subsec. B of it.",
                     ["Prices incl. VAT in approx. March, see art. IX and subsec. B of it."],
                     id="small abbreviations before a capital"),
        pytest.param("The U.S. Government and Acme Inc. Ltd agree with J. Smith et al. Here.",
                     ["The U.S. Government and Acme Inc. Ltd agree with J. Smith et al. Here."],
                     id="names"),
        pytest.param("\n \n", [], id="nothing"),
        pytest.param("3.", ["3."], id="only a number"),
        pytest.param("...", ["..."], id="only stops"),
    ],
)  # fmt: skip
def test_sentences_are_as_a_reader_counts_them(text: str, expected: list[str]) -> None:
    """Abbreviations, numbers and list markers end no sentence; lines do."""
    assert sentences(text) == expected


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(), SOURCES, st.text(alphabet=".?!\"') aA1\n", max_size=300)))
def test_no_visible_character_is_lost(text: str) -> None:
    """Spans are ordered, trimmed, apart, and cover all but white space."""
    position = 0
    for start, end in split(text):
        assert text[position:start].strip() == ""
        assert position <= start < end
        assert text[start:end] == text[start:end].strip()
        assert "\n" not in text[start:end]
        position = end
    assert text[position:].strip() == ""


def test_a_long_line_is_split_like_short_ones() -> None:
    """The window in which the model looks leaves no mark on the sentences."""
    one = "Items that were bought in a sale can be returned within 14 days of delivery."
    assert sentences(" ".join([one] * 400)) == [one] * 400


@pytest.mark.parametrize("unit", ["word ", "x", "?!", '".', '!"', "a. ", ". ", "(.)", "row. Go "])
def test_half_a_million_characters_take_linear_time(unit: str) -> None:
    """Text without sentences, or full of stops, does not hang."""
    started = time.process_time()
    assert split(unit * (500_000 // len(unit)))
    assert time.process_time() - started < PATIENCE
