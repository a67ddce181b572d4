"""A person: asked for by a button, and how they claim, resolve and keep what was asked."""

from typing import Any

from sqlalchemy import Connection

from bot.client import SLACK_FAILURES
from bot.escalation_blocks import (
    ANSWER_VIEW,
    ANSWERED,
    CLAIM,
    EXAMPLE,
    KEEP,
    NO_ANSWER_TO_KEEP,
    RESOLVE,
    RESOLVED_ALREADY,
    TAKEN_BACK,
    Settled,
    answer_view,
    answered_notice,
    claimed_notice,
    read_answer,
    taken_notice,
)
from bot.escalations import (
    HandOver,
    audience_of,
    change_message,
    hand_over,
    is_elsewhere,
    link_to,
    takers,
    told_at,
)
from bot.incoming import Body
from bot.interactions import Handler, Submission, actor, place_of, pressed
from bot.outgoing import write_posts
from bot.render import HUMAN, Message, plain
from bot.workspaces import Workspace
from core.logs import logger
from graph.escalate import human_text
from store.answers import find_answer
from store.channels import channel_settings
from store.escalations import (
    Escalation,
    asked_as,
    claim_escalation,
    find_escalation,
    resolve_escalation,
)
from store.events import GONE
from store.feedback import may_rate
from store.posts import NewPost
from store.transcripts import Said, add_candidate

ASKED_ALREADY = "A person has been asked already; they will answer as soon as they can."
ONLY_MEMBERS = "Only full members of this workspace can take questions over."

log = logger(__name__)


def human(workspace: Workspace, body: Body) -> None:
    """Hand the question of an answer over to a person, once."""
    answer_id, user = str(pressed(body).get("value") or ""), actor(body)
    channel, ts, thread_ts = place_of(body)
    alone = channel.startswith("D") or bool((body.get("container") or {}).get("is_ephemeral"))
    with workspace.engine.connect() as connection:
        answer = find_answer(connection, workspace.id, answer_id)
        known = asked_as(connection, workspace.id, answer_id)
    if (
        answer is None
        or known is None
        or not may_rate(workspace.engine, workspace.id, answer_id, user, channel)
    ):
        log.warning("not handed over", answer=answer_id[:40], user=user)
        return
    taken_by = takers(workspace, channel_settings(workspace.engine, workspace.id, channel))
    if taken_by is None:
        _tell(workspace, body, plain(human_text(workspace.settings.escalation_contact)))
        return
    elsewhere = is_elsewhere(channel, private=alone)
    asked = HandOver(
        key=known.message_key or f"answer:{answer_id}",
        answer=answer,
        asker=known.asker_id or user,
        channel=channel,
        thread_ts=thread_ts or (None if elsewhere else ts),
        private=alone,
        link=link_to(workspace, channel, ts, private=alone),
        conversation_id=known.conversation_id,
    )
    told = plain(human_text(None, taken_by.told(elsewhere=elsewhere)))
    with workspace.engine.begin() as connection:
        is_new = hand_over(connection, workspace, taken_by, asked)
        if is_new and not elsewhere:
            note = NewPost(f"handed:{asked.key}", "notice", channel, {}, asked.thread_ts)
            write_posts(connection, workspace.id, told, note)
    if not is_new or elsewhere:
        _tell(workspace, body, told if is_new else plain(ASKED_ALREADY))
    workspace.wake()


def claim(workspace: Workspace, body: Body) -> None:
    """Let who pressed take the question; the asker is told, and so is who came too late."""
    found = _pressed_on(workspace, body)
    if found is None:
        return
    user = actor(body)
    with workspace.engine.begin() as connection:
        claimed = claim_escalation(connection, workspace.id, found.id, user)
        if claimed is not None:
            change_message(connection, workspace, claimed)
            notice = [claimed_notice(user)]
            _tell_asker(connection, workspace, claimed, f"claimed:{claimed.id}", notice)
        now = claimed or find_escalation(connection, workspace.id, found.id)
    if claimed is None and now is not None:
        _tell(workspace, body, (taken_notice(now),))
    workspace.wake()


def resolve(workspace: Workspace, body: Body) -> None:
    """Ask for what is answered."""
    _open_form(workspace, body, keep=False)


def example(workspace: Workspace, body: Body) -> None:
    """Ask for what is answered, or was, to keep it as an example."""
    _open_form(workspace, body, keep=True)


