"""A living answer: a status at once, and steps and words as they come where it takes longer.

A stream is begun only where there is something to wait for, in a quiet channel, and rarely enough
for Slack. Whatever goes wrong with it, the answer is posted whole: the stream's message is then
changed to say it.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from sqlalchemy.exc import SQLAlchemyError

from bot.client import SLACK_FAILURES, impatient
from bot.poster import delete, metadata
from bot.workspaces import Workspace
from core.logs import logger
from store.events import Event
from store.posts import NewPost, begin_stream, note_stream, take_slot

CALL_TIMEOUT = 5.0  # seconds for one call about a living answer
STREAMS_A_MINUTE = 18  # Slack takes twenty starts a minute
PIECE = 400  # characters of an answer that are added to a stream at a time
LEASE = 20.0  # seconds after which somebody else finishes a stream's post, and shows it whole
STOPPED = "stopped_by_user"  # the code after the asker pressed Stop
STATUS_GRACE = 1.0  # seconds that an answer waits for a status to be shown
THREADS = 16

STEPS = {
    "retrieve": "Searching {policies}",
    "answer": "Reading what was found",
    "verify": "Checking every quote",
}
"""What people read of the graph's nodes, by their names."""
ORDER = tuple(STEPS)
LOADING = ("Searching {policies}…", "Reading what was found…", "Checking every quote…")

log = logger(__name__)


@dataclass(frozen=True)
class Stream:
    """A message that is being written: its post's row, and its ts in Slack once it began."""

    post_id: int
    ts: str | None


