"""Messages, conversations, modals and the App Home as HTML."""

from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from admin.slack.known import Known
from admin.slack.surfaces import draw
from tests.unit.admin.slack.samples import BLOCKS, plain, replaced
from tests.unit.admin.slack.test_blocks import HOSTILE

KNOWN = Known(names={"U1": "Mara"})
MODAL = {
    "type": "modal",
    "title": plain("Sources"),
    "submit": plain("Send"),
    "close": plain("Cancel"),
    "blocks": [BLOCKS["header"]],
}


def drawn(surface: object) -> HTMLParser:
    """Return a surface's HTML, parsed."""
    return HTMLParser(str(draw(surface, KNOWN)))


def texts(page: HTMLParser, css: str) -> list[str]:
    """Return what the elements of a selector say."""
    return [node.text().strip() for node in page.css(css)]


def post(at: int = 0, **more: Any) -> dict[str, Any]:
    """Return a message of the app, `at` seconds after 10:42 UTC on 2 November 2026."""
    return {"text": "words", "ts": f"{1_793_616_120 + at}.000100"} | more


def test_a_message_tells_sender_and_time() -> None:
    """The app has its badge, a person a name and none; times are in UTC."""
    page = drawn([post(), post(user="U1")])
    assert texts(page, ".sender .name") == ["Footnote", "Mara"]
    assert texts(page, ".sender .app") == ["App"]
    assert texts(page, "time") == ["10:42", "10:42"]


def test_messages_close_together_share_a_head() -> None:
    """A second message of the same sender within five minutes has none; a later one has."""
    page = drawn([post(), post(60), post(500), post(510, user="U1")])
    assert len(page.css(".message.follows")) == 1
    assert texts(page, ".sender .name") == ["Footnote", "Footnote", "Mara"]


@pytest.mark.parametrize(
    "mark", [{"is_ephemeral": True}, {"ephemeral": True}, {"response_type": "ephemeral"}]
)
def test_a_private_message_says_so(mark: dict[str, Any]) -> None:
    """What only the asker sees is marked as Slack marks it."""
    assert texts(drawn(post(**mark)), ".private") == ["Only visible to you"]
    assert texts(drawn(post()), ".private") == []


def test_blocks_are_seen_instead_of_the_fallback() -> None:
    """The text of a message with blocks is for notifications: it is not shown."""
    page = drawn(post(text="fallback", blocks=[BLOCKS["header"]]))
    assert texts(page, ".header") == ["A heading"]
    assert "fallback" not in page.html  # type: ignore[operator]


def test_a_block_that_slack_refuses_there_is_marked() -> None:
    """An alert in a message, with which Slack would refuse it, is drawn with a mark above it."""
    in_message = drawn(post(blocks=[BLOCKS["alert"]]))
    assert texts(in_message, ".misplaced + .block .alert") == ["This has changed"]
    assert texts(drawn(MODAL | {"blocks": [BLOCKS["alert"]]}), ".misplaced") == []


def test_what_hangs_on_a_message_is_shown() -> None:
    """Attachments with their colour, files, reactions, replies and that it was edited."""
    page = drawn(
        post(
            edited={"ts": "1"},
            attachments=[{"color": "#36a64f", "text": "aside"}, {"color": "red;x", "text": "b"}],
            files=[{"name": "rules.pdf", "pretty_type": "PDF", "size": 12_300}],
            reactions=[{"name": "eyes", "count": 2}],
            reply_count=2,
        )
    )
    assert [bar.attributes["fill"] for bar in page.css(".bar rect")] == ["#36a64f", "#dddddd"]
    assert texts(page, ".attachment .words") == ["aside", "b"]
    assert texts(page, ".file .facts") == ["PDF · 12 kB"]
    assert texts(page, ".reaction") == ["👀 2"]
    assert texts(page, ".replies") == ["2 replies"]
    assert texts(page, ".edited") == ["(edited)"]


def test_a_thread_names_its_place_and_what_is_done() -> None:
    """A conversation may be a thread, and show the status while an answer is made."""
    page = drawn({"thread": True, "place": "# help", "messages": [], "status": "is reading…"})
    assert texts(page, ".place .name") == ["Thread"]
    assert texts(page, ".place .where") == ["# help"]
    assert texts(page, ".status") == ["Footnote is reading…"]


def test_a_modal_has_its_bars() -> None:
    """Title above, the two buttons below in Slack's order, the blocks between."""
    page = drawn(MODAL)
    assert texts(page, "h2") == ["Sources"]
    assert texts(page, ".bar-below .button") == ["Cancel", "Send"]
    assert texts(page, ".body .header") == ["A heading"]


def test_a_modal_without_submit_only_closes() -> None:
    """Where nothing is sent there is one button."""
    page = drawn({"type": "modal", "title": plain("Sources"), "blocks": []})
    assert texts(page, ".bar-below .button") == ["Close"]


def test_the_home_has_its_tabs() -> None:
    """The App Home stands under the app's name and tabs."""
    page = drawn({"type": "home", "blocks": [BLOCKS["header"]]})
    assert texts(page, ".tab") == ["Home", "Messages", "About"]
    assert texts(page, ".body .header") == ["A heading"]


@pytest.mark.parametrize(
    "surface",
    [
        post(user="U1", username="n", attachments=[{"text": "a"}], files=[{"name": "f"}]),
        {"place": "p", "status": "s", "messages": [post(reactions=[{"name": "eyes"}])]},
        MODAL,
        {"type": "home", "blocks": [*BLOCKS.values()]},
    ],
)
def test_hostile_text_stays_text(surface: dict[str, Any]) -> None:
    """No field of a surface can bring markup in."""
    page = drawn(replaced(surface, lambda _: HOSTILE))
    assert page.css("script, img[onerror], [onmouseover], [onclick], [style]") == []
    assert {image.attributes["src"][:8] for image in page.css("img")} <= {"/static/"}  # type: ignore[index]


@pytest.mark.parametrize("surface", [None, 7, "words", [], {}, [None], {"messages": 3}])
def test_what_is_no_surface_is_drawn_empty(surface: object) -> None:
    """Anything else gives an empty conversation, never an error."""
    assert drawn(surface).css_first(".window") is not None
