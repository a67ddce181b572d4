"""Slack's blocks as HTML: each as it looks, none lost, all text only text."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from admin.slack.blocks import BLOCKS as DRAWN
from admin.slack.blocks import draw_block
from admin.slack.elements import ELEMENTS
from admin.slack.known import Known
from admin.slack.rich_text import ELEMENTS as IN_LINES
from admin.slack.rich_text import PARTS
from tests.unit.admin.slack.samples import (
    BLOCKS,
    MENU,
    mrkdwn,
    option,
    plain,
    replaced,
    rich,
    section,
    text,
)

NAMES = {"U1": "Mara", "C1": "help", "S1": "leads", "T1": "Halvermoor"}
KNOWN = Known(names=NAMES)
HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(2)>" \' onmouseover="alert(3)" '
    "</pre></details> &lt;b&gt; [x](javascript:alert(4)) <javascript:alert(5)|y> `<i>` {{7*7}} "
    '![p](https://evil.example/p.png) <https://evil.example/"onclick=alert(6)|z> \ud800 \x00'
)
TAGS = frozenset(
    "html head body div span p a br hr strong em s u code pre blockquote ul ol li mark time table"
    " thead tbody tr th td h1 h2 h3 h4 h5 h6 details summary svg path rect figure figcaption"
    " article section".split()
)
ATTRIBUTES = frozenset(
    "class dir role title href rel target tabindex start open alt d viewBox width height rx fill"
    " aria-label aria-hidden aria-level".split()
)


def drawn(block: object, known: Known = KNOWN) -> HTMLParser:
    """Return a block's HTML, parsed as a browser does."""
    return HTMLParser(f"<body>{draw_block(block, known)}</body>")


def words(block: object) -> str:
    """Return what a block says, white space as one space."""
    body = drawn(block).body
    assert body is not None
    return " ".join(body.text(separator=" ").split())


def assert_inert(page: HTMLParser) -> None:
    """Nothing in a page runs, loads, submits or leads anywhere but to the web."""
    for node in page.css("*"):
        assert node.tag in TAGS
        assert set(node.attributes) <= ATTRIBUTES
        address = node.attributes.get("href")
        assert address is None or address.startswith(("https://", "http://"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("rich_text", ["plain", "styled", "policy", "@Mara", "@leads", "#help", "@channel", "👋"]),
        ("rich_text", ["2 Nov 2026 at 10:42", "#aabbcc", "one", "quoted", "code here"]),
        ("section", ["bold words", "one field", "another field", "Choose", "Thirty"]),
        ("header", ["A heading"]),
        ("markdown", ["Rules", "Some strong words"]),
        ("context", ["checked now", "small"]),
        ("actions", ["Claim", "Open", "Choose", "Rarely used", "2026-11-02", "@Mara"]),
        ("input, written", ["What should it say? (optional)", "Thirty days", "A person reads it"]),
        ("input, boxes", ["Why", "Wrong fact", "not so", "Outdated"]),
        ("input, one of", ["Where", "Here"]),
        ("input, several of", ["Documents", "Returns"]),
        ("input, day", ["From", "Which day"]),
        ("input, file", ["File", "Upload files"]),
        ("image", ["Page 3", "the quoted words marked"]),
        ("alert", ["This has changed"]),
        ("card", ["hero", "mark", "Returns policy", "v3", "Within 14 days.", "Open"]),
        ("carousel", ["Returns policy"]),
        ("container", ["Group", "Returns policy"]),
        ("table", ["Head", "41", "cell", "other"]),
        ("task_card", ["Searching 214 policies", "9 passages", "2 quotes", "Returns policy"]),
        ("plan", ["Answering", "Searching 214 policies"]),
        ("of no known type", ["Not drawn here: hologram", '"text": "light"']),
    ],
)
def test_a_block_says_what_it_holds(kind: str, said: list[str]) -> None:
    """Every text of a block is there, in the order in which Slack shows it."""
    page, at = words(BLOCKS[kind]), 0
    for part in said:
        at = page.index(part, at)


@pytest.mark.parametrize(
    ("kind", "css"),
    [
        ("rich_text", "strong em u s code"),
        ("rich_text", "ul.depth-0 > li"),
        ("rich_text", "ol.depth-1[start='3']"),
        ("rich_text", "blockquote"),
        ("rich_text", "pre"),
        ("rich_text", "a[href='https://example.com/a']"),
        ("rich_text", ".mention.everybody"),
        ("section", ".accessory details .options li"),
        ("section", ".words strong"),
        ("header", ".header[role=heading]"),
        ("divider", "hr"),
        ("markdown", "h1"),
        ("actions", ".button.primary"),
        ("actions", "a[href='https://example.com/open'] .button"),
        ("context_actions", "[aria-label='Good answer']"),
        ("context_actions", "[aria-label='Bad answer']"),
        ("context_actions", "[aria-label='Withdraw']"),
        ("input, written", ".field.tall .value"),
        ("input, boxes", ".choice + .choice .box.on"),
        ("input, one of", ".radio:not(.on)"),
        ("input, several of", ".chip"),
        ("image", ".no-picture"),
        ("alert", ".alert.warning .icon-warning"),
        ("table", "th.to-right.wrapped"),
        ("table", "td .rich-text"),
        ("task_card", ".task.in_progress [aria-label=in_progress]"),
        ("task_card", ".source a"),
        ("plan", ".plan .task"),
        ("of no known type", "details.unknown[open]"),
    ],
)
def test_a_block_has_its_form(kind: str, css: str) -> None:
    """What makes a block look like itself is there."""
    assert drawn(BLOCKS[kind]).css_first(css) is not None


