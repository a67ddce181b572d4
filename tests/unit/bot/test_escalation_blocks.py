"""Questions handed over to people, as both sides see them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks import MESSAGE_LIMIT, size
from bot.escalation_blocks import (
    ANSWERED,
    CLAIM,
    EXAMPLE,
    KEEP,
    RESOLVE,
    Settled,
    answer_view,
    answered_notice,
    claimed_notice,
    example_view,
    handed_over_message,
    note_view,
    read_answer,
    taken_notice,
    took,
    with_state,
)
from bot.escalations import Takers, audience_of, slack_address, told_at
from bot.outgoing import as_json
from bot.render import Message, clean
from graph.state import TakesOver
from store.answers import Answer, Citation, Claim
from store.conversations import Turn
from store.escalations import Escalation
from tests.fakes.slack.checks import check_content, check_view
from tests.fakes.slack.limits import UPDATE_TEXT

ASKED_AT = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
ESCALATION = Escalation(
    id=7,
    workspace_id=1,
    key="T1:C1:1.1",
    conversation_id=None,
    answer_id="a1",
    asker_id="U1ALICE",
    question="Can I return a lamp?",
    reason="upset",
    channel="C1",
    thread_ts="1.1",
    private=False,
    handed_to="CLEADS",
    state="waiting",
    claimed_by=None,
    claimed_at=None,
    resolved_by=None,
    resolved_at=None,
    resolution=None,
    created_at=ASKED_AT,
)
CLAIMED = replace(
    ESCALATION,
    state="claimed",
    claimed_by="U2DANA",
    claimed_at=ASKED_AT + timedelta(minutes=3, seconds=20),
)
RESOLVED = replace(
    CLAIMED,
    state="resolved",
    resolved_by="U3ERIN",
    resolved_at=ASKED_AT + timedelta(hours=2),
    resolution="Yes, within 30 days.",
)
CITATION = Citation(
    1, 7, "returns", "Returns policy", 3, ("Lamps",), None, 0, 9, "30 days", ASKED_AT
)
ANSWER = Answer("a1", "Can I?", "policy", "escalated", "Yes.", (Claim("Yes.", (CITATION,)),))
LINK = "https://acme.slack.com/archives/C1/p11"
MENTION, BROADCAST = "<@U9>", "<!channel>"

hostile = st.text(max_size=3_000) | st.sampled_from(
    [
        "",
        "\x00",
        "<!channel> <@U9> <https://evil.example|here>",
        "&" * 5_000,
        "\u202e" * 9,
        "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 900,
    ]
)
citations = st.builds(
    replace,
    st.just(CITATION),
    title=hostile,
    quote=hostile,
    section=st.lists(hostile, max_size=2).map(tuple),
)
answers = st.builds(
    lambda text, cited: Answer(
        "a1", "Can I?", "policy", "escalated", text, (Claim(text, tuple(cited)),)
    ),
    hostile,
    st.lists(citations, max_size=8),
)
turns = st.lists(st.builds(Turn, st.sampled_from(["asker", "footnote"]), hostile), max_size=5)
escalations = st.builds(
    replace,
    st.sampled_from([ESCALATION, CLAIMED, RESOLVED]),
    question=hostile,
    resolution=st.none() | hostile,
)


def elements(value: Any, kind: str) -> list[dict[str, Any]]:
    """The elements of a kind, however deep."""
    if isinstance(value, list | tuple):
        return [found for item in value for found in elements(item, kind)]
    if not isinstance(value, dict):
        return []
    own = [value] if value.get("type") == kind else []
    return own + [found for item in value.values() for found in elements(item, kind)]


def read(message: Message) -> str:
    """What people read, mentions by their ids."""
    parts = []
    for block in message.blocks:
        for element in elements(block, "text") + elements(block, "plain_text"):
            parts.append(element["text"])
    return "\n".join(parts)


def buttons(message: Message) -> list[str]:
    """The action ids of the buttons."""
    return [button["action_id"] for button in elements(message.blocks, "button")]


def check(message: Message) -> None:
    """Whether Slack would take it, posted or as a change, and reads nothing into it."""
    shown = as_json(message)
    check_content(shown, text_limit=UPDATE_TEXT, in_bytes=True)
    assert sum(map(size, message.blocks)) <= MESSAGE_LIMIT
    assert elements(message.blocks, "mrkdwn") == []
    assert MENTION not in message.text
    assert BROADCAST not in message.text


@settings(max_examples=60, deadline=None)
@given(escalation=escalations, answer=st.none() | answers, history=turns)
def test_it_is_one_message_that_slack_takes(
    escalation: Escalation, answer: Answer | None, history: list[Turn]
) -> None:
    """Whatever was asked, said and quoted: the question, its state and the buttons are there."""
    message = handed_over_message(escalation, answer, history, LINK)

    check(message)
    assert EXAMPLE in buttons(message)
    assert {link["url"] for link in elements(message.blocks, "link")} == {LINK}
    people = {one["user_id"] for one in elements(message.blocks, "user")}
    assert people <= {"U1ALICE", "U2DANA", "U3ERIN"}


def test_it_shows_who_asked_what_and_what_was_said() -> None:
    """The mood, the question, what came before, the answer and its quotes."""
    history = [Turn("asker", f"turn {n}") for n in range(5)]
    message = handed_over_message(ESCALATION, ANSWER, history, LINK)
    shown = read(message)

    assert elements(message.blocks, "user")[0]["user_id"] == "U1ALICE"
    assert "seems upset" in shown
    assert "Can I return a lamp?" in shown
    assert "turn 4" in shown
    assert "turn 1" not in shown
    assert "I said: " in shown
    assert "Returns policy › Lamps (v3): “30 days”" in shown
    assert elements(message.blocks, "date")[0]["timestamp"] == int(ASKED_AT.timestamp())
    assert buttons(message) == [CLAIM, RESOLVE, EXAMPLE]


def test_the_closest_words_of_a_refusal_are_shown() -> None:
    """Whoever takes over sees what came nearest."""
    refused = replace(ANSWER, claims=(), closest=CITATION)

    assert "“30 days”" in read(handed_over_message(ESCALATION, refused))


def test_what_not_everybody_may_read_is_left_out() -> None:
    """Neither the answer, nor its quotes, nor a title stands there; the question does."""
    shown = read(handed_over_message(ESCALATION, None))

    assert "Can I return a lamp?" in shown
    assert "not everybody in this channel may read" in shown
    assert "Returns policy" not in shown


def test_many_quotes_are_counted() -> None:
    """Five are shown."""
    cited = tuple(replace(CITATION, number=n, quote=f"quote {n}") for n in range(1, 9))
    shown = read(handed_over_message(ESCALATION, replace(ANSWER, claims=(Claim("Yes.", cited),))))

    assert "quote 5" in shown
    assert "quote 6" not in shown
    assert "… and 3 more." in shown


@pytest.mark.parametrize(
    ("escalation", "says", "who", "offers"),
    [
        (ESCALATION, "Nobody has claimed", [], [CLAIM, RESOLVE, EXAMPLE]),
        (CLAIMED, ", 3 minutes after it was asked.", ["U2DANA"], [RESOLVE, EXAMPLE]),
        (RESOLVED, ", 2 hours after it was asked.", ["U3ERIN"], [EXAMPLE]),
    ],
)
def test_a_message_changes_with_its_question(
    escalation: Escalation, says: str, who: list[str], offers: list[str]
) -> None:
    """Only how far it is and the buttons change; the rest stays as it was posted."""
    posted = as_json(handed_over_message(ESCALATION, ANSWER, (), LINK))
    changed = with_state(with_state(posted, CLAIMED), escalation)
    message = Message(changed["text"], tuple(changed["blocks"]))

    check(message)
    assert says in read(message)
    assert [one["user_id"] for one in elements(message.blocks, "user")] == ["U1ALICE", *who]
    assert buttons(message) == offers
    assert "“30 days”" in read(message)
    if escalation is RESOLVED:
        assert "Yes, within 30 days." in read(message)


def test_a_message_whose_words_were_forgotten_still_tells_its_state() -> None:
    """The question as it is now, and no more."""
    changed = with_state({}, replace(CLAIMED, question="(gone)"))
    message = Message(changed["text"], tuple(changed["blocks"]))

    check(message)
    assert "(gone)" in read(message)
    assert buttons(message) == [RESOLVE, EXAMPLE]


def test_who_was_forgotten_is_no_mention() -> None:
    """Words in place of a person stay words."""
    changed = with_state({}, replace(CLAIMED, claimed_by="a person"))

    assert "a person" in json.dumps(changed)
    assert [one["user_id"] for one in elements(changed, "user")] == ["U1ALICE"]


@settings(max_examples=40, deadline=None)
@given(words=hostile)
def test_a_person_s_answer_is_shown_literally(words: str) -> None:
    """In their name, whole, and without a mention or link that they did not mean."""
    notices = answered_notice("U2DANA", words)

    for notice in notices:
        check(notice)
    assert elements(notices[0].blocks, "user") == [{"type": "user", "user_id": "U2DANA"}]
    shown = "".join(read(notice) for notice in notices)
    assert "".join(clean(words).split()) in "".join(shown.split())


def test_notices_say_who() -> None:
    """To the asker that somebody looks at it; to who comes late that it is taken."""
    assert elements(claimed_notice("U2DANA").blocks, "user")[0]["user_id"] == "U2DANA"
    assert elements(taken_notice(CLAIMED).blocks, "user")[0]["user_id"] == "U2DANA"
    assert "claimed this already" in read(taken_notice(CLAIMED))
    assert elements(taken_notice(RESOLVED).blocks, "user")[0]["user_id"] == "U3ERIN"
    assert "resolved this already" in read(taken_notice(RESOLVED))


@settings(max_examples=40, deadline=None)
@given(escalation=escalations, keep=st.booleans(), question=hostile, answer=hostile)
def test_forms_are_ones_that_slack_takes(
    escalation: Escalation, keep: bool, question: str, answer: str
) -> None:
    """Whatever stands in them first."""
    check_view(answer_view(escalation, keep=keep))
    check_view(example_view(question, answer, "{}"))
    check_view(note_view("Use as example", "Only curators can."))


def filled(**values: Any) -> dict[str, Any]:
    """A submitted form about question 7."""
    fields = {name: {name: value} for name, value in values.items()}
    return {"view": {"private_metadata": "7", "state": {"values": fields}}}


def test_what_was_filled_in_is_read() -> None:
    """The answer, blank as none, and whether the box is ticked."""
    ticked = {"selected_options": [{"value": KEEP}]}

    assert read_answer(filled(answered={"value": " Yes. "}, keep=ticked)) == Settled(
        7, "Yes.", keep=True
    )
    assert read_answer(filled(answered={"value": None}, keep={})) == Settled(7, None, keep=False)
    assert read_answer({"view": {"private_metadata": "x", "state": {"values": {}}}}) is None
    assert ANSWERED in {b.get("block_id") for b in answer_view(ESCALATION)["blocks"]}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-5, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (7_300, "2 hours"),
        (86_400, "1 day"),
        (200_000, "2 days"),
    ],
)
def test_time_is_told_as_people_do(seconds: float, told: str) -> None:
    """In the largest unit that fits."""
    assert took(seconds) == told


@pytest.mark.parametrize(
    ("channel", "private", "place"),
    [
        pytest.param("C1", False, ("C1", "1.1"), id="in the thread"),
        pytest.param("D1", True, ("D1", "1.1"), id="in the direct message's thread"),
        pytest.param("C1", True, ("U1ALICE", None), id="in private, where others are around"),
    ],
)
def test_an_asker_is_told_where_only_the_right_people_see_it(
    channel: str, private: bool, place: tuple[str, str | None]
) -> None:
    """A private question is never answered in front of a channel."""
    assert told_at(replace(ESCALATION, channel=channel, private=private)) == place


def test_a_kept_exchange_is_for_those_who_saw_it() -> None:
    """Everybody for a public thread, else the people who took it over."""
    assert audience_of(ESCALATION, public=True) == ("everyone",)
    assert audience_of(ESCALATION, public=False) == ("channel:CLEADS",)
    assert audience_of(replace(ESCALATION, private=True), public=True) == ("channel:CLEADS",)


def test_askers_are_told_who_and_where() -> None:
    """Where they asked, or in private."""
    leads = Takers("CLEADS", "#leads", frozenset({"everyone"}))

    assert leads.told(elsewhere=False) == TakesOver("#leads", "here")
    assert leads.told(elsewhere=True) == TakesOver("#leads", "in a direct message")


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://acme.slack.com/archives/C1/p1", True),
        ("https://slack.com.evil.example/archives", False),
        ("https://evilslack.com/x", False),
        ("http://acme.slack.com/archives", False),
        ("https://acme.slack.com@evil.example/", False),
        ("", False),
    ],
)
def test_only_slack_s_own_addresses_become_the_link(address: str, ours: bool) -> None:
    """Whatever an API says."""
    assert slack_address(address) == (address if ours else None)
