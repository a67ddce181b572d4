"""Where a text could lead its reader."""

import pytest

from retrieval.addresses import addresses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://Example.com/Returns.", {"https://example.com/returns"}),
        ("(http://a.example/x?y=1&z=2)", {"http://a.example/x?y=1&z=2"}),
        ("at www.example.org, now", {"www.example.org"}),
        ("at login.example.com/now", {"login.example.com/now"}),
        ("at evil.xyz and go", {"evil.xyz"}),
        ("write to Help@Example.com!", {"help@example.com"}),
        ("mailto:help", {"mailto:help"}),
        ("javascript:alert(1)", {"javascript:alert(1"}),
        ("<@U123> and <!channel>", {"<@u123>", "<!channel>"}),
        ("hello @here and @everyone", {"@here", "@everyone"}),
    ],
)
def test_what_leads_or_calls_is_found(text: str, found: set[str]) -> None:
    """Links, hosts, mailboxes and mentions, without the punctuation behind them."""
    assert addresses(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Items, e.g. lamps, i.e. lights, go back.",
        "It ends.The next sentence has no space before it.",
        "Section 4.2.1 of version 1.2",
        "€1.500,00 or 3.5 kg",
        "a/b testing, and/or",
        "5 < 6 and 7 > 6",
        "channel members and everyone here",
        "Dr. Who vs. Mr. X",
    ],
)
def test_prose_holds_no_address(text: str) -> None:
    """Abbreviations, numbers, slashes and missing spaces are no places to go to."""
    assert addresses(text) == frozenset()
