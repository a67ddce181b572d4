"""A voice trained on this machine: from a dataset to an answer's words, with a tiny model.

The model has random weights; that it is trained, merged, served and asked is what is shown here,
and nothing about how well it speaks.
"""

import importlib.util
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openai
import psutil
import pytest
from safetensors.numpy import load_file, save_file
from sqlalchemy import Engine

from core.settings import ROOT, Settings, load_settings
from finetune.backends import TrainingError
from finetune.bases import find_base, read_header
from finetune.exports import export
from finetune.gpu_memory import Device
from finetune.local_process import child_environment
from finetune.local_recipe import read_recipe
from finetune.local_rows import write_rows
from finetune.local_runs import complete, need_memory, prepare
from finetune.runs import carry_out, run_folder, start
from store.datasets import Dataset, DatasetRow, Format, save_dataset
from store.jobs import sweep
from store.model_registry import (
    Model,
    find_model,
    list_models,
    promote_model,
    register_model,
    roll_back,
)
from store.runs import Run, find_run, list_runs, run_events, run_points
from store.workspaces import ensure_workspace
from tests.acceptance.processes import Footnote, Running, free_port, installation, wait_until

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None,
        reason="torch is not installed (docs/howto/train-locally.md)",
    ),
]

WORKSPACE = "local-voice"
KEY = "a key of the tests"
LEASE = 2.0  # seconds
SHORT = {"max_steps": 6, "eval_every": 2}
LONG = {"max_steps": 60, "eval_every": 10}
LOADING = 180.0  # seconds until torch and its like are imported, where many tests run at once
ROLLBACK_DEADLINE = 5.0  # seconds until the model before answers again
WORKER = """
import sys
from core.settings import settings
from finetune.runs import carry_out
from store.engine import connect
engine = connect(settings().database_url.get_secret_value())
carry_out(engine, settings(), int(sys.argv[1]), lease=float(sys.argv[2]))
"""


SEVERAL = """
import errno, json, sys
from pathlib import Path
import torch
from finetune.local.progress import Progress
from finetune.local.train import carry_out, read_job, reason
for folder in map(Path, sys.argv[1:]):
    progress = Progress(folder)
    job = read_job(folder)
    progress.tell("done", **carry_out(job, progress))
failures = (
    OSError(errno.ENOSPC, "No space left on device"),
    RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    ValueError("something else"),
)
print(json.dumps([reason(one, job) for one in failures]))
"""
"""Carries out several runs in one process: most of a short run's time goes to its imports.

Then it prints what is told of failures that no test can bring about safely.
"""


IMPORTS = """
import sys
import cli.ask, cli.bot, cli.finetune, cli.models, cli.serve, cli.web, cli.worker
import finetune.local_runs, ingestion.sandbox_child, langchain_openai
slow = ("torch", "transformers", "peft", "trl", "datasets", "accelerate")
print([name for name in slow if name in sys.modules])
"""


@dataclass(frozen=True)
class Trainer:
    """A workspace with a dataset, on a home of its own, and the tiny base."""

    footnote: Footnote
    engine: Engine
    workspace_id: int
    dataset_id: int
    base: Path

    @property
    def settings(self) -> Settings:
        """Settings with the home of this installation."""
        return load_settings().model_copy(update={"home": self.footnote.home})

    def start(self, recipe: dict[str, Any], base: Path | None = None) -> Run:
        """Keep a run with its job."""
        run, new = start(
            self.engine,
            self.settings,
            self.workspace_id,
            backend="local",
            dataset_id=self.dataset_id,
            base=str(base or self.base),
            recipe=recipe,
            name="voice",
            actor="test",
        )
        assert new
        return run

    def carry_out(self, run: Run) -> Run:
        """Do the run's job here, and return the run as it ended."""
        assert run.job_id is not None
        carry_out(self.engine, self.settings, run.job_id, lease=LEASE)
        return find_run(self.engine, self.workspace_id, run.id)

    def folder(self, run: Run) -> Path:
        """Return the run's folder."""
        return run_folder(self.settings, run)


