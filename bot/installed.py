"""The teams that have the app, each opened as a workspace and forgotten when it goes."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from slack_sdk import WebClient
from slack_sdk.oauth.installation_store import Installation
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.client import Identity, client_of, identify
from bot.installations import Installations
from bot.seal import SealBrokenError
from bot.workspaces import Answerer, Workspace
from core.errors import ConfigurationError, ServiceUnavailableError
from core.logs import logger
from core.settings import Settings
from graph.state import Question
from store.answers import Answer
from store.installations import (
    KeptInstallation,
    find_installation,
    find_workspace_installation,
    list_installations,
    remove_installation,
)

FRESH = 5.0  # seconds until it is looked up again whether a team still has the app

Opening = Callable[[int, WebClient, Identity, Answerer], tuple[Workspace, Callable[[], None]]]
"""Opens a workspace by its row's id, with the team's client; returns it and what ends it."""

log = logger(__name__)


class LaterAnswerer:
    """An answerer that is opened with the first question: a team that asks nothing costs nothing.

    It also keeps the opening, which takes a second, out of the way of acknowledgements.
    """

    def __init__(self, opening: Callable[[], Answerer]) -> None:
        self._opening = opening
        self._lock = threading.Lock()
        self._opened: Answerer | None = None

    def answer(self, question: Question) -> Answer:
        """Return the answer."""
        with self._lock:
            if self._opened is None:
                self._opened = self._opening()
        return self._opened.answer(question)


@dataclass(frozen=True)
class _Open:
    """An open workspace, and when what it was made from was written and last looked at."""

    workspace: Workspace
    end: Callable[[], None]
    written: datetime
    looked: float  # time.monotonic()


class InstalledWorkspaces:
    """Every team that has the app; installs and removals by others are seen within `FRESH`.

    `opening` puts a workspace together; `answering` opens the answerer of a workspace's row.
    """

    only: int | None = None

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        installations: Installations,
        opening: Opening,
        answering: Callable[[int], Answerer],
        *,
        fresh: float = FRESH,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._installations = installations
        self._opening = opening
        self._answering = answering
        self._fresh = fresh
        self._lock = threading.RLock()
        self._open: dict[str, _Open] = {}
        self._teams: dict[int, str] = {}
        self._answerers: dict[int, LaterAnswerer] = {}

    def of_team(self, team: str) -> Workspace | None:
        """Return a team's workspace; None where the app is not installed."""
        known = self._open.get(team)
        if known is not None and time.monotonic() - known.looked < self._fresh:
            return known.workspace
        return self._held(team, find_installation(self._engine, team))

    def of_id(self, workspace_id: int) -> Workspace | None:
        """Return the workspace with a row's id; None where the app is not installed any more."""
        team = self._teams.get(workspace_id)
        if team is not None:
            return self.of_team(team)
        kept = find_workspace_installation(self._engine, workspace_id)
        return self._held(kept.team_id, kept) if kept else None

    def all(self) -> Sequence[Workspace]:
        """Return every workspace that has the app now; of those known, while nobody can say."""
        try:
            live = [kept for kept in list_installations(self._engine) if kept.removed_at is None]
        except SQLAlchemyError as error:
            log.warning("installations not read", error=type(error).__name__)
            return [known.workspace for known in list(self._open.values())]
        held = [self._held(kept.team_id, kept) for kept in live]
        return [workspace for workspace in held if workspace is not None]

    def left(self, team: str) -> None:
        """Take it from Slack that the app was thrown out of a team, or its token revoked.

        Such an event may come late, after the app is there again: so Slack is asked whether the
        token that is kept still works.
        """
        workspace = self.of_team(team)
        if workspace is not None and _works(workspace.client):
            return
        if remove_installation(self._engine, team):
            log.info("app removed", team=team)
        self.forget(team)

    def forget(self, team: str) -> None:
        """Look a team up again before anything is done for it; end what runs for it."""
        with self._lock:
            known = self._open.pop(team, None)
            if known is not None:
                self._teams.pop(known.workspace.id, None)
        if known is not None:  # apart: an acknowledgement must not wait for its threads
            threading.Thread(target=known.end, name=f"ending {team}", daemon=True).start()

    def close(self) -> None:
        """End what runs for each workspace, and wait for it."""
        with self._lock:
            held = list(self._open.values())
            self._open.clear()
            self._teams.clear()
        for known in held:
            known.end()

    def _held(self, team: str, kept: KeptInstallation | None) -> Workspace | None:
        """Return the workspace of what is kept: the open one if nothing changed, else anew."""
        with self._lock:
            known = self._open.get(team)
            if kept is not None and known is not None and known.written == kept.updated_at:
                self._open[team] = _Open(known.workspace, known.end, known.written, _now())
                return known.workspace
            self.forget(team)
            if kept is None:
                return None
            try:
                installation = self._installations.read(kept)
            except SealBrokenError as error:
                log.error("installation unreadable", team=team, reason=str(error))  # noqa: TRY400
                return None
            workspace, end = self._opened(kept.workspace_id, installation)
            self._open[team] = _Open(workspace, end, kept.updated_at, _now())
            self._teams[kept.workspace_id] = team
            return workspace

    def _opened(
        self, workspace_id: int, installation: Installation
    ) -> tuple[Workspace, Callable[[], None]]:
        answerer = self._answerers.setdefault(
            workspace_id, LaterAnswerer(lambda: self._answering(workspace_id))
        )
        client = client_of(self._settings, str(installation.bot_token))
        return self._opening(workspace_id, client, _identity(installation), answerer)


def _now() -> float:
    return time.monotonic()


def _identity(installation: Installation) -> Identity:
    """Return who the bot is in a team, as the installation told."""
    return Identity(
        name=installation.team_name or "",
        user_id=installation.bot_user_id or "",
        bot_id=installation.bot_id or "",
        team=installation.team_name or "",
        team_id=installation.team_id or "",
        scopes=frozenset(installation.bot_scopes or ()),
    )


def _works(client: WebClient) -> bool:
    """Whether Slack takes a token. Where Slack cannot be asked, what it told counts."""
    try:
        identify(client)
    except (ConfigurationError, ServiceUnavailableError):
        return False
    return True
