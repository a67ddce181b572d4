"""Following what was shared: files are fetched, their jobs watched, and the outcome told once.

All that is known of an upload stands in its row, so a bot that starts goes on where another
ended. Several bots share the uploads out by a hold on each row.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from slack_sdk import WebClient
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.client import SLACK_FAILURES
from bot.downloads import Downloads
from bot.incoming import Shared
from bot.outgoing import as_json
from bot.receipts import receipt
from bot.render import Message
from core.errors import FootnoteError
from core.logs import logger
from ingestion.jobs import Sender, submit_with
from ingestion.uploads import upload_progress
from store.leases import lease_owner
from store.posts import NewPost, add_post, post_with_key, say_instead
from store.publish import File
from store.uploads import (
    Upload,
    find_upload,
    hold_reply,
    mark_told,
    take_wanted,
    untold_uploads,
)

LOOK_EVERY = 0.5  # seconds between looks at uploads that are under way
IDLE = 3.0  # seconds between looks where there are none
CHANGE_EVERY = 3.0  # seconds between two changes of a message that shows progress
HOLD = 20.0  # seconds for which an upload is one bot's
FETCH_PAUSE = 10.0  # seconds after a file could not be kept
LONGEST_PAUSE = 60.0  # seconds after a failure, doubled each time up to this
CLOSING = 2.0  # seconds that each thread gets to end what it does when the bot stops

log = logger(__name__)


@dataclass(frozen=True)
class Intake:
    """Where shared documents are kept; `page` is where people open them, if they can."""

    engine: Engine
    workspace_id: int
    page: str | None = None


@dataclass(frozen=True)
class Place:
    """The thread that an upload is told in, and the files that are still to be fetched."""

    channel: str
    thread_ts: str
    wanted: tuple[Shared, ...] = ()
    audience: tuple[str, ...] | None = None  # of documents that are new; None: everyone

    def to_json(self) -> dict[str, Any]:
        """Return the place as JSON types, as an upload's row keeps it."""
        wanted = [{"id": one.id, "name": one.name, "mode": one.mode} for one in self.wanted]
        return {
            "channel": self.channel,
            "thread_ts": self.thread_ts,
            "wanted": wanted,
            "audience": self.audience,
        }

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Return the place that an upload's row keeps."""
        kept = upload.reply or {}
        return cls(
            kept["channel"],
            kept["thread_ts"],
            tuple(Shared(**one) for one in kept.get("wanted", ())),
            tuple(kept["audience"]) if kept.get("audience") else None,
        )


@dataclass
class _Watch:
    """What is remembered of one upload between two looks; times are `time.monotonic()`."""

    held_until: float = 0.0
    shown: Message | None = None
    changed_at: float = 0.0
    failures: int = 0
    rests_until: float = 0.0


