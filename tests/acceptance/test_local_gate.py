"""A local model at its gate: served for so long, asked, and let go again.

The model has random weights; what it says is of no quality and nothing is claimed from it.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.settings import ROOT, Settings
from evaluation.asking import replies_of, speaking
from finetune.local_process import child_environment
from retrieval.voice import style_messages, tone_messages
from store.model_registry import Model, find_model, register_model

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None,
        reason="torch is not installed (docs/howto/train-locally.md)",
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model."""
    made = tmp_path / "tiny"
    command = [sys.executable, "-m", "tests.fakes.tiny_model", str(made)]
    subprocess.run(command, check=True, cwd=ROOT, env=child_environment())
    return made


def registered(engine: Engine, workspace_id: int, artefact: Path) -> Model:
    """A candidate whose files are there, and which nothing serves."""
    model_id = register_model(engine, workspace_id, "style", "tiny", str(artefact))
    return find_model(engine, workspace_id, model_id)


def test_a_local_candidate_is_served_while_it_is_asked(
    engine: Engine, workspace_id: int, plain_settings: Settings, folder: Path
) -> None:
    """It replies to each prompt, and no address stays behind."""
    model = registered(engine, workspace_id, folder)
    prompts = [tone_messages([("asker", "Thanks!")]), style_messages(["Sale items. [1]"])]
    settings = plain_settings.model_copy(update={"model_timeout": 55.0})
    with speaking(engine, settings, model) as chat:
        served = find_model(engine, workspace_id, model.id).endpoint
        replies = replies_of(chat, model.name, prompts)

    assert served is not None
    assert all(isinstance(reply, str) for reply in replies)
    assert find_model(engine, workspace_id, model.id).endpoint is None