def test_every_type_that_is_drawn_has_a_sample() -> None:
    """The samples hold each block, part and element of a line, so that the tests meet them all."""
    written = json.dumps(BLOCKS)
    for kind in (*DRAWN, *PARTS, *IN_LINES):
        assert f'"type": "{kind}"' in written


@pytest.mark.parametrize("kind", BLOCKS)
def test_hostile_text_stays_text(kind: str) -> None:
    """Markup, scripts and addresses in any field are shown, and do nothing."""
    assert_inert(drawn(replaced(BLOCKS[kind], lambda _: HOSTILE)))


@pytest.mark.parametrize("kind", [k for k in BLOCKS if k not in ("divider", "context_actions")])
def test_hostile_text_is_seen(kind: str) -> None:
    """It is not taken away either: who looks sees that something is wrong."""
    page = words(replaced(BLOCKS[kind], lambda _: "<script>alert(1)</script>"))
    assert "<script>alert(1)</script>" in page


@pytest.mark.parametrize("kind", sorted(ELEMENTS))
def test_an_element_without_its_fields_is_drawn(kind: str) -> None:
    """What lacks every field it should have is drawn as far as it goes."""
    assert_inert(drawn({"type": "actions", "elements": [{"type": kind}]}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "type text elements style url fields accessory options title status rows tasks"
                " element label initial_options timestamp indent offset unicode name".split()
            ),
            inner | st.sampled_from([*DRAWN, *PARTS, *IN_LINES, *ELEMENTS]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_any_json_is_drawn_and_inert(block: Any) -> None:
    """Whatever comes as a block, a page results, and nothing in it runs."""
    assert_inert(drawn(block))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (rich({"type": "rich_text_dream", "elements": []}), "rich_text_dream"),
        (rich({"type": "rich_text_section", "elements": [{"type": "canvas"}]}), "canvas"),
        ({"type": "actions", "elements": [{"type": "lever"}]}, "lever"),
        ({"type": "table", "rows": [[{"type": "chart"}]]}, "chart"),
        ({}, "a part without a type"),
        ("words", "a part without a type"),
    ],
    ids=["a part", "in a line", "an element", "a cell", "nothing", "no block"],
)
def test_what_is_not_known_is_labelled(part: object, name: str) -> None:
    """Parts of unknown types are boxes that name them, wherever they stand."""
    assert f"Not drawn here: {name}" in words(part)


@pytest.mark.parametrize(
    ("address", "asked_for"),
    [
        ("/documents/3/page/2.png", True),
        ("data:image/png;base64,iVBORw0K", True),
        ("https://evil.example/p.png", False),
        ("//evil.example/documents/p.png", False),
        ("data:image/svg+xml,<svg onload=alert(1)>", False),
    ],
)
def test_only_pictures_of_our_own_are_asked_for(address: str, *, asked_for: bool) -> None:
    """A picture of another host is a frame with its words; one of ours is shown."""
    page = drawn(BLOCKS["image"], Known(pictures={"F1": address}))
    image = page.css_first("img")
    assert (image is not None) is asked_for
    if image is not None:
        assert image.attributes["src"] == address
        assert image.attributes["alt"] == "the quoted words marked"


def test_a_chosen_option_stands_in_the_menu() -> None:
    """A menu shows what is chosen in place of its placeholder, and all options when opened."""
    chosen = MENU | {"options": [option("Ten"), option("Thirty")], "initial_option": option("Ten")}
    page = drawn({"type": "actions", "elements": [chosen]})
    assert [node.text() for node in page.css(".menu .value")] == ["Ten"]
    assert [node.text() for node in page.css(".options li")] == ["Ten", "Thirty"]


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        (plain("done :tada:"), "done 🎉"),
        (plain("done :tada:") | {"emoji": False}, "done :tada:"),
        (mrkdwn(":tada: :own_one:"), "🎉 :own_one:"),
        (plain("*not bold* <@U1>"), "*not bold* <@U1>"),
    ],
)
def test_emoji_are_drawn_where_slack_does(given_text: dict[str, Any], shown: str) -> None:
    """Short names become emoji unless a text says no; plain text has no other markup."""
    assert words({"type": "section", "text": given_text}) == shown


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ({"timestamp": 1_793_616_120, "format": "{date_long_pretty}"}, "Monday, 2 November 2026"),
        ({"timestamp": 1_793_616_120}, "2026-11-02 10:42"),
        ({"timestamp": 1_793_616_120, "format": "{ago}", "fallback": "today"}, "today"),
        ({"timestamp": 10**18, "fallback": "one day"}, "one day"),
        ({"timestamp": -1}, "-1"),
    ],
)
def test_dates_are_written_as_asked(date: dict[str, Any], shown: str) -> None:
    """A moment takes the form that is named for it, in UTC; else its fallback stands there."""
    assert words(rich(section({"type": "date", **date}))) == shown


def test_text_of_rich_text_is_literal() -> None:
    """Neither mrkdwn, emoji names nor escapes mean anything in a rich text element."""
    literal = "*a* :tada: &amp; <@U1> <!channel> https://example.com"
    page = drawn(rich({"type": "rich_text_section", "elements": [text(literal)]}))
    assert [node.text() for node in page.css(".section")] == [literal]
    assert page.css(".section *") == []
