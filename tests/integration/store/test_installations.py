"""Installations and OAuth states in Postgres."""

import itertools
import threading

import pytest
from sqlalchemy import Engine, text

from store.installations import (
    KeptInstallation,
    find_enterprise_installation,
    find_installation,
    find_workspace_installation,
    keep_state,
    list_installations,
    remove_installation,
    save_installation,
    seal_anew,
    take_state,
)
from store.workspaces import ensure_workspace

_numbers = itertools.count(1)


@pytest.fixture
def team(shared_engine: Engine) -> tuple[str, int]:
    """A team's id and its workspace, not installed yet."""
    team_id = f"TINST{next(_numbers)}"
    return team_id, ensure_workspace(shared_engine, team_id, f"Team {team_id}")


def found(engine: Engine, team_id: str) -> KeptInstallation:
    """The installation of a team, which must be there."""
    kept = find_installation(engine, team_id)
    assert kept is not None
    return kept


def test_an_installation_is_found_by_team_enterprise_and_workspace(
    shared_engine: Engine, team: tuple[str, int]
) -> None:
    """Each of the three leads to what was kept, with the workspace's name."""
    team_id, workspace_id = team
    save_installation(shared_engine, team_id, workspace_id, b"s", enterprise_id=f"E{team_id}")
    kept = found(shared_engine, team_id)
    assert (kept.workspace_id, kept.sealed, kept.name) == (workspace_id, b"s", f"Team {team_id}")
    assert find_enterprise_installation(shared_engine, f"E{team_id}") == kept
    assert find_workspace_installation(shared_engine, workspace_id) == kept
    assert find_installation(shared_engine, "TNOWHERE") is None
    assert find_enterprise_installation(shared_engine, team_id) is None


def test_a_later_installation_takes_the_earlier_ones_place(
    shared_engine: Engine, team: tuple[str, int]
) -> None:
    """A team has one installation, and what changed can be told by its time."""
    team_id, workspace_id = team
    save_installation(shared_engine, team_id, workspace_id, b"first")
    before = found(shared_engine, team_id)
    save_installation(shared_engine, team_id, workspace_id, b"second")
    after = found(shared_engine, team_id)
    assert after.sealed == b"second"
    assert after.updated_at > before.updated_at
    assert [k.team_id for k in list_installations(shared_engine)].count(team_id) == 1


def test_a_removed_installation_keeps_no_token(
    shared_engine: Engine, team: tuple[str, int]
) -> None:
    """It is found no more, stays in the list with when it ended, and can come back."""
    team_id, workspace_id = team
    save_installation(shared_engine, team_id, workspace_id, b"token", actor="U1")
    assert remove_installation(shared_engine, team_id)
    assert not remove_installation(shared_engine, team_id)
    assert find_installation(shared_engine, team_id) is None
    assert find_workspace_installation(shared_engine, workspace_id) is None
    (listed,) = [k for k in list_installations(shared_engine) if k.team_id == team_id]
    assert (listed.sealed, listed.removed_at is None) == (b"", False)
    save_installation(shared_engine, team_id, workspace_id, b"again")
    assert found(shared_engine, team_id).removed_at is None
    with shared_engine.connect() as connection:
        log = connection.execute(
            text("SELECT actor, action FROM audit_log WHERE workspace_id = :id ORDER BY id"),
            {"id": workspace_id},
        ).all()
    assert [tuple(entry) for entry in log] == [
        ("U1", "app installed"), ("slack", "app removed"), ("slack", "app installed"),
    ]  # fmt: skip


def test_sealing_anew_never_undoes_an_installation(
    shared_engine: Engine, team: tuple[str, int]
) -> None:
    """A token that was replaced meanwhile is not put back under another key."""
    team_id, workspace_id = team
    save_installation(shared_engine, team_id, workspace_id, b"old key")
    assert seal_anew(shared_engine, team_id, b"old key", b"new key")
    assert not seal_anew(shared_engine, team_id, b"old key", b"third key")
    assert found(shared_engine, team_id).sealed == b"new key"


def test_a_state_is_good_once(shared_engine: Engine) -> None:
    """One of many who come with it at once is let in, and nobody after."""
    keep_state(shared_engine, "state-once", 60)
    let_in: list[bool] = []
    threads = [
        threading.Thread(target=lambda: let_in.append(take_state(shared_engine, "state-once")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(let_in) == [False] * 5 + [True]
    assert not take_state(shared_engine, "state-never-kept")


def test_a_state_grows_old_and_is_kept_as_a_hash(shared_engine: Engine) -> None:
    """One whose time is over is not taken; the table never holds the state itself."""
    keep_state(shared_engine, "state-late", -1)
    keep_state(shared_engine, "state-fresh", 60)
    with shared_engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM oauth_states")).all())
    assert "state-" not in kept
    assert not take_state(shared_engine, "state-late")
    assert take_state(shared_engine, "state-fresh")
