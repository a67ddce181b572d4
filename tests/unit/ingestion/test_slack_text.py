"""Slack's own markup, read as the Markdown that a pinned message becomes."""

import pytest

from ingestion.parse import parse
from ingestion.sources.slack_text import markdown_of, title_of


def shown(text: str) -> str:
    """What is read of a message."""
    return parse("message.md", markdown_of(text).encode()).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Sale items: *14 days*.\nNo receipt, no return.",
                     "Sale items: 14 days.\n\nNo receipt, no return.", id="lines and bold"),
        pytest.param("Within ~30~ 14 days", "Within 14 days", id="struck words"),
        pytest.param("# not a heading\n---\n1 | 2", "# not a heading\n\n---\n\n1 | 2", id="marks"),
        pytest.param("&lt;b&gt;5 &amp; 6&lt;/b&gt;", "<b>5 & 6</b>", id="escaped HTML"),
        pytest.param("see <https://a.example/x?a=1&amp;b=2|the [old] page>",
                     "see the [old] page", id="link"),
        pytest.param("<javascript:alert(1)|press> here", "press here", id="link to a script"),
        pytest.param("ask <#C1|returns> or <!here> <!date^1^{date}|1 May>",
                     "ask #returns or @here 1 May", id="mentions"),
        pytest.param("write `a &lt; b` first", "write a < b first", id="code"),
        pytest.param("```python\n# comment\n  x &lt; [1]```", "python\n# comment\nx < [1]",
                     id="code block"),
        pytest.param("&gt; quoted\nnot", "quoted\n\nnot", id="quote"),
    ],
)  # fmt: skip
def test_the_words_are_those_that_people_see(text: str, expected: str) -> None:
    """Slack's marks go, and what only Markdown takes for a mark stays."""
    assert shown(text) == expected


def test_bullets_are_list_items() -> None:
    """As Slack writes a list into a message's text."""
    document = parse("message.md", markdown_of("Bring:\n• the receipt\n• the box").encode())
    kinds = [block.kind for block in document.blocks]
    assert kinds == ["paragraph", "list_item", "list_item"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        pytest.param("\n*Returns* over Christmas\nUntil 15 January.", "Returns over Christmas",
                     id="first line"),
        pytest.param(":pushpin: Hours :tada:", "Hours", id="emoji"),
        pytest.param("word " * 30, "word word word word word word word word word word word word…",
                     id="long"),
        pytest.param("🎉 • --", "", id="no words"),
        pytest.param("<https://a.example/x|the list>", "the list", id="link"),
    ],
)  # fmt: skip
def test_a_message_is_called_by_its_first_words(text: str, title: str) -> None:
    """On one line, without markup, and not too long."""
    assert title_of(text) == title
