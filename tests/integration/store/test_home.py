"""What the home tab tells of: what the viewer may read, what they asked, what was sent."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from store.access import KNOWLEDGE_ADMIN, MEMBER, OPERATOR_ACCESS, Access, Member
from store.answers import Answer, Outcome, save_answer
from store.events import Arrival, accept
from store.home import (
    knowledge_admins,
    own_questions,
    pending_transcripts,
    recent_uploads,
    scope_choices,
    sections_to_ask,
    source_health,
    unanswered,
)
from store.members import save_member, set_roles
from store.sources import NewSource, add_source, note_look
from store.uploads import open_upload
from store.workspaces import ensure_workspace
from tests.integration.store.shelf import Shelf

FEW = Access(MEMBER | {"group:HR"}, MEMBER | {"group:HR"})


@pytest.fixture
def shelf(shared_engine: Engine, request: pytest.FixtureRequest) -> Shelf:
    """Two policies, one of them for a few."""
    made = Shelf(shared_engine, ensure_workspace(shared_engine, f"home {request.node.name}"))
    made.publish("returns", ["Fourteen days."], title="Returns policy")
    made.publish("salaries", ["Much."], title="Salaries", audience=["group:HR"])
    return made


def head(shelf: Shelf, title: str, section: str) -> None:
    """Let a document's passages stand under a heading."""
    with shelf.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE version_chunks p SET heading_path = ARRAY[v.title, :section]"
                " FROM document_versions v WHERE v.id = p.version_id AND v.title = :title"
                " AND v.workspace_id = :id"
            ),
            {"section": section, "title": title, "id": shelf.workspace_id},
        )


def answered(
    shelf: Shelf, answer_id: str, outcome: Outcome = "answered", user: str = "U1"
) -> None:
    """Keep an answer to somebody."""
    with shelf.engine.begin() as connection:
        answer = Answer(answer_id, f"question {answer_id}?", "policy", outcome, "Words.")
        save_answer(connection, shelf.workspace_id, answer, turn_id=None, as_of=None, user_id=user)


def asked(shelf: Shelf, answer_id: str, channel: str, *, private: bool = False) -> None:
    """Keep the event of a question that was refused."""
    answered(shelf, answer_id, "refused")
    detail = {"private": True} if private else {}
    arrival = Arrival(
        workspace_id=shelf.workspace_id, kind="question", key=answer_id, message_key=answer_id,
        team="T1", channel=channel, ts="1.0", user_id="U1", text="?", conversation=None,
        thread_ts=None, delivery_id=None, addressed=True, detail=detail,
    )  # fmt: skip
    accept(shelf.engine, arrival)
    with shelf.engine.begin() as connection:
        connection.execute(
            text("UPDATE events SET answer_id = :id WHERE key = :id AND workspace_id = :w"),
            {"id": answer_id, "w": shelf.workspace_id},
        )


@pytest.mark.parametrize(("access", "readable"), [(OPERATOR_ACCESS, 1), (FEW, 2)])
def test_only_what_may_be_read_is_counted(access: Access, readable: int, shelf: Shelf) -> None:
    """A source says how many of its documents the viewer may read, and how its looks went."""
    new = NewSource("folder", "handbook", "/handbook", {}, ["everyone"], every=60)
    source = add_source(shelf.engine, shelf.workspace_id, new, "U1")
    note_look(shelf.engine, source.id, failure="The folder is gone.")
    handbook, uploads = source_health(shelf.engine, shelf.workspace_id, access)
    assert (handbook.name, handbook.documents, handbook.every) == ("handbook", 0, 60)
    assert (handbook.failure, handbook.checked_at) == ("The folder is gone.", None)
    assert (uploads.watched, uploads.documents) == (False, readable)


@pytest.mark.parametrize(
    ("access", "titles"),
    [(OPERATOR_ACCESS, ["Returns policy"]), (FEW, ["Returns policy", "Salaries"])],
)
def test_only_what_may_be_read_is_named(access: Access, titles: list[str], shelf: Shelf) -> None:
    """Neither what to ask nor what to choose from tells of a title that is for others."""
    head(shelf, "Returns policy", "Sale items")
    head(shelf, "Salaries", "Bonus")
    asked_about = sections_to_ask(shelf.engine, shelf.workspace_id, access)
    assert [title for title, _ in asked_about] == titles
    assert asked_about[0][1] == "Sale items"
    sources, documents = scope_choices(shelf.engine, shelf.workspace_id, access)
    assert [source.name for source in sources] == ["Uploads"]
    assert [document.name for document in documents] == titles
    assert documents[0].key == "returns"


