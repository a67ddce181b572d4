"""Rendering: what people see of an answer in Slack, and that no input can break or abuse it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.blocks import BLOCKS_LIMIT
from bot.outgoing import as_json
from bot.render import (
    HELP,
    JOINER,
    QUOTED_FOOTNOTES,
    QUOTED_LIMIT,
    Message,
    ago,
    clean,
    fits_stream,
    literal_markdown,
    plain,
    render,
    render_below,
    render_failure,
    render_markdown_stream,
    superseded,
    web_address,
)
from graph.footnotes import marked, superscript
from store.answers import Answer, Citation, Claim, Outcome
from tests.fakes.slack.checks import check_content

FALLBACK = 4_000  # bytes that Slack takes as the text of a message that is changed
BUTTONS = ("actions", "context_actions")
NOW = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)
SPACE = re.compile(r"\s+")
MARKS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹,]")

SALE = Citation(
    number=1,
    version_id=7,
    document="returns",
    title="Returns policy",
    version=3,
    section=("Sale items",),
    page=None,
    start=120,
    end=186,
    quote="Items bought in a sale can be returned within 14 days of delivery.",
    effective_from=datetime(2026, 9, 1, tzinfo=UTC),
    link="https://policies.example.com/returns#sale",
)
FAULTY = replace(
    SALE,
    number=2,
    section=("Faulty goods",),
    quote="After the return period we exchange faulty items only.",
    link=None,
    page=4,
)
FIRST = Claim("No. Sale items can be returned within 14 days of delivery.", (SALE,))
SECOND = Claim("After that they can only be exchanged for a fault.", (FAULTY,))
ANSWER = Answer(
    id="7f3a",
    question="Can I return a sale item after three weeks?",
    route="policy",
    outcome="answered",
    text=f"{FIRST.text} {SECOND.text}",
    claims=(FIRST, SECOND),
)


def leaves(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a value, outermost first."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


def shown(messages: tuple[Message, ...]) -> list[str]:
    """The words of each block but the buttons, as a person reads them."""
    return [
        "".join(str(leaf["text"]) for leaf in leaves(block) if isinstance(leaf.get("text"), str))
        for message in messages
        for block in message.blocks
        if block["type"] not in BUTTONS
    ]


def buttons(messages: tuple[Message, ...]) -> list[tuple[str, str, str]]:
    """Words, action and value of each button in order; of Slack's own two the values alone."""
    pressed = [leaf for leaf in leaves([*messages[-1].blocks]) if "action_id" in leaf]
    return [
        (
            "",
            leaf["action_id"],
            f"{leaf['positive_button']['value']} {leaf['negative_button']['value']}",
        )
        if leaf["type"] == "feedback_buttons"
        else (leaf["text"]["text"], leaf["action_id"], leaf["value"])
        for leaf in pressed
    ]


def squeezed(words: str) -> str:
    """Words without white space: what splitting may not change."""
    return SPACE.sub("", words)


def unmarked(words: str) -> str:
    """Words without anything that could be a footnote mark."""
    return MARKS.sub("", words)


def test_an_answer_shows_marks_a_divider_and_a_footnote_for_each_quote() -> None:
    """Each claim ends in its mark; each footnote names title, section, version, date, quote."""
    (message,) = render(ANSWER)

    assert shown((message,)) == [
        "No. Sale items can be returned within 14 days of delivery.¹ "
        "After that they can only be exchanged for a fault.²",
        "",
        "¹ Returns policy › Sale items · v3 · since 1 Sep 2026 — "
        "“Items bought in a sale can be returned within 14 days of delivery.”",
        "² Returns policy › Faulty goods · v3 · since 1 Sep 2026 · p. 4 — "
        "“After the return period we exchange faulty items only.”",
    ]
    assert message.blocks[1] == {"type": "divider"}
    assert message.text == shown((message,))[0]


def test_a_footnote_links_to_the_source_where_it_has_an_address() -> None:
    """The title is the link, and only a citation that has a web address gets one."""
    links = [leaf for leaf in leaves(render(ANSWER)[0].blocks) if leaf.get("type") == "link"]

    assert [(leaf["url"], leaf["text"]) for leaf in links] == [
        ("https://policies.example.com/returns#sale", "Returns policy › Sale items")
    ]


def test_a_note_stands_below_the_footnotes() -> None:
    """The reason why no language model was used comes last, in small print."""
    noted = replace(ANSWER, note="answered without the language model: it timed out")
    (message,) = render(noted)

    assert message.blocks[-3]["type"] == "context"
    assert shown((message,))[-1] == "answered without the language model: it timed out"


