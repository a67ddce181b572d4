"""Sharing a private answer: posted once where it was asked, if all there may read its sources."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from bot.blocks import Block, rich_text, text
from bot.client import SLACK_FAILURES
from bot.incoming import Body, Incoming
from bot.interactions import Handler, actor, place_of, pressed
from bot.listeners.sources import permitted
from bot.outgoing import write_posts
from bot.render import SHARE, Message, clean, plain, render
from bot.sources import NOT_FOUND
from bot.workspaces import Workspace
from store.access import Access
from store.cited import CitedAnswer, checked_at, find_cited
from store.posts import NewPost, Post, posts_of_answer

QUESTION_SHOWN = 1_500  # characters of the question above a shared answer
SHARED_ALREADY = "That answer is shared here already."
NOT_HERE = "That answer can only be shared in a channel, and this is none."
NOT_A_MEMBER = "I'm not in this channel: invite me, then press Share with channel again."
NOT_FOR_ALL = (
    "I can't share that here: it quotes a document that not everybody in this channel may read."
    " Ask in a place that its readers are in, or ask its owner to open it."
)


def share(workspace: Workspace, body: Body) -> None:
    """Post an answer that only its asker saw, or tell them why not."""
    user_id, (channel, _, thread_ts) = actor(body), place_of(body)
    answer_id = str(pressed(body).get("value"))
    cited = permitted(workspace, user_id, channel, answer_id)
    if cited is None or cited.asker != user_id:
        _tell(workspace, body, NOT_FOUND)
        return
    posts = posts_of_answer(workspace.engine, workspace.id, answer_id)
    asked_in = next((post for post in posts if post.user_id == user_id), None)
    if asked_in is None or asked_in.channel.startswith(("D", "U", "W")):
        _tell(workspace, body, NOT_HERE)
    elif not _everybody_may_read(workspace, user_id, asked_in.channel, answer_id):
        _tell(workspace, body, NOT_FOR_ALL)
    elif not _is_member(workspace, asked_in.channel):
        _tell(workspace, body, NOT_A_MEMBER)
    elif not _posted(workspace, user_id, asked_in, thread_ts, cited):
        _tell(workspace, body, SHARED_ALREADY)


def _everybody_may_read(workspace: Workspace, user_id: str, channel: str, answer_id: str) -> bool:
    """Whether everybody in a channel may read all that an answer quotes."""
    people, client, team = workspace.people, workspace.client, workspace.team
    alone = people.alone(client, team, user_id)
    place = people.access(client, Incoming(team, channel, "", user_id, "", "")).place
    access = Access(asker=alone.asker, place=place)
    now = datetime.now(UTC)
    found = find_cited(workspace.engine, workspace.id, answer_id, user_id, (), access, now)
    return found is not None


def _is_member(workspace: Workspace, channel: str) -> bool:
    """Whether the bot is in a channel, as far as Slack says: commands work where it is not."""
    try:
        told = workspace.client.conversations_info(channel=channel).get("channel") or {}
    except SLACK_FAILURES:
        return False
    return bool(told.get("is_member", True))


def _posted(
    workspace: Workspace,
    user_id: str,
    asked_in: Post,
    thread_ts: str | None,
    cited: CitedAnswer,
) -> bool:
    """Write the answer down for all to see; False where it was shared before."""
    answer = cited.answer
    with workspace.engine.begin() as connection:
        messages = _shown(connection, workspace, user_id, cited)
        post = NewPost(
            f"share:{answer.id}",
            "shared",
            asked_in.channel,
            {},
            thread_ts=asked_in.thread_ts or thread_ts,
            answer_id=answer.id,
        )
        written = write_posts(connection, workspace.id, messages, post)
    if written:
        workspace.wake()
    return written


def _shown(
    connection: Connection, workspace: Workspace, user_id: str, cited: CitedAnswer
) -> tuple[Message, ...]:
    """Return the answer under who asked what, without what is for its asker alone."""
    answer = cited.answer
    versions = [citation.version_id for citation in answer.citations]
    checked = checked_at(connection, workspace.id, versions)
    return render(
        answer,
        cited.as_of,
        checked_at=checked,
        now=datetime.now(UTC),
        hosts=workspace.settings.shown_hosts,
        above=[_question(user_id, cited)],
    )


def _question(user_id: str, cited: CitedAnswer) -> Block:
    question = clean(cited.answer.question).strip()
    if len(question) > QUESTION_SHOWN:
        question = question[:QUESTION_SHOWN] + "…"
    return rich_text({"type": "user", "user_id": user_id}, text(f" asked: {question}"))


def _tell(workspace: Workspace, body: Body, words: str) -> None:
    """Tell who pressed the button, and nobody else."""
    channel, _, thread_ts = place_of(body)
    post = NewPost(
        f"share-note:{body['trigger_id']}",
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


ACTIONS: dict[str, Handler] = {SHARE: share}
