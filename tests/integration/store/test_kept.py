"""What is kept beside documents: answers, files, models; and a workspace's end takes all."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from core.errors import NotFoundError
from store import tables
from store.access import Member
from store.answers import Answer, Citation, Claim, find_answer, new_answer_id, save_answer
from store.audit import record
from store.blobs import read_blob, save_blob
from store.conversations import Turn, add_turn, ensure_conversation
from store.datasets import DatasetRow, save_dataset
from store.jobs import submit
from store.members import save_member
from store.model_registry import (
    active_model,
    find_model,
    promote_model,
    register_model,
    save_verdict,
)
from store.names import save_names
from store.runs import add_run_event, report_step, start_run
from store.uploads import open_upload
from store.usage import Limits, count_message
from store.workspaces import delete_workspace, ensure_workspace, workspace_keys
from tests.integration.store.asked import ask
from tests.integration.store.shelf import Shelf, day


def _citation(shelf: Shelf, number: int = 1) -> Citation:
    done = shelf.publish(
        "returns", ["Fünf Tage — “sale”."], since="2026-01-01", until="2027-01-01"
    )
    return Citation(
        number=number,
        version_id=done.version_id,
        document="returns",
        title="Returns",
        version=1,
        section=("Sale › items", "B"),
        page=2,
        start=0,
        end=4,
        quote="Fünf",
        effective_from=day("2026-01-01"),
        effective_to=day("2027-01-01"),
        link="http://127.0.0.1:8400/documents/1?start=0&end=4",
    )


def _answer(shelf: Shelf) -> Answer:
    """Return an answer with every field set."""
    one = _citation(shelf)
    return Answer(
        id=new_answer_id(),
        question="How long? “é”",
        route="policy",
        outcome="answered",
        text="Fünf Tage. Fünf.",
        claims=(Claim("Fünf Tage.", (one, replace(one, number=2, end=9))), Claim("Fünf.", (one,))),
        closest=replace(one, number=3, section=(), page=None, link=None),
        choices=("annual leave", "parental leave"),
        note="without the model",
        reference="0badcafe",
        seconds=0.125,
        trace={"timings": {"route": 0.1}, "dropped": [], "style": None},
    )


def _save(shelf: Shelf, answer: Answer) -> None:
    with shelf.engine.begin() as connection:
        save_answer(connection, shelf.workspace_id, answer, turn_id=None, as_of=datetime.now(UTC))


def _find(shelf: Shelf, workspace_id: int, answer_id: str) -> Answer | None:
    with shelf.engine.connect() as connection:
        return find_answer(connection, workspace_id, answer_id)


def test_an_answer_is_read_back_equal(shelf: Shelf) -> None:
    """Claims, citations in their order, the closest words, choices and trace: all as saved."""
    answer = _answer(shelf)
    _save(shelf, answer)
    found = _find(shelf, shelf.workspace_id, answer.id)
    assert found == answer
    assert found is not None
    assert found.to_json() == answer.to_json()
    assert [citation.number for citation in found.citations] == [1, 2]


def test_a_bare_answer_is_read_back_equal(shelf: Shelf) -> None:
    """An answer with nothing but its words has nothing else when it is read."""
    answer = Answer(new_answer_id(), "hi", "small_talk", "answered", "Hello.")
    _save(shelf, answer)
    assert _find(shelf, shelf.workspace_id, answer.id) == answer


def test_an_answer_belongs_to_its_workspace(shelf: Shelf) -> None:
    """Another workspace does not find it by its id, and an unknown id finds nothing."""
    answer = _answer(shelf)
    _save(shelf, answer)
    other = ensure_workspace(shelf.engine, f"other-{shelf.workspace_id}")
    assert _find(shelf, other, answer.id) is None
    assert _find(shelf, shelf.workspace_id, "000000000000") is None


def test_a_cited_version_stays_as_the_citation_has_it(shelf: Shelf) -> None:
    """A newer version changes nothing about what an answer quoted."""
    answer = _answer(shelf)
    _save(shelf, answer)
    shelf.publish("returns", ["Ten days."], since="2026-02-01")
    assert _find(shelf, shelf.workspace_id, answer.id) == answer


@pytest.mark.parametrize(
    ("start", "end"), [(-1, 4), (4, 4), (5, 4)], ids=["before the text", "empty", "backwards"]
)
def test_impossible_offsets_are_refused(start: int, end: int, shelf: Shelf) -> None:
    """The database keeps no citation without words, and nothing of its answer."""
    answer = replace(_answer(shelf), closest=replace(_citation(shelf), start=start, end=end))
    with pytest.raises(IntegrityError, match="offsets"):
        _save(shelf, answer)
    assert _find(shelf, shelf.workspace_id, answer.id) is None


def test_ids_of_answers_cannot_be_guessed() -> None:
    """Twelve hex digits, a thousand of them different."""
    ids = {new_answer_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)


def test_a_file_is_kept_once_and_whole(shelf: Shelf) -> None:
    """The same bytes are one row, and come back byte for byte; another workspace has its own."""
    data = bytes(range(256)) * 40
    with shelf.engine.begin() as connection:
        first, again = (save_blob(connection, shelf.workspace_id, data) for _ in range(2))
    assert first == again == hashlib.sha256(data).hexdigest()
    assert shelf.rows()["blobs"] == 1
    assert read_blob(shelf.engine, shelf.workspace_id, first) == data
    other = ensure_workspace(shelf.engine, f"files-{shelf.workspace_id}")
    assert read_blob(shelf.engine, other, first) is None


def test_one_model_of_a_kind_is_active(shelf: Shelf) -> None:
    """A candidate is active once promoted; the one before it is retired; other kinds stay."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    style = [register_model(engine, workspace_id, "style", name, f"/{name}") for name in "ab"]
    router = register_model(engine, workspace_id, "router", "r", "/r")
    assert active_model(engine, workspace_id, "style") is None
    for model_id in (*style, router):
        promote_model(engine, workspace_id, model_id)
    active = active_model(engine, workspace_id, "style")
    assert active is not None
    assert (active.id, active.name, active.state, active.artefact) == (
        style[1],
        "b",
        "active",
        "/b",
    )
    assert active.evidence == {}
    promote_model(engine, workspace_id, style[0])
    again = active_model(engine, workspace_id, "style")
    assert again is not None
    assert again.id == style[0]
    assert active_model(engine, workspace_id, "router") is not None


