"""Models served by vLLM, one process each, behind the one address of ours.

Requests are passed on as they come and answers as they go; only the model's name is changed to
the one that its process knows, and a request that names no temperature gets greedy words, as from
our own server. Nothing here loads torch.
"""

import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.responses import Response

from core.errors import FootnoteError
from core.listening import listen
from finetune.local_process import child_environment, end_process
from finetune.serve.problems import LARGEST_BODY, problem

LOADING = 900.0  # seconds until a model must be ready; the first time vLLM compiles kernels
LOOK = 0.2  # seconds between two looks whether it is
CONNECT = 5.0  # seconds to reach a process of ours
SPEAKING = 120.0  # seconds for the next piece of a text
SHARE = 0.22  # of the card's memory for each: four are kept loaded
# Its usual log has the words of requests, and it reports its use to its makers.
QUIET = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
SERVED = "model"  # what each process calls its one model


class FleetError(FootnoteError):
    """A model could not be loaded by vLLM."""


def vllm_command(folder: Path, port: int) -> list[str]:
    """Return how vLLM is started for a folder."""
    options = {
        "--served-model-name": SERVED,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--gpu-memory-utilization": str(SHARE),
    }
    said = [part for pair in options.items() for part in pair]
    vllm = [sys.executable, "-P", "-m", "vllm.entrypoints.cli.main"]
    return [*vllm, "serve", str(folder), *said]


@dataclass(frozen=True)
class Ship:
    """One model's process."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    address: str
    loaded_at: float


class Fleet:
    """The models that are loaded, by every name they are asked by; for several threads."""

    def __init__(self, command: Callable[[Path, int], Sequence[str]] = vllm_command) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._ships: dict[Path, Ship] = {}
        self._names: dict[Path, tuple[str, ...]] = {}

    @property
    def folders(self) -> set[Path]:
        """The folders of all loaded models."""
        with self._lock:
            return set(self._ships)

    def listed(self) -> list[tuple[str, int]]:
        """Return each model's first name and when it was loaded, in seconds since 1970."""
        with self._lock:
            return [
                (names[0], int(self._ships[folder].loaded_at))
                for folder, names in self._names.items()
            ]

    def find(self, name: str) -> Ship | None:
        """Return the model of a name, None where none is loaded."""
        with self._lock:
            found = (folder for folder, names in self._names.items() if name in names)
            return self._ships.get(next(found, Path()))

    def load(self, folder: Path, names: tuple[str, ...]) -> None:
        """Start a process for a model and wait until it answers; raises FleetError."""
        with listen("127.0.0.1", 0) as probe:  # a port that is free now
            port = int(probe.getsockname()[1])
        process = subprocess.Popen(
            list(self._command(folder, port)),
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            env=child_environment() | QUIET,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _await(process, address)
        except FleetError:
            end_process(process)
            raise
        with self._lock:
            self._ships[folder] = Ship(folder, process, address, time.time())
            self._names[folder] = names

    def rename(self, folder: Path, names: tuple[str, ...]) -> None:
        """Let a loaded model be found by other names."""
        with self._lock:
            self._names[folder] = names

    def unload(self, folder: Path) -> None:
        """End a model's process."""
        with self._lock:
            ship = self._ships.pop(folder, None)
            self._names.pop(folder, None)
        if ship is not None:
            end_process(ship.process)

    def close(self) -> None:
        """End all processes."""
        for folder in self.folders:
            self.unload(folder)


def _await(process: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + LOADING
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise FleetError(
                f"vLLM ended with status {process.returncode}; its lines above say why."
            )
        try:
            if httpx.get(f"{address}/health", timeout=CONNECT).status_code == 200:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(LOOK)
    raise FleetError(f"vLLM did not load it within {LOADING / 60:.0f} minutes.")


def create_front(fleet: Fleet, key: str | None) -> FastAPI:
    """Return the one address of a fleet; with a `key` nobody else is answered."""
    app = FastAPI(title="Footnote's models", openapi_url=None, docs_url=None, redoc_url=None)
    client = httpx.AsyncClient(timeout=httpx.Timeout(SPEAKING, connect=CONNECT), trust_env=False)

    @app.middleware("http")
    async def admit(request: Request, call_next: Any) -> Response:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if (
            key is not None
            and request.url.path != "/health"
            and not hmac.compare_digest(shown.encode(), key.encode())
        ):
            return problem(401, "The key is missing or wrong.", "invalid_api_key")
        answer: Response = await call_next(request)
        return answer

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        listed = [
            {"id": name, "object": "model", "created": created, "owned_by": "footnote"}
            for name, created in fleet.listed()
        ]
        return {"object": "list", "data": listed}

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        try:
            body = json.loads(await _read(request))
            name = body["model"]
        except (ValueError, KeyError, TypeError):
            return problem(400, "The request is no JSON with a model and messages.")
        ship = fleet.find(name) if isinstance(name, str) else None
        if ship is None:
            return problem(404, "No such model is served here.", "model_not_found", "model")
        passed = {"temperature": 0, **body, "model": SERVED}
        asked = client.build_request("POST", f"{ship.address}/v1/chat/completions", json=passed)
        try:
            answer = await client.send(asked, stream=True)
        except httpx.TransportError:
            return problem(502, "The model's process does not answer.", "model_failed")
        kind = answer.headers.get("content-type", "application/json")
        if not kind.startswith("text/event-stream"):
            told = json.loads(await answer.aread())
            renamed = told | ({"model": name} if "model" in told else {})
            return JSONResponse(renamed, answer.status_code)
        return StreamingResponse(_pieces(answer), answer.status_code, media_type=kind)

    return app


async def _read(request: Request) -> bytes:
    """Return a request's body; raises ValueError where it is too large."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise ValueError("too large")
    return body


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Pass a stream on; who stops reading ends it at its source too."""
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
