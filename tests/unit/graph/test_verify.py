"""Which claims stand: those whose quote is the version's own text and says as much."""

from dataclasses import replace

import pytest

from graph.state import DraftClaim
from graph.verify import LONGEST_CLAIM, check
from tests.unit.graph.passages import passage, version

BEFORE = "Gifts are refunded within 5 days. "
SALE = "Items bought in a sale can be returned within 14 days of delivery."
AFTER = " The holiday extension does not apply to sale items."
TEXT = BEFORE + SALE + AFTER
WITHIN = passage(f"Returns › Sale items\n{SALE}{AFTER}", start=len(BEFORE))
VERSIONS = {1: version(TEXT)}


def test_a_quote_is_found_at_its_place_in_the_version() -> None:
    """Offsets count from the version's beginning, not the passage's."""
    claim = DraftClaim("Sale items can be returned within 14 days.", WITHIN, SALE)
    span, reason = check(claim, VERSIONS)

    assert reason is None
    assert span is not None
    assert TEXT[span.start : span.end] == SALE


@pytest.mark.parametrize(
    "quote",
    [
        pytest.param(SALE.upper(), id="capitals"),
        pytest.param(SALE.replace(" ", "  "), id="spaces"),
        pytest.param(SALE.replace(" ", "\u00a0"), id="spaces that do not break"),
        pytest.param(SALE.replace("returned", "retumed"), id="a letter misread"),
    ],
)
def test_other_typography_finds_the_version_s_own_words(quote: str) -> None:
    """What is kept is what stands in the text."""
    claim = DraftClaim("Sale items can be returned within 14 days.", WITHIN, quote)
    span, reason = check(claim, VERSIONS)

    assert reason is None
    assert span is not None
    assert TEXT[span.start : span.end].rstrip(".") == SALE.rstrip(".")


@pytest.mark.parametrize(
    ("text", "quote", "reason"),
    [
        ("Gifts are refunded within 5 days.", BEFORE.strip(), "quote"),
        ("Sale items go back.", "Sale items go back whenever you like.", "quote"),
        ("Sale items go back.", "", "quote"),
        ("Sale items can be returned within 15 days.", SALE, "numbers"),
        ("Sale items can be returned within 15 days.", SALE.replace("14", "15"), "numbers"),
        ("Sale items cannot be returned within 14 days.", SALE, "negation"),
        ("The holiday extension applies to sale items.", AFTER.strip(), "negation"),
        ("Our founder likes tea.", SALE, "words"),
        ("", SALE, "words"),
        ("No.", SALE, "words"),
        ("Sale items: return within 14 days of delivery at a.example/in.", SALE, "address"),
        ("Sale items can be returned within 14 days. " * 28, SALE, "length"),
    ],
)
def test_a_claim_falls_for_a_reason(text: str, quote: str, reason: str) -> None:
    """The reason's first word says which check failed."""
    _, told = check(DraftClaim(text, WITHIN, quote), VERSIONS)

    assert told is not None
    assert told.startswith(f"{reason}:")


def test_a_claim_of_twelve_hundred_characters_stands() -> None:
    """The longest that a claim may be is one that may be."""
    words = "Sale items can be returned within 14 days."
    longest = DraftClaim(words + "!" * (LONGEST_CLAIM - len(words)), WITHIN, SALE)

    assert check(longest, VERSIONS)[1] is None
    assert check(replace(longest, text=longest.text + "!"), VERSIONS)[1] == (
        "length: 1201 characters, 1200 at most"
    )


def test_a_version_that_is_gone_supports_nothing() -> None:
    """What cannot be read again cannot be cited."""
    span, reason = check(DraftClaim("Sale items go back.", WITHIN, SALE), {})

    assert span is None
    assert reason is not None
    assert reason.startswith("version:")
