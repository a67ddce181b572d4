"""Feedback: a thumb is kept as it is pressed; a thumb down asks why."""

from typing import Any

from bot.client import SLACK_FAILURES
from bot.feedback import NOT_CHOSEN, REASON, WHY, read_why, why_view
from bot.incoming import Body
from bot.interactions import Handler, Submission, actor, place_of, pressed
from bot.outgoing import as_json
from bot.render import FEEDBACK, plain
from bot.workspaces import Workspace
from core.logs import logger
from store.answers import find_answer
from store.feedback import explain, find_opinion, may_rate, rate
from store.posts import NewPost, add_post
from store.transcripts import Said, add_candidate, drop_candidate

THANKS = "Thanks, good to know."

log = logger(__name__)


def thumb(workspace: Workspace, body: Body) -> None:
    """Keep a thumb up or down of who has seen the answer; ask why of a thumb down."""
    side, _, answer_id = str(pressed(body).get("value") or "").partition(":")
    user, (channel, _, thread_ts) = actor(body), place_of(body)
    with workspace.engine.connect() as connection:
        answer = find_answer(connection, workspace.id, answer_id)
    seen = may_rate(workspace.engine, workspace.id, answer_id, user, channel)
    if answer is None or not seen or side not in ("up", "down"):
        log.warning("feedback not taken", answer=answer_id[:40], user=user)
        return
    with workspace.engine.begin() as connection:
        is_new = rate(connection, answer_id, user, 1 if side == "up" else -1)
        if side == "up" and is_new:
            drop_candidate(connection, workspace.id, "feedback", answer_id, user)
            add_post(connection, workspace.id, _thanks(answer_id, user, channel, thread_ts))
    if side == "up":
        workspace.wake()
        return
    known = find_opinion(workspace.engine, answer_id, user)
    try:
        workspace.client.views_open(
            trigger_id=body["trigger_id"], view=why_view(answer_id, answer.question, known)
        )
    except SLACK_FAILURES as error:  # the thumb is kept; the form opens at the next press
        log.warning("form not opened", answer=answer_id, error=type(error).__name__)


def why(workspace: Workspace, body: Body) -> dict[str, Any] | None:
    """Keep why an answer is not good, and what it should have said as a possible example."""
    told, user = read_why(body), actor(body)
    if told is None:
        return {"response_action": "errors", "errors": {REASON: NOT_CHOSEN}}
    with workspace.engine.begin() as connection:
        answer = find_answer(connection, workspace.id, told.answer_id)
        # Only who gave the thumb down has a row to explain: the form need not be trusted.
        if answer is None or not explain(
            connection, answer.id, user, told.reason, told.comment, told.better
        ):
            log.warning("reason not taken", answer=told.answer_id[:40], user=user)
            return None
        if told.better is None:
            drop_candidate(connection, workspace.id, "feedback", answer.id, user)
        else:
            add_candidate(
                connection,
                workspace.id,
                "feedback",
                answer.id,
                [Said("asker", answer.question), Said("team", told.better)],
                user_id=user,
                added_by=user,
                answer_id=answer.id,
                disliked=answer.text,
            )
    log.info("feedback explained", answer=told.answer_id, reason=told.reason)
    return None


def _thanks(answer_id: str, user: str, channel: str, thread_ts: str | None) -> NewPost:
    """Return thanks that only who pressed sees, once an answer."""
    (message,) = plain(THANKS)
    return NewPost(
        f"thanks:{answer_id}:{user}",
        "notice",
        channel,
        as_json(message),
        thread_ts,
        user_id=user,
    )


ACTIONS: dict[str, Handler] = {FEEDBACK: thumb}
VIEWS: dict[str, Submission] = {WHY: why}
