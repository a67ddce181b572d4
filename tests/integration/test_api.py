"""The API for knowledge admins on a real database: tokens, uploads, jobs, the audit log."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from admin.api import Places, Workspace
from admin.api.form import FIELDS
from admin.app import create_app
from admin.gate import TOKEN_PATHS
from ingestion.ingest import Ingester
from ingestion.jobs import run_file_job
from store.access import KNOWLEDGE_ADMIN
from store.audit import read_audit
from store.jobs import jobs_of_upload
from store.tokens import create_token, revoke_token
from store.workspaces import ensure_workspace
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer

LEAVE = b"# Leave\n\nEverybody has 25 days of leave a year.\n"
PARKING = b"# Parking\n\nBicycles stand behind building C.\n"
Files = list[tuple[str, tuple[str, bytes]]]


def files(**named: bytes) -> Files:
    """Return parts for a form: `leave=b"…"` is the file leave.md."""
    return [("file", (f"{name}.md", data)) for name, data in named.items()]


@pytest.fixture
def secret(engine: Engine, workspace_id: int) -> str:
    """The token of a knowledge admin."""
    return create_token(engine, workspace_id, "ci", [KNOWLEDGE_ADMIN], "operator")[1]


@pytest.fixture
def stranger(engine: Engine, workspace_id: int) -> TestClient:
    """A program without a token; it sends no Origin, as curl does not."""
    workspace = Workspace(engine, workspace_id, places=Places(lambda *_: None))
    app = create_app(ScriptedAnswerer(), InMemoryDocuments(), workspace=workspace)
    return TestClient(app, base_url="http://127.0.0.1:8400")


@pytest.fixture
def program(stranger: TestClient, secret: str) -> TestClient:
    """A program with the token."""
    stranger.headers["Authorization"] = f"Bearer {secret}"
    return stranger


Work = Callable[[Response], None]


@pytest.fixture
def work(ingester: Ingester) -> Work:
    """Do what an upload's jobs ask for, as a worker would."""

    def done(uploaded: Response) -> None:
        for job in jobs_of_upload(ingester.engine, uploaded.json()["job"]):
            run_file_job(ingester, job.id)

    return done


# --- tokens --------------------------------------------------------------------------------


def addresses(client: TestClient) -> Iterator[tuple[str, str]]:
    """Return each method and address of the schema that stands under a token's paths."""
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        if path.startswith(TOKEN_PATHS):
            filled = path.replace("{job_id}", "0" * 32).replace("{number}", "1")
            yield from ((method.upper(), filled) for method in methods)


def test_the_schema_tells_what_the_api_takes(stranger: TestClient) -> None:
    """Programs read it without a token; it holds no page of a browser's."""
    schema = stranger.get("/api/openapi.json").json()
    assert all(path.startswith("/api/") for path in schema["paths"])
    upload = schema["paths"]["/api/documents"]["post"]
    form = upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert set(form) == {"file", *FIELDS}
    assert upload["security"] == [{"token": []}]
    assert {"202", "401", "403", "409", "413", "422"} == set(upload["responses"])


def test_every_address_asks_for_a_token(stranger: TestClient) -> None:
    """Without one nothing is read or changed; the answer says what to send and how."""
    asked = list(addresses(stranger))
    assert {("POST", path) for path in ("/api/documents", "/api/sources")} < set(asked)
    assert len(asked) >= 13
    for method, path in asked:
        response = stranger.request(method, path)
        assert response.status_code == 401, (method, path)
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert "Authorization: Bearer fn_" in response.json()["error"]


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("Bearer fn_" + "A" * 43, id="unknown"),
        pytest.param("Bearer ", id="nothing"),
        pytest.param("Bearer fn_\xff", id="no letters"),
        pytest.param("Basic Zm46eA==", id="another scheme"),
        pytest.param("Bearer fn_" + "A" * 9000, id="long"),
    ],
)
def test_what_is_no_token_of_ours_is_refused(stranger: TestClient, shown: str) -> None:
    """One sentence and a challenge, whatever was shown."""
    response = stranger.get(
        "/api/documents", headers=[(b"Authorization", shown.encode("latin-1"))]
    )
    assert response.status_code == 401
    assert "www-authenticate" in response.headers
    assert set(response.json()) == {"error"}


