"""How the workspace's records look as JSON, in the Web API and in events alike."""

import re
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from .records import Channel, Json, Message, SharedFile, User, View
from .workspace import Workspace

USER_MENTION = re.compile(r"<@([A-Z0-9]+)>")


def user_json(workspace: Workspace, user: User, *, with_email: bool) -> Json:
    """A person as `users.info` shows them; `is_stranger` appears only where it is true."""
    own = user.team_id == workspace.team_id
    profile = {"real_name": user.name.title(), "display_name": user.name, "team": user.team_id}
    if with_email and user.email and own:
        profile["email"] = user.email
    body: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "real_name": user.name.title(),
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 1_700_000_000,
        "profile": profile,
    }
    if own:
        body |= {"tz": user.tz, "is_admin": user.is_admin, "is_owner": user.is_owner}
        body |= {"is_primary_owner": False, "is_restricted": user.is_restricted}
        body |= {"is_ultra_restricted": user.is_ultra_restricted}
    return body | ({"is_stranger": True} if user.is_stranger else {})


def channel_json(workspace: Workspace, channel: Channel) -> Json:
    """A place as `conversations.info` shows it."""
    body: Json = {
        "id": channel.id,
        "is_channel": channel.kind == "channel",
        "is_group": channel.kind == "group",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "channel",
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "is_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "context_team_id": workspace.team_id,
    }
    if channel.is_ext_shared:
        teams = {workspace.users[id].team_id for id in channel.members if id in workspace.users}
        body |= {"shared_team_ids": sorted(teams), "is_pending_ext_shared": False}
        body["connected_team_ids"] = sorted(teams - {workspace.team_id})
    if channel.kind == "im":
        return body | {"user": min(channel.members - {workspace.bot_user})}
    member = workspace.bot_user in channel.members
    return body | {"name": channel.name, "name_normalized": channel.name, "is_member": member}


def message_json(workspace: Workspace, message: Message, *, with_metadata: bool = True) -> Json:
    """A message as the API, an event or an interaction shows it."""
    body: Json = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "text": message.text,
        "team": _team_of(workspace, message.user),
        "blocks": [*message.blocks],
    }
    if message.by_app:
        bot_id = workspace.world.bot_ids.get(message.user, workspace.bot_id)
        body |= {"bot_id": bot_id, "app_id": workspace.app_id}
    else:
        body["client_msg_id"] = f"{message.ts.replace('.', '-')}-{message.user.lower()}"
    body |= {key: value for key, value in _rest(workspace, message).items() if value}
    if with_metadata and message.metadata:
        body["metadata"] = message.metadata
    return body


def _rest(workspace: Workspace, message: Message) -> Json:
    return {
        "thread_ts": message.thread_ts,
        "subtype": message.subtype,
        "attachments": [*message.attachments],
        "files": [_told_file(workspace, file) for file in message.files],
        "reactions": _reactions(message.reactions),
        "edited": message.edited_ts and {"user": message.user, "ts": message.edited_ts},
        "streaming_state": message.streamed and ("completed", "in_progress")[not message.finished],
    }


def _team_of(workspace: Workspace, user_id: str) -> str:
    user = workspace.users.get(user_id)
    return user.team_id if user else workspace.team_id


def _reactions(pairs: Iterable[tuple[str, str]]) -> list[Json]:
    people: defaultdict[str, list[str]] = defaultdict(list)
    for name, user in pairs:
        people[name].append(user)
    return [{"name": n, "users": users, "count": len(users)} for n, users in people.items()]


def root_json(workspace: Workspace, message: Message) -> Json:
    """A message with the sum of its thread, as histories show the first one."""
    replies = [m for m in workspace.history(message.channel, message.ts) if m.ts != message.ts]
    if not replies:
        return {}
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users": sorted({reply.user for reply in replies}),
        "latest_reply": replies[-1].ts,
    }


def _told_file(workspace: Workspace, file: SharedFile) -> Json:
    """A file as a message shows it."""
    if file.id in workspace.files:
        file = workspace.files[file.id]
    if file.deleted:
        return {"id": file.id, "mode": "tombstone"}
    if file.told_whole:
        return file_json(workspace, file)
    return {"id": file.id, "mode": "file_access", "file_access": "check_file_info"}


def file_json(workspace: Workspace, file: SharedFile) -> Json:
    """A file as `files.info` shows it; its address needs the bot's token."""
    address = f"{workspace.origin}/files-pri/{workspace.team_id}-{file.id}"
    looked_at = time.monotonic() >= file.ready_at
    kind = file.name.rpartition(".")[2].lower() if looked_at else ""
    return {
        "id": file.id,
        "name": file.name,
        "title": file.name,
        "user": file.user,
        "created": file.created,
        "timestamp": file.created,
        "mimetype": file.mimetype if looked_at else "",
        "filetype": kind,
        "size": len(file.content),
        "mode": "hosted",
        "is_external": False,
        "url_private": f"{address}/{file.name}",
        "url_private_download": f"{address}/download/{file.name}",
        "permalink": f"{workspace.address}/files/{file.user}/{file.id}/{file.name}",
        **file.details,
    }


def view_json(workspace: Workspace, view: View, state: Json | None = None) -> Json:
    """A modal or home tab as the API answers with it and interactions carry it."""
    return {
        "private_metadata": "",
        "callback_id": "",
        **view.body,
        "id": view.id,
        "hash": view.hash,
        "team_id": workspace.team_id,
        "app_id": workspace.app_id,
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.bot_id,
        "root_view_id": [*view.below, view.id][0],
        "previous_view_id": view.below[-1] if view.below else None,
        "state": {"values": state or {}},
    }


def rich_text(text: str) -> Json:
    """The block that Slack makes of what a person types: words and mentions."""
    pieces: list[Json] = []
    for i, piece in enumerate(USER_MENTION.split(text)):
        if piece:
            of_user = {"type": "user", "user_id": piece}
            pieces.append(of_user if i % 2 else {"type": "text", "text": piece})
    section = {"type": "rich_text_section", "elements": pieces}
    return {"type": "rich_text", "block_id": "rich", "elements": [section]}


def with_ids(blocks: Iterable[Json]) -> tuple[Json, ...]:
    """Return the blocks with the ids that Slack adds where the app gave none."""
    numbered = enumerate(blocks)
    return tuple({"block_id": f"b{i}", **block, **_elements(i, block)} for i, block in numbered)


def _elements(i: int, block: Json) -> Json:
    if block["type"] not in ("actions", "context_actions"):
        return {}
    return {"elements": [{"action_id": f"a{i}-{j}", **e} for j, e in enumerate(block["elements"])]}


def elements_of(blocks: Iterable[Json]) -> Iterable[tuple[str, Json]]:
    """Yield (block_id, element) for everything a person can press or fill in."""
    for block in blocks:
        alone: list[Any] = [block.get("accessory"), block.get("element")]
        for item in [*block.get("elements", []), *alone]:
            if isinstance(item, dict) and "action_id" in item:
                yield block["block_id"], item
