"""The sources of an answer as people see them: quotes in their places, then and now."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render import Message
from bot.sources import (
    BACK,
    COMMAND_POSTS,
    NEXT,
    NOT_FOUND,
    QUOTES_NOTHING,
    Became,
    cite_messages,
    fate,
    looking,
    not_found,
    sources,
    words_on,
)
from store.answers import Answer, Citation, Claim
from store.cited import CitedAnswer, CitedWords
from store.documents import Version
from tests.fakes.slack.checks import check_content, check_view

VIEW_SIZE = 250_000
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SINCE = datetime(2026, 9, 1, tzinfo=UTC)
CHANGED = datetime(2026, 11, 12, tzinfo=UTC)
SALE = "Items bought in a sale can be returned within 14 days of delivery."
OPENING = "This policy is about what customers send back to us."
OLD = f"{OPENING}\n\n{SALE}\n\nFaulty goods are exchanged."
LONGER = SALE.replace("14", "30")


def version(number: int, words: str = OLD, since: datetime = SINCE) -> Version:
    """A version of the returns policy."""
    return Version(
        number, 1, "returns", "Returns policy", number, "0", words, since, None, "Care team", None
    )


def citation(words: str = OLD, quote: str = SALE, number: int = 1) -> Citation:
    """The quote where it stands in version 3."""
    start = words.index(quote)
    return Citation(
        number,
        3,
        "returns",
        "Returns policy",
        3,
        ("Sale items",),
        2,
        start,
        start + len(quote),
        quote,
        SINCE,
        link="https://policies.example.com/returns",
    )


def cited(**changes: Any) -> CitedWords:
    """The quote with its document as it was."""
    words = CitedWords(
        citation=citation(),
        closest=False,
        quoted=version(3),
        watched=True,
        checked_at=NOW - timedelta(minutes=4),
        deleted_at=None,
        current=version(3),
        section=(0, len(OLD)),
    )
    return replace(words, **changes)


def later(words: str) -> CitedWords:
    """The quote, its document having another version since."""
    return cited(current=version(4, words, CHANGED))


def answer(*words: CitedWords, **changes: Any) -> CitedAnswer:
    """An answer of Mara's with these sources."""
    claims = (Claim("Yes.", tuple(one.citation for one in words)),)
    kept = Answer("7f3a09c41b2e", "How long?", "policy", "answered", "Yes.", claims)
    return replace(CitedAnswer(kept, "U0MARA", None, None, words), **changes)


def leaves(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a value, outermost first."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


def shown(blocks: Any) -> list[str]:
    """The words of each block."""
    lines = [
        "".join(str(leaf["text"]) for leaf in leaves(block) if isinstance(leaf.get("text"), str))
        for block in blocks
    ]
    return [line for line in lines if line]


def modal(*words: CitedWords, **changes: Any) -> list[str]:
    """The words of the modal's first page."""
    view = sources(answer(*words, **changes), NOW).modal(0)
    check_view(view)
    return shown(view["blocks"])


@pytest.mark.parametrize(
    ("words", "became"),
    [
        pytest.param(cited(), "current", id="same version"),
        pytest.param(later(OLD + "\n\nMore."), "unchanged", id="says the same"),
        pytest.param(later(OLD.replace(SALE, SALE.upper())), "unchanged", id="typography"),
        pytest.param(later(OLD.replace(SALE, LONGER)), "changed", id="another figure"),
        pytest.param(later(OLD.replace("can be", "cannot be")), "changed", id="turned round"),
        pytest.param(later(OPENING), "gone", id="gone"),
        pytest.param(cited(current=None), "not_in_force", id="out of force"),
        pytest.param(cited(deleted_at=CHANGED), "withdrawn", id="withdrawn"),
    ],
)
def test_what_became_of_a_quote_is_told_exactly(words: CitedWords, became: Became) -> None:
    """A quote stands only as its very words."""
    assert fate(words).became == became


def test_a_source_shows_its_quote_marked_in_its_place() -> None:
    """With where it stands, since when, whose it is, how fresh, and a link to open it."""
    view = sources(answer(cited()), NOW).modal(0)
    check_view(view)

    assert shown(view["blocks"]) == [
        "¹ Returns policy › Sale items",
        f"{OPENING}\n\n{SALE}\n\nFaulty goods are exchanged.",
        "v3 · since 1 Sep 2026 · p. 2 · owner: Care team · checked 4 minutes ago",
        "Open the document",
    ]
    marked = [leaf["text"] for leaf in leaves(view["blocks"][1]) if leaf.get("style")]
    assert marked == [SALE]
    assert [leaf["url"] for leaf in leaves(view) if "url" in leaf] == [citation().link]


def within(before: str, behind: str, *outside: str) -> str:
    """What is shown of a quote with these words before and behind it in its section."""
    above, below = outside or ("", "")
    whole = f"{above}{before}{SALE}{behind}{below}"
    section = (len(above), len(whole) - len(below))
    (_, words, *_) = modal(
        cited(citation=citation(whole), quoted=version(3, whole), section=section)
    )
    return words


def test_only_the_quotes_own_section_is_shown() -> None:
    """Neither the headings around it nor what stands beside it under others."""
    words = within(
        "An item is new.\n\n",
        "\n\nShoes too.",
        f"Returns\n\n{OPENING}\n\nSale items\n\n",
        "\n\nFaulty goods\n\nThey are exchanged.",
    )
    assert words == f"An item is new.\n\n{SALE}\n\nShoes too."
    assert within("", "", "Sale items\n\n", "\n\nFaulty goods") == SALE


def test_only_the_neighbourhood_of_a_quote_is_shown() -> None:
    """Cut where words begin and end, and said to be cut."""
    words = within("before " * 100, " behind" * 100)

    assert words.startswith("… before ")
    assert words.endswith(" behind …")
    assert len(words) < len(SALE) + 420


def test_the_neighbourhood_is_cut_between_sentences_where_there_are_any() -> None:
    """Whole sentences are easier to read."""
    sentence = "Shoes and gloves are taken back in the same way, whatever they cost."
    words = within(f"{sentence}\n" * 9, f" {sentence}" * 9)

    assert words == f"… {sentence}\n{sentence}\n{SALE} {sentence} {sentence} …"


def test_old_words_stand_beside_the_new() -> None:
    """In two columns, with the versions they are from."""
    view = sources(answer(later(OLD.replace(SALE, LONGER))), NOW).modal(0)
    check_view(view)
    (section,) = [block for block in view["blocks"] if block["type"] == "section"]

    assert [field["text"] for field in section["fields"]] == [
        f"Then · v3\n{SALE}",
        f"Now · v4\n{LONGER}",
    ]
    assert {field["type"] for field in section["fields"]} == {"plain_text"}
    assert "These words changed in v4, in force since 12 Nov 2026." in shown(view["blocks"])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (later(OLD + "\n\nMore."), "v4, in force since 12 Nov 2026, says the same."),
        (later(OPENING), "These words are no longer in v4, in force since 12 Nov 2026."),
        (cited(current=None), "No version of this document is in force now."),
        (cited(deleted_at=CHANGED), "This document was withdrawn on 12 Nov 2026."),
    ],
)
def test_what_changed_is_said_in_a_line(words: CitedWords, line: str) -> None:
    """In the modal and where the answer is cited."""
    assert line in modal(words)
    assert line in "\n".join(said(cite_messages(answer(words), own=False)))