def test_a_revoked_token_is_refused_at_once(
    program: TestClient, engine: Engine, workspace_id: int
) -> None:
    """What worked a moment ago does not work any more."""
    assert program.get("/api/documents").status_code == 200
    revoke_token(engine, workspace_id, "ci", "operator")
    assert program.get("/api/documents").status_code == 401


def test_an_upload_without_the_role_is_refused_and_recorded(
    stranger: TestClient, engine: Engine, workspace_id: int
) -> None:
    """The token is known, so the audit log names it; nothing is kept."""
    _, secret = create_token(engine, workspace_id, "reader", [], "operator")
    bearer = {"Authorization": f"Bearer {secret}"}
    response = stranger.post("/api/documents", files=files(leave=LEAVE), headers=bearer)

    assert response.status_code == 403
    assert "needs the role knowledge_admin" in response.json()["error"]
    entry = read_audit(engine, workspace_id)[0]
    assert (entry.actor, entry.action) == ("token reader", "upload refused")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM blobs")).scalar_one() == 0


def test_the_token_is_not_logged(program: TestClient, secret: str) -> None:
    """Not even where a request fails in a way nobody expected."""
    with capture_logs() as logged:
        program.post("/api/documents", files=files(leave=LEAVE))
        program.post("/api/documents", content=b"x", headers={"Content-Type": "text/plain"})
    assert secret not in repr(logged)


# --- uploads -------------------------------------------------------------------------------


def test_files_are_kept_read_and_listed(
    program: TestClient, work: Work, engine: Engine, workspace_id: int
) -> None:
    """202 with a job to follow; once a worker was there, versions that the list shows."""
    uploaded = program.post("/api/documents", files=files(leave=LEAVE, parking=PARKING))
    assert uploaded.status_code == 202
    assert uploaded.headers["location"] == uploaded.json()["href"]
    queued = program.get(uploaded.json()["href"]).json()
    assert (queued["state"], queued["done"], queued["total"]) == ("queued", 0, 2)

    work(uploaded)
    ended = program.get(uploaded.json()["href"]).json()
    assert (ended["state"], ended["done"], ended["total"]) == ("succeeded", 2, 2)
    assert [file["report"]["version"] for file in ended["files"]] == [1, 1]
    listed = program.get("/api/documents").json()["documents"]
    assert [(one["document"], one["audience"]) for one in listed] == [
        ("leave.md", ["everyone"]),
        ("parking.md", ["everyone"]),
    ]
    entry = read_audit(engine, workspace_id)[0]
    assert (entry.actor, entry.action, entry.detail["files"]) == (
        "token ci",
        "documents uploaded",
        2,
    )


def test_what_the_sender_says_counts(program: TestClient, work: Work, engine: Engine) -> None:
    """Key, title, dates, audience and link of the form are those of the version."""
    uploaded = program.post(
        "/api/documents",
        files=files(leave=LEAVE),
        data={
            "document": "leave-policy",
            "title": "Leave policy",
            "effective_from": "2026-01-01",
            "effective_to": "2099-01-01T02:00+02:00",
            "audience": ["external, group:S1", "channel:C1"],
            "link": "https://intranet.example.com/leave",
        },
    )
    work(uploaded)
    report = program.get(uploaded.json()["href"]).json()["files"][0]["report"]
    assert (report["document"], report["title"]) == ("leave-policy", "Leave policy")
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT v.effective_from, v.effective_to, v.link, v.author, d.audience"
                " FROM document_versions v JOIN documents d ON d.id = v.document_id"
            )
        ).one()
    assert row.effective_from.isoformat() == "2026-01-01T00:00:00+00:00"
    assert row.effective_to.isoformat() == "2099-01-01T00:00:00+00:00"
    assert (row.link, row.author) == ("https://intranet.example.com/leave", "token ci")
    assert row.audience == ["external", "group:S1", "channel:C1"]


