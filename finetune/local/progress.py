"""What the training process tells: a line of JSON each, which the parent follows."""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from finetune.local_process import PROGRESS


class Progress:
    """Appends lines to the folder's progress; with several devices only the first one tells."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS
        self._silent = os.environ.get("RANK", "0") != "0"

    def tell(self, kind: str, **values: Any) -> None:
        """Append one line; any device tells why it failed."""
        if self._silent and kind != "failed":
            return
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"kind": kind, **values}) + "\n")

    def step(self, step: int, total: int, figures: dict[str, float]) -> None:
        """Tell that a step is done, with what was measured there."""
        self.tell("step", step=step, total=total, figures=figures)

    def event(self, message: str, key: str | None = None) -> None:
        """Tell what happened; the same key is kept once."""
        self.tell("event", message=message, key=key)


def end_with_parent() -> None:
    """End this process when the pipe to its standard input closes: its parent is gone."""

    def watch() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
