"""What runs in a bot's process whatever connects it to Slack: workers, poster, chores, files."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self
from uuid import uuid4

from slack_sdk import WebClient
from sqlalchemy import Engine

from bot.accepting import Acceptor
from bot.bell import Bells
from bot.client import Identity
from bot.corrections import post_corrections
from bot.handling import Handler
from bot.listeners.files import SharedFiles
from bot.living import Streams
from bot.people import Members, People
from bot.poster import Poster
from bot.timing import OwnTimes, percentiles
from bot.uploads import Intake, Uploads
from bot.workers import ANSWER_DEADLINE, Chore, Workers
from bot.workspaces import Answerer, Workspace, Workspaces
from core.logs import logger
from core.settings import Settings
from store.documents import named_readers
from store.leases import lease_owner
from store.names import save_names

log = logger(__name__)

INTERACTIONS = 8  # pressed buttons and opened tabs that are handled at once
SWITCH_INTERVAL = 0.001  # seconds; a fifth of Python's own, for acknowledgements come first


def list_people(workspace: Workspace) -> None:
    """Keep the list of a workspace's people fresh."""
    workspace.people.list_on(workspace.client, workspace.team)


CHORES: tuple[Chore, ...] = (post_corrections, list_people)
"""What is done for each workspace every few seconds."""


class Service:
    """The running parts of a bot. Enter it once `workspaces` can be asked."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        workspaces: Workspaces,
        bells: Bells,
        *,
        deadline: float = ANSWER_DEADLINE,
        chores: Sequence[Chore] = CHORES,
    ) -> None:
        owner = f"{lease_owner()}:{uuid4().hex[:8]}"
        self._times = OwnTimes()
        self._streams = Streams(settings.stream_after)
        handler = Handler(owner, self._streams)
        self._workers = Workers(
            engine,
            workspaces,
            handler,
            bells.events,
            self._times,
            deadline=deadline,
            chores=chores,
        )
        self._poster = Poster(engine, workspaces, owner, bells.posts, self._times)
        self.pool = ThreadPoolExecutor(INTERACTIONS, thread_name_prefix="interaction")
        self.acceptor = Acceptor(workspaces, bells.events.ring)

    def __enter__(self) -> Self:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._workers.start()
        self._poster.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workers.close()
        self._poster.close()
        self.tell_times()
        self._streams.close()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def tell_times(self) -> None:
        """Log how long acknowledgements took, and the bot itself for a message, in ms."""
        acknowledged = percentiles(self.acceptor.seconds)
        if acknowledged:
            log.info("times", acknowledged=acknowledged, own=percentiles(self._times.seconds))


def open_workspace(
    settings: Settings,
    engine: Engine,
    workspace_id: int,
    client: WebClient,
    identity: Identity,
    answerer: Answerer,
    members: Members,
    wake: Callable[[], None],
) -> tuple[Workspace, Callable[[], None]]:
    """Return a workspace that takes files as well, and what ends the following of those."""
    page = settings.page_url if settings.public_url else None
    intake = Intake(engine, workspace_id, page)
    people = People(
        members,
        partial(named_readers, engine, workspace_id),
        called=partial(save_names, engine, workspace_id),
    )
    uploads = Uploads(intake, client, wake)
    workspace = Workspace(
        id=workspace_id,
        team=identity.team_id,
        bot_user_id=identity.user_id,
        bot_id=identity.bot_id,
        client=client,
        engine=engine,
        people=people,
        answerer=answerer,
        settings=settings,
        wake=wake,
        receiver=SharedFiles(intake, people, uploads),
    )
    uploads.start()
    return workspace, uploads.close