def settle(workspace: Workspace, body: Body) -> dict[str, Any] | None:
    """Resolve a question with an answer in a person's name; keep it as a possible example."""
    filled, user = read_answer(body), actor(body)
    if filled is None:
        return None
    with workspace.engine.connect() as connection:
        found = find_escalation(connection, workspace.id, filled.escalation_id)
    # The form was opened for who may; who has left the channel since may not any more.
    inside = found is not None and workspace.people.is_inside(
        workspace.client, user, found.handed_to
    )
    if found is None or not inside or not _is_member(workspace, user):
        log.warning("not resolved", escalation=filled.escalation_id, user=user)
        return None
    if filled.keep and filled.answer is None:
        return _wrong(ANSWERED, NO_ANSWER_TO_KEEP)
    if filled.keep and found.question == GONE:
        return _wrong(KEEP, TAKEN_BACK)
    if not _settled(workspace, found, filled, user):
        return _wrong(ANSWERED, RESOLVED_ALREADY)
    workspace.wake()
    return None


def _settled(workspace: Workspace, found: Escalation, filled: Settled, user: str) -> bool:
    """Write down what was filled in; False where somebody else has resolved it meanwhile."""
    public = _is_public(workspace, found.channel) if filled.keep else False
    with workspace.engine.begin() as connection:
        resolved = resolve_escalation(connection, workspace.id, found.id, user, filled.answer)
        if resolved is None and not filled.keep:
            return False
        if resolved is not None:
            change_message(connection, workspace, resolved)
        if resolved is not None and filled.answer:
            notices = answered_notice(user, filled.answer)
            _tell_asker(connection, workspace, resolved, f"resolved:{found.id}", notices)
        if filled.keep and filled.answer:
            add_candidate(
                connection,
                workspace.id,
                "escalation",
                str(found.id),
                [Said("asker", found.question), Said("team", filled.answer)],
                audience=audience_of(found, public=public),
                user_id=found.asker_id,
                added_by=user,
                answer_id=found.answer_id,
                people=[found.resolved_by or user],
            )
    return True


def _open_form(workspace: Workspace, body: Body, *, keep: bool) -> None:
    found = _pressed_on(workspace, body)
    if found is None:
        return
    if found.state == "resolved" and not keep:
        _tell(workspace, body, (taken_notice(found),))
        return
    try:
        workspace.client.views_open(
            trigger_id=body["trigger_id"], view=answer_view(found, keep=keep)
        )
    except SLACK_FAILURES as error:  # pressing again opens it
        log.warning("form not opened", escalation=found.id, error=type(error).__name__)


def _pressed_on(workspace: Workspace, body: Body) -> Escalation | None:
    """Return the question whose button was pressed, where a full member did so in its channel."""
    number, user = str(pressed(body).get("value") or ""), actor(body)
    channel, _, _ = place_of(body)
    found = None
    if number.isdecimal() and len(number) < 19:
        with workspace.engine.connect() as connection:
            found = find_escalation(connection, workspace.id, int(number))
    if found is None or found.handed_to != channel:
        log.warning("no such question here", escalation=number[:20], user=user)
        return None
    if not _is_member(workspace, user):
        _tell(workspace, body, plain(ONLY_MEMBERS))
        return None
    return found


def _is_member(workspace: Workspace, user: str) -> bool:
    member = workspace.people.member(workspace.client, workspace.team, user)
    return member is not None and member.standing == "member"


def _is_public(workspace: Workspace, channel: str) -> bool:
    known = workspace.people.channel(workspace.client, channel)
    return known is not None and known.open


def _tell_asker(
    connection: Connection,
    workspace: Workspace,
    escalation: Escalation,
    key: str,
    messages: list[Message] | tuple[Message, ...],
) -> None:
    channel, thread_ts = told_at(escalation)
    write_posts(connection, workspace.id, messages, NewPost(key, "notice", channel, {}, thread_ts))


def _tell(workspace: Workspace, body: Body, messages: tuple[Message, ...]) -> None:
    """Tell who pressed the button, and nobody else."""
    channel, _, thread_ts = place_of(body)
    post = NewPost(
        f"human-note:{body['trigger_id']}",
        "notice",
        channel,
        {},
        thread_ts=thread_ts,
        user_id=actor(body),
        reply_url=body.get("response_url"),
    )
    with workspace.engine.begin() as connection:
        write_posts(connection, workspace.id, messages, post)
    workspace.wake()


def _wrong(field: str, words: str) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {field: words}}


ACTIONS: dict[str, Handler] = {
    HUMAN: human,
    CLAIM: claim,
    RESOLVE: resolve,
    EXAMPLE: example,
}
VIEWS: dict[str, Submission] = {ANSWER_VIEW: settle}
