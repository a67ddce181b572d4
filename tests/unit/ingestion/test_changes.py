"""What two wordings of a document are said to differ in."""

import time

import pytest
from hypothesis import assume, given

from ingestion.changes import (
    MAX_SECTIONS,
    MAX_SENTENCE,
    MAX_SENTENCES,
    SectionChange,
    Wording,
    in_one_line,
    kept,
    section_changes,
)
from ingestion.errors import DocumentError
from ingestion.parse import parse
from tests.unit.ingestion.documents import SOURCES

SALE = """
# Returns

Everyone may return items.

## Sale items

Items bought in a sale can be returned within {} days of delivery. They must be unworn.

## Faulty goods

{}
"""
FAULTY = "We repair faulty items first."


def wording(source: str) -> Wording:
    """Return a Markdown text as it is kept."""
    document = parse("returns.md", source.encode())
    return Wording(document.text, document.blocks)


def changed(before: str, after: str) -> tuple[SectionChange, ...]:
    """Return what changed between two Markdown texts."""
    return section_changes(wording(before), wording(after))


def summaries(before: str, after: str) -> list[str]:
    """Return the summaries alone."""
    return [change.summary for change in changed(before, after)]


def test_a_first_version_has_no_changes() -> None:
    """There is nothing that it could have changed."""
    assert section_changes(None, wording(SALE.format(14, FAULTY))) == ()


def test_the_same_words_have_no_changes() -> None:
    """Not even where the markup differs."""
    assert changed("# Hours\n\nWe *open* at nine.", "# Hours\n\nWe open at nine.") == ()


def test_a_changed_number_is_told_with_its_unit_and_both_sentences() -> None:
    """Only the sentence that differs is quoted, not its neighbour in the paragraph."""
    (change,) = changed(SALE.format(14, FAULTY), SALE.format(30, FAULTY))

    assert (change.section, change.kind) == (("Sale items",), "changed")
    assert change.summary == "Sale items (14 → 30 days)"
    assert change.removed == (
        "Items bought in a sale can be returned within 14 days of delivery.",
    )
    assert change.added == ("Items bought in a sale can be returned within 30 days of delivery.",)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param("It costs €40.", "It costs €45.50.", "€40 → €45.50", id="money"),
        pytest.param("Up to 20% off.", "Up to 5% off.", "20% → 5%", id="share"),
        pytest.param("Wait one day.", "Wait 3 days.", "one → 3 days", id="word, one and many"),
        pytest.param(
            "Paid in 5 working days.",
            "Paid in 3 working days.",
            "5 → 3 working days",
            id="working",
        ),
        pytest.param(
            "From 1 June 2025.", "From 1 July 2026.", "1 June 2025 → 1 July 2026", id="date"
        ),
        pytest.param(
            "Of June 24, 2020.", "Of May 1, 2021.", "June 24, 2020 → May 1, 2021", id="comma"
        ),
        pytest.param("Open on Monday.", "Open on Tuesday.", "Monday → Tuesday", id="weekday"),
        pytest.param("Paid in 5 days.", "Paid in 5 weeks.", "wording", id="another unit"),
        pytest.param("We may refuse.", "We must refuse.", "wording", id="words"),
        pytest.param("We answer.", "We answer. We call.", "wording", id="a sentence more"),
        pytest.param(
            "Wait 2 days. We call.", "Wait 3 days. We write.", "2 → 3 days, wording", id="both"
        ),
        pytest.param(
            "1 kg. 2 kg. 3 kg. 4 kg.",
            "5 kg. 6 kg. 7 kg. 8 kg.",
            "1 → 5 kg, 2 → 6 kg, 3 → 7 kg, …",
            id="many figures",
        ),
        pytest.param("One.\n\nTwo.", "Two.\n\nOne.", "order", id="moved within"),
        pytest.param(
            "1. We open.\n2. We close.", "3. We open.\n4. We close.", "numbering", id="numbers"
        ),
        pytest.param("4.1 We open.", "4.2 We open.", "numbering", id="clauses"),
        pytest.param("14 days.", "30 days.", "14 → 30 days", id="a number that counts"),
        pytest.param("We open. We close.", "We open.\n\nWe close.", "layout", id="paragraphs"),
    ],
)
def test_what_changed_in_a_section_is_told(before: str, after: str, told: str) -> None:
    """Figures where only those differ, else that the words do."""
    head = "# Rules\n\n## Part\n\n"
    assert summaries(head + before, head + after) == [f"Part ({told})"]


