"""Pages of a PDF as pictures with the quoted words marked: for the viewer and for programs."""

from collections.abc import Iterator
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine, text

from admin.api import Workspace
from admin.app import create_app
from admin.pictures import Pictures
from cli.web import Library
from ingestion.ingest import Ingester
from ingestion.page_picture import MARK
from ingestion.sandbox import Sandbox
from store.access import KNOWLEDGE_ADMIN
from store.publish import File
from store.tokens import create_token
from tests.conftest import markdown
from tests.unit.admin.scripted import ScriptedAnswerer
from tests.unit.ingestion.pdf_files import lines, pdf
from tests.unit.ingestion.pdf_files import text as words

QUOTE = "Bicycles stand behind building C."
PAGES = [
    words(72, 740, "Parking", size=20) + lines("Cars stand in the hall. " * 20),
    lines(f"{QUOTE} Whoever leaves one elsewhere fetches it from the gate."),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The process that draws."""
    with Sandbox() as made:
        yield made


@pytest.fixture
def client(engine: Engine, workspace_id: int, sandbox: Sandbox) -> TestClient:
    """A site with a workspace, and a token in each request."""
    _, secret = create_token(engine, workspace_id, "ci", [KNOWLEDGE_ADMIN], "operator")
    workspace = Workspace(engine, workspace_id, Pictures(engine, workspace_id, sandbox))
    app = create_app(ScriptedAnswerer(), Library(engine, workspace_id), workspace=workspace)
    return TestClient(
        app,
        base_url="http://127.0.0.1:8400",
        headers={"Authorization": f"Bearer {secret}"},
    )


@pytest.fixture
def place(ingester: Ingester) -> tuple[int, str]:
    """A published PDF: its version's id, and the quote's place in its text as a query."""
    report = ingester.ingest(File("parking.pdf", "application/pdf", pdf(PAGES)))
    with ingester.engine.connect() as connection:
        start = connection.execute(text("SELECT strpos(text, :q) - 1 FROM document_versions"),
                                   {"q": QUOTE}).scalar_one()  # fmt: skip
    assert start > 0
    return report.version_id, f"start={start}&end={start + len(QUOTE)}"


def marked(png: bytes) -> int:
    """Return how many pixels of a picture are marked."""
    with Image.open(BytesIO(png)) as picture:
        colours = picture.getcolors(2**24) or []
    return sum(count for count, colour in colours if colour == MARK)


def test_the_viewer_leads_to_the_page_of_the_quote(
    client: TestClient, place: tuple[int, str]
) -> None:
    """Beside the words stands a link to the page they are on, where they are marked."""
    version_id, quote = place
    address = f"/documents/{version_id}/page/2.png?{quote}"
    page = client.get(f"/documents/{version_id}?{quote}").text
    assert f'<a href="{address.replace("&", "&amp;")}">as on page 2</a>' in page
    picture = client.get(address)
    assert picture.headers["content-type"] == "image/png"
    assert marked(picture.content) > 500
    assert marked(client.get(f"/documents/{version_id}/page/1.png?{quote}").content) == 0


def test_a_program_gets_the_same_picture(client: TestClient, place: tuple[int, str]) -> None:
    """By key and number, with a token."""
    version_id, quote = place
    address = f"/api/documents/parking.pdf/versions/1/page/2.png?{quote}"
    assert client.get(address).content == client.get(
        f"/documents/{version_id}/page/2.png?{quote}"
    ).content  # fmt: skip
    assert client.get(address, headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/documents/{id}/page/3.png",
        "/documents/{id}/page/0.png",
        "/documents/{id}/page/99999999999.png",
        "/documents/{id}/page/x.png",
        "/documents/{id}/page/2.png?start=5&end=2",
        "/documents/999/page/1.png",
        "/api/documents/parking.pdf/versions/2/page/1.png",
        "/api/documents/parking.pdf/versions/99999999999999999999/page/1.png",
        "/api/documents/parking.pdf/versions/1/page/9.png",
        "/api/documents/parking.pdf/versions/1/page/1.png?start=1&end=999999",
        "/api/documents/none.pdf/versions/1/page/1.png",
    ],
)
def test_a_page_that_is_not_there_is_not_found(
    client: TestClient, place: tuple[int, str], path: str
) -> None:
    """In words, for a page as for a program."""
    response = client.get(path.format(id=place[0]))
    assert response.status_code == 404
    assert "<mark" not in response.text


def test_a_text_has_no_pages(client: TestClient, ingester: Ingester) -> None:
    """Its viewer offers none, and the address says what to open instead."""
    report = ingester.ingest(markdown("leave.md", "# Leave\n\n25 days."))
    assert "as on page" not in client.get(f"/documents/{report.version_id}?start=0&end=5").text
    response = client.get(f"/documents/{report.version_id}/page/1.png")
    assert response.status_code == 404
    assert "has no pages" in response.text


def test_a_restricted_document_is_not_drawn_for_everybody(
    client: TestClient, ingester: Ingester
) -> None:
    """The viewer shows pages to whom it shows words; a knowledge admin's program sees all."""
    report = ingester.ingest(
        File("board.pdf", "application/pdf", pdf(PAGES)), audience=["group:board"]
    )
    assert client.get(f"/documents/{report.version_id}/page/1.png").status_code == 404
    assert client.get("/api/documents/board.pdf/versions/1/page/1.png").status_code == 200
