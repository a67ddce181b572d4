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


def edit(text: str, before: str = "hi", **message: Any) -> dict[str, Any]:
    """What tells of an edit, with some fields of the message changed."""
    said = {"type": "message", "user": "U1", "text": text, "ts": "1.5"}
    return body(
        subtype="message_changed",
        hidden=True,
        user=None,
        text=None,
        ts="9.5",
        event_ts="9.5",
        message=said | {"edited": {"user": "U1", "ts": "9.0"}} | message,
        previous_message=said | {"text": before},
    )


def test_an_event_becomes_a_question() -> None:
    """Everything needed to answer and to recognise the message again is kept."""
    direct = body(text="sale?", channel="D1", channel_type="im", thread_ts="1.1")
    assert from_event(direct, BOT) == Incoming(
        team="T1",
        channel="D1",
        ts="1.5",
        user="U1",
        text="sale?",
        event_id="Ev1",
        thread_ts="1.1",
        private=True,
    )


@pytest.mark.parametrize("channel_type", ["channel", "group", "mpim"])
@pytest.mark.parametrize(
    ("event", "addressed"),
    [
        pytest.param({"text": f"<@{BOT}> sale?"}, True, id="named"),
        pytest.param({"text": f"<@{BOT}|footnote> and <@U2>: sale?"}, True, id="among others"),
        pytest.param({"text": "sale?", "type": "app_mention"}, True, id="mention"),
        pytest.param({"text": "sale?"}, False, id="nobody named"),
        pytest.param({"text": "<!here> sale?"}, False, id="everybody"),
    ],
)
def test_where_others_read_along_the_bot_is_spoken_to_by_its_name(
    event: dict[str, Any], addressed: bool, channel_type: str
) -> None:
    """What names nobody may still be for it, where it takes part; the store knows that."""
    incoming = from_event(body(**event, channel_type=channel_type), BOT)

    assert incoming is not None
    assert (incoming.addressed, incoming.private) == (addressed, False)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"text": "<@U2> do you know?"}, id="another person"),
        pytest.param({"text": f"<@{BOT}2> sale?"}, id="whose id begins alike"),
        pytest.param({"text": "<@U2> sale?", "type": "app_mention"}, id="another team's bot"),
        pytest.param({"text": "see this", "files": [{"id": "F1"}]}, id="a file for all"),
    ],
)
def test_what_people_say_to_each_other_is_not_for_the_bot(event: dict[str, Any]) -> None:
    """In a channel; in a direct message there is nobody else to say it to."""
    assert from_event(body(**event), BOT) is None
    assert from_event(body(**event, channel="D1"), BOT) is not None


@pytest.mark.parametrize("said", [":+1:", "great!", "\N{PARTY POPPER}", "got it"])
def test_a_remark_is_for_the_bot_only_where_it_is_spoken_to(said: str) -> None:
    """A thumb in a thread of people gets no answer; a yes may be one to an offer."""
    in_thread = {"channel": "C1", "channel_type": "channel", "thread_ts": "1.1"}
    assert from_event(body(text=said, **in_thread), BOT) is None
    for spoken_to in (
        body(text=f"<@{BOT}> {said}", **in_thread),
        body(text=said, channel="D1", channel_type="im"),
        body(text="yes please", **in_thread),
        body(text=f"{said} And hats?", **in_thread),
    ):
        assert from_event(spoken_to, BOT) is not None


@pytest.mark.parametrize("said", ["help", "Help!", "help me please"])
def test_help_alone_asks_for_help(said: str) -> None:
    """As the bare mention does; with more words it is a question."""
    direct = {"channel": "D1", "channel_type": "im"}
    asked, question = (
        from_event(body(text=text, **direct), BOT) for text in (said, f"{said} with returns")
    )
    assert asked is not None
    assert question is not None
    assert asked.text == ""
    assert question.text == f"{said} with returns"


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
        pytest.param({"subtype": "bot_message"}, id="a webhook"),
        pytest.param({"ts": None}, id="no time"),
        pytest.param({"channel": ""}, id="no place"),
    ],
)
def test_what_nobody_newly_said_is_no_question(event: dict[str, Any]) -> None:
    """Bots, edits, deletions, notices and malformed events are passed over everywhere."""
    for place in ({"channel": "D1"}, {"channel": "C1", "text": f"<@{BOT}> sale?"}):
        assert from_event(body(**{**place, **event}), BOT) is None
    assert from_event({"type": "event_callback"}, BOT) is None


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_words_with_a_file_or_sent_to_the_channel_too_are_questions(subtype: str) -> None:
    """Some subtypes are still a person's own new words."""
    files = [{"id": "F1", "name": "a.md", "mode": "hosted"}]
    incoming = from_event(body(subtype=subtype, text=f"<@{BOT}> look", files=files), BOT)

    assert incoming is not None
    assert (incoming.kind, incoming.text) == ("question", "look")
    assert incoming.files == (Shared("F1", "a.md", "hosted"),)


