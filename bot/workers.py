"""Works on accepted events: threads that claim them, and one that keeps watch over all.

An event whose process was killed is free again when its lease runs out. One that is not answered
in time gets an apology, from whichever process notices first.
"""

import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.bell import Bell
from bot.failures import note_failure
from bot.handling import Handler, too_late, went_wrong
from bot.timing import OwnTimes
from bot.workspaces import Workspace, Workspaces
from core.logs import logger
from store.events import Event, claim_event, end_event, extend_events, overdue_events

WORKERS = 8  # questions answered at once
LEASE = 10.0  # seconds that an event stays with a process that was killed
WATCH_EVERY = 1.0  # seconds between looks at what is late
LOOK_EVERY = 1.0  # seconds between looks for what another process left behind
REST = 5.0  # seconds between looks of the other workers
ANSWER_DEADLINE = 45.0  # seconds from acceptance; leaves 15 to post within a minute
CLOSING = 5.0  # seconds that questions get when the bot stops
CHORES_EVERY = 3.0  # seconds between rounds of what is due for each workspace

Chore = Callable[[Workspace], object]
"""What is done for each workspace now and then, such as posting corrections."""

log = logger(__name__)


class Workers:
    """Handles the events of all workspaces that this process serves."""

    def __init__(
        self,
        engine: Engine,
        workspaces: Workspaces,
        handler: Handler,
        bell: Bell,
        times: OwnTimes,
        *,
        deadline: float = ANSWER_DEADLINE,
        chores: Sequence[Chore] = (),
        count: int = WORKERS,
    ) -> None:
        self._engine = engine
        self._workspaces = workspaces
        self._handler = handler
        self._bell = bell
        self._times = times
        self._deadline = deadline
        self._chores = chores
        self._stop = threading.Event()
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(every,), name=f"worker-{n}", daemon=True)
            for n, every in enumerate([LOOK_EVERY, *[REST] * (count - 1)])
        ]
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._chorer = threading.Thread(target=self._do_chores, name="chores", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier bot left behind."""
        for thread in (*self._threads, self._watcher, self._chorer):
            thread.start()

    def close(self) -> None:
        """Finish what is being worked on, within seconds; the rest waits for the next bot."""
        self._stop.set()
        self._bell.ring_all()
        until = time.monotonic() + CLOSING
        for thread in (*self._threads, self._watcher, self._chorer):
            thread.join(max(until - time.monotonic(), 0.1))

    def _run(self, every: float) -> None:
        while not self._stop.is_set():
            heard = self._bell.count
            try:
                event = claim_event(
                    self._engine, self._handler.owner, LEASE, self._workspaces.only
                )
                if event is not None:
                    self._bell.ring()  # there may be more
                    self._work(event)
                    continue
            except SQLAlchemyError as error:
                log.warning("events wait", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                note_failure("worker failed", error)
            self._bell.wait(heard, every)

    def _work(self, event: Event) -> None:
        workspace = self._workspaces.of_id(event.workspace_id)
        if workspace is None:
            with self._engine.begin() as connection:
                end_event(connection, event.id, "uninstalled")
            return
        with self._lock:
            self._held.add(event.id)
        try:
            with self._times.handling(event.id):
                self._handler.handle(workspace, event)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of an event
            went_wrong(workspace, event, self._handler, error)
        finally:
            with self._lock:
                self._held.discard(event.id)
        self._bell.ring()  # the next of its conversation may be taken up

    # --- watching ---------------------------------------------------------------------------

    def _watch(self) -> None:
        """Hold on to what is worked on, and apologise for what is late."""
        extended = time.monotonic()
        while not self._stop.wait(min(WATCH_EVERY, self._deadline / 4)):
            try:
                if time.monotonic() > extended + LEASE / 4:
                    self._extend()
                    extended = time.monotonic()
                for event in overdue_events(self._engine, self._deadline, self._workspaces.only):
                    self._apologise(event)
            except SQLAlchemyError as error:
                log.warning("watch waits", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                note_failure("watch failed", error)

    def _apologise(self, event: Event) -> None:
        """Tell that an event was not answered in time; one that fails keeps no other waiting."""
        try:
            workspace = self._workspaces.of_id(event.workspace_id)
            if workspace is not None:
                too_late(workspace, event, self._handler)
        except Exception as error:  # noqa: BLE001 - the boundary of an event
            note_failure("apology failed", error, event_id=event.id)

    def _extend(self) -> None:
        with self._lock:
            held = list(self._held)
        if held:
            extend_events(self._engine, self._handler.owner, held, LEASE)

    def _do_chores(self) -> None:
        while not self._stop.wait(CHORES_EVERY):
            for workspace in self._workspaces.all():
                for chore in self._chores:
                    try:
                        chore(workspace)
                    except Exception as error:  # noqa: BLE001 - the boundary of this thread
                        note_failure("chore failed", error, chore=chore.__name__)
