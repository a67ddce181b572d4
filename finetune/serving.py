"""Serving local models from outside: which are wanted, and the process that answers for them.

Nothing here loads torch: `finetune.serve.server` does, in a process of its own.
"""

import importlib.util
import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine

from core.errors import FootnoteError
from finetune.gpu_memory import free_of_cards
from finetune.local_process import child_environment, end_process
from store.model_registry import Model, find_model, list_models, set_endpoint

START_PATIENCE = 180.0  # seconds until the process listens; reading torch from a cold disk is slow
LISTENER_PATIENCE = 5.0  # seconds until what the ended process said has been read
LOOK = 0.5  # seconds between two looks at the registry
WAITING = 16  # requests that may wait for their turn
PATIENCE = 30.0  # seconds that one waits at most
HERE = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - refused without a key and an address


class ServingError(FootnoteError):
    """Local models cannot be served; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Where to listen, who is answered, and how many texts are spoken at once.

    vLLM decides that for itself. `url` is where others reach it, if not at the address listened
    at: with `/v1` at its end.
    """

    host: str
    port: int
    key: str | None
    at_once: int = 1
    vllm: bool = False
    url: str | None = None

    def __post_init__(self) -> None:
        if self.host in EVERYWHERE and self.url is None:
            raise ServingError(
                f"{self.host} is every address of this machine; name with --url the one at which"
                " the bot reaches it, such as http://gpu-1:8402/v1."
            )
        if self.host not in HERE and self.key is None:
            raise ServingError(
                "Serving beyond this machine needs a key; set FOOTNOTE_SERVE_KEY here and where"
                " the bot runs."
            )


def uses_vllm() -> bool:
    """Whether vLLM is installed beside a graphics card."""
    return importlib.util.find_spec("vllm") is not None and bool(free_of_cards())


def is_local(model: Model) -> bool:
    """Whether a model is a folder of weights here."""
    folder = Path(model.artefact)
    return model.kind == "style" and folder.is_absolute() and (folder / "config.json").is_file()


def wanted_models(engine: Engine, workspace_id: int, named: Sequence[str]) -> list[Model]:
    """Return the local models to serve: the named ones, else those in use or about to be.

    These are the active one, the one before it (for a return), the canary, and the newest
    candidate (for its gate). Raises NotFoundError, ServingError for one that cannot be served.
    """
    if named:
        found = [find_model(engine, workspace_id, name) for name in named]
        for model in found:
            if not is_local(model):
                raise ServingError(
                    f"{model.name} is no model of this machine (a folder of weights); only such"
                    " ones are served here."
                )
        return found
    known = {one.id: one for one in list_models(engine, workspace_id, "style")}
    chosen: dict[int, Model] = {}
    for one in known.values():
        if one.state in ("active", "canary"):
            chosen[one.id] = one
        if one.state == "active" and one.previous_id in known:
            chosen[one.previous_id] = known[one.previous_id]
    candidates = [one for one in known.values() if one.state == "candidate" and is_local(one)]
    if candidates:
        newest = max(candidates, key=lambda one: one.id)
        chosen[newest.id] = newest
    return [one for one in chosen.values() if is_local(one)]


class Server:
    """The process that serves; for one thread. Its end takes every address back."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self._engine = engine
        self._place = place
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._models: dict[int, Model] = {}  # that were told to it
        self._addressed: set[int] = set()  # of which the registry has the address
        self._failed: dict[str, str] = {}  # folder and reason
        self._loaded: set[str] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "finetune.serve.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.address = ""

    def start(self) -> None:
        """Let it listen; raises ServingError where it cannot."""
        place = self._place
        self._tell(
            {
                "host": place.host,
                "port": place.port,
                "key": place.key,
                "vllm": place.vllm,
                "at_once": place.at_once,
                "waiting": WAITING,
                "patience": PATIENCE,
            }
        )
        try:
            first = self._said.get(timeout=START_PATIENCE)
        except queue.Empty as error:
            raise ServingError("The server of models did not start in time.") from error
        if first is None:
            raise ServingError("The server of models ended at once; its lines above say why.")
        if "stopped" in first:
            raise ServingError(first["stopped"])
        host = f"[{place.host}]" if ":" in place.host else place.host
        self.address = place.url or f"http://{host}:{first['port']}/v1"

    def serve(self, wanted: Sequence[Model]) -> list[str]:
        """Let it serve these models; return what there is to tell of, in sentences.

        Called again and again: what was loaded meanwhile gets its address in the registry, and
        what is not wanted any more loses it first. Raises ServingError when the process ended.
        """
        models = {one.id: one for one in wanted}
        told: list[str] = []
        for gone in self._models.keys() - models.keys():
            told.append(f"{self._models[gone].name} is not served any more")
            self._take_back(gone)
        if names_by_folder(models) != names_by_folder(self._models):
            self._failed = {
                folder: why
                for folder, why in self._failed.items()
                if folder in names_by_folder(self._models)
            }
            self._tell({"models": names_by_folder(models)})
            self._loaded &= set(names_by_folder(models))
        self._models = models
        told += self._hear()
        for model in models.values():
            if model.artefact not in self._loaded:
                continue
            if model.id not in self._addressed:
                told.append(f"{model.name} ({model.state}) is served at {self.address}")
            # Where two serve it, the later one is asked, and the other again once that has ended.
            if model.id not in self._addressed or model.endpoint is None:
                set_endpoint(self._engine, model.id, self.address)
            self._addressed.add(model.id)
        return told

    def _hear(self) -> list[str]:
        told: list[str] = []
        while True:
            try:
                line = self._said.get_nowait()
            except queue.Empty:
                return told
            if line is None:
                raise ServingError("The server of models ended; its lines above say why.")
            if line["failed"] is None:
                self._loaded.add(line["folder"])
            elif line["folder"] not in self._failed:
                self._failed[line["folder"]] = line["failed"]
                names = names_by_folder(self._models).get(line["folder"], [line["folder"]])
                told.append(f"{names[0]} is not served: {line['failed']}")

    def close(self) -> None:
        """Take the addresses back and end the process."""
        for model_id in list(self._addressed):
            self._take_back(model_id)
        end_process(self._process)
        self._listener.join(LISTENER_PATIENCE)
        if self._process.stdout is not None and not self._listener.is_alive():
            self._process.stdout.close()

    def _take_back(self, model_id: int) -> None:
        """Remove a model's address, unless another server has put its own there."""
        if model_id not in self._addressed:
            return
        self._addressed.discard(model_id)
        model = self._models[model_id]
        kept = find_model(self._engine, model.workspace_id, model_id)
        if kept.endpoint == self.address:
            set_endpoint(self._engine, model_id, None)

    def _tell(self, line: Mapping[str, Any]) -> None:
        stream = self._process.stdin
        if stream is None:
            raise ServingError("The server of models cannot be told anything.")
        try:
            stream.write(json.dumps(line).encode() + b"\n")
            stream.flush()
        except BrokenPipeError as error:
            raise ServingError("The server of models ended; its lines above say why.") from error

    def _listen(self) -> None:
        stream: IO[bytes] | None = self._process.stdout
        for line in stream or ():
            self._said.put(json.loads(line))
        self._said.put(None)


def names_by_folder(models: Mapping[int, Model]) -> dict[str, list[str]]:
    """Return the names that each folder's model is asked by: its own, its number, its folder."""
    named: dict[str, list[str]] = {}
    for model in models.values():
        named.setdefault(model.artefact, []).append(model.name)
    return {folder: [*names, folder] for folder, names in named.items()}