def test_what_cannot_be_shown_is_said() -> None:
    """No answer, an answer without sources, one that was superseded, a document that was sent."""
    for view in (looking(), not_found()):
        check_view(view)
    assert shown(not_found()["blocks"]) == [NOT_FOUND]
    assert modal() == [QUOTES_NOTHING]
    assert modal(cited(), superseded_at=CHANGED)[0] == (
        "This answer was superseded on 12 Nov 2026."
    )
    assert modal(cited(watched=False))[2].endswith("received 4 minutes ago")
    assert modal(cited(closest=True))[0] == "Closest: Returns policy › Sale items"


def test_many_sources_are_spread_over_pages() -> None:
    """Each stands on one page, and every page leads to its neighbours."""
    words = [cited(citation=replace(citation(), number=n)) for n in range(1, 301)]
    made = sources(answer(*words), NOW)
    ways = []
    for number in range(len(made.pages)):
        view = made.modal(number, dict.fromkeys(range(300), "F0PICTURE01"))
        check_view(view)
        assert len(json.dumps(view)) <= VIEW_SIZE
        buttons = [leaf for leaf in leaves(view) if leaf.get("type") == "button"]
        ways.append([(b["action_id"], json.loads(b["value"])["page"]) for b in buttons])

    assert [place for page in made.pages for place in page] == list(range(300))
    assert max(map(len, made.pages)) <= 20
    last = len(made.pages) - 1
    assert ways[0] == [(NEXT, 1)]
    assert ways[1] == [(BACK, 0), (NEXT, 2)]
    assert ways[last] == [(BACK, last - 1)]
    assert made.modal(10_000) == made.modal(last)
    assert made.page(-5) == made.pages[0]


def test_a_picture_stands_below_its_source() -> None:
    """By the id of its file in Slack, with words for who does not see it."""
    view = sources(answer(cited(), cited()), NOW).modal(0, {1: "F0PICTURE01"})
    check_view(view)
    images = [block for block in view["blocks"] if block["type"] == "image"]

    assert [image["slack_file"] for image in images] == [{"id": "F0PICTURE01"}]
    assert "Returns policy › Sale items" in images[0]["alt_text"]
    assert view["blocks"].index(images[0]) > len(view["blocks"]) // 2


# --- the message ---------------------------------------------------------------------------


def said(messages: tuple[Message, ...]) -> list[str]:
    """The words of messages, block by block, once Slack has taken them."""
    for message in messages:
        content = {"text": message.text, "blocks": [*message.blocks]}
        check_content(content, text_limit=4_000, in_bytes=True)
    return [line for message in messages for line in shown(message.blocks)]


