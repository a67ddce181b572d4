"""The registry: candidates, a canary, the active model, and the way back."""

import pytest
from sqlalchemy import Engine

from core.errors import NotFoundError
from store.audit import read_audit
from store.model_registry import (
    Model,
    ModelStateError,
    active_model,
    find_model,
    list_models,
    list_verdicts,
    promote_model,
    register_model,
    retire_model,
    roll_back,
    save_verdict,
    serving_model,
    start_canary,
)
from tests.integration.store.shelf import Shelf

CONVERSATIONS = [f"T1:C1:{number}.000100" for number in range(2000)]


def _style(shelf: Shelf, name: str) -> Model:
    number = register_model(shelf.engine, shelf.workspace_id, "style", name, f"/models/{name}")
    return find_model(shelf.engine, shelf.workspace_id, number)


def _share_of(shelf: Shelf, model: Model) -> float:
    served = [
        serving_model(shelf.engine, shelf.workspace_id, "style", key) for key in CONVERSATIONS
    ]
    return sum(one is not None and one.id == model.id for one in served) / len(served)


def test_a_canary_answers_its_share_of_conversations(shelf: Shelf) -> None:
    """A conversation stays with one model while the share stands, and a larger share keeps it."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    old, new = _style(shelf, "old"), _style(shelf, "new")
    promote_model(engine, workspace_id, old.id)
    start_canary(engine, workspace_id, new.id, 5, "U1")
    at_five = {
        key
        for key in CONVERSATIONS
        if serving_model(engine, workspace_id, "style", key).name == "new"  # type: ignore[union-attr]
    }
    assert 0.03 < len(at_five) / len(CONVERSATIONS) < 0.07
    start_canary(engine, workspace_id, new.id, 25, "U1")
    assert 0.2 < _share_of(shelf, new) < 0.3
    for key in at_five:
        served = serving_model(engine, workspace_id, "style", key)
        assert served is not None
        assert served.name == "new"
    alone = serving_model(engine, workspace_id, "style", None)
    assert alone is not None
    assert alone.name == "old"


def test_the_way_back_leads_to_the_model_before(shelf: Shelf) -> None:
    """A canary is taken out first; then the active model gives way to the one before it."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    first, second, third = (_style(shelf, name) for name in ("first", "second", "third"))
    promote_model(engine, workspace_id, first.id)
    promote_model(engine, workspace_id, "second", "U1")
    start_canary(engine, workspace_id, third.id, 5, "U1")
    out, now = roll_back(engine, workspace_id, "style", "U1", "facts changed")
    assert (out.name, out.state) == ("third", "rejected")
    assert now is not None
    assert now.id == second.id
    out, now = roll_back(engine, workspace_id, "style", "U1", "worse")
    assert (out.name, out.state) == ("second", "retired")
    assert now is not None
    assert (now.name, now.state) == ("first", "active")
    out, now = roll_back(engine, workspace_id, "style", "U1", "none")
    assert out.name == "first"
    assert now is None
    with pytest.raises(ModelStateError, match="nothing to roll back"):
        roll_back(engine, workspace_id, "style", "U1", "again")
    actions = [entry.action for entry in read_audit(engine, workspace_id)]
    assert actions.count("model rolled back") == 3
    assert "model promoted" in actions


def test_two_models_of_a_kind_are_not_on_trial_at_once(shelf: Shelf) -> None:
    """The second has to wait, a retired one cannot be on trial, other kinds are apart."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    one, two = _style(shelf, "one"), _style(shelf, "two")
    start_canary(engine, workspace_id, one.id, 5, "U1")
    with pytest.raises(ModelStateError, match="one is on trial already"):
        start_canary(engine, workspace_id, two.id, 5, "U1")
    retire_model(engine, workspace_id, one.id, "U1")
    with pytest.raises(ModelStateError, match="one is retired"):
        start_canary(engine, workspace_id, one.id, 5, "U1")
    router = register_model(engine, workspace_id, "router", "one", "/models/router")
    start_canary(engine, workspace_id, two.id, 5, "U1")
    assert start_canary(engine, workspace_id, router, 5, "U1").kind == "router"
    assert [model.name for model in list_models(engine, workspace_id, "style")] == ["two", "one"]


def test_a_verdict_is_kept_with_its_evidence(shelf: Shelf) -> None:
    """A candidate that fails is rejected and cannot be on trial; one in use stays."""
    engine, workspace_id = shelf.engine, shelf.workspace_id
    model = _style(shelf, "leaky")
    save_verdict(engine, model, stage="gate", passed=False, reason="leaks", evidence={"leaks": 3})
    kept = find_model(engine, workspace_id, model.id)
    assert kept.state == "rejected"
    (verdict,) = list_verdicts(engine, model.id)
    assert (verdict.passed, verdict.reason, verdict.evidence) == (False, "leaks", {"leaks": 3})
    with pytest.raises(ModelStateError):
        start_canary(engine, workspace_id, model.id, 5, "U1")


def test_what_is_not_there_is_not_found(shelf: Shelf, shared_engine: Engine) -> None:
    """An unknown id or name says how to find the known ones."""
    with pytest.raises(NotFoundError, match="There is no model 999999; `footnote models list`"):
        find_model(shared_engine, shelf.workspace_id, 999999)
    assert active_model(shared_engine, shelf.workspace_id, "ranker") is None
