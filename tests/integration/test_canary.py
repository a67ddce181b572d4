"""A model on trial in kept conversations, judged as the watch does."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, text

from evaluation.canary import run_canary_watch, watch
from store import tables
from store.answers import Answer, StyleOutcome, new_answer_id, save_answer
from store.conversations import add_exchange, ensure_conversation
from store.jobs import find_job, submit
from store.model_registry import (
    WATCH_CANARY,
    Model,
    active_model,
    find_model,
    list_verdicts,
    promote_model,
    register_model,
    start_canary,
)
from store.schedules import list_schedules
from store.workspaces import ensure_workspace

_numbers = itertools.count(1)
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def workspace(shared_engine: Engine) -> int:
    """A workspace of a test's own."""
    return ensure_workspace(shared_engine, f"canaries-{next(_numbers)}")


def _style(engine: Engine, workspace: int, name: str) -> Model:
    return find_model(engine, workspace, register_model(engine, workspace, "style", name, name))


def _answered(
    engine: Engine,
    workspace: int,
    model: Model | None,
    outcome: StyleOutcome | None = "styled",
    *,
    thumb: int | None = None,
) -> None:
    """Keep an answer in a conversation of its own."""
    conversation = ensure_conversation(engine, workspace, f"c{next(_numbers)}")
    answer = Answer(
        id=new_answer_id(),
        question="q",
        route="policy",
        outcome="answered",
        text="a",
        trace={"models": {"style": model.id} if model else {}},
        style_outcome=outcome,
    )
    with engine.begin() as connection:
        turn = add_exchange(connection, conversation, "q", "a")
        save_answer(connection, workspace, answer, turn_id=turn, as_of=None)
        if thumb is not None:
            connection.execute(
                insert(tables.feedback).values(answer_id=answer.id, user_id="U1", rating=thumb)
            )


def test_a_good_canary_goes_up_to_all_conversations(shared_engine: Engine, workspace: int) -> None:
    """5 → 25 → 100 %, each step after enough conversations at it, each a verdict."""
    old, new = (_style(shared_engine, workspace, name) for name in ("old", "new"))
    promote_model(shared_engine, workspace, old.id)
    start_canary(shared_engine, workspace, new.id, 5, "U1")
    assert [one.kind for one in list_schedules(shared_engine, workspace)] == [WATCH_CANARY]
    judged = watch(shared_engine, workspace, "style", LATER)
    assert judged is not None
    assert judged.step == "wait"
    shares = []
    for _ in range(2):
        for _ in range(20):
            _answered(shared_engine, workspace, new)
            _answered(shared_engine, workspace, old)
        watch(shared_engine, workspace, "style", LATER)
        shares.append(find_model(shared_engine, workspace, new.id).share)
        with shared_engine.begin() as connection:  # what came before the step does not count
            connection.execute(
                text("UPDATE answers SET created_at = now() - interval '2 days'"
                     " WHERE workspace_id = :id"), {"id": workspace}
            )  # fmt: skip
    assert shares == [25, 100]
    active = active_model(shared_engine, workspace, "style")
    assert active is not None
    assert active.id == new.id
    assert [verdict.stage for verdict in list_verdicts(shared_engine, new.id)] == ["canary"] * 2
    assert list_verdicts(shared_engine, new.id)[0].evidence["its"]["conversations"] == 20
    assert watch(shared_engine, workspace, "style", LATER) is None
    assert list_schedules(shared_engine, workspace) == []


def test_a_canary_that_changes_facts_goes_back(shared_engine: Engine, workspace: int) -> None:
    """The model before answers all again, and why is kept with the counts."""
    old, new = (_style(shared_engine, workspace, name) for name in ("old", "new"))
    promote_model(shared_engine, workspace, old.id)
    start_canary(shared_engine, workspace, new.id, 5, "U1")
    for outcome in ["facts_changed"] * 6 + ["styled"] * 6:
        _answered(shared_engine, workspace, new, outcome)  # type: ignore[arg-type]
    with shared_engine.begin() as connection:
        job = submit(connection, workspace, WATCH_CANARY, "style", {"kind": "style"})
    run_canary_watch(shared_engine, job)
    done = find_job(shared_engine, job)
    assert done is not None
    assert done.result == {"step": "back", "reason": "it changed facts in 6 of 12 answers"}
    assert find_model(shared_engine, workspace, new.id).state == "rejected"
    (verdict,) = list_verdicts(shared_engine, new.id)
    assert (verdict.passed, verdict.against_id) == (False, old.id)
    assert verdict.evidence["its"]["facts_changed"] == 6


def test_a_canary_that_people_dislike_goes_back(shared_engine: Engine, workspace: int) -> None:
    """Thumbs are compared with those of the same days, where no model styles too."""
    new = _style(shared_engine, workspace, "new")
    start_canary(shared_engine, workspace, new.id, 25, "U1")
    for number in range(12):
        _answered(shared_engine, workspace, new, thumb=-1 if number < 10 else 1)
        _answered(shared_engine, workspace, None, None, thumb=-1 if number < 2 else 1)
    judged = watch(shared_engine, workspace, "style", LATER)
    assert judged is not None
    assert judged.step == "back"
    assert judged.reason == "thumbs down: 10 of 12, against 2 of 12 elsewhere"
    assert active_model(shared_engine, workspace, "style") is None
