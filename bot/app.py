"""The Bolt app: what it listens to, and who reads or handles it: the table of contents."""

import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from types import ModuleType
from typing import Any, cast

from slack_bolt import App, BoltContext, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot.accepting import Acceptor, Reader
from bot.client import Identity
from bot.failures import failed
from bot.incoming import Body
from bot.interactions import Handler, Submission
from bot.listeners import (
    channel_settings,
    choices,
    cite,
    escalations,
    feedback,
    home,
    mentions,
    messages,
    privacy,
    rephrase,
    share,
    shortcuts,
    sources,
)

EVENTS: dict[str, Reader] = {
    "app_mention": mentions.read,
    "message.channels": messages.read,
    "message.groups": messages.read,
    "message.im": messages.read,
    "message.mpim": messages.read,
}
"""Event subscriptions by the names that the app's manifest gives them: questions, mostly."""

OPENED: dict[str, Handler] = {"app_home_opened": home.opened}
"""Events that are handled at once, in Bolt's pool, and kept nowhere."""

LEAVING = ("app_uninstalled", "tokens_revoked")
"""Events after which a workspace is served no more."""

COMMANDS = ("/cite",)

INTERACTIVE: tuple[ModuleType, ...] = (
    channel_settings,
    choices,
    escalations,
    feedback,
    home,
    privacy,
    rephrase,
    share,
    shortcuts,
    sources,
)
"""The listeners with ACTIONS, VIEWS or SHORTCUTS."""

NOT_INSTALLED = "Footnote is not installed here any more; an admin can add it again."
"""What somebody is told who gives a command where the app has no token."""

ANY_OTHER = re.compile(".+")
"""Events that an app made from another manifest may send: left alone, they would come again."""


def ignore() -> None:
    """Let an event be acknowledged, and do nothing with it."""


def build_app(
    client: WebClient,
    acceptor: Acceptor,
    pool: Executor,
    authorize: Callable[..., AuthorizeResult | None],
    signing_secret: str | None = None,
) -> App:
    """Return the app, with `client`'s address, time limit and retries; `pool` runs handlers.

    Calls nothing. The token travels in the authorisation, so that one app can serve several
    workspaces. Without a `signing_secret` it takes no requests over HTTP.
    """
    app = App(
        name="footnote",
        logger=_bolt_log(),
        client=without_token(client),
        authorize=cast("Callable[..., AuthorizeResult]", authorize),  # None is provided for
        listener_executor=pool,
        signing_secret=signing_secret,
        user_facing_authorize_error_message=NOT_INSTALLED,
    )
    app.logger.setLevel(logging.WARNING)
    readers = {name.partition(".")[0]: read for name, read in EVENTS.items()}
    for name, read in readers.items():
        app.event(name, middleware=[acceptor.accepting(read)])(ignore)
    for event, handle in OPENED.items():
        app.event(event)(_handling(acceptor, handle))
    for event in LEAVING:
        app.event(event)(_leaving(acceptor))
    for command in COMMANDS:
        app.command(command, middleware=[_commanding(acceptor)])(_commanded(acceptor))
    for action, handle in collected("ACTIONS").items():
        app.action(action)(_handling(acceptor, handle))
    for shortcut, handle in collected("SHORTCUTS").items():
        app.shortcut(shortcut)(_handling(acceptor, handle))
    for view, submit in collected("VIEWS").items():
        app.view(view)(_submitting(acceptor, submit))
    app.action(ANY_OTHER)(_acknowledge)
    app.event(ANY_OTHER)(ignore)
    app.error(failed)
    return app


def collected(name: str) -> Mapping[str | re.Pattern[str], Any]:
    """Return what the interactive listeners have under a name, each id once."""
    return {key: one for module in INTERACTIVE for key, one in getattr(module, name, {}).items()}


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


def _handling(acceptor: Acceptor, handle: Handler) -> Callable[..., None]:
    """Return a listener that acknowledges and hands over to a handler."""

    def listener(body: Body, context: BoltContext) -> None:
        context.ack()
        workspace = acceptor.workspace(body)
        if workspace is not None:
            handle(workspace, body)

    return listener


def _leaving(acceptor: Acceptor) -> Callable[..., None]:
    """Return a listener that lets a workspace go."""

    def listener(body: Body) -> None:
        acceptor.left(body)

    return listener


def _submitting(acceptor: Acceptor, submit: Submission) -> Callable[..., None]:
    """Return a listener that acknowledges a view with what its handler wants done with it."""

    def listener(body: Body, context: BoltContext) -> None:
        workspace = acceptor.workspace(body)
        wanted = submit(workspace, body) if workspace is not None else None
        if wanted:
            context.ack(**wanted)
        else:
            context.ack()

    return listener


def _commanding(acceptor: Acceptor) -> Callable[..., BoltResponse]:
    """Return a command's middleware: questions are kept like others, the rest is handled."""
    asking = acceptor.accepting(cite.read)

    def middleware(
        body: Body, context: BoltContext, next_: Callable[[], BoltResponse]
    ) -> BoltResponse:
        if isinstance(cite.command_of(body, context.bot_user_id), cite.Ask):
            return asking(body, context, next_)
        context.ack()
        return next_()

    return middleware


def _commanded(acceptor: Acceptor) -> Callable[..., None]:
    """Return a command's listener, run in Bolt's pool for what is no question."""

    def listener(body: Body, context: BoltContext) -> None:
        workspace = acceptor.workspace(body)
        if workspace is not None:
            cite.handle(workspace, body, cite.command_of(body, context.bot_user_id))

    return listener


def _acknowledge(context: BoltContext) -> None:
    """Take a button's press that needs nothing done, such as that of a link."""
    context.ack()


def _bolt_log() -> logging.Logger:
    """Return Bolt's logger, quiet while the app is built.

    Bolt reads SLACK_BOT_TOKEN by itself and warns that it does not use what it found.
    """
    log = logging.getLogger("footnote.bolt")
    log.setLevel(logging.ERROR)
    return log
