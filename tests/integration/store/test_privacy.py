"""What is kept of people's words goes: with a message, with a person, by age."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, text

from store import tables
from store.access import Member
from store.audit import read_audit, record
from store.conversations import read_turns, serialised
from store.events import GONE, Arrival, accept, end_event, forget_message, question_of
from store.members import find_member, save_member, set_roles
from store.posts import NewPost, add_post, posts_of_message
from store.privacy import forget_old, forget_person, kept_about
from store.usage import Limits, count_message
from tests.integration.store.asked import age, ask, found
from tests.integration.store.shelf import Shelf

MINE, THEIRS = "Xylophon", "Ukulele"  # words that no other row has
WORDS_KEPT = {
    "answers": 2,
    "claims": 2,
    "escalations": 1,
    "events": 1,
    "feedback": 1,
    "posts": 4,
    "transcripts": 3,
    "turns": 2,
}


@pytest.fixture
def shelf(engine: Engine, workspace_id: int) -> Shelf:
    """A workspace in a database of the test's own: what ages is looked for in all of them."""
    return Shelf(engine, workspace_id)


def test_what_is_looked_for_is_kept_at_first(shelf: Shelf) -> None:
    """The words of a question stand in all these rows, so that the tests below mean something."""
    ask(shelf, MINE)
    assert found(shelf.engine, MINE) == WORDS_KEPT


# --- a message -----------------------------------------------------------------------------


def test_a_deleted_message_leaves_memory_feedback_and_candidates(shelf: Shelf) -> None:
    """Nothing holds its words but what people approved, and the note that only its asker saw."""
    gone = ask(shelf, MINE)
    ask(shelf, THEIRS, ts="17.9")
    with shelf.engine.begin() as connection:
        forgotten = forget_message(connection, shelf.workspace_id, gone.message_key)

    assert gone.answer_id in forgotten
    assert len(forgotten) == 2  # the correction too
    assert found(shelf.engine, MINE) == {"posts": 1, "transcripts": 1}
    assert found(shelf.engine, THEIRS) == WORDS_KEPT
    assert read_turns(shelf.engine, gone.conversation_id) == ()
    with shelf.engine.connect() as connection:
        kept = connection.execute(select(tables.transcripts.c.state)).scalars().all()
        # A late delivery is known, and the reply can still be taken from Slack.
        assert question_of(connection, shelf.workspace_id, gone.message_key) is not None
        (reply,) = posts_of_message(connection, shelf.workspace_id, gone.message_key)
    assert sorted(kept) == ["approved", "approved", "candidate", "candidate"]
    assert (reply.state, reply.message, reply.ts is None) == ("posted", {}, False)


def test_a_hand_over_that_waits_stays_without_the_words(shelf: Shelf) -> None:
    """Somebody may have taken it: it can be resolved, but what was asked is gone."""
    gone = ask(shelf, MINE, settled=False)
    with shelf.engine.begin() as connection:
        forget_message(connection, shelf.workspace_id, gone.message_key)
        row = connection.execute(select(tables.escalations)).one()
    assert (row.id, row.state, row.question) == (gone.escalation_id, "waiting", GONE)


def test_an_edit_that_waits_keeps_its_own_words(shelf: Shelf) -> None:
    """What was said before is forgotten while the new words are being answered."""
    asked = ask(shelf, MINE)
    edit = accept(
        shelf.engine,
        Arrival(
            shelf.workspace_id,
            "edit",
            f"{asked.message_key}:18.0",
            asked.message_key,
            "T1",
            "C1",
            "18.0",
            "U1",
            THEIRS,
        ),
    )
    with shelf.engine.begin() as connection:
        forget_message(connection, shelf.workspace_id, asked.message_key)
    assert edit is not None
    assert found(shelf.engine, THEIRS) == {"events": 1}
    assert "events" not in found(shelf.engine, MINE)


def test_a_message_of_the_same_name_elsewhere_is_another(shelf: Shelf) -> None:
    """Another workspace's message stays."""
    asked = ask(shelf, MINE)
    with shelf.engine.begin() as connection:
        assert forget_message(connection, shelf.workspace_id + 1, asked.message_key) == []
    assert found(shelf.engine, MINE) == WORDS_KEPT


# --- a person ------------------------------------------------------------------------------


def test_what_is_kept_about_a_person_is_counted(shelf: Shelf) -> None:
    """Every kind with its number and its days; of somebody unknown there is nothing."""
    ask(shelf, MINE, "U1")
    save_member(shelf.engine, shelf.workspace_id, Member("U1", "guest", frozenset({"group:G"})))
    set_roles(shelf.engine, shelf.workspace_id, "U1", ["knowledge_admin"], "terminal")
    kept = kept_about(shelf.engine, shelf.workspace_id, "U1")

    assert {kind.name: kind.count for kind in kept.kinds} == {
        "messages": 1,
        "questions": 2,
        "handovers": 1,
        "candidates": 2,
        "transcripts": 1,
        "acts": 1,
    }
    assert kept.kinds[0].name == "messages"
    assert all(kind.since == kind.until is not None or kind.count > 1 for kind in kept.kinds)
    assert (kept.standing, kept.roles) == ("guest", ("knowledge_admin",))
    assert kept.principals == ("group:G",)
    assert kept_about(shelf.engine, shelf.workspace_id, "U77").nothing
    other = kept_about(shelf.engine, shelf.workspace_id, "U9")
    assert [(kind.name, kind.count) for kind in other.kinds] == [("feedback", 1)]


