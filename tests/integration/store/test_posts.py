"""Posts: in order, one a second in a channel, each sent by one process, and changed in place."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from store.events import Arrival, accept
from store.posts import (
    CLAIM,
    TAKEN_BACK,
    NewPost,
    Post,
    add_post,
    asked_at,
    begin_stream,
    claim_post,
    find_post,
    leave_to_poster,
    mark_failed,
    mark_posted,
    note_stream,
    post_at,
    posts_of_message,
    put_off,
    say_in_stream,
    say_instead,
    slow_channel,
    still_sends,
    take_back_posts,
    take_slot,
    withdraw_posts,
)
from tests.integration.store.shelf import Shelf

LEASE = 40.0
OLD = {"text": "old", "blocks": []}
NEW = {"text": "new", "blocks": []}


def write(shelf: Shelf, key: str = "a", channel: str = "C1", **details: Any) -> int:
    """Write a post and return its id."""
    post = NewPost(key, "reply", channel, OLD)
    with shelf.engine.begin() as connection:
        assert add_post(connection, shelf.workspace_id, replace(post, **details))
    return found(shelf, key).id


def found(shelf: Shelf, key: str = "a") -> Post:
    """The post with a key."""
    post = find_post(shelf.engine, shelf.workspace_id, key)
    assert post is not None
    return post


def claim(shelf: Shelf, owner: str = "p1", lease: float = LEASE) -> Post | None:
    """Take the next post of the shelf's workspace."""
    return claim_post(shelf.engine, owner, lease, shelf.workspace_id)


def claimed(shelf: Shelf, owner: str = "p1", lease: float = LEASE) -> Post:
    """Take the next post, which must be there."""
    post = claim(shelf, owner, lease)
    assert post is not None
    return post


def posted(shelf: Shelf, post: Post, ts: str | None = "18.1") -> str:
    """Note that a post stands; return its state."""
    with shelf.engine.begin() as connection:
        return mark_posted(connection, post.id, ts, post.message)


def instead(shelf: Shelf, post_id: int) -> None:
    """Have a post say something else."""
    with shelf.engine.begin() as connection:
        say_instead(connection, post_id, NEW)


def taken_back(shelf: Shelf, *post_ids: int) -> None:
    """Have posts deleted."""
    with shelf.engine.begin() as connection:
        take_back_posts(connection, post_ids)


def later(shelf: Shelf, seconds: float = 60.0) -> None:
    """Let time pass: what is due within so many seconds is due now."""
    with shelf.engine.begin() as connection:
        for table, columns in (
            ("posts", ("not_before", "lease_until")),
            ("channels", ("next_post_at",)),
        ):
            changes = ", ".join(f"{c} = {c} - make_interval(secs => :s)" for c in columns)
            connection.execute(
                text(f"UPDATE {table} SET {changes} WHERE workspace_id = :w"),
                {"s": seconds, "w": shelf.workspace_id},
            )


# --- claiming ------------------------------------------------------------------------------


def test_a_key_is_written_once(shelf: Shelf) -> None:
    """Whoever comes second changes nothing."""
    write(shelf)
    with shelf.engine.begin() as connection:
        post = NewPost("a", "reply", "C2", NEW)
        assert not add_post(connection, shelf.workspace_id, post)
    assert (found(shelf).channel, found(shelf).message) == ("C1", OLD)


def test_a_post_is_sent_by_one_process_until_its_lease_ends(shelf: Shelf) -> None:
    """Then by another, which knows that it may stand in Slack already."""
    write(shelf)
    first = claimed(shelf)
    assert (first.key, first.state, first.attempts) == ("a", "posting", 1)
    later(shelf, LEASE / 2)
    assert claim(shelf, "p2") is None
    later(shelf, LEASE)
    assert claimed(shelf, "p2").attempts == 2
    assert not still_sends(shelf.engine, first, "p1", LEASE)


