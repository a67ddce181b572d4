"""auth.*, assistant.*, agents.* and views.*: who the app is, and what it shows beside messages."""

import json
import secrets
from dataclasses import replace
from typing import Any

from .checks import check_prompts, check_status, check_view
from .pictures import picture_problems
from .records import Json, SlackError, View
from .rendering import view_json, with_ids
from .workspace import Workspace

SESSION_STATES = ("processing", "active", "suspended", "closed")
VIEW_SIZE = 250_000  # characters of a view's JSON
STACK = 3  # modals on top of one another


def api_test(_w: Workspace, p: Json) -> Json:
    """api.test: no token needed."""
    return {"args": p}


def auth_test(w: Workspace, _p: Json) -> Json:
    """auth.test."""
    return {
        "url": f"{w.address}/",
        "team": w.name.title(),
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


def _checked(w: Workspace, p: Json, kind: str, view_id: str = "") -> Json:
    """Return the view with ids for its blocks; `view_id` is the one that it replaces."""
    check_view(p.get("view"))
    view: Json = p["view"]
    if problems := picture_problems(w, view["blocks"], "/view/blocks"):
        raise SlackError("invalid_arguments", *problems)
    if view["type"] != kind:
        raise SlackError("invalid_arguments", f"must be one of {kind} [json-pointer:/view/type]")
    if len(json.dumps(view)) > VIEW_SIZE:
        raise SlackError("view_too_large")
    named = _named(w, view.get("external_id"))
    if named is not None and named.id != view_id:
        raise SlackError("duplicate_external_id")
    return view | {"blocks": [*with_ids(view["blocks"])]}


def _named(w: Workspace, external_id: Any) -> View | None:
    named = (view for view in w.views.values() if view.body.get("external_id") == external_id)
    return next(named, None) if external_id else None


def _kept(w: Workspace, view: View) -> Json:
    with w.changed:
        w.views[view.id] = view
        w.changed.notify_all()
    return {"view": view_json(w, view)}


def _new_hash() -> str:
    return secrets.token_hex(6)


def open_view(w: Workspace, p: Json) -> Json:
    """views.open: a modal for the person behind the trigger."""
    body = _checked(w, p, "modal")
    user = w.exchange_trigger(p.get("trigger_id")).user
    return _kept(w, View(w.new_id("V"), user, _new_hash(), body))


def push_view(w: Workspace, p: Json) -> Json:
    """views.push: a modal on top of the one in which something was pressed, three at most."""
    body = _checked(w, p, "modal")
    trigger = w.exchange_trigger(p.get("trigger_id"))
    under = w.views.get(trigger.view_id or "")
    below = (*under.below, under.id) if under and under.type == "modal" else ()
    if len(below) >= STACK:
        raise SlackError("push_limit_reached")
    return _kept(w, View(w.new_id("V"), trigger.user, _new_hash(), body, below))


def update_view(w: Workspace, p: Json) -> Json:
    """views.update, by `view_id` or `external_id`; a stale `hash` is refused."""
    view = w.views.get(p.get("view_id") or "") or _named(w, p.get("external_id"))
    if view is None:
        raise SlackError("not_found")
    body = _checked(w, p, view.type, view.id)
    _check_hash(p, view)
    return _kept(w, replace(view, hash=_new_hash(), body=body))


def _check_hash(p: Json, view: View) -> None:
    if p.get("hash") and p["hash"] != view.hash:
        raise SlackError("hash_conflict")


def publish_view(w: Workspace, p: Json) -> Json:
    """views.publish: a person's home tab; a stale `hash` is refused."""
    user = w.user(p.get("user_id")).id
    homes = [v for v in w.views.values() if v.type == "home" and v.user == user]
    home = homes[0] if homes else View(w.new_id("V"), user, "", {})
    body = _checked(w, p, "home", home.id)
    _check_hash(p, home)
    return _kept(w, replace(home, hash=_new_hash(), body=body))


def respond_view(w: Workspace, view: View, response: Json) -> list[str]:
    """Do what the answer to a submission asks for; return what is wrong with it."""
    kind = response.get("response_action")
    if kind == "errors":
        blocks = {block["block_id"] for block in view.body["blocks"] if block["type"] == "input"}
        unknown = {*(response.get("errors") or ["(none named)"])} - blocks
        return [f"no input block: {name}" for name in sorted(unknown)]
    if kind not in ("update", "push"):
        return [] if kind in (None, "clear") else [f"no such response_action: {kind}"]
    below = (*view.below, view.id)
    if kind == "push" and len(below) >= STACK:
        return ["push_limit_reached"]
    try:
        body = _checked(w, response, "modal", view.id if kind == "update" else "")
    except SlackError as error:
        return [error.code, *error.problems]
    if kind == "update":
        _kept(w, replace(view, hash=_new_hash(), body=body))
    else:
        _kept(w, View(w.new_id("V"), view.user, _new_hash(), body, below))
    return []


METHODS = {
    "api.test": api_test,
    "auth.test": auth_test,
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setSuggestedPrompts": set_prompts,
    "assistant.threads.setTitle": set_title,
    "agents.sessions.setStatus": set_session,
    "views.open": open_view,
    "views.push": push_view,
    "views.update": update_view,
    "views.publish": publish_view,
}
