"""Messages become posts: written in one transaction with what they tell, sent afterwards."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from bot.render import Message
from store.posts import NewPost, add_post


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as a post keeps it."""
    return {"text": message.text, "blocks": list(message.blocks)}


def write_posts(
    connection: Connection, workspace_id: int, messages: Sequence[Message], like: NewPost
) -> bool:
    """Write messages as posts in order; False where they are written already.

    `like` says where they go and what they are for: its key is the first one's, the next get
    ":1", ":2" … behind it. Its own message is not used.
    """
    for number, message in enumerate(messages):
        key = f"{like.key}:{number}" if number else like.key
        if not add_post(
            connection, workspace_id, replace(like, key=key, message=as_json(message))
        ):
            return False
    return True
