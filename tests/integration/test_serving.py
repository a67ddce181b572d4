"""Which local models are served, and to whom; the process that speaks is tried elsewhere."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from finetune.serving import Place, ServingError, names_by_folder, wanted_models
from store.model_registry import (
    find_model,
    promote_model,
    register_model,
    retire_model,
    roll_back,
    start_canary,
)
from tests.unit.finetune.bases import write_base


@pytest.fixture
def local(engine: Engine, workspace_id: int, tmp_path: Path) -> dict[str, int]:
    """Five local models by their names, all candidates."""
    return {
        name: register_model(
            engine, workspace_id, "style", name, str(write_base(tmp_path / name)), backend="local"
        )
        for name in ("a", "b", "c", "d", "e")
    }


def test_what_is_in_use_or_may_be_next_is_served(
    engine: Engine, workspace_id: int, local: dict[str, int]
) -> None:
    """The active model, the one before it, the canary and the newest candidate; no others."""

    def served() -> set[str]:
        return {one.name for one in wanted_models(engine, workspace_id, ())}

    assert served() == {"e"}
    promote_model(engine, workspace_id, local["a"])
    promote_model(engine, workspace_id, local["b"])
    start_canary(engine, workspace_id, local["c"], 5, "test")
    assert served() == {"a", "b", "c", "e"}
    promote_model(engine, workspace_id, local["c"])
    assert served() == {"b", "c", "e"}
    roll_back(engine, workspace_id, "style", "test", "a test")
    assert served() >= {"a", "b", "e"}
    retire_model(engine, workspace_id, local["b"], "test")
    assert served() == {"e"}


@pytest.mark.usefixtures("local")
def test_models_of_elsewhere_are_left_alone(
    engine: Engine, workspace_id: int, tmp_path: Path
) -> None:
    """A provider's model, and a folder that is gone, are not served; naming one is told."""
    hosted = register_model(engine, workspace_id, "style", "hosted", "ft:gpt-5-mini:x")
    gone = register_model(engine, workspace_id, "style", "gone", str(tmp_path / "gone"))
    promote_model(engine, workspace_id, hosted)
    start_canary(engine, workspace_id, gone, 5, "test")
    assert {one.name for one in wanted_models(engine, workspace_id, ())} == {"e"}
    for name in ("hosted", "gone"):
        with pytest.raises(ServingError, match=f"{name} is no model of this machine"):
            wanted_models(engine, workspace_id, [name])


def test_named_models_are_served_whatever_their_state(
    engine: Engine, workspace_id: int, local: dict[str, int]
) -> None:
    """They are asked by their names, or by the folder as the agent does."""
    found = wanted_models(engine, workspace_id, ["a", str(local["b"])])
    assert [one.name for one in found] == ["a", "b"]
    folder = find_model(engine, workspace_id, "a").artefact
    assert names_by_folder({one.id: one for one in found})[folder] == ["a", folder]


def test_nobody_beyond_this_machine_is_answered_without_a_key() -> None:
    """Another address than this machine's own needs a key."""
    with pytest.raises(ServingError, match="FOOTNOTE_SERVE_KEY"):
        Place("10.0.0.7", 8402, None)
    assert Place("10.0.0.7", 8402, "a key").url is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - refused here
def test_who_listens_everywhere_says_where_it_is_reached(host: str) -> None:
    """The address that is kept must lead there from other machines."""
    with pytest.raises(ServingError, match="--url"):
        Place(host, 8402, "a key")
    with pytest.raises(ServingError, match="FOOTNOTE_SERVE_KEY"):
        Place(host, 8402, None, url="http://gpu-1:8402/v1")
    assert Place(host, 8402, "a key", url="http://gpu-1:8402/v1").host == host