def test_a_person_is_forgotten_and_nobody_else(shelf: Shelf) -> None:
    """No row holds their words or their id any more; the neighbour keeps everything."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    ask(shelf, MINE, "UMINE")
    ask(shelf, THEIRS, "UTHEIRS", ts="17.9")
    save_member(engine, workspace_id, Member("UMINE", "member"))
    set_roles(engine, workspace_id, "UMINE", ["knowledge_admin"], "UADMIN")
    forgotten = forget_person(engine, workspace_id, "UMINE")

    assert forgotten.counts == {
        "messages": 1,
        "questions": 2,
        "feedback": 0,
        "handovers": 1,
        "taken over": 0,
        "candidates": 2,
        "transcripts": 1,
        "acts": 1,
    }
    assert forgotten.roles == ("knowledge_admin",)
    assert found(engine, MINE) == {}
    assert found(engine, "UMINE") == {}
    assert found(engine, THEIRS) == WORDS_KEPT
    assert find_member(engine, workspace_id, "UMINE") is None
    assert kept_about(engine, workspace_id, "UMINE").nothing
    assert forget_person(engine, workspace_id, "UMINE").nothing


def test_what_a_forgotten_person_did_stays_without_their_name(shelf: Shelf) -> None:
    """The log says "a person", as actor, as subject and wherever a detail names them."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    with engine.begin() as connection:
        record(connection, workspace_id, "UMINE", "document deleted", "returns")
        record(connection, workspace_id, "UADMIN", "roles changed", "UMINE", roles=[])
        record(connection, workspace_id, "UADMIN", "channel set", "C1", who=["UMINE", "UMINE2"])
    ask(shelf, THEIRS, "U1")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE escalations SET claimed_by = 'UMINE', resolved_by = 'UMINE'")
        )
        connection.execute(text("UPDATE feedback SET user_id = 'UMINE'"))
        add_post(
            connection,
            workspace_id,
            NewPost("claimed:1", "notice", "C1", {"blocks": [{"user_id": "UMINE"}]}),
        )
        connection.execute(text("UPDATE posts SET state = 'posted'"))
        connection.execute(text("UPDATE transcripts SET added_by = 'UMINE'"))
        connection.execute(text("UPDATE document_versions SET author = 'UMINE'"))
    forgotten = forget_person(engine, workspace_id, "UMINE")

    assert (forgotten.counts["taken over"], forgotten.counts["feedback"]) == (1, 1)
    assert forgotten.counts["candidates"] == 1  # what they said the answer should have been
    assert list(found(engine, '"UMINE"')) == []
    entries = [
        (entry.actor, entry.subject, entry.detail) for entry in read_audit(engine, workspace_id)
    ]
    assert entries == [
        ("a person", "a person", {}),  # that they were forgotten
        ("UADMIN", "C1", {"who": ["a person", "UMINE2"]}),
        ("UADMIN", "a person", {"roles": []}),
        ("a person", "returns", {}),
    ]
    with engine.connect() as connection:
        row = connection.execute(select(tables.escalations)).one()
    # What they wrote goes with their name; the question is somebody else's.
    assert (row.claimed_by, row.resolved_by, row.resolution) == ("a person", "a person", None)
    assert row.question == f"{THEIRS} asks"


def test_turns_without_a_message_go_with_what_was_said_to_them(shelf: Shelf) -> None:
    """On the page turns are known by who said them alone; what others said there stays."""
    engine = shelf.engine
    mine = ask(shelf, MINE, "U1")
    with engine.begin() as connection:
        connection.execute(text("UPDATE turns SET message_key = NULL"))
        for role, user, words in (
            ("asker", "U2", THEIRS),
            ("footnote", None, THEIRS),
            ("asker", "U1", MINE),
            ("footnote", None, MINE),
        ):
            connection.execute(
                insert(tables.turns).values(
                    conversation_id=mine.conversation_id, role=role, user_id=user, text=words
                )
            )
    forget_person(engine, shelf.workspace_id, "U1")
    turns = read_turns(engine, mine.conversation_id)
    assert [turn.text for turn in turns] == [THEIRS, THEIRS]