def test_a_withdrawn_version_shows_until_when_it_held() -> None:
    """A version that no longer holds shows both dates."""
    old = replace(SALE, effective_to=datetime(2026, 12, 1, tzinfo=UTC))
    lines = shown(render(replace(ANSWER, claims=(Claim(FIRST.text, (old,)),))))

    assert "v3 · 1 Sep 2026 until 1 Dec 2026 — “" in lines[2]


def test_a_refusal_points_to_the_closest_passage() -> None:
    """A refusal says which passage comes closest, with its words."""
    refusal = replace(
        ANSWER,
        outcome="refused",
        text="I don't have a policy that answers this.",
        claims=(),
        closest=FAULTY,
    )

    assert shown(render(refusal)) == [
        "I don't have a policy that answers this.",
        "The closest is Returns policy › Faulty goods (v3 · p. 4), which says "
        "“After the return period we exchange faulty items only.”",
    ]
    row = replace(refusal, closest=replace(FAULTY, quote="above €2,500 | Finance director"))
    assert shown(render(row))[1].endswith("“above €2,500 | Finance director”.")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {},
            [
                ("Sources", "sources", "7f3a"),
                ("Talk to a human", "human", "7f3a"),
                ("", "feedback", "up:7f3a down:7f3a"),
            ],
            id="answer",
        ),
        pytest.param(
            {"outcome": "refused", "claims": (), "closest": FAULTY},
            [
                ("Talk to a human", "human", "7f3a"),
                ("Rephrase", "rephrase", "7f3a"),
                ("", "feedback", "up:7f3a down:7f3a"),
            ],
            id="refusal",
        ),
        pytest.param(
            {"outcome": "refused", "claims": (), "text": "No. Shall I ask #leads?"},
            [
                ("Ask them", "human", "7f3a"),
                ("Rephrase", "rephrase", "7f3a"),
                ("", "feedback", "up:7f3a down:7f3a"),
            ],
            id="refusal that says who can be asked",
        ),
        pytest.param(
            {"outcome": "clarifying", "claims": (), "choices": ("Annual", " ", "Parental")},
            [
                ("Annual", "choice:0", '{"answer": "7f3a", "n": 0}'),
                ("Parental", "choice:2", '{"answer": "7f3a", "n": 2}'),
            ],
            id="clarifying",
        ),
        pytest.param(
            {"route": "small_talk", "claims": ()},
            [("", "feedback", "up:7f3a down:7f3a")],
            id="small talk",
        ),
        pytest.param({"outcome": "error", "claims": ()}, [], id="error"),
        pytest.param({"outcome": "escalated", "claims": ()}, [], id="handed over"),
        pytest.param(
            {"outcome": "escalated"},
            [("Sources", "sources", "7f3a"), ("", "feedback", "up:7f3a down:7f3a")],
            id="answered and handed over",
        ),
    ],
)
def test_each_outcome_has_its_buttons(
    change: dict[str, Any], expected: list[tuple[str, str, str]]
) -> None:
    """What can be done next is on the message, and nothing that makes no sense there."""
    assert buttons(render(replace(ANSWER, **change))) == expected


def test_a_private_answer_can_be_shared() -> None:
    """Only where others could see it."""
    assert ("Share with channel", "share", "7f3a") in buttons(render(ANSWER, private=True))
    assert not [b for b in buttons(render(ANSWER)) if b[1] == "share"]


def test_a_long_choice_is_listed_whole() -> None:
    """A button cannot hold it all."""
    long = "Leave for those who " + "really " * 12 + "need it"
    unclear = replace(ANSWER, outcome="clarifying", claims=(), choices=("Annual leave", long))
    (message,) = render(unclear)

    assert shown((message,)) == [ANSWER.text, long]
    label = buttons((message,))[1][0]
    assert len(label) <= 75
    assert label.endswith("…")


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (timedelta(seconds=30), "just now"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=4, seconds=59), "4 minutes ago"),
        (timedelta(minutes=61), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=59), "59 days ago"),
        (timedelta(days=72), "on 1 Sep 2026"),
    ],
)
def test_freshness_is_told_in_the_largest_unit(then: timedelta, words: str) -> None:
    """And what is long past by its day."""
    assert ago(NOW - then, NOW) == words


def test_day_and_freshness_stand_in_small_print() -> None:
    """Where they are known."""
    four = NOW - timedelta(minutes=4)
    fresh = shown(render(ANSWER, checked_at=four, now=NOW))
    dated = shown(render(ANSWER, NOW, checked_at=four, now=NOW))

    assert fresh[-1] == "Checked 4 minutes ago"
    assert dated[-1] == "As of 12 Nov 2026 · checked 4 minutes ago"
    assert shown(render(ANSWER, checked_at=four))[-1] == "Checked on 12 Nov 2026"


