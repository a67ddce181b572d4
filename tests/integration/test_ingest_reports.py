"""What the report of an ingestion says changed besides the words."""

import pytest

from cli.ingest import summary
from ingestion.ingest import Ingester
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
    assert summary(report.to_json()).endswith("audience now group:BOARD")


@pytest.mark.parametrize("audience", [None, ["everyone"]], ids=["not given", "the same"])
def test_a_kept_audience_is_not_told(audience: list[str] | None, ingester: Ingester) -> None:
    """Neither for a new document nor where the audience stays as it was."""
    for _ in range(2):
        report = ingester.ingest(markdown("rules.md", "# Rules\n\nBe kind."), audience)
        assert report.audience == ()
        assert "audience" not in summary(report.to_json())
