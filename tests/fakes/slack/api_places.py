"""conversations.*, users.*, usergroups.*, reactions.* and pins.*."""

from typing import Any

from . import rendering as show
from .records import Channel, Json, Message, SlackError
from .workspace import Workspace, page

PAGE = 100  # items where no limit is asked for
MOST = 999  # items of one page


def _limit(p: Json) -> int:
    return max(1, min(int(p.get("limit") or PAGE), MOST))


def _paged(key: str, items: list[Any], p: Json) -> Json:
    shown, cursor = page(items, p.get("cursor") or "", _limit(p))
    metadata = {"response_metadata": {"next_cursor": cursor}}
    return {key: shown, "has_more": bool(cursor)} | metadata


def _member(w: Workspace, p: Json) -> Channel:
    channel = w.channel(p.get("channel"))
    if w.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def _between(message: Message, p: Json) -> bool:
    after, before = str(p.get("oldest") or "0"), str(p.get("latest") or "9")
    if str(p.get("inclusive")).lower() in ("1", "true"):
        return after <= message.ts <= before
    return after < message.ts < before


def _shown(w: Workspace, message: Message, p: Json) -> Json:
    wanted = str(p.get("include_all_metadata")).lower() in ("1", "true")
    return show.message_json(w, message, with_metadata=wanted)


def history(w: Workspace, p: Json) -> Json:
    """conversations.history: the messages that open threads or stand alone, newest first."""
    there = reversed(w.history(_member(w, p).id))
    answer = _paged("messages", [m for m in there if _top(m) and _between(m, p)], p)
    shown = [_shown(w, m, p) | show.root_json(w, m) for m in answer["messages"]]
    return answer | {"messages": shown}


def _top(message: Message) -> bool:
    return message.thread_ts in (None, message.ts)


def replies(w: Workspace, p: Json) -> Json:
    """conversations.replies: one thread, its first message at the head of every page's list."""
    channel = _member(w, p).id
    if not w.was_here(channel, str(p.get("ts"))):
        raise SlackError("thread_not_found")
    thread = w.history(channel, w.message(channel, p["ts"]).root_ts)
    root, rest = thread[0], [m for m in thread[1:] if _between(m, p)]
    first = _shown(w, root, p) | show.root_json(w, root)
    return _paged("messages", [first, *(_shown(w, m, p) for m in rest)], p)


def conversation_info(w: Workspace, p: Json) -> Json:
    """conversations.info."""
    return {"channel": show.channel_json(w, w.channel(p.get("channel")))}


def conversation_list(w: Workspace, p: Json) -> Json:
    """conversations.list: public channels, and of the rest those the bot is in."""
    kinds = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
    asked = {kinds[name] for name in str(p.get("types") or "public_channel").split(",")}
    known = [c for c in w.channels.values() if c.kind in asked]
    seen = [c for c in known if c.kind == "channel" or w.bot_user in c.members]
    return _paged("channels", [show.channel_json(w, c) for c in seen], p)


def members(w: Workspace, p: Json) -> Json:
    """conversations.members."""
    people = sorted(w.channel(p.get("channel")).members)
    shown, cursor = page(people, p.get("cursor") or "", _limit(p))
    return {"members": shown, "response_metadata": {"next_cursor": cursor}}


def open_conversation(w: Workspace, p: Json) -> Json:
    """conversations.open: direct messages with one or more people."""
    if p.get("channel"):
        return {"channel": {"id": w.channel(p["channel"]).id}}
    people = [w.user(name).id for name in str(p.get("users") or "").split(",") if name]
    if not people:
        raise SlackError("users_list_not_supplied")
    return {"channel": {"id": w.direct_channel(people).id}}


def user_info(w: Workspace, p: Json) -> Json:
    """users.info; the address is told only to apps with users:read.email."""
    return {"user": show.user_json(w, w.user(p.get("user")), with_email=_email(w))}


def user_list(w: Workspace, p: Json) -> Json:
    """users.list."""
    people = [show.user_json(w, user, with_email=_email(w)) for user in w.users.values()]
    return _paged("members", people, p)


def _email(w: Workspace) -> bool:
    return w.scopes is None or "users:read.email" in w.scopes


def group_list(w: Workspace, p: Json) -> Json:
    """usergroups.list; with the people where `include_users` is set."""
    with_users = str(p.get("include_users")).lower() in ("1", "true")
    groups = []
    for group in w.groups.values():
        body: Json = {"id": group.id, "handle": group.handle, "name": group.handle.title()}
        body |= {"team_id": w.team_id, "user_count": len(group.users)}
        groups.append(body | ({"users": [*group.users]} if with_users else {}))
    return {"usergroups": groups}


def group_users(w: Workspace, p: Json) -> Json:
    """usergroups.users.list."""
    if p.get("usergroup") not in w.groups:
        raise SlackError("no_such_subteam")
    return {"users": [*w.groups[p["usergroup"]].users]}


def _reacted(w: Workspace, p: Json) -> tuple[Message, tuple[str, str]]:
    if not p.get("name"):
        raise SlackError("invalid_name")
    message = w.message(_member(w, p).id, p.get("timestamp"))
    return message, (str(p["name"]).strip(":"), w.bot_user)


def add_reaction(w: Workspace, p: Json) -> Json:
    """reactions.add."""
    message, reaction = _reacted(w, p)
    if reaction in message.reactions:
        raise SlackError("already_reacted")
    w.change(message, reactions=(*message.reactions, reaction))
    return {}


def remove_reaction(w: Workspace, p: Json) -> Json:
    """reactions.remove."""
    message, reaction = _reacted(w, p)
    if reaction not in message.reactions:
        raise SlackError("no_reaction")
    w.change(message, reactions=tuple(r for r in message.reactions if r != reaction))
    return {}


def pin_list(w: Workspace, p: Json) -> Json:
    """pins.list: the pinned messages that stand, the latest pin first."""
    channel = _member(w, p).id
    standing = {m.ts: m for m in w.history(channel)}
    return {
        "items": [
            {
                "type": "message",
                "channel": channel,
                "created": int(float(ts)),
                "message": show.message_json(w, standing[ts])
                | {"permalink": w.permalink(standing[ts]), "pinned_to": [channel]},
            }
            for ts in reversed(w.pins[channel])
            if ts in standing
        ]
    }


METHODS = {
    "conversations.history": history,
    "conversations.replies": replies,
    "conversations.info": conversation_info,
    "conversations.list": conversation_list,
    "conversations.members": members,
    "conversations.open": open_conversation,
    "users.info": user_info,
    "users.list": user_list,
    "usergroups.list": group_list,
    "usergroups.users.list": group_users,
    "reactions.add": add_reaction,
    "reactions.remove": remove_reaction,
    "pins.list": pin_list,
}