def test_many_footnotes_show_their_places_alone() -> None:
    """One line for each place; the quotes are behind the button."""
    sales = tuple(replace(SALE, number=n) for n in range(1, QUOTED_FOOTNOTES + 1))
    faulty = replace(FAULTY, number=QUOTED_FOOTNOTES + 1)
    messages = render(replace(ANSWER, claims=(Claim(FIRST.text, (*sales, faulty)),)))

    assert shown(messages)[2] == (
        "¹,²,³,⁴ Returns policy › Sale items · v3 · since 1 Sep 2026"
        "⁵ Returns policy › Faulty goods · v3 · since 1 Sep 2026 · p. 4"
    )
    assert SALE.quote not in "".join(shown(messages))
    assert SALE.quote in "".join(shown(render(replace(ANSWER, claims=(Claim("", sales),)))))


def test_long_quotes_are_behind_the_button() -> None:
    """A wall of words is no answer."""
    long = replace(SALE, quote="x" * (QUOTED_LIMIT + 1))
    lines = shown(render(replace(ANSWER, claims=(Claim(FIRST.text, (long,)),))))
    assert lines[2] == "¹ Returns policy › Sale items · v3 · since 1 Sep 2026"


def test_addresses_of_known_hosts_are_links_in_the_words() -> None:
    """Those of a source's own host, and of hosts the operator allows; in quotes none is."""
    said = "See https://policies.example.com/form, https://ours.example/a or https://evil.example."
    quoted = replace(SALE, quote=said)
    answer = replace(ANSWER, text=said, claims=(Claim("", (quoted,)),))
    own = "https://policies.example.com/form"

    assert links_in(render(answer)) == [own, SALE.link]
    assert links_in(render(answer, hosts=["ours.example"])) == [
        own,
        "https://ours.example/a",
        SALE.link,
    ]
    assert said.removesuffix(".") in shown(render(answer))[0]


def links_in(messages: tuple[Message, ...]) -> list[str]:
    """The addresses of links, in order."""
    found = leaves([block for message in messages for block in message.blocks])
    return [leaf["url"] for leaf in found if leaf.get("type") == "link"]


def test_a_superseded_answer_is_marked_once() -> None:
    """It keeps its words and its sources, and asks for no opinion any more."""
    post = as_json(render(ANSWER)[0])
    marked_once = superseded(post, NOW)

    assert shown((Message("", tuple(marked_once["blocks"])),)) == [
        "Superseded on 12 Nov 2026, see below.",
        *shown(render(ANSWER)),
    ]
    assert [block["type"] for block in marked_once["blocks"]][-1] == "actions"
    assert superseded(marked_once, NOW + timedelta(days=1)) == marked_once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "",
            "I couldn't finish this (reference 7f3a). Asking again in a minute usually helps.",
            id="no words",
        ),
        pytest.param("The search failed.", "The search failed. (reference 7f3a)", id="words"),
        pytest.param("It broke (7f3a).", "It broke (7f3a).", id="words with the reference"),
    ],
)
def test_an_error_carries_its_reference(text: str, expected: str) -> None:
    """However the error is worded, its reference is there, once."""
    failed = replace(ANSWER, outcome="error", text=text, claims=(), reference="7f3a")

    assert shown(render(failed)) == [expected]


def test_a_failure_and_the_help_are_messages_too() -> None:
    """The texts the bot says on its own pass Slack's checks and show in full."""
    assert "(reference 0badcafe)" in shown(render_failure("0badcafe"))[0]
    assert squeezed("".join(shown(plain(HELP)))) == squeezed(HELP)
    assert not buttons(render_failure("0badcafe")) + buttons(plain(HELP))


@pytest.mark.parametrize(
    ("words", "claims", "expected"),
    [
        pytest.param("One. Two.", (Claim("Two.", (SALE,)),), "One. Two.¹", id="second sentence"),
        pytest.param("Yes, 14 days.", (Claim("14 days", (SALE,)),), "Yes, 14 days.¹", id="stop"),
        pytest.param("A b", (Claim("A", (SALE, FAULTY)),), "A¹,² b", id="two footnotes"),
        pytest.param("Rewritten.", (FIRST, SECOND), "Rewritten.¹,²", id="rewritten claims"),
        pytest.param("Same. Same.", (Claim("Same.", (SALE,)),) * 2, "Same.¹ Same.¹", id="twice"),
        pytest.param("Same.", (Claim("Same.", (SALE,)),) * 2, "Same.¹", id="said once only"),
        pytest.param("Hello.", (Claim("Hello.", ()),), "Hello.", id="no citation"),
    ],
)
def test_marks_follow_the_words_they_prove(
    words: str, claims: tuple[Claim, ...], expected: str
) -> None:
    """A mark stands right behind its claim, or at the end where the claim was reworded."""
    assert marked(replace(ANSWER, text=words, claims=claims)) == expected


