"""chat.*: posting, changing, deleting and streaming messages."""

import time
from collections.abc import Sequence
from typing import Any

from . import limits
from .checks import check_blocks, check_chunks, check_content, check_metadata, chunk_text
from .pictures import check_pictures
from .records import Channel, Json, Message, SlackError, Stream
from .rendering import message_json, with_ids
from .workspace import Workspace


def post_message(w: Workspace, p: Json) -> Json:
    """chat.postMessage: in a place or, given a person's id, in their direct messages."""
    channel = w.postable(p.get("channel"))
    check_content(p, text_limit=limits.POST_TEXT)
    check_pictures(w, p.get("blocks"))
    message = w.put(_written(w, channel.id, p))
    clear_status(w, message)
    w.emit(said_event(w, message), channel)
    return _answer(message) | {"message": message_json(w, message)}


def _written(w: Workspace, channel: str, p: Json) -> Message:
    return Message(
        channel,
        w.next_ts(),
        w.bot_user,
        p.get("text") or p.get("markdown_text") or "",
        thread_ts=thread_of(w, channel, p),
        blocks=with_ids(p.get("blocks") or []),
        attachments=tuple(p.get("attachments") or ()),
        metadata=p.get("metadata"),
        by_app=True,
    )


def thread_of(w: Workspace, channel: str, p: Json) -> str | None:
    """Return the thread that is to be answered in; raises `SlackError` where there is none."""
    thread_ts = p.get("thread_ts")
    if thread_ts is not None and not w.was_here(channel, str(thread_ts)):
        raise SlackError("thread_not_found")
    return thread_ts and str(thread_ts)


def _answer(message: Message) -> Json:
    return {"channel": message.channel, "ts": message.ts}


def said_event(w: Workspace, message: Message) -> Json:
    """The event that tells of a message of the app."""
    place = {"channel": message.channel, "event_ts": message.ts}
    return message_json(w, message) | place | {"channel_type": w.channels[message.channel].kind}


def clear_status(w: Workspace, message: Message) -> None:
    """Take a thread's status away, as Slack does when the app speaks there."""
    w.statuses.pop((message.channel, message.root_ts), None)


def post_ephemeral(w: Workspace, p: Json) -> Json:
    """chat.postEphemeral: for one person, who must be in the place."""
    channel = w.postable(p.get("channel"))
    check_content(p, text_limit=limits.POST_TEXT)
    check_pictures(w, p.get("blocks"))
    if p.get("user") not in channel.members:
        raise SlackError("user_not_in_channel")
    message = _written(w, channel.id, p)
    w.change(message, visible_to=p["user"])
    return {"message_ts": message.ts}


def update(w: Workspace, p: Json) -> Json:
    """chat.update: what is not given stays as it was."""
    before = _own(w, p, "cant_update_message")
    if before.stream is not None:
        raise SlackError("streaming_state_conflict")
    check_content(_kept(before) | p, text_limit=limits.UPDATE_TEXT, in_bytes=True)
    check_pictures(w, p.get("blocks"))
    changes: Json = {"text": p.get("text") or p.get("markdown_text") or before.text}
    if "blocks" in p:
        changes["blocks"] = with_ids(p["blocks"])
    if "metadata" in p:
        changes["metadata"] = p["metadata"] or None
    after = w.change(before, edited_ts=w.next_ts(), **changes)
    w.emit(changed_event(w, before, after), w.channels[after.channel])
    return _answer(after) | {"text": after.text, "message": message_json(w, after)}


def _kept(before: Message) -> Json:
    return {} if not before.attachments else {"attachments": [*before.attachments]}


def _own(w: Workspace, p: Json, refusal: str) -> Message:
    message = w.message(w.channel(p.get("channel")).id, p.get("ts"))
    if message.user != w.bot_user or message.visible_to:
        raise SlackError(refusal)
    return message


def changed_event(w: Workspace, before: Message, after: Message) -> Json:
    """The event that tells of an edit."""
    return _envelope(w, after, "message_changed") | {
        "message": message_json(w, after),
        "previous_message": message_json(w, before),
    }


def deleted_event(w: Workspace, before: Message) -> Json:
    """The event that tells of a deletion."""
    return _envelope(w, before, "message_deleted") | {
        "deleted_ts": before.ts,
        "previous_message": message_json(w, before),
    }


def _envelope(w: Workspace, message: Message, subtype: str) -> Json:
    ts = w.next_ts()
    return {
        "type": "message",
        "subtype": subtype,
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
        "channel": message.channel,
        "channel_type": w.channels[message.channel].kind,
    }


