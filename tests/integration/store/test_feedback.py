"""Opinions on answers: one a person and answer, each where it helps."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from store.access import OPERATOR_ACCESS
from store.answers import Answer, save_answer
from store.conversations import Turn, add_turn, ensure_conversation
from store.feedback import (
    Destination,
    FeedbackReason,
    Opinion,
    count_thumbs,
    explain,
    feedback_for,
    find_opinion,
    history_of,
    may_rate,
    rate,
)
from store.posts import NewPost, add_post, posts_of_answer, withdraw_posts
from store.reviews import DecidedError, review_candidate
from store.transcripts import (
    Said,
    add_candidate,
    count_candidates,
    drop_candidate,
    list_transcripts,
)
from tests.integration.store.answers import kept_answer
from tests.integration.store.shelf import Shelf

ASKED = [Said("asker", "May I?"), Said("team", "You may.")]


@pytest.fixture
def answer(shelf: Shelf) -> Answer:
    """An answer of U1's, with one quote."""
    return kept_answer(shelf, user_id="U1")


def thumb(shelf: Shelf, answer: Answer, user: str, rating: int) -> bool:
    with shelf.engine.begin() as connection:
        return rate(connection, answer.id, user, 1 if rating > 0 else -1)


def told(
    shelf: Shelf, answer: Answer, user: str, reason: FeedbackReason, better: str | None = None
) -> bool:
    with shelf.engine.begin() as connection:
        return explain(connection, answer.id, user, reason, "because", better)


def test_a_changed_mind_changes_the_one_row(shelf: Shelf, answer: Answer) -> None:
    """Down with its reason, then up without one, then down anew."""
    assert thumb(shelf, answer, "U2", -1)
    assert told(shelf, answer, "U2", "wrong_fact", "20 days")
    assert not thumb(shelf, answer, "U2", -1)
    assert find_opinion(shelf.engine, answer.id, "U2") == Opinion(
        -1, "wrong_fact", "because", "20 days"
    )

    assert thumb(shelf, answer, "U2", 1)
    assert find_opinion(shelf.engine, answer.id, "U2") == Opinion(1)
    assert not told(shelf, answer, "U2", "tone")
    assert thumb(shelf, answer, "U2", -1)
    assert find_opinion(shelf.engine, answer.id, "U2") == Opinion(-1)
    assert count_thumbs(shelf.engine, shelf.workspace_id) == (0, 1)


def test_people_have_opinions_of_their_own(shelf: Shelf, answer: Answer) -> None:
    """One's thumb is not another's, and nobody explains what they did not rate."""
    thumb(shelf, answer, "U1", 1)
    thumb(shelf, answer, "U2", -1)

    assert not told(shelf, answer, "U1", "tone")
    assert not told(shelf, answer, "U3", "tone")
    assert count_thumbs(shelf.engine, shelf.workspace_id) == (1, 1)
    assert find_opinion(shelf.engine, answer.id, "U3") is None


@pytest.mark.parametrize(
    ("reason", "better", "destinations"),
    [
        ("wrong_fact", None, {"documents", "evaluation"}),
        ("wrong_source", None, {"documents", "evaluation"}),
        ("outdated", None, {"documents"}),
        ("incomplete", None, {"evaluation"}),
        ("tone", None, {"transcripts"}),
        ("other", None, set()),
        ("other", "You may.", {"transcripts"}),
        ("outdated", "You may.", {"documents", "transcripts"}),
    ],
)
def test_each_reason_goes_to_where_it_helps(
    shelf: Shelf,
    answer: Answer,
    reason: FeedbackReason,
    better: str | None,
    destinations: set[Destination],
) -> None:
    """Whatever comes with a better answer goes to the transcripts as well."""
    thumb(shelf, answer, "U2", -1)
    told(shelf, answer, "U2", reason, better)
    every: tuple[Destination, ...] = ("documents", "evaluation", "transcripts")
    found = {d for d in every if feedback_for(shelf.engine, shelf.workspace_id, d)}

    assert found == destinations
    (row,) = feedback_for(shelf.engine, shelf.workspace_id)
    assert (row.question, row.asker_id, row.opinion.reason) == (answer.question, "U1", reason)


def test_what_helps_documents_comes_with_its_quotes(shelf: Shelf, answer: Answer) -> None:
    """The document, its version and the words, the latest opinion first."""
    another = kept_answer(shelf, user_id="U1")
    for user, which in (("U2", answer), ("U3", another)):
        thumb(shelf, which, user, -1)
        told(shelf, which, user, "outdated")

    latest, first = feedback_for(shelf.engine, shelf.workspace_id, "documents")

    assert (latest.answer_id, first.answer_id) == (another.id, answer.id)
    (quoted,) = first.quoted
    (citation,) = answer.citations
    assert (quoted.document, quoted.version, quoted.quote) == (
        citation.document,
        citation.version,
        citation.quote,
    )
    assert len(feedback_for(shelf.engine, shelf.workspace_id, "documents", limit=1)) == 1
    assert feedback_for(shelf.engine, shelf.workspace_id + 1) == []


