"""When `up` starts to serve local style models: as soon as one is in use."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cli.services import Service
from finetune.backends import TrainingError
from finetune.local_runs import need_packages
from finetune.serving import wanted_models

LOOK_EVERY = 5.0  # seconds between looks at the registry
IN_USE = ("active", "canary")  # a candidate is served by who measures it


@dataclass
class LocalVoice:
    """Looks now and then whether a local style model is in use, and makes its service once.

    `check` raises TrainingError where what serves models is not installed.
    """

    engine: Engine
    workspace_id: int
    make: Callable[[], Service]
    check: Callable[[], None] = need_packages
    look_every: float = LOOK_EVERY
    _made: bool = False
    _look_at: float = 0.0

    def due(self) -> Service | None:
        """Return the service to start now, or None."""
        now = time.monotonic()
        if self._made or now < self._look_at:
            return None
        self._look_at = now + self.look_every
        try:
            models = wanted_models(self.engine, self.workspace_id, ())
        except DBAPIError:  # away for a moment: the next look counts
            return None
        if not any(model.state in IN_USE for model in models):
            return None
        try:
            self.check()
        except TrainingError:  # `doctor` says so; answers keep their plain words until then
            return None
        self._made = True
        return self.make()
