"""Which scopes a method needs, for a server that is told what the app was granted."""

from .records import Json, SlackError
from .workspace import Workspace

CHAT = "chat:write"
NEEDED = {
    **dict.fromkeys(
        (
            "chat.postMessage",
            "chat.postEphemeral",
            "chat.update",
            "chat.delete",
            "chat.startStream",
            "chat.appendStream",
            "chat.stopStream",
            "agents.sessions.setStatus",
        ),
        (CHAT,),
    ),
    "assistant.threads.setStatus": ("assistant:write", CHAT),
    "assistant.threads.setSuggestedPrompts": ("assistant:write",),
    "assistant.threads.setTitle": ("assistant:write",),
    "conversations.open": ("im:write", "mpim:write"),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "reactions.add": ("reactions:write",),
    "reactions.remove": ("reactions:write",),
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "files.list": ("files:read",),
    "pins.list": ("pins:read",),
}


def check_scopes(w: Workspace, method: str, p: Json) -> None:
    """Raise `SlackError` ("missing_scope") unless one of the scopes that suffice was granted."""
    needed = _needed(w, method, p)
    if w.scopes is None or not needed or w.scopes.intersection(needed):
        return
    provided = ",".join(sorted(w.scopes))
    raise SlackError("missing_scope", needed=",".join(needed), provided=provided)


def _needed(w: Workspace, method: str, p: Json) -> tuple[str, ...]:
    channel = w.channels.get(p.get("channel") or "")
    if method in ("conversations.history", "conversations.replies") and channel:
        return (channel.scope("history"),)
    if method in ("conversations.info", "conversations.members") and channel:
        return (channel.scope("read"),)
    return NEEDED.get(method, ())