def test_a_question_is_known_with_what_came_before_it(shelf: Shelf) -> None:
    """Only earlier turns of the same conversation, in order."""
    conversation = ensure_conversation(shelf.engine, shelf.workspace_id, "slack:T:C:1")
    other = ensure_conversation(shelf.engine, shelf.workspace_id, "slack:T:C:2")
    said = [Turn("asker", "Hello"), Turn("footnote", "Hello."), Turn("asker", "May I?")]
    with shelf.engine.begin() as connection:
        add_turn(connection, other, Turn("asker", "Something else"))
        *_, turn = [add_turn(connection, conversation, one) for one in said]
        add_turn(connection, conversation, Turn("footnote", "You may."))
        asked = Answer("a9-turns", "May I?", "policy", "answered", "You may.")
        save_answer(
            connection, shelf.workspace_id, asked, turn_id=turn, as_of=None, access=OPERATOR_ACCESS
        )

    with shelf.engine.connect() as connection:
        assert history_of(connection, "a9-turns") == (said[0], said[1])
        assert history_of(connection, "unknown") == ()


POSTED = NewPost("k", "reply", "C1", {"text": "x"}, answer_id="the answer")


@pytest.mark.parametrize(
    ("post", "user", "channel", "may"),
    [
        pytest.param(None, "U1", "D1", True, id="its asker, anywhere"),
        pytest.param(None, "U2", "C1", False, id="nobody else"),
        pytest.param(POSTED, "U2", "C1", True, id="posted where they are"),
        pytest.param(POSTED, "U2", "C2", False, id="posted elsewhere"),
        pytest.param(replace(POSTED, user_id="U1"), "U2", "C1", False, id="only for its asker"),
        pytest.param(replace(POSTED, user_id="U2"), "U2", "C1", True, id="only for them"),
        pytest.param(replace(POSTED, reply_url="http://r"), "U2", "C1", False, id="a command's"),
        pytest.param(replace(POSTED, answer_id="another"), "U2", "C1", False, id="another answer"),
    ],
)
def test_who_has_seen_an_answer_may_rate_it(
    shelf: Shelf, answer: Answer, post: NewPost | None, user: str, channel: str, may: bool
) -> None:
    """Its asker, and those who are where it was posted for all; not in another workspace."""
    if post is not None:
        which = answer.id if post.answer_id == POSTED.answer_id else post.answer_id
        with shelf.engine.begin() as connection:
            add_post(connection, shelf.workspace_id, replace(post, answer_id=which))

    assert may_rate(shelf.engine, shelf.workspace_id, answer.id, user, channel) is may
    assert not may_rate(shelf.engine, shelf.workspace_id + 1, answer.id, user, channel)


def test_a_withdrawn_answer_is_rated_by_its_asker_only(shelf: Shelf, answer: Answer) -> None:
    """What was taken back is not seen any more."""
    with shelf.engine.begin() as connection:
        add_post(connection, shelf.workspace_id, replace(POSTED, answer_id=answer.id))
    (post,) = posts_of_answer(shelf.engine, shelf.workspace_id, answer.id)
    assert may_rate(shelf.engine, shelf.workspace_id, answer.id, "U2", "C1")
    with shelf.engine.begin() as connection:
        withdraw_posts(connection, [post.id])

    assert not may_rate(shelf.engine, shelf.workspace_id, answer.id, "U2", "C1")
    assert may_rate(shelf.engine, shelf.workspace_id, answer.id, "U1", "C1")


# --- transcripts ---------------------------------------------------------------------------


@pytest.fixture
def keep(engine: Engine, workspace_id: int) -> Callable[..., bool]:
    """Keep an exchange made from feedback on an answer."""

    def keep_one(*said: Said, key: str = "a1", by: str = "U2") -> bool:
        with engine.begin() as connection:
            return add_candidate(
                connection, workspace_id, "feedback", key, said or ASKED, user_id=by, added_by=by
            )

    return keep_one


def test_the_same_exchange_is_kept_once(
    engine: Engine, workspace_id: int, keep: Callable[..., bool]
) -> None:
    """Later words replace earlier ones until somebody has looked at them."""
    better = (ASKED[0], Said("team", "Yes, you may."))
    assert keep()
    assert keep(*better)

    (candidate,) = list_transcripts(engine, workspace_id)
    assert (candidate.messages, candidate.origin_key) == (better, "a1")
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, candidate.id, "rejected", "U9")
    assert not keep(*ASKED)
    (rejected,) = list_transcripts(engine, workspace_id, "rejected")
    assert rejected.messages == ()  # unread words are not kept once nobody needs them
    assert count_candidates(engine, workspace_id) == 0


def test_a_candidate_is_taken_back_by_who_gave_it(
    engine: Engine, workspace_id: int, keep: Callable[..., bool]
) -> None:
    """Another person's stays, and so does one that was looked at."""
    keep(by="U2")
    with engine.begin() as connection:
        drop_candidate(connection, workspace_id, "feedback", "a1", "U3")
    assert count_candidates(engine, workspace_id) == 1
    with engine.begin() as connection:
        drop_candidate(connection, workspace_id, "feedback", "a1", "U2")
    assert count_candidates(engine, workspace_id) == 0


def test_a_candidate_is_looked_at_once(
    engine: Engine, workspace_id: int, keep: Callable[..., bool]
) -> None:
    """Who comes second is told so."""
    keep()
    (candidate,) = list_transcripts(engine, workspace_id)
    with engine.begin() as connection:
        review_candidate(connection, workspace_id, candidate.id, "rejected", "U9")
    with pytest.raises(DecidedError, match="rejected already"), engine.begin() as connection:
        review_candidate(connection, workspace_id, candidate.id, "approved", "U8")
    assert list_transcripts(engine, workspace_id, "approved") == []
