"""Sends posts: in order within a thread, one a second in a channel, each exactly once.

Slack keeps a post's key in the message's metadata. Where a post may have been sent before (its
sender was killed, a reply got lost), Slack is asked for that key first, and what stands there is
changed instead of posted again. What only one person sees cannot be asked for: after such a
doubt it is sent again, since silence would be worse.
"""

import threading
from functools import partial
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.webhook import WebhookClient
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from bot.bell import Bell
from bot.client import API_TIMEOUT, OUTAGES, SLACK_FAILURES, impatient, retry_handlers
from bot.failures import note_failure
from bot.outgoing import as_json
from bot.render import render_failure
from bot.timing import OwnTimes, elsewhere
from bot.workspaces import Workspace, Workspaces
from core.errors import reference_id
from core.logs import logger
from store.posts import (
    TAKEN_BACK,
    Post,
    asked_at,
    claim_post,
    mark_failed,
    mark_posted,
    note_ts,
    post_at,
    put_off,
    say_instead,
    slow_channel,
    still_sends,
    withdraw_posts,
)

SENDERS = 4  # threads: one slow call must not keep other channels waiting
LEASE = 40.0  # seconds that one sending may take, retries included
LOOK_EVERY = 0.2  # seconds between looks for a post whose time has come
REST = 2.0  # seconds between looks of the other senders
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds after a failure, doubled each time
MOST_ATTEMPTS = 30
CLOSING = 5.0  # seconds that each sender gets to end when the bot stops

