"""A local OpenAI-compatible server with scripted answers: chat (plain and streamed), embeddings.

It answers nothing of its own: a chat call without a scripted reply gets an error that says so,
unless a `fallback` was given. Embeddings are real in shape only: hashed words, no meaning.
"""

import itertools
import json
import math
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from .embedding import DIMENSIONS, embed, packed, texts_of
from .faults import Fault, FaultPlan
from .local_http import HangUpError, LocalServer, Reply, Request, json_reply
from .openai_tuning import RefusedError, Tuning

Json = dict[str, Any]
Endpoint = Literal["chat", "embeddings", "models", "files", "fine_tuning"]
FaultKind = Literal[
    "429", "500", "401", "hang", "drop", "cut", "refusal", "malformed", "html", "403", "quota"
]

PIECE = re.compile(r"\S+\s*|\s+")  # a stream sends one word after the other
EMPTY_REPLY = "No reply is scripted for this call."
CLOSED = "Your organization does not have access to fine-tuning."
NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."
REFUSAL = "I'm sorry, I can't help with that."


@dataclass(frozen=True)
class ToolCall:
    """A function the model wants called, with its arguments as JSON."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Answer:
    """What the model says: words, a refusal, or calls of tools."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None  # "stop" or "tool_calls" unless a test wants another

    @property
    def reason(self) -> str:
        """The finish_reason to send."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")

    def message(self) -> Json:
        """The whole message."""
        calls = [_tool_call(i, call) for i, call in enumerate(self.tool_calls)]
        body: Json = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        return body | ({"tool_calls": calls} if calls else {})

    def deltas(self) -> Iterator[Json]:
        """The message in pieces, as a stream sends it."""
        yield {"role": "assistant", "content": "" if self.content else None}
        for piece in PIECE.findall(self.content or ""):
            yield {"content": piece}
        if self.refusal:
            yield {"refusal": self.refusal}
        for i, call in enumerate(self.tool_calls):
            whole = {"index": i, **_tool_call(i, call)}
            start = {"name": call.name, "arguments": ""}
            yield {"tool_calls": [whole | {"function": start}]}
            yield {"tool_calls": [{"index": i, "function": {"arguments": call.arguments}}]}


def _tool_call(i: int, call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"call_{i}_{call.name}", "type": "function", "function": function}


Scripted = str | Answer | Callable[[Json], "str | Answer"]


@dataclass(frozen=True)
class Asked:
    """One request: where, with what, when (`time.monotonic()`), and the status it got.

    The status is 0 where the connection was closed instead of an answer.
    """

    path: str
    body: Json
    at: float
    status: int


class BadRequestError(Exception):
    """A request that the real service would refuse with status 400."""


class OpenAIServer:
    """A model at `url` that says what it is told to, and remembers what it was asked.

    `models` are the names it knows, None for any. `fallback` answers chat calls that come when
    nothing is scripted.
    """

    def __init__(
        self, models: Sequence[str] | None = None, fallback: Scripted | None = None
    ) -> None:
        self.api_key = f"sk-{secrets.token_hex(12)}"
        self._models = models
        self._fallback = fallback
        self._script: deque[Scripted] = deque()
        self._faults = FaultPlan()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._asked: list[Asked] = []
        self.tuning = Tuning()
        self.shutdowns: dict[str, str] = {}  # by the name of a model, as 2027-01-14
        self._http = LocalServer(self._route)

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._http.__exit__(*exc_info)

    @property
    def url(self) -> str:
        """The base address, for `OPENAI_BASE_URL`."""
        return f"{self._http.origin}/v1"

    def reply(self, *replies: Scripted) -> None:
        """Script the next chat answers: words, an `Answer`, or a function of the request body."""
        with self._lock:
            self._script.extend(replies)

    def fail(
        self, endpoint: Endpoint, kind: FaultKind, times: int = 1, seconds: float = 1.0
    ) -> None:
        """Let the next calls go wrong.

        `kind`: "429" (with `seconds` as retry-after), "500", "401", "html" (a page instead of
        JSON), "403" (closed to the organisation), "quota" and "drop" (no answer at all) use up no
        scripted reply; "hang" (answered after
        `seconds`), "cut" (closed halfway), "refusal" (the model declines) and "malformed" (half
        of the scripted words) do.
        """
        self._faults.add(endpoint, Fault(kind, seconds), times)

    def mend(self) -> None:
        """Forget what was to go wrong."""
        self._faults.clear()

    @property
    def requests(self) -> list[Asked]:
        """Everything that was asked, in order."""
        with self._lock:
            return [*self._asked]

    def chats(self) -> list[Json]:
        """The bodies of the chat calls, in order."""
        return [asked.body for asked in self.requests if asked.path == "/v1/chat/completions"]

    def embedded(self) -> list[str]:
        """Every text that was sent to be embedded, in order."""
        bodies = (asked.body for asked in self.requests if asked.path == "/v1/embeddings")
        return [text for body in bodies for text in texts_of(body["input"])]

    # -- answering -----------------------------------------------------------------------

    def _route(self, request: Request) -> Reply:
        at, body = time.monotonic(), self._body(request)
        try:
            reply = self._answered(request, body)
        except HangUpError:
            self._note(Asked(request.path, body, at, 0))
            raise
        self._note(Asked(request.path, body, at, reply.status))
        return reply

    def _note(self, asked: Asked) -> None:
        with self._lock:
            self._asked.append(asked)

    @staticmethod
    def _body(request: Request) -> Json:
        try:
            body = request.json()
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _answered(self, request: Request, body: Json) -> Reply:
        if request.bearer != self.api_key:
            return _refused(401, "Incorrect API key provided.", "invalid_api_key")
        endpoint = request.path.removeprefix("/v1/").partition("/")[0]
        fault = self._faults.take(endpoint)
        if fault is not None and (refusal := self._broken(fault)):
            return refusal
        kind = fault.kind if fault else ""
        try:
            if request.path == "/v1/chat/completions":
                return self._chat(body, kind)
            if request.path == "/v1/embeddings":
                return _cut_if(kind, self._embeddings(body))
        except BadRequestError as error:
            return _refused(400, str(error), "invalid_value")
        if endpoint in ("files", "fine_tuning"):
            return self._tuned(request)
        if endpoint == "models":
            return self._known(request.path.removeprefix("/v1/models").strip("/"))
        return _refused(404, f"Unknown address {request.path}.", "unknown_url")

    def _broken(self, fault: Fault) -> Reply | None:
        """Return the answer of a fault that comes before the model, None for the others."""
        if fault.kind == "429":
            wait = {"retry-after": str(math.ceil(fault.seconds))}
            return _refused(429, "Rate limit reached.", "rate_limit_exceeded", wait)
        if fault.kind == "500":
            return _refused(500, "The server had an error.", "server_error")
        if fault.kind == "401":
            return _refused(401, "Incorrect API key provided.", "invalid_api_key")
        if fault.kind == "403":
            return _refused(403, CLOSED, "permission_denied")
        if fault.kind == "quota":
            return _refused(429, NO_QUOTA, "insufficient_quota")
        if fault.kind == "html":
            return Reply(200, b"<!DOCTYPE html><title>Hello</title>", "text/html")
        if fault.kind == "drop":
            raise HangUpError
        if fault.kind == "hang":
            self._http.closing.wait(fault.seconds)
        return None

    def _tuned(self, request: Request) -> Reply:
        try:
            return self.tuning.answer(request)
        except RefusedError as error:
            return _refused(error.status, str(error), error.code)

    def _check_model(self, body: Json) -> None:
        model = body.get("model")
        if not isinstance(model, str) or (self._models is not None and model not in self._models):
            raise BadRequestError(f"The model {model!r} does not exist.")

    def _known(self, name: str) -> Reply:
        models = [
            {"id": m, "object": "model", "created": 0, "owned_by": "tests"}
            | ({"shutdown_date": self.shutdowns[m]} if m in self.shutdowns else {})
            for m in dict.fromkeys([*self._names, *self.tuning.models, *self.shutdowns])
        ]
        if not name:
            return json_reply({"object": "list", "data": models})
        for model in models:
            if model["id"] == name:
                return json_reply(model)
        return _refused(404, f"The model {name!r} does not exist.", "model_not_found")

    @property
    def _names(self) -> Sequence[str]:
        return self._models or ("test-model",)

    # -- chat ----------------------------------------------------------------------------

    def _chat(self, body: Json, kind: str) -> Reply:
        self._check_model(body)
        _check_chat(body)
        scripted = self._next()
        if scripted is None:
            return _refused(500, EMPTY_REPLY, "no_reply_scripted")
        said = scripted(body) if callable(scripted) else scripted
        answer = _spoiled(Answer(said) if isinstance(said, str) else said, kind)
        head = self._head(body)
        if body.get("stream"):
            pieces = _stream(head, answer, body)
            return _cut_if(kind, Reply(content_type="text/event-stream", stream=pieces))
        choice = {"index": 0, "message": answer.message(), "finish_reason": answer.reason}
        whole = {"object": "chat.completion", "choices": [choice | {"logprobs": None}]}
        return _cut_if(kind, json_reply(head | whole | {"usage": _usage(body, answer)}))

    def _next(self) -> Scripted | None:
        with self._lock:
            return self._script.popleft() if self._script else self._fallback

    def _head(self, body: Json) -> Json:
        number = next(self._numbers)
        return {"id": f"chatcmpl-{number}", "created": int(time.time()), "model": body["model"]}

    # -- embeddings ----------------------------------------------------------------------

    def _embeddings(self, body: Json) -> Reply:
        self._check_model(body)
        texts = texts_of(body.get("input"))
        if not texts or "" in texts:
            raise BadRequestError("'input' must hold texts, and none of them empty.")
        vectors = [embed(text, body.get("dimensions") or DIMENSIONS) for text in texts]
        in_base64 = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": i, "embedding": packed(v) if in_base64 else v}
            for i, v in enumerate(vectors)
        ]
        words = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": words, "total_tokens": words}
        return json_reply({"object": "list", "data": data, "model": body["model"], "usage": usage})


def _check_chat(body: Json) -> None:
    """Refuse what the real service refuses; raises `BadRequestError`."""
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise BadRequestError("'messages' must be a list that is not empty.")
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object" and "json" not in str(body["messages"]).lower():
        raise BadRequestError("'messages' must contain the word 'json' in some form.")
    if wanted.get("type") == "json_schema" and not wanted.get("json_schema", {}).get("name"):
        raise BadRequestError("'response_format.json_schema' must have a name.")
    if body.get("tool_choice") and not body.get("tools"):
        raise BadRequestError("'tool_choice' is only allowed when 'tools' are specified.")


def _spoiled(answer: Answer, kind: str) -> Answer:
    if kind == "refusal":
        return Answer(refusal=REFUSAL)
    if kind == "malformed":
        content = answer.content or ""
        return replace(answer, content=content[: len(content) // 2])
    return answer


def _usage(body: Json, answer: Answer) -> Json:
    asked, said = len(str(body["messages"]).split()), len((answer.content or "").split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _stream(head: Json, answer: Answer, body: Json) -> Iterator[bytes]:
    chunk = head | {"object": "chat.completion.chunk"}
    for delta in answer.deltas():
        yield _event(chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "finish_reason": answer.reason}
    yield _event(chunk | {"choices": [last]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event(chunk | {"choices": [], "usage": _usage(body, answer)})
    yield b"data: [DONE]\n\n"


def _event(value: Json) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _cut_if(kind: str, reply: Reply) -> Reply:
    """Return the answer, or one that breaks off halfway where the fault is "cut"."""
    if kind != "cut":
        return reply
    half = len(reply.body) // 2
    pieces = (
        [*reply.stream] if reply.stream is not None else [reply.body[:half], reply.body[half:]]
    )
    return replace(reply, body=b"", stream=_half(pieces))


def _half(pieces: list[bytes]) -> Iterator[bytes]:
    yield from pieces[: len(pieces) // 2]
    raise HangUpError


def _refused(
    status: int, message: str, code: str | None, headers: dict[str, str] | None = None
) -> Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json_reply({"error": error}, status, headers)