class Streams:
    """Counts the streams that were begun, and runs what surrounds answers in threads."""

    def __init__(self, after: float) -> None:
        """Begin a stream for what takes longer than `after` seconds."""
        self.after = after
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="living")

    def may_begin(self) -> bool:
        """Count a stream's start, unless there were as many in this minute as Slack takes."""
        now = time.monotonic()
        with self._lock:
            while self._begun and self._begun[0] < now - 60:
                self._begun.popleft()
            if len(self._begun) >= STREAMS_A_MINUTE:
                return False
            self._begun.append(now)
            return True

    def run(self, function: Any) -> "Future[None]":
        """Run something beside the answer."""
        return self._pool.submit(function)

    def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Living:
    """What shows in a thread while one question is worked on."""

    def __init__(
        self, workspace: Workspace, event: Event, streams: Streams, owner: str, policies: int
    ) -> None:
        self._workspace = workspace
        self._event = event
        self._streams = streams
        self._owner = owner
        self._policies = "1 policy" if policies == 1 else f"{policies} policies"
        self._client: WebClient = impatient(workspace.client, CALL_TIMEOUT)
        self._steps: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._beginning = False
        self._stream: Stream | None = None
        self._shown: list[str] = []
        self._broken = False
        self._stopped = False  # by the asker, who wants no more of it
        self._future = streams.run(self._run)

    @property
    def thread_ts(self) -> str:
        """The thread that the answer goes to."""
        return self._event.thread_ts or self._event.ts

    def step(self, name: str) -> None:
        """Show that a node of the graph begins."""
        if name in STEPS:
            self._steps.put(name)

    def end(self) -> Stream | None:
        """Stop showing progress; return the stream that is to be finished, if one was begun."""
        with self._lock:
            self._ended.set()
            beginning = self._beginning
        self._steps.put(None)
        if self._future.cancel():  # it did not even come to its turn
            return None
        # A status that hangs must not keep the answer waiting; what became of a stream must be
        # known, and its calls are bounded.
        wait([self._future], None if beginning else STATUS_GRACE)
        return self._stream

    def write(self, pieces: Sequence[str], blocks: Sequence[Any], key: str) -> bool:
        """Write the answer into the stream and end it; False where it has to be posted whole."""
        stream = self._stream
        if self._stopped:
            return True
        if stream is None or stream.ts is None or self._broken:
            return False
        done = [_task(name, self._title(name), "complete") for name in self._shown[-1:]]
        try:
            for piece in pieces[:-1]:
                self._append(stream.ts, [*done, _words(piece)])
                done = []
            self._client.chat_stopStream(
                channel=self._event.channel,
                ts=stream.ts,
                chunks=[*done, *map(_words, pieces[-1:])],
                blocks=list(blocks),
                metadata=metadata(key),
            )
        except SLACK_FAILURES as error:
            _note(error, self._event)
            return code_of(error) == STOPPED
        return True

    def _run(self) -> None:
        """Show a status, and begin a stream where the answer takes its time."""
        if not self._ended.is_set():  # a status behind the answer would stay
            self._show_status()
        if self._ended.wait(self._streams.after) or not self._streams.may_begin():
            return
        with self._lock:
            if self._ended.is_set():
                return
            self._beginning = True
        try:
            self._begin()
            while not self._ended.is_set() and not self._broken:
                name = self._steps.get()
                if name is not None:
                    self._show(name)
        except (*SLACK_FAILURES, SQLAlchemyError) as error:
            self._broken, self._stopped = True, code_of(error) == STOPPED
            _note(error, self._event)

    def _show_status(self) -> None:
        texts = [text.format(policies=self._policies) for text in LOADING]
        try:
            self._client.assistant_threads_setStatus(
                channel_id=self._event.channel,
                thread_ts=self.thread_ts,
                status=texts[0],
                loading_messages=texts,
            )
        except SLACK_FAILURES as error:
            _note(error, self._event)

    def _begin(self) -> None:
        """Write the post down and begin its stream with the steps so far."""
        post = NewPost(
            reply_key(self._event),
            "reply",
            self._event.channel,
            {},
            thread_ts=self.thread_ts,
            event_id=self._event.id,
        )
        workspace_id = self._workspace.id
        with self._workspace.engine.begin() as connection:
            if not take_slot(connection, workspace_id, self._event.channel):
                return
            post_id = begin_stream(connection, workspace_id, post, self._owner, LEASE)
        if post_id is None:
            return
        self._stream = Stream(post_id, None)
        started = self._client.chat_startStream(
            channel=self._event.channel,
            thread_ts=self.thread_ts,
            recipient_team_id=self._event.team,
            recipient_user_id=self._event.user_id,
            chunks=[*self._waiting()],
            task_display_mode="timeline",
        )
        ts = str(started["ts"])
        self._stream = Stream(post_id, ts)
        if not note_stream(self._workspace.engine, post_id, self._owner, ts):
            self._broken = True
            self._take_away(ts)

    def _take_away(self, ts: str) -> None:
        """Delete a stream that was begun while somebody else replied."""
        delete(self._client, self._event.channel, ts)

    def _waiting(self) -> list[dict[str, Any]]:
        """Return the steps that were taken so far as chunks, the last one in progress."""
        while not self._steps.empty():
            name = self._steps.get()
            if name is not None:
                self._shown.append(name)
        self._shown = self._shown or [ORDER[0]]
        states = ["complete"] * (len(self._shown) - 1) + ["in_progress"]
        return [_task(n, self._title(n), s) for n, s in zip(self._shown, states, strict=True)]

    def _show(self, name: str) -> None:
        """Add a step to the stream; the one before is done."""
        if self._stream is None or self._stream.ts is None:
            return
        chunks = [_task(done, self._title(done), "complete") for done in self._shown[-1:]]
        self._shown.append(name)
        self._append(self._stream.ts, [*chunks, _task(name, self._title(name), "in_progress")])

    def _append(self, ts: str, chunks: list[dict[str, Any]]) -> None:
        self._client.chat_appendStream(channel=self._event.channel, ts=ts, chunks=chunks)

    def _title(self, name: str) -> str:
        return STEPS[name].format(policies=self._policies)


def reply_key(event: Event) -> str:
    """Return the key of the first post that replies to an event."""
    return f"reply:{event.id}"


def pieces_of(words: str, size: int = PIECE) -> list[str]:
    """Cut words behind spaces into pieces of about `size` characters; joined they are whole."""
    pieces, rest = [], words
    while len(rest) > size:
        cut = rest.rfind(" ", 1, size) + 1 or size
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return [*pieces, rest] if rest else pieces


def _task(name: str, title: str, status: str) -> dict[str, Any]:
    return {"type": "task_update", "id": name, "title": title, "status": status}


def _words(piece: str) -> dict[str, Any]:
    return {"type": "markdown_text", "text": piece}


def _note(error: BaseException, event: Event) -> None:
    """Log that something around an answer failed; the answer comes all the same."""
    name = type(error).__name__
    log.info("not shown while working", event_id=event.id, error=name, code=code_of(error))


def code_of(error: BaseException) -> str | None:
    """Return the code with which Slack refused, None for other failures."""
    return error.response.get("error") if isinstance(error, SlackApiError) else None