EVENT_TYPE = "footnote_post"  # of the metadata that carries a post's key
RECONCILED = 200  # messages of a thread or channel that are looked through for a key at a time
PAGES = 10  # of them
SKEW = 300.0  # seconds that our clock may differ from Slack's, which takes no more in a signature
UNREACHABLE = frozenset(
    {"channel_not_found", "is_archived", "not_in_channel", "thread_not_found", "user_not_found",
     "channel_is_limited_access", "restricted_action", "restricted_action_thread_locked",
     "restricted_action_read_only_channel", "user_not_in_channel", "user_disabled",
     "account_inactive", "token_revoked", "messages_tab_disabled", "cannot_dm_bot",
     "is_inactive", "invalid_auth", "not_authed", "token_expired", "missing_scope"}
)  # fmt: skip
"""Codes after which trying again helps nobody."""
UNSAYABLE = frozenset(
    {"msg_blocks_too_long", "msg_too_long", "invalid_blocks", "invalid_blocks_format", "no_text"}
)
"""Codes for what Slack takes in no message: who asked is told so."""
NEVER_THERE = frozenset({"message_not_found", "channel_not_found", "cant_delete_message"})
"""Codes after which there is nothing to delete."""
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Codes after which a message cannot be changed: it is posted anew."""
ENDED = frozenset({"message_not_in_streaming_state", "stopped_by_user", *GONE})
"""Codes of a stream that needs no end."""
STREAMING = "streaming_state_conflict"  # a message that still streams cannot be changed

log = logger(__name__)


class TakenOverError(Exception):
    """A post is somebody else's to send by now."""


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
            except Exception as error:  # noqa: BLE001 - the boundary of this thread
                note_failure("sender failed", error)
            self._bell.wait(heard, every)

    def send(self, post: Post) -> None:
        """Send a claimed post, or put it off, or give it up."""
        workspace = self._workspaces.of_id(post.workspace_id)
        if workspace is None:
            mark_failed(self._engine, post.id, "the app is not installed any more")
            return
        try:
            if post.message == TAKEN_BACK:
                self._take_back(workspace, post)
                return
            ts = self._shown(workspace, post)
        except SlackApiError as error:
            self._refused(post, error)
        except SLACK_FAILURES as error:
            self._again(post, type(error).__name__)
        except TakenOverError:
            log.info("post left to another", post=post.key)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of a post
            reference = note_failure("post failed", error, post=post.key)
            mark_failed(self._engine, post.id, f"failed, reference {reference}")
        else:
            with self._engine.begin() as connection:
                mark_posted(connection, post.id, ts, post.message)

    def _take_back(self, workspace: Workspace, post: Post) -> None:
        """Delete a post that stands in Slack, or may."""
        client = impatient(workspace.client)
        ts = post.ts or self._found(workspace, client, post)
        if ts is not None:
            delete(client, post.channel, ts)
        with self._engine.begin() as connection:
            withdraw_posts(connection, [post.id])

    def _shown(self, workspace: Workspace, post: Post) -> str | None:
        """Let a post stand in Slack and return its ts. Raises TakenOverError."""
        if post.reply_url is not None:
            answer_command(post.reply_url, post.message)
            return None
        client = impatient(workspace.client)
        if post.user_id is not None:
            sent = client.chat_postEphemeral(
                channel=post.channel, user=post.user_id, thread_ts=post.thread_ts, **_body(post)
            )
            return str(sent["message_ts"])
        ts = post.ts
        if ts is None and post.attempts > 1:
            ts = self._found(workspace, client, post)
            if ts is not None:
                note_ts(self._engine, post.id, ts)
        if ts is not None and (change(client, post, ts) or post.message.get("only_changed")):
            return ts
        # Looking for it takes time, in which others may have come to send it.
        if post.attempts > 1 and not still_sends(self._engine, post, self._owner, LEASE):
            raise TakenOverError
        posted = client.chat_postMessage(
            channel=post.channel, thread_ts=post.thread_ts, metadata=metadata(post.key),
            unfurl_links=False, unfurl_media=False, mrkdwn=False, **_body(post),
        )  # fmt: skip
        return str(posted["ts"])

    def _found(self, workspace: Workspace, client: WebClient, post: Post) -> str | None:
        """Return where a post stands in Slack already, or a stream that was begun for it.

        Where Slack does not let us look, it is taken for lost: silence would be worse.
        """
        asked = asked_at(self._engine, post.event_id) if post.event_id is not None else None
        try:
            ts, orphans = find_sent(client, workspace.bot_user_id, post, asked)
        except SlackApiError as error:
            if is_outage(error):
                raise
            log.warning("not looked for", post=post.key, code=_code(error))
            return None
        if ts is not None:
            return ts
        if asked is None:
            return None
        known = (orphan for orphan in orphans if not self._is_another(post, orphan))
        return next(known, None)

    def _is_another(self, post: Post, ts: str) -> bool:
        """Whether another post is known to stand there."""
        other = post_at(self._engine, post.workspace_id, post.channel, ts)
        return other is not None and other.id != post.id

    def _refused(self, post: Post, error: SlackApiError) -> None:
        """Take Slack's no: wait as long as it asks, try again later, or give up."""
        code = _code(error)
        if _is_limit(error):
            seconds = _retry_after(error)
            if "/chat." in str(error.response.api_url):
                slow_channel(self._engine, post.workspace_id, post.channel, seconds)
            put_off(self._engine, post.id, seconds, code, tried=False)
        elif code in UNREACHABLE:
            log.warning("post told to nobody", post=post.key, code=code)
            mark_failed(self._engine, post.id, code)
        elif code in UNSAYABLE:
            self._say_so(post, code)
        else:
            self._again(post, code)

    def _say_so(self, post: Post, code: str) -> None:
        """Tell who asked that the reply could not be shown, unless that was it already."""
        reference = reference_id()
        log.error("post not taken", post=post.key, code=code, reference=reference)
        (message,) = render_failure(reference)
        if post.kind != "reply" or post.message.get("failure"):
            mark_failed(self._engine, post.id, code)
            return
        put_off(self._engine, post.id, 0, code, tried=True)
        with self._engine.begin() as connection:
            say_instead(connection, post.id, as_json(message) | {"failure": reference})

    def _again(self, post: Post, reason: str) -> None:
        if post.attempts >= MOST_ATTEMPTS:
            log.error("post given up", post=post.key, reason=reason)
            mark_failed(self._engine, post.id, reason)
            return
        pause = min(FIRST_PAUSE * 2.0 ** (post.attempts - 1), LONGEST_PAUSE)
        log.warning("post waits", post=post.key, reason=reason, again_in=pause)
        put_off(self._engine, post.id, pause, reason, tried=True)