def test_the_same_key_is_the_same_upload(program: TestClient, engine: Engine) -> None:
    """Sent again it is one job; other files under it are refused; without a key it is two."""
    key = {"Idempotency-Key": "4f1c"}
    first, again = (
        program.post("/api/documents", files=files(leave=LEAVE), headers=key) for _ in range(2)
    )
    assert first.json()["job"] == again.json()["job"]
    assert again.status_code == 202
    other = program.post("/api/documents", files=files(leave=PARKING), headers=key)
    assert other.status_code == 409
    assert "use a new key" in other.json()["error"]
    assert len(jobs_of_upload(engine, first.json()["job"])) == 1
    without = program.post("/api/documents", files=files(leave=LEAVE))
    assert without.json()["job"] != first.json()["job"]


def test_a_refused_file_says_why_and_the_others_go_on(program: TestClient, work: Work) -> None:
    """Each file has its own outcome; the upload has failed if one has."""
    uploaded = program.post(
        "/api/documents", files=[*files(leave=LEAVE, empty=b""), ("x", ("run.exe", b"MZ\x90\x00"))]
    )
    with pytest.raises(Exception, match=r"run\.exe"):
        work(uploaded)
    ended = program.get(uploaded.json()["href"]).json()
    told = {file["file"]: (file["state"], file["error"]) for file in ended["files"]}
    assert ended["state"] == "failed"
    assert told["leave.md"] == ("succeeded", None)
    assert told["empty.md"][1] == "empty.md is empty; send a file with text in it."
    assert "program" in str(told["run.exe"][1])


# --- documents -----------------------------------------------------------------------------


def send(program: TestClient, work: Work, text: bytes, **said: str) -> None:
    """Have leave.md published."""
    work(program.post("/api/documents", files=files(leave=text), data=said))


def test_a_document_is_shown_with_what_each_version_changed(
    program: TestClient, work: Work
) -> None:
    """Newest first, each with who sent it, when it counts, and what it changed."""
    send(program, work, LEAVE, effective_from="2026-01-01")
    send(program, work, LEAVE.replace(b"25", b"30"), effective_from="2026-02-01")
    shown = program.get("/api/documents/leave.md").json()
    assert (shown["title"], shown["version"], shown["versions"]) == ("Leave", 2, 2)
    newer, older = shown["history"]
    assert (newer["version"], newer["in_force"], newer["author"]) == (2, True, "token ci")
    assert "25" in newer["changes"][0]
    assert "30" in newer["changes"][0]
    assert (older["version"], older["in_force"], older["changes"]) == (1, False, [])
    assert older["effective_from"] == "2026-01-01T00:00:00Z"


def test_a_key_may_hold_slashes(program: TestClient, work: Work) -> None:
    """Keys of ingested folders are paths; they are found as they are and escaped."""
    send(program, work, LEAVE, document="hr/leave policy.md")
    for path in ("hr/leave%20policy.md", "hr%2Fleave%20policy.md"):
        assert program.get(f"/api/documents/{path}").json()["document"] == "hr/leave policy.md"


def test_the_list_is_of_now_or_another_day(program: TestClient, work: Work) -> None:
    """What is to come is listed as of then, and with all."""
    send(program, work, LEAVE, effective_from="2199-01-01")

    def count(query: str) -> int:
        return len(program.get(f"/api/documents?{query}").json()["documents"])

    assert [count(query) for query in ("", "as_of=2199-01-01", "all=true")] == [0, 1, 1]
    assert count("as_of=0001-01-01T00:00%2B23:59") == 0


