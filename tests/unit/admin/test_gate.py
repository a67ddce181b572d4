"""What every request passes first, and what every response carries."""

import pytest
from starlette.datastructures import Headers
from structlog.testing import capture_logs

from admin.gate import BODY_LIMIT, host_name, same_origin, takes_token
from tests.unit.admin.browsing import OWN_PAGE, browser
from tests.unit.admin.scripted import ScriptedAnswerer


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost", "LOCALHOST:1", "localhost.:8400"])
def test_lets_its_own_hosts_in(host: str) -> None:
    """The local names answer on any port."""
    assert browser().get("/health", headers={"Host": host}).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8400", "[::1", "", "0.0.0.1"]
)
def test_refuses_other_hosts(host: str) -> None:
    """A name that a stranger's DNS points here gets a sentence, not the page."""
    response = browser().get("/", headers={"Host": host})
    assert response.status_code == 421
    assert "answers only at 127.0.0.1 or localhost" in response.text
    assert "Ask the policies" not in response.text


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8400"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://127.0.0.1:8400"}, True),
        ({"origin": "http://127.0.0.1:9999"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_same_origin(headers: dict[str, str], ours: bool) -> None:
    """What the browser says of the sender counts; where it is silent, the origin must be ours."""
    assert same_origin(Headers({"host": "127.0.0.1:8400", **headers})) is ours


@pytest.mark.parametrize("path", ["/ask", "/new", "/api/ask"])
def test_refuses_what_other_sites_send(path: str) -> None:
    """A form on another site changes nothing here."""
    answerer = ScriptedAnswerer()
    response = browser(answerer).post(
        path, data={"question": "Hello"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert response.status_code == 403
    assert answerer.questions == []


def test_refuses_a_large_body() -> None:
    """A body over the limit is refused by its length, before it is read."""
    response = browser().post("/ask", content=b"question=" + b"x" * BODY_LIMIT)
    assert response.status_code == 413
    assert "1024 KiB" in response.text


def test_refuses_a_body_without_length() -> None:
    """A body of unknown length is not waited for, whatever length a header promises."""
    for promised in ({}, {"Content-Length": "10", "Transfer-Encoding": "chunked"}):
        response = browser().post("/ask", content=iter([b"question=", b"x"]), headers=promised)
        assert response.status_code == 411


@pytest.mark.parametrize(
    ("path", "by_token"),
    [
        ("/api/documents", True),
        ("/api/documents/leave.md", True),
        ("/api/jobs/1", True),
        ("/api/sources", True),
        ("/api/ask", False),
        ("/api/documents2", False),
        ("/ask", False),
        ("/documents/1", False),
        ("//api/documents", False),
    ],
)
def test_takes_token(path: str, by_token: bool) -> None:
    """Only what asks for a token by itself is left out of the check for the sender's page."""
    assert takes_token(path) is by_token


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        pytest.param("POST", "/api/documents", str(2 * BODY_LIMIT), 404, id="an upload"),
        pytest.param("POST", "/api/documents", str(600 * 2**20), 413, id="a huge upload"),
        pytest.param("POST", "/api/documents", "9" * 5000, 411, id="no length"),
        pytest.param("POST", "/api/sources", str(2 * BODY_LIMIT), 413, id="another body"),
        pytest.param("DELETE", "/api/documents/x", None, 404, id="no body"),
        pytest.param("POST", "/new", None, 411, id="a page's form"),
    ],
)
def test_sizes_of_what_programs_send(
    method: str, path: str, length: str | None, status: int
) -> None:
    """An upload may be large, and a program may send nothing; without a workspace it is a 404."""
    client = browser()
    request = client.build_request(method, path)
    request.headers.pop("content-length", None)
    if length is not None:
        request.headers["content-length"] = length
    assert client.send(request).status_code == status


@pytest.mark.parametrize("path", ["/", "/documents/1", "/documents/9", "/nowhere", "/health"])
def test_every_response_carries_the_security_headers(path: str) -> None:
    """Pages, failures and health alike forbid foreign code, framing and sniffing."""
    headers = browser().get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_static_files_may_be_kept() -> None:
    """A file whose address carries its hash is kept by the browser; a missing one is not."""
    client = browser()
    assert "immutable" in client.get("/static/page.css").headers["cache-control"]
    assert client.get("/static/none.css").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.js", "text/javascript"), ("page.css", "text/css"), ("mark.svg", "image/svg+xml")],
)
def test_static_files_have_their_type(name: str, kind: str) -> None:
    """With `nosniff` a script is run only under its own type, whatever the system believes."""
    assert browser().get(f"/static/{name}").headers["content-type"].startswith(kind)


def test_an_unexpected_error_ends_in_words() -> None:
    """Nobody sees a traceback; the reference on the page is the one in the log."""
    answerer = ScriptedAnswerer([("", ValueError("the password is hunter2"))])
    with capture_logs() as logged:
        response = browser(answerer).post("/ask", data={"question": "Hello"})
    assert response.status_code == 500
    reference = response.text.partition("(reference ")[2].partition(")")[0]
    assert len(reference) == 8
    assert "hunter2" not in response.text
    assert [entry["reference"] for entry in logged] == [reference]


def test_a_program_gets_its_error_as_json() -> None:
    """Under /api an unexpected error has the sentence and the reference as fields."""
    answerer = ScriptedAnswerer([("", ValueError("broken"))])
    response = browser(answerer).post("/api/ask", json={"question": "Hello"})
    assert response.status_code == 500
    assert response.json()["reference"] in response.json()["error"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Example.com:443", "example.com"),
        ("[::1]:8400", "::1"),
        ("example.com.", "example.com"),
        ("[", ""),
        ("a b", "a b"),
    ],
)
def test_host_name(host: str, name: str) -> None:
    """Port, case and a closing dot do not make another host."""
    assert host_name(host) == name


def test_own_page_headers_are_what_the_gate_asks_for() -> None:
    """The headers used in these tests are those of a form on the page itself."""
    assert same_origin(Headers({"host": "127.0.0.1:8400", **OWN_PAGE}))