def _row(number: int) -> DatasetRow:
    asked = f"1. Sale items can be returned within {number} days. [1]"
    said = f"1. Sure thing! Sale items can come back within {number} days. [1]"
    messages = [
        {"role": "system", "content": "Rewrite the numbered sentences in the team's voice."},
        {"role": "user", "content": asked},
        {"role": "assistant", "content": said},
    ]
    split = "validation" if number % 10 == 0 else "train"
    return DatasetRow(split, {"messages": messages, "task": "style"}, f"conversation {number}")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trainer(
    embedder_cache: Path, shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trainer]:
    """A dataset of 70 rows in a workspace of this file's own, and a base to train."""
    base = tmp_path_factory.mktemp("base") / "tiny"
    subprocess.run(
        [sys.executable, "-m", "tests.fakes.tiny_model", str(base)], cwd=ROOT, check=True
    )
    workspace_id = ensure_workspace(shared_engine, WORKSPACE)
    with shared_engine.begin() as connection:
        rows = [_row(number) for number in range(70)]
        dataset, _ = save_dataset(connection, workspace_id, "style", "sft", rows, {}, "test")
    url = shared_engine.url.render_as_string(hide_password=False)
    with installation(
        embedder_cache,
        DATABASE_URL=url,
        FOOTNOTE_WORKSPACE=WORKSPACE,
        FOOTNOTE_SERVE_KEY=KEY,
    ) as footnote:
        yield Trainer(footnote, shared_engine, workspace_id, dataset.id, base)


@pytest.fixture(scope="module")
def trained(trainer: Trainer) -> Run:
    """A run with LoRA that was started at the terminal and carried out."""
    started = trainer.footnote.run(
        *("finetune", "start", "--backend", "local", "--dataset", str(trainer.dataset_id)),
        *("--base", trainer.base.name, "--name", "voice", "--json"),
        *(part for name, value in SHORT.items() for part in ("--recipe", f"{name}={value}")),
        folder=trainer.base.parent,
    )
    assert started.code == 0, started.told
    (run,) = list_runs(trainer.engine, trainer.workspace_id)
    return trainer.carry_out(run)


@pytest.fixture(scope="module")
def models(trainer: Trainer, trained: Run) -> tuple[Model, Model]:
    """The trained model, and a second one with the same weights."""
    first = next(
        one
        for one in list_models(trainer.engine, trainer.workspace_id, "style")
        if one.run_id == trained.id
    )
    copy = trainer.footnote.home / "models" / "copy"
    shutil.copytree(first.artefact, copy)
    second = register_model(trainer.engine, trainer.workspace_id, "style", "voice-b", str(copy))
    return first, find_model(trainer.engine, trainer.workspace_id, second)


@pytest.fixture(scope="module")
def address(trainer: Trainer, models: tuple[Model, Model]) -> Iterator[str]:
    """The address of a server that serves what is in use: the first model, then the second."""
    for model in models:
        promote_model(trainer.engine, trainer.workspace_id, model.id)
    port = free_port()
    server = trainer.footnote.start("serve", "--port", str(port))
    try:
        for model in models:
            wait_until(lambda name=model.name: _served(server, name), LOADING)  # type: ignore[misc]
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.stop()
        _told(server)
    for model in models:
        assert find_model(trainer.engine, trainer.workspace_id, model.id).endpoint is None


def _served(server: Running, name: str) -> bool:
    assert server.process.poll() is None, server.told
    return f"{name} (" in server.told


def _told(server: Running) -> None:
    sys.stdout.write(f"{server.told}\n")


