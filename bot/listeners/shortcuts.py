"""Use as example: a curator keeps a message of a thread with what was asked there."""

import json
from typing import Any

from bot.client import SLACK_FAILURES
from bot.escalation_blocks import (
    ANSWERED,
    EXAMPLE_VIEW,
    QUESTION,
    example_view,
    note_view,
)
from bot.feedback import filled_in
from bot.incoming import Body, spoken
from bot.interactions import Handler, Submission, actor
from bot.workspaces import Workspace
from core.logs import logger
from store.access import EVERYONE, channel_principal
from store.answers import find_answer
from store.audit import record
from store.posts import post_at
from store.transcripts import Said, add_candidate, last_asked

USE_AS_EXAMPLE = "use_as_example"
ONLY_CURATORS = (
    "Only curators and knowledge admins can choose examples; an operator can make you one."
)
UNSURE = "Slack does not say who you are just now. Try again in a minute."
KNOWN = "Somebody has looked at this example already; it stays as it is."

log = logger(__name__)


def offer(workspace: Workspace, body: Body) -> None:
    """Open the form with what was asked and answered, for who may choose examples."""
    try:
        refused = _refusal(workspace, actor(body))
        view = _form(workspace, body) if refused is None else note_view("Use as example", refused)
        workspace.client.views_open(trigger_id=body["trigger_id"], view=view)
    except SLACK_FAILURES as error:  # choosing it again opens it
        log.warning("form not opened", shortcut=USE_AS_EXAMPLE, error=type(error).__name__)


def keep(workspace: Workspace, body: Body) -> dict[str, Any] | None:
    """Keep what was filled in, of who may choose examples."""
    user, view = actor(body), body["view"]
    refused = _refusal(workspace, user)
    if refused is not None:
        return _wrong(refused)
    known = json.loads(view.get("private_metadata") or "{}")
    asked = filled_in(view["state"]["values"], QUESTION)
    answered = filled_in(view["state"]["values"], ANSWERED)
    if not asked or not answered or not known.get("key"):
        return None
    with workspace.engine.begin() as connection:
        kept = add_candidate(
            connection,
            workspace.id,
            "shortcut",
            known["key"],
            [Said("asker", asked), Said("team", answered)],
            audience=known["audience"],
            user_id=known["user"],
            added_by=user,
            answer_id=known.get("answer"),
            people=[known["by"]] if known.get("by") else [],
        )
        if kept:
            record(connection, workspace.id, user, "transcript added", known["key"])
    return None if kept else _wrong(KNOWN)


def _form(workspace: Workspace, body: Body) -> dict[str, Any]:
    """Return the form for a message: of the bot's own the answer, of others' their words."""
    channel, message = str(body["channel"]["id"]), body["message"]
    ts = str(message.get("ts") or body.get("message_ts"))
    thread = str(message.get("thread_ts") or ts)
    question, answered = "", spoken(str(message.get("text") or ""), workspace.bot_user_id)
    asker: str | None = None
    by = str(message.get("user") or "") or None
    answer_id: str | None = None
    key = f"slack:{workspace.team}:{channel}:{thread}"
    with workspace.engine.connect() as connection:
        asked = last_asked(connection, workspace.id, key)
        if asked is not None:
            question, asker = asked
    post = post_at(workspace.engine, workspace.id, channel, ts)
    if post is not None and post.answer_id is not None:
        with workspace.engine.connect() as connection:
            answer = find_answer(connection, workspace.id, post.answer_id)
        if answer is not None:
            question, answered, answer_id, by = answer.question, answer.text, answer.id, None
    metadata = {
        "key": f"{channel}:{ts}",
        "audience": _audience(workspace, channel),
        "user": asker,
        "answer": answer_id,
        "by": by if by != workspace.bot_user_id else None,
    }
    return example_view(question, answered, json.dumps(metadata))


def _audience(workspace: Workspace, channel: str) -> list[str]:
    """Return who may see what was said in a place; nobody but curators for direct messages."""
    known = workspace.people.channel(workspace.client, channel)
    if channel.startswith("D"):
        return []
    if known is not None and known.open:
        return [EVERYONE]
    return [channel_principal(channel)]


def _refusal(workspace: Workspace, user: str) -> str | None:
    """Return why a person may not choose examples; None where they may."""
    try:
        role = workspace.people.role(workspace.client, workspace.team, user)
    except SLACK_FAILURES:
        return UNSURE
    return None if role in ("admin", "curator") else ONLY_CURATORS


def _wrong(words: str) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {ANSWERED: words}}


SHORTCUTS: dict[str, Handler] = {USE_AS_EXAMPLE: offer}
VIEWS: dict[str, Submission] = {EXAMPLE_VIEW: keep}