def test_another_workspace_s_model_is_not_promoted(shelf: Shelf) -> None:
    """An id from elsewhere changes nothing, neither there nor here."""
    engine = shelf.engine
    other = ensure_workspace(engine, f"models-{shelf.workspace_id}")
    mine = register_model(engine, shelf.workspace_id, "style", "mine", "/m")
    theirs = register_model(engine, other, "style", "theirs", "/t")
    promote_model(engine, shelf.workspace_id, mine)
    with pytest.raises(NotFoundError, match=f"There is no model {theirs}; "):
        promote_model(engine, shelf.workspace_id, theirs)
    kept = active_model(engine, shelf.workspace_id, "style")
    assert kept is not None
    assert kept.id == mine
    assert active_model(engine, other, "style") is None


def test_a_workspace_is_made_once(shared_engine: Engine) -> None:
    """A key names one workspace, whatever name comes with it later."""
    first = ensure_workspace(shared_engine, "eval:1", "policies")
    assert ensure_workspace(shared_engine, "eval:1", "other") == first
    ensure_workspace(shared_engine, "eval:2", "policies")
    assert sorted(workspace_keys(shared_engine, "policies")) == ["eval:1", "eval:2"]


def _fill(shelf: Shelf, key: str) -> None:
    """Put at least one row into every table that belongs to a workspace."""
    answer = replace(_answer(shelf), id=f"{shelf.workspace_id:012d}")
    engine, workspace_id = shelf.engine, shelf.workspace_id
    conversation = ensure_conversation(engine, workspace_id, key)
    save_member(engine, workspace_id, Member("U1", "member"))
    register_model(engine, workspace_id, "style", "a", "/a")
    with engine.begin() as connection:
        turn = add_turn(connection, conversation, Turn("asker", "q"), event_key="Ev")
        save_answer(connection, workspace_id, answer, turn_id=turn, as_of=None)
        submit(connection, workspace_id, "ingest_file", key, {})
        connection.execute(
            insert(tables.feedback).values(answer_id=answer.id, user_id="U1", rating=1)
        )
        open_upload(connection, workspace_id, "U1", "0" * 64)
        record(connection, workspace_id, "U1", "document deleted", "returns")
        _fill_places(connection, workspace_id, key)
    _fill_slack(shelf, key)
    _fill_voice(shelf)