def test_an_answer_is_cited_with_its_whole_quotes() -> None:
    """The question is repeated only to who asked it."""
    lines = said(cite_messages(answer(cited()), own=True))

    assert lines == [
        "The sources of my answer to “How long?”:",
        f"¹ Returns policy › Sale items · v3 · since 1 Sep 2026 · p. 2 — “{SALE}”",
        "Sources",
    ]
    others = said(cite_messages(answer(cited(), superseded_at=CHANGED), own=False))
    assert others[0] == "The sources of that answer (superseded on 12 Nov 2026):"
    assert said(cite_messages(answer(), own=False)) == [QUOTES_NOTHING]


def test_what_a_quote_became_is_cited_with_it() -> None:
    """The words in force now, behind the old ones."""
    lines = said(cite_messages(answer(later(OLD.replace(SALE, LONGER))), own=False))
    assert lines[2] == f"These words changed in v4, in force since 12 Nov 2026: “{LONGER}”"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        pytest.param(cited(), f" v3 · p. 2 said: “{SALE}”", id="the version quoted"),
        pytest.param(
            cited(current=version(2, OLD.replace(SALE, LONGER))),
            f" v2 said: “{LONGER}”",
            id="another",
        ),
        pytest.param(
            cited(current=version(2, f"Before.\n\n{SALE}")), f" v2 said: “{SALE}”", id="the same"
        ),
        pytest.param(cited(current=version(2, OPENING)), " v2 said nothing of this.", id="none"),
        pytest.param(cited(current=None), " was not in force.", id="not in force"),
        pytest.param(
            cited(deleted_at=CHANGED),
            ": This document was withdrawn on 12 Nov 2026.",
            id="withdrawn",
        ),
    ],
)
def test_an_answer_is_cited_as_of_another_day(words: CitedWords, line: str) -> None:
    """What each document said on that day in the place of its quote."""
    june = datetime(2025, 6, 1, 23, 59, tzinfo=UTC)
    heading, source, _ = said(cite_messages(answer(words), own=False, as_of=june))

    assert heading == "The sources of that answer, as of 1 Jun 2025:"
    assert source == f"¹ On 1 Jun 2025 Returns policy › Sale items{line}"


def test_a_quote_of_two_sentences_is_told_whole() -> None:
    """The one that changed with its other wording, the other as it is."""
    both = f"{SALE} The label is free."
    old = f"{OPENING}\n\n{both}"
    words = cited(
        citation=citation(old, both),
        quoted=version(3, old),
        current=version(2, old.replace(SALE, LONGER)),
    )
    assert words_on(words) == f"{LONGER} The label is free."


def test_more_than_a_command_can_be_answered_with_is_behind_the_button() -> None:
    """Five posts, and the last one leads to the rest."""
    words = [cited(citation=replace(citation(), number=n)) for n in range(1, 301)]
    messages = cite_messages(answer(*words), own=True)

    assert len(messages) == COMMAND_POSTS
    assert said(messages)[-2:] == ["The rest is behind the button.", "Sources"]


SHORT = ["<!channel>", "<@U1>", "https://evil.example", "\u202eסוף", "*b* _i_ ```f```", "\n\n",
         "One. Two.", "&" * 200, "👩‍👩‍👧‍👦" * 30, "word " * 300]  # fmt: skip
LONG = ["&" * 3_000, "👩‍👩‍👧‍👦" * 700, "x" * 13_000, "word " * 2_600]


def hostile(*samples: str) -> st.SearchStrategy[str]:
    """Words that some reader might take for more than words."""
    pieces = st.sampled_from(samples) | st.text(max_size=20)
    return st.lists(pieces, max_size=3).map(" ".join)


def four(words: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """What stands before a quote, the quote, what stands behind it, and a name."""
    return st.tuples(words, words, words, words)


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(st.lists(four(hostile(*SHORT, *LONG)), min_size=1, max_size=6), st.just(False))
    | st.tuples(st.lists(four(hostile(*SHORT)), min_size=1, max_size=4), st.just(True))
)
def test_whatever_documents_say_slack_takes_it(
    made_of: tuple[list[tuple[str, ...]], bool],
) -> None:
    """Within the limits of modals and messages, and nothing can mention, link or format."""
    words = []
    parts, changed = made_of
    for n, (before, quote, behind, name) in enumerate(parts, 1):
        whole = f"{before}{quote}{behind}"
        place = replace(
            citation(),
            number=n,
            start=len(before),
            end=len(before) + len(quote),
            quote=quote,
            title=name,
        )
        old = replace(version(3, whole), owner=name)
        now = version(4, f"{behind} {quote}x{before}") if changed else old
        section = (0, len(whole))
        words.append(cited(citation=place, quoted=old, current=now, section=section))
    made = sources(answer(*words), NOW)
    views = [made.modal(number) for number in range(len(made.pages))]
    for view in views:
        check_view(view)
        assert len(json.dumps(view)) <= VIEW_SIZE
    messages = cite_messages(answer(*words), own=True)
    said(messages)
    for leaf in leaves([views, [message.blocks for message in messages]]):
        assert leaf.get("type") not in {"mrkdwn", "markdown", "user", "broadcast", "channel"}
        assert leaf.get("url", citation().link) == citation().link
    assert all("<" not in message.text for message in messages)
