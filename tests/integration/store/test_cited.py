"""Answers looked up by their sources: for whom, and with what became of the words they quote."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from store.access import EXTERNAL, MEMBER, Access, channel_principal
from store.answers import Answer, Citation, Claim, new_answer_id, save_answer
from store.cited import (
    CitedAnswer,
    answer_of_message,
    checked_at,
    find_cited,
    last_cited_in,
    public_channels,
)
from store.events import Arrival, accept
from store.history import delete_document
from store.posts import NewPost, add_post
from tests.integration.store.shelf import Shelf, day

MARA, JONAS = "U0MARA", "U0JONAS"
HELP, LEADS = "C0HELP", "C0LEADS"
OLD, NEW = "Sale items can be returned within 14 days.", "Sale items may come back for 30 days."
ALONE = Access(MEMBER, MEMBER)
GUEST = Access(frozenset({EXTERNAL}), frozenset({EXTERNAL}))


def cite(shelf: Shelf, key: str, words: str, number: int = 1) -> Citation:
    """A citation of words of a document's last version."""
    with shelf.engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT v.id, v.title, v.number, v.text, v.effective_from, d.key"
                " FROM document_versions v JOIN documents d ON d.id = v.document_id"
                " WHERE d.workspace_id = :w AND d.key = :key ORDER BY v.number DESC LIMIT 1"
            ),
            {"w": shelf.workspace_id, "key": key},
        ).one()
    start = row.text.index(words)
    end = start + len(words)
    return Citation(
        number, row.id, key, row.title, row.number, (), None, start, end, words, row.effective_from
    )


def keep(shelf: Shelf, citations: Sequence[Citation], user_id: str = MARA) -> str:
    """Keep an answer with these citations and return its id."""
    claim = Claim("Yes.", tuple(citations))
    answer = Answer(new_answer_id(), "How long?", "policy", "answered", "Yes.", (claim,))
    with shelf.engine.begin() as connection:
        save_answer(
            connection,
            shelf.workspace_id,
            answer,
            turn_id=None,
            as_of=None,
            user_id=user_id,
            access=ALONE,
        )
    return answer.id


def post(shelf: Shelf, answer_id: str, channel: str, ts: str | None = "1.5", **how: Any) -> None:
    """Let an answer stand in a channel."""
    new = NewPost(f"{answer_id}:{channel}:{ts}", "reply", channel, {}, answer_id=answer_id, **how)
    with shelf.engine.begin() as connection:
        assert add_post(connection, shelf.workspace_id, new)
        connection.execute(
            text(
                "UPDATE posts SET state = 'posted', posted_at = clock_timestamp(), ts = :ts,"
                " reply_url = NULL WHERE key = :key"
            ),
            {"ts": ts, "key": new.key},
        )


def look(
    shelf: Shelf,
    answer_id: str,
    user_id: str = MARA,
    channels: Sequence[str] = (),
    access: Access = ALONE,
    at: datetime | None = None,
) -> CitedAnswer | None:
    """Look an answer up, as it is now unless another moment is given."""
    moment = at or datetime.now(UTC)
    return find_cited(
        shelf.engine, shelf.workspace_id, answer_id, user_id, channels, access, moment
    )


@pytest.fixture
def answer_id(shelf: Shelf) -> str:
    """Mara's answer from one document that every member may read."""
    shelf.publish("returns", ["Opening.", OLD], since="2026-01-01")
    return keep(shelf, [cite(shelf, "returns", OLD)])


def test_ones_own_answer_is_found_anywhere(shelf: Shelf, answer_id: str) -> None:
    """Without any post, as after a command."""
    found = look(shelf, answer_id)

    assert found is not None
    assert (found.answer.id, found.asker) == (answer_id, MARA)
    assert [words.citation.quote for words in found.words] == [OLD]
    assert found.words[0].quoted.text.endswith(OLD)
    assert found.words[0].is_current


def test_anothers_answer_is_found_where_it_stands_for_all(shelf: Shelf, answer_id: str) -> None:
    """In the channel it was posted in, and nowhere else."""
    assert look(shelf, answer_id, JONAS, [HELP]) is None
    post(shelf, answer_id, HELP)

    assert look(shelf, answer_id, JONAS, [HELP]) is not None
    assert look(shelf, answer_id, JONAS, [LEADS]) is None
    assert look(shelf, answer_id, JONAS) is None
    assert public_channels(shelf.engine, shelf.workspace_id, answer_id) == [HELP]


