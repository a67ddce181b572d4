"""What all workspaces of one local Slack share: the app, the clock, the ids and the calls."""

import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .records import Call, Channel, Json, ResponseUrl, SlackError, Upload

if TYPE_CHECKING:
    from .workspace import Workspace

CODE_LIFETIME = 10 * 60.0  # seconds in which an installation's code must be exchanged


@dataclass
class Grant:
    """What a person granted to the app, until the app exchanges the code for a token."""

    team_id: str
    user: str
    scopes: frozenset[str]
    redirect_uri: str | None
    made_at: float = field(default_factory=time.monotonic)
    used: bool = False


class World:
    """One app, the workspaces it may be installed in, and one lock for all of them.

    `changed` is notified whenever something happened that a test may be waiting for.
    """

    app_id = "A0FOOTN001"

    def __init__(self) -> None:
        self.client_id = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}"
        self.client_secret = secrets.token_hex(16)
        self.app_token = f"xapp-1-{secrets.token_hex(12)}"
        self.changed = threading.Condition(threading.RLock())
        self.heard: Callable[[Workspace, Json, Channel | None], None] = _unheard
        self.origin = ""  # of the HTTP server, once it runs
        self.workspaces: dict[str, Workspace] = {}  # by team id, the primary one first
        self.calls: list[Call] = []
        self.downloads: list[tuple[str, str | None]] = []  # (file id, token), as they came
        self.response_urls: dict[str, ResponseUrl] = {}
        self.uploads: dict[str, Upload] = {}  # by the ticket in their address
        self.grants: dict[str, Grant] = {}  # by code
        self.bot_ids: dict[str, str] = {}  # by the bot's user id
        self.revoked: dict[str, str] = {}  # tokens that are no longer good, and the error's code
        self._called: Counter[tuple[str | None, str | None]] = Counter()
        self._last_ts = 0
        self._numbers = itertools.count(1)

    # -- ids -----------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """Return an id of Slack's shape that was not used before."""
        with self.changed:
            return f"{prefix}0{next(self._numbers):07X}"

    def next_ts(self) -> str:
        """Return a message timestamp later than every one before it."""
        with self.changed:
            self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
            return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # -- workspaces ----------------------------------------------------------------------

    @property
    def primary(self) -> "Workspace":
        """The workspace that was there first."""
        return next(iter(self.workspaces.values()))

    def sharing(self, channel: str) -> "list[Workspace]":
        """Return the workspaces that a place belongs to: several where it is shared."""
        return [w for w in self.workspaces.values() if channel in w.channels]

    def of_token(self, token: str) -> "Workspace":
        """Return the workspace that a bot's token opens; raises `SlackError`."""
        for workspace in self.workspaces.values():
            if workspace.installed and workspace.bot_token == token:
                return workspace
        raise SlackError(self.revoked.get(token, "invalid_auth"))

    # -- what happened -------------------------------------------------------------------

    def record(self, call: Call) -> None:
        """Keep a call of the Web API."""
        with self.changed:
            self.calls.append(call)
            for team in (None, call.team_id):
                self._called[team, call.method] += 1
                self._called[team, None] += 1
            self.changed.notify_all()

    def called(self, method: str | None, team_id: str | None) -> int:
        """Return how many calls of a method, or of all, came for a workspace, or for all."""
        with self.changed:
            return self._called[team_id, method]


def _unheard(_workspace: "Workspace", _event: Json, _place: Channel | None) -> None:
    """Where events go until a server listens."""
