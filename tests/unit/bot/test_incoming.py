"""Which of the things Slack sends are questions, and what they say."""

from typing import Any

import pytest

from bot.incoming import (
    FILES_LIMIT,
    NAMELESS,
    Incoming,
    Shared,
    files_of,
    from_event,
    home_team,
    is_direct,
    spoken,
)

BOT = "U0FOOTNOTE"


def body(**event: Any) -> dict[str, Any]:
    """An event's body as Slack sends it, with some fields of the event changed."""
    inner = {"type": "message", "user": "U1", "text": "hi", "ts": "1.5", "channel": "C1"}
    return {"team_id": "T1", "event_id": "Ev1", "event": inner | event}


def test_an_event_becomes_a_question() -> None:
    """Everything needed to answer and to recognise the message again is kept."""
    assert from_event(body(text="sale?"), BOT, private=False) == Incoming(
        team="T1", channel="C1", ts="1.5", user="U1", text="sale?", event_id="Ev1"
    )


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"bot_id": "B1"}, id="a bot"),
        pytest.param({"user": BOT}, id="the bot itself"),
        pytest.param({"user": None}, id="nobody"),
        pytest.param({"edited": {"user": "U1", "ts": "2.0"}}, id="edited"),
        pytest.param({"hidden": True}, id="hidden"),
        pytest.param({"subtype": "message_changed"}, id="a change"),
        pytest.param({"subtype": "message_deleted"}, id="a deletion"),
        pytest.param({"subtype": "channel_join"}, id="a notice"),
        pytest.param({"ts": None}, id="no time"),
        pytest.param({"channel": ""}, id="no place"),
    ],
)
def test_what_nobody_newly_said_is_no_question(event: dict[str, Any]) -> None:
    """Bots, edits, deletions, notices and malformed events are passed over."""
    assert from_event(body(**event), BOT, private=True) is None
    assert from_event({"type": "event_callback"}, BOT, private=True) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_words_with_a_file_or_sent_to_the_channel_too_are_questions(subtype: str) -> None:
    """Some subtypes are still a person's own new words."""
    assert from_event(body(subtype=subtype), BOT, private=True) is not None


def test_a_thread_is_a_conversation_and_a_command_is_none() -> None:
    """Replies go to the thread of the question, or open one on it; a command has none."""
    alone = Incoming("T1", "C1", "1.5", "U1", "hi", "Ev1")
    within = Incoming("T1", "C1", "2.5", "U1", "hi", "Ev2", thread_ts="1.5")
    command = Incoming("T1", "C1", "cite-9", "U1", "hi", "", private=True, command=True)

    assert (alone.thread, within.thread) == ("1.5", "1.5")
    assert alone.conversation == within.conversation == "slack:T1:C1:1.5"
    assert command.conversation is None
    assert (alone.event_key, within.event_key) == ("T1:C1:1.5", "T1:C1:2.5")


def test_the_team_is_the_one_the_app_is_installed_in() -> None:
    """In a channel shared with another organisation the sender's team does not count."""
    shared = body() | {"team_id": "T2", "authorizations": [{"team_id": "T1"}]}

    assert home_team(shared) == "T1"
    assert home_team(body()) == "T1"
    assert home_team({}) == ""


def test_files_come_along_with_a_message() -> None:
    """Each once and by a printable name; of one of another organisation only the id is told."""
    files = [
        {"id": "F1", "name": "plan\x00\n.pdf", "mode": "hosted"},
        {"id": "F1", "name": "plan.pdf", "mode": "hosted"},
        {"id": "F2", "mode": "file_access", "file_access": "check_file_info"},
        {},
    ]
    assert files_of({"files": files}) == (
        Shared("F1", "plan.pdf", "hosted"),
        Shared("F2", NAMELESS, "file_access"),
    )
    assert files_of({}) == ()
    assert len(files_of({"files": [{"id": f"F{n}"} for n in range(50)]})) == FILES_LIMIT


@pytest.mark.parametrize(
    ("event", "direct"),
    [
        pytest.param({"channel_type": "im", "channel": "D1"}, True, id="direct message"),
        pytest.param({"channel_type": "channel", "channel": "C1"}, False, id="channel"),
        pytest.param({"channel_type": "mpim", "channel": "G1"}, False, id="group message"),
        pytest.param({"channel": "D1"}, True, id="mention in a direct message"),
        pytest.param({"channel": "C1"}, False, id="mention in a channel"),
    ],
)
def test_only_messages_between_two_are_direct(event: dict[str, Any], direct: bool) -> None:
    """A group's messages are seen by others and so are not private."""
    assert is_direct(body(**event)) is direct


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(f"<@{BOT}> sale?", "sale?", id="mention first"),
        pytest.param(f"<@{BOT}|footnote>: sale?", "sale?", id="mention with a name and a colon"),
        pytest.param(f"sale, <@{BOT}>?", "sale, ?", id="mention last"),
        pytest.param(f"<@{BOT}>", "", id="mention alone"),
        pytest.param("ask <@U2|bob> or <@U3>", "ask @bob or @U3", id="people"),
        pytest.param("in <#C2|help> or <#C3>", "in #help or #C3", id="channels"),
        pytest.param("<!here> <!subteam^S1|@legal>", "@here @legal", id="groups"),
        pytest.param("by <!date^1^{date}|1 May>", "by 1 May", id="date"),
        pytest.param("<https://a.b|this> <mailto:x@a.b>", "this x@a.b", id="links"),
        pytest.param("1 &lt; 2 &amp;amp; &gt;", "1 < 2 &amp; >", id="escapes, once"),
        pytest.param("a  b\n\n c ", "a b\n\nc", id="white space"),
    ],
)
def test_markup_becomes_the_words_people_see(text: str, words: str) -> None:
    """Slack's markup and escapes are undone, and the bot's own mention is left out."""
    assert spoken(text, BOT) == words
