"""A service that tunes models behind OpenAI's API: opened, asked with limits, told plainly.

OpenAI, Azure and others keep the same calls. Whether one may be tuned at is known only by asking;
what it answers becomes one sentence that says what to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from openai import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    OpenAI,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)

from core.settings import Settings
from finetune.backends import TrainingError

CALL_TIMEOUT = 60.0  # seconds
UPLOAD_TIMEOUT = 600.0  # seconds for a file of up to 512 MB
RETRIES = 3  # of each call that may be made twice, with the SDK's back-off
SHOWN = 300  # characters of what a provider says
OPENAI_HOST = "api.openai.com"
NO_QUOTA = frozenset({"insufficient_quota", "exceeded_quota", "billing_hard_limit_reached"})
CLOSING = (
    "OpenAI closed fine-tuning to new organisations on 2026-05-07 and closes it to all on"
    " 2027-01-06"
)
"""What is known of it in November 2026, from secondary sources."""

Openness = Literal["open", "closed", "unknown"]
Kind = TypeVar("Kind")


class UnreachableError(TrainingError):
    """A provider does not answer now, and may later."""


class ClosedError(TrainingError):
    """A provider does not tune models for this key."""


@dataclass(frozen=True)
class Provider:
    """A client and how people know the service: "OpenAI", or the host of its address.

    Its connections are closed at the end of a `with` block.
    """

    client: OpenAI
    name: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    @property
    def once(self) -> OpenAI:
        """The client for calls that must not be made twice by themselves."""
        return self.client.with_options(max_retries=0)


def open_provider(
    config: Settings, *, timeout: float = CALL_TIMEOUT, retries: int = RETRIES
) -> Provider:
    """Return the service that the settings name. Raises TrainingError where there is none."""
    if not config.has_model:
        raise TrainingError(
            "Tuning at a service needs OPENAI_API_KEY, or OPENAI_BASE_URL for another than OpenAI;"
            " set it, or train here with --backend local."
        )
    key = config.openai_api_key
    client = OpenAI(
        api_key=key.get_secret_value() if key else "none",
        base_url=config.openai_base_url,
        timeout=timeout,
        max_retries=retries,
    )
    host = urlsplit(config.openai_base_url or "").hostname or OPENAI_HOST
    return Provider(client, "OpenAI" if host == OPENAI_HOST else host)


@contextmanager
def explained(provider: Provider) -> Iterator[None]:
    """Raise what goes wrong with a call as TrainingError with its sentence."""
    try:
        yield
    except OpenAIError as error:
        raise explain(error, provider.name) from error


def explain(error: OpenAIError, name: str) -> TrainingError:
    """Return the sentence for what a service answered, without the key or any row."""
    if isinstance(error, AuthenticationError):
        return TrainingError(f"{name} refused the key; correct OPENAI_API_KEY and start again.")
    if isinstance(error, PermissionDeniedError):
        more = f"{CLOSING}. Use" if name == "OpenAI" else "Use"
        return ClosedError(
            f"This key's organisation may not create fine-tunes at {name} (“{said(error)}”)."
            f" {more} a service where it may, by OPENAI_BASE_URL, or --backend local."
        )
    if isinstance(error, NotFoundError):
        if error.code == "model_not_found":
            return TrainingError(
                f"{name} has no such model to tune (“{said(error)}”); name another with --base."
            )
        return ClosedError(
            f"{name} does not offer fine-tuning; name a service that does by OPENAI_BASE_URL, or"
            " use --backend local."
        )
    if isinstance(error, RateLimitError) and error.code in NO_QUOTA:
        return TrainingError(
            f"The account at {name} has no quota left (“{said(error)}”); add credit there and"
            " start again."
        )
    if isinstance(error, RateLimitError | InternalServerError | APIConnectionError):
        return UnreachableError(
            f"{name} does not answer now ({type(error).__name__}); start again in a few minutes."
        )
    if isinstance(error, BadRequestError | UnprocessableEntityError | APIStatusError):
        return TrainingError(f"{name} refused the run: “{said(error)}”.")
    return TrainingError(
        f"{name} answered with something else than the API of fine-tuning"
        f" ({type(error).__name__}); check OPENAI_BASE_URL."
    )


def said(error: OpenAIError) -> str:
    """Return what a service says of an error, in a line."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return short(str(message or error))


def short(text: str) -> str:
    """Return a line of at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def expect(value: Any, kind: type[Kind], provider: Provider) -> Kind:
    """Return an answer that is of the kind it must be: a page instead of JSON comes as text."""
    if not isinstance(value, kind):
        raise _other_api(provider)
    return value


def _other_api(provider: Provider) -> TrainingError:
    return TrainingError(
        f"{provider.name} answered with something else than the API of fine-tuning; check"
        " OPENAI_BASE_URL."
    )


def probe(provider: Provider) -> None:
    """Ask whether fine-tuning is open to the key. Raises TrainingError where it is not.

    A service may list jobs for who may not create any: then only creating one tells.
    """
    with explained(provider):
        answer = provider.client.fine_tuning.jobs.with_raw_response.list(limit=1)
    if "json" not in answer.headers.get("content-type", ""):  # a page of some other server
        raise _other_api(provider)


def openness(config: Settings, timeout: float) -> tuple[Openness, str]:
    """Return whether the configured service tunes models, in a few words for a check."""
    with open_provider(config, timeout=timeout, retries=0) as provider:
        try:
            probe(provider)
        except ClosedError as error:
            return "closed", str(error)
        except TrainingError as error:
            return "unknown", str(error)
        return "open", f"{provider.name} shows this key its fine-tunes."
