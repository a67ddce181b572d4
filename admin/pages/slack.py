"""An answer as Slack shows it, drawn here from the blocks that the bot would post."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Cookie
from starlette.responses import HTMLResponse, Response

from admin.asked import end_of_day
from admin.conversations import Exchange
from admin.site import Site
from admin.slack.known import Known
from admin.slack.mrkdwn import literal
from admin.slack.surfaces import draw
from core.errors import NotFoundError

ASKER = "asker"
KNOWN = Known(names={ASKER: "You"})


def router(site: Site) -> APIRouter:
    """Return the route of the page."""
    routes = APIRouter()

    @routes.get("/answers/{answer_id}/slack")
    def show(answer_id: str, footnote_session: Annotated[str | None, Cookie()] = None) -> Response:
        exchange = _exchange(site, footnote_session, answer_id)
        if site.slack is None or exchange is None:
            raise NotFoundError("There is no such answer in this conversation; ask it again.")
        posts = site.slack(exchange.answer, end_of_day(exchange.as_of))
        return HTMLResponse(
            site.templates.render(
                "slack.html",
                surfaces=[draw(_thread(exchange, posts), KNOWN)],
                notices=[literal(str(post["text"])) for post in posts],
                bare=False,
            )
        )

    return routes


def _exchange(site: Site, session: str | None, answer_id: str) -> Exchange | None:
    """Return an exchange of this browser's own conversation: nobody else's answer is shown."""
    exchanges = site.conversations.exchanges(session)
    return next((one for one in exchanges if one.answer.id == answer_id), None)


def _thread(exchange: Exchange, posts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    question = {"type": "text", "text": exchange.answer.question}
    section = {"type": "rich_text_section", "elements": [question]}
    asked = {"user": ASKER, "blocks": [{"type": "rich_text", "elements": [section]}]}
    return {"thread": True, "messages": [asked, *posts]}
