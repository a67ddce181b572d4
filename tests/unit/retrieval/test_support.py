"""What a claim may change of the words it quotes, and what it may not."""

import pytest

from retrieval.facts import Fact, facts, rates
from retrieval.quotes import is_negated, unsupported_reason

SUPPORTED = {
    "a verdict first": (
        "No. Sale items can be returned within 14 days of delivery.",
        "Items bought in a sale can be returned within 14 days of delivery.",
    ),
    "other words, same number": (
        "Sale items can go back within 14 days.",
        "Items bought in a sale can be returned within 14 days of delivery.",
    ),
    "grouping and currency form": ("You get 1,500 EUR.", "You get €1500."),
    "the code before the amount": ("You get 1500 euros.", "You get EUR 1,500."),
    "a grouping point": ("You get €1.500.", "You get 1,500 EUR."),
    "a decimal comma": ("It costs $2.50.", "It costs 2,50 dollars."),
    "a final nought": ("It costs $2.5.", "It costs $2.50."),
    "millions": ("It covers €5 million.", "It covers 5,000,000 euros."),
    "a number word": ("It takes fourteen days.", "It takes 14 days."),
    "a compound number word": ("Leave is 25 days.", "Leave is twenty-five days."),
    "hundreds in words": (
        "A fee of 350 EUR applies.",
        "A fee of three hundred and fifty euros applies.",
    ),
    "one of a unit": ("The trial lasts one month.", "The trial lasts 1 month."),
    "one of something": ("Pick one of the offers.", "Pick any of the offers."),
    "a for one": ("Refunds take a week.", "Refunds take one week."),
    "per cent, closer": ("The discount is 70%.", "The discount is 70 %."),
    "in words": ("The discount is 70 percent.", "The discount is 70 per cent."),
    "an ISO date": ("It begins on 1 September 2026.", "It begins on 2026-09-01."),
    "a month cut": ("It begins on Sept 1st, 2026.", "It begins on 1 September 2026."),
    "May": ("It ends on May 1.", "It ends on 1 May 2027."),
    "may, the verb": ("Staff may park here.", "Staff may park here on Mondays."),
    "working days": ("Ask within 5 working days.", "Ask within five business days."),
    "calendar days": ("Ask within 5 days.", "Ask within five calendar days."),
    "a clock's time": ("The desk opens at 9 am.", "The desk opens at 9:00 a.m."),
    "a rate": ("Travel pays €40 a day.", "Travel pays €40 per day."),
    "a rate in a word": ("Travel pays €40 daily.", "Travel pays €40 for each day."),
    "half": ("Work half a day.", "Work ½ day."),
    "a fraction": ("It lasts 1.5 hours.", "It lasts 1½ hours."),
    "another negation": ("Opened items can't be returned.", "Opened items cannot be returned."),
    "non-": ("These fares are not refundable.", "These fares are non-refundable."),
    "a number without its unit": ("Up to 14 returns.", "Up to 14 days for returns."),
    "a negation in another sentence": (
        "Returns are free.",
        "Returns are free of charge. Gift cards are not returned.",
    ),
}


@pytest.mark.parametrize(("claim", "quote"), SUPPORTED.values(), ids=SUPPORTED)
def test_a_claim_that_says_the_same_is_supported(claim: str, quote: str) -> None:
    """Other words and other forms of the same numbers and dates are support."""
    assert unsupported_reason(claim, [quote]) is None


UNSUPPORTED = {
    "a verdict hides no negation": (
        "Yes, sale items cannot be returned within 14 days.",
        "Sale items can be returned within 14 days.",
        "negation",
    ),
    "percent": ("The discount is 80 %.", "The discount is 70 %.", "numbers"),
    "a number": ("Return within 30 days.", "Return within 14 days.", "numbers"),
    "a unit": ("Return within 14 weeks.", "Return within 14 days.", "numbers"),
    "working days shortened": (
        "Return within 14 days.",
        "Return within 14 working days.",
        "numbers",
    ),
    "working for calendar": (
        "Return within 14 working days.",
        "Return within 14 calendar days.",
        "numbers",
    ),
    "a unit added": ("Return within 14 days.", "Return within 14.", "numbers"),
    "a currency": ("You get $40.", "You get €40.", "numbers"),
    "cents": ("You get 40 cents.", "You get 40 euros.", "numbers"),
    "ten times less": ("You get 150 EUR.", "You get 1,500 EUR.", "numbers"),
    "a grouping point": ("You get 1.5 EUR.", "You get 1.500 EUR.", "numbers"),
    "a decimal point": ("You get 125 EUR.", "You get 0.125 EUR.", "numbers"),
    "billions": ("It covers €5 million.", "It covers €5 billion.", "numbers"),
    "a scale left out": ("It covers €5.", "It covers €5 thousand.", "numbers"),
    "half of a number word": (
        "Return within five days.",
        "Return within twenty-five days.",
        "numbers",
    ),
    "one for two": ("Refunds take one week.", "Refunds take two weeks.", "numbers"),
    "a for two": ("Refunds take a week.", "Refunds take two weeks.", "numbers"),
    "a month": ("It ends on 1 March 2027.", "It ends on 1 May 2027.", "numbers"),
    "May": ("It ends on 1 May 2027.", "It ends on 1 March 2027.", "numbers"),
    "ISO month": ("It ends on 2026-09-01.", "It ends on 2026-10-01.", "numbers"),
    "a year": ("It ends on 2026-09-01.", "It ends on 2025-09-01.", "numbers"),
    "a weekday": ("Send it by Friday.", "Send it by Monday.", "numbers"),
    "evening for morning": ("It opens at 9 pm.", "It opens at 9 a.m.", "numbers"),
    "a sign": ("Keep it at 5 °C.", "Keep it at -5 °C.", "numbers"),
    "a scale of temperature": ("Keep it at 5 °F.", "Keep it at 5 °C.", "numbers"),
    "gigabytes": ("Files up to 20 GB.", "Files up to 20 MB.", "numbers"),
    "a rate": ("Travel pays €40 a day.", "Travel pays €40 a week.", "per day"),
    "how often": ("Travel is paid monthly.", "Travel is paid weekly.", "per month"),
    "once for twice": ("Apply once a year.", "Apply twice a year.", "numbers"),
    "a section": ("See section 4.1.", "See section 4.2.", "numbers"),
    "a negation left out": (
        "Sale items can be returned.",
        "Sale items cannot be returned.",
        "negation",
    ),
    "a negation added": (
        "Sale items can't be returned.",
        "Sale items can be returned.",
        "negation",
    ),
    "non- left out": (
        "These fares are refundable.",
        "These fares are non-refundable.",
        "negation",
    ),
    "without": ("Cash is paid without a receipt.", "Cash is paid with a receipt.", "negation"),
    "a prefix": ("Guests are eligible for leave.", "Guests are ineligible for leave.", "opposite"),
    "a prefix more": ("Return unopened boxes.", "Return opened boxes.", "opposite"),
    "least for most": ("At least 5 days of notice.", "At most 5 days of notice.", "opposite"),
    "before, after": ("Apply before 1 March.", "Apply after 1 March.", "opposite"),
    "included": ("Batteries are included.", "Batteries are excluded.", "opposite"),
    "something else": ("Gift cards never expire.", "Sale items can be returned.", "words"),
    "nothing said": ("Yes, you can.", "Sale items can be returned.", "words"),
    "empty": ("", "Sale items can be returned.", "words"),
}


