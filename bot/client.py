"""The one way to Slack's Web API: base URL, time limit, bounded retries, and plain refusals."""

from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import URLError

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import (
    HttpRequest,
    HttpResponse,
    RateLimitErrorRetryHandler,
    RetryHandler,
    RetryState,
)

from bot.timing import TimedClient
from core.errors import ConfigurationError, FootnoteError, ServiceUnavailableError
from core.settings import Settings

API_TIMEOUT = 10.0  # seconds for one call
LONGEST_WAIT = 10  # seconds of Retry-After that a person can be kept waiting for
RETRIES = 2  # further tries of one call
SLACK_FAILURES = (SlackClientError, OSError, HTTPException)
"""What a call of the Web API or of a response_url raises when it fails."""

CHANGES = frozenset(
    {"chat.postMessage", "chat.postEphemeral", "chat.startStream", "chat.appendStream"}
)
"""Methods that change something: sent again only where Slack cannot have acted on the first."""

BOT_PREFIX = "xoxb-"
APP_PREFIX = "xapp-"
BOT_REFUSED = (
    "{code}: the bot token was refused. Reinstall the app and copy the token that begins with"
    " xoxb- into SLACK_BOT_TOKEN."
)
APP_REFUSED = (
    "{code}: the app token was refused. Make an app-level token with the scope connections:write,"
    " which begins with xapp-, and put it into SLACK_APP_TOKEN."
)
SWAPPED = (
    "SLACK_BOT_TOKEN and SLACK_APP_TOKEN are swapped: the first begins with xoxb-, the second"
    " with xapp-."
)
NOT_A_BOT = (
    "SLACK_BOT_TOKEN is not a bot token: copy the one that begins with xoxb- from the app's"
    " OAuth & Permissions page."
)
NOT_AN_APP = (
    "SLACK_APP_TOKEN is not an app-level token: make one that begins with xapp-, with the scope"
    " connections:write, on the app's Basic Information page."
)
MISSING = "Set both SLACK_BOT_TOKEN (xoxb-…) and SLACK_APP_TOKEN (xapp-…)."
SCOPE_HEADER = "x-oauth-scopes"
OUTAGES = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
)
"""Codes that say nothing about the token: Slack itself has trouble, and trying again helps."""


class RateLimited(RateLimitErrorRetryHandler):
    """Wait as long as a 429 says, unless a person would wait too long for it."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        limited = super()._can_retry(state=state, request=request, response=response, error=error)
        return limited and response is not None and _retry_after(response) <= LONGEST_WAIT


class Interrupted(RetryHandler):
    """Try again after a lost connection or a server's error, but never post a message twice.

    urllib raises URLError while it connects and sends; what comes later may have been acted on.
    """

    def _can_retry(
        self,
        *,
        state: RetryState,  # noqa: ARG002 - the interface's
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if request.url.rsplit("/", 1)[-1] in CHANGES:
            return response is None and isinstance(error, URLError)
        if response is not None:
            return response.status_code >= 500
        return isinstance(error, OSError | HTTPException)


def retry_handlers() -> list[RetryHandler]:
    """Return the handlers every client of Slack uses."""
    return [RateLimited(max_retry_count=RETRIES), Interrupted(max_retry_count=RETRIES)]


def impatient(client: WebClient, timeout: float = API_TIMEOUT) -> WebClient:
    """Return a client like this one that leaves waiting, after a 429, to its caller."""
    return TimedClient(
        token=client.token,
        base_url=client.base_url,
        timeout=int(timeout),
        retry_handlers=[Interrupted(max_retry_count=1)],
    )


def web_client(settings: Settings) -> WebClient:
    """Return a client of the Web API with the bot's token, at `SLACK_API_URL`.

    Raises ConfigurationError where the tokens are missing or plainly not what they should be.
    """
    bot_token, _ = tokens(settings)
    return client_of(settings, bot_token)


def client_of(settings: Settings, token: str | None) -> WebClient:
    """Return a client of the Web API with a bot's token, at `SLACK_API_URL`."""
    return TimedClient(
        token=token,
        base_url=settings.slack_api_url,
        timeout=int(API_TIMEOUT),
        retry_handlers=retry_handlers(),
    )


def tokens(settings: Settings) -> tuple[str, str]:
    """Return the bot's and the app's token. Raises ConfigurationError by their look alone."""
    if settings.slack_bot_token is None or settings.slack_app_token is None:
        raise ConfigurationError(MISSING)
    bot_token = settings.slack_bot_token.get_secret_value()
    app_token = settings.slack_app_token.get_secret_value()
    if bot_token.startswith(APP_PREFIX) and app_token.startswith(BOT_PREFIX):
        raise ConfigurationError(SWAPPED)
    if not is_bot_token(bot_token):
        raise ConfigurationError(NOT_A_BOT)
    if not app_token.startswith(APP_PREFIX) or not _sendable(app_token):
        raise ConfigurationError(NOT_AN_APP)
    return bot_token, app_token


def is_bot_token(token: str) -> bool:
    """Whether something looks like the token of a bot."""
    return token.startswith(BOT_PREFIX) and _sendable(token)


@dataclass(frozen=True)
class Identity:
    """Who the bot is in Slack, and what it was allowed."""

    name: str
    user_id: str
    bot_id: str
    team: str
    team_id: str
    scopes: frozenset[str]


def identify(client: WebClient) -> Identity:
    """Ask Slack who the bot is.

    Raises ConfigurationError where the token is refused, ServiceUnavailableError where Slack
    cannot be reached.
    """
    try:
        answer = client.auth_test()
    except SLACK_FAILURES as error:
        raise refusal(error, client.base_url, BOT_REFUSED) from error
    header = next((v for k, v in answer.headers.items() if k.lower() == SCOPE_HEADER), "")
    scopes = header if isinstance(header, str) else ",".join(header)
    return Identity(
        name=str(answer.get("user", "")),
        user_id=str(answer.get("user_id", "")),
        bot_id=str(answer.get("bot_id", "")),
        team=str(answer.get("team", "")),
        team_id=str(answer.get("team_id", "")),
        scopes=frozenset(scope.strip() for scope in scopes.split(",") if scope.strip()),
    )


def check_app_token(client: WebClient, app_token: str) -> None:
    """Ask for a Socket Mode address and throw it away. Raises as `identify` does."""
    try:
        client.apps_connections_open(app_token=app_token)
    except SLACK_FAILURES as error:
        raise refusal(error, client.base_url, APP_REFUSED) from error


def refusal(error: Exception, base_url: str, refused: str) -> FootnoteError:
    """Return a failure of Slack's as one plain sentence; `refused` is for a refused token."""
    if not isinstance(error, SlackApiError):
        return ServiceUnavailableError(
            f"Slack cannot be reached at {base_url} ({_reason(error)}); check the network and"
            " SLACK_API_URL."
        )
    code = str(error.response.get("error") or f"status {error.response.status_code}")
    if code in OUTAGES or error.response.status_code >= 500:
        return ServiceUnavailableError(f"Slack answers {code}; wait a minute and try again.")
    return ConfigurationError(refused.format(code=code))


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__)


def _sendable(token: str) -> bool:
    """Whether a token can stand in an HTTP header."""
    return token.isascii() and token.isprintable() and " " not in token


def _retry_after(response: HttpResponse) -> float:
    values = (v for k, v in response.headers.items() if k.lower() == "retry-after")
    value = next(values, "1")
    written = value[0] if isinstance(value, list) else value
    return float(written) if written.isdecimal() else LONGEST_WAIT + 1
