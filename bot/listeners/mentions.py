"""Mentions: `@Footnote …` in a channel, answered in the message's thread."""

from slack_bolt import BoltContext

from bot.incoming import Body, Incoming, from_event


def read(body: Body, context: BoltContext) -> Incoming | None:
    """Return the question of an `app_mention` event."""
    return from_event(body, context.bot_user_id)
