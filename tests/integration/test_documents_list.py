"""What the operator's list of documents shows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cli.document_lines import document_line
from ingestion.ingest import Ingester
from store.history import Held, list_documents
from tests.conftest import markdown


def listed(ingester: Ingester, as_of: datetime | None = None) -> list[Held]:
    """What is in force now, or was then."""
    found = list_documents(ingester.engine, ingester.workspace_id, as_of or datetime.now(UTC))
    return [held for held in found if held.in_force]


@pytest.mark.parametrize(
    ("audience", "told"),
    [
        pytest.param("everyone", "(pay.md)", id="every member is not told"),
        pytest.param("group:BOARD", "for group:BOARD", id="a group"),
        pytest.param("external", "for external", id="guests too"),
    ],
)
def test_every_document_is_listed_with_who_may_read_it(
    audience: str, told: str, ingester: Ingester
) -> None:
    """Nothing is hidden from the operator; a line names what is not simply for members."""
    ingester.ingest(markdown("pay.md", "# Pay\n\nNine."), [audience])
    (found,) = listed(ingester)
    assert found.audience == (audience,)
    assert found.characters == len("Pay\n\nNine.")
    assert document_line(found, datetime.now(UTC)).endswith(told)


def test_only_what_is_in_force_is_listed(ingester: Ingester) -> None:
    """The newest version that has begun, unless its document ended or was deleted."""
    head = "---\neffective_from: {}\neffective_to: 2026-01-01\n---\n# {}\n\nWords."
    for begin, title in (("2024-01-01", "First"), ("2025-01-01", "Second")):
        ingester.ingest(markdown("a.md", head.format(begin, title)))
    then = datetime(2025, 6, 1, tzinfo=UTC)
    assert [found.title for found in listed(ingester, then)] == ["Second"]
    assert [found.title for found in listed(ingester, then - timedelta(days=365))] == ["First"]
    assert listed(ingester, datetime(2026, 1, 1, tzinfo=UTC)) == []
    with ingester.engine.begin() as connection:
        connection.execute(text("UPDATE documents SET deleted_at = now()"))
    assert listed(ingester, then) == []
