"""How the bot behaves in a channel: set with a record of it, and never over somebody's head."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from store.access import Scope
from store.audit import read_audit
from store.channels import (
    ChangedMeanwhileError,
    ChannelSettings,
    channel_settings,
    save_channel_settings,
)
from store.workspaces import ensure_workspace

QUIET = ChannelSettings(
    "C1",
    mode="all",
    answers="private",
    follow_ups=False,
    corrections=False,
    scope=Scope(frozenset({2, 1}), frozenset({"returns.md"})),
    language="German",
    tone="brief and warm",
    escalation_channel="C9",
)


@pytest.fixture
def workspace_id(shared_engine: Engine, request: pytest.FixtureRequest) -> int:
    """A workspace of the test's own."""
    return ensure_workspace(shared_engine, request.node.name)


def save(engine: Engine, workspace_id: int, settings: ChannelSettings, actor: str) -> None:
    """Set a channel's settings as somebody who has just looked at them."""
    seen = channel_settings(engine, workspace_id, settings.channel_id).changed_at
    with engine.begin() as connection:
        save_channel_settings(connection, workspace_id, settings, actor, seen=seen)


def test_settings_are_read_back_as_they_were_set(shared_engine: Engine, workspace_id: int) -> None:
    """All of them, and who set them; another channel and another workspace keep the usual ones."""
    save(shared_engine, workspace_id, QUIET, "U1")
    kept = channel_settings(shared_engine, workspace_id, "C1")
    assert replace(kept, changed_by=None, changed_at=None) == QUIET
    assert kept.changed_by == "U1"
    assert channel_settings(shared_engine, workspace_id, "C2") == ChannelSettings("C2")
    elsewhere = ensure_workspace(shared_engine, "elsewhere")
    assert channel_settings(shared_engine, elsewhere, "C1") == ChannelSettings("C1")


def test_a_change_is_kept_in_the_audit_log(shared_engine: Engine, workspace_id: int) -> None:
    """With what changed and nothing else; to save what is there already is no change."""
    save(shared_engine, workspace_id, QUIET, "U1")
    save(shared_engine, workspace_id, replace(QUIET, mode="off", scope=None), "U2")
    save(shared_engine, workspace_id, replace(QUIET, mode="off", scope=None), "U3")
    last, first = read_audit(shared_engine, workspace_id)
    assert (last.actor, last.action, last.subject) == ("U2", "channel settings changed", "C1")
    assert last.detail == {"mode": "off", "sources": None, "documents": None}
    assert first.detail["language"] == "German"
    assert channel_settings(shared_engine, workspace_id, "C1").changed_by == "U2"


def test_the_second_of_two_is_told_what_the_first_did(
    shared_engine: Engine, workspace_id: int
) -> None:
    """Nothing is overwritten that was not looked at; after a look it can be."""
    with shared_engine.begin() as connection:
        save_channel_settings(connection, workspace_id, QUIET, "U1", seen=None)
    mine = replace(QUIET, tone="formal")
    with (
        pytest.raises(ChangedMeanwhileError, match="U1 changed these settings at") as told,
        shared_engine.begin() as connection,
    ):
        save_channel_settings(connection, workspace_id, mine, "U2", seen=None)
    assert told.value.now.tone == "brief and warm"
    with shared_engine.begin() as connection:
        seen = told.value.now.changed_at
        changed = save_channel_settings(connection, workspace_id, mine, "U2", seen=seen)
    assert changed == {"tone": "formal"}


def test_a_post_in_a_channel_is_no_change_of_its_settings(
    shared_engine: Engine, workspace_id: int
) -> None:
    """The row that paces a channel's messages counts as set by nobody."""
    with shared_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO channels (workspace_id, channel_id, next_post_at)"
                " VALUES (:id, 'C1', now())"
            ),
            {"id": workspace_id},
        )
    assert channel_settings(shared_engine, workspace_id, "C1") == ChannelSettings("C1")
    save(shared_engine, workspace_id, QUIET, "U1")
    assert channel_settings(shared_engine, workspace_id, "C1").mode == "all"