def test_an_item_that_comes_first_changes_no_other() -> None:
    """Though each has another number then."""
    before = "## Steps\n\n1. Write to us.\n2. Wait for the label.\n3. Send the parcel."
    after = "## Steps\n\n1. Ask.\n2. Write to us.\n3. Wait for the label.\n4. Send the parcel."
    (change,) = changed(before, after)
    assert (change.summary, change.removed, change.added) == ("Steps (wording)", (), ("1. Ask.",))


def test_new_and_removed_sections_are_told_in_their_places() -> None:
    """In the order of the text, with all their words."""
    before = SALE.format(14, FAULTY) + "\n## Sundays\n\nWe rest.\n\n## Gifts\n\nWe wrap."
    after = SALE.format(14, FAULTY) + "\n## Gifts\n\nWe wrap.\n\n## Batteries\n\nWe recycle."

    gone, come = changed(before, after)

    assert (gone.summary, gone.kind, gone.removed) == (
        "Sundays (removed)",
        "removed",
        ("We rest.",),
    )
    assert (come.summary, come.kind, come.added) == ("Batteries (new)", "added", ("We recycle.",))


def test_a_renamed_section_is_one_section() -> None:
    """Found by its words, or by a heading that is nearly the same."""
    before = SALE.format(14, FAULTY)
    after = before.replace("Sale items", "Reduced goods")
    assert summaries(before, after) == ["Reduced goods (was “Sale items”)"]
    after = SALE.format(30, FAULTY).replace("Sale items", "Items on sale")
    assert summaries(before, after) == ["Items on sale (was “Sale items”, 14 → 30 days)"]


def test_a_renamed_chapter_is_told_once() -> None:
    """Its sections keep their words and their names, and are not told of."""
    before = "# A\n\nHi.\n\n## Year 2025\n\n### Pay\n\nNine euros.\n\n### Leave\n\nTen days."
    assert summaries(before, before.replace("Year 2025", "Year 2026")) == [
        "Year 2026 (was “Year 2025”)"
    ]


def test_an_opening_has_no_heading() -> None:
    """Words above the first heading are the opening; a text without headings is the text."""
    before = "Hello.\n\n## A\n\nWords."
    assert summaries(before, before.replace("Hello", "Hullo")) == ["opening (wording)"]
    assert summaries("Hello.", "Hullo.") == ["text (wording)"]


def test_sections_of_one_name_are_told_apart() -> None:
    """By the heading above them."""
    before = "# A\n\n## Cats\n\n### Food\n\nFish.\n\n## Dogs\n\n### Food\n\nMeat."
    after = before.replace("Fish", "Milk").replace("Meat", "Bones")
    assert summaries(before, after) == ["Cats › Food (wording)", "Dogs › Food (wording)"]


def test_what_is_kept_is_bounded() -> None:
    """However much changed, a report stays small."""
    sections = [f"## Part {'x' * n}\n\n" for n in range(60)]
    before = "".join(section + "Old." for section in sections)
    long = " ".join(["word"] * 200)
    after = "".join(section + f"New {long}.\n\n" * 30 for section in sections)

    rows = kept(changed(before, after))

    assert len(rows) == MAX_SECTIONS
    assert all(len(row["added"]) == MAX_SENTENCES for row in rows)
    assert all(len(sentence) <= MAX_SENTENCE for row in rows for sentence in row["added"])


def test_many_summaries_are_counted() -> None:
    """A line names a few sections and says how many more there are."""
    assert in_one_line(["A (new)", "B (wording)"]) == "A (new), B (wording)"
    names = [f"{n} (new)" for n in range(50)]
    assert in_one_line(names, total=1_200).endswith("5 (new) and 1,194 more")


@pytest.mark.parametrize("renamed", [False, True], ids=["same headings", "other headings"])
def test_a_thousand_sections_are_compared_in_seconds(renamed: bool) -> None:
    """Also where no heading stayed as it was."""
    before = "".join(f"## Part {n}\n\nRule {n} takes {n} days. It holds.\n\n" for n in range(1000))
    after = before.replace("takes", "needs")
    if renamed:
        after = after.replace("## Part", "## Chapter about")
    one, other = wording(before), wording(after)
    started = time.process_time()

    assert len(section_changes(one, other)) >= 1000

    assert time.process_time() - started < 10


@given(before=SOURCES, after=SOURCES)
def test_any_two_texts_can_be_compared(before: str, after: str) -> None:
    """What is removed stood in the old text, what is added stands in the new one."""
    try:
        one, other = wording(before), wording(after)
    except DocumentError:
        assume(False)
    changes = section_changes(one, other)
    for change in changes:
        assert all(sentence in one.text for sentence in change.removed)
        assert all(sentence in other.text for sentence in change.added)
    assert section_changes(one, one) == ()
