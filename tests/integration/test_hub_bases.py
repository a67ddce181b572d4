"""Bases that are named by a hub's id, against a hub of the test's own."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from core.settings import ROOT
from tests.unit.finetune.bases import write_base

COMMIT = "c0ffee" + "0" * 34
# In a process of its own: the hub's package reads the address of its hub when it is imported.
LOOK = """
import json, sys
from core.errors import FootnoteError
from finetune.bases import find_base
try:
    base = find_base(sys.argv[1])
except FootnoteError as error:
    print(json.dumps({"error": str(error)}))
else:
    shape = base.shape
    said = base.render(None)([{"role": "user", "content": "Hi"}], True)
    print(json.dumps({"revision": base.revision, "hub_id": base.hub_id, "ends": base.ends,
                      "parameters": shape.parameters, "weights": base.weights, "said": said}))
"""


def serve(hub: HTTPServer, name: str, folder: Path) -> None:
    """Let the hub have a folder's files under a name, with its only commit."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    told = {
        "id": name,
        "sha": COMMIT,
        "siblings": [{"rfilename": one, "size": len(data)} for one, data in files.items()],
    }
    for place in (f"/api/models/{name}", f"/api/models/{name}/revision/{COMMIT}"):
        hub.expect_request(place).respond_with_json(told)

    def send(request: Request) -> Response:
        data = files.get(request.path.rpartition("/")[2])
        if data is None:
            return Response("", 404, {"X-Error-Code": "EntryNotFound"})
        head = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}  # noqa: S324
        wanted = request.headers.get("Range", "")
        if request.method == "GET" and wanted.startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            data = data[int(first) : int(last or len(data)) + 1]
            return Response(data, 206, head)
        return Response(data, 200, head)

    for one in (*files, "model.safetensors.index.json"):
        for commit in (COMMIT, "main"):
            hub.expect_request(f"/{name}/resolve/{commit}/{one}").respond_with_handler(send)


def look(named: str, hub: str, cache: Path) -> dict[str, Any]:
    """Look for a base; return what is known of it, or the sentence that refuses it."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK, named],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": hub,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_XET": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_a_base_at_the_hub_is_known_without_its_weights(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    """Its commit is pinned, its shape is read from the head of its weights."""
    folder = write_base(tmp_path / "base")
    serve(httpserver, "org/tiny", folder)
    told = look("org/tiny", httpserver.url_for("").rstrip("/"), tmp_path / "cache")
    size = (folder / "model.safetensors").stat().st_size
    assert told == {
        "revision": COMMIT,
        "hub_id": "org/tiny",
        "ends": ["<|end|>"],
        "parameters": 2 * (16 * 16 * 2 + 8 * 16 * 2 + 32 * 16 * 3) + 2 * 261 * 16 + 48,
        "weights": size,
        "said": "<|user|>\nHi<|end|>\n<|assistant|>\n",
    }
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_pickled_weights_at_the_hub_are_refused(httpserver: HTTPServer, tmp_path: Path) -> None:
    """Before anything of them is fetched."""
    folder = write_base(tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    serve(httpserver, "org/old", folder)
    told = look("org/old", httpserver.url_for("").rstrip("/"), tmp_path / "cache")
    assert "convert it to safetensors" in told["error"]


@pytest.mark.parametrize("named", ["org/nowhere", "no such folder", "a/b/c/d"])
def test_an_unknown_base_is_told(httpserver: HTTPServer, tmp_path: Path, named: str) -> None:
    """A sentence says that neither a folder nor the hub has it."""
    missing = Response("", 404, {"X-Error-Code": "RepoNotFound"})
    httpserver.expect_request("/api/models/org/nowhere").respond_with_response(missing)
    told = look(named, httpserver.url_for("").rstrip("/"), tmp_path / "cache")
    assert f"There is no folder {named} here" in told["error"]
    assert "correct --base" in told["error"]


def test_a_hub_that_is_away_is_told(tmp_path: Path) -> None:
    """A sentence says to download the base and name its folder."""
    told = look("org/tiny", "http://127.0.0.1:9", tmp_path / "cache")
    assert "the hub cannot be asked" in told["error"]
