"""A browser's manners without a browser: cookies, and headers that name the page one is on."""

from collections.abc import Mapping

from starlette.testclient import TestClient

from admin.app import create_app
from admin.site import Documents
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer

ORIGIN = "http://127.0.0.1:8400"
OWN_PAGE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}
BY_HTMX = {**OWN_PAGE, "HX-Request": "true"}


def browser(
    answerer: ScriptedAnswerer | None = None,
    documents: Documents | None = None,
    headers: Mapping[str, str] = OWN_PAGE,
) -> TestClient:
    """Return a client of a site with scripted parts, which follows no redirect by itself."""
    app = create_app(answerer or ScriptedAnswerer(), documents or InMemoryDocuments())
    return TestClient(app, base_url=ORIGIN, headers=dict(headers), follow_redirects=False)
