"""Sends posts: in order within a thread, one a second in a channel, each exactly once.

Slack keeps a post's key in the message's metadata. Where a post may have been sent before (its
sender was killed, a reply got lost), Slack is asked for that key first, and what stands there is
changed instead of posted again. What only one person sees cannot be asked for: after such a
doubt it is sent again, since silence would be worse.
"""

import threading
from typing import Any

from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.webhook import WebhookClient
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.bell import Bell
from bot.client import API_TIMEOUT, SLACK_FAILURES, retry_handlers
from bot.failures import note_failure
from bot.timing import OwnTimes, elsewhere
from bot.workspaces import Workspace, Workspaces
from core.logs import logger
from store.posts import (
    Post,
    claim_post,
    mark_failed,
    mark_posted,
    note_ts,
    put_off,
    slow_channel,
)

SENDERS = 4  # threads: one slow call must not keep other channels waiting
LEASE = 40.0  # seconds that one sending may take, retries included
LOOK_EVERY = 0.2  # seconds between looks for a post whose time has come
REST = 2.0  # seconds between looks of the other senders
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after a failure, doubled each time
MOST_ATTEMPTS = 30
CLOSING = 5.0  # seconds that each sender gets to end when the bot stops

EVENT_TYPE = "footnote_post"  # of the metadata that carries a post's key
RECONCILED = 200  # messages of a thread or channel that are looked through for a key
UNREACHABLE = frozenset(
    {"channel_not_found", "is_archived", "not_in_channel", "thread_not_found", "user_not_found",
     "channel_is_limited_access", "restricted_action", "restricted_action_thread_locked",
     "restricted_action_read_only_channel", "user_not_in_channel", "user_disabled",
     "account_inactive", "token_revoked", "messages_tab_disabled", "cannot_dm_bot",
     "msg_blocks_too_long", "msg_too_long", "invalid_blocks", "no_text"}
)  # fmt: skip
"""Codes after which trying again helps nobody."""
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Codes after which a message cannot be changed: it is posted anew."""
STREAMING = "streaming_state_conflict"  # a message that still streams cannot be changed

log = logger(__name__)


class Poster:
    """Sends the posts of all workspaces that this process serves."""

    def __init__(
        self, engine: Engine, workspaces: Workspaces, owner: str, bell: Bell, times: OwnTimes
    ) -> None:
        self._times = times
        self._engine = engine
        self._workspaces = workspaces
        self._owner = owner
        self._bell = bell
        self._stop = threading.Event()
        # One looks often for posts whose time has come, and wakes the others.
        looks = [LOOK_EVERY, *[REST] * (SENDERS - 1)]
        self._threads = [
            threading.Thread(target=self._run, args=(every,), name=f"poster-{n}", daemon=True)
            for n, every in enumerate(looks)
        ]

    def start(self) -> None:
        """Begin, with what an earlier bot left behind."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop after what is being sent; the rest waits for the next bot."""
        self._stop.set()
        self._bell.ring_all()
        for thread in self._threads:
            thread.join(CLOSING)

    def _run(self, every: float) -> None:
        while not self._stop.is_set():
            heard = self._bell.count
            try:
                post = claim_post(self._engine, self._owner, LEASE, self._workspaces.only)
                if post is not None:
                    self._bell.ring()  # there may be more
                    with self._times.sending(post.event_id):
                        self.send(post)
                    continue
            except SQLAlchemyError as error:
                log.warning("posts wait", error=type(error).__name__)
            self._bell.wait(heard, every)

    def send(self, post: Post) -> None:
        """Send a claimed post, or put it off, or give it up."""
        workspace = self._workspaces.of_id(post.workspace_id)
        if workspace is None:
            mark_failed(self._engine, post.id, "the app is not installed any more")
            return
        try:
            ts = self._shown(workspace, post)
        except SlackApiError as error:
            self._refused(post, error)
        except SLACK_FAILURES as error:
            self._again(post, type(error).__name__, sent=True)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of this thread
            reference = note_failure("post failed", error, post=post.key)
            mark_failed(self._engine, post.id, f"failed, reference {reference}")
        else:
            with self._engine.begin() as connection:
                state = mark_posted(connection, post.id, ts, post.message)
            if state == "withdrawn":
                self._take_back(workspace, post, ts)

    @staticmethod
    def _take_back(workspace: Workspace, post: Post, ts: str | None) -> None:
        """Delete what was withdrawn while it was being sent: nobody else knows where it stands."""
        if ts is None or post.user_id is not None:
            return
        try:
            workspace.client.chat_delete(channel=post.channel, ts=ts)
        except SLACK_FAILURES as error:
            log.warning("withdrawn post stands", post=post.key, error=type(error).__name__)

    def _shown(self, workspace: Workspace, post: Post) -> str | None:
        """Let a post stand in Slack and return its ts."""
        if post.reply_url is not None:
            answer_command(post.reply_url, post.message)
            return None
        if post.user_id is not None:
            sent = workspace.client.chat_postEphemeral(
                channel=post.channel, user=post.user_id, thread_ts=post.thread_ts, **_body(post)
            )
            return str(sent["message_ts"])
        ts = post.ts
        if ts is None and post.attempts > 1:
            ts = find_sent(workspace, post)
            if ts is not None:
                note_ts(self._engine, post.id, ts)
        if ts is not None and change(workspace, post, ts):
            return ts
        posted = workspace.client.chat_postMessage(
            channel=post.channel, thread_ts=post.thread_ts, metadata=metadata(post.key),
            unfurl_links=False, unfurl_media=False, mrkdwn=False, **_body(post),
        )  # fmt: skip
        return str(posted["ts"])

    def _refused(self, post: Post, error: SlackApiError) -> None:
        """Take Slack's no: wait as long as it asks, try again later, or give up."""
        code = str(error.response.get("error") or f"status {error.response.status_code}")
        if error.response.status_code == 429 or code == "ratelimited":
            seconds = _retry_after(error)
            slow_channel(self._engine, post.workspace_id, post.channel, seconds)
            put_off(self._engine, post.id, seconds, code, sent=False)
        elif code in UNREACHABLE:
            log.warning("post told to nobody", post=post.key, code=code)
            mark_failed(self._engine, post.id, code)
        else:
            # A server's error may come after the message was posted.
            self._again(post, code, sent=error.response.status_code >= 500)

    def _again(self, post: Post, reason: str, *, sent: bool) -> None:
        if post.attempts >= MOST_ATTEMPTS:
            log.error("post given up", post=post.key, reason=reason)
            mark_failed(self._engine, post.id, reason)
            return
        pause = min(FIRST_PAUSE * 2.0 ** (post.attempts - 1), LONGEST_PAUSE)
        log.warning("post waits", post=post.key, reason=reason, again_in=pause)
        put_off(self._engine, post.id, pause, reason, sent=sent)