@pytest.mark.parametrize(
    ("ts", "how"),
    [
        pytest.param("1.5", {"user_id": MARA}, id="seen by one person"),
        pytest.param(None, {"reply_url": "https://hooks.slack.test/1"}, id="a command's"),
    ],
)
def test_a_private_answer_is_its_askers_alone(
    shelf: Shelf, answer_id: str, ts: str | None, how: dict[str, str]
) -> None:
    """Although it was shown in a channel that others are in."""
    post(shelf, answer_id, HELP, ts, **how)

    assert look(shelf, answer_id, JONAS, [HELP]) is None
    assert look(shelf, answer_id, MARA, [HELP]) is not None
    assert public_channels(shelf.engine, shelf.workspace_id, answer_id) == []
    assert last_cited_in(shelf.engine, shelf.workspace_id, HELP, JONAS) is None


def test_every_quoted_document_must_be_readable(shelf: Shelf, answer_id: str) -> None:
    """For the asker too, and for everybody in the place."""
    shelf.publish("board", ["Secret words."], audience=[channel_principal(LEADS)])
    both = keep(shelf, [cite(shelf, "returns", OLD), cite(shelf, "board", "Secret words.", 2)])
    post(shelf, both, HELP)
    leads = MEMBER | {channel_principal(LEADS)}

    assert look(shelf, both, JONAS, [HELP]) is None
    assert look(shelf, both, MARA) is None
    assert look(shelf, both, JONAS, [HELP], Access(leads, leads)) is not None
    assert look(shelf, both, JONAS, [HELP], Access(leads, MEMBER)) is None
    post(shelf, answer_id, HELP, "1.6")
    assert look(shelf, answer_id, JONAS, [HELP], GUEST) is None


def test_foreign_and_unknown_answers_are_not_there(shelf: Shelf, answer_id: str) -> None:
    """Nor is one of another workspace."""
    now = datetime.now(UTC)
    other = shelf.workspace_id + 1_000_000
    assert look(shelf, "0" * 12) is None
    assert find_cited(shelf.engine, other, answer_id, MARA, (), ALONE, now) is None


def test_what_became_of_a_document_is_told(shelf: Shelf, answer_id: str) -> None:
    """The version in force at the moment asked for, a withdrawal, and how fresh it is."""
    shelf.publish("returns", ["Opening.", NEW], since="2026-06-01")
    found = look(shelf, answer_id, at=day("2026-07-01"))
    assert found is not None
    (words,) = found.words
    assert words.current is not None
    assert (words.current.number, words.current.text) == (2, f"Opening.\n{NEW}")
    assert not words.is_current
    assert not words.watched
    assert datetime.now(UTC) - words.checked_at < timedelta(minutes=1)

    before = look(shelf, answer_id, at=day("2025-07-01"))
    assert before is not None
    assert before.words[0].current is None

    with shelf.engine.connect() as connection:
        document_id = connection.execute(
            text("SELECT id FROM documents WHERE workspace_id = :w"), {"w": shelf.workspace_id}
        ).scalar_one()
    delete_document(shelf.engine, shelf.workspace_id, document_id, "U0ADMIN")
    gone = look(shelf, answer_id)
    assert gone is not None
    assert gone.words[0].deleted_at is not None


def under(shelf: Shelf, heading_paths: Sequence[tuple[str, ...] | None]) -> None:
    """Put the blocks of the one document below headings; None makes a heading of a block."""
    with shelf.engine.begin() as connection:
        for ordinal, path in enumerate(heading_paths):
            connection.execute(
                text(
                    "UPDATE blocks SET kind = :kind, heading_path = :path WHERE ordinal = :ordinal"
                    " AND version_id IN (SELECT id FROM document_versions"
                    " WHERE workspace_id = :w)"
                ),
                {
                    "kind": "paragraph" if path is not None else "heading",
                    "path": list(path or ()),
                    "ordinal": ordinal,
                    "w": shelf.workspace_id,
                },
            )


SECTIONS = ["Before.", "Sale items", "New ones first.", OLD, "Shoes too.", "Faulty goods", "Gone."]
SALES = ("Sale items",)