def test_who_still_sends_a_post_holds_on_to_it(shelf: Shelf) -> None:
    """For a lease more."""
    write(shelf)
    post = claimed(shelf)
    later(shelf, LEASE / 2)
    assert still_sends(shelf.engine, post, "p1", LEASE)
    later(shelf, LEASE / 2 + 1)
    assert claim(shelf, "p2") is None


def test_a_thread_keeps_its_order_and_a_channel_its_pace(shelf: Shelf) -> None:
    """What is put off keeps waiting what is behind it in its thread, and nothing else."""
    for key, thread in (("a", "1.1"), ("b", "1.1"), ("c", "2.2")):
        write(shelf, key, thread_ts=thread)
    first = claimed(shelf)
    assert first.key == "a"
    assert claim(shelf) is None  # one a second
    put_off(shelf.engine, first.id, 100.0, "fatal_error", tried=True)
    later(shelf, 2)
    second = claimed(shelf)
    assert second.key == "c"
    posted(shelf, second)
    assert claim(shelf) is None
    later(shelf, 120)
    again = claimed(shelf)
    assert (again.key, again.attempts) == ("a", 2)
    posted(shelf, again, "18.2")
    assert claim(shelf) is None
    later(shelf, 2)
    assert claimed(shelf).key == "b"


def test_channels_do_not_wait_for_each_other(shelf: Shelf) -> None:
    """Each has its own pace, and those that Slack slows down theirs."""
    write(shelf, "a", "C1")
    write(shelf, "b", "C2")
    slow_channel(shelf.engine, shelf.workspace_id, "C1", 30.0)
    assert claimed(shelf).key == "b"
    assert claim(shelf) is None
    later(shelf, 31)
    assert claimed(shelf).key == "a"


def test_nobody_waits_for_the_answer_to_another_s_command(shelf: Shelf) -> None:
    """An address that does not work any more holds up its own command alone."""
    for key, person in (("a", "U1"), ("b", "U2")):
        write(shelf, key, user_id=person, reply_url=f"https://hooks/{key}")
    write(shelf, "a:1", user_id="U1", reply_url="https://hooks/a")
    dead = claimed(shelf)
    put_off(shelf.engine, dead.id, 100.0, "404", tried=True)
    later(shelf, 2)
    assert claimed(shelf).key == "b"
    later(shelf, 2)
    assert claim(shelf) is None  # the second part of the first command


def test_what_slack_did_not_look_at_was_not_sent(shelf: Shelf) -> None:
    """After a refusal for the pace there is nothing to look for."""
    write(shelf)
    put_off(shelf.engine, claimed(shelf).id, 1.0, "ratelimited", tried=False)
    later(shelf)
    assert claimed(shelf).attempts == 1


def test_a_channel_s_second_is_free_for_a_stream_where_nothing_waits(shelf: Shelf) -> None:
    """A stream never overtakes a post."""
    with shelf.engine.begin() as connection:
        assert take_slot(connection, shelf.workspace_id, "C1")
        assert not take_slot(connection, shelf.workspace_id, "C1")
    write(shelf, "b", "C2")
    with shelf.engine.begin() as connection:
        assert not take_slot(connection, shelf.workspace_id, "C2")


def test_another_workspace_s_posts_are_not_taken(shelf: Shelf) -> None:
    """A process that serves one workspace leaves the others alone."""
    write(shelf)
    assert claim_post(shelf.engine, "p1", LEASE, shelf.workspace_id + 100_000) is None


# --- changing ------------------------------------------------------------------------------


def test_what_stands_is_changed_where_it_stands(shelf: Shelf) -> None:
    """The same row, with its ts, is sent again."""
    post_id = write(shelf)
    assert posted(shelf, claimed(shelf)) == "posted"
    instead(shelf, post_id)
    later(shelf, 2)
    changed = claimed(shelf)
    assert (changed.id, changed.ts, changed.message) == (post_id, "18.1", NEW)
    at = post_at(shelf.engine, shelf.workspace_id, "C1", "18.1")
    assert at is not None
    assert at.id == post_id


