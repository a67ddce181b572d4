"""Installing the app: what a person grants in the browser, and what the app gets for the code."""

import secrets
import time
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .records import Json, NotSeenError, SlackError
from .workspace import Workspace
from .world import CODE_LIFETIME, Grant

AUTHORIZE_PATH = "/oauth/v2/authorize"


def authorize(w: Workspace, url: str, user: str, *, allow: bool) -> str:
    """Return where the browser goes after a person saw the page at `url` and chose.

    Raises `NotSeenError` where Slack would show an error instead of the page.
    """
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    if not parts.path.endswith(AUTHORIZE_PATH) or asked.get("client_id") != w.world.client_id:
        raise NotSeenError(f"no installation page of this app: {url}")
    if not asked.get("scope"):
        raise NotSeenError(f"no scopes requested: {url}")
    back = asked.get("redirect_uri")
    if back is None:
        raise NotSeenError(f"no redirect_uri, and none is kept for this app: {url}")
    if not allow:
        return _with_query(back, {"error": "access_denied", "state": asked.get("state", "")})
    scopes = frozenset(asked["scope"].replace(" ", ",").split(","))
    code = f"{w.new_id('')}.{secrets.token_hex(16)}"
    w.world.grants[code] = Grant(w.team_id, w.user(user).id, scopes, back)
    return _with_query(back, {"code": code, "state": asked.get("state", "")})


def _with_query(address: str, more: Json) -> str:
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query), *more.items()])
    return urlunsplit(parts._replace(query=query))


def access(w: Workspace, p: Json) -> Json:
    """oauth.v2.access: the code for the bot's token, once; `client_id` may come by Basic auth."""
    _check_client(w, p)
    grant = w.world.grants.get(p.get("code") or "")
    if grant is None:
        raise SlackError("invalid_code")
    if grant.used:
        raise SlackError("code_already_used")
    if time.monotonic() - grant.made_at > CODE_LIFETIME:
        raise SlackError("code_expired")
    if p.get("redirect_uri") != grant.redirect_uri:
        raise SlackError("bad_redirect_uri")
    grant.used = True
    team = w.world.workspaces[grant.team_id]
    team.install(grant.scopes)
    return {
        "access_token": team.bot_token,
        "token_type": "bot",
        "scope": ",".join(sorted(grant.scopes)),
        "bot_user_id": team.bot_user,
        "app_id": team.app_id,
        "team": {"id": team.team_id, "name": team.name.title()},
        "enterprise": None,
        "is_enterprise_install": False,
        "authed_user": {"id": grant.user},
    }


def _check_client(w: Workspace, p: Json) -> None:
    if p.get("client_id") != w.world.client_id:
        raise SlackError("invalid_client_id")
    if p.get("client_secret") != w.world.client_secret:
        raise SlackError("bad_client_secret")


def revoke(w: Workspace, p: Json) -> Json:
    """auth.revoke: ends the token that it is called with, unless it is but a `test`."""
    if str(p.get("test")).lower() not in ("1", "true"):
        w.revoke("token_revoked")
        return {"revoked": True}
    return {"revoked": False}


def uninstall(w: Workspace, p: Json) -> Json:
    """apps.uninstall: the app leaves the workspace whose token it shows."""
    _check_client(w, p)
    w.uninstall()
    return {}


METHODS = {
    "oauth.v2.access": access,
    "auth.revoke": revoke,
    "apps.uninstall": uninstall,
}