def test_an_answer_without_words_shows_its_claims() -> None:
    """Where the text is missing, the claims are the text."""
    assert shown(render(replace(ANSWER, text=" ")))[0].startswith("No. Sale items can be")


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("javascript:alert(1)", id="script"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("https://policies.example.com@evil.example/", id="credentials"),
        pytest.param("https://good.example\\@evil.example/", id="backslash"),
        pytest.param("https://a.example/ <!channel>", id="space"),
        pytest.param("https://a.example/\u202etxt", id="direction override"),
        pytest.param("https://[broken", id="not an address"),
        pytest.param("https:///path", id="no host"),
        pytest.param("https://a.example/" + "x" * 1_000, id="too long"),
        pytest.param("policies/returns.md", id="path"),
        pytest.param("", id="empty"),
        pytest.param(None, id="none"),
    ],
)
def test_only_plain_web_addresses_become_links(address: str | None) -> None:
    """Whatever could mislead or act is shown as words, not as a link."""
    assert web_address(address) is None
    cited = replace(SALE, link=address)
    blocks = render(replace(ANSWER, claims=(Claim(FIRST.text, (cited,)),)))[0].blocks
    assert not [leaf for leaf in leaves(blocks) if leaf.get("type") == "link"]


HOSTILE = [
    "<!channel>",
    "<!here|here>",
    "<@U0ACME0001>",
    "<#C1|general>",
    "<https://evil.example|https://good.example>",
    "https://evil.example/a",
    "&lt;!everyone&gt;",
    "&" * 3_000,
    "*bold* _italic_ ~struck~ `code`",
    "```fence```",
    "> quoted\n1. list\n- list",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    ":rotating_light:",
    "👩‍👩‍👧‍👦" * 700,
    "é" * 50,
    "\u202eסוף\u202c العربية \u2066x",
    "\u0000\u0007\ud800",
    "\n\n\n",
    " " * 3_000,
    "x" * 13_000,
    "word " * 2_600,
]
words = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30)), min_size=0, max_size=4
).map(" ".join)
citations = st.builds(
    Citation,
    number=st.integers(1, 300),
    version_id=st.just(1),
    document=st.just("d"),
    title=words,
    version=st.integers(1, 99),
    section=st.lists(words, max_size=2).map(tuple),
    page=st.none() | st.integers(1, 2_000),
    start=st.just(0),
    end=st.just(1),
    quote=words,
    effective_from=st.datetimes(timezones=st.just(UTC)),
    effective_to=st.none() | st.datetimes(timezones=st.just(UTC)),
    link=st.none() | words | st.just("https://policies.example.com/&&&" + "&" * 900),
)
answers = st.builds(
    Answer,
    id=st.just("1"),
    question=st.just("?"),
    route=st.just("policy"),
    outcome=st.sampled_from(["answered", "refused", "clarifying", "escalated", "error"]),
    text=words,
    claims=st.lists(
        st.builds(Claim, text=words, citations=st.lists(citations, max_size=3).map(tuple)),
        max_size=4,
    ).map(tuple),
    closest=st.none() | citations,
    choices=st.lists(words, max_size=3).map(tuple),
    note=st.none() | words,
    reference=st.none() | st.just("7f3a"),
)


def accept(messages: tuple[Message, ...]) -> None:
    """Hold messages against the checks of the Slack-speaking server, and where one is changed."""
    assert messages
    for message in messages:
        assert message.blocks
        content = {"text": message.text, "blocks": [*message.blocks]}
        check_content(content, text_limit=FALLBACK, in_bytes=True)
        check_content(superseded(content, NOW), text_limit=FALLBACK, in_bytes=True)


