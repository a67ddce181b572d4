"""The API for curators on a real database: lists, decisions, edits, labels, files."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from admin.api import Workspace
from admin.app import create_app
from finetune.curate import curate
from store.access import CURATOR, KNOWLEDGE_ADMIN
from store.audit import read_audit
from store.tokens import create_token
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer

ROWS = [
    {"id": f"r{number}", "question": f"Hello, this is Xylophon. {word}?", "answer": reply}
    for number, (word, reply) in enumerate(
        (
            ("May I send the lamp back", "Of course you can, and thank you for telling us."),
            ("Is my parcel here", "Everything is ready for you at the desk, just ask."),
            ("What is this", "Look at https://evil.example/now for more of that."),
        )
    )
]
FILE = "\n".join(json.dumps(row) for row in ROWS).encode()


@pytest.fixture
def stranger(engine: Engine, workspace_id: int) -> TestClient:
    """A program without a token."""
    app = create_app(
        ScriptedAnswerer(), InMemoryDocuments(), workspace=Workspace(engine, workspace_id)
    )
    return TestClient(app, base_url="http://127.0.0.1:8400")


@pytest.fixture
def curator(stranger: TestClient, engine: Engine, workspace_id: int) -> TestClient:
    """A curator's program, after an import that was read."""
    secret = create_token(engine, workspace_id, "curation", [CURATOR], "operator")[1]
    stranger.headers["Authorization"] = f"Bearer {secret}"
    done = stranger.post(
        "/api/transcripts/import?name=chats.jsonl&audience=everyone", content=FILE
    )
    assert done.status_code == 201, done.text
    assert done.json()["added"] == 3
    curate(engine, workspace_id)
    return stranger


def listed(program: TestClient, **wanted: Any) -> list[dict[str, Any]]:
    """The transcripts of a page."""
    told: list[dict[str, Any]] = program.get("/api/transcripts", params=wanted).json()[
        "transcripts"
    ]
    return told


def test_roles_decide_who_may_curate(
    stranger: TestClient, engine: Engine, workspace_id: int
) -> None:
    """Curators and knowledge admins; a curator changes no documents; refusals are kept."""
    for roles, curates, documents in (
        ([CURATOR], 200, 403),
        ([KNOWLEDGE_ADMIN], 200, 200),
        ([], 403, 403),
    ):
        name = "-".join(roles) or "none"
        _, secret = create_token(engine, workspace_id, name, roles, "operator")
        bearer = {"Authorization": f"Bearer {secret}"}
        assert stranger.get("/api/transcripts", headers=bearer).status_code == curates
        assert stranger.get("/api/documents", headers=bearer).status_code == documents
    body = {"revision": 0}
    refused = stranger.post("/api/transcripts/1/approve", json=body, headers=bearer)
    assert (refused.status_code, "role curator" in refused.json()["error"]) == (403, True)
    assert read_audit(engine, workspace_id)[0].detail == {"reason": "no role curator"}
    assert stranger.get("/api/transcripts").status_code == 401


def test_lists_come_in_pages_and_by_what_was_found(curator: TestClient) -> None:
    """Redacted words alone, with findings, and where the next page begins."""
    first = curator.get("/api/transcripts", params={"limit": 2}).json()
    assert len(first["transcripts"]) == 2
    rest = listed(curator, limit=2, after=first["next_after"])
    assert [one["state"] for one in rest] == ["quarantined"]
    assert [one["id"] for one in listed(curator, finding="link")] == [rest[0]["id"]]
    assert len(listed(curator, clean=True)) == 2
    assert listed(curator, origin="escalation") == []
    assert "Xylophon" not in json.dumps(first)
    one = curator.get(f"/api/transcripts/{rest[0]['id']}", params={"original": True}).json()
    assert "Xylophon" in one["original"][0]["text"]
    assert one["audience"] == ["everyone"]
    assert curator.get("/api/transcripts/stats").json()["states"] == {
        "candidate": 2,
        "quarantined": 1,
    }