def delete(w: Workspace, p: Json) -> Json:
    """chat.delete: the app's own messages only, and none that still streams."""
    message = _own(w, p, "cant_delete_message")
    if message.stream is not None:
        raise SlackError("cant_delete_message")
    w.change(message, deleted=True)
    w.emit(deleted_event(w, message), w.channels[message.channel])
    return _answer(message)


def get_permalink(w: Workspace, p: Json) -> Json:
    """chat.getPermalink."""
    channel = w.channel(p.get("channel"))
    link = w.permalink(w.message(channel.id, p.get("message_ts")))
    return {"channel": channel.id, "permalink": link}


def start_stream(w: Workspace, p: Json) -> Json:
    """chat.startStream: outside direct messages the recipient must be named."""
    channel = w.postable(p.get("channel"))
    _check_recipient(w, channel, p)
    if channel.kind == "im" and not p.get("thread_ts"):
        raise SlackError("invalid_thread_ts")
    text, chunks, stream = _piece(p, "open")
    message = Message(
        channel.id,
        w.next_ts(),
        w.bot_user,
        text,
        thread_ts=thread_of(w, channel.id, p),
        by_app=True,
        stream=stream,
        streamed=True,
        stream_started=time.monotonic(),
        chunks=tuple(chunks),
    )
    clear_status(w, w.put(message))
    return _answer(message)


def _check_recipient(w: Workspace, channel: Channel, p: Json) -> None:
    for key in ("recipient_user_id", "recipient_team_id") if channel.kind != "im" else ():
        if not p.get(key):
            raise SlackError(f"missing_{key}")
    if p.get("recipient_user_id"):
        w.user(p["recipient_user_id"])
    teams = {user.team_id for user in w.users.values()}
    if p.get("recipient_team_id") and p["recipient_team_id"] not in teams:
        raise SlackError("team_not_found")


def _piece(p: Json, stream: Stream) -> tuple[str, Sequence[Json], Stream]:
    """Return the words, the chunks and the shape after this piece of a stream.

    A stream keeps the shape of its first content, `markdown_text` or `chunks` (measured).
    """
    markdown, chunks = p.get("markdown_text"), p.get("chunks")
    if markdown is not None and chunks:
        raise SlackError("markdown_text_conflict")
    if markdown is None and not chunks:
        return "", (), stream
    shape: Stream = "chunks" if chunks else "text"
    if stream not in ("open", shape):
        raise SlackError("streaming_mode_mismatch")
    check_chunks(chunks or [])
    text = chunk_text(chunks) if chunks else str(markdown)
    if len(text) > limits.MARKDOWN:
        raise SlackError("msg_too_long")
    return text, chunks or (), shape


def _streaming(w: Workspace, p: Json) -> tuple[Message, Stream]:
    message = _own(w, p, "message_not_owned_by_app")
    if message.stopped_by_user:
        raise SlackError("stopped_by_user")
    if message.stream is None:
        raise SlackError("message_not_in_streaming_state")
    return message, message.stream


def append_stream(w: Workspace, p: Json) -> Json:
    """chat.appendStream: adds to a message that still streams."""
    message, stream = _streaming(w, p)
    text, chunks, shape = _piece(p, stream)
    if not text and not chunks:
        raise SlackError("no_text")
    _grown(w, message, text, chunks, shape)
    return _answer(message)


def _grown(
    w: Workspace, message: Message, text: str, chunks: Sequence[Any], stream: Stream
) -> Message:
    whole = message.text + text
    if len(whole) > limits.MESSAGE_SIZE:
        raise SlackError("msg_too_long")
    return w.change(message, text=whole, chunks=(*message.chunks, *chunks), stream=stream)


def stop_stream(w: Workspace, p: Json) -> Json:
    """chat.stopStream: the last words, the blocks below them, and the end of the stream."""
    message, stream = _streaming(w, p)
    check_blocks(p.get("blocks") or [])
    check_pictures(w, p.get("blocks"))
    check_metadata(p.get("metadata"))
    grown = _grown(w, message, *_piece(p, stream))
    blocks, metadata = with_ids(p.get("blocks") or []), p.get("metadata")
    final = w.change(grown, stream=None, blocks=blocks, metadata=metadata)
    w.emit(said_event(w, final), w.channels[final.channel])
    return _answer(final) | {"message": message_json(w, final)}


METHODS = {
    "chat.postMessage": post_message,
    "chat.postEphemeral": post_ephemeral,
    "chat.update": update,
    "chat.delete": delete,
    "chat.getPermalink": get_permalink,
    "chat.startStream": start_stream,
    "chat.appendStream": append_stream,
    "chat.stopStream": stop_stream,
}
