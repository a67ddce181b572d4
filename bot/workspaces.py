"""The workspaces that a bot process serves, each with what its handlers work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.incoming import Incoming
from bot.people import People
from core.logs import logger
from core.settings import Settings
from graph.state import Question
from store.answers import Answer

log = logger(__name__)


class Answerer(Protocol):
    """What answers questions: the agent, or a scripted one in tests."""

    def answer(self, question: Question) -> Answer:
        """Return the answer; a repeated `event_key` gets the first answer again."""


class Receiver(Protocol):
    """What takes the files that come along with a message."""

    def receive(self, client: WebClient, incoming: Incoming) -> str | None:
        """Take them, to be answered for in time; or return the sentence why they are not taken."""


@dataclass(frozen=True)
class Workspace:
    """One team: its row's id, its client with the bot's token, who its people are, its answers.

    `wake` says that posts were written: they are sent at once. `receiver` takes files.
    """

    id: int
    team: str
    bot_user_id: str
    bot_id: str
    client: WebClient
    engine: Engine
    people: People
    answerer: Answerer
    settings: Settings
    wake: Callable[[], None]
    receiver: Receiver | None = None

    @property
    def page(self) -> str | None:
        """The address under which people reach the page; None where they cannot."""
        return self.settings.page_url if self.settings.public_url else None


class Workspaces(Protocol):
    """Who the bot works for."""

    def of_team(self, team: str) -> Workspace | None:
        """Return the workspace of a Slack team; None where the app is not installed."""

    def of_id(self, workspace_id: int) -> Workspace | None:
        """Return the workspace with a row's id; None where the app is not installed any more."""

    def all(self) -> Sequence[Workspace]:
        """Return every workspace that is served now."""

    def left(self, team: str) -> None:
        """Take it from Slack that a team threw the app out: nothing more is posted there."""

    @property
    def only(self) -> int | None:
        """The one workspace's id; None where every installed one is served."""


@dataclass(frozen=True)
class OneWorkspace:
    """A single team, by its own bot token."""

    workspace: Workspace

    def of_team(self, team: str) -> Workspace | None:
        """Return the workspace, whatever team is named: the token knows one only."""
        del team
        return self.workspace

    def of_id(self, workspace_id: int) -> Workspace | None:
        """Return the workspace where it is this one."""
        return self.workspace if workspace_id == self.workspace.id else None

    def all(self) -> Sequence[Workspace]:
        """Return the one workspace."""
        return (self.workspace,)

    def left(self, team: str) -> None:
        """Note it: the token is an operator's, and to be replaced by one."""
        log.error("Slack says that the app is not installed any more", team=team)

    @property
    def only(self) -> int | None:
        """The one workspace's id."""
        return self.workspace.id