def test_each_change_names_the_revision_it_is_for(curator: TestClient) -> None:
    """An older one is refused with 409 and changes nothing."""
    one = listed(curator)[0]
    address, body = f"/api/transcripts/{one['id']}", {"revision": one["revision"]}
    labelled = curator.put(
        f"{address}/labels", json={**body, "labels": {"route": "policy", "tone": ["warm"]}}
    )
    assert labelled.json()["labels"] == {"route": "policy", "tone": ["warm"]}
    for method, path, more in (
        ("PUT", "labels", {"labels": {}}),
        ("PUT", "words", {"messages": one["words"]}),
        ("POST", "approve", {}),
        ("POST", "reject", {}),
        ("POST", "reopen", {}),
    ):
        late = curator.request(method, f"{address}/{path}", json={**body, **more})
        assert (late.status_code, path) == (409, path)
        assert "look at it again" in late.json()["error"]
    assert curator.get(address).json()["revision"] == one["revision"] + 1


def test_words_are_edited_and_approved(
    curator: TestClient, engine: Engine, workspace_id: int
) -> None:
    """What an edit brings in is redacted; the audit log names the program."""
    one = listed(curator)[0]
    address = f"/api/transcripts/{one['id']}"
    better = [one["words"][0], {"role": "team", "text": "Yes! Ask jane@example.com."}]
    edited = curator.put(
        f"{address}/words", json={"revision": one["revision"], "messages": better}
    ).json()
    assert edited["words"][1]["text"] == "Yes! Ask [EMAIL_1]."
    done = curator.post(f"{address}/approve", json={"revision": edited["revision"]}).json()
    assert (done["state"], done["reviewed_by"]) == ("approved", "token curation")
    again = curator.post(f"{address}/approve", json={"revision": done["revision"]})
    assert (again.status_code, "approved already" in again.json()["error"]) == (409, True)
    reopened = curator.post(f"{address}/reopen", json={"revision": done["revision"]}).json()
    assert reopened["transcript"]["state"] == "candidate"
    assert reopened["withdrawn_datasets"] == []
    actions = [entry.action for entry in read_audit(engine, workspace_id)]
    assert actions[:3] == ["transcript reopened", "transcript approved", "transcript edited"]


def test_what_was_kept_apart_needs_a_word_more(curator: TestClient) -> None:
    """The reasons are told first."""
    (one,) = listed(curator, state="quarantined")
    address, body = f"/api/transcripts/{one['id']}/approve", {"revision": one["revision"]}
    refused = curator.post(address, json=body)
    assert (refused.status_code, "holds a link" in refused.json()["error"]) == (409, True)
    assert curator.post(address, json={**body, "anyway": True}).json()["state"] == "approved"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("PUT", "1/labels", {"revision": 0, "labels": {"mood": "x"}}, 422, "no label 'mood'"),
        ("PUT", "1/words", {"revision": 0, "messages": []}, 422, "at least one message"),
        ("POST", "1/approve", {}, 422, "revision"),
        ("POST", "999/reject", {"revision": 0}, 404, "no transcript 999"),
        ("POST", "0/reject", {"revision": 0}, 404, ""),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    curator: TestClient, method: str, path: str, body: Any, status: int, reason: str
) -> None:
    """With the status that fits; nothing is changed."""
    response = curator.request(method, f"/api/transcripts/{path}", json=body)
    assert response.status_code == status
    assert reason in response.json()["error"]


def test_a_file_with_a_bad_row_is_refused_whole(curator: TestClient) -> None:
    """Its row is named; skipped where that is asked for."""
    data = FILE.replace(b"r0", b"x0") + b"\n{"
    address = "/api/transcripts/import"
    refused = curator.post(address, params={"name": "b.jsonl"}, content=data)
    assert (refused.status_code, "Row 4" in refused.json()["error"]) == (422, True)
    taken = curator.post(address, params={"name": "b.jsonl", "skip_bad": True}, content=data)
    assert (taken.status_code, taken.json()["added"], taken.json()["bad"]) == (201, 3, 1)
    assert curator.post(address, content=data).status_code == 422
    wrong = {"name": "b", "audience": "me"}
    assert "is no audience" in curator.post(address, params=wrong, content=FILE).json()["error"]
