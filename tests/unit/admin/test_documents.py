"""The document viewer: the whole text, the quoted words marked."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from store.documents import Block
from tests.unit.admin.browsing import browser
from tests.unit.admin.scripted import (
    RETURNS,
    RETURNS_TEXT,
    SALE_QUOTE,
    DocumentsWithBlocks,
    InMemoryDocuments,
    version,
)

START = RETURNS_TEXT.index(SALE_QUOTE)
END = START + len(SALE_QUOTE)


def test_marks_the_quote() -> None:
    """Exactly the quoted words stand in the mark that the link's fragment names."""
    page = browser().get(f"/documents/1?start={START}&end={END}").text
    assert f'<mark id="quote">{SALE_QUOTE}</mark> An item counts' in page


def test_tells_which_version_this_is() -> None:
    """Title, number, dates and owner head the text."""
    page = browser().get("/documents/1").text
    assert "<h1>Returns policy</h1>" in page
    assert "v3 · in force since 1 Mar 2025 · kept by Customer Care" in page
    assert "<mark" not in page


def test_a_superseded_version_says_so() -> None:
    """Who reads an old wording is told until when it counted."""
    old = replace(RETURNS, effective_to=datetime(2025, 9, 1, tzinfo=UTC))
    page = browser(documents=InMemoryDocuments((old,))).get("/documents/1").text
    assert "was in force from 1 Mar 2025 until 1 Sep 2025" in page


def test_lays_out_blocks() -> None:
    """Headings, lists and code keep their form where the blocks are known."""
    text = "Returns policy\nSale\nfirst\n1. deeper\ncell 1 | cell 2\nlast row\ncode"
    kinds = ("heading", "heading", "list_item", "list_item", "table_row", "table_row", "code")
    levels = (1, 2, 0, 9, 0, 0, 0)
    blocks, start = [], 0
    for line, kind, level in zip(text.split("\n"), kinds, levels, strict=True):
        blocks.append(Block(kind, start, start + len(line), level))  # type: ignore[arg-type]
        start += len(line) + 1
    documents = DocumentsWithBlocks((version(text),), tuple(blocks))
    page = browser(documents=documents).get("/documents/1").text
    assert '<h2 dir="auto">Sale</h2>' in page
    assert '<li dir="auto" class="depth-0">first</li>' in page
    assert '<li dir="auto" class="depth-4 numbered">1. deeper</li>' in page
    assert '<tr><td dir="auto">cell 1</td><td dir="auto">cell 2</td></tr>' in page
    assert '<pre dir="auto">code</pre>' in page
    assert page.count("<ul>") == page.count("<table>") == 1
    assert page.count("Returns policy</h") == 1


@pytest.mark.parametrize(
    "query",
    [
        f"start={START}",
        f"end={END}",
        "start=5&end=5",
        "start=9&end=5",
        f"start=0&end={len(RETURNS_TEXT) + 1}",
        f"start={len(RETURNS_TEXT)}&end={len(RETURNS_TEXT) + 5}",
        "start=-1&end=5",
        "start=a&end=b",
        "start=0&end=99999999999999999999",
    ],
)
def test_a_place_that_is_not_there_is_not_found(query: str) -> None:
    """Offsets outside the text get a plain page, never a wrong highlight."""
    response = browser().get(f"/documents/1?{query}")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "<mark" not in response.text


def test_the_end_of_the_text_can_be_quoted() -> None:
    """The last code point counts as inside."""
    last = len(RETURNS_TEXT)
    page = browser().get(f"/documents/1?start={last - 5}&end={last}").text
    assert '<mark id="quote">only.</mark>' in page


@pytest.mark.parametrize("version_id", ["2", "0", "-1", "x", "99999999999999999999", "1/2"])
def test_a_version_that_is_not_there_is_not_found(version_id: str) -> None:
    """Any other id leads to a plain page."""
    response = browser().get(f"/documents/{version_id}")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_document_text_is_only_text() -> None:
    """Markup in a document is shown, not obeyed, also inside the mark."""
    hostile = version("<script>alert(1)</script> & <b>bold</b>", title="<i>x</i>")
    page = browser(documents=InMemoryDocuments((hostile,))).get("/documents/1?start=0&end=8").text
    assert '<mark id="quote">&lt;script&gt;</mark>alert(1)&lt;/script&gt;' in page
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://example.com/returns", True),
        ("http://example.com/returns", True),
        ("javascript:alert(1)", False),
        ("JAVASCRIPT:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("//example.com", False),
        ("https:alert(1)", False),
        ("https://[", False),
    ],
)
def test_only_web_addresses_become_links(link: str, shown: bool) -> None:
    """The place where a document was published is linked only if it is a web page."""
    linked = InMemoryDocuments((replace(RETURNS, link=link),))
    page = browser(documents=linked).get("/documents/1").text
    assert ("where it was published" in page) is shown
    assert (link in page) is shown


def test_code_points_beyond_the_basic_plane_count_once() -> None:
    """Offsets are code points: an emoji before the quote moves it by one."""
    documents = InMemoryDocuments((version("😀 fourteen days"),))
    page = browser(documents=documents).get("/documents/1?start=2&end=10").text
    assert '😀 <mark id="quote">fourteen</mark> days' in page
