"""The home tab is made anew when it is opened; the messages tab gets suggestions."""

from datetime import UTC, datetime
from itertools import islice

from bot.client import SLACK_FAILURES
from bot.home import LOOK_AGAIN, ForAdmins, Home, home_view, prompts
from bot.incoming import Body
from bot.interactions import Handler, actor, pressed
from bot.people import Role
from bot.render import one_line
from bot.workspaces import Workspace
from core.logs import logger
from ingestion.watch import submit_sync
from store.access import Access
from store.home import (
    Unanswered,
    own_questions,
    pending_transcripts,
    recent_uploads,
    sections_to_ask,
    source_health,
    unanswered,
)
from store.search import count_in_force
from store.shutdowns import ending_models
from store.sources import source_by_id

ID_DIGITS = 18  # of a row's id, at most
EXAMPLES = 5  # unanswered questions that are named
LOOKING = "I'm looking at {} again. Open this tab anew in a minute to see how it went."
NOT_ALLOWED = "Only knowledge admins can have a source looked at again."
GONE = "That source is not watched any more."

log = logger(__name__)


def opened(workspace: Workspace, body: Body) -> None:
    """Show what was opened: the home tab as it is now, or suggestions above the messages.

    Raises one of `bot.client.SLACK_FAILURES` where Slack does not take it.
    """
    event = body["event"]
    user = str(event["user"])
    if event.get("tab") == "messages":
        suggest(workspace, user, str(event["channel"]))
    else:
        show(workspace, user)


def show(workspace: Workspace, user: str, said: str | None = None) -> None:
    """Publish a person's home tab; `said` stands at its top."""
    people, engine = workspace.people, workspace.engine
    access = people.alone(workspace.client, workspace.team, user)
    role = _role(workspace, user)
    home = Home(
        role=role,
        documents=count_in_force(engine, workspace.id, access),
        sources=source_health(engine, workspace.id, access),
        questions=own_questions(engine, workspace.id, user),
        now=datetime.now(UTC),
        transcripts=None if role == "member" else pending_transcripts(engine, workspace.id),
        admin=_for_admins(workspace, access) if role == "admin" else None,
        said=said,
    )
    workspace.client.views_publish(user_id=user, view=home_view(home))


def suggest(workspace: Workspace, user: str, channel: str) -> None:
    """Suggest what to ask, of what this person may read."""
    access = workspace.people.alone(workspace.client, workspace.team, user)
    sections = sections_to_ask(workspace.engine, workspace.id, access)
    workspace.client.assistant_threads_setSuggestedPrompts(
        channel_id=channel, prompts=prompts(sections)
    )


def look_again(workspace: Workspace, body: Body) -> None:
    """Have a source looked at now, as `footnote sources sync` does, and say so."""
    user = actor(body)
    if _role(workspace, user) != "admin":
        show(workspace, user, NOT_ALLOWED)
        return
    value = str(pressed(body).get("value") or "")
    known = value.isdecimal() and len(value) <= ID_DIGITS
    source = source_by_id(workspace.engine, int(value)) if known else None
    if source is None or source.workspace_id != workspace.id:
        show(workspace, user, GONE)
        return
    job = submit_sync(workspace.engine, source)
    log.info("source to be looked at", source=source.id, job=job, user=user)
    show(workspace, user, LOOKING.format(one_line(source.name)))


def _role(workspace: Workspace, user: str) -> Role:
    """Return what a person may do: nothing special where Slack does not say who they are."""
    try:
        return workspace.people.role(workspace.client, workspace.team, user)
    except SLACK_FAILURES as error:
        log.warning("role unknown", user=user, error=type(error).__name__)
        return "member"


def _for_admins(workspace: Workspace, access: Access) -> ForAdmins:
    count, asked = unanswered(workspace.engine, workspace.id)
    public = (one for one in asked if _is_public(workspace, one))
    return ForAdmins(
        uploads=recent_uploads(workspace.engine, workspace.id, access),
        unanswered=count,
        examples=list(islice(public, EXAMPLES)),
        ending=ending_models(workspace.engine, workspace.id),
    )


def _is_public(workspace: Workspace, one: Unanswered) -> bool:
    """Whether everybody could read a question where it was asked."""
    known = workspace.people.channel(workspace.client, one.channel)
    return known is not None and known.public


ACTIONS: dict[str, Handler] = {LOOK_AGAIN: look_again}