@settings(max_examples=150, deadline=None)
@given(answers, st.booleans())
def test_any_answer_becomes_messages_that_slack_takes_and_keeps_its_words(
    answer: Answer, private: bool
) -> None:
    """Within every limit, no word of text, choices or note is lost, nor any short quote."""
    messages = render(answer, private=private, checked_at=NOW, now=NOW)

    accept(messages)
    seen = squeezed("".join(shown(messages)))
    assert unmarked(squeezed(clean(answer.text))) in unmarked(seen)
    if answer.outcome == "error":
        return
    quotes = [citation.quote for citation in answer.citations]
    if len(quotes) <= QUOTED_FOOTNOTES and sum(map(len, quotes)) <= QUOTED_LIMIT:
        assert all(squeezed(clean(quote)) in seen for quote in quotes)
    assert squeezed(clean(answer.note or "")) in seen
    if answer.outcome == "clarifying":
        labels = squeezed("".join(label for label, *_ in buttons(messages)))
        assert all(squeezed(clean(one)) in seen + labels for one in answer.choices)


@settings(max_examples=150, deadline=None)
@given(answers)
def test_nothing_in_an_answer_can_mention_link_or_format(answer: Answer) -> None:
    """Hostile words stay words: literal elements only, links only to the citations' own hosts."""
    own = [web_address(c.link) for c in (*answer.citations, answer.closest) if c]
    for message in render(answer):
        for leaf in leaves([*message.blocks]):
            assert leaf.get("type") not in {"mrkdwn", "markdown", "user", "broadcast", "channel"}
            if leaf.get("type") == "link" and leaf["url"] not in own:
                assert leaf["url"] == leaf["text"]
                assert leaf["url"].startswith("https://policies.example.com/")
            assert leaf.get("type") != "plain_text" or leaf["emoji"] is False
        assert "<" not in message.text
        json.dumps(message.blocks).encode()


MARKDOWN = MarkdownIt("commonmark", {"breaks": True}).enable(["table", "strikethrough"])
LITERAL = {"text", "text_special", "softbreak", "hardbreak"}


def read_back(markdown: str) -> str:
    """What a reader of Markdown makes of it, which must be words in paragraphs alone."""
    tokens = MARKDOWN.parse(markdown)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    parts = [part for token in tokens for part in token.children or ()]
    assert {part.type for part in parts} <= LITERAL
    return "".join(part.content or "\n" for part in parts)


MARKUP = st.text(alphabet="ab1 \n\t*_~`#+-=|>.)(![]<>&\\:@/{}\u00a0", max_size=60)


@settings(max_examples=300, deadline=None)
@given(words | MARKUP)
def test_streamed_words_are_shown_literally(said: str) -> None:
    """Whatever Markdown could make of them, a reader sees the words, and nothing is active."""
    written = literal_markdown(said)

    assert squeezed(read_back(written)).replace(JOINER, "") == squeezed(clean(said)).replace(
        JOINER, ""
    )
    assert "<" not in written
    assert not re.search(r"https?://|\bwww\.\w|[@#:]\w|\w\.[A-Za-z]{2}", written)


def test_a_streamed_answer_carries_its_marks() -> None:
    """And what stands below it is what stands below any answer."""
    words, below = render_markdown_stream(ANSWER), render_below(ANSWER)

    assert read_back(words) == shown(render(ANSWER))[0]
    assert below == render(ANSWER)[0].blocks[1:]
    assert fits_stream(words, below)
    assert not fits_stream(words * 100, below)


@settings(max_examples=80, deadline=None)
@given(answers)
def test_a_stream_that_fits_is_taken(answer: Answer) -> None:
    """Words and blocks together are within what a message holds."""
    words, below = render_markdown_stream(answer), render_below(answer)
    if fits_stream(words, below):
        assert len(below) <= BLOCKS_LIMIT
        check_content({"text": words, "blocks": [*below]}, text_limit=12_000)


@pytest.mark.parametrize("outcome", ["answered", "refused", "clarifying", "escalated", "error"])
def test_three_hundred_footnotes_and_thirteen_thousand_characters_all_arrive(
    outcome: Outcome,
) -> None:
    """A monster of an answer continues in further messages, each footnote's place exactly once."""
    notes = tuple(replace(SALE, number=n, section=(f"Rule {n}",)) for n in range(1, 301))
    claims = tuple(Claim(f"Statement {n.number}.", (n,)) for n in notes)
    text = " ".join(claim.text for claim in claims) + " More words." * 1_000
    messages = render(replace(ANSWER, outcome=outcome, text=text, claims=claims))

    accept(messages)
    assert len(messages) > 1
    assert messages[1].text == f"(continued, 2 of {len(messages)})"
    joined = "\n".join(shown(messages))
    assert joined.count("More words.") == 1_000
    told = outcome != "error"
    for note in notes:
        place = f"{superscript([note.number])} Returns policy › Rule {note.number} · v3"
        assert joined.count(place) == told
