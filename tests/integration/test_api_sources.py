"""Watched places over HTTP: added, looked at, paused and removed by a program."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from admin.api import Places, Workspace
from admin.app import create_app
from ingestion.sources import SourceError
from store.access import KNOWLEDGE_ADMIN
from store.audit import read_audit
from store.source_items import save_item_failure
from store.sources import find_source
from store.tokens import create_token
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer

HANDBOOK: dict[str, Any] = {
    "name": "handbook",
    "uri": "https://handbook.example.com/",
    "audience": ["everyone"],
}


def check(kind: str, uri: str, options: dict[str, str]) -> None:
    """Refuse what the scanners would, in this test by one option."""
    if "never" in options:
        raise SourceError(f"{uri}: a {kind} source has no option never; leave it out.")


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """The folder that the operator opened."""
    folder = tmp_path / "open"
    (folder / "policies").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "way-out").symlink_to(tmp_path / "closed")
    return folder


@pytest.fixture
def program(engine: Engine, workspace_id: int, opened: Path) -> TestClient:
    """A program with a token."""
    _, secret = create_token(engine, workspace_id, "ci", [KNOWLEDGE_ADMIN], "operator")
    workspace = Workspace(engine, workspace_id, places=Places(check, (opened,)))
    app = create_app(ScriptedAnswerer(), InMemoryDocuments(), workspace=workspace)
    return TestClient(
        app, base_url="http://127.0.0.1:8400", headers={"Authorization": f"Bearer {secret}"}
    )


def looks(engine: Engine) -> int:
    """Count the looks that are to be done."""
    with engine.connect() as connection:
        jobs = text("SELECT count(*) FROM jobs WHERE kind = 'sync_source' AND state = 'queued'")
        return int(connection.execute(jobs).scalar_one())


def test_a_source_is_added_and_looked_at(
    program: TestClient, engine: Engine, workspace_id: int
) -> None:
    """201 with how it stands; a look is to be done, a schedule set, and the deed is kept."""
    added = program.post("/api/sources", json=HANDBOOK | {"every": 60, "trust": 2})
    assert added.status_code == 201, added.text
    told = added.json()
    assert (told["kind"], told["state"], told["every"], told["trust"]) == ("web", "active", 60, 2)
    assert told["next_at"] is not None
    assert program.get("/api/sources").json() == {"sources": [told]}
    assert program.get(added.headers["location"]).json() == told | {"failed_items": []}
    assert looks(engine) == 1
    entry = read_audit(engine, workspace_id)[0]
    assert (entry.actor, entry.action, entry.subject) == ("token ci", "source added", "handbook")
    again = program.post("/api/sources", json=HANDBOOK)
    assert (again.status_code, "watched already" in again.json()["error"]) == (409, True)


def test_a_source_rests_goes_on_and_ends(program: TestClient) -> None:
    """Each answers with how the source stands; the last leaves nothing to look at."""
    program.post("/api/sources", json=HANDBOOK)
    assert program.post("/api/sources/handbook/pause").json()["state"] == "paused"
    assert program.post("/api/sources/handbook/resume").json()["state"] == "active"
    look = program.post("/api/sources/handbook/sync")
    assert (look.status_code, look.json()["href"]) == (202, "/api/sources/handbook")
    removed = program.delete("/api/sources/handbook?keep_documents=true")
    assert removed.json() == {"removed": "handbook", "documents_withdrawn": 0}
    assert program.get("/api/sources/handbook").status_code == 404


def test_what_could_not_be_read_is_told(
    program: TestClient, engine: Engine, workspace_id: int
) -> None:
    """Items with their reasons."""
    program.post("/api/sources", json=HANDBOOK)
    source = find_source(engine, workspace_id, "handbook")
    save_item_failure(engine, source.id, "/old", "The page is gone.")
    told = program.get("/api/sources/handbook").json()
    assert told["failures"] == 1
    assert told["failed_items"] == [{"item": "/old", "reason": "The page is gone."}]


def test_a_folder_that_the_operator_opened_may_be_watched(
    program: TestClient, opened: Path
) -> None:
    """It, and what lies below it."""
    for name, folder in (("all", opened), ("part", opened / "policies")):
        added = program.post("/api/sources", json=HANDBOOK | {"name": name, "uri": str(folder)})
        assert (added.status_code, added.json().get("uri")) == (201, str(folder)), added.text


@pytest.mark.parametrize(
    "uri",
    ["/etc", "../closed", "{open}/../closed", "{open}/way-out", "{open}2", ".", "C:\\x", "/"],
)
def test_other_folders_are_not(program: TestClient, opened: Path, uri: str) -> None:
    """Neither beside it nor by a way around, whatever it is called; the sentence says why."""
    for kind in (None, "folder"):
        place = {"uri": uri.replace("{open}", str(opened)), "kind": kind}
        refused = program.post("/api/sources", json=HANDBOOK | place)
        assert refused.status_code == 403
        assert "FOOTNOTE_SOURCE_FOLDERS" in refused.json()["error"]
    assert program.get("/api/sources").json() == {"sources": []}


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("address", "file:///etc"),
        ("address", "local:///etc"),
        ("address", "simplecache::file:///etc"),
        ("address", "s3://x::file:///etc"),
        ("address", "memory://x"),
        ("address", "/etc"),
        ("git", "/srv/repository"),
        ("git", "file:///srv/repository"),
        ("git", "git+file:///srv/repository"),
        ("web", "file:///etc/passwd"),
        ("web", "ftps://x"),
        (None, "FILE:///etc"),
    ],
)
def test_no_other_kind_reads_this_server_s_files(
    program: TestClient, kind: str | None, uri: str
) -> None:
    """An address that leads to files here is refused under every kind."""
    refused = program.post("/api/sources", json=HANDBOOK | {"kind": kind, "uri": uri})
    assert refused.status_code == 422
    assert "cannot be watched over HTTP" in refused.json()["error"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a/sync"}, "name"),
        ({"name": "a\x00b"}, "printable"),
        ({"uri": "https://x\x00"}, "printable"),
        ({"uri": 7}, "uri"),
        ({"audience": []}, "audience"),
        ({"audience": ["all"]}, "write everyone"),
        ({"audience": [" "]}, "Say in audience who may read"),
        ({"audience": None}, "audience"),
        ({"every": 1}, "every"),
        ({"every": 10**30}, "every"),
        ({"trust": 11}, "trust"),
        ({"kind": "upload"}, "kind"),
        ({"options": {"never": "x"}}, "has no option never"),
        ({"options": {"glob": ["x"]}}, "glob"),
        ({"option": {}}, "option"),
    ],
)
def test_what_cannot_be_used_is_told(
    program: TestClient, changes: dict[str, Any], told: str
) -> None:
    """The sentence names the field, and nothing is watched."""
    refused = program.post("/api/sources", json=HANDBOOK | changes)
    assert refused.status_code == 422
    assert told in refused.json()["error"]
    assert program.get("/api/sources").json() == {"sources": []}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 5000])
def test_what_is_no_json_object_is_refused(program: TestClient, body: bytes) -> None:
    """In words, whatever it is."""
    refused = program.post(
        "/api/sources", content=body, headers={"Content-Type": "application/json"}
    )
    assert refused.status_code in (400, 422)
    assert set(refused.json()) == {"error"}


@pytest.mark.parametrize("name", ["none", "%00", "a/b", "", "x" * 3000])
def test_a_source_that_is_not_there(program: TestClient, name: str) -> None:
    """Not found, for every request."""
    address = f"/api/sources/{name}"
    for response in (
        program.get(address) if name else program.get("/api/sources/none"),
        program.delete(address),
        *(program.post(f"{address}/{verb}") for verb in ("sync", "pause", "resume")),
    ):
        assert response.status_code == 404
        assert response.json()["error"].startswith("There is no")