def test_what_changes_while_it_is_sent_is_not_sent_beside_it(shelf: Shelf) -> None:
    """Its sender has time to say where it stands; then it is changed there."""
    post_id = write(shelf)
    sending = claimed(shelf)
    instead(shelf, post_id)
    later(shelf, 2)
    assert claim(shelf, "p2") is None
    assert posted(shelf, sending) == "waiting"
    later(shelf, 2)
    changed = claimed(shelf, "p2")
    assert (changed.ts, changed.message) == ("18.1", NEW)


def test_what_a_dead_sender_left_is_looked_for_before_it_is_changed(shelf: Shelf) -> None:
    """Nobody says where it stands: the next sender knows that it may."""
    post_id = write(shelf)
    claimed(shelf)
    instead(shelf, post_id)
    later(shelf, 20)
    changed = claimed(shelf, "p2")
    assert (changed.ts, changed.attempts, changed.message) == (None, 2, NEW)


@pytest.mark.parametrize("sent", [True, False])
def test_what_is_taken_back_goes_if_it_may_stand_in_slack(shelf: Shelf, sent: bool) -> None:
    """What was never sent never is; the rest waits to be deleted, its words forgotten."""
    post_id = write(shelf)
    if sent:
        posted(shelf, claimed(shelf))
    taken_back(shelf, post_id)
    later(shelf, 2)
    gone = claim(shelf)
    if sent:
        assert gone is not None
        assert (gone.message, gone.ts, gone.answer_id) == (TAKEN_BACK, "18.1", None)
        with shelf.engine.begin() as connection:
            withdraw_posts(connection, [post_id])
    else:
        assert gone is None
    assert (found(shelf).state, found(shelf).message) == ("withdrawn", {})


def test_what_is_taken_back_while_it_is_sent_is_deleted_then(shelf: Shelf) -> None:
    """Its sender says where it stands; a dead one leaves it to be looked for."""
    post_id = write(shelf)
    sending = claimed(shelf)
    taken_back(shelf, post_id)
    later(shelf, 2)
    assert claim(shelf, "p2") is None
    assert posted(shelf, sending) == "waiting"
    later(shelf, 2)
    gone = claimed(shelf, "p2")
    assert (gone.message, gone.ts) == (TAKEN_BACK, "18.1")


def test_what_only_one_person_sees_goes_by_itself(shelf: Shelf) -> None:
    """Slack lets nobody delete it."""
    post_id = write(shelf, user_id="U1")
    sending = claimed(shelf)
    taken_back(shelf, post_id)
    assert found(shelf).state == "withdrawn"
    assert posted(shelf, sending) == "withdrawn"


def test_a_post_that_was_given_up_is_not_sent_again(shelf: Shelf) -> None:
    """It does not hold up its thread either."""
    write(shelf)
    mark_failed(shelf.engine, claimed(shelf).id, "is_archived")
    write(shelf, "b")
    later(shelf)
    assert claimed(shelf).key == "b"


# --- streams -------------------------------------------------------------------------------


def stream(shelf: Shelf, owner: str = "p1") -> int:
    """Write down a stream that is about to begin."""
    post = NewPost("a", "reply", "C1", {}, thread_ts="1.1")
    with shelf.engine.begin() as connection:
        post_id = begin_stream(connection, shelf.workspace_id, post, owner, LEASE)
    assert post_id is not None
    return post_id


def test_a_stream_is_its_owner_s_while_it_says_nothing_of_its_own(shelf: Shelf) -> None:
    """Whatever becomes of its lease: the event that it replies to ends it."""
    post_id = stream(shelf)
    later(shelf, LEASE + 1)
    assert claim(shelf, "p2") is None
    with shelf.engine.begin() as connection:
        say_in_stream(connection, post_id, OLD, "a1", "p1", LEASE)
    assert claim(shelf, "p2") is None
    later(shelf, LEASE + 1)
    assert claimed(shelf, "p2").message == OLD


def test_a_stream_that_fails_is_left_to_whoever_sends(shelf: Shelf) -> None:
    """But not what somebody else sends by now."""
    post_id = stream(shelf)
    with shelf.engine.begin() as connection:
        say_in_stream(connection, post_id, OLD, "a1", "p1", LEASE)
        leave_to_poster(connection, post_id, "p1")
    assert claimed(shelf, "p2").id == post_id
    with shelf.engine.begin() as connection:
        leave_to_poster(connection, post_id, "p1")
    assert found(shelf).state == "posting"


