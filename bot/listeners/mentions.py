"""Mentions: `@Footnote …` in a channel, answered in the message's thread."""

from slack_bolt import BoltContext

from bot.desk import Asked, asked_in_thread
from bot.incoming import Body, from_event, is_direct


def read(body: Body, context: BoltContext) -> Asked | None:
    """Return the question of an `app_mention` event."""
    private = is_direct(body)
    return asked_in_thread(from_event(body, context.bot_user_id, private=private), context)