@pytest.mark.parametrize(
    ("heading_paths", "quote", "section"),
    [
        pytest.param(
            [(), None, SALES, SALES, SALES, None, ("Faulty goods",)],
            OLD,
            f"\nNew ones first.\n{OLD}\nShoes too.\n",
            id="between headings",
        ),
        pytest.param([()] * 7, OLD, "\n".join(SECTIONS), id="no headings"),
        pytest.param(
            [(), (), SALES, SALES, ("Sale items", "Shoes"), (), ()],
            OLD,
            f"\nNew ones first.\n{OLD}\n",
            id="between blocks under other headings",
        ),
        pytest.param(
            [(), None, SALES, SALES, SALES, None, ("Faulty goods",)],
            "Faulty",
            "Faulty goods\n",
            id="within a heading",
        ),
        pytest.param(
            [(), None, SALES, SALES, SALES, None, ("Faulty goods",)],
            "Shoes too.\nFaulty goods\nGone.",
            f"\nNew ones first.\n{OLD}\nShoes too.\nFaulty goods\nGone.",
            id="across a heading",
        ),
    ],
)
def test_a_quote_comes_with_where_its_section_stands(
    shelf: Shelf, heading_paths: list[tuple[str, ...] | None], quote: str, section: str
) -> None:
    """From the heading above it to the next one, which are no part of it."""
    shelf.publish("returns", SECTIONS)
    under(shelf, heading_paths)
    found = look(shelf, keep(shelf, [cite(shelf, "returns", quote)]))
    assert found is not None
    (words,) = found.words
    begins, ends = words.section
    assert words.quoted.text[begins:ends] == section


def test_a_refusal_is_cited_by_its_closest_words(shelf: Shelf) -> None:
    """They are told apart from what supports something."""
    shelf.publish("returns", [OLD])
    answer = Answer(
        new_answer_id(), "?", "policy", "refused", "No.", closest=cite(shelf, "returns", OLD)
    )
    with shelf.engine.begin() as connection:
        save_answer(connection, shelf.workspace_id, answer, turn_id=None, as_of=None, user_id=MARA)
    found = look(shelf, answer.id)

    assert found is not None
    assert [words.closest for words in found.words] == [True]


def test_the_last_answer_with_sources_counts(shelf: Shelf, answer_id: str) -> None:
    """A greeting after it does not, nor what stands in another channel."""
    post(shelf, answer_id, HELP)
    later = keep(shelf, [cite(shelf, "returns", OLD)], JONAS)
    post(shelf, later, LEADS)
    post(shelf, keep(shelf, []), HELP, "1.7")
    last = [
        last_cited_in(shelf.engine, shelf.workspace_id, place, JONAS) for place in (HELP, LEADS)
    ]

    assert last == [answer_id, later]
    assert last_cited_in(shelf.engine, shelf.workspace_id, "C0EMPTY", JONAS) is None


def test_an_answer_is_found_by_its_message_and_by_the_questions(
    shelf: Shelf, answer_id: str
) -> None:
    """Whichever of the two somebody points to."""
    team, question = "T1", "1.1"
    post(shelf, answer_id, HELP, "1.5")
    key = f"{team}:{HELP}:{question}"
    accept(
        shelf.engine,
        Arrival(
            workspace_id=shelf.workspace_id,
            kind="question",
            key=key,
            message_key=key,
            team=team,
            channel=HELP,
            ts=question,
            user_id=MARA,
            text="How long?",
            conversation=f"slack:{key}",
        ),
    )
    with shelf.engine.begin() as connection:
        connection.execute(
            text("UPDATE events SET answer_id = :id WHERE workspace_id = :w"),
            {"id": answer_id, "w": shelf.workspace_id},
        )
    found = [
        answer_of_message(shelf.engine, shelf.workspace_id, team, HELP, ts, JONAS)
        for ts in ("1.5", question, "9.9")
    ]

    assert found == [answer_id, answer_id, None]


def test_an_answer_is_as_fresh_as_its_least_fresh_source(shelf: Shelf, answer_id: str) -> None:
    """A file that was sent counts from when it came; without sources there is nothing to tell."""
    found = look(shelf, answer_id)
    assert found is not None
    ids = [words.citation.version_id for words in found.words]
    long_ago = datetime.now(UTC) - timedelta(days=3)
    with shelf.engine.begin() as connection:
        assert checked_at(connection, shelf.workspace_id, []) is None
        fresh = checked_at(connection, shelf.workspace_id, ids)
        connection.execute(
            text("UPDATE sources SET kind = 'folder', checked_at = :at WHERE workspace_id = :w"),
            {"at": long_ago, "w": shelf.workspace_id},
        )
        assert checked_at(connection, shelf.workspace_id, ids) == long_ago
        assert fresh is not None
        assert fresh > long_ago
