"""The page that shows an answer as Slack does."""

from datetime import datetime
from typing import Any

from starlette.testclient import TestClient

from admin.app import create_app
from admin.pages.ask import SESSION_COOKIE
from cli.web import slack_posts
from store.answers import Answer
from tests.unit.admin.browsing import ORIGIN, OWN_PAGE
from tests.unit.admin.scripted import (
    SALE_ANSWER,
    SALE_QUOTE,
    InMemoryDocuments,
    ScriptedAnswerer,
)

QUESTION = "Is a *sale* item <b>mine</b>?"


def browser(slack_face: Any = slack_posts) -> TestClient:
    """Return a client of a site whose answers can be seen as in Slack."""
    app = create_app(
        ScriptedAnswerer([("sale", SALE_ANSWER)]), InMemoryDocuments(), slack_face=slack_face
    )
    return TestClient(app, base_url=ORIGIN, headers=OWN_PAGE)


def ask(client: TestClient, **more: str) -> str:
    """Ask about a sale item and return the page with the answer."""
    return client.post("/ask", data={"question": QUESTION, "nonce": "n", **more}).text


def test_an_answer_is_shown_as_the_bot_posts_it() -> None:
    """The question stands as it was typed, the answer as the bot's blocks say it."""
    client = browser()
    assert '<a href="/answers/7f3a1/slack">as Slack shows it</a>' in ask(client)
    page = client.get("/answers/7f3a1/slack").text
    assert "Is a *sale* item &lt;b&gt;mine&lt;/b&gt;?" in page
    assert f"<em>{SALE_QUOTE}</em>" in page
    assert "delivery.¹ After that" in page


def test_what_notifications_get_is_shown_beside_it() -> None:
    """The fallback text, which blocks hide, is told below."""
    client = browser()
    ask(client)
    page = client.get("/answers/7f3a1/slack").text
    assert "Notifications and screen readers get:" in page
    assert '<p dir="auto">No. Sale items can be returned within 14 days of delivery.¹' in page


def test_the_day_asked_for_goes_along() -> None:
    """An answer as of another day is rendered as of it."""
    client = browser()
    ask(client, as_of="2025-06-01")
    assert "of 1 Jun 2025" in client.get("/answers/7f3a1/slack").text


def test_only_ones_own_answers_are_shown() -> None:
    """An unknown answer and another browser's give the same page: not found."""
    client = browser()
    ask(client)
    unknown = client.get("/answers/ffff/slack")
    client.cookies.set(SESSION_COOKIE, "somebody-else")
    client.cookies.delete(SESSION_COOKIE, domain="127.0.0.1")
    foreign = client.get("/answers/7f3a1/slack")
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.text == foreign.text
    assert SALE_QUOTE not in foreign.text


def test_without_slack_there_is_no_link_and_no_page() -> None:
    """A site that is not given the bot's rendering does not offer it."""
    client = browser(slack_face=None)
    assert "as Slack shows it" not in ask(client)
    assert client.get("/answers/7f3a1/slack").status_code == 404


def test_hostile_posts_do_nothing() -> None:
    """Whatever the rendering gives, the page holds it as text."""

    def hostile(_: Answer, as_of: datetime | None) -> list[dict[str, Any]]:
        assert as_of is None
        return [{"text": "&lt;script&gt;x", "blocks": [{"type": "<script>alert(1)</script>"}]}]

    client = browser(hostile)
    ask(client)
    page = client.get("/answers/7f3a1/slack").text
    assert "<script" not in page
    assert "&lt;script&gt;x" in page