class Uploads:
    """Follows the uploads of one workspace in one thread; another fetches, a file at a time."""

    def __init__(
        self,
        intake: Intake,
        client: WebClient,
        post: Callable[[], None],
        *,
        every: float = LOOK_EVERY,
    ) -> None:
        """Fetch files with `client`; `post` is called where something is to be posted."""
        self._intake = intake
        self._engine = intake.engine
        self._post = post
        self._downloads = Downloads(client)
        self._every = every
        self._owner = f"{lease_owner()}:{uuid4().hex[:8]}"
        self._watches: dict[str, _Watch] = {}
        self._stop = threading.Event()
        self._woken = threading.Event()
        self._missing = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, name="uploads", daemon=True),
            threading.Thread(target=self._fetch, name="downloads", daemon=True),
        ]

    def start(self) -> None:
        """Begin, with what an earlier bot left behind."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look at once: something was shared."""
        self._woken.set()

    def close(self) -> None:
        """Stop, and leave to the next bot what is under way."""
        self._stop.set()
        self._woken.set()
        self._missing.set()
        for thread in self._threads:
            thread.join(CLOSING)
        try:
            for upload_id in self._held():
                hold_reply(self._engine, upload_id, self._owner, 0)
        except SQLAlchemyError as error:
            log.warning("uploads not left", error=type(error).__name__)

    # --- following --------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._stop.is_set():
            uploads = self._untold()
            self._watches = {one.id: self._watches.get(one.id, _Watch()) for one in uploads}
            for upload in uploads:
                if not self._stop.is_set():
                    self._look(upload, self._watches[upload.id])
            self._woken.wait(self._every if uploads else IDLE)
            self._woken.clear()

    def _untold(self) -> list[Upload]:
        try:
            return untold_uploads(self._engine, self._intake.workspace_id)
        except SQLAlchemyError as error:
            log.warning("uploads not looked at", error=type(error).__name__)
            return []

    def _look(self, upload: Upload, watch: _Watch) -> None:
        """Look at one upload; whatever goes wrong with it is tried again later."""
        if time.monotonic() < watch.rests_until:
            return
        try:
            if self._hold(upload, watch):
                self._tell(upload, watch)
            watch.failures = 0
        except Exception as error:  # noqa: BLE001 - the boundary of this thread
            watch.failures += 1
            pause = min(2.0**watch.failures, LONGEST_PAUSE)
            watch.rests_until = time.monotonic() + pause
            _note(error, upload, again_in=pause)

    def _hold(self, upload: Upload, watch: _Watch) -> bool:
        """Be the bot that tells of this upload, holding it anew in good time."""
        now = time.monotonic()
        if now < watch.held_until - HOLD / 2:
            return True
        held = hold_reply(self._engine, upload.id, self._owner, HOLD)
        watch.held_until = now + HOLD if held else 0.0
        return held

    def _held(self) -> list[str]:
        now = time.monotonic()
        return [id for id, watch in self._watches.items() if watch.held_until > now]

    def _tell(self, upload: Upload, watch: _Watch) -> None:
        """Show how far an upload is, and at its end what became of it."""
        progress = upload_progress(self._engine, self._intake.workspace_id, upload.id)
        place = Place.of(progress.upload)
        if place.wanted:
            self._missing.set()
        ended = progress.ended and not place.wanted
        message = receipt(progress.files, place.wanted, self._intake.page)
        recent = time.monotonic() < watch.changed_at + CHANGE_EVERY
        if not ended and (message == watch.shown or recent):
            return
        with self._engine.begin() as connection:
            if ended and not mark_told(connection, upload.id):
                return  # another bot has
            _write(connection, upload, place, message)
        watch.shown, watch.changed_at = message, time.monotonic()
        self._post()

    # --- fetching ---------------------------------------------------------------------------

    def _fetch(self) -> None:
        """Fetch what the other thread finds to be missing; one file is in memory at a time."""
        while True:
            self._missing.wait()
            self._missing.clear()
            if self._stop.is_set():
                return
            for upload, shared in self._wanted():
                if self._stop.is_set():
                    return
                self._take(upload, shared)

    def _wanted(self) -> Iterator[tuple[Upload, Shared]]:
        for upload_id in self._held():
            try:
                upload = find_upload(self._engine, self._intake.workspace_id, upload_id)
            except SQLAlchemyError as error:
                log.warning("files not fetched", error=type(error).__name__)
                return
            if upload is not None:
                yield from ((upload, shared) for shared in Place.of(upload).wanted)

    def _take(self, upload: Upload, shared: Shared) -> None:
        """Fetch a file and keep it with its job, or the reason why there is none."""
        try:
            try:
                self._keep(upload, shared, self._downloads.fetch(shared))
            except FootnoteError as error:
                self._keep(upload, shared, None, {"file": shared.name, "error": str(error)})
        except Exception as error:  # noqa: BLE001 - the boundary of this thread
            _note(error, upload, again_in=FETCH_PAUSE)
            self._stop.wait(FETCH_PAUSE)
        self._woken.set()

    def _keep(
        self,
        upload: Upload,
        shared: Shared,
        file: File | None,
        refusal: dict[str, Any] | None = None,
    ) -> None:
        with self._engine.begin() as connection:
            if take_wanted(connection, upload.id, shared.id, error=refusal) and file is not None:
                submit_with(
                    connection,
                    upload.workspace_id,
                    file,
                    sender=Sender(
                        author=upload.author,
                        upload_id=upload.id,
                        audience=Place.of(upload).audience,
                    ),
                )


def _write(connection: Connection, upload: Upload, place: Place, message: Message) -> None:
    """Write the post about an upload, or have it say something else."""
    key = f"upload:{upload.id}"
    post = NewPost(key, "notice", place.channel, as_json(message), place.thread_ts)
    if not add_post(connection, upload.workspace_id, post):
        standing = post_with_key(connection, upload.workspace_id, key)
        if standing is not None:
            say_instead(connection, standing.id, as_json(message))


def _note(error: Exception, upload: Upload, *, again_in: float) -> None:
    """Log what went wrong: places without values where it was not to be expected."""
    expected = isinstance(error, (*SLACK_FAILURES, SQLAlchemyError))
    log.warning(
        "upload waits",
        upload=upload.id,
        error=type(error).__name__,
        again_in=again_in,
        frames=[] if expected else traceback.format_tb(error.__traceback__),
    )
