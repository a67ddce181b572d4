"""The extractive answerer: what it quotes, and what it never quotes alone."""

from dataclasses import replace

import pytest

from graph.extract import LONGEST_LIST, extract
from graph.finish import join
from retrieval.ranking import Passage
from retrieval.retriever import Retrieval, Sentence
from store.documents import BlockKind
from tests.unit.graph.passages import passage

Line = tuple[BlockKind, str, float]


def retrieval(*lines: Line) -> Retrieval:
    """One passage of these lines, each a block and a sentence with its similarity."""
    text = "\n".join(line for _, line, _ in lines)
    starts = [
        len("\n".join(line for _, line, _ in lines[:n])) + bool(n) for n in range(len(lines))
    ]
    plain = passage(f"Returns\n{text}")
    blocks = tuple((start, kind) for start, (kind, _, _) in zip(starts, lines, strict=True))
    found = replace(plain, candidate=replace(plain.candidate, blocks=blocks))
    sentences = tuple(
        _sentence(found, start, line) for start, line in zip(starts, lines, strict=True)
    )
    return Retrieval((found,), sentences)


def _sentence(found: Passage, start: int, line: Line) -> Sentence:
    kind, text, near = line
    return Sentence(found, start, start + len(text), text, near, near, kind)


def quoted(question: str, *lines: Line) -> list[str]:
    """Return the claims of the answer drafted from these lines."""
    draft = extract(question, retrieval(*lines))
    assert all(claim.quote in claim.passage.candidate.text for claim in draft.claims)
    return [claim.text for claim in draft.claims]


def test_a_heading_is_never_quoted() -> None:
    """However near it is, a heading only lifts what stands below it."""
    assert quoted(
        "How many days?",
        ("heading", "How many days of leave", 0.9),
        ("paragraph", "Everybody has 26 days a year.", 0.4),
    ) == ["Everybody has 26 days a year."]


def test_a_row_that_names_its_columns_comes_alone() -> None:
    """Rows of a sheet need no head, and the first of a passage is none."""
    assert quoted(
        "What is the return window of a phone?",
        ("table_row", "Item: Phone | Return window: 14 days", 0.9),
        ("table_row", "Item: Sofa | Return window: 60 days", 0.3),
    ) == ["Item: Phone | Return window: 14 days"]


def test_a_table_row_comes_with_its_head() -> None:
    """A row says little without the names of its columns, and rows beside it are left out."""
    assert quoted(
        "How long does it take to Spain?",
        ("table_row", "Zone | Countries | Time", 0.8),
        ("table_row", "1 | Belgium | 2 working days", 0.3),
        ("table_row", "3 | Spain | 7 working days", 0.6),
    ) == ["Zone | Countries | Time", "3 | Spain | 7 working days"]


def test_a_list_item_comes_with_its_lead_in() -> None:
    """What cannot be returned is never quoted as if it could."""
    assert quoted(
        "How do I return a mattress topper?",
        ("paragraph", "The following cannot be returned:", 0.3),
        ("list_item", "curtains to order;", 0.1),
        ("list_item", "mattress toppers without seal;", 0.7),
        ("list_item", "knives.", 0.1),
    ) == ["The following cannot be returned:\ncurtains to order;\nmattress toppers without seal;"]


def test_a_far_list_item_and_its_lead_in_are_two_claims() -> None:
    """A long list is not quoted whole to reach one item."""
    filler = "something else entirely, " * (LONGEST_LIST // 20)
    assert quoted(
        "May I return a mattress topper?",
        ("paragraph", "The following cannot be returned:", 0.3),
        ("list_item", filler.strip(), 0.1),
        ("list_item", "mattress toppers without seal;", 0.7),
    ) == ["The following cannot be returned:", "mattress toppers without seal;"]


def test_a_lead_in_comes_with_its_list() -> None:
    """A sentence that ends with a colon is quoted with what it announces."""
    assert quoted(
        "What is excluded?",
        ("paragraph", "The following is excluded:", 0.9),
        ("list_item", "curtains;", 0.2),
        ("list_item", "knives.", 0.2),
        ("paragraph", "Something else applies to gifts altogether.", 0.1),
    ) == ["The following is excluded:\ncurtains;\nknives."]


def test_nothing_quotable_is_no_answer() -> None:
    """Headings and scraps alone make no claim."""
    assert (
        quoted("What?", ("heading", "Returns of all kinds", 0.9), ("paragraph", "Yes.", 0.9)) == []
    )


def test_an_item_torn_from_its_list_is_not_quoted() -> None:
    """Half a sentence means nothing without the lead-in, which another passage holds."""
    assert quoted(
        "Whose name is needed?",
        ("list_item", "the name of the account holder", 0.9),
        ("paragraph", "We need a name to find the account.", 0.3),
    ) == ["We need a name to find the account."]


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        pytest.param(["A is so.", "B is so."], "A is so. B is so.", id="sentences"),
        pytest.param(["A | B", "1 | 2"], "A | B\n1 | 2", id="rows"),
        pytest.param(["A:\nb;", "C."], "A:\nb;\nC.", id="list"),
    ],
)
def test_rows_and_lists_begin_a_line(claims: list[str], text: str) -> None:
    """Sentences run on; what has lines of its own keeps them."""
    assert join(claims) == text
