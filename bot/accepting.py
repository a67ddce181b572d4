"""Accept, then work: what Slack sends is kept before it is acknowledged.

This runs in the middleware of Bolt's listeners, and so before Bolt's pool: an acknowledgement
waits for one statement in the database and for nothing else.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from slack_bolt import BoltContext, BoltResponse
from sqlalchemy.exc import SQLAlchemyError

from bot.incoming import Body, Incoming, home_team
from bot.workspaces import Workspace, Workspaces
from core.logs import logger
from store.events import accept

TIMES_KEPT = 10_000  # acknowledgements whose times are remembered
BUSY = 503  # what an event is answered with that could not be kept: Slack sends it again

log = logger(__name__)

Reader = Callable[[Body, BoltContext], Incoming | None]
"""Makes a message of what Slack sent, or None where it is not for the bot."""

Middleware = Callable[[Body, BoltContext, Callable[[], BoltResponse]], BoltResponse]


class Acceptor:
    """Keeps events and says so; whoever is to work on them is woken."""

    def __init__(self, workspaces: Workspaces, wake: Callable[[], None]) -> None:
        self._workspaces = workspaces
        self._wake = wake
        self.seconds: deque[float] = deque(maxlen=TIMES_KEPT)  # of our own, for each event

    def accepting(self, read: Reader) -> Middleware:
        """Return a listener's middleware: keep what is new and for the bot, and acknowledge."""

        def middleware(
            body: Body, context: BoltContext, next_: Callable[[], BoltResponse]
        ) -> BoltResponse:
            del next_  # nothing follows: a worker takes it from here
            began = time.perf_counter()
            incoming = read(body, context)
            if incoming is not None and not self.keep(incoming):
                return BoltResponse(status=BUSY)
            acknowledged: BoltResponse = context.ack()
            self.seconds.append(time.perf_counter() - began)
            return acknowledged

        return middleware

    def keep(self, incoming: Incoming) -> bool:
        """Keep a message; False where that is impossible now, so that Slack sends it again."""
        try:
            workspace = self._workspaces.of_team(incoming.team)
            if workspace is None:  # uninstalled meanwhile: nobody to answer as
                return True
            kept = self._accepted(workspace, incoming)
        except SQLAlchemyError as error:
            log.error("event not kept", error=type(error).__name__)  # noqa: TRY400 - no values
            return False
        if kept:
            self._wake()
        return True

    def workspace(self, body: Body) -> Workspace | None:
        """Return the workspace that something came from."""
        team = body.get("team") or {}
        named = team.get("id") if isinstance(team, dict) else None
        return self._workspaces.of_team(str(named or home_team(body)))

    def left(self, body: Body) -> None:
        """Take an event that says that a team threw the app out, or ended the bot's token."""
        event = body.get("event") or {}
        tokens = event.get("tokens") or {}
        if event.get("type") == "tokens_revoked" and not tokens.get("bot"):
            return  # tokens of people, of which we have none
        self._workspaces.left(home_team(body))

    @staticmethod
    def _accepted(workspace: Workspace, incoming: Incoming) -> bool:
        kept = accept(workspace.engine, incoming.arrival(workspace.id))
        if kept is None and incoming.kind == "edit" and incoming.addressed:
            # The edit named the bot first: only now is the message a question.
            asked = replace(incoming, kind="question", changed_ts=None)
            kept = accept(workspace.engine, asked.arrival(workspace.id))
        return kept is not None