def metadata(key: str) -> dict[str, Any]:
    """Return the metadata with which Slack keeps a post's key."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}}


def key_of(message: dict[str, Any]) -> str | None:
    """Return the key of the post that a message in Slack is, if it is one."""
    kept = message.get("metadata") or {}
    if kept.get("event_type") != EVENT_TYPE:
        return None
    return str((kept.get("event_payload") or {}).get("key"))


def find_sent(
    client: WebClient, bot_user_id: str, post: Post, asked: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """Return where a post stands in Slack already, and what may be a stream begun for it.

    In a thread the bot's posts have a key but for streams that were not finished: messages of its
    own without one, younger than what was asked (at `asked`, by Slack's clock), the latest first.
    """
    oldest = asked or f"{post.created_at.timestamp() - SKEW:.6f}"
    channel = post.channel
    if channel.startswith(("U", "W")):  # a person: their direct messages with the bot
        channel = str(client.conversations_open(users=channel)["channel"]["id"])
    looking: dict[str, Any] = {"channel": channel, "limit": RECONCILED, "oldest": oldest}
    looking["include_all_metadata"] = True
    if post.thread_ts is not None:
        look = partial(client.conversations_replies, ts=post.thread_ts, **looking)
    else:
        look = partial(client.conversations_history, **looking)
    orphans: list[str] = []
    cursor = ""
    for _ in range(PAGES):
        page = look(cursor=cursor) if cursor else look()
        for message in page.get("messages") or ():
            ts = str(message["ts"])
            if message.get("user") != bot_user_id or ts < oldest:
                continue
            key = key_of(message)
            if key == post.key:
                return ts, ()
            if key is None and post.thread_ts is not None:
                orphans.append(ts)
        cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            break
    return None, tuple(sorted(orphans, reverse=True))


def change(client: WebClient, post: Post, ts: str) -> bool:
    """Let a message say what the post says; False where it stands there no more."""

    def update() -> None:
        client.chat_update(channel=post.channel, ts=ts, metadata=metadata(post.key), **_body(post))

    try:
        try:
            update()
        except SlackApiError as error:
            if _code(error) != STREAMING:
                raise
            stop_stream(client, post.channel, ts)
            update()
    except SlackApiError as error:
        if _code(error) in GONE:
            return False
        raise
    return True


def delete(client: WebClient, channel: str, ts: str) -> None:
    """Delete a message of the bot's own, even one that still streams."""
    try:
        try:
            client.chat_delete(channel=channel, ts=ts)
        except SlackApiError as error:
            if _code(error) not in (STREAMING, "cant_delete_message"):
                raise
            stop_stream(client, channel, ts)
            client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        if _code(error) not in NEVER_THERE:
            raise


def stop_stream(client: WebClient, channel: str, ts: str) -> None:
    """End a stream that somebody began; one that ended by itself is fine."""
    try:
        client.chat_stopStream(channel=channel, ts=ts)
    except SlackApiError as error:
        if _code(error) not in ENDED:
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


def is_outage(error: SlackApiError) -> bool:
    """Whether Slack itself has trouble, or may have done what it was asked for all the same."""
    return _is_limit(error) or error.response.status_code >= 500 or _code(error) in OUTAGES


def _is_limit(error: SlackApiError) -> bool:
    return error.response.status_code == 429 or _code(error) == "ratelimited"


def _code(error: SlackApiError) -> str:
    return str(error.response.get("error") or f"status {error.response.status_code}")


def _retry_after(error: SlackApiError) -> float:
    headers: dict[str, Any] = dict(error.response.headers)
    told = next((v for k, v in headers.items() if k.lower() == "retry-after"), "1")
    written = str(told[0] if isinstance(told, list) else told)
    return float(written) if written.isdecimal() else 1.0
