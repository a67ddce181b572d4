"""files.*: uploading in three steps, and what is known of a file."""

import mimetypes
import secrets
import time
from dataclasses import replace

from .api_chat import said_event, thread_of
from .records import Channel, Json, Message, SharedFile, SlackError, Upload
from .rendering import file_json
from .workspace import Workspace

FILES_PAGE = 100  # files where no count is asked for


def upload_url(w: Workspace, p: Json) -> Json:
    """files.getUploadURLExternal: an address for one file of exactly `length` bytes."""
    if not p.get("filename"):
        raise SlackError("invalid_arguments", "missing required field: filename")
    if not str(p.get("length") or "").isdigit() or int(p["length"]) < 1:
        raise SlackError("invalid_arguments", "must be more than 0 [json-pointer:/length]")
    ticket = secrets.token_hex(16)
    upload = Upload(w.new_id("F"), str(p["filename"]), int(p["length"]), w.team_id)
    w.world.uploads[ticket] = upload
    return {"upload_url": f"{w.origin}/upload/v1/{ticket}", "file_id": upload.file_id}


def complete(w: Workspace, p: Json) -> Json:
    """files.completeUploadExternal: the files are there now, in a place where one is named.

    Slack looks at them afterwards: for a while their type is unknown, and no block may show
    them.
    """
    wanted = p.get("files")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError("invalid_arguments", "no less than 1 items allowed [json-pointer:/files]")
    place = w.postable(p["channel_id"]) if p.get("channel_id") else None
    thread_ts = thread_of(w, place.id, p) if place else None
    known = {u.file_id: u for u in w.world.uploads.values() if u.team_id == w.team_id}
    uploads = [known.get(item.get("id")) for item in wanted]
    if any(upload is None or upload.content is None or upload.done for upload in uploads):
        raise SlackError("file_not_found")
    files = []
    for item, upload in zip(wanted, filter(None, uploads), strict=True):
        upload.done = True
        files.append(_kept(w, upload, item.get("title"), place))
    if place is not None:
        _share(w, place, thread_ts, p.get("initial_comment") or "", tuple(files))
    return {"files": [file_json(w, file) for file in files]}


def _kept(w: Workspace, upload: Upload, title: str | None, place: Channel | None) -> SharedFile:
    kind = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
    file = SharedFile(
        upload.file_id,
        upload.name,
        w.bot_user,
        upload.content or b"",
        kind,
        int(time.time()),
        place.id if place else "",
        {"title": title or upload.name},
    )
    file = replace(file, ready_at=time.monotonic() + w.file_processing)
    for workspace in w.world.sharing(place.id) if place else [w]:
        workspace.files[file.id] = file
    return file


def _share(
    w: Workspace, place: Channel, thread_ts: str | None, text: str, files: tuple[SharedFile, ...]
) -> None:
    ts = w.next_ts()
    message = Message(place.id, ts, w.bot_user, text, thread_ts, files=files, by_app=True)
    w.emit(said_event(w, w.change(message, subtype="file_share")), place)
    for file in files:
        told = {"file_id": file.id, "user_id": file.user, "channel_id": place.id}
        event = {"type": "file_shared", "file": {"id": file.id}, "event_ts": w.next_ts()}
        w.emit(event | told, place)


def file_info(w: Workspace, p: Json) -> Json:
    """files.info."""
    if p.get("file") not in w.files:
        raise SlackError("file_not_found")
    if w.files[p["file"]].deleted:
        raise SlackError("file_deleted")
    return {"file": file_json(w, w.files[p["file"]]), "comments": []}


def file_list(w: Workspace, p: Json) -> Json:
    """files.list: what was shared in a channel, newest first; nothing where the bot is not."""
    place = w.channel(p.get("channel"))
    there = [f for f in w.files.values() if f.channel == place.id and not f.deleted]
    shown = [file_json(w, file) for file in reversed(there) if w.bot_user in place.members]
    count, number = min(int(p.get("count") or FILES_PAGE), 1_000), int(p.get("page") or 1)
    paging = {"count": count, "total": len(shown), "page": number}
    paging["pages"] = -(-len(shown) // count)
    return {"files": shown[(number - 1) * count : number * count], "paging": paging}


METHODS = {
    "files.info": file_info,
    "files.list": file_list,
    "files.getUploadURLExternal": upload_url,
    "files.completeUploadExternal": complete,
}
