"""Which acronyms a document explains."""

import time

import pytest

from ingestion.parse import parse
from ingestion.terms import SUGGESTED_AT_MOST, suggest
from store.documents import Block, ParsedDocument

PATIENCE = 5.0  # seconds for a text ten times as long as a page limit allows in one block


def suggested(text: str) -> list[tuple[str, str]]:
    """What a Markdown file suggests."""
    return suggest(parse("policy.md", text.encode()))


@pytest.mark.parametrize(
    ("text", "term", "expansion"),
    [
        ("26 days of Paid Time Off (PTO) a year", "PTO", "Paid Time Off"),
        ("26 days of PTO (paid time off) a year", "PTO", "paid time off"),
        ("PTO (paid time off, counted in days)", "PTO", "paid time off"),
        ("“PTO” stands for paid time off and is paid", "PTO", "paid time off"),
        ("PTO means the paid time off of a year", "PTO", "paid time off"),
        ("PTO, which is short for paid time off, is", "PTO", "paid time off"),
        ("Paid time off, or PTO, is earned", "PTO", "Paid time off"),
        ("value added tax, abbreviated as VAT, is due", "VAT", "value added tax"),
        ("- PTO: Paid time off of all kinds", "PTO", "Paid time off"),
        ("our Terms of Service (the “ToS”)", "ToS", "Terms of Service"),
        ('the Data Processing Agreement (hereinafter "DPA")', "DPA", "Data Processing Agreement"),
        ("Return on Investment (ROI, per year)", "ROI", "Return on Investment"),
        ("all service level agreements (SLAs) end", "SLA", "service level agreement"),
        ("the data privacy policies (DPPs)", "DPP", "data privacy policy"),
        ("Buy Now, Pay Later (BNPL)", "BNPL", "Buy Now, Pay Later"),
        ("Research & Development (R&D)", "R&D", "Research & Development"),
        ("Multi-Factor Authentication (MFA)", "MFA", "Multi-Factor Authentication"),
        ("two-factor authentication (2FA)", "2FA", "two-factor authentication"),
        ("HyperText Markup Language (HTML)", "HTML", "HyperText Markup Language"),
        ("Paid Time Off (P.T.O.)", "PTO", "Paid Time Off"),
        ("after a Return Reason Report (RRR)", "RRR", "Return Reason Report"),
        ("the EU (the European Union)", "EU", "European Union"),
        ("|a|b|\n|-|-|\n|KYC|know your customer|", "KYC", "know your customer"),
        ("|a|b|\n|-|-|\n|Know your customer|KYC|", "KYC", "Know your customer"),
    ],
)
def test_an_acronym_beside_its_words_is_suggested(text: str, term: str, expansion: str) -> None:
    """In each way that documents explain one, with exactly the words that its letters fit."""
    assert suggested(text) == [(term, expansion)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('"Company" means Halvermoor Trading', id="a definition"),
        pytest.param("Bank transfer (SEPA) and orders (EU only)", id="letters that do not fit"),
        pytest.param("California (CA), Kubernetes (K8s)", id="one word"),
        pytest.param("paid time off (see above), items (a) and (b)", id="no acronym"),
        pytest.param("Paid time. Off (PTO)", id="words of two sentences"),
        pytest.param("Paid Time Off\n\n(PTO)", id="words of two paragraphs"),
        pytest.param("use any proprietary API (API, any proprietary)", id="letters inside"),
        pytest.param("the unique identifier (UUID)", id="too few words"),
        pytest.param("Paid extra Time Off (PTO)", id="a word without a letter"),
        pytest.param("of the office (OTO)", id="begins with a small word"),
        pytest.param("www.pto.example/PTO (paid time off)", id="an address"),
    ],
)
def test_what_is_not_sure_is_not_suggested(text: str) -> None:
    """A person reads each suggestion, so few are wrong."""
    assert suggested(text) == []


def test_each_meaning_is_suggested_once() -> None:
    """Case and plural make no other meaning; other words do."""
    assert suggested(
        "Data Processing Agreement (DPA). The DPA (data processing agreement).\n\n"
        "Data processing agreements (DPAs). Data Protection Authority (DPA)."
    ) == [("DPA", "Data Processing Agreement"), ("DPA", "Data Protection Authority")]


def test_a_document_suggests_only_so_many() -> None:
    """A list of made-up acronyms does not flood the glossary."""
    letters = "BCDFGHJKLM"
    made = [(a, b, c) for a in letters for b in letters for c in letters]
    text = " ".join(f"{a}ew {b}ay {c}ow ({a}{b}{c})." for a, b, c in made)
    assert len(suggested(text)) == SUGGESTED_AT_MOST


@pytest.mark.parametrize("unit", ["or ", "PTO means ", "the PTO, or ", "(A", "PTO | ", "A.", "“"])
def test_a_hostile_text_takes_no_more_time_than_a_long_one(unit: str) -> None:
    """Time grows with the length of a text, whatever stands in it."""
    text = (unit * (100_000 // len(unit))).strip()
    document = ParsedDocument("t", text, (Block("paragraph", 0, len(text)),), ())
    started = time.process_time()
    assert suggest(document) == []
    assert time.process_time() - started < PATIENCE
