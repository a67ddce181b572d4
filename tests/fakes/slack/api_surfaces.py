"""auth.*, assistant.*, agents.* and views.*: who the app is, and what it shows beside messages."""

import secrets

from .checks import check_prompts, check_status, check_view
from .records import Json, SlackError, View
from .rendering import view_json, with_ids
from .workspace import DOMAIN, Workspace

SESSION_STATES = ("processing", "active", "suspended", "closed")
VIEW_SIZE = 250_000  # characters of a view's JSON


def api_test(_w: Workspace, p: Json) -> Json:
    """api.test: no token needed."""
    return {"args": p}


def auth_test(w: Workspace, _p: Json) -> Json:
    """auth.test."""
    return {
        "url": f"https://{DOMAIN}.slack.com/",
        "team": DOMAIN.title(),
        "user": w.users[w.bot_user].name,
        "team_id": w.team_id,
        "user_id": w.bot_user,
        "bot_id": w.bot_id,
        "is_enterprise_install": False,
    }


def set_status(w: Workspace, p: Json) -> Json:
    """assistant.threads.setStatus: an empty status takes it away."""
    channel = w.channel(p.get("channel_id"))
    check_status(p)
    if not p.get("thread_ts"):
        raise SlackError("invalid_arguments", "missing required field: thread_ts")
    with w.changed:
        w.statuses[channel.id, str(p["thread_ts"])] = p["status"]
        if not p["status"]:
            del w.statuses[channel.id, str(p["thread_ts"])]
        w.changed.notify_all()
    return {}


def set_prompts(w: Workspace, p: Json) -> Json:
    """assistant.threads.setSuggestedPrompts: kept as a call."""
    w.channel(p.get("channel_id"))
    check_prompts(p.get("prompts"))
    return {}


def set_title(w: Workspace, p: Json) -> Json:
    """assistant.threads.setTitle: kept as a call."""
    w.channel(p.get("channel_id"))
    if not p.get("title"):
        raise SlackError("invalid_arguments", "missing required field: title")
    return {}


def set_session(w: Workspace, p: Json) -> Json:
    """agents.sessions.setStatus: kept as a call."""
    w.channel(p.get("channel_id"))
    if p.get("status") not in SESSION_STATES:
        raise SlackError("invalid_arguments", "must be a session status")
    return {"status": p["status"], "agent_status": p["status"], "title": p.get("title") or ""}


def _checked(p: Json) -> Json:
    check_view(p.get("view"))
    view: Json = p["view"]
    if len(str(view)) > VIEW_SIZE:
        raise SlackError("view_too_large")
    return view | {"blocks": [*with_ids(view["blocks"])]}


def _kept(w: Workspace, view_id: str, user: str, body: Json) -> Json:
    with w.changed:
        w.views[view_id] = view = View(view_id, user, secrets.token_hex(6), body)
        w.changed.notify_all()
    return {"view": view_json(w, view)}


def open_view(w: Workspace, p: Json) -> Json:
    """views.open, and views.push alike: a modal for the person behind the trigger."""
    body = _checked(p)
    user = w.exchange_trigger(p.get("trigger_id"))
    return _kept(w, w.new_id("V"), user, body)


def update_view(w: Workspace, p: Json) -> Json:
    """views.update, by `view_id` or `external_id`; a stale `hash` is refused."""
    body = _checked(p)
    by_id = w.views.get(p.get("view_id") or "")
    named = [v for v in w.views.values() if v.body.get("external_id") == p.get("external_id")]
    view = by_id or (named[0] if p.get("external_id") and named else None)
    if view is None:
        raise SlackError("not_found")
    if p.get("hash") and p["hash"] != view.hash:
        raise SlackError("hash_conflict")
    return _kept(w, view.id, view.user, body)


def publish_view(w: Workspace, p: Json) -> Json:
    """views.publish: a person's home tab."""
    body = _checked(p)
    user = w.user(p.get("user_id")).id
    homes = [v.id for v in w.views.values() if v.type == "home" and v.user == user]
    return _kept(w, homes[0] if homes else w.new_id("V"), user, body)


METHODS = {
    "api.test": api_test,
    "auth.test": auth_test,
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setSuggestedPrompts": set_prompts,
    "assistant.threads.setTitle": set_title,
    "agents.sessions.setStatus": set_session,
    "views.open": open_view,
    "views.push": open_view,
    "views.update": update_view,
    "views.publish": publish_view,
}