@pytest.mark.parametrize("query", ["as_of=soon", "as_of=%00", "all=perhaps"])
def test_a_list_of_no_day_is_refused(program: TestClient, query: str) -> None:
    """The sentence says which part of the address cannot be used."""
    response = program.get(f"/api/documents?{query}")
    assert response.status_code == 422
    assert query.partition("=")[0] in response.json()["error"]


def test_a_deleted_document_is_not_in_force(
    program: TestClient, work: Work, engine: Engine, workspace_id: int
) -> None:
    """It leaves the list, says who deleted it, and cannot be deleted twice."""
    send(program, work, LEAVE)
    deleted = program.delete("/api/documents/leave.md")
    assert deleted.json() == {"document": "leave.md", "title": "Leave", "deleted": True}
    assert program.get("/api/documents").json() == {"documents": []}
    shown = program.get("/api/documents/leave.md").json()
    assert (shown["in_force"], shown["deleted_by"]) == (False, "token ci")
    again = program.delete("/api/documents/leave.md")
    assert (again.status_code, "deleted already" in again.json()["error"]) == (409, True)
    assert read_audit(engine, workspace_id)[0].action == "document deleted"


@pytest.mark.parametrize("key", ["none.md", "%00", "%ff", "a/../b", "", "Leave", "x" * 5000])
def test_a_document_that_is_not_there(program: TestClient, work: Work, key: str) -> None:
    """A title is no key; any other key is not found, in words, and nothing is deleted."""
    send(program, work, LEAVE)
    for response in (
        program.get(f"/api/documents/{key}"),
        program.delete(f"/api/documents/{key}"),
    ):
        assert response.status_code == 404
        assert response.json()["error"].startswith("There is no")
    assert len(program.get("/api/documents").json()["documents"]) == 1


# --- jobs ----------------------------------------------------------------------------------


def test_waiting_ends_with_the_job(program: TestClient, work: Work) -> None:
    """Who asks with `wait` is answered when the outcome is there, not when the time is over."""
    uploaded = program.post("/api/documents", files=files(leave=LEAVE))
    worker = threading.Timer(0.3, work, [uploaded])
    worker.start()
    began = time.monotonic()
    ended = program.get(uploaded.json()["href"], params={"wait": 25}).json()
    worker.join()
    assert ended["state"] == "succeeded"
    assert time.monotonic() - began < 20


def test_waiting_has_an_end(program: TestClient) -> None:
    """Where no worker comes the state is told when the time is over."""
    uploaded = program.post("/api/documents", files=files(leave=LEAVE))
    assert program.get(f"{uploaded.json()['href']}?wait=1").json()["state"] == "queued"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("0" * 32, 404),
        ("1", 404),
        ("99999999999999999999", 404),
        ("%00", 404),
        ("..%2f..", 404),
        ("é", 404),
        (f"{'0' * 32}?wait=26", 422),
        (f"{'0' * 32}?wait=-1", 422),
        (f"{'0' * 32}?wait=nan", 422),
    ],
)
def test_a_job_that_is_not_there(program: TestClient, path: str, status: int) -> None:
    """Any other id is not found, in words, and a wait that is none is told so."""
    response = program.get(f"/api/jobs/{path}")
    assert response.status_code == status
    assert response.json()["error"].endswith(".")


def test_another_workspace_s_job_is_not_there(program: TestClient, engine: Engine) -> None:
    """Whose token belongs elsewhere does not see it."""
    uploaded = program.post("/api/documents", files=files(leave=LEAVE))
    other = ensure_workspace(engine, "other")
    _, secret = create_token(engine, other, "ci", [KNOWLEDGE_ADMIN], "operator")
    app = create_app(ScriptedAnswerer(), InMemoryDocuments(), workspace=Workspace(engine, other))
    theirs = TestClient(
        app, base_url="http://127.0.0.1:8400", headers={"Authorization": f"Bearer {secret}"}
    )
    assert theirs.get(uploaded.json()["href"]).status_code == 404
    assert theirs.get("/api/documents").json() == {"documents": []}
