"""The chat page: a question goes in, an answer with its footnotes comes out."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Body, Cookie
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from admin.asked import AskBody, AskedForm, clean_question, day_asked, end_of_day, read_form
from admin.conversations import Exchange
from admin.problems import told, wants_fragment
from admin.site import Site
from core.errors import FootnoteError
from graph.state import Question
from store.documents import Version

SESSION_COOKIE = "footnote_session"
NONCE_BYTES = 9  # random bytes that tell one filled-in form from the next
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Example:
    """A question to start with, offered while the document that answers it is in force."""

    question: str
    document: str


EXAMPLES = (
    Example("Can I return a sale item after three weeks?", "returns-policy"),
    Example("From which amount is standard delivery free?", "shipping-policy"),
    Example("How much may I spend on food on a business trip to Spain?", "expenses-policy"),
    Example("Is a battery that no longer holds its charge covered?", "warranty-policy"),
)
"""Questions on the sample policies; where those are not indexed, none is offered."""


@dataclass(frozen=True)
class Draft:
    """What stands in the composer: empty, or what could not be asked and why."""

    question: str = ""
    as_of: str = ""
    problem: str | None = None


def router(site: Site) -> APIRouter:
    """Return the routes of the chat page and its API."""
    routes = APIRouter()

    @routes.get("/")
    def show(
        footnote_session: Annotated[str | None, Cookie()] = None, as_of: str = ""
    ) -> Response:
        return HTMLResponse(_page(site, footnote_session, Draft(as_of=_day_or_nothing(as_of))))

    @routes.post("/ask")
    def ask(
        request: Request,
        body: Annotated[bytes, Body(media_type=FORM)] = b"",
        footnote_session: Annotated[str | None, Cookie()] = None,
    ) -> Response:
        form = read_form(body)
        session = site.conversations.resume(footnote_session)
        try:
            exchange = _exchange(site, session, form)
        except FootnoteError as error:
            if wants_fragment(request):
                raise
            status, sentence, _ = told(error)
            draft = Draft(form.question, _day_or_nothing(form.as_of), sentence)
            return HTMLResponse(_page(site, session, draft), status)
        site.conversations.add(session, exchange)
        return _with_session(request, _asked(site, request, exchange), session)

    @routes.post("/new")
    def start_again(footnote_session: Annotated[str | None, Cookie()] = None) -> Response:
        site.conversations.forget(footnote_session)
        response = RedirectResponse("/", 303)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return response

    @routes.post("/api/ask")
    def ask_by_program(asked: AskBody) -> dict[str, Any]:
        question = Question(
            clean_question(asked.question), history=asked.turns(), as_of=asked.moment()
        )
        return site.answerer.answer(question).to_json()

    return routes


def _exchange(site: Site, session: str, form: AskedForm) -> Exchange:
    text, day = clean_question(form.question), day_asked(form.as_of)
    moment = end_of_day(day)
    question = Question(
        text,
        conversation=f"web:{session}",
        event_key=_event_key(session, form, text),
        as_of=moment,
    )
    return Exchange(site.answerer.answer(question), day if moment else None)


def _event_key(session: str, form: AskedForm, text: str) -> str:
    """Name this submission: the same form sent twice is one event, an edited one is another."""
    said = sha256(f"{form.as_of}\n{text}".encode()).hexdigest()
    nonce = sha256(form.nonce.encode()).hexdigest() if form.nonce else secrets.token_hex()
    return f"web:{session}:{nonce[:16]}:{said[:16]}"


def _asked(site: Site, request: Request, exchange: Exchange) -> Response:
    if wants_fragment(request):
        return HTMLResponse(
            site.templates.render(
                "exchange_fragment.html",
                exchange=exchange,
                nonce=_nonce(),
                in_slack=site.slack is not None,
            )
        )
    as_of = f"?as_of={exchange.as_of}" if exchange.as_of else ""
    return RedirectResponse(f"/{as_of}#a-{exchange.answer.id}", 303)


def _with_session(request: Request, response: Response, session: str) -> Response:
    """Let the browser bring the session's key along: only from our own pages, never to scripts.

    Set when something was asked, not before: a visit from a link on another site comes without
    the (strict) cookie, and must not replace the one that is there.
    """
    response.set_cookie(
        SESSION_COOKIE,
        session,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _page(site: Site, session: str | None, draft: Draft) -> str:
    versions = site.documents.in_force()
    return site.templates.render(
        "ask.html",
        exchanges=site.conversations.exchanges(session),
        versions=versions,
        examples=_examples(versions),
        draft=draft,
        nonce=_nonce(),
        in_slack=site.slack is not None,
    )


def _examples(versions: Sequence[Version]) -> list[str]:
    present = {version.document_key for version in versions}
    return [example.question for example in EXAMPLES if example.document in present]


def _day_or_nothing(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def _nonce() -> str:
    return secrets.token_urlsafe(NONCE_BYTES)
