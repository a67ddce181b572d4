"""Other forms of a local model: copies, files of other tools, and what is told without those."""

import importlib.util
from pathlib import Path

import pytest
from sqlalchemy import Engine

from finetune.backends import TrainingError
from finetune.exports import ExportError, export
from store.model_registry import Model, find_model, list_models, register_model
from tests.unit.finetune.bases import write_base

CONVERTER = """
import sys
source, option, target = sys.argv[1:]
assert option == "--outfile"
if "broken" in target:
    open(target, "w").write("half")
    sys.exit("no such architecture")
open(target, "w").write("GGUF of " + source)
"""


@pytest.fixture
def model(engine: Engine, workspace_id: int, tmp_path: Path) -> Model:
    """A local model: a folder of weights."""
    folder = write_base(tmp_path / "merged")
    made = register_model(
        engine, workspace_id, "style", "voice-1", str(folder), backend="local", base="a base"
    )
    return find_model(engine, workspace_id, made)


@pytest.fixture
def converter(tmp_path: Path) -> Path:
    """What stands for llama.cpp's converter."""
    path = tmp_path / "convert_hf_to_gguf.py"
    path.write_text(CONVERTER)
    return path


def test_a_merged_copy_is_no_other_model(engine: Engine, model: Model, tmp_path: Path) -> None:
    """The folder is copied, and nothing is registered."""
    done = export(engine, model, "merged", tmp_path / "copy")
    assert done.candidate is None
    copied = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in Path(model.artefact).iterdir()}
    assert len(list_models(engine, model.workspace_id)) == 1


def test_a_file_of_another_tool_is_a_candidate(
    engine: Engine, model: Model, converter: Path, tmp_path: Path
) -> None:
    """A GGUF file is registered with the address that will serve it, to pass its gate."""
    address = "http://127.0.0.1:8080/v1"
    target = tmp_path / "voice.gguf"
    done = export(engine, model, "gguf", target, tool=converter, endpoint=address)
    assert target.read_text() == f"GGUF of {model.artefact}"
    assert done.candidate is not None
    assert (done.candidate.state, done.candidate.endpoint) == ("candidate", address)
    assert (done.candidate.name, done.candidate.base) == ("voice-1-gguf", "voice-1")


def test_a_tool_that_fails_leaves_nothing(
    engine: Engine, model: Model, converter: Path, tmp_path: Path
) -> None:
    """Its last line is told, its half file is gone, and nothing is registered."""
    target = tmp_path / "broken.gguf"
    with pytest.raises(ExportError, match="no such architecture"):
        export(engine, model, "gguf", target, tool=converter)
    assert not target.exists()
    assert len(list_models(engine, model.workspace_id)) == 1


def test_a_missing_tool_is_told(engine: Engine, model: Model, tmp_path: Path) -> None:
    """A sentence says what writes the form, and how to name it."""
    with pytest.raises(ExportError, match="--tool"):
        export(engine, model, "gguf", tmp_path / "x.gguf", tool=tmp_path / "nowhere.py")
    with pytest.raises((ExportError, TrainingError)) as told:
        export(engine, model, "quantised", tmp_path / "x")
    expected = "bitsandbytes" if importlib.util.find_spec("torch") else "install"
    assert expected in str(told.value)


@pytest.mark.parametrize(
    ("place", "told"), [("merged", "is there already"), ("no/folder", "There is no folder")]
)
def test_a_place_that_cannot_be_written_is_told(
    engine: Engine, model: Model, tmp_path: Path, place: str, told: str
) -> None:
    """Nothing is overwritten, and no folders are made."""
    with pytest.raises(ExportError, match=told):
        export(engine, model, "merged", tmp_path / place)


def test_only_models_of_this_machine_are_exported(engine: Engine, workspace_id: int) -> None:
    """A provider's model is no folder."""
    made = register_model(engine, workspace_id, "style", "hosted-1", "ft:gpt-5-mini:x")
    hosted = find_model(engine, workspace_id, made)
    with pytest.raises(ExportError, match="no model of this machine"):
        export(engine, hosted, "merged", Path("/tmp/x"))  # noqa: S108 - nothing is written
