"""How the reply to an event is written down, changed and taken back, as posts.

All of it happens in the transaction that ends the event.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from bot.escalations import take_back
from bot.incoming import Incoming
from bot.living import reply_key
from bot.outgoing import as_json, write_posts
from bot.render import Message, plain
from bot.workspaces import Workspace
from store.events import Event, answers_to, forget_message
from store.posts import (
    NewPost,
    Post,
    PostKind,
    post_with_key,
    posts_of_message,
    posts_telling_of,
    say_instead,
    take_back_posts,
)

COMMAND_POSTS = 5  # that Slack takes on one response_url
TOO_LONG = "The rest does not fit here. Ask me in a direct message to see all of it."


def write_reply(
    connection: Connection,
    workspace: Workspace,
    event: Event,
    incoming: Incoming,
    private: bool,
    messages: Sequence[Message],
    answer_id: str | None = None,
    *,
    late: bool = False,
) -> None:
    """Write the reply down: in place of the one before where the question was edited.

    `late` says that somebody else may have begun to.
    """
    fresh = event.kind == "question" and event.attempts == 1 and not late
    before = [] if fresh else posts_of_message(connection, workspace.id, event.message_key)
    standing = [post for post in before if post.user_id is None and post.reply_url is None]
    channel, thread_ts, user_id, reply_url = where_of(event, incoming, private)
    key = reply_key(event)
    begun = [post for post in standing if post.key == key]  # its stream, whoever began it
    replaced = standing if event.kind == "edit" else begun
    if user_id is None and replaced:
        _rewrite(connection, workspace, event, replaced, messages, answer_id)
        return
    take_back_posts(connection, [post.id for post in replaced])  # others must not see this
    if reply_url is not None and len(messages) > COMMAND_POSTS:
        messages = [*messages[: COMMAND_POSTS - 1], *plain(TOO_LONG)]
    reply = NewPost(
        f"{key}:alone" if begun else key,
        "reply",
        channel,
        {},
        thread_ts,
        user_id,
        reply_url,
        event.id,
        answer_id,
    )
    if write_posts(connection, workspace.id, messages, reply):
        return
    # Somebody who is not to reply any more has just begun a stream for it.
    if (other := post_with_key(connection, workspace.id, key)) is not None:
        _rewrite(connection, workspace, event, [other], messages, answer_id)


def _rewrite(
    connection: Connection,
    workspace: Workspace,
    event: Event,
    standing: Sequence[Post],
    messages: Sequence[Message],
    answer_id: str | None,
) -> None:
    """Change what stands to say something else; what is left over of it is taken back."""
    for post, message in zip(standing, messages, strict=False):
        say_instead(connection, post.id, as_json(message), answer_id)
    write_more(connection, workspace, event, messages[len(standing) :], answer_id)
    take_back_posts(connection, [post.id for post in standing[len(messages) :]])


def write_more(
    connection: Connection,
    workspace: Workspace,
    event: Event,
    messages: Sequence[Message],
    answer_id: str | None,
) -> None:
    """Write what follows the first message of a reply."""
    more = NewPost(
        f"{reply_key(event)}:more",
        "reply",
        event.channel,
        {},
        event.thread_ts or event.message_key.rpartition(":")[2],
        event_id=event.id,
        answer_id=answer_id,
    )
    write_posts(connection, workspace.id, messages, more)


def where_of(
    event: Event, incoming: Incoming, private: bool
) -> tuple[str, str | None, str | None, str | None]:
    """Return channel, thread, the only reader and the response_url of a reply."""
    if incoming.reply_url is not None:
        return event.channel, None, event.user_id, incoming.reply_url
    if private and not incoming.private:
        return event.channel, event.thread_ts, event.user_id, None
    return event.channel, incoming.thread, None, None


def forget_with_answers(
    connection: Connection, workspace: Workspace, event: Event, told: Sequence[PostKind]
) -> None:
    """Forget a message and its answers, with the posts that told of those to others."""
    take_back(connection, workspace, event.message_key)
    answers = answers_to(connection, workspace.id, event.message_key)
    telling = posts_telling_of(connection, workspace.id, answers, told)
    take_back_posts(connection, telling)
    forget_message(connection, workspace.id, event.message_key)
