"""Where an answer goes: a thread that others see, or a private reply to a command."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from slack_sdk import WebClient
from slack_sdk.errors import SlackRequestError
from slack_sdk.webhook import WebhookClient

from bot.client import API_TIMEOUT, retry_handlers
from bot.render import Message, plain

RESPONSE_URL_POSTS = 5  # posts that Slack takes on one response_url
TOO_LONG = "The rest does not fit here. Ask me in a direct message to see all of it."


class Reply(Protocol):
    """One place to answer to."""

    def post(self, messages: Sequence[Message]) -> None:
        """Post the messages in order. Raises one of `bot.client.SLACK_FAILURES`."""


@dataclass(frozen=True)
class ThreadReply:
    """A thread in a channel or in a direct message."""

    client: WebClient
    channel: str
    thread_ts: str

    def post(self, messages: Sequence[Message]) -> None:
        """Post the messages in order, without previews of what they link to."""
        for message in messages:
            self.client.chat_postMessage(
                channel=self.channel,
                thread_ts=self.thread_ts,
                text=message.text,
                blocks=message.blocks,
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
            )


@dataclass(frozen=True)
class PrivateReply:
    """The response_url of a slash command: only the asker sees it."""

    response_url: str

    def post(self, messages: Sequence[Message]) -> None:
        """Post the messages in order; what is more than Slack takes is said to be left out."""
        client = WebhookClient(
            self.response_url, timeout=int(API_TIMEOUT), retry_handlers=retry_handlers()
        )
        fitting = list(messages)
        if len(fitting) > RESPONSE_URL_POSTS:
            fitting = [*fitting[: RESPONSE_URL_POSTS - 1], *plain(TOO_LONG)]
        for message in fitting:
            answer = client.send(
                text=message.text,
                blocks=message.blocks,
                response_type="ephemeral",
                unfurl_links=False,
                unfurl_media=False,
            )
            if answer.status_code != 200:
                raise SlackRequestError(f"a response_url answered {answer.status_code}")
