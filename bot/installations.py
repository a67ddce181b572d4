"""The teams that installed the app: kept sealed, opened as workspaces, forgotten when they go."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from logging import Logger, getLogger
from secrets import token_urlsafe

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from slack_sdk import WebClient
from slack_sdk.oauth import InstallationStore, OAuthStateStore
from slack_sdk.oauth.installation_store import Bot, Installation
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.client import Identity, client_of, identify
from bot.workspaces import Answerer, Workspace
from core.errors import ConfigurationError, FootnoteError, ServiceUnavailableError
from core.logs import logger
from core.settings import Settings
from graph.state import Question
from store.answers import Answer
from store.installations import (
    KeptInstallation,
    find_enterprise_installation,
    find_installation,
    find_workspace_installation,
    keep_state,
    list_installations,
    remove_installation,
    save_installation,
    seal_anew,
    take_state,
)
from store.workspaces import ensure_workspace

STATE_LIFETIME = 600.0  # seconds from the installation's page to the way back
STATE_BYTES = 24  # of randomness
FRESH = 5.0  # seconds until it is looked up again whether a team still has the app

NO_KEY = (
    "Set FOOTNOTE_SECRET_KEY, which seals the tokens of workspaces. Make one with:"
    ' .venv/bin/python -c "from cryptography.fernet import Fernet;'
    ' print(Fernet.generate_key().decode())"'
)
BAD_KEY = (
    "FOOTNOTE_SECRET_KEY is not a key: each of its keys, with commas between, is what"
    " Fernet.generate_key() makes, 44 characters."
)
NO_ORGANISATIONS = (
    "Footnote is installed into one workspace at a time; choose a workspace, not the organisation."
)

Opening = Callable[[int, WebClient, Identity, Answerer], tuple[Workspace, Callable[[], None]]]
"""Opens a workspace by its row's id, with the team's client; returns it and what ends it."""

log = logger(__name__)


class SealBrokenError(FootnoteError):
    """What is kept of an installation cannot be opened with any of the secret keys."""


class Seal:
    """Seals texts with the first of several keys, and opens what any of them sealed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises ConfigurationError where there is no key, or one that is none."""
        if not keys:
            raise ConfigurationError(NO_KEY)
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise ConfigurationError(BAD_KEY) from error
        self._first, self._any = fernets[0], MultiFernet(fernets)

    def closed(self, words: str) -> bytes:
        """Return words as nobody reads them without the first key."""
        return self._first.encrypt(words.encode())

    def opened(self, sealed: bytes) -> str:
        """Return what was sealed. Raises SealBrokenError where no key opens it."""
        try:
            return self._any.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SealBrokenError(
                "FOOTNOTE_SECRET_KEY does not open what is kept of a team; put the key that sealed"
                " it behind the present one, with a comma between, or install the app there again."
            ) from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key opens it."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return False
        return True


class Installations(InstallationStore):
    """Slack's store of installations, in Postgres, with each installation sealed as a whole."""

    def __init__(self, engine: Engine, seal: Seal) -> None:
        self._engine = engine
        self._seal = seal

    @property
    def logger(self) -> Logger:
        """The log of Slack's own code."""
        return getLogger("footnote.oauth")

    def save(self, installation: Installation) -> None:
        """Keep an installation, and a workspace for the team at its first.

        Raises FootnoteError where it is for a whole organisation.
        """
        if installation.is_enterprise_install or not installation.team_id:
            raise FootnoteError(NO_ORGANISATIONS)
        team = installation.team_id
        save_installation(
            self._engine,
            team,
            ensure_workspace(self._engine, team, installation.team_name or team),
            self._seal.closed(json.dumps(installation.to_dict_for_copying(), default=_moment)),
            enterprise_id=installation.enterprise_id,
            actor=installation.user_id or "slack",
        )

    def find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """Return a team's installation, whoever made it; None where there is none."""
        del user_id, is_enterprise_install
        if team_id:
            kept = find_installation(self._engine, team_id)
        elif enterprise_id:
            kept = find_enterprise_installation(self._engine, enterprise_id)
        else:
            kept = None
        return self.read(kept) if kept else None

    def find_bot(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        is_enterprise_install: bool | None = False,
    ) -> Bot | None:
        """Return a team's bot with its token; None where the app is not installed."""
        found = self.find_installation(
            enterprise_id=enterprise_id,
            team_id=team_id,
            is_enterprise_install=is_enterprise_install,
        )
        return found.to_bot() if found else None

    def delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Forget a team's token."""
        del enterprise_id
        if team_id:
            remove_installation(self._engine, team_id)

    def delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Forget a team's token; that of one person is none of ours."""
        if user_id is None:
            self.delete_bot(enterprise_id=enterprise_id, team_id=team_id)

    def read(self, kept: KeptInstallation) -> Installation:
        """Open what is kept. Raises SealBrokenError; also where it was sealed for another team."""
        installation = Installation(**json.loads(self._seal.opened(kept.sealed)))
        if installation.team_id != kept.team_id:
            raise SealBrokenError(f"What is kept of {kept.team_id} belongs to another team.")
        return installation

    def seal_anew(self) -> int:
        """Seal with the first key what another one sealed; return how many that were."""
        renewed = 0
        for kept in list_installations(self._engine):
            if kept.removed_at is not None or self._seal.is_current(kept.sealed):
                continue
            try:
                again = self._seal.closed(self._seal.opened(kept.sealed))
            except SealBrokenError as error:
                log.error("installation unreadable", team=kept.team_id, reason=str(error))  # noqa: TRY400
                continue
            renewed += seal_anew(self._engine, kept.team_id, kept.sealed, again)
        return renewed


def _moment(value: object) -> str:
    """Return a date of Slack's code as JSON keeps it."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no part of an installation")


class States(OAuthStateStore):
    """The states of installations under way: each is good once, for ten minutes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def logger(self) -> Logger:
        """The log of Slack's own code."""
        return getLogger("footnote.oauth")

    def issue(self, *_args: object, **_named: object) -> str:
        """Return a new state."""
        state = token_urlsafe(STATE_BYTES)
        keep_state(self._engine, state, STATE_LIFETIME)
        return state

    def consume(self, state: str) -> bool:
        """Use a state up; False where it is not good."""
        return take_state(self._engine, state)


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
