"""Following what was shared: files are fetched, their jobs watched, and the outcome told once.

All that is known of an upload stands in its row, so a bot that starts goes on where another
ended. Several bots share the uploads out by a hold on each row.
"""

import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.client import SLACK_FAILURES
from bot.downloads import Downloads
from bot.incoming import Shared
from bot.receipts import receipt
from bot.render import Message
from core.errors import FootnoteError
from core.logs import logger
from ingestion.jobs import Sender, submit_with
from ingestion.uploads import upload_progress
from store.leases import lease_owner
from store.posts import take_slot
from store.publish import File
from store.uploads import (
    Upload,
    find_upload,
    hold_reply,
    mark_told,
    note_reply,
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

LOST = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Codes after which a message cannot be changed: what it should say is posted anew."""
UNREACHABLE = frozenset(
    {"channel_not_found", "is_archived", "not_in_channel", "thread_not_found", "user_not_found",
     "channel_is_limited_access", "restricted_action", "restricted_action_thread_locked"}
)  # fmt: skip
"""Codes after which nobody can be told any more."""

log = logger(__name__)


@dataclass(frozen=True)
class Intake:
    """Where shared documents are kept; `page` is where people open them, if they can."""

    engine: Engine
    workspace_id: int
    page: str | None = None


@dataclass(frozen=True)
class Place:
    """The thread that an upload is told in, the message that does, the files still to fetch."""

    channel: str
    thread_ts: str
    message_ts: str | None = None
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
            kept.get("message_ts"),
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

    def __init__(self, intake: Intake, client: WebClient, *, every: float = LOOK_EVERY) -> None:
        self._intake = intake
        self._engine = intake.engine
        self._client = client
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
                self._tell_if_possible(upload, watch)
            watch.failures = 0
        except Exception as error:  # noqa: BLE001 - the boundary of this thread
            watch.failures += 1
            pause = min(2.0**watch.failures, LONGEST_PAUSE)
            watch.rests_until = time.monotonic() + pause
            _note(error, upload, again_in=pause)

    def _tell_if_possible(self, upload: Upload, watch: _Watch) -> None:
        try:
            self._tell(upload, watch)
        except SlackApiError as error:
            if error.response.get("error") not in UNREACHABLE:
                raise
            log.warning("upload told to nobody", upload=upload.id)
            mark_told(self._engine, upload.id)

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
        if message != watch.shown and (ended or not recent):
            if not self._show(upload, place, message):
                return
            watch.shown, watch.changed_at = message, time.monotonic()
        if ended:
            mark_told(self._engine, upload.id)

    def _show(self, upload: Upload, place: Place, message: Message) -> bool:
        """Change the message about an upload, or post it where there is none.

        False where it has to wait for its channel's next second.
        """
        if place.message_ts is not None:
            try:
                self._client.chat_update(
                    channel=place.channel,
                    ts=place.message_ts,
                    text=message.text,
                    blocks=message.blocks,
                )
            except SlackApiError as error:
                if error.response.get("error") not in LOST:
                    raise
            else:
                return True
        with self._engine.begin() as connection:
            if not take_slot(connection, self._intake.workspace_id, place.channel):
                return False  # something else is posted there in this second
        posted = self._client.chat_postMessage(
            channel=place.channel,
            thread_ts=place.thread_ts,
            text=message.text,
            blocks=message.blocks,
            mrkdwn=False,
            unfurl_links=False,
            unfurl_media=False,
        )
        note_reply(self._engine, upload.id, message_ts=str(posted["ts"]))
        return True

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
