"""What the report of an ingestion says changed besides the words."""

import pytest

from cli.ingest import summary
from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job, submit_file
from store.history import read_warnings
from tests.conftest import markdown


def test_another_title_is_told(ingester: Ingester) -> None:
    """A new version with another title may be another document: the report warns."""
    first = ingester.ingest(markdown("rules.md", "# Alpha rules\n\nBe kind."))
    second = ingester.ingest(markdown("rules.md", "# Beta rules\n\nBe kind."))
    third = ingester.ingest(markdown("rules.md", "# Beta rules\n\nBe kinder."))
    assert (first.warnings, third.warnings) == ((), ())
    assert second.warnings == ("the title changed from “Alpha rules” to “Beta rules”",)


@pytest.mark.parametrize("words", ["Be kind.", "Be kinder."], ids=["the same", "new words"])
def test_another_audience_is_told(words: str, ingester: Ingester) -> None:
    """With the same words or new ones, the line says who may read from now on."""
    ingester.ingest(markdown("rules.md", "# Rules\n\nBe kind."))
    report = ingester.ingest(markdown("rules.md", f"# Rules\n\n{words}"), ["group:BOARD"])
    assert report.is_new is (words != "Be kind.")
    assert report.audience == ("group:BOARD",)
    line = summary(report.to_json()).splitlines()[0]
    assert line.endswith("audience now group:BOARD")


@pytest.mark.parametrize("audience", [None, ["everyone"]], ids=["not given", "the same"])
def test_a_kept_audience_is_not_told(audience: list[str] | None, ingester: Ingester) -> None:
    """Neither for a new document nor where the audience stays as it was."""
    for _ in range(2):
        report = ingester.ingest(markdown("rules.md", "# Rules\n\nBe kind."), audience)
        assert report.audience == ()
        assert "audience" not in summary(report.to_json())


def test_what_changed_is_told_against_the_version_that_is_replaced(ingester: Ingester) -> None:
    """Which is the one before it in time, not the one that came before it; a first has none."""
    rules = "---\neffective_from: {}\n---\n# Rules\n\n## Leave\n\nEveryone gets {} days."
    told = [
        ingester.ingest(markdown("rules.md", rules.format(since, days))).to_json()
        for since, days in (("2020-01-01", 10), ("2030-01-01", 30), ("2025-01-01", 20))
    ]
    assert [report["changes"] for report in told[:1]] == [[]]
    assert [report["changes"][0]["summary"] for report in told[1:]] == [
        "Leave (10 → 30 days)",
        "Leave (10 → 20 days)",
    ]
    assert told[2]["changes"][0]["added"] == ["Everyone gets 20 days."]
    assert "\n      changed: Leave (10 → 20 days)" in summary(told[2])


def test_a_document_that_reads_the_same_changed_nothing(ingester: Ingester) -> None:
    """There is no new version to tell of."""
    ingester.ingest(markdown("rules.md", "# Rules\n\nBe kind."))
    report = ingester.ingest(markdown("rules.md", "# Rules\n\nBe *kind*."))
    assert (report.is_new, report.changes) == (False, ())


def test_a_version_s_warnings_are_kept_with_its_job(ingester: Ingester) -> None:
    """They can be shown later; those of a file that made no version are not its."""
    first = markdown("rules.md", "---\nowmer: Ann\n---\n# Rules\n\nBe kind.")
    again = markdown("rules.md", "---\ntitel: Rules\n---\n# Rules\n\nBe kind.")
    reports = [
        run_file_job(ingester, submit_file(ingester.engine, ingester.workspace_id, file))
        for file in (first, again)
    ]
    told = [(report.version_id, report.is_new) for report in reports if report is not None]
    assert told[0] == (told[1][0], True)
    assert told[1][1] is False
    (warning,) = read_warnings(ingester.engine, ingester.workspace_id, told[0][0])
    assert "owmer" in warning
    assert read_warnings(ingester.engine, ingester.workspace_id + 1, told[0][0]) == []