def _fill_voice(shelf: Shelf) -> None:
    """Do the same for the tables of the voice: a dataset, a run with all it left, a verdict."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    rows = [DatasetRow("train", {"text": "Hello", "label": "small_talk"}, "c1")]
    with engine.begin() as connection:
        dataset, _ = save_dataset(connection, workspace_id, "tone", "routes", rows, {}, "U1")
        run_id, _ = start_run(
            connection,
            dataset,
            name="router",
            kind="router",
            backend="router",
            base=None,
            recipe={},
            requested_by="U1",
        )
        connection.execute(
            insert(tables.retraining_rules).values(
                workspace_id=workspace_id, kind="router", backend="router", updated_by="U1"
            )
        )
        connection.execute(
            insert(tables.evaluations).values(
                workspace_id=workspace_id, kind="style", name="weekly", figures={}
            )
        )
    save_names(engine, workspace_id, {"U1": ["Anna"]})
    report_step(engine, run_id, 1, 2, {"loss": 0.5})
    add_run_event(engine, run_id, "began")
    model = find_model(engine, workspace_id, "a")
    save_verdict(engine, model, stage="gate", passed=True, reason="better", evidence={})


def _fill_places(connection: Connection, workspace_id: int, key: str) -> None:
    """Do the same for the tables around sources, schedules, words and tokens."""
    ours = {"workspace_id": workspace_id}
    source = connection.execute(
        insert(tables.sources)
        .values(**ours, kind="folder", name="handbook", uri="/handbook")
        .returning(tables.sources.c.id)
    ).scalar_one()
    connection.execute(insert(tables.source_items).values(source_id=source, key="a.md"))
    schedule = connection.execute(
        insert(tables.schedules)
        .values(**ours, kind="sync_source", key=str(source), every=60)
        .returning(tables.schedules.c.id)
    ).scalar_one()
    connection.execute(insert(tables.ticks).values(schedule_id=schedule, tick=day("2026-01-01")))
    connection.execute(
        insert(tables.glossary).values(**ours, term="PTO", expansion="time off", state="active")
    )
    connection.execute(insert(tables.tokens).values(**ours, name="ci", sha256=key, roles=[]))


def _fill_slack(shelf: Shelf, key: str) -> None:
    """Do the same for the tables of Slack: questions with all that followed, an installation."""
    ours = {"workspace_id": shelf.workspace_id}
    ask(shelf, "canary")
    count_message(shelf.engine, shelf.workspace_id, "U1", Limits())
    with shelf.engine.begin() as connection:
        connection.execute(insert(tables.channels).values(**ours, channel_id="C7", mode="all"))
        connection.execute(
            insert(tables.installations).values(**ours, team_id=f"T-{key}", sealed=b"sealed")
        )


def test_a_deleted_workspace_leaves_no_row(engine: Engine) -> None:
    """Every table is as before, the vector table is gone, and the neighbour keeps everything."""
    kept = Shelf(engine, ensure_workspace(engine, "kept"))
    _fill(kept, "kept")
    before = _rows(engine)
    assert not [name for name, count in before.items() if count == 0]
    vector_tables = _vector_tables(engine)
    _fill(Shelf(engine, ensure_workspace(engine, "gone")), "gone")
    delete_workspace(engine, "gone")
    assert _rows(engine) == before
    assert _vector_tables(engine) == vector_tables
    delete_workspace(engine, "never was")
    assert _rows(engine) == before


def _rows(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in tables.metadata.sorted_tables
            if table is not tables.oauth_states  # of installing the app, before there is a team
        }


def _vector_tables(engine: Engine) -> list[str]:
    return sorted(name for name in inspect(engine).get_table_names() if "vectors_" in name)
