"""The HTTP side of Slack: the Web API, response_urls, and files behind the bot's token."""

import json
import math
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.fakes.faults import Fault, FaultPlan
from tests.fakes.local_http import HangUpError, Reply, Request, json_reply

from . import api_chat, api_files, api_oauth, api_places, api_surfaces, limits
from .checks import check_content
from .pictures import check_pictures
from .records import Call, Json, Message, NotSeenError, ResponsePost, ResponseUrl, SlackError
from .rendering import with_ids
from .scopes import check_scopes
from .workspace import DEFAULT_SCOPES, Workspace
from .world import World

Method = Callable[[Workspace, Json], Json]

STRUCTURED = (
    "attachments",
    "blocks",
    "chunks",
    "files",
    "loading_messages",
    "metadata",
    "prompts",
    "view",
)
UPLOADS = "/upload/v1/"
WITHOUT_TOKEN = ("api.test", "oauth.v2.access")
SIGN_IN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in | Slack</title></head></html>"


@dataclass(frozen=True)
class RateLimit:
    """At most `calls` in any `seconds`, in each workspace, and channel where `per_channel`."""

    calls: int
    seconds: float
    per_channel: bool = False


class Meter:
    """Counts calls against the rate limits of the methods that have one."""

    def __init__(self, limits_by_method: Mapping[str, RateLimit]) -> None:
        self._limits = limits_by_method
        self._lock = threading.Lock()
        self._taken: defaultdict[tuple[str, str, str], deque[float]] = defaultdict(deque)

    def wait(self, method: str, team_id: str, channel: str) -> float:
        """Count a call and return 0, or return the seconds after which it may come again."""
        if (limit := self._limits.get(method)) is None:
            return 0.0
        with self._lock:
            taken = self._taken[method, team_id, channel if limit.per_channel else ""]
            now = time.monotonic()
            while taken and taken[0] <= now - limit.seconds:
                taken.popleft()
            if len(taken) >= limit.calls:
                return taken[0] + limit.seconds - now
            taken.append(now)
            return 0.0


