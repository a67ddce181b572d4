import pytest

from ingestion.parse.pdf_dates import effective_date


@pytest.mark.parametrize(
    ("line", "date"),
    [
        pytest.param("Effective date: 1 December 2026", "2026-12-01", id="day first"),
        pytest.param("Effective December 1st, 2026", "2026-12-01", id="month first"),
        pytest.param("Effective from 2026-12-01", "2026-12-01", id="ISO"),
        pytest.param("Version 3 | effective as of 3 Sept 2026", "2026-09-03", id="within a line"),
        pytest.param("In force from the 5th of May 2026", "2026-05-05", id="in force"),
        pytest.param("(valid from 31 Jan. 2027)", "2027-01-31", id="valid"),
    ],
)
def test_a_whole_date_behind_plain_words_is_read(line: str, date: str) -> None:
    """Words that say from when, and a full date that cannot be read in two ways."""
    found = effective_date(["Returns", line])
    assert found is not None
    assert found.date().isoformat() == date


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("Effective 01/12/2026", id="day or month"),
        pytest.param("Effective December 2026", id="no day"),
        pytest.param("Effective 31 February 2026", id="no such day"),
        pytest.param("Updated 1 December 2026", id="not in force by that"),
        pytest.param("Supersedes the policy effective 1 May 2025", id="another document's"),
        pytest.param("It is not in force from 1 May 2025 on", id="denied"),
        pytest.param("Valid until 1 May 2025", id="an end"),
        pytest.param("Cost effective since 1 May 2025", id="other words"),
        pytest.param("Effective 1 May 2025, and effective 1 June 2025 in Wales", id="two dates"),
    ],
)
def test_anything_less_is_no_date(line: str) -> None:
    """What could mean another day, another document or nothing at all is passed over."""
    assert effective_date([line]) is None


def test_only_the_first_lines_count() -> None:
    """A date far down the page is about something else."""
    assert effective_date([*["words"] * 15, "Effective 1 May 2026"]) is None
