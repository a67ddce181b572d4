"""When local style models are served under `up`."""

from pathlib import Path

from sqlalchemy import Engine

from cli.local_voice import LocalVoice
from cli.services import Service
from finetune.backends import TrainingError
from store.model_registry import promote_model, register_model
from store.workspaces import ensure_workspace


def _missing() -> None:
    raise TrainingError("Local models need packages that are not installed.")


def test_a_local_model_in_use_is_served_once(shared_engine: Engine, tmp_path: Path) -> None:
    """Not a candidate, not a model elsewhere, and not before what serves it is installed."""
    workspace = ensure_workspace(shared_engine, "served under up")
    service = Service("serve", (), tmp_path / "serve.log", {})

    def voice(*, installed: bool = True) -> LocalVoice:
        check = (lambda: None) if installed else _missing
        return LocalVoice(shared_engine, workspace, lambda: service, check, look_every=0)

    elsewhere = register_model(shared_engine, workspace, "style", "hosted", "ft:gpt-4.1-mini")
    promote_model(shared_engine, workspace, elsewhere)
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    local = register_model(
        shared_engine, workspace, "style", "local", str(folder), backend="local"
    )
    assert voice().due() is None
    promote_model(shared_engine, workspace, local)
    assert voice(installed=False).due() is None
    watched = voice()
    assert watched.due() is service
    assert watched.due() is None