class WebApi:
    """Answers HTTP requests from the workspace; faults and rate limits come before the method."""

    def __init__(self, world: World, rate_limits: Mapping[str, RateLimit]) -> None:
        self._world = world
        self._meter = Meter(rate_limits)
        self.faults = FaultPlan()
        self.closing = threading.Event()
        self.methods: dict[str, Method] = {
            **api_chat.METHODS,
            **api_files.METHODS,
            **api_oauth.METHODS,
            **api_places.METHODS,
            **api_surfaces.METHODS,
        }

    def route(self, request: Request) -> Reply:
        """Answer one request."""
        area, _, rest = request.path.lstrip("/").partition("/")
        if area == "api":
            return self._call(rest, request)
        if request.path == api_oauth.AUTHORIZE_PATH:
            return self._authorize(request)
        if area == "response":
            return self._met("response_url") or self._respond(rest, request)
        if area == "files-pri":
            return self._met("file") or self._download(rest, request)
        if request.path.startswith(UPLOADS) and request.method == "POST":
            return self._met("upload") or self._upload(request)
        return Reply(404, b"not found", "text/plain")

    def _met(self, name: str) -> Reply | None:
        """Let what is not a method of the Web API meet its fault before it does anything."""
        if (fault := self.faults.take(name)) is None:
            return None
        if fault.kind == "hang":
            self.closing.wait(fault.seconds)
            return None
        if fault.kind == "drop":
            raise HangUpError
        if fault.kind == "sign_in":
            return Reply(200, SIGN_IN_PAGE, "text/html; charset=utf-8")
        if fault.kind == "429":
            return Reply(429, b"", "text/plain", {"Retry-After": str(math.ceil(fault.seconds))})
        return Reply(500, b"Server Error", "text/html")

    # -- the Web API ---------------------------------------------------------------------

    def _call(self, method: str, request: Request) -> Reply:
        at, params = time.monotonic(), self._readable(request)
        token = request.bearer or params.pop("token", None)
        if request.basic is not None:
            params["client_id"], params["client_secret"] = request.basic
        w, refusal = self._authorised(method, token)
        team_id = w.team_id if token and not refusal else ""
        fault = self.faults.take(method) or self._too_fast(team_id, method, params)
        reply, answer = self._answered(w, method, params, fault, refusal)
        status = 0 if reply is None else reply.status
        self._world.record(Call(method, params, token, at, status, answer, team_id))
        if fault is not None and fault.kind == "hang":
            self.closing.wait(fault.seconds)
        if reply is None:
            raise HangUpError
        return reply

    @staticmethod
    def _readable(request: Request) -> Json:
        # slack_sdk names JSON as the content type of an empty body
        if request.content_type != "application/json" or not request.body:
            return {**request.form()}
        try:
            body = request.json()
        except ValueError:
            body = None
        return body if isinstance(body, dict) else {"": "not a JSON object"}

    def _too_fast(self, team_id: str, method: str, params: Json) -> Fault | None:
        wait = self._meter.wait(method, team_id, str(params.get("channel")))
        return Fault("429", wait) if wait else None

    def _answered(
        self,
        w: Workspace,
        method: str,
        params: Json,
        fault: Fault | None,
        refusal: SlackError | None,
    ) -> tuple[Reply | None, Json]:
        """Return what leaves, None for a hang-up, and what the method said."""
        kind = fault.kind if fault else None
        if fault is not None and kind == "429":
            refused = {"ok": False, "error": "ratelimited"}
            wait = {"Retry-After": str(max(1, math.ceil(fault.seconds)))}
            return json_reply(refused, 429, wait), refused
        if kind == "500":
            return Reply(500, b"Server Error", "text/html"), {"ok": False, "error": "500"}
        if kind == "drop":
            return None, {"ok": False, "error": "drop"}
        if kind not in (None, "hang", "lose_reply"):
            refusal = SlackError(str(kind))
        answer = self._result(w, method, params, refusal)
        return (None if kind == "lose_reply" else self._reply(w, answer)), answer

    @staticmethod
    def _reply(w: Workspace, answer: Json) -> Reply:
        scopes = w.scopes
        granted = DEFAULT_SCOPES if scopes is None else ",".join(sorted(scopes))
        return json_reply(answer, headers={"X-OAuth-Scopes": granted})

    def _result(self, w: Workspace, method: str, params: Json, refusal: SlackError | None) -> Json:
        if refusal is not None:
            return refusal.body()
        if method not in self.methods:
            return SlackError("unknown_method", req_method=method).body()
        try:
            check_scopes(w, method, params)
            with w.changed:
                return {"ok": True} | self.methods[method](w, _decoded(params))
        except SlackError as error:
            return error.body()

    def _authorised(self, method: str, token: str | None) -> tuple[Workspace, SlackError | None]:
        """Return the workspace that a call is for, and the refusal of a token that is no good."""
        primary = self._world.primary
        if method in WITHOUT_TOKEN:
            return primary, None
        if not token:
            return primary, SlackError("not_authed")
        for_app = method.startswith("apps.connections.")
        if token == self._world.app_token:
            return primary, None if for_app else SlackError("not_allowed_token_type")
        try:
            w = self._world.of_token(token)
        except SlackError as error:
            return primary, error
        return w, SlackError("not_allowed_token_type") if for_app else None

    def _authorize(self, request: Request) -> Reply:
        """Take the person's consent for granted and send the browser back to the app.

        `team` and `user` in the query say whose; without them it is the first workspace's owner.
        """
        w = self._world.workspaces.get(request.query.get("team", "")) or self._world.primary
        user = request.query.get("user") or next(u for u in w.users if u != w.bot_user)
        url = f"{request.path}?{urlencode(request.query)}"
        try:
            back = api_oauth.authorize(w, url, user, allow=True)
        except NotSeenError as error:
            return Reply(400, str(error).encode(), "text/plain")
        return Reply(302, b"", "text/plain", {"Location": back})

    # -- response_urls -------------------------------------------------------------------

    def _respond(self, url_id: str, request: Request) -> Reply:
        target = self._world.response_urls.get(url_id)
        refusal = target.refusal() if target else "no_such_url"
        if target is None or refusal:
            return json_reply({"ok": False, "error": refusal}, 404)
        body = _decoded(self._readable(request))
        try:
            if not body.get("delete_original"):
                check_content(body, text_limit=limits.POST_TEXT)
                check_pictures(self._world.workspaces[target.team_id], body.get("blocks"))
        except SlackError as error:
            return json_reply(error.body(), 400)
        with self._world.changed:
            self._posted(self._world.workspaces[target.team_id], target, body)
            self._world.changed.notify_all()
        return Reply(200, b"ok", "text/html")

    @staticmethod
    def _posted(w: Workspace, target: ResponseUrl, body: Json) -> None:
        blocks = with_ids(body.get("blocks") or [])
        kind, text = body.get("response_type") or "ephemeral", body.get("text") or ""
        target.posts.append(ResponsePost(time.monotonic(), text, blocks, kind, body))
        original = target.message_ts
        if original and body.get("delete_original"):
            w.change(w.message(target.channel, original), deleted=True)
        elif original and body.get("replace_original"):
            w.change(w.message(target.channel, original), text=text, blocks=blocks)
        elif target.channel in w.channels:
            seen_by = target.user if kind == "ephemeral" else None
            thread = body.get("thread_ts")
            note = Message(target.channel, w.next_ts(), w.bot_user, text, thread, blocks)
            w.change(note, by_app=True, visible_to=seen_by)

    # -- files ---------------------------------------------------------------------------

    def _download(self, rest: str, request: Request) -> Reply:
        team_id, _, file_id = rest.partition("/")[0].partition("-")
        w = self._world.workspaces.get(team_id)
        file = w.files.get(file_id) if w else None
        if file is not None:
            self._world.downloads.append((file.id, request.bearer))
        if w is None or file is None or file.deleted:
            return Reply(404, b"not found", "text/plain")
        if not w.installed or request.bearer != w.bot_token:
            return Reply(200, SIGN_IN_PAGE, "text/html; charset=utf-8")
        return Reply(200, file.content, file.mimetype)

    def _upload(self, request: Request) -> Reply:
        upload = self._world.uploads.get(request.path.removeprefix(UPLOADS))
        if upload is None or upload.done:
            return Reply(404, b"not found", "text/plain")
        content = request.file()
        if len(content) != upload.length:
            return Reply(400, b"the length is not what was announced", "text/plain")
        upload.content = content
        return Reply(200, b"OK - %d" % len(content), "text/plain")


def _decoded(params: Json) -> Json:
    """Return the parameters with JSON in strings read; raises `SlackError` where it is broken."""
    if "" in params:
        raise SlackError("invalid_json")
    return {key: _read(key, value) for key, value in params.items() if value is not None}


def _read(key: str, value: Any) -> Any:
    if key not in STRUCTURED or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        code = "invalid_blocks_format" if key == "blocks" else "invalid_arguments"
        raise SlackError(code) from error