def test_a_run_trains_an_adapter_and_merges_it(trainer: Trainer, trained: Run) -> None:
    """A candidate is registered whose merged weights say what base and adapter said."""
    assert (trained.state, trained.reason) == ("succeeded", None)
    (model,) = (
        one
        for one in list_models(trainer.engine, trainer.workspace_id)
        if one.run_id == trained.id
    )
    assert trained.result["merged_equals_adapter"] == "3/3"
    assert trained.result["device"] == "cpu"
    assert trained.result["memory_estimate"] > trained.result["peak_memory"] > 0
    merged = Path(model.artefact)
    assert {path.suffix for path in merged.iterdir()} <= {".safetensors", ".json", ".jinja"}
    adapter = json.loads((merged.parent / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(trainer.base)
    card = json.loads((merged.parent / "adapter" / "card.json").read_text())
    assert card["base_sha256"] == trained.recipe["revision"]


def test_a_run_tells_its_loss_at_each_step(trainer: Trainer, trained: Run) -> None:
    """Loss, learning rate and speed are kept of steps, the loss of validation of evaluations."""
    points = run_points(trainer.engine, trained.id)
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    assert all({"loss", "learning_rate", "peak_memory"} <= set(one.figures) for one in points)
    assert all(one.figures["tokens_per_second"] > 0 for one in points[1:])
    assert all(("eval_loss" in one.figures) == (one.step % 2 == 0) for one in points)


def test_no_words_of_people_stay_in_a_run_s_folder(trainer: Trainer, trained: Run) -> None:
    """Rows and checkpoints are gone once it ended, and the log holds none of their words."""
    folder = trainer.folder(trained)
    assert {path.name for path in folder.iterdir()} == {
        "adapter",
        "merged",
        "progress.jsonl",
        "run.json",
        "train.log",
    }
    for name in ("progress.jsonl", "run.json", "train.log"):
        assert "Sale items" not in (folder / name).read_text("utf-8")


def test_a_killed_run_goes_on_from_its_checkpoint(trainer: Trainer) -> None:
    """After kill -9 the same job resumes: no step before the checkpoint is done again."""
    run = trainer.start(LONG)
    worker = subprocess.Popen(
        [sys.executable, "-P", "-c", WORKER, str(run.job_id), str(LEASE)],
        env=trainer.footnote.variables(),
        start_new_session=True,
    )
    folder = trainer.folder(run)
    wait_until(lambda: any(folder.glob("checkpoints/checkpoint-*/complete")), LOADING)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not _training(trainer))  # it sees that its parent is gone
    told = (folder / "run.json").stat().st_mtime_ns
    assert find_run(trainer.engine, trainer.workspace_id, run.id).state == "running"
    time.sleep(LEASE)
    sweep(trainer.engine)

    ended = trainer.carry_out(run)

    assert (folder / "run.json").stat().st_mtime_ns > told
    assert ended.state == "succeeded"
    assert ended.result["resumed_from"] >= LONG["eval_every"]
    assert any(
        one.message.startswith("Goes on from the checkpoint of step")
        for one in run_events(trainer.engine, run.id)
    )


def _training(trainer: Trainer) -> list[psutil.Process]:
    return [one for one in trainer.footnote.processes() if "finetune.local.train" in one.cmdline()]


def test_a_loss_that_is_no_number_stops_a_run(trainer: Trainer, tmp_path: Path) -> None:
    """The run fails with a sentence, and no model is registered."""
    broken = tmp_path / "broken"
    shutil.copytree(trainer.base, broken)
    weights = load_file(broken / "model.safetensors")
    weights["lm_head.weight"] = np.full_like(weights["lm_head.weight"], np.nan)
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    run = trainer.start(SHORT, broken)
    with pytest.raises(TrainingError, match="no number"):
        trainer.carry_out(run)
    ended = find_run(trainer.engine, trainer.workspace_id, run.id)
    assert ended.state == "failed"
    assert ended.reason is not None
    assert "learning_rate" in ended.reason
    assert not any(
        one.run_id == run.id for one in list_models(trainer.engine, trainer.workspace_id)
    )


def test_preferences_packed_rows_and_all_weights_are_trained(
    trainer: Trainer, tmp_path: Path
) -> None:
    """DPO begins at the loss of a coin, packing makes blocks, `full` leaves no adapter.

    A run that gets worse stops early and keeps its best step. A full disk and a lack of memory
    are told plainly.
    """
    base = find_base(str(trainer.base))
    variants: dict[str, tuple[Format, dict[str, Any]]] = {
        "dpo": ("dpo", {}),
        "packed": ("sft", {"packing": True, "max_length": 256}),
        "full": ("sft", {"method": "full", "bf16": True, "learning_rate": 0.001}),
        # The first step of a warm-up changes nothing; what follows makes it worse.
        "astray": (
            "sft",
            {"method": "full", "learning_rate": 0.9, "eval_every": 1, "patience": 1},
        ),
    }
    for name, (chosen, given) in variants.items():
        rows = [_pair(number) if chosen == "dpo" else _row(number) for number in range(70)]
        dataset = Dataset(1, 1, "x", chosen, "0" * 64, {}, "test", None, datetime.now(UTC))
        recipe, _ = complete(read_recipe({**SHORT, **given}), base, dataset, rows)
        here = Device(0, 2**40, "here")
        needed = need_memory(base, recipe, here, chosen == "dpo")
        prepare(tmp_path / name, 1, dataset, base, recipe, here, needed)
        write_rows(tmp_path / name, rows)
    done = subprocess.run(
        [sys.executable, "-P", "-c", SEVERAL, *(str(tmp_path / name) for name in variants)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=child_environment(),
        check=True,
    )
    full, also_full, no_memory, no_memory_here, unknown = json.loads(done.stdout.splitlines()[-1])
    assert full == also_full
    assert "disk is full" in full
    assert no_memory == no_memory_here
    assert "Memory ran out" in no_memory
    assert unknown is None
    told = {name: _progress(tmp_path / name) for name in variants}
    astray = told.pop("astray")[-1]["result"]
    assert (astray["steps"], astray["best_step"]) == (2, 1)
    kept = load_file(tmp_path / "astray" / "merged" / "model.safetensors")
    weights = load_file(trainer.base / "model.safetensors")
    assert all(np.array_equal(one, weights[name]) for name, one in kept.items())
    for lines in told.values():
        steps = [(one["step"], one["figures"]) for one in lines if one["kind"] == "step"]
        assert [step for step, figures in steps if "loss" in figures] == [1, 2, 3, 4, 5, 6]
        losses = [figures["eval_loss"] for _, figures in steps if "eval_loss" in figures]
        assert losses[-1] < losses[0]
    first = next(one["figures"]["loss"] for one in told["dpo"] if one["kind"] == "step")
    assert first == pytest.approx(math.log(2), abs=0.01)
    assert any("blocks" in one.get("message", "") for one in told["packed"])
    assert told["packed"][-1]["result"]["merged_equals_adapter"] == "3/3"
    assert not (tmp_path / "full" / "adapter").exists()
    before = read_header(trainer.base / "model.safetensors")
    assert read_header(tmp_path / "full" / "merged" / "model.safetensors") == before


def _pair(number: int) -> DatasetRow:
    row = _row(number)
    *prompt, said = row.content["messages"]
    pair = {"prompt": prompt, "chosen": said["content"], "rejected": "No.", "task": "style"}
    return DatasetRow(row.split, pair, row.conversation)


def _progress(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "progress.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_no_other_process_loads_torch() -> None:
    """What the bot, the page, the worker and the commands import leaves it where it is."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORTS], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "[]\n"


def test_a_pruned_form_is_a_candidate_of_its_own(
    trainer: Trainer, models: tuple[Model, Model], tmp_path: Path
) -> None:
    """A fifth of the weights are zeros in it, and it is no more in use than any candidate."""
    target = tmp_path / "pruned"
    candidate = export(trainer.engine, models[0], "pruned", target).candidate
    assert candidate is not None
    assert (candidate.state, candidate.artefact) == ("candidate", str(target))
    weights = load_file(target / "model.safetensors")
    layers = [one for name, one in weights.items() if "_proj" in name]
    zeros = sum(int((one == 0).sum()) for one in layers) / sum(one.size for one in layers)
    assert zeros == pytest.approx(0.2, abs=0.01)
    assert json.loads((target / "card.json").read_text())["form"] == "pruned"


def test_a_copy_is_made_at_the_terminal(
    trainer: Trainer, models: tuple[Model, Model], tmp_path: Path
) -> None:
    """It is no other model, so nothing has to pass a gate."""
    target = tmp_path / "copy"
    done = trainer.footnote.run("models", "export", models[0].name, "--to", target, "--json")
    assert done.code == 0, done.told
    assert done.json() == {"place": str(target), "candidate": None}
    assert (target / "model.safetensors").is_file()


def test_a_served_model_speaks_openai_s_protocol(
    address: str, models: tuple[Model, Model]
) -> None:
    """The same words whole and as a stream, tokens are counted, and it ends at a stop."""
    client = openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=30)
    asked: Any = [{"role": "user", "content": "Thanks so much!"}]
    name = models[1].name
    whole = client.chat.completions.create(model=name, messages=asked, max_tokens=12)
    words = whole.choices[0].message.content or ""
    assert words
    assert whole.usage is not None
    assert 0 < whole.usage.completion_tokens <= 12
    pieces = client.chat.completions.create(model=name, messages=asked, max_tokens=12, stream=True)
    streamed = [one.choices[0].delta.content or "" for one in pieces]
    assert "".join(streamed) == words
    assert len(streamed) > 2
    stopped = client.chat.completions.create(
        model=name, messages=asked, max_tokens=12, stop=[words[1]]
    )
    assert stopped.choices[0].message.content == words[: words.index(words[1])]
    assert stopped.choices[0].finish_reason == "stop"
    assert {one.id for one in client.models.list().data} >= {one.name for one in models}


def test_a_served_model_refuses_in_openai_s_form(
    address: str, models: tuple[Model, Model]
) -> None:
    """Another key, another model, too long a prompt and what is not offered get an error each."""
    asked: Any = [{"role": "user", "content": "Thanks!"}]
    client = openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=30)
    name = models[0].name
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=address, api_key="another", max_retries=0).models.list()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-5", messages=asked)
    long: Any = [{"role": "user", "content": "Thanks! " * 600}]
    with pytest.raises(openai.BadRequestError, match="shorten"):
        client.chat.completions.create(model=name, messages=long)
    with pytest.raises(openai.BadRequestError, match="n: "):
        client.chat.completions.create(model=name, messages=asked, n=2)


def test_an_answer_is_styled_by_the_served_model(
    trainer: Trainer, address: str, models: tuple[Model, Model]
) -> None:
    """The agent asks the active model at its address; its babble is judged and not posted."""
    footnote = trainer.footnote
    assert footnote.run("ingest", ROOT / "samples" / "policies").code == 0
    assert find_model(trainer.engine, trainer.workspace_id, models[1].id).endpoint == address

    asked = footnote.run("ask", "How long can I return sale items?", "--json").json()
    answer = footnote.run("trace", asked["id"], "--json").json()

    assert answer["outcome"] == "answered"
    assert answer["trace"]["style"].startswith(f"{models[1].name}: not used, ")
    assert answer["trace"]["tokens"]["input"] > 0


def test_a_rollback_takes_seconds(
    trainer: Trainer, address: str, models: tuple[Model, Model]
) -> None:
    """The model before answers at once: it was kept loaded."""
    client = openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=30)
    began = time.monotonic()
    out, back = roll_back(trainer.engine, trainer.workspace_id, "style", "test", "a test")
    assert (out.id, back and back.id) == (models[1].id, models[0].id)
    assert back is not None
    assert back.endpoint == address
    client.chat.completions.create(
        model=back.artefact, messages=[{"role": "user", "content": "Thanks!"}], max_tokens=4
    )
    assert time.monotonic() - began < ROLLBACK_DEADLINE