def test_where_a_stream_stands_is_kept_while_nobody_replied_elsewhere(shelf: Shelf) -> None:
    """What is said instead of it is said there; what others post there already is not."""
    post_id = stream(shelf)
    assert not note_stream(shelf.engine, post_id, "p9", "18.9")
    instead(shelf, post_id)
    assert note_stream(shelf.engine, post_id, "p1", "18.1")
    assert note_stream(shelf.engine, post_id, "p1", "18.1")
    assert not note_stream(shelf.engine, post_id, "p1", "18.2")
    assert found(shelf).ts == "18.1"


def test_a_stream_whose_place_comes_too_late_keeps_it_to_itself(shelf: Shelf) -> None:
    """Another process has begun to send what is said instead."""
    post_id = stream(shelf)
    instead(shelf, post_id)
    later(shelf, 20)
    claimed(shelf, "p2")
    assert not note_stream(shelf.engine, post_id, "p1", "18.1")


def test_words_that_changed_while_they_were_streamed_are_said_then(shelf: Shelf) -> None:
    """The end of a stream does not hide what came meanwhile."""
    post_id = stream(shelf)
    with shelf.engine.begin() as connection:
        say_in_stream(connection, post_id, OLD, "a1", "p1", LEASE)
    note_stream(shelf.engine, post_id, "p1", "18.1")
    instead(shelf, post_id)
    with shelf.engine.begin() as connection:
        assert mark_posted(connection, post_id, None, OLD) == "waiting"
    later(shelf, 2)
    assert claimed(shelf).message == NEW


# --- looking up ----------------------------------------------------------------------------


def test_the_replies_to_a_message_are_those_of_its_edits_too(shelf: Shelf) -> None:
    """Without what was taken back."""
    asked = Arrival(shelf.workspace_id, "question", "m", "m", "T1", "C1", "1.1", "U1", "hi")
    changed = replace(asked, kind="edit", key="m:2.2", ts="2.2")
    first, second = accept(shelf.engine, asked), accept(shelf.engine, changed)
    assert first is not None
    assert asked_at(shelf.engine, first) == "1.1"
    for key, event_id in (("a", first), ("b", second), ("c", None)):
        write(shelf, key, event_id=event_id)
    with shelf.engine.begin() as connection:
        mine = posts_of_message(connection, shelf.workspace_id, "m")
        assert [post.key for post in mine] == ["a", "b"]
        take_back_posts(connection, [mine[0].id])
        assert [p.key for p in posts_of_message(connection, shelf.workspace_id, "m")] == ["b"]


def test_the_next_post_is_found_quickly_among_many(engine: Engine, workspace_id: int) -> None:
    """What stands is not looked through, though no statistics tell how much it is."""
    with engine.begin() as connection:
        for state, count in (("posted", 50_000), ("waiting", 1_000)):
            connection.execute(
                text(
                    "INSERT INTO posts (workspace_id, key, kind, channel, thread_ts, message, ts,"
                    " state) SELECT :w, :state || n, 'reply', 'C' || n % 100, n % 1000,"
                    " CAST(:message AS jsonb), n, :state FROM generate_series(1, :count) n"
                ),
                {"w": workspace_id, "state": state, "count": count, "message": '{"text": ""}'},
            )
    claims = [claim_post(engine, "p1", LEASE, workspace_id) for _ in range(20)]
    assert len({post.channel for post in claims if post is not None}) > 1
    with engine.begin() as connection:
        plan = "\n".join(
            connection.execute(
                text(f"EXPLAIN {CLAIM}"),
                {"owner": "p1", "lease": LEASE, "pace": 1.0, "workspace_id": workspace_id},
            ).scalars()
        )
    assert "ix_posts_in_order" in plan
    assert "ix_posts_place" not in plan
    assert "Seq Scan on posts" not in plan
