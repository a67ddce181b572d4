"""`/cite forget me`: what is kept about who asks, and the button that deletes it.

Whose it is, Slack says of who types or presses; no value of a button does.
"""

from bot.incoming import Body
from bot.interactions import Handler, actor
from bot.outgoing import write_posts
from bot.privacy import FORGET_ME, forgotten_message, kept_message
from bot.render import Message
from bot.workspaces import Workspace
from core.logs import logger
from store.posts import NewPost
from store.privacy import forget_person, kept_about

log = logger(__name__)


def show(ws: Workspace, body: Body) -> None:
    """Show a person privately what is kept about them; `body` is that of the command."""
    kept = kept_about(ws.engine, ws.id, str(body["user_id"]))
    messages = kept_message(kept, ws.settings.keep_messages_days)
    _tell(ws, body, str(body["channel_id"]), "kept", messages)


def forget(ws: Workspace, body: Body) -> None:
    """Delete what is kept about who pressed, and say what that was."""
    forgotten = forget_person(ws.engine, ws.id, actor(body))
    log.info(
        "person forgotten", **{name.replace(" ", "_"): n for name, n in forgotten.counts.items()}
    )
    channel = str((body.get("channel") or {}).get("id") or "")
    _tell(ws, body, channel, "forgotten", forgotten_message(forgotten))


def _tell(
    ws: Workspace, body: Body, channel: str, what: str, messages: tuple[Message, ...]
) -> None:
    """Answer a command or a press, so that only who acted sees it and no post names them."""
    post = NewPost(
        f"{what}:{body['trigger_id']}", "notice", channel, {}, reply_url=body["response_url"]
    )
    with ws.engine.begin() as connection:
        write_posts(connection, ws.id, messages, post)
    ws.wake()


ACTIONS: dict[str, Handler] = {FORGET_ME: forget}