@pytest.mark.parametrize(("claim", "quote", "reason"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_a_claim_that_says_another_thing_is_not(claim: str, quote: str, reason: str) -> None:
    """A changed number, unit, date, rate, negation or opposite is told by its kind."""
    told = unsupported_reason(claim, [quote])
    assert told is not None
    assert reason in told


def test_a_claim_needs_a_quote() -> None:
    """Without a quote nothing is supported."""
    assert unsupported_reason("Returns are free.", []) == "no quote"


def test_several_quotes_support_together() -> None:
    """Words and numbers may come from any of the quotes."""
    quotes = ["Returns are free.", "Sale items go back within 14 days."]
    assert unsupported_reason("Returns of sale items within 14 days are free.", quotes) is None
    assert unsupported_reason("Returns of sale items within 15 days are free.", quotes)


@pytest.mark.parametrize("pair", SUPPORTED.values(), ids=SUPPORTED)
def test_a_sentence_supports_itself(pair: tuple[str, str]) -> None:
    """What is quoted word for word is always supported by itself."""
    assert [unsupported_reason(sentence, [sentence]) for sentence in pair] == [None, None]


@pytest.mark.parametrize(
    ("sentence", "negated"),
    [
        ("It is not paid.", True), ("It isn't paid.", True), ("It isn’t paid.", True),
        ("Nothing is paid.", True), ("Paid unless late.", True), ("A non-refundable fare.", True),
        ("Notes are paid.", False), ("Nonsense knots.", False), ("The nominal fee.", False),
        ("CANNOT be paid.", True),
    ],
)  # fmt: skip
def test_negations_are_words_of_their_own(sentence: str, negated: bool) -> None:
    """A word that only begins like a negation is none."""
    assert is_negated(sentence) is negated


FACTS = {
    "nothing": ("May I ask one of you?", set()),
    "a date": ("on 3 May 2026", {Fact("3", ""), Fact("may", "date"), Fact("2026", "")}),
    "a range": ("10-14 days", {Fact("10", ""), Fact("14", "day")}),
    "an amount twice": ("€40 (forty euros)", {Fact("40", "EUR")}),
    "a section": ("see 4.10.2", {Fact("4.10.2", "")}),
    "Indian grouping": ("1,50,000 INR", {Fact("1,50,000", "")}),
    "wide digits": ("１４ days", {Fact("14", "day")}),
    "a thousand": ("a thousand euros", {Fact("1000", "EUR")}),
    "two million": ("two million", {Fact("2000000", "")}),
    "one million": ("one million", {Fact("1000000", "")}),
    "thousands cut": ("$40k", {Fact("40000", "USD")}),
    "no such month": ("2026-13-01", {Fact("1", ""), Fact("13", ""), Fact("2026", "")}),
    "a hundred": ("one hundred and five", {Fact("105", "")}),
    "noughts": ("007 and 0.50", {Fact("7", ""), Fact("0.5", "")}),
}


@pytest.mark.parametrize(("text", "stated"), FACTS.values(), ids=FACTS)
def test_facts_are_read_with_their_units(text: str, stated: set[Fact]) -> None:
    """Numbers come out one way however they are written; what is no number stays out."""
    assert facts(text) == stated


def test_rates_are_read_from_their_words() -> None:
    """What an amount is counted by may be an adverb, an article or a word for each."""
    assert rates("€40 a day, 25 days each calendar year, paid monthly") == {"day", "year", "month"}
    assert rates("a day off, every one of us, per person") == set()