def test_what_is_under_way_is_left_to_end(shelf: Shelf) -> None:
    """A question that is being answered gets its reply, as does whoever waits for a post."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    waiting = Arrival(
        workspace_id, "question", "T1:C1:20.0", "T1:C1:20.0", "T1", "C1", "20.0", "U1", "now?"
    )
    assert accept(engine, waiting) is not None
    with engine.begin() as connection:
        post = NewPost("notice:1", "notice", "C1", {"text": "yes", "blocks": []}, user_id="U1")
        add_post(connection, workspace_id, post)
    forget_person(engine, workspace_id, "U1")
    with engine.connect() as connection:
        event = question_of(connection, workspace_id, "T1:C1:20.0")
        state = connection.execute(select(tables.posts.c.state)).scalar_one()
    assert event is not None
    assert (event.user_id, event.text, state) == ("U1", "now?", "waiting")


def test_being_forgotten_does_not_lift_a_limit(shelf: Shelf) -> None:
    """Who asked as much as they may today cannot go on by being forgotten."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    limits = Limits(person_day=1)
    assert count_message(engine, workspace_id, "U1", limits) is None
    forget_person(engine, workspace_id, "U1")
    assert count_message(engine, workspace_id, "U1", limits) is not None


def test_a_forgotten_message_that_is_delivered_again_is_not_answered_again(
    shelf: Shelf,
) -> None:
    """Its event is known still, by its key and by Slack's."""
    asked = ask(shelf, MINE, "U1")
    forget_person(shelf.engine, shelf.workspace_id, "U1")
    again = Arrival(
        shelf.workspace_id,
        "question",
        asked.message_key,
        asked.message_key,
        "T1",
        "C1",
        "17.2",
        "U1",
        MINE,
        conversation=f"slack:{asked.message_key}",
    )
    assert accept(shelf.engine, again) is None
    assert found(shelf.engine, MINE) == {}


# --- by age --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 500], ids=["a row at a time", "all at once"])
def test_what_is_old_goes_and_what_is_not_stays(batch: int, shelf: Shelf) -> None:
    """After 90 days only what was approved has the words; a week later no post is left."""
    engine = shelf.engine
    ask(shelf, MINE)
    age(engine, shelf.workspace_id, timedelta(days=91))
    ask(shelf, THEIRS, ts="17.9")
    gone = forget_old(engine, 90, batch)

    assert gone == {
        "answers": 2,
        "turns": 2,
        "events": 1,
        "escalations": 1,
        "transcripts": 2,
        "words of posts": 4,
        "conversations": 1,
    }
    assert found(engine, MINE) == {"transcripts": 1}
    assert found(engine, THEIRS) == WORDS_KEPT
    assert forget_old(engine, 90, batch) == {}

    age(engine, shelf.workspace_id, timedelta(days=7))
    assert forget_old(engine, 90, batch) == {"posts": 4}


def test_for_ever_is_for_ever(shelf: Shelf) -> None:
    """With 0 days nothing goes, however old, but the counts that no limit needs."""
    ask(shelf, MINE)
    age(shelf.engine, shelf.workspace_id, timedelta(days=4_000))
    assert count_message(shelf.engine, shelf.workspace_id, "U1", Limits()) is None
    assert forget_old(shelf.engine, 0) == {}
    with shelf.engine.begin() as connection:
        connection.execute(text("UPDATE usage SET minute = minute - interval '49 hours'"))
    assert forget_old(shelf.engine, 0) == {"usage": 2}
    assert found(shelf.engine, MINE) == WORDS_KEPT


def test_a_question_that_waits_for_a_person_waits(shelf: Shelf) -> None:
    """It is kept until it is resolved, with its conversation, however long that takes."""
    asked = ask(shelf, MINE, settled=False)
    age(shelf.engine, shelf.workspace_id, timedelta(days=200))
    gone = forget_old(shelf.engine, 90)
    assert (gone["words of posts"], gone["posts"]) == (4, 3)  # the one to be resolved stays
    assert "escalations" not in gone
    assert "conversations" not in gone
    assert found(shelf.engine, MINE) == {"escalations": 1, "transcripts": 1}
    with shelf.engine.connect() as connection:
        kept = connection.execute(
            select(func.count()).where(tables.conversations.c.id == asked.conversation_id)
        ).scalar_one()
    assert kept == 1


def test_an_event_that_was_never_ended_stays(shelf: Shelf) -> None:
    """What nobody answered yet is not forgotten, and neither is where it was asked."""
    waiting = Arrival(
        shelf.workspace_id,
        "question",
        "T1:C1:20.0",
        "T1:C1:20.0",
        "T1",
        "C1",
        "20.0",
        "U1",
        MINE,
        conversation="slack:T1:C1:20.0",
    )
    event = accept(shelf.engine, waiting)
    assert event is not None
    age(shelf.engine, shelf.workspace_id, timedelta(days=200))
    assert forget_old(shelf.engine, 90) == {}
    with shelf.engine.begin() as connection:
        end_event(connection, event, "error")
    assert forget_old(shelf.engine, 90) == {"events": 1, "conversations": 1}


def test_a_conversation_that_is_being_answered_in_is_left(shelf: Shelf) -> None:
    """Its turn is about to be written: the row that it belongs to must not go meanwhile."""
    engine = shelf.engine
    asked = ask(shelf, MINE)
    age(engine, shelf.workspace_id, timedelta(days=200))
    with serialised(engine, asked.conversation_id):
        assert "conversations" not in forget_old(engine, 90)
    assert forget_old(engine, 90) == {"conversations": 1}
