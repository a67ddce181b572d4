"""Rendering: what people see of an answer in Slack, and that no input can break or abuse it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render import (
    HELP,
    Message,
    clean,
    plain,
    render,
    render_failure,
    web_address,
)
from graph.footnotes import marked, superscript
from store.answers import Answer, Citation, Claim, Outcome
from tests.fakes.slack.checks import check_content

FALLBACK = 40_000  # characters Slack takes as a message's text
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
    """The words of each block, as a person reads them."""
    return [
        "".join(str(leaf["text"]) for leaf in leaves(block) if isinstance(leaf.get("text"), str))
        for message in messages
        for block in message.blocks
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

    assert message.blocks[-1]["type"] == "context"
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
        "“After the return period we exchange faulty items only.”.",
    ]


def test_a_clarifying_question_lists_its_choices() -> None:
    """The choices are bullets under the question."""
    unclear = replace(
        ANSWER,
        outcome="clarifying",
        route="clarify",
        text="Do you mean annual leave or parental leave?",
        claims=(),
        choices=("Annual leave", "Parental leave"),
    )
    (message,) = render(unclear)

    assert message.blocks[1]["elements"][0]["style"] == "bullet"
    assert shown((message,)) == [unclear.text, "Annual leaveParental leave"]


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
    """Hold messages against the checks of the Slack-speaking server."""
    assert messages
    for message in messages:
        assert message.blocks
        check_content({"text": message.text, "blocks": [*message.blocks]}, text_limit=FALLBACK)


@settings(max_examples=150, deadline=None)
@given(answers)
def test_any_answer_becomes_messages_that_slack_takes_and_keeps_its_words(answer: Answer) -> None:
    """Within every limit, no word of text, quotes, choices or note is lost, whatever they hold."""
    messages = render(answer)

    accept(messages)
    seen = squeezed("".join(shown(messages)))
    for citation in answer.citations:
        assert squeezed(clean(citation.quote)) in seen
    for said in (*answer.choices, answer.note or ""):
        assert squeezed(clean(said)) in seen
    assert unmarked(squeezed(clean(answer.text))) in unmarked(seen)


@settings(max_examples=150, deadline=None)
@given(answers)
def test_nothing_in_an_answer_can_mention_link_or_format(answer: Answer) -> None:
    """Hostile words stay words: literal elements only, links only to the citations' own."""
    allowed = {web_address(c.link) for c in (*answer.citations, answer.closest) if c}
    for message in render(answer):
        for leaf in leaves([*message.blocks]):
            assert leaf.get("type") not in {"mrkdwn", "markdown", "user", "broadcast", "channel"}
            assert leaf.get("type") != "link" or leaf["url"] in allowed
            assert leaf.get("type") != "plain_text" or leaf["emoji"] is False
        assert "<" not in message.text
        json.dumps(message.blocks).encode()


@pytest.mark.parametrize("outcome", ["answered", "refused", "clarifying", "escalated", "error"])
def test_three_hundred_footnotes_and_thirteen_thousand_characters_all_arrive(
    outcome: Outcome,
) -> None:
    """A monster of an answer continues in further messages, each footnote exactly once."""
    notes = tuple(replace(SALE, number=n, quote=f"Rule {n} holds.") for n in range(1, 301))
    claims = tuple(Claim(f"Statement {n.number}.", (n,)) for n in notes)
    text = " ".join(claim.text for claim in claims) + " More words." * 1_000
    messages = render(replace(ANSWER, outcome=outcome, text=text, claims=claims))

    accept(messages)
    assert len(messages) > 2
    assert messages[1].text == f"(continued, 2 of {len(messages)})"
    joined = "\n".join(shown(messages))
    footnotes = [line for line in joined.splitlines() if "“Rule" in line]
    assert [line.split()[0] for line in footnotes] == [superscript([n.number]) for n in notes]
    assert joined.count("More words.") == 1_000
