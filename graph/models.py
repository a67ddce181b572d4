"""The language model behind an OpenAI-compatible address, and what it must return."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.exceptions import OutputParserException
from langchain_core.runnables.retry import ExponentialJitterParams
from openai import APIConnectionError, InternalServerError, OpenAIError
from pydantic import BaseModel, Field, SecretStr

from core.errors import FootnoteError
from core.settings import Settings
from retrieval.voice import Message

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

ATTEMPTS = 2  # of one call; each gets its share of the time limit
PAUSE: ExponentialJitterParams = {"max": 0.5}  # seconds between them
# The client's own retry would wait as long as a 429 asks, up to a minute, with somebody waiting:
# a rate limit goes straight to the extractive answer instead.
PASSING = (APIConnectionError, InternalServerError)
MAX_OUTPUT_TOKENS = 1500
MAX_CLAIMS = 6
FAILURES = (
    OpenAIError,
    OutputParserException,
    ValueError,
    # The client takes any 200 for a reply of the right shape, also a sign-in page's.
    AttributeError,
    KeyError,
    TypeError,
    IndexError,
)

Form = TypeVar("Form", bound=BaseModel)


class ModelError(FootnoteError):
    """The language model failed, timed out, refused, or returned what cannot be used."""


class GeneratedClaim(BaseModel):
    """One sentence of an answer with the words that support it."""

    text: str = Field(description="one sentence that answers part of the question")
    passage: int = Field(description="number of the passage the quote is copied from")
    quote: str = Field(description="words copied letter by letter from that passage")


class GeneratedAnswer(BaseModel):
    """Claims that answer the question; empty if the passages do not answer it."""

    claims: list[GeneratedClaim]


def open_model(
    settings: Settings, name: str | None = None, endpoint: str | None = None
) -> "ChatOpenAI | None":
    """Return the configured chat model (or the one called `name`), None where none is set.

    `endpoint` is an address that serves a model of our own: the provider's key is not sent there.
    """
    if not settings.has_model and endpoint is None:
        return None
    key = settings.openai_api_key if endpoint is None else settings.serve_key
    from langchain_openai import ChatOpenAI  # noqa: PLC0415 - half a second, for who has a model

    return ChatOpenAI(
        model=name or settings.openai_model,
        api_key=key or SecretStr("none"),
        base_url=endpoint or settings.openai_base_url,
        timeout=settings.model_timeout / ATTEMPTS,
        max_retries=0,
        max_completion_tokens=MAX_OUTPUT_TOKENS,
    )


def ask_model(
    model: "ChatOpenAI", messages: list[tuple[str, str]], form: type[Form]
) -> tuple[Form, dict[str, int]]:
    """Return the model's reply as `form` and the tokens used; raise ModelError otherwise."""
    structured = model.with_structured_output(
        form, method="json_schema", include_raw=True
    ).with_retry(
        retry_if_exception_type=PASSING,
        stop_after_attempt=ATTEMPTS,
        exponential_jitter_params=PAUSE,
    )
    try:
        reply: Any = structured.invoke(messages)
    except FAILURES as error:
        raise ModelError(_reason(error)) from error
    parsed = reply["parsed"]
    if not isinstance(parsed, form):
        refused = reply["raw"].additional_kwargs.get("refusal")
        raise ModelError("it refused" if refused else "its reply could not be read")
    usage = reply["raw"].usage_metadata or {}
    return parsed, {
        "input": usage.get("input_tokens", 0),
        "output": usage.get("output_tokens", 0),
    }


def ask_in_words(model: "ChatOpenAI", messages: Sequence[Message]) -> tuple[str, dict[str, int]]:
    """Return the model's reply as it wrote it and the tokens used; raise ModelError otherwise."""
    patient = model.with_retry(
        retry_if_exception_type=PASSING,
        stop_after_attempt=ATTEMPTS,
        exponential_jitter_params=PAUSE,
    )
    try:
        reply = patient.invoke([(one["role"], one["content"]) for one in messages])
        words: str = reply.text
        usage: Mapping[str, Any] = reply.usage_metadata or {}
    except FAILURES as error:
        raise ModelError(_reason(error)) from error
    return words, {
        "input": usage.get("input_tokens", 0),
        "output": usage.get("output_tokens", 0),
    }


def _reason(error: Exception) -> str:
    """Return a cause in words without anything the server sent."""
    causes = {
        "APITimeoutError": "it did not answer in time",
        "APIConnectionError": "it cannot be reached",
        "AuthenticationError": "the key was refused",
        "PermissionDeniedError": "the key may not use it",
        "RateLimitError": "its limit is reached",
        "NotFoundError": "it is not known at this address",
        "InternalServerError": "it has trouble of its own",
        "BadRequestError": "it does not take such requests",
        "LengthFinishReasonError": "its reply was cut off",
        "OpenAIRefusalError": "it refused",
    }
    for kind in type(error).__mro__:
        if kind.__name__ in causes:
            return causes[kind.__name__]
    return "its reply could not be used"
