"""OpenAI's chat completions, as far as style models need them; errors in OpenAI's form.

What is not offered (tools, several choices, forms of JSON, pictures) is refused by name. Words
that are asked or said reach no log.
"""

import hmac
import json
import time
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from core.logs import logger
from finetune.serve.problems import LARGEST_BODY, problem
from finetune.serve.speaking import BusyError, RequestError, Speaker, Speakers, Spoken, Wish

log = logger(__name__)

MOST_TOKENS = 1024  # that are said where a request names no number


class Part(BaseModel):
    """A piece of a message's content; only text is read."""

    type: Literal["text"]
    text: str


class Said(BaseModel):
    """A message of a request."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]

    def plain(self) -> dict[str, str]:
        """Return it as chat templates read it."""
        content = self.content
        words = content if isinstance(content, str) else "".join(one.text for one in content)
        return {"role": "system" if self.role == "developer" else self.role, "content": words}


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class Chat(BaseModel):
    """A request; fields that change nothing here are read over."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[Said] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    n: Literal[1] | None = None
    tools: None = None
    response_format: dict[Literal["type"], Literal["text"]] | None = None
    logprobs: Literal[False] | None = None

    def wish(self) -> Wish:
        """Return what is to be said; greedy unless a temperature is named."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return Wish(
            messages=[one.plain() for one in self.messages],
            most=self.max_completion_tokens or self.max_tokens or MOST_TOKENS,
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stops=tuple(one for one in stops if one),
        )


def create_app(speakers: Speakers, key: str | None) -> FastAPI:
    """Return the server of the loaded models; with a `key` nobody else is answered."""
    app = FastAPI(title="Footnote's models", openapi_url=None, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def admit(request: Request, call_next: Any) -> Response:
        if key is not None and request.url.path != "/health":
            shown = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(shown.encode(), key.encode()):
                return problem(401, "The key is missing or wrong.", "invalid_api_key")
        length = request.headers.get("content-length", "0")
        if request.method == "POST" and not (
            length.isdecimal() and 0 < int(length) <= LARGEST_BODY
        ):
            return problem(400, f"A request has 1 to {LARGEST_BODY:,} bytes, told at its head.")
        answer: Response = await call_next(request)
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return problem(400, f"{place or 'The request'}: {first['msg']}.", "invalid_value", place)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        listed = [
            {"id": name, "object": "model", "created": created, "owned_by": "footnote"}
            for name, created in speakers.listed()
        ]
        return {"object": "list", "data": listed}

    @app.post("/v1/chat/completions")
    async def chat(asked: Chat) -> Response:
        speaker = speakers.find(asked.model)
        if speaker is None:
            return problem(404, "No such model is served here.", "model_not_found", "model")
        try:
            spoken = await run_in_threadpool(speaker.measure, asked.wish())
        except RequestError as error:
            return problem(400, str(error), error.code, "messages")
        if asked.stream:
            return StreamingResponse(
                _events(speakers, speaker, asked, spoken), media_type="text/event-stream"
            )
        return await run_in_threadpool(_whole, speakers, speaker, asked, spoken)

    return app


def _whole(speakers: Speakers, speaker: Speaker, asked: Chat, spoken: Spoken) -> Response:
    try:
        with speakers.turn():
            text = "".join(speaker.speak(asked.wish(), spoken))
    except BusyError:
        return problem(429, "Too many requests wait; ask again in a moment.", "rate_limit")
    except Exception as error:  # noqa: BLE001 - a model that fails must not end the server
        log.warning("model failed", error=type(error).__name__)
        return problem(500, "The model failed; its server's log says more.", "model_failed")
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "finish_reason": spoken.finish,
        "logprobs": None,
    }
    return JSONResponse(
        {**_head(asked, "chat.completion"), "choices": [choice], "usage": _usage(spoken)}
    )


def _events(speakers: Speakers, speaker: Speaker, asked: Chat, spoken: Spoken) -> Iterator[str]:
    """Yield a stream's events; who stops reading ends the work."""
    head = _head(asked, "chat.completion.chunk")

    def event(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"

    try:
        with speakers.turn():
            yield event({"role": "assistant", "content": ""})
            for piece in speaker.speak(asked.wish(), spoken):
                if piece:
                    yield event({"content": piece})
    except BusyError:
        yield _failed("Too many requests wait; ask again in a moment.", "rate_limit")
        return
    except Exception as error:  # noqa: BLE001 - the same
        log.warning("model failed", error=type(error).__name__)
        yield _failed("The model failed; its server's log says more.", "model_failed")
        return
    yield event({}, spoken.finish)
    if asked.stream_options is not None and asked.stream_options.include_usage:
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': _usage(spoken)})}\n\n"
    yield "data: [DONE]\n\n"


def _failed(message: str, code: str) -> str:
    told = {"message": message, "type": "server_error", "param": None, "code": code}
    return f"data: {json.dumps({'error': told})}\n\n"


def _head(asked: Chat, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model,
    }


def _usage(spoken: Spoken) -> dict[str, int]:
    return {
        "prompt_tokens": spoken.prompt_tokens,
        "completion_tokens": spoken.said_tokens,
        "total_tokens": spoken.prompt_tokens + spoken.said_tokens,
    }