def metadata(key: str) -> dict[str, Any]:
    """Return the metadata with which Slack keeps a post's key."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}


def key_of(message: dict[str, Any]) -> str | None:
    """Return the key of the post that a message in Slack is, if it is one."""
    kept = message.get("metadata") or {}
    if kept.get("event_type") != EVENT_TYPE:
        return None
    return str((kept.get("event_payload") or {}).get("key"))


def find_sent(workspace: Workspace, post: Post) -> str | None:
    """Return where a post stands in Slack already, or a stream that was begun for it.

    In a thread the bot's posts all have a key but for streams that were not finished: a message
    of its own without one, younger than the post, is this post's, for it comes before the next.
    """
    oldest = f"{post.created_at.timestamp() - 5:.6f}"  # clocks differ
    asked: dict[str, Any] = {"channel": post.channel, "limit": RECONCILED, "oldest": oldest}
    asked["include_all_metadata"] = True
    if post.thread_ts is not None:
        found = workspace.client.conversations_replies(ts=post.thread_ts, **asked)
    else:
        found = workspace.client.conversations_history(**asked)
    orphan = None
    for message in found.get("messages") or ():
        if message.get("user") != workspace.bot_user_id or str(message["ts"]) < oldest:
            continue
        key = key_of(message)
        if key == post.key:
            return str(message["ts"])
        if key is None and post.thread_ts is not None:
            orphan = str(message["ts"])
    return orphan


def change(workspace: Workspace, post: Post, ts: str) -> bool:
    """Let a message say what the post says; False where it stands there no more."""

    def update() -> None:
        workspace.client.chat_update(
            channel=post.channel, ts=ts, metadata=metadata(post.key), **_body(post)
        )

    try:
        try:
            update()
        except SlackApiError as error:
            if error.response.get("error") != STREAMING:
                raise
            stop_stream(workspace, post.channel, ts)
            update()
    except SlackApiError as error:
        if error.response.get("error") in GONE:
            return False
        raise
    return True


def stop_stream(workspace: Workspace, channel: str, ts: str) -> None:
    """End a stream that somebody began; one that ended by itself is fine."""
    try:
        workspace.client.chat_stopStream(channel=channel, ts=ts)
    except SlackApiError as error:
        if error.response.get("error") not in (
            "message_not_in_streaming_state",
            "stopped_by_user",
        ):
            raise


def answer_command(reply_url: str, message: dict[str, Any]) -> None:
    """Answer a command, so that only who gave it sees it."""
    client = WebhookClient(reply_url, timeout=int(API_TIMEOUT), retry_handlers=retry_handlers())
    with elsewhere():
        answer = client.send(
            text=message["text"],
            blocks=message["blocks"],
            response_type="ephemeral",
            replace_original=False,
            unfurl_links=False,
            unfurl_media=False,
        )
    if answer.status_code != 200:
        raise SlackRequestError(f"a response_url answered {answer.status_code}")


def _body(post: Post) -> dict[str, Any]:
    return {"text": post.message["text"], "blocks": post.message["blocks"]}


def _retry_after(error: SlackApiError) -> float:
    headers: dict[str, Any] = dict(error.response.headers)
    told = next((v for k, v in headers.items() if k.lower() == "retry-after"), "1")
    written = str(told[0] if isinstance(told, list) else told)
    return float(written) if written.isdecimal() else 1.0
