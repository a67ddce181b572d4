"""`python -m finetune.serve.server`: loads the models it is told of and answers for them.

Its parent speaks to it in lines of JSON: first how to listen, then, whenever that changes, all
models that are to be loaded. It answers in such lines what became of each, and ends when its
standard input closes.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from fastapi import FastAPI

from core.errors import FootnoteError
from core.listening import listen, quiet_server
from core.logs import configure_logs, logger

log = logger(__name__)


def main() -> None:
    """Serve until the parent is gone."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what packages print is no answer
    configure_logs("WARNING", sys.stderr)
    told = json.loads(sys.stdin.readline())
    speakers, app = opened(told)
    try:
        listener = listen(told["host"], told["port"], "--port")
    except FootnoteError as error:
        tell(answers, stopped=str(error))
        return
    server = quiet_server(app)
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    tell(answers, port=listener.getsockname()[1])
    for line in sys.stdin:
        change(speakers, json.loads(line)["models"], answers)
    speakers.close()
    os._exit(0)


class Loaded(Protocol):
    """The models that are loaded, here or by vLLM."""

    @property
    def folders(self) -> set[Path]:
        """The folders of all loaded models."""

    def load(self, folder: Path, names: tuple[str, ...]) -> None:
        """Load a model."""

    def rename(self, folder: Path, names: tuple[str, ...]) -> None:
        """Let a loaded model be found by other names."""

    def unload(self, folder: Path) -> None:
        """Forget a model."""

    def close(self) -> None:
        """Give back what all of them hold."""


def opened(told: Mapping[str, Any]) -> tuple[Loaded, FastAPI]:
    """Return what loads models and answers for them, as the parent chose."""
    if told["vllm"]:
        from finetune.serve.fleet import Fleet, create_front  # noqa: PLC0415 - without torch

        fleet = Fleet()
        return fleet, create_front(fleet, told["key"])
    from finetune.serve.api import create_app  # noqa: PLC0415 - with torch
    from finetune.serve.speaking import Speakers  # noqa: PLC0415 - the same

    speakers = Speakers(told["at_once"], told["waiting"], told["patience"])
    return speakers, create_app(speakers, told["key"])


def change(speakers: Loaded, wanted: Mapping[str, list[str]], answers: TextIO) -> None:
    """Load what is wanted and not there, and forget what is no longer wanted.

    `wanted` are the names of each model by its folder. New ones are loaded first, so that the old
    one answers until they do.
    """
    folders = {Path(folder): tuple(names) for folder, names in wanted.items()}
    for folder, names in folders.items():
        if folder in speakers.folders:
            speakers.rename(folder, names)
            continue
        try:
            speakers.load(folder, names)
        except Exception as error:  # noqa: BLE001 - a broken model must not end the others
            log.warning("model not loaded", folder=folder.name, error=type(error).__name__)
            tell(answers, folder=str(folder), failed=reason(error))
        else:
            tell(answers, folder=str(folder), failed=None)
    for folder in speakers.folders - set(folders):
        speakers.unload(folder)


def reason(error: Exception) -> str:
    """Return in a few words why a model could not be loaded."""
    if isinstance(error, FootnoteError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "There is too little memory for it; retire another model, or serve fewer."
    return f"Its files cannot be loaded ({type(error).__name__}); train or export it again."


def tell(answers: TextIO, **values: Any) -> None:
    """Write one answer to the parent."""
    answers.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
