"""Roles that an operator gives people."""

from sqlalchemy import Engine

from store.access import KNOWLEDGE_ADMIN, Member
from store.audit import read_audit
from store.members import read_roles, save_member, set_roles


def test_roles_outlive_what_slack_tells_of_a_person(engine: Engine, workspace_id: int) -> None:
    """A role stays when the person's standing is learnt anew, and goes when it is taken away."""
    assert read_roles(engine, workspace_id, "U1") == frozenset()
    save_member(engine, workspace_id, Member("U1", "member"))
    set_roles(engine, workspace_id, "U1", [KNOWLEDGE_ADMIN], "operator")
    save_member(engine, workspace_id, Member("U1", "guest"))
    assert read_roles(engine, workspace_id, "U1") == {KNOWLEDGE_ADMIN}
    set_roles(engine, workspace_id, "U1", [], "operator")
    assert read_roles(engine, workspace_id, "U1") == frozenset()


def test_a_change_of_roles_is_recorded_once(engine: Engine, workspace_id: int) -> None:
    """Setting the same roles again is no change."""
    save_member(engine, workspace_id, Member("U1", "member"))
    for _ in range(2):
        set_roles(engine, workspace_id, "U1", [KNOWLEDGE_ADMIN], "operator")
    (entry,) = read_audit(engine, workspace_id)
    assert (entry.actor, entry.action, entry.subject) == ("operator", "roles changed", "U1")
    assert entry.detail == {"roles": [KNOWLEDGE_ADMIN]}
