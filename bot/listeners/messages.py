"""Messages: in a direct message each is a question, answered in a thread under it.

Elsewhere they are for the bot where they name it, follow up in a thread that it takes part in,
or where the channel has it answer everything; the store knows which. Edits and deletions follow
their message.
"""

from slack_bolt import BoltContext

from bot.incoming import Body, Incoming, from_event


def read(body: Body, context: BoltContext) -> Incoming | None:
    """Return what a `message` event may ask, in whatever place it was written."""
    return from_event(body, context.bot_user_id)