def test_a_title_is_no_section_of_itself(shelf: Shelf) -> None:
    """A document whose only heading is its title is not asked about by a section."""
    head(shelf, "Returns policy", "returns policy")
    assert sections_to_ask(shelf.engine, shelf.workspace_id, OPERATOR_ACCESS) == []


def test_one_s_own_questions_come_back_the_latest_first(shelf: Shelf) -> None:
    """Nobody else's, no small talk, nothing forgotten, and a corrected one once."""
    prefix = f"{shelf.workspace_id}-"
    for number in range(7):
        answered(shelf, f"{prefix}{number}")
    answered(shelf, f"{prefix}other", user="U2")
    with shelf.engine.begin() as connection:
        for change in (
            "superseded_by = :last WHERE id = :first",
            "question = ' ' WHERE id = :second",
            "route = 'small_talk' WHERE id = :third",
        ):
            connection.execute(
                text(f"UPDATE answers SET {change}"),
                {
                    "last": f"{prefix}6",
                    "first": f"{prefix}5",
                    "second": f"{prefix}4",
                    "third": f"{prefix}3",
                },
            )
    found = own_questions(shelf.engine, shelf.workspace_id, "U1", most=3)
    assert [one.answer_id for one in found] == [f"{prefix}{n}" for n in (5, 2, 1)]
    assert [one.superseded for one in found] == [True, False, False]
    assert not found[0].cited


def test_what_found_nothing_is_counted_and_named_where_it_was_public(shelf: Shelf) -> None:
    """Questions of a direct message are counted, and their words stay there."""
    prefix = f"{shelf.workspace_id}-"
    asked(shelf, f"{prefix}public", "C1")
    asked(shelf, f"{prefix}private", "D1", private=True)
    asked(shelf, f"{prefix}old", "C1")
    answered(shelf, f"{prefix}fine")
    with shelf.engine.begin() as connection:
        connection.execute(
            text("UPDATE answers SET created_at = :then WHERE id = :id"),
            {"then": datetime.now(UTC) - timedelta(days=8), "id": f"{prefix}old"},
        )
    count, named = unanswered(shelf.engine, shelf.workspace_id)
    assert count == 2
    assert [(one.question, one.channel) for one in named] == [(f"question {prefix}public?", "C1")]


def test_uploads_tell_how_far_they_are(shelf: Shelf) -> None:
    """Files to be fetched, read, refused; titles only of what the viewer may read."""
    with shelf.engine.begin() as connection:
        upload, _ = open_upload(
            connection, shelf.workspace_id, "U1", "sha", refused=[{"file": "logo.exe"}],
            reply={"wanted": [{"id": "F1", "name": "a.md"}]},
        )  # fmt: skip
        for key, title, state in (
            ("returns", "Returns policy", "succeeded"),
            ("salaries", "Salaries", "succeeded"),
            ("x", "X", "failed"),
            ("y", "Y", "queued"),
        ):
            connection.execute(
                text(
                    "INSERT INTO jobs (workspace_id, kind, key, payload, upload_id, state, result)"
                    " VALUES (:w, 'ingest_file', :key, '{}', :upload, :state,"
                    " CAST(:result AS jsonb))"
                ),
                {
                    "w": shelf.workspace_id,
                    "key": key,
                    "upload": upload.id,
                    "state": state,
                    "result": json.dumps({"document": key, "title": title}),
                },
            )
    (seen,) = recent_uploads(shelf.engine, shelf.workspace_id, OPERATOR_ACCESS)
    assert (seen.author, seen.files, seen.waiting, seen.refused) == ("U1", 6, 2, 2)
    assert seen.documents == ("Returns policy",)
    (seen,) = recent_uploads(shelf.engine, shelf.workspace_id, FEW)
    assert seen.documents == ("Returns policy", "Salaries")


def test_curators_and_admins_see_who_and_what_waits(shelf: Shelf) -> None:
    """Transcripts that wait are counted; knowledge admins who are full members are named."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    for state in ("candidate", "candidate", "approved"):
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO transcripts (workspace_id, origin, origin_key, messages,"
                    " audience, added_by, state) VALUES (:w, 'import',"
                    " gen_random_uuid()::text, '[]', '{everyone}', 'U1', :state)"
                ),
                {"w": workspace_id, "state": state},
            )
    assert pending_transcripts(engine, workspace_id) == 2
    for user, standing in (("U1", "member"), ("U2", "guest"), ("U3", "member")):
        save_member(engine, workspace_id, Member(user, standing))  # type: ignore[arg-type]
    for user in ("U1", "U2"):
        set_roles(engine, workspace_id, user, [KNOWLEDGE_ADMIN], "operator")
    assert knowledge_admins(engine, workspace_id) == ["U1"]
