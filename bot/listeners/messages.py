"""Direct messages: each is a question, answered in a thread under it.

A thread, so that what follows belongs to a conversation of its own; a message inside a thread is
answered in that thread.
"""

from slack_bolt import BoltContext

from bot.desk import Asked, asked_in_thread
from bot.incoming import Body, from_event, is_direct


def read(body: Body, context: BoltContext) -> Asked | None:
    """Return the question of a `message` event; None outside direct messages."""
    if not is_direct(body):
        return None
    return asked_in_thread(from_event(body, context.bot_user_id, private=True), context)
