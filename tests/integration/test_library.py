"""What the page's document viewer opens: only what members may read, but that for good."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from cli.web import Library
from ingestion.ingest import Ingester
from store.access import OPERATOR_ACCESS
from store.search import versions_in_force
from tests.conftest import markdown


@pytest.fixture
def library(engine: Engine, workspace_id: int) -> Library:
    """The documents of this test's workspace as the page reads them."""
    return Library(engine, workspace_id)


def version_id(ingester: Ingester) -> int:
    """The id of the only version in force for members."""
    (version,) = versions_in_force(
        ingester.engine, ingester.workspace_id, OPERATOR_ACCESS, datetime.now(UTC)
    )
    return version.id


@pytest.mark.parametrize("audience", ["group:BOARD", "channel:CBOARD"])
def test_a_restricted_document_does_not_open(
    audience: str, ingester: Ingester, library: Library
) -> None:
    """Whoever counts up the ids on the page meets no document that members may not read."""
    ingester.ingest(markdown("pay.md", "# Pay\n\nThe board earns more."))
    shown = version_id(ingester)
    assert library.version(shown) is not None
    assert library.blocks(shown)
    ingester.ingest(markdown("pay.md", "# Pay\n\nThe board earns more."), [audience])
    assert library.version(shown) is None
    assert library.blocks(shown) == []


@pytest.mark.parametrize("audience", ["everyone", "external"])
def test_what_members_may_read_opens(audience: str, ingester: Ingester, library: Library) -> None:
    """A document for members or for all opens with its blocks."""
    ingester.ingest(markdown("hours.md", "# Hours\n\nWe open at nine."), [audience])
    found = library.version(version_id(ingester))
    assert found is not None
    assert "We open at nine." in found.text
    assert len(library.blocks(found.id)) == 2


def test_old_citations_open(ingester: Ingester, library: Library) -> None:
    """A version that was superseded, or whose document was deleted, can still be read."""
    ingester.ingest(markdown("hours.md", "# Hours\n\nWe open at nine."))
    old = version_id(ingester)
    ingester.ingest(markdown("hours.md", "# Hours\n\nWe open at ten."))
    with library.engine.begin() as connection:
        connection.execute(text("UPDATE documents SET deleted_at = now()"))
    found = library.version(old)
    assert found is not None
    assert "We open at nine." in found.text


def test_another_workspace_s_version_does_not_open(ingester: Ingester, library: Library) -> None:
    """An id of another workspace is as unknown as one that was never given."""
    ingester.ingest(markdown("hours.md", "# Hours\n\nWe open at nine."))
    elsewhere = Library(library.engine, library.workspace_id + 1)
    assert elsewhere.version(version_id(ingester)) is None
