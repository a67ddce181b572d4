"""Rephrase: who presses it below a refusal is told how to ask again, and nobody else."""

from bot.incoming import Body
from bot.interactions import Handler, actor, place_of, pressed
from bot.outgoing import write_posts
from bot.render import REPHRASE, plain
from bot.workspaces import Workspace
from store.posts import NewPost, post_at

HOW = "Name the thing as the policy would, or ask about one thing at a time."
IN_THREAD = f"Ask again in other words in this thread, and I look again. {HOW}"
BY_COMMAND = f"Use /cite again with other words, and I look again. {HOW}"
IN_DIRECT = f"Write it in other words, and I look again. {HOW}"


def rephrase(workspace: Workspace, body: Body) -> None:
    """Tell how to ask again where the refusal was seen."""
    channel, ts, thread_ts = place_of(body)
    shown = post_at(workspace.engine, workspace.id, channel, ts)
    if channel.startswith("D"):
        words = IN_DIRECT
    elif shown is not None and shown.answer_id == pressed(body).get("value"):
        words = IN_THREAD
    else:  # only its asker sees it, as after a command
        words = BY_COMMAND
    post = NewPost(
        f"rephrase:{body['trigger_id']}",
        "notice",
        channel,
        {},
        thread_ts=thread_ts,
        user_id=actor(body),
        reply_url=body.get("response_url"),
    )
    with workspace.engine.begin() as connection:
        write_posts(connection, workspace.id, plain(words), post)
    workspace.wake()


ACTIONS: dict[str, Handler] = {REPHRASE: rephrase}
