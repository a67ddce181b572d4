"""The modal with an answer's sources: its button, its pages, and "Cite this answer"."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.client import SLACK_FAILURES
from bot.incoming import Body
from bot.interactions import Handler, actor, place_of, pressed
from bot.pictures import pictures_of
from bot.render import SOURCES
from bot.sources import BACK, NEXT, Sources, looking, not_found, sources
from bot.workspaces import Workspace
from core.logs import logger
from store.cited import CitedAnswer, answer_of_message, find_cited, public_channels

PICTURES = 6  # on a page of the modal
PAUSES = (0.0, 1.0, 2.0, 4.0)  # seconds before each try: Slack takes a while to know a new file

log = logger(__name__)


def permitted(
    workspace: Workspace,
    user_id: str,
    channel: str,
    answer_id: str | None,
    at: datetime | None = None,
) -> CitedAnswer | None:
    """Return an answer with its sources for a person, or None: the rule for whoever asks for one.

    It is their own, or stands for all to see in the channel where they ask (`channel`, "" for
    none) or in another that they are in; and they may read every document that it quotes. That
    it is not theirs and that it is not there are the same. `at` is the moment at which the
    documents are looked at, now where none is given.
    """
    if answer_id is None:
        return None
    client, engine = workspace.client, workspace.engine
    access = workspace.people.alone(client, workspace.team, user_id)
    channels = [
        place
        for place in public_channels(engine, workspace.id, answer_id)
        if place == channel or workspace.people.is_inside(client, user_id, place)
    ]
    moment = at or datetime.now(UTC)
    return find_cited(engine, workspace.id, answer_id, user_id, channels, access, moment)


def show(workspace: Workspace, body: Body) -> None:
    """Open the sources of the answer whose button was pressed."""
    channel, _, _ = place_of(body)
    view = _opened(workspace, body)
    _fill(workspace, view, actor(body), channel, pressed(body).get("value"), 0)


def cite_message(workspace: Workspace, body: Body) -> None:
    """Open the sources of a message: an answer, or a question that was answered."""
    channel, ts, _ = place_of(body)
    view = _opened(workspace, body)
    answer_id = answer_of_message(
        workspace.engine, workspace.id, workspace.team, channel, ts, actor(body)
    )
    _fill(workspace, view, actor(body), channel, answer_id, 0)


def turn(workspace: Workspace, body: Body) -> None:
    """Show another page; who may see it is asked again."""
    value: dict[str, Any] = json.loads(pressed(body).get("value") or "{}")
    view = str((body.get("view") or {}).get("id"))
    _fill(workspace, view, actor(body), "", value.get("answer"), int(value.get("page", 0)))


def _opened(workspace: Workspace, body: Body) -> str:
    """Open the modal at once: what makes it possible is good for three seconds."""
    opened = workspace.client.views_open(trigger_id=body["trigger_id"], view=looking())
    view: dict[str, Any] = opened.get("view") or {}
    return str(view["id"])


def _fill(
    workspace: Workspace,
    view_id: str,
    user_id: str,
    channel: str,
    answer_id: str | None,
    page: int,
) -> None:
    cited = permitted(workspace, user_id, channel, answer_id)
    if cited is None:
        workspace.client.views_update(view_id=view_id, view=not_found())
        return
    shown = sources(cited, datetime.now(UTC))
    updated = workspace.client.views_update(view_id=view_id, view=shown.modal(page))
    state: dict[str, Any] = updated.get("view") or {}
    _add_pictures(workspace, view_id, str(state.get("hash")), shown, page)


def _add_pictures(
    workspace: Workspace, view_id: str, state: str, shown: Sources, page: int
) -> None:
    """Show the pages quoted as well, unless another page was opened meanwhile."""
    places = shown.page(page)[:PICTURES]
    pictures = pictures_of(workspace, {place: shown.cited.words[place] for place in places})
    if not pictures:
        return
    view = shown.modal(page, pictures)
    for pause in PAUSES:
        time.sleep(pause)
        try:
            workspace.client.views_update(view_id=view_id, hash=state, view=view)
        except SlackApiError as error:
            code = error.response.get("error")
            log.info("pictures not shown yet", code=code)
            if code in {"hash_conflict", "not_found"}:
                return
        except SLACK_FAILURES as error:
            log.info("pictures not shown yet", error=type(error).__name__)
        else:
            return


ACTIONS: dict[str, Handler] = {SOURCES: show, BACK: turn, NEXT: turn}
SHORTCUTS: dict[str, Handler] = {"cite_answer": cite_message}
