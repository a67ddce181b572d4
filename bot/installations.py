"""Slack's stores for OAuth, in Postgres: installations, sealed as a whole, and states."""

import json
from datetime import datetime
from logging import Logger, getLogger
from secrets import token_urlsafe

from slack_sdk.oauth import InstallationStore, OAuthStateStore
from slack_sdk.oauth.installation_store import Bot, Installation
from sqlalchemy import Engine

from bot.seal import Seal, SealBrokenError
from core.errors import FootnoteError
from core.logs import logger
from store.installations import (
    KeptInstallation,
    find_enterprise_installation,
    find_installation,
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
NO_ORGANISATIONS = (
    "Footnote is installed into one workspace at a time; choose a workspace, not the organisation."
)

log = logger(__name__)


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
