"""The Bolt app: which events and commands it listens to, and who reads them."""

import logging
import re
from concurrent.futures import Executor

from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.client import Identity
from bot.desk import Desk, Reader
from bot.listeners import cite, mentions, messages

EVENTS: dict[str, Reader] = {
    "app_mention": mentions.read,
    "message.im": messages.read,
}
"""Event subscriptions by the names that the app's manifest gives them."""

COMMANDS: dict[str, Reader] = {
    "/cite": cite.read,
}


ANY_OTHER = re.compile(".+")
"""Events that an app made from another manifest may send: left alone, they would come again."""


def ignore() -> None:
    """Let an event be acknowledged, and do nothing with it."""


def build_app(client: WebClient, identity: Identity, desk: Desk, pool: Executor) -> App:
    """Return the app, with `client`'s address, time limit and retries; `pool` runs the answers.

    Calls nothing. The token travels in the authorisation, so that one app can serve several.
    """
    app = App(
        name="footnote",
        logger=_bolt_log(),
        client=without_token(client),
        authorize=lambda: authorisation(client, identity),
        listener_executor=pool,
    )
    app.logger.setLevel(logging.WARNING)
    for name, read in EVENTS.items():
        app.event(name.partition(".")[0], middleware=[desk.accepting(read)])(desk.answer)
    for name, read in COMMANDS.items():
        app.command(name, middleware=[desk.accepting(read)])(desk.answer)
    app.event(ANY_OTHER)(ignore)
    app.error(desk.failed)
    return app


def authorisation(client: WebClient, identity: Identity) -> AuthorizeResult:
    """Return what Bolt must know of the bot to recognise its own messages and to reply."""
    return AuthorizeResult(
        enterprise_id=None,
        team_id=identity.team_id,
        team=identity.team,
        bot_user_id=identity.user_id,
        bot_id=identity.bot_id,
        bot_token=client.token,
    )


def without_token(client: WebClient) -> WebClient:
    """Return a client like this one that acts for nobody yet."""
    return WebClient(
        base_url=client.base_url, timeout=client.timeout, retry_handlers=client.retry_handlers
    )


def _bolt_log() -> logging.Logger:
    """Return Bolt's logger, quiet while the app is built.

    Bolt reads SLACK_BOT_TOKEN by itself and warns that it does not use what it found.
    """
    log = logging.getLogger("footnote.bolt")
    log.setLevel(logging.ERROR)
    return log