def test_a_channel_of_several_organisations_is_known_as_such() -> None:
    """The event itself says so."""
    incoming = from_event(body(text="sale?") | {"is_ext_shared_channel": True}, BOT)
    assert incoming is not None
    assert incoming.shared


def test_an_edit_is_about_its_message_and_has_a_time_of_its_own() -> None:
    """Two edits within a second are two: only the event's own ts tells them apart."""
    incoming = from_event(edit("sale items?"), BOT)

    assert incoming == Incoming(
        team="T1",
        channel="C1",
        ts="1.5",
        user="U1",
        text="sale items?",
        event_id="Ev1",
        addressed=False,
        kind="edit",
        changed_ts="9.5",
    )
    arrival = incoming.arrival(7)
    assert (arrival.key, arrival.message_key) == ("T1:C1:1.5:9.5", "T1:C1:1.5")


@pytest.mark.parametrize(
    ("now", "before", "added"),
    [
        pytest.param(f"<@{BOT}> sale?", "sale?", True, id="added"),
        pytest.param(f"<@{BOT}|footnote> sale?", "sale?", True, id="added with a name"),
        pytest.param(f"<@{BOT}> sale?", f"<@{BOT}> sail?", False, id="there before"),
        pytest.param("sale?", f"<@{BOT}> sale?", False, id="taken out"),
        pytest.param(f"<@{BOT}> sale?", f"<@{BOT}2> sale?", True, id="in place of another"),
    ],
)
def test_an_edit_may_name_the_bot_first(now: str, before: str, added: bool) -> None:
    """Only then is it said to the bot: what was a question already is known."""
    incoming = from_event(edit(now, before), BOT)
    assert incoming is not None
    assert incoming.addressed is added


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(edit("hi"), id="a preview"),
        pytest.param(edit("new", bot_id="B1"), id="of a bot"),
        pytest.param(edit("new", user=BOT), id="of the bot itself"),
        pytest.param(edit("new", subtype="channel_topic"), id="of a notice"),
        pytest.param(edit("<@U2> new"), id="to somebody else"),
        pytest.param(edit("new", ts=None), id="of nothing"),
    ],
)
def test_what_changes_no_words_of_a_person_is_no_edit(event: dict[str, Any]) -> None:
    """Slack tells of previews, of replies and of the bot's own changes in the same way."""
    assert from_event(event, BOT) is None


def test_a_deletion_names_its_message() -> None:
    """It says nothing, and is asked by nobody."""
    before = {"user": "U1", "text": "hi", "ts": "1.5", "thread_ts": "1.1"}
    deleted = {"deleted_ts": "1.5", "previous_message": before, "event_ts": "9.5"}
    incoming = from_event(body(subtype="message_deleted", hidden=True, **deleted), BOT)

    assert incoming == Incoming(
        team="T1",
        channel="C1",
        ts="1.5",
        user="U1",
        text="",
        event_id="Ev1",
        thread_ts="1.1",
        addressed=False,
        kind="deletion",
        changed_ts="9.5",
    )


def test_a_message_with_replies_is_deleted_as_a_tombstone() -> None:
    """Slack keeps its place for the thread below it, and calls that a change."""
    gone = edit("This message was deleted.", subtype="tombstone", user="USLACKBOT")
    incoming = from_event(gone, BOT)

    assert incoming is not None
    assert (incoming.kind, incoming.ts, incoming.text) == ("deletion", "1.5", "")


@pytest.mark.parametrize(
    "before",
    [{"user": "U1", "bot_id": "B1"}, {"user": BOT}],
    ids=["of a bot", "of the bot itself"],
)
def test_what_bots_delete_is_no_deletion(before: dict[str, Any]) -> None:
    """The bot deletes its own messages; nothing follows from that."""
    deleted = {"deleted_ts": "1.5", "previous_message": before, "event_ts": "9.5"}
    assert from_event(body(subtype="message_deleted", **deleted), BOT) is None


def test_a_thread_is_a_conversation_and_a_command_is_none() -> None:
    """Replies go to the thread of the question, or open one on it; a command has none."""
    alone = Incoming("T1", "C1", "1.5", "U1", "hi", "Ev1")
    within = Incoming("T1", "C1", "2.5", "U1", "hi", "Ev2", thread_ts="1.5")
    command = Incoming("T1", "C1", "cite-9", "U1", "hi", "", private=True, command=True)

    assert (alone.thread, within.thread) == ("1.5", "1.5")
    assert alone.conversation == within.conversation == "slack:T1:C1:1.5"
    assert command.conversation is None
    assert (alone.arrival(7).key, within.arrival(7).key) == ("T1:C1:1.5", "T1:C1:2.5")


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
        pytest.param("a\x00b \ud83d!", "ab !", id="what no database keeps"),
    ],
)
def test_markup_becomes_the_words_people_see(text: str, words: str) -> None:
    """Slack's markup and escapes are undone, and the bot's own mention is left out."""
    assert spoken(text, BOT) == words
