"""Documents over HTTP as a program sends them: real processes, bytes on a socket."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.processes import PATIENCE, Footnote, Running, free_port, wait_until

SENTENCE = "Folding bicycles may be taken into the quiet carriage."
POLICY = f"# Bicycles on trains\n\n{SENTENCE}\n".encode()
BOUNDARY = "f00t"


def form(*parts: tuple[str, bytes], boundary: str = BOUNDARY) -> bytes:
    """Return a multipart body of parts, each with what stands after "form-data; "."""
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + data + b"\r\n"
        for head, data in parts
    )
    return body + f"--{boundary}--\r\n".encode()


@contextmanager
def process(footnote: Footnote, *arguments: str, **changes: str) -> Iterator[Running]:
    """Run a service, and stop it alone, as `up` does."""
    running = footnote.start(*arguments, **changes)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
        running.join()


@dataclass(frozen=True)
class Program:
    """A program with a token, which speaks HTTP by hand where that is the point."""

    port: int
    token: str

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """Return status, headers and JSON of a response."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method=method,
            headers={"Authorization": f"Bearer {self.token}", **named},
        )
        try:
            with urlopen(request, timeout=PATIENCE) as response:  # noqa: S310
                return response.status, response.headers, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, error.headers, json.load(error)

    def send(self, sent: bytes, *, hang_up: bool = False) -> bytes:
        """Send bytes and return what comes back until the server closes, or hang up at once."""
        came = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(sent)
            while not hang_up and (piece := connection.recv(65536)):
                came += piece
        return came

    def head(self, line: str, *headers: str, host: str | None = None) -> bytes:
        """Return a request's head, with the token."""
        lines = [
            f"{line} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{self.port}'}",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.fixture(scope="module")
def program(installed: Footnote) -> Iterator[Program]:
    """A program that may add documents, and a `web` that it talks to."""
    port = free_port()
    made = installed.run("tokens", "create", f"acceptance-{port}", "--json")
    assert made.code == 0, made.told
    with process(installed, "web", FOOTNOTE_PORT=str(port)) as web:
        wait_until(lambda: listens(port) or web.process.poll() is not None)
        assert web.process.poll() is None, web.told
        yield Program(port, made.json()["token"])


@pytest.fixture
def _worker(installed: Footnote) -> Iterator[None]:
    """A worker that takes work."""
    ready = installed.home / "worker-ready"
    with process(
        installed, "worker", "--ready-file", str(ready), FOOTNOTE_BROKER="postgres"
    ) as worker:
        wait_until(lambda: ready.exists() or worker.process.poll() is not None)
        assert worker.process.poll() is None, worker.told
        yield


def listens(port: int) -> bool:
    """Whether something answers at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.usefixtures("_worker")
def test_a_file_that_a_program_sends_is_answered_from(
    program: Program, installed: Footnote
) -> None:
    """202, a job to follow to its end, and then the words are quoted."""
    body = form(('name="file"; filename="bicycles.md"', POLICY), ('name="title"', b"Bicycles"))
    status, headers, job = program.ask(
        "POST",
        "/api/documents",
        body,
        Content_Type=f"multipart/form-data; boundary={BOUNDARY}",
        Idempotency_Key="first",
    )
    assert status == 202, job
    assert headers["Location"] == job["href"]

    status, _, ended = program.ask("GET", f"{job['href']}?wait=25")
    assert (status, ended["state"]) == (200, "succeeded"), ended
    report = ended["files"][0]["report"]
    assert (report["title"], report["version"]) == ("Bicycles", 1)
    answer = installed.ask_page(
        "May I take a folding bicycle into the quiet carriage?", program.port
    )
    assert SENTENCE in json.dumps(answer)


def test_a_stranger_s_upload_is_refused_before_it_is_sent(program: Program) -> None:
    """Who waits to be told to go on is told 401 instead: nothing of the body is wanted."""
    head = program.head(
        "POST /api/documents",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
        "Content-Length: 100000000",
        "Expect: 100-continue",
    )
    came = program.send(head.replace(program.token.encode(), b"fn_nobody"))
    assert came.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in came


KIND = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
CHUNKED = "Transfer-Encoding: chunked"
WHOLE = form(('name="file"; filename="x.md"', POLICY))


@pytest.mark.parametrize(
    ("line", "headers", "body", "status"),
    [
        pytest.param("POST /api/documents", [KIND], b"", 422, id="no body"),
        pytest.param("POST /api/documents", [], b"", 422, id="nothing"),
        pytest.param("POST /api/documents", [KIND, "Content-Length: -1"], b"", 400, id="negative"),
        pytest.param(
            "POST /api/documents", [KIND, f"Content-Length: {'9' * 30}"], b"", 400, id="no size"
        ),
        pytest.param(
            "POST /api/documents", [KIND, "Content-Length: 999999999999"], b"", 413, id="huge"
        ),
        pytest.param(
            "POST /api/documents",
            [KIND, CHUNKED],
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE),
            202,
            id="chunked",
        ),
        pytest.param(
            "POST /api/documents",
            [KIND, CHUNKED],
            b"zz\r\n",
            400,
            id="bad chunk",
        ),
        pytest.param(
            "POST /api/documents", [KIND, f"X-Long: {'x' * 30_000}"], b"", 422, id="a long header"
        ),
        pytest.param(
            "POST /api/documents",
            [KIND, f"Idempotency-Key: {'k' * 201}", f"Content-Length: {len(WHOLE)}"],
            WHOLE,
            422,
            id="a long key",
        ),
        pytest.param(
            "POST /api/documents",
            [KIND, "Idempotency-Key: \xff\xa0", f"Content-Length: {len(WHOLE)}"],
            WHOLE,
            422,
            id="a strange key",
        ),
        pytest.param("GET /api/jobs/%00", [], b"", 404, id="NUL"),
        pytest.param("GET /api/jobs/%ff%fe", [], b"", 404, id="no letters"),
        pytest.param("GET /api/jobs/99999999999999999999999", [], b"", 404, id="a large id"),
        pytest.param(f"GET /api/jobs/{'0' * 32}?wait=1e9", [], b"", 422, id="a long wait"),
        pytest.param("PUT /api/documents", [], b"", 405, id="another method"),
        pytest.param("OPTIONS /api/documents", [], b"", 405, id="a browser's question"),
        pytest.param("GET /api/nothing", [], b"", 404, id="nowhere"),
    ],
)
def test_malformed_requests_end_in_words(
    program: Program, line: str, headers: list[str], body: bytes, status: int
) -> None:
    """Whatever comes, the answer is a refusal in JSON (400: the server's own), never a failure."""
    came = program.send(program.head(line, *headers) + body)
    assert came.startswith(b"HTTP/1.1 %d " % status), came[:300]
    if status not in (202, 400):
        assert json.loads(came.partition(b"\r\n\r\n")[2])["error"].endswith(".")


def test_an_upload_that_breaks_off_leaves_nothing(program: Program) -> None:
    """What came before is dropped, and the list answers as before."""
    head = program.head("POST /api/documents", KIND, f"Content-Length: {len(WHOLE) + 9}")
    program.send(head + WHOLE[:-9], hang_up=True)
    status, _, listed = program.ask("GET", "/api/documents")
    assert (status, list(listed)) == (200, ["documents"])
