"""How the tests here ask the local Slack: with Slack's own client, which retries nothing."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.fakes.slack import SlackServer


def client_of(slack: SlackServer, token: str | None = None, timeout: int = 5) -> WebClient:
    """Return a client with the bot's token, or another."""
    return WebClient(
        token or slack.bot_token, base_url=slack.url, timeout=timeout, retry_handlers=[]
    )


def code(call: Callable[..., Any], **arguments: Any) -> str:
    """Call and return the error code that Slack answers with."""
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return str(refused.value.response["error"])


def wait_until(true: Callable[[], bool]) -> None:
    """Wait up to ten seconds for something to be true."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
